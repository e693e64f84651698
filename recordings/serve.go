package recordings

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"scalelite/store"
)

// OpenFile opens a file of a recording for serving, by its name within the
// directory of a format, from the tree of the recording's state. Whatever is not
// a regular file inside that directory is ErrNotFound: directories, links at the
// end of the name, whatever a link leads out to. Who may see it is for the
// caller to know.
func (l *Library) OpenFile(r store.Recording, format, name string) (*os.File, error) {
	if _, ok := r.Format(format); !ok || r.State == store.Deleted || !PlainWord(r.ID) || !PlainWord(format) {
		return nil, ErrNotFound
	}
	if !fs.ValidPath(name) || strings.ContainsAny(name, "\x00\\") {
		return nil, ErrNotFound
	}
	tree, err := os.OpenRoot(filepath.Join(l.trees.tree(r.State), format))
	if err != nil {
		return nil, notFound(err)
	}
	defer tree.Close()
	switch info, err := tree.Lstat(r.ID); {
	case err != nil:
		return nil, notFound(err)
	case !info.IsDir():
		return nil, ErrNotFound
	}
	root, err := tree.OpenRoot(r.ID)
	if err != nil {
		return nil, notFound(err)
	}
	defer root.Close()
	f, err := openIn(root, name)
	return f, notFound(err)
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
// error of its own, so all that the name may be to blame for counts as absence.
func notFound(err error) error {
	if err == nil || os.IsPermission(err) || os.IsTimeout(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotFound, err)
}
