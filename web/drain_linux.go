package web

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// nothingReceived asks the kernel whether the peer has ever sent anything.
func nothingReceived(conn *net.TCPConn) (nothing bool) {
	control(conn, func(fd int) {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		nothing = err == nil && info.Bytes_received == 0
	})
	return nothing
}

// queued asks the kernel whether it has taken connections on ln that were not
// accepted yet. Closing ln would reset them.
func queued(ln net.Listener) (waiting bool) {
	if socket, ok := ln.(syscall.Conn); ok {
		control(socket, func(fd int) {
			ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, err := unix.Poll(ready, 0)
			waiting = err == nil && n == 1
		})
	}
	return waiting
}

func control(socket syscall.Conn, ask func(fd int)) {
	if raw, err := socket.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { ask(int(fd)) }) // fails if it is closed
	}
}
