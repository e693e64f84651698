package recordings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"scalelite/store"
)

// orphanReason is the reason of a Pruned that the trash holds for no record.
const orphanReason = "trash, no record"

// sweepTrash removes what old orphans of the trash there are, and returns what
// it removed. Empty directories among them go without a word. The error names
// those that could not be removed, and what can be done; the others are.
func (l *Library) sweepTrash(ctx context.Context) ([]Pruned, error) {
	names, err := l.trashOrphans(ctx)
	var swept []Pruned
	for _, name := range names {
		if ctx.Err() != nil {
			return swept, errors.Join(err, context.Cause(ctx))
		}
		if unix.Rmdir(l.trees.trash(name)) == nil {
			continue
		}
		p, old, oneErr := l.sweepOrphan(ctx, name)
		if err = errors.Join(err, oneErr); old && oneErr == nil {
			swept = append(swept, p)
		}
	}
	return swept, err
}

// trySweepTrash is sweepTrash amid other work, which must not end because
// something stays in the trash: that is logged, and the error is that of ctx.
func (l *Library) trySweepTrash(ctx context.Context) error {
	_, err := l.sweepTrash(ctx)
	if err != nil && ctx.Err() == nil {
		l.log.Error("the trash could not be swept of all that no record knows; that is tried again", "cause", oneLine(err))
		return nil
	}
	return err
}

func (l *Library) sweepOrphan(ctx context.Context, name string) (Pruned, bool, error) {
	release, err := l.locks.lock(ctx, orphanID(name))
	if err != nil {
		return Pruned{}, false, err
	}
	defer release()
	p, old, err := l.oldOrphan(ctx, name)
	if err != nil || !old {
		return p, false, err
	}
	if err := l.discard(l.trees.trash(name)); err != nil {
		return p, false, l.stays(name, err)
	}
	l.log.Info("files that no record knows removed from the trash", "recording", p.ID, "path", l.trees.trash(name), "bytes", p.Bytes)
	return p, true, nil
}

// stays is the error of an orphan that cannot be removed, with what can be done.
func (l *Library) stays(name string, err error) error {
	remedy := "see to its file system, or remove it"
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
		remedy = writeRemedy(err, "remove it, or let it and all in it belong to")
	}
	return fmt.Errorf("what no record knows stays at %s: %w; %s", l.trees.trash(name), err, remedy)
}

// oldOrphans lists what sweepTrash would remove, of those that it can look at.
func (l *Library) oldOrphans(ctx context.Context) ([]Pruned, error) {
	names, err := l.trashOrphans(ctx)
	var all []Pruned
	for _, name := range names {
		p, old, oneErr := l.oldOrphan(ctx, name)
		if err = errors.Join(err, oneErr); old && oneErr == nil && !l.isEmpty(name) {
			all = append(all, p)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return all, err
}

func (l *Library) isEmpty(name string) bool {
	entries, err := os.ReadDir(l.trees.trash(name))
	return err == nil && len(entries) == 0
}

// oldOrphan reports whether an orphan of the trash is to go: it is as old as
// what leaves the trash, and nothing misses it. Orphans may belong to a database
// that is brought back, or be what a database that was brought back takes for
// published.
func (l *Library) oldOrphan(ctx context.Context, name string) (p Pruned, old bool, err error) {
	p = Pruned{ID: orphanID(name), Reason: orphanReason}
	info, err := os.Lstat(l.trees.trash(name))
	if absent(err) {
		return p, false, nil // gone meanwhile
	}
	if err != nil {
		return p, false, l.stays(name, err)
	}
	if l.now().Sub(info.ModTime()) < l.settings.Load().trash {
		return p, false, nil
	}
	r, err := l.recording(ctx, nil, p.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return p, false, err
	}
	missing, err := l.missingFormats(r)
	if err != nil || len(missing) > 0 {
		return p, false, err
	}
	if r.ID != "" {
		p.Name, p.Start = r.Name, startOf(r)
	}
	if _, p.Bytes, err = count(l.trees.trash(name)); err != nil {
		return p, false, l.stays(name, err)
	}
	return p, true, nil
}

// missingFormats are those formats of a recording that have files in neither
// tree. A deleted recording has none.
func (l *Library) missingFormats(r store.Recording) (missing []store.Format, err error) {
	for _, f := range r.Formats {
		here, err := exists(l.trees.path(r.State, f.Type, r.ID))
		if err != nil {
			return nil, err
		}
		there, err := exists(l.trees.path(opposite(r.State), f.Type, r.ID))
		if err != nil {
			return nil, err
		}
		if !here && !there {
			missing = append(missing, f)
		}
	}
	return missing, nil
}

// trashNames are the names in the trash by the recordings that they were made
// for. They are read once for many recordings, and may be gone when looked at.
type trashNames map[string][]string

func (l *Library) readTrash() (trashNames, error) {
	entries, err := os.ReadDir(l.trees.trash(""))
	if err != nil {
		return nil, err
	}
	names := trashNames{}
	for _, e := range entries {
		id := orphanID(e.Name())
		names[id] = append(names[id], e.Name())
	}
	return names, nil
}

// inTrash returns where the trash has the files of a format that its recording
// misses, "" if nowhere: as many files and bytes as were imported, and no record
// of them.
func (l *Library) inTrash(ctx context.Context, trash trashNames, id string, f store.Format) (string, error) {
	for _, name := range trash[id] {
		path := filepath.Join(l.trees.trash(name), f.Type)
		if !whole(path, f) {
			continue
		}
		t, _, err := l.trashed(ctx, id)
		if err != nil || t.Dir != name {
			return path, err
		}
	}
	return "", nil
}

// checkOrphan returns the problem of what the trash has for no record; without a
// kind if a record misses all of it, which checkRecord tells.
func (l *Library) checkOrphan(ctx context.Context, name string) (Problem, error) {
	p := Problem{RecordID: orphanID(name), Kind: problemExtra, Detail: "no record knows the deleted files at " + l.trees.trash(name)}
	r, err := l.recording(ctx, nil, p.RecordID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return p, err
	}
	missing, err := l.missingFormats(r)
	if err != nil {
		return p, err
	}
	kinds, err := l.trashKinds(store.Trashed{Dir: name})
	if err != nil && !absent(err) {
		p.Detail += fmt.Sprintf("; they cannot be read: %v", err)
		return p, nil
	}
	missed := func(kind string) bool {
		return slices.ContainsFunc(missing, func(f store.Format) bool {
			return f.Type == kind && whole(filepath.Join(l.trees.trash(name), kind), f)
		})
	}
	switch {
	case len(missing) == 0:
		p.Detail += "; they are removed when recordings.trash has passed"
	case len(kinds) > 0 && !slices.ContainsFunc(kinds, func(kind string) bool { return !missed(kind) }):
		p.Kind = ""
	default:
		p.Detail += "; they are kept because the recording misses files, though not exactly these"
	}
	return p, nil
}

// fetch brings back from the trash what a recording misses. The caller holds its
// lock.
func (l *Library) fetch(ctx context.Context, trash trashNames, r store.Recording) error {
	missing, err := l.missingFormats(r)
	if err != nil {
		return err
	}
	for _, f := range missing {
		from, err := l.inTrash(ctx, trash, r.ID, f)
		if err != nil {
			return err
		}
		if from == "" {
			continue
		}
		to := l.trees.path(r.State, f.Type, r.ID)
		if err := into(from, to); err != nil {
			return err
		}
		if err := syncDirs(filepath.Dir(to), filepath.Dir(from)); err != nil {
			return err
		}
		_ = unix.Rmdir(filepath.Dir(from)) // if it is empty now
		l.log.Info("files of a recording brought back from the trash", "recording", r.ID, "format", f.Type)
	}
	return nil
}

// orphanID is the recording that a name in the trash was made for.
func orphanID(name string) string {
	id, _, _ := cutLast(name, "-")
	return id
}

// trashOrphans are the names in the trash that no record knows.
func (l *Library) trashOrphans(ctx context.Context) ([]string, error) {
	// The directories first: one that appears later belongs to a record that
	// may not be listed.
	entries, err := os.ReadDir(filepath.Join(l.trees.work, trashDir))
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	err = l.store.View(ctx, func(tx *store.Tx) error {
		for t, err := range tx.TrashedRecordings() {
			if err != nil {
				return err
			}
			known[t.Dir] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var orphans []string
	for _, e := range entries {
		if !known[e.Name()] {
			orphans = append(orphans, e.Name())
		}
	}
	return orphans, nil
}
