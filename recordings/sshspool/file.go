package sshspool

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// The names below a home directory.
const (
	sshDir   = ".ssh"
	keysFile = ".ssh/authorized_keys"
)

// maxKeysFile bounds what is read of an authorized_keys file, in bytes.
const maxKeysFile = 4 << 20

// Home is the home directory of the user that the BBB servers log in as. Nothing
// outside of it is read or written, whatever links are in it: the user may not
// be root's friend.
type Home struct {
	root *os.Root
	// owner has what is made here; sshd takes files of root or of the user.
	uid, gid int
}

// OpenHome opens the home directory at path.
func OpenHome(path string) (*Home, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(".")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	h := &Home{root: root, uid: os.Geteuid(), gid: os.Getegid()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		h.uid, h.gid = int(st.Uid), int(st.Gid)
	}
	return h, nil
}

// Close closes the directory.
func (h *Home) Close() error { return h.root.Close() }

// Path is that of the authorized_keys file.
func (h *Home) Path() string { return filepath.Join(h.root.Name(), keysFile) }

// Read returns what the file holds; nothing if there is none.
func (h *Home) Read() (*Keys, error) {
	f, err := h.root.OpenFile(keysFile, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return &Keys{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxKeysFile {
		return nil, fmt.Errorf("%s is no file of keys", h.Path())
	}
	content, err := io.ReadAll(io.LimitReader(f, maxKeysFile))
	return &Keys{content}, err
}

// Update changes the file: fn gets what it holds, and what it leaves is put in
// its place with one rename. Two updates do not mix. An error of fn changes
// nothing.
func (h *Home) Update(fn func(*Keys) error) error {
	dir, err := h.lock()
	if err != nil {
		return err
	}
	defer dir.Close()
	keys, err := h.Read()
	if err != nil {
		return err
	}
	before := string(keys.content)
	if err := fn(keys); err != nil || string(keys.content) == before {
		return err
	}
	mode, uid, gid := h.attributes()
	name := keysFile + ".new-" + rand.Text()[:8]
	f, err := h.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(keys.content)
	err = errors.Join(err, f.Chmod(mode), own(f, uid, gid), f.Sync(), f.Close())
	if err == nil {
		err = h.root.Rename(name, keysFile)
	}
	if err != nil {
		return errors.Join(err, h.root.Remove(name))
	}
	return dir.Sync()
}

// lock makes the directory of the file if it is missing, and keeps others from
// updating until what it returns is closed.
func (h *Home) lock() (*os.File, error) {
	mode := fs.FileMode(0o700)
	if h.uid == 0 {
		mode = 0o755
	}
	err := h.root.Mkdir(sshDir, mode)
	fresh := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	dir, err := h.root.Open(sshDir)
	if err != nil {
		return nil, err
	}
	if fresh {
		err = errors.Join(dir.Chmod(mode), own(dir, h.uid, h.gid))
	}
	if err == nil {
		err = syscall.Flock(int(dir.Fd()), syscall.LOCK_EX)
	}
	if errors.Is(err, syscall.EBADF) || errors.Is(err, syscall.ENOLCK) {
		err = nil // a network file system that locks no directories
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

// attributes are mode and owner of the file, or of a new one. sshd reads it as
// the user: one of root must be open to all.
func (h *Home) attributes() (mode fs.FileMode, uid, gid int) {
	mode, uid, gid = 0o600, h.uid, h.gid
	if h.uid == 0 {
		mode = 0o644
	}
	if info, err := h.root.Stat(keysFile); err == nil {
		mode = info.Mode().Perm() &^ 0o022
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			uid, gid = int(st.Uid), int(st.Gid)
		}
		if uid == 0 {
			mode |= 0o044
		}
	}
	return mode, uid, gid
}

// own gives f to a user, if it is not theirs.
func own(f *os.File, uid, gid int) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) == uid && int(st.Gid) == gid {
		return nil
	}
	return f.Chown(uid, gid)
}
