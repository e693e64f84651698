package admin

import (
	"net"
	"syscall"
)

// credentials asks the kernel who connected (SO_PEERCRED, unix(7)).
func credentials(c net.Conn) (Peer, bool) {
	conn, isUnix := c.(*net.UnixConn)
	if !isUnix {
		return Peer{}, false
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return Peer{}, false
	}
	var cred *syscall.Ucred
	controlErr := raw.Control(func(fd uintptr) {
		cred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if controlErr != nil || err != nil {
		return Peer{}, false
	}
	return Peer{UID: cred.Uid, PID: cred.Pid}, true
}
