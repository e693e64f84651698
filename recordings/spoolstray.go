package recordings

import (
	"io/fs"
	"slices"
	"strings"

	"scalelite/store"
)

// maxStrays bounds how many strays are listed by name.
const maxStrays = 1000

// Strays returns what a look at the spool has found, sorted by name, that is
// neither a tarball nor hidden by a dot in front: nobody will ever import it, so
// people must see it. More than 1,000 are listed by the first of their names; the
// last of these tells how many others there are.
func Strays(found []fs.DirEntry) []SpoolFile {
	var all []SpoolFile
	more := 0
	for _, f := range found {
		reason := strayReason(f)
		if reason == "" {
			continue
		}
		if len(all) == maxStrays {
			more++
			continue
		}
		info, err := f.Info()
		if err != nil {
			continue // gone meanwhile
		}
		stray := SpoolFile{Name: f.Name(), State: store.ImportIgnored, Since: changed(info), Reason: reason}
		if info.Mode().IsRegular() {
			stray.Size = info.Size()
		}
		all = append(all, stray)
	}
	if more > 0 {
		all[len(all)-1].More = more
	}
	return all
}

// strayReason is why a file of the spool is not imported, ever; empty if it is,
// or will become one that is.
func strayReason(f fs.DirEntry) string {
	switch mode := f.Type(); {
	case strings.HasPrefix(f.Name(), "."):
		return ""
	case mode.IsDir() && f.Name() == "lost+found": // of a spool with a file system of its own
		return ""
	case mode.IsDir():
		return "it is a directory"
	case mode&fs.ModeSymlink != 0:
		return "it is a link"
	case !mode.IsRegular():
		return "it is no regular file"
	case !isTarball(f.Name()):
		return "its name does not end in .tar, .tar.gz or .tgz"
	}
	return ""
}

// isStray reports whether a name is one of strays.
func isStray(strays []SpoolFile, name string) bool {
	_, is := slices.BinarySearchFunc(strays, name, func(f SpoolFile, name string) int { return strings.Compare(f.Name, name) })
	return is
}
