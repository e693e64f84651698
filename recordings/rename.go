package recordings

import (
	"errors"
	"os"
	"path/filepath"
)

// into moves a directory to a place where nothing is, whose parent may not be
// there yet. The caller makes it durable.
func into(from, to string) error {
	if err := makeDir(filepath.Dir(to)); err != nil {
		return err
	}
	return os.Rename(from, to)
}

// replace puts the directory at from in the place of to. If something is there,
// it ends at from; where the file system cannot exchange two names, at aside,
// and for a moment nothing is at to.
func (l *Library) replace(from, to, aside string) error {
	there, err := exists(to)
	if err != nil {
		return err
	}
	if !there {
		return into(from, to)
	}
	if err := l.exchange(from, to); !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if err := into(to, aside); err != nil {
		return err
	}
	l.step("set aside")
	if err := os.Rename(from, to); err != nil {
		return errors.Join(err, os.Rename(aside, to))
	}
	return nil
}

// supplant moves the directory at from to a place, and removes what was there.
func (l *Library) supplant(from, to string) error {
	aside := l.trees.aside()
	if err := l.replace(from, to, aside); err != nil {
		return err
	}
	l.remove(aside)
	return l.discard(from)
}

// discard removes a directory, if it is there. From its first moment on the
// directory is gone from its place as a whole; a start removes what is left.
func (l *Library) discard(path string) error {
	there, err := exists(path)
	if err != nil || !there {
		return err
	}
	aside := l.trees.aside()
	if err := os.Rename(path, aside); err != nil {
		return err
	}
	l.step("discarded")
	l.remove(aside)
	return nil
}

// remove removes what nobody sees any more. What cannot be removed is left to
// the next start.
func (l *Library) remove(path string) {
	if err := os.RemoveAll(path); err != nil {
		l.log.Warn("old files could not be removed; the next start tries again", "path", path, "cause", err)
	}
}

// syncDirs makes the names in directories durable.
func syncDirs(dirs ...string) error {
	for _, dir := range distinct(dirs) {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}
