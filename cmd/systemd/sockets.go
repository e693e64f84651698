package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// firstDescriptor is SD_LISTEN_FDS_START.
const firstDescriptor = 3

// Socket is a listening socket that the manager has passed on: one that a former
// process of the service had it store, under the name that it gave, or one of a
// .socket unit, under whatever name.
type Socket struct {
	Name string
	net.Listener
}

// Sockets returns what the manager has passed on to this process. It may be
// called once, and closes what is no listening socket. The sockets are
// there even if it returns an error too.
func (m *Manager) Sockets() ([]Socket, error) {
	n, err := strconv.Atoi(m.getenv("LISTEN_FDS"))
	if err != nil || n <= 0 || m.getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, nil // nothing, or for another process
	}
	return sockets(firstDescriptor, n, strings.Split(m.getenv("LISTEN_FDNAMES"), ":"))
}

func sockets(first, n int, names []string) (all []Socket, err error) {
	for i := range n {
		name := ""
		if i < len(names) {
			name = names[i]
		}
		ln, bad := listener(first+i, name)
		if bad != nil {
			err = errors.Join(err, fmt.Errorf("descriptor %d (%q) of systemd: %w", first+i, name, bad))
			continue
		}
		all = append(all, Socket{name, ln})
	}
	return all, err
}

// listener takes over a descriptor of this process.
func listener(fd int, name string) (net.Listener, error) {
	unix.CloseOnExec(fd)
	file := os.NewFile(uintptr(fd), name)
	if file == nil {
		return nil, syscall.EBADF
	}
	defer file.Close() // the listener has a descriptor of its own
	listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return nil, os.NewSyscallError("getsockopt", err)
	}
	if listening == 0 {
		return nil, errors.New("the socket does not listen")
	}
	return net.FileListener(file)
}

// Store has the manager keep a socket open, so that connections wait at it while
// no process of the service runs, and pass it to the next one under this name
// (ASCII, no colon). The unit must allow it (FileDescriptorStoreMax=).
func (m *Manager) Store(name string, socket syscall.Conn) error {
	return m.send(socket, "FDSTORE=1", "FDNAME="+name)
}

// Forget has the manager close all stored sockets of this name. They may be open
// until Barrier has returned.
func (m *Manager) Forget(name string) error {
	return m.Notify("FDSTOREREMOVE=1", "FDNAME="+name)
}
