package web

import (
	"net/http"

	"golang.org/x/sys/unix"
)

// corked holds back what is written to the connection of a request until the
// function that it returns is called: the header and a small file then go in one
// piece, which its reader takes in one go.
func corked(r *http.Request) (release func()) {
	conn, ok := connOf(r).(*heldConn)
	if !ok {
		return func() {}
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return func() {}
	}
	set := func(value int) {
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_CORK, value) })
	}
	set(1)
	return func() { set(0) }
}
