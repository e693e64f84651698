package recordings

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// markFile lies in work_dir and in both trees. Its first line is the ID by which
// the store knows them.
const markFile = ".scalelite"

// maxMark is how much of a mark is read, in bytes.
const maxMark = 4 << 10

const markText = `%s

This directory belongs to the recordings of scalelite, and its database knows it
by the line above: without this file nothing is imported. Copy it with the rest.
`

func newTreeID() string { return rand.Text() }

// foundMark is what a directory says of itself.
type foundMark struct {
	key, path string
	id        string // empty: it has no mark, or err is set
	err       error
}

// trouble says why a directory does not count.
func (f foundMark) trouble() string {
	switch {
	case f.id != "":
		return "the file " + markFile + " there is that of another database"
	case f.err != nil && !absent(f.err):
		return "it cannot be looked into (" + f.err.Error() + ")"
	case isDir(f.path):
		return "the file " + markFile + " that it is known by is not there"
	}
	return "there is no such directory"
}

// notInPlace names the directories that do not carry an ID.
func notInPlace(id string, found []foundMark) error {
	remedy := "mount the disk that belongs there, and everything goes on by itself; if it is really a new directory, 'scalelite recordings rescan' accepts it"
	var troubles []string
	wrong := map[string][]string{} // by their trouble
	for _, f := range found {
		if f.id != "" && f.id == id {
			continue
		}
		trouble := f.trouble()
		if wrong[trouble] == nil {
			troubles = append(troubles, trouble)
		}
		wrong[trouble] = append(wrong[trouble], f.key+" "+f.path)
		if f.id != "" {
			remedy = "give each service directories of its own; if no other service uses them, 'scalelite recordings rescan' accepts them"
		}
	}
	for i, trouble := range troubles {
		troubles[i] = strings.Join(wrong[trouble], ", ") + ": " + trouble
	}
	return fmt.Errorf("%w: %s; %s", ErrNotInPlace, strings.Join(troubles, "; "), remedy)
}

// marks reads those of all directories.
func (t trees) marks() []foundMark {
	found := []foundMark{
		{key: "recordings.work_dir", path: t.work},
		{key: "recordings.published_dir", path: t.published},
		{key: "recordings.unpublished_dir", path: t.unpublished},
	}
	for i, f := range found {
		found[i].id, found[i].err = readMark(f.path)
	}
	return found
}

// carry reports whether all directories have the ID.
func (t trees) carry(id string) bool {
	for _, f := range t.marks() {
		if f.id != id {
			return false
		}
	}
	return true
}

func readMark(dir string) (string, error) {
	f, err := os.OpenFile(filepath.Join(dir, markFile), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMark))
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line), nil
}

// writeMark marks a directory, durably.
func writeMark(dir, id string) (err error) {
	f, err := os.CreateTemp(dir, probePrefix+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = fmt.Fprintf(f, markText, id)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, markFile)); err != nil {
		return err
	}
	return syncDir(dir)
}
