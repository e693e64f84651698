// Package systemd speaks with the service manager that started this process, as
// sd_notify(3), sd_watchdog_enabled(3) and sd_listen_fds(3) describe it: what
// state the service is in, that it is alive, and which sockets it hands on to
// the process that comes after it.
//
// It must not know what the service is, and imports nothing of ours.
package systemd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long the manager may take to take a message.
const patience = 5 * time.Second

// Manager is the service manager. Without one (New found no NOTIFY_SOCKET) its
// methods do nothing.
type Manager struct {
	getenv func(string) string
	socket string
}

// New returns the manager that the environment names.
func New(getenv func(string) string) *Manager {
	return &Manager{getenv: getenv, socket: getenv("NOTIFY_SOCKET")}
}

// Present reports whether there is a manager that wants to be told.
func (m *Manager) Present() bool { return m.socket != "" }

// Notify sends assignments such as "READY=1", in one message.
func (m *Manager) Notify(assignments ...string) error { return m.send(nil, assignments...) }

// Reloading tells that the configuration is being read again; Notify("READY=1")
// ends it.
func (m *Manager) Reloading() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("notify systemd: read the clock: %w", err)
	}
	return m.Notify("RELOADING=1", fmt.Sprint("MONOTONIC_USEC=", now.Nano()/int64(time.Microsecond)))
}

// Watchdog returns within which time the manager wants to hear "WATCHDOG=1" each
// time anew; 0 if it does not watch this process.
func (m *Manager) Watchdog() time.Duration {
	if pid := m.getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	usec, err := strconv.ParseInt(m.getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 || !m.Present() {
		return 0
	}
	return time.Duration(usec) * time.Microsecond
}

// Barrier returns when the manager has acted on all messages that were sent
// before (sd_notify_barrier(3), systemd 246).
func (m *Manager) Barrier(ctx context.Context) error {
	if !m.Present() {
		return nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	defer r.Close()
	err = errors.Join(m.send(w, "BARRIER=1"), w.Close())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := r.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("notify systemd: it has not answered")
	}
	return nil // the manager has closed the other end
}

// send sends a message, and with it the descriptor of passed unless that is nil.
func (m *Manager) send(passed syscall.Conn, assignments ...string) error {
	if !m.Present() {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	message := []byte(strings.Join(assignments, "\n"))
	if passed == nil {
		_, err = conn.Write(message)
	} else {
		err = withDescriptor(passed, func(fd int) error { return writeRights(conn, message, fd) })
	}
	if err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return nil
}

// writeRights writes a message with a descriptor. net has no function for that
// on a connected socket.
func writeRights(conn *net.UnixConn, message []byte, fd int) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Write(func(to uintptr) bool {
		sent = unix.Sendmsg(int(to), message, unix.UnixRights(fd), nil, unix.MSG_NOSIGNAL)
		return !errors.Is(sent, unix.EAGAIN)
	})
	return errors.Join(err, os.NewSyscallError("sendmsg", sent))
}

// withDescriptor has do use the descriptor itself: a copy made by File would
// share its blocking mode, which asking the copy for its number changes.
func withDescriptor(c syscall.Conn, do func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var done error
	err = raw.Control(func(fd uintptr) { done = do(int(fd)) })
	return errors.Join(err, done)
}
