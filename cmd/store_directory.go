package cmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// makeStoreDirectory makes the directory of the database at path if it is missing.
// One that root makes belongs to the service, if there is its user: it writes there.
func makeStoreDirectory(path string) error {
	dir := abs(filepath.Dir(path))
	u, err := user.Lookup(serviceUser)
	if err != nil || os.Geteuid() != 0 || !missing(dir) {
		return os.MkdirAll(dir, 0o750)
	}
	uid, errUser := strconv.Atoi(u.Uid)
	gid, errGroup := strconv.Atoi(u.Gid)
	if err := errors.Join(errUser, errGroup); err != nil {
		return err
	}
	defer syscall.Umask(syscall.Umask(0o022)) // what leads to it must be open
	place, err := openPlace(dir, true)
	if err != nil {
		return err
	}
	defer place.Close()
	return give(place, uid, gid, 0o750)
}

// mendStore gives the service the directory of the database, if it is root's and
// holds nothing else, and the database, if that is root's: so it is where root
// has made them for a restore. Who else has them has meant it.
func (s *setup) mendStore(path string, place *os.Root) error {
	info, err := place.Stat(".")
	if err != nil {
		return err
	}
	own, err := s.holdsStoreAlone(place)
	if err != nil {
		return err
	}
	switch uid, _ := ownerOf(info); {
	case uid == s.service.uid:
		s.tell("", path)
		return s.giveDatabase(path, place)
	case uid != 0 || !own:
		s.tell("", path)
		return nil
	}
	s.tell("changed", path)
	if err := s.giveDatabase(path, place); err != nil || s.dry {
		return err
	}
	return give(place, s.service.uid, s.service.gid, (info.Mode().Perm()|0o700)&^0o002)
}

// holdsStoreAlone tells whether all in a directory is the database's, or made from
// it.
func (s *setup) holdsStoreAlone(place *os.Root) (bool, error) {
	dir, err := place.Open(".")
	if err != nil {
		return false, err
	}
	defer dir.Close()
	base := filepath.Base(s.loaded.Config.Store.Path)
	for {
		names, err := dir.Readdirnames(1000)
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		for _, name := range names {
			switch {
			case name == base, strings.HasPrefix(name, base+"."), strings.HasPrefix(name, "."+base+"."):
			case name == filepath.Base(s.loaded.Config.Store.Backups()), name == "upgrade", name == "lost+found":
			default:
				return false, nil
			}
		}
	}
}

// giveDatabase gives the service the database, if it is root's. What is no plain
// file, or has a second name, is left: it may be a file of somebody else.
func (s *setup) giveDatabase(dir string, place *os.Root) error {
	name := filepath.Base(s.loaded.Config.Store.Path)
	info, err := place.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || st.Nlink > 1 || st.Uid != 0 || s.service.uid == 0 {
		return nil
	}
	s.tell("changed", fmt.Sprintf("%s, of the user %s", filepath.Join(dir, name), s.service.name))
	if s.dry {
		return nil
	}
	f, err := place.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if opened, err := f.Stat(); err != nil || !os.SameFile(info, opened) {
		return errors.Join(err, fmt.Errorf("%s was exchanged meanwhile; run this again", filepath.Join(dir, name)))
	}
	return f.Chown(s.service.uid, s.service.gid)
}

// reachesStore looks whether the service can use the directories of database and
// backups.
func (s *setup) reachesStore() error {
	dir, backups := filepath.Dir(s.loaded.Config.Store.Path), s.loaded.Config.Store.Backups()
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !s.service.may(info, 7) { // others are not to be let in: it holds secrets
		return fmt.Errorf("the user %s cannot use %s, the directory of the database, which is somebody else's or holds other files, too; "+
			"give the database a directory of its own in store.path, or give it this one: chown %s %s", s.service.name, dir, s.service.name, dir)
	}
	return errors.Join(s.service.reaches(dir, 7), s.service.reaches(backups, 7))
}
