package backup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// reserve is what stays free beside a copy, in bytes: the service writes, too.
const reserve = 64 << 20

// ErrNoSpace is in the error of a copy that there is no room for.
var ErrNoSpace = errors.New("not enough free space")

// checkSpace: a copy is made beside the database first, then one and at most as
// much again in the directory.
func (k *Keeper) checkSpace() error {
	info, err := os.Stat(k.o.Database)
	if err != nil {
		return err
	}
	size := info.Size()
	beside, e1 := roomIn(filepath.Dir(k.o.Database))
	here, e2 := roomIn(k.o.Dir)
	if err := errors.Join(e1, e2); err != nil {
		return err
	}
	need := 2*size + reserve
	if beside.device == here.device {
		need += size
	} else if beside.free < size+reserve {
		return noSpace(filepath.Dir(k.o.Database), beside.free, size+reserve)
	}
	if here.free < need {
		return noSpace(k.o.Dir, here.free, need)
	}
	return nil
}

func noSpace(dir string, free, need int64) error {
	return fmt.Errorf("%w: %d MB are free in %s, %d MB are needed; make room, or give store.backup_dir a directory on another disk",
		ErrNoSpace, free>>20, dir, need>>20+1)
}

// room is what a file system has for this process.
type room struct {
	device uint64
	free   int64
}

func roomIn(dir string) (r room, err error) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return r, &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return r, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return room{device: uint64(st.Dev), free: int64(fs.Bavail) * int64(fs.Bsize)}, nil
}
