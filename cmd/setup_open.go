package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxLinks is how many links a path may lead through, as in the kernel.
const maxLinks = 40

// openPlace opens the directory at an absolute path; with create, what is missing
// of it is made, for root. Root gives away what it
// opens here, so it follows those links only that root has put into directories of
// root, and none that the service could have.
func openPlace(path string, create bool) (*os.Root, error) {
	for range maxLinks {
		place, target, err := walkPlace(path, create)
		if err != nil || place != nil {
			return place, err
		}
		path = target
	}
	return nil, fmt.Errorf("%s leads through too many links", path)
}

// walkPlace goes down a path until its end, or until a link: target is the path
// then with the link resolved.
func walkPlace(path string, create bool) (place *os.Root, target string, err error) {
	at, err := os.OpenRoot("/")
	if err != nil {
		return nil, "", err
	}
	done, rest := "/", strings.Trim(filepath.Clean(path), "/")
	for rest != "" {
		name, below, _ := strings.Cut(rest, "/")
		next, link, err := stepDown(at, name, create)
		err = errors.Join(err, at.Close())
		switch {
		case err != nil:
			return nil, "", fmt.Errorf("%s: %w", filepath.Join(done, name), err)
		case link != "":
			if !filepath.IsAbs(link) {
				link = filepath.Join(done, link)
			}
			return nil, filepath.Join(link, below), nil
		}
		at, done, rest = next, filepath.Join(done, name), below
	}
	return at, "", nil
}

// stepDown opens the directory of a name in another, or tells where a link leads.
func stepDown(at *os.Root, name string, create bool) (next *os.Root, link string, err error) {
	info, err := at.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) && create {
		if err := at.Mkdir(name, 0o755); err != nil {
			return nil, "", err
		}
		info, err = at.Lstat(name)
	}
	switch {
	case err != nil:
		return nil, "", err
	case info.Mode()&fs.ModeSymlink != 0:
		link, err = linkOfRoot(at, name, info)
		return nil, link, err
	case !info.IsDir():
		return nil, "", errors.New("is no directory; move it away, or give another path in the configuration")
	}
	if next, err = at.OpenRoot(name); err != nil {
		return nil, "", err
	}
	opened, err := next.Stat(".")
	if err == nil && !os.SameFile(info, opened) {
		err = errors.New("was exchanged meanwhile; run this again")
	}
	if err != nil {
		return nil, "", errors.Join(err, next.Close())
	}
	return next, "", nil
}

// linkOfRoot is where a link of root in a directory of root leads.
func linkOfRoot(at *os.Root, name string, info fs.FileInfo) (string, error) {
	around, err := at.Stat(".")
	if err != nil {
		return "", err
	}
	for _, i := range []fs.FileInfo{info, around} {
		if uid, _ := ownerOf(i); uid != 0 {
			return "", errors.New("is a link, and not root's in a directory of root; remove it, or give the path that it leads to in the configuration")
		}
	}
	return at.Readlink(name)
}
