package recordings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"scalelite/store"
)

// File is a file of a recording that is open for reading. Its Stat is what was
// known of it when it was opened.
type File struct {
	*os.File
	info fs.FileInfo
}

// Stat returns what was known of the file when it was opened; it never fails.
func (f *File) Stat() (fs.FileInfo, error) { return f.info, nil }

// OpenFile opens a file of a recording for serving, by its name within the
// directory of a format, from the tree of the recording's state. Whatever is not
// a regular file inside that directory is ErrNotFound: directories, pipes, links
// (an import makes none). Who may see it is for the caller to know.
func (l *Library) OpenFile(r store.Recording, format, name string) (*File, error) {
	if _, ok := r.Format(format); !ok || r.State == store.Deleted || !PlainWord(r.ID) || !PlainWord(format) {
		return nil, ErrNotFound
	}
	if !fs.ValidPath(name) || strings.ContainsAny(name, "\x00\\") {
		return nil, ErrNotFound
	}
	dir := filepath.Join(l.trees.tree(r.State), format)
	f, err := openBeneath(dir, r.ID+"/"+name)
	if errors.Is(err, errors.ErrUnsupported) {
		f, err = openInRoots(dir, r.ID, name)
	}
	return f, notFound(err)
}

// CountFiles tells how many files a format of a recording has on the disk, and
// their bytes; ErrNotFound if it has no directory there.
func (l *Library) CountFiles(r store.Recording, format string) (files int, bytes int64, err error) {
	if _, ok := r.Format(format); !ok || r.State == store.Deleted || !PlainWord(r.ID) || !PlainWord(format) {
		return 0, 0, ErrNotFound
	}
	files, bytes, err = count(l.trees.path(r.State, format, r.ID))
	if absent(err) {
		err = ErrNotFound
	}
	return files, bytes, err
}

// openInRoots is openBeneath by one step for each part of the name.
func openInRoots(dir, id, name string) (*File, error) {
	tree, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	switch info, err := tree.Lstat(id); {
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fs.ErrNotExist
	}
	root, err := tree.OpenRoot(id)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := openIn(root, name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &File{f, info}, nil
}

// openIn opens a regular file, and nothing else: not a pipe either, which would
// wait for a writer.
func openIn(root *os.Root, name string) (*os.File, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fs.ErrNotExist
	}
	return root.Open(name)
}

// notFound makes every way of not being there one. An escape from a root has no
// error of its own, so all that the name may be to blame for counts as absence;
// what the machine is to blame for does not.
func notFound(err error) error {
	if err == nil || os.IsPermission(err) || os.IsTimeout(err) {
		return err
	}
	for _, trouble := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO, syscall.ESTALE} {
		if errors.Is(err, trouble) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrNotFound, err)
}
