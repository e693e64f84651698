package cmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// newBeside makes a file that only its owner can read, beside path, so that it
// can be renamed to it.
func newBeside(path string) (*os.File, error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no directory %s", dir)
	}
	return f, err
}

// sweepBeside removes what newBeside made for path in processes that were killed
// at it: each is as large as the file itself. The caller sees to it that no other
// process is at it now. What cannot be removed stays.
func sweepBeside(path string) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return
	}
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), "."+filepath.Base(path)+".")
		if ok && number != "" && strings.Trim(number, "0123456789") == "" && e.Type().IsRegular() {
			_ = os.Remove(filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
}

// fill lets write fill f and makes it durable. It closes f.
func fill(f *os.File, write func(io.Writer) error) error {
	return errors.Join(fillOpen(f, write), f.Close())
}

// fillOpen lets write fill f and makes it durable.
func fillOpen(f *os.File, write func(io.Writer) error) error {
	if err := write(f); err != nil {
		return err
	}
	return f.Sync()
}

// discard closes a file of newBeside and removes it; it is gone already if all
// went well.
func discard(f *os.File) {
	_ = f.Close()
	_ = os.Remove(f.Name())
}

// unmoved is an error if the name of a file leads to another by now, as who has
// the directory can make it.
func unmoved(f *os.File) error {
	opened, err := f.Stat()
	if err != nil {
		return err
	}
	named, err := os.Lstat(f.Name())
	if err != nil {
		return err
	}
	if !os.SameFile(opened, named) {
		return fmt.Errorf("%s was exchanged meanwhile, and nothing was changed; look who did that", f.Name())
	}
	return nil
}

// place gives a complete file its name, durably. Unless overwrite is set it
// refuses when there is a file of that name, even one that has just come.
func place(tmp, path string, overwrite bool) error {
	if overwrite {
		if err := os.Rename(tmp, path); err != nil {
			return err
		}
		return syncDir(path)
	}
	err := os.Link(tmp, path)
	switch {
	case err == nil:
		err = os.Remove(tmp)
	case !missing(path):
		return existsError(path)
	default: // a file system without hard links
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return err
	}
	return syncDir(path)
}

// missing tells whether there is certainly nothing of that name.
func missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func existsError(path string) error {
	return fmt.Errorf("%s exists; --force overwrites it", path)
}

// syncDir makes the names in the directory of path durable.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
