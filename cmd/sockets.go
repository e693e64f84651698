package cmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"scalelite/cmd/systemd"
	"scalelite/web"
)

// The names under which the service manager keeps our sockets.
const (
	mainSocket  = "scalelite-web"
	plainSocket = "scalelite-plain"
)

// doors are the listeners for HTTP; plain is nil without one.
type doors struct{ main, plain net.Listener }

func (d doors) close() error {
	var errs []error
	for _, ln := range []net.Listener{d.main, d.plain} {
		if ln != nil {
			errs = append(errs, ln.Close())
		}
	}
	return errors.Join(errs...)
}

// door is one listener to be opened.
type door struct {
	name    string // with the manager
	address string
	listen  func(ctx context.Context, address string) (net.Listener, error)
	to      *net.Listener
	foreign bool // a .socket unit has it, which keeps it by itself
}

// openDoors returns the listeners that the configuration asks for: those that a
// former process left with the manager, in which connections may wait, and those
// that a .socket unit has opened; the rest is opened anew. The manager keeps them
// for the process after this one.
func openDoors(ctx context.Context, c web.Config, manager *systemd.Manager, log *slog.Logger) (d doors, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	wanted := []*door{{name: mainSocket, address: c.Listen, listen: web.Listen, to: &d.main}}
	if c.TLS != web.TLSOff && c.HTTPListen != "" {
		wanted = append(wanted, &door{name: plainSocket, address: c.HTTPListen, listen: web.ListenPlain, to: &d.plain})
	}
	given, err := manager.Sockets()
	if err != nil {
		log.Warn("systemd passed on what cannot be used", "cause", err)
	}
	if err := takeOver(ctx, wanted, given, manager, log); err != nil {
		return d, err
	}
	for _, w := range wanted {
		if *w.to == nil {
			if *w.to, err = w.listen(ctx, w.address); err != nil {
				return d, err
			}
		}
	}
	for _, w := range wanted {
		if err := deepen(*w.to); err != nil {
			log.Warn("few callers can wait at the socket", "address", w.address, "cause", err)
		}
		if err := w.keep(manager); err != nil {
			log.Warn("systemd does not keep the socket: a restart will turn callers away", "address", w.address, "cause", err)
		}
	}
	return d, nil
}

// takeOver puts the sockets that were given to use, and has the manager forget
// those that are not what their name says: the configuration has changed.
func takeOver(ctx context.Context, wanted []*door, given []systemd.Socket, manager *systemd.Manager, log *slog.Logger) error {
	var forgotten bool
	for _, socket := range given {
		used := use(ctx, wanted, socket)
		switch {
		case used == nil:
			log.Warn("a socket of systemd is not used: the configuration does not ask for its address", "name", socket.Name, "address", socket.Addr().String())
			if err := socket.Close(); err != nil {
				return fmt.Errorf("close a socket of systemd: %w", err)
			}
		case used.name == socket.Name:
			continue
		}
		if isOurs(socket.Name) {
			forgotten = true
			if err := manager.Forget(socket.Name); err != nil {
				log.Warn("systemd could not be told to close a socket", "name", socket.Name, "cause", err)
			}
		}
	}
	if !forgotten {
		return nil
	}
	// Its address cannot be listened on before.
	if err := manager.Barrier(ctx); err != nil {
		log.Warn("systemd may still hold sockets that are not used any more", "cause", err)
	}
	return nil
}

func isOurs(name string) bool { return name == mainSocket || name == plainSocket }

// use gives the socket to the first door that has none and listens there.
func use(ctx context.Context, wanted []*door, socket systemd.Socket) *door {
	for _, w := range wanted {
		if *w.to == nil && web.ListensOn(ctx, socket.Listener, w.address) {
			*w.to = socket.Listener
			w.foreign = !isOurs(socket.Name)
			return w
		}
	}
	return nil
}

// backlog is how many connections may wait at a socket, if the system allows as
// many (net.core.somaxconn): those of some seconds.
const backlog = 4096

// deepen makes room for callers who wait while no process accepts them. The
// standard library reads from /proc/sys how many there may be, which the unit
// hides (ProcSubset=pid), and is content with 128.
func deepen(ln net.Listener) error {
	socket, ok := ln.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var done error
	err = raw.Control(func(fd uintptr) { done = os.NewSyscallError("listen", unix.Listen(int(fd), backlog)) })
	return errors.Join(err, done)
}

// keep has the manager keep the socket for the process after this one.
func (d *door) keep(manager *systemd.Manager) error {
	socket, ok := (*d.to).(syscall.Conn)
	if !ok || d.foreign || !manager.Present() {
		return nil
	}
	if err := manager.Store(d.name, socket); err != nil {
		return err
	}
	if local, ok := (*d.to).(*net.UnixListener); ok {
		local.SetUnlinkOnClose(false) // callers go on finding it
	}
	return nil
}
