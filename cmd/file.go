package cmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
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

// fill lets write fill f and makes it durable. It closes f.
func fill(f *os.File, write func(io.Writer) error) (err error) {
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := write(f); err != nil {
		return err
	}
	return f.Sync()
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
