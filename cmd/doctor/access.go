package doctor

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// errNotJudged: whether another user may do something is for root to find out.
var errNotJudged = errors.New("only root can find out")

// mayUse reports why the service's user may not use a path in the ways of mode
// (unix.R_OK and so on).
func (p *patient) mayUse(path string, mode uint32) error {
	switch {
	case !p.who.known:
		return errNotJudged
	case p.who.uid == p.sys.UID:
		return unix.Access(path, mode)
	case p.sys.UID == 0:
		return accessAs(p.who, path, mode)
	}
	return errNotJudged
}

// owner is what chown takes to give something to the service.
func (i identity) owner() string { return i.name + ":" + i.group }

// blocked returns the uppermost directory on the way to path that the service's
// user cannot enter, empty if there is none.
func (p *patient) blocked(path string) string {
	var above []string
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		above = append(above, dir)
		if dir == filepath.Dir(dir) {
			break
		}
	}
	for i := len(above) - 1; i >= 0; i-- {
		if err := p.mayUse(above[i], unix.X_OK); errors.Is(err, unix.EACCES) {
			return above[i]
		}
	}
	return ""
}

// existing is path, or the nearest directory above it that is there.
func existing(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return "."
	}
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// ownership is "root:root, mode 0755".
func ownership(path string, info fs.FileInfo) string {
	uid, gid, ok := ownerOf(path)
	mode := uint32(info.Mode().Perm())
	if info.Mode()&fs.ModeSetgid != 0 {
		mode |= 0o2000
	}
	if !ok {
		return fmt.Sprintf("mode %04o", mode)
	}
	return fmt.Sprintf("%s:%s, mode %04o", userOf(uid), groupOf(gid), mode)
}

// ignoreEOF is about a directory that has come to its end.
func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// lookUpGroup returns the ID of a group of the system.
func lookUpGroup(name string) (int, bool) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, false
	}
	gid, err := strconv.Atoi(g.Gid)
	return gid, err == nil
}
