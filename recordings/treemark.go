package recordings

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"scalelite/store"
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
func (f foundMark) trouble(mark store.TreeMark) string {
	switch {
	case slices.Contains(mark.Former, f.id):
		return "the file " + markFile + " there is that of before others were taken in its place"
	case f.id != "":
		return "the file " + markFile + " there is that of another database"
	case f.err != nil && !absent(f.err):
		return "it cannot be looked into (" + f.err.Error() + ")"
	case isDir(f.path):
		return "the file " + markFile + " that it is known by is not there"
	}
	return "there is no such directory"
}

// maxFormer bounds how many former IDs are known.
const maxFormer = 16

// succeeded is a new mark in the place of one, for directories that are not
// those which carry that one: when they are back they must not be taken for these.
func succeeded(mark store.TreeMark, id string) store.TreeMark {
	former := slices.Clone(mark.Former)
	if mark.ID != "" {
		former = append(former, mark.ID)
	}
	return store.TreeMark{ID: id, Former: former[max(0, len(former)-maxFormer):]}
}

// notInPlaceError is the ErrNotInPlace of directories that are not those of the
// recordings.
type notInPlaceError struct {
	wrong  []AcceptedDirectory
	misses int64 // how many recordings have their files in those
	remedy string
}

func (e *notInPlaceError) Unwrap() error { return ErrNotInPlace }

func (e *notInPlaceError) Error() string {
	var troubles []string
	wrong := map[string][]string{} // by their trouble
	for _, d := range e.wrong {
		if wrong[d.Before] == nil {
			troubles = append(troubles, d.Before)
		}
		wrong[d.Before] = append(wrong[d.Before], d.Key+" "+d.Path)
	}
	for i, trouble := range troubles {
		troubles[i] = strings.Join(wrong[trouble], ", ") + ": " + trouble
	}
	switch e.misses {
	case 0:
	case 1:
		troubles = append(troubles, "1 recording has its files there")
	default:
		troubles = append(troubles, fmt.Sprintf("%d recordings have their files there", e.misses))
	}
	return fmt.Sprintf("%v: %s; %s", ErrNotInPlace, strings.Join(troubles, "; "), e.remedy)
}

// notInPlace is about the directories that do not carry the mark; holds is what
// the store has in each.
func notInPlace(mark store.TreeMark, found []foundMark, holds map[string]int64) *notInPlaceError {
	e := &notInPlaceError{}
	former, other := false, false
	for _, f := range found {
		if f.id != "" && f.id == mark.ID {
			continue
		}
		e.wrong = append(e.wrong, AcceptedDirectory{Key: f.key, Path: f.path, Before: f.trouble(mark)})
		e.misses += holds[f.path]
		known := slices.Contains(mark.Former, f.id)
		former, other = former || known, other || f.id != "" && !known
	}
	rescan := "'scalelite recordings rescan'"
	if e.misses > 0 {
		rescan = "'scalelite recordings rescan --accept-directories'"
	}
	switch {
	case other:
		e.remedy = "mount the disk that belongs there, and give each service directories of its own; if these are the right ones and no other service uses them, " + rescan + " accepts them"
	case former:
		e.remedy = "mount the disk that has those, or unmount this one if it lies over them, and everything goes on by itself; to have what is on both, copy their files onto it while it is mounted elsewhere, " + markFile + " too; " +
			rescan + " accepts these without what the others have"
	default:
		e.remedy = "mount the disk that belongs there, and everything goes on by itself; if it was moved, restored or emptied on purpose, " + rescan + " accepts it as it is"
	}
	return e
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
