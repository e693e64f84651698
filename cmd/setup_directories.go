package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ownerOf is the user and group of a file.
func ownerOf(info fs.FileInfo) (uid, gid int) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid), int(st.Gid)
	}
	return 0, 0
}

// makeHome gives the sender a home directory of root's: what a client could make
// of its key ends there.
func (s *setup) makeHome(context.Context) error {
	if !missing(s.sender.home) {
		s.tell("", s.sender.home)
		return nil
	}
	s.tell("made", s.sender.home+", of root")
	if s.dry {
		return nil
	}
	if err := os.MkdirAll(s.sender.home, 0o755); err != nil {
		return err
	}
	return errors.Join(os.Chmod(s.sender.home, 0o755), os.Chown(s.sender.home, 0, 0))
}

// directory is one that the service needs.
type directory struct {
	path string
	// mode is that of a new one; of one that is there, must are the bits that it
	// needs, and others than the owner and group may not write.
	mode, must fs.FileMode
	// shared: its group is the spool's, else the service's.
	shared bool
	// whole: what is in it belongs to the service, too.
	whole bool
	// private: one that is there is left as it is, unless root made it for this.
	private bool
}

func (s *setup) makeDirectories(context.Context) error {
	c := s.loaded.Config.Recordings
	all := []directory{
		{path: c.SpoolDir, mode: fs.ModeSetgid | 0o775, must: fs.ModeSetgid | 0o770, shared: true},
		{path: c.FailedDir, mode: 0o750, must: 0o700, whole: true},
		{path: c.WorkDir, mode: 0o750, must: 0o700, whole: true},
		{path: c.PublishedDir, mode: 0o750, must: 0o700, whole: true},
		{path: c.UnpublishedDir, mode: 0o750, must: 0o700, whole: true},
		{path: filepath.Dir(s.loaded.Config.Store.Path), mode: 0o750, private: true},
		{path: s.loaded.Config.Store.Backups(), mode: 0o750, must: 0o700},
	}
	for _, d := range all {
		d.path = abs(d.path)
		if err := s.makeDirectory(d); err != nil {
			return err
		}
	}
	return nil
}

func (s *setup) makeDirectory(d directory) error {
	place, err := openPlace(d.path, false)
	if errors.Is(err, fs.ErrNotExist) {
		return s.newDirectory(d)
	}
	if err != nil {
		return err
	}
	defer place.Close()
	if d.private {
		return s.mendStore(d.path, place)
	}
	return s.mendDirectory(d, place)
}

func (s *setup) newDirectory(d directory) error {
	group, gid := s.service.name, s.service.gid
	if d.shared {
		group, gid = spoolGroup, s.group
	}
	s.tell("made", fmt.Sprintf("%s  %s %s:%s", d.path, d.mode, s.service.name, group))
	if s.dry {
		return nil
	}
	place, err := openPlace(d.path, true)
	if err != nil {
		return err
	}
	defer place.Close()
	return give(place, s.service.uid, gid, d.mode)
}

// give changes owner and mode of a directory that is open, whatever its name
// leads to by now. The owner first: that takes setgid away.
func give(place *os.Root, uid, gid int, mode fs.FileMode) error {
	dir, err := place.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	return errors.Join(dir.Chown(uid, gid), dir.Chmod(mode))
}

// mendDirectory gives a directory that is there the owner and the bits that it
// needs, a shared one the group, and what is in it the owner.
func (s *setup) mendDirectory(d directory, place *os.Root) error {
	info, err := place.Stat(".")
	if err != nil {
		return err
	}
	uid, gid := ownerOf(info)
	group := -1 // of others the group does not matter
	if d.shared {
		group = s.group
	}
	given := uid != s.service.uid || d.shared && gid != group
	mode := (info.Mode()&(fs.ModePerm|fs.ModeSetgid|fs.ModeSticky) | d.must) &^ 0o002
	verb := ""
	if given || mode != info.Mode()&^fs.ModeDir {
		verb = "changed"
	}
	s.tell(verb, d.path)
	if verb != "" && !s.dry {
		if err := give(place, s.service.uid, group, mode); err != nil {
			return err
		}
	}
	if !d.whole {
		return nil
	}
	return s.giveContent(d.path, place)
}

// giveContent gives everything in a tree to the service: it moves and removes
// what is there, and what root or another program put there it could not. Links
// are not followed.
func (s *setup) giveContent(dir string, root *os.Root) error {
	given, left := 0, 0
	err := fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		info, err := root.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the service works on
		}
		if err != nil {
			return err
		}
		if uid, _ := ownerOf(info); uid == s.service.uid {
			return nil
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && !info.IsDir() && st.Nlink > 1 {
			left++ // its other name may be a file of somebody else
			return nil
		}
		given++
		if s.dry {
			return nil
		}
		return root.Lchown(path, s.service.uid, -1)
	})
	if given > 0 {
		s.tell("changed", fmt.Sprintf("%s: %s in it of the user %s", dir, count(given, "file"), s.service.name))
	}
	if left > 0 {
		fmt.Fprintf(s.stderr, "%s: %s with a second name elsewhere left as they are.\n", dir, count(left, "file"))
	}
	return err
}
