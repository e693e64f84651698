package doctor

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"time"
)

// System is the machine that is looked at, so that tests can put another one
// there. A zero field is the real one.
type System struct {
	// UID is as whom the checks are made; nil Getuid would be root's, so it is set
	// by whoever makes a System of his own.
	UID int
	// Proc is where the proc file system is.
	Proc string
	// Systemd is a directory that is there if systemd runs this machine.
	Systemd string
	// Servers carries calls to BBB servers, Public those to web.host.
	Servers, Public http.RoundTripper
	// Lookup finds the addresses of a name, Local are those of this machine.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	Local  func() ([]netip.Addr, error)
	// Command runs a program of the system and returns what it printed;
	// exec.ErrNotFound if it is not there.
	Command func(ctx context.Context, name string, args ...string) (string, error)
	// Synchronised tells whether somebody keeps the clock right; an error if the
	// system does not say.
	Synchronised func() (bool, error)
	Now          func() time.Time
	// Group returns the ID of a group.
	Group func(name string) (gid int, ok bool)
}

// ThisSystem is the machine that the program runs on.
func ThisSystem() System {
	return System{UID: os.Geteuid()}
}

func (s System) withDefaults() System {
	if s.Proc == "" {
		s.Proc = "/proc"
	}
	if s.Systemd == "" {
		s.Systemd = "/run/systemd/system"
	}
	if s.Public == nil {
		s.Public = publicTransport()
	}
	if s.Lookup == nil {
		s.Lookup = lookup
	}
	if s.Local == nil {
		s.Local = localAddresses
	}
	if s.Command == nil {
		s.Command = command
	}
	if s.Synchronised == nil {
		s.Synchronised = synchronised
	}
	if s.Group == nil {
		s.Group = lookUpGroup
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	return s
}

// publicTransport goes straight, as people's browsers do, and keeps nothing.
func publicTransport() http.RoundTripper {
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableKeepAlives:      true,
		DisableCompression:     true,
	}
}

func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for i := range found {
		found[i] = found[i].Unmap()
	}
	return found, err
}

func localAddresses() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var found []netip.Addr
	for _, a := range all {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			found = append(found, prefix.Addr().Unmap())
		}
	}
	return found, nil
}

// maxPrinted bounds what is taken of what a program prints, in bytes.
const maxPrinted = 64 << 10

func command(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), "LC_ALL=C", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0")
	c.WaitDelay = time.Second
	var out bytes.Buffer
	c.Stdout = &limited{&out}
	err := c.Run()
	return out.String(), err
}

// limited takes what fits.
type limited struct{ b *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.b.Len()+len(p) > maxPrinted {
		return 0, errors.New("too much was printed")
	}
	return l.b.Write(p)
}
