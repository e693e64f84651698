package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const unixPrefix = "unix:"

// checkListen explains what is wrong with an address of web.listen.
func checkListen(addr string) error {
	if path, ok := strings.CutPrefix(addr, unixPrefix); ok {
		if path == "" {
			return errors.New("names no socket; write unix:/run/scalelite/web.sock")
		}
		return nil
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return fmt.Errorf("%q is no address; write \":3000\", \"127.0.0.1:3000\" or \"unix:/path\"", addr)
	}
	return nil
}

// Listen opens the address of web.listen. A socket that a dead process left is
// replaced, one that somebody answers on is not.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	var config net.ListenConfig
	path, ok := strings.CutPrefix(addr, unixPrefix)
	if !ok {
		ln, err := config.Listen(ctx, "tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("web.listen: %w", err)
		}
		return ln, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("web.listen: %w", err)
	}
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = conn.Close()
		return nil, fmt.Errorf("web.listen: %s is in use by a running process", path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("web.listen: remove a dead socket: %w", err)
		}
	}
	ln, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("web.listen: %w", err)
	}
	// The front proxy that connects to it runs as another user.
	if err := os.Chmod(path, 0o666); err != nil {
		return nil, errors.Join(fmt.Errorf("web.listen: %w", err), ln.Close())
	}
	return ln, nil
}

// ListensOn reports whether ln, which this process did not open itself, listens
// on what Listen would open for addr: where port 0 is asked for, at any port.
func ListensOn(ctx context.Context, ln net.Listener, addr string) bool {
	if path, ok := strings.CutPrefix(addr, unixPrefix); ok {
		info, err := os.Lstat(path) // nobody finds a socket whose name is gone
		return ln.Addr().Network() == "unix" && ln.Addr().String() == path && err == nil && info.Mode()&os.ModeSocket != 0
	}
	is, ok := ln.Addr().(*net.TCPAddr)
	if !ok {
		return false
	}
	want, err := resolve(ctx, addr)
	if err != nil || want.Port != 0 && want.Port != is.Port {
		return false
	}
	everywhere := want.IP == nil || want.IP.IsUnspecified()
	return everywhere && is.IP.IsUnspecified() || want.IP.Equal(is.IP)
}

// resolve takes the first address of a name, preferring IPv4, as a listener does.
func resolve(ctx context.Context, addr string) (*net.TCPAddr, error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if err != nil || host == "" {
		return &net.TCPAddr{Port: port}, err
	}
	all, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return nil, err
	}
	for _, ip := range all {
		if ip.IP.To4() != nil {
			return &net.TCPAddr{IP: ip.IP, Port: port}, nil
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no address", host)
	}
	return &net.TCPAddr{IP: all[0].IP, Port: port}, nil
}
