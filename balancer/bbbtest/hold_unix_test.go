//go:build unix

package bbbtest

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
)

// A stopped server's port must not be given to another server meanwhile.
func TestStopKeepsThePort(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	addr := strings.TrimSuffix(strings.TrimPrefix(s.URL(), "http://"), "/bigbluebutton/api")
	// net.Listen sets SO_REUSEADDR; the kernel's own choice of a port does not
	// look at it, so neither must this.
	exclusive := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		_ = c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 0) })
		return err
	}}
	s.Stop()
	if l, err := exclusive.Listen(t.Context(), "tcp", addr); !errors.Is(err, syscall.EADDRINUSE) {
		if err == nil {
			l.Close()
		}
		t.Errorf("somebody else got the port: %v", err)
	}
	s.Close()
	l, err := exclusive.Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatalf("Close must give the port up: %v", err)
	}
	l.Close()
}
