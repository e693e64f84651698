package boltkv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"scalelite/store/kv"
)

// explain adds to err what was being done, to which file, and what an
// administrator can do about it.
func explain(doing, path string, err error) error {
	remedy := ""
	switch {
	case errors.Is(err, kv.ErrLocked):
		remedy = "; stop the one that runs, or use it"
	case errors.Is(err, fs.ErrPermission):
		remedy = "; run as " + owner(path) + " or change who may read and write it"
	case errors.Is(err, syscall.EROFS):
		remedy = "; mount the file system for writing"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		remedy = "; make room on the disk"
	case errors.Is(err, syscall.ENOTDIR):
		remedy = "; a part of the path is a file: give another path"
	}
	// The path is said once.
	if e, ok := errors.AsType[*fs.PathError](err); ok && e.Path == path && error(e) == err {
		err = e.Err
	}
	return fmt.Errorf("%s %s: %w%s", doing, path, err, remedy)
}

// owner names the user the file at path, or the nearest directory above it
// that can be looked at, belongs to.
func owner(path string) string {
	for {
		info, err := os.Stat(path)
		if err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				id := strconv.FormatUint(uint64(st.Uid), 10)
				if u, err := user.LookupId(id); err == nil {
					return u.Username
				}
				return "user " + id
			}
		}
		up := filepath.Dir(path)
		if up == path {
			return "the owner of the file"
		}
		path = up
	}
}

// kind says what a file is that is not a regular one.
func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "directory"
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	default:
		return "device"
	}
}
