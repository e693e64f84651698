package recordings

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"scalelite/store"
)

// journal is what a start must know of an import that was interrupted while it
// put the files of a recording in place. It lies in the directory of the import
// from before the first file is moved until the record is committed.
//
// That directory holds
//
//	files/FORMAT/ID      what was unpacked; then, once that is in place, what it replaced
//	old/FORMAT/ID        what it replaced, where names cannot be exchanged
//	ID.json              the journal of each recording in turn
type journal struct {
	ID      string               `json:"id"`
	State   store.RecordingState `json:"state"` // whose tree it goes to
	Stamp   time.Time            `json:"stamp"` // of its formats in the record, once that is committed
	Formats []journalFormat      `json:"formats"`
}

type journalFormat struct {
	Type string `json:"type"`
	// Inode is that of the unpacked directory: it tells old from new when the
	// two were exchanged.
	Inode uint64 `json:"inode"`
}

const journalSuffix = ".json"

// stage is the directory of an import.
type stage string

func (s stage) files() string                   { return filepath.Join(string(s), "files") }
func (s stage) unpacked(kind, id string) string { return filepath.Join(string(s), "files", kind, id) }
func (s stage) old(kind, id string) string      { return filepath.Join(string(s), "old", kind, id) }
func (s stage) journal(id string) string        { return filepath.Join(string(s), id+journalSuffix) }

// write begins a journal. It must be durable only if something is replaced:
// files of a recording that is not known yet are in nobody's way.
func (s stage) write(j journal, durable bool) error {
	text, err := json.Marshal(j)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(s.journal(j.ID), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil && durable {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil || !durable {
		return err
	}
	return syncDirs(string(s), filepath.Dir(string(s)))
}

// journals are those that are in the directory.
func (s stage) journals() (all []journal, err error) {
	entries, err := os.ReadDir(string(s))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), journalSuffix) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(string(s), e.Name()))
		if err != nil {
			return nil, err
		}
		var j journal
		if json.Unmarshal(text, &j) != nil || !PlainWord(j.ID) {
			continue // it never became durable, so nothing was replaced
		}
		all = append(all, j)
	}
	return all, nil
}

func inode(path string) (uint64, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, err
	}
	sys, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	return sys.Ino, nil
}

// settle ends the work of a journal, whatever became of it: if the record was
// committed, what it made superfluous is removed, else everything is put back
// as it was. The caller holds the recording's lock.
func (l *Library) settle(ctx context.Context, s stage, j journal) error {
	r, err := l.recording(ctx, nil, j.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if !j.committed(r) {
		for _, f := range slices.Backward(j.Formats) {
			if err := l.putBack(s, j, f); err != nil {
				return fmt.Errorf("put back format %s of recording %s: %w", f.Type, j.ID, err)
			}
		}
		return errors.Join(os.Remove(s.journal(j.ID)), syncDir(string(s)))
	}
	if err := l.dropStrays(r, j); err != nil {
		return err
	}
	return os.Remove(s.journal(j.ID))
}

// dropStrays removes the copies of imported formats that lie in the other tree.
// It goes by the record and not by the journal: after a loss of power a journal
// may be back that had been ended, and the recording have been moved since.
func (l *Library) dropStrays(r store.Recording, j journal) error {
	if r.Moving != "" {
		return nil
	}
	for _, f := range j.Formats {
		there, err := exists(l.trees.path(r.State, f.Type, r.ID))
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		if err := l.discard(l.trees.path(opposite(r.State), f.Type, r.ID)); err != nil {
			return err
		}
	}
	return nil
}

func (j journal) committed(r store.Recording) bool {
	for _, f := range j.Formats {
		got, ok := r.Format(f.Type)
		if !ok || !got.ImportedAt.Equal(j.Stamp) {
			return false
		}
	}
	return true
}

// putBack restores what was in the place of a format before the import.
func (l *Library) putBack(s stage, j journal, f journalFormat) error {
	place, unpacked, old := l.trees.path(j.State, f.Type, j.ID), s.unpacked(f.Type, j.ID), s.old(f.Type, j.ID)
	now, err := inode(place)
	if err != nil && !absent(err) {
		return err
	}
	isNew := err == nil && now == f.Inode
	setAside, err := exists(old)
	if err != nil {
		return err
	}
	aside := l.trees.aside()
	switch {
	case isNew && setAside:
		if err = os.Rename(place, aside); err == nil {
			err = os.Rename(old, place)
		}
	case setAside:
		err = os.Rename(old, place)
	case isNew:
		// Exchanged, or put where nothing was.
		if err = l.replace(unpacked, place, aside); errors.Is(err, fs.ErrNotExist) {
			err = os.Rename(place, aside)
		}
	default:
		return nil
	}
	if err != nil {
		return err
	}
	l.remove(aside)
	return syncDir(filepath.Dir(place))
}
