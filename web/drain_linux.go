package web

import (
	"net"

	"golang.org/x/sys/unix"
)

// nothingReceived asks the kernel whether the peer has ever sent anything.
func nothingReceived(conn *net.TCPConn) (nothing bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		nothing = err == nil && info.Bytes_received == 0
	})
	return nothing
}
