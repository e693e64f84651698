package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// maxPath is the longest path of a unix socket in bytes that Linux takes, see
// unix(7).
const maxPath = 107

// Listen opens the admin socket at path, for the user of this process only; if
// group is there and this process may give it away, for that group, too. The
// directory is made if it is missing. A socket on which nobody answers is one
// that a dead process left, and is replaced: who calls Listen must have locked
// the database before.
func Listen(path string, group string) (net.Listener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("admin socket: its path has %d bytes, the system takes %d: set web.admin_socket to a shorter one", len(path), maxPath)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	config := net.ListenConfig{Control: ownerOnly}
	ln, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	if err := open(path, group); err != nil {
		return nil, errors.Join(fmt.Errorf("admin socket: %w", err), ln.Close())
	}
	return ln, nil
}

// ownerOnly sets the mode of the socket before it gets its name, so that there
// is no moment at which everybody may connect. Where the system does not let us,
// the mode is set after.
func ownerOnly(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), 0o600) })
}

// open gives a new socket its mode and group. A service that runs in that group
// need not give it, and may be kept from trying: systemd's filter of system
// calls takes chown for a privilege.
func open(path, group string) error {
	mode := fs.FileMode(0o600)
	if gid, found := lookup(group); found && (belongs(path, gid) || os.Chown(path, -1, gid) == nil) {
		mode = 0o660
	}
	return os.Chmod(path, mode)
}

// belongs tells whether the file at path has the group already.
func belongs(path string, gid int) bool {
	info, err := os.Lstat(path)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Gid) == gid
}

func lookup(group string) (gid int, found bool) {
	if group == "" {
		return 0, false
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return 0, false
	}
	gid, err = strconv.Atoi(g.Gid)
	return gid, err == nil
}

// removeStale makes room for a socket at path.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is there and is no socket: remove it, or set web.admin_socket to another path", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		_ = conn.Close()
		return fmt.Errorf("%s is in use: another process answers on it", path)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("find out whether somebody answers: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
