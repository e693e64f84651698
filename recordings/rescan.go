package recordings

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"scalelite/store"
)

// Rescan makes records for the files in both trees that have none, out of their
// metadata.xml: after a move from another machine, or the loss of the database.
// A recording is published or not by the tree that it lies in; if it lies in
// both, it is not. What was deleted stays deleted, and its files as they are.
// Beside an error it returns what it did until then.
//
// Directories that InPlace would refuse are accepted first, if no recording has
// its files there, as after the loss of the database. With accept whoever calls
// it says that they are right in any case; else the error is ErrNotInPlace.
func (l *Library) Rescan(ctx context.Context, accept bool) (done Rescanned, err error) {
	end, err := l.begin()
	if err != nil {
		return done, err
	}
	defer end()
	how := acceptUnused
	if accept {
		how = acceptAll
	}
	if done.Accepted, err = l.acceptPlaces(ctx, how); err != nil {
		return done, err
	}
	seen := map[string]bool{} // what could not be added, so that it is told once
	err = l.unrecorded(ctx, func(id string) error {
		if seen[id] {
			return nil
		}
		r, err := l.adopt(ctx, id)
		if err != nil {
			return err
		}
		if r.Error != "" {
			seen[id] = true
		}
		if len(r.Formats) > 0 {
			done.Added = append(done.Added, r)
		}
		return nil
	})
	return done, err
}

// Rescanned is what Rescan did.
type Rescanned struct {
	// Accepted are the directories that were not in place and are from now on.
	Accepted []AcceptedDirectory `json:"accepted_directories"`
	// Added are the recordings that got a record, or formats, and with a reason
	// those that could not be added.
	Added []ImportedRecording `json:"recordings"`
}

// unrecorded hands to fn the ID of each directory in the trees that no format of
// a recording stands for, once for each directory. Those of deleted recordings
// are among them.
func (l *Library) unrecorded(ctx context.Context, fn func(id string) error) error {
	for _, state := range treeStates() {
		kinds, err := l.trees.kinds(state)
		if err != nil {
			return err
		}
		for _, kind := range kinds {
			err := eachName(filepath.Join(l.trees.tree(state), kind), func(names []string) error {
				ids, err := l.withoutRecord(ctx, kind, names)
				if err != nil {
					return err
				}
				for _, id := range ids {
					if err := fn(id); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// eachName hands the names in a directory to fn, some at a time.
func eachName(dir string, fn func(names []string) error) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(pageSize)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		slices.Sort(names)
		if err := fn(names); err != nil {
			return err
		}
	}
}

// withoutRecord are those of the IDs whose recording does not have the format.
func (l *Library) withoutRecord(ctx context.Context, kind string, ids []string) (missing []string, err error) {
	err = l.store.View(ctx, func(tx *store.Tx) error {
		missing = missing[:0]
		for _, id := range ids {
			if !PlainWord(id) {
				continue
			}
			r, err := tx.Recording(id)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if _, ok := r.Format(kind); !ok {
				missing = append(missing, id)
			}
		}
		return nil
	})
	return missing, err
}

// adopt makes a record for the files of a recording, or adds formats to the one
// there is. The result has the formats that it found without a record.
func (l *Library) adopt(ctx context.Context, id string) (ImportedRecording, error) {
	result := ImportedRecording{ID: id}
	release, err := l.locks.lock(ctx, id)
	if err != nil {
		return result, err
	}
	defer release()
	r, err := l.recording(ctx, nil, id)
	known := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return result, err
	}
	if r.Moving != "" {
		return result, nil
	}
	if r.State == store.Deleted {
		return l.deletedCopies(r)
	}
	first := store.Unpublished
	if known {
		first = r.State
	}
	copies, err := l.trees.copies(id, first)
	if err != nil {
		return result, err
	}
	formats := l.readCopies(id, r, copies)
	var good []incomingFormat
	for _, f := range formats {
		if f.err == nil {
			good = append(good, f)
		}
		result.Formats = append(result.Formats, f.ImportedFormat)
	}
	result.Error = result.reason(nil)
	if len(good) == 0 {
		return result, nil
	}
	if !known {
		r = store.Recording{ID: id, State: copies[0].state, Protected: l.settings.Load().Protected}
		// The tree was somebody's choice if the metadata does not explain it.
		r.StateDecided = l.target(r, good) != r.State
	}
	r = merge(r, good, l.stamp(r))
	return result, l.keepAdopted(ctx, r)
}

// deletedCopies are the files in the trees of a recording that is deleted, and
// why they get no record.
func (l *Library) deletedCopies(r store.Recording) (ImportedRecording, error) {
	result := ImportedRecording{ID: r.ID}
	copies, err := l.trees.copies(r.ID, store.Published)
	if err != nil {
		return result, err
	}
	for _, c := range copies {
		f := ImportedFormat{Type: c.kind, Error: wasDeleted(r)}
		if f.Files, f.Bytes, err = count(l.trees.path(c.state, c.kind, r.ID)); err != nil {
			return result, err
		}
		result.Formats, result.Error = append(result.Formats, f), f.Error
	}
	return result, nil
}

// keepAdopted stores a record for files that are there, and brings those together
// that lie in the other tree.
func (l *Library) keepAdopted(ctx context.Context, r store.Recording) error {
	ctx = context.WithoutCancel(ctx)
	_, right, err := l.filesLie(r)
	if err != nil {
		return err
	}
	if !right {
		r.Moving = r.State
	}
	if err := l.store.Update(ctx, func(tx *store.Tx) error { return tx.PutRecording(r) }); err != nil {
		return err
	}
	return l.resume(ctx, r)
}

// readCopies reads the formats that a recording does not have yet, of two copies
// the first.
func (l *Library) readCopies(id string, r store.Recording, copies []copyOf) (formats []incomingFormat) {
	for _, c := range copies {
		_, recorded := r.Format(c.kind)
		twice := slices.ContainsFunc(formats, func(f incomingFormat) bool { return f.Type == c.kind })
		if recorded || twice {
			continue
		}
		formats = append(formats, l.readCopy(c, id))
	}
	return formats
}

// unknownAge is the age of files of which nobody knows with which tarball they
// came, however new they look: no failed tarball is given up for them.
func unknownAge() time.Time { return time.Unix(0, 0).UTC() }

func (l *Library) readCopy(c copyOf, id string) incomingFormat {
	dir := l.trees.path(c.state, c.kind, id)
	f := incomingFormat{ImportedFormat: ImportedFormat{Type: c.kind}, seen: unknownAge()}
	f.Files, f.Bytes, f.err = count(dir)
	if f.err == nil {
		f.doc, f.err = readMetadata(dir)
	}
	if f.err == nil {
		f.err = contradiction(f.doc, c.kind, id)
	}
	if f.err == nil && len(f.doc.MeetingID) > store.MaxMeetingID {
		f.err = errors.New("the meeting ID is too long")
	}
	if f.err != nil {
		f.Error = strings.TrimSpace(f.err.Error())
	}
	return f
}
