package recordings

import (
	"context"
	"errors"
	"strings"
	"time"

	"scalelite/store"
)

// Prune deletes the recordings that are older than recordings.retention, and
// empties the trash of what is in it for longer than recordings.trash, also of
// what no record knows, unless its recording misses files. A recording whose
// metadata says keep=true stays. With dryRun it only tells what it would do. It
// also tries again to move files that could not be moved.
//
// An error about one recording, or about what no record knows, does not keep it
// from the others.
func (l *Library) Prune(ctx context.Context, dryRun bool) ([]Pruned, error) {
	end, err := l.beginFiles(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	orphans, err := l.pruneOrphans(ctx, dryRun)
	errs := []error{err}
	expired, err := l.expiredTrash(ctx)
	if err != nil {
		return orphans, errors.Join(append(errs, err)...)
	}
	old, err := l.tooOld(ctx)
	if err != nil {
		return orphans, errors.Join(append(errs, err)...)
	}
	candidates := append(expired, old...)
	if dryRun {
		return append(candidates, orphans...), errors.Join(errs...)
	}
	var done []Pruned
	for _, p := range candidates {
		ok, err := l.pruneOne(ctx, p)
		if err != nil {
			errs = append(errs, err)
		} else if ok {
			done = append(done, p)
		}
	}
	return append(done, orphans...), errors.Join(errs...)
}

// pruneOrphans removes what the trash holds for no record, or tells what that
// would be. It does so before anything else is deleted: which recordings miss
// files is to be the same in a dry run.
func (l *Library) pruneOrphans(ctx context.Context, dryRun bool) ([]Pruned, error) {
	if dryRun {
		return l.oldOrphans(ctx)
	}
	if err := l.resumeAll(ctx); err != nil {
		return nil, err
	}
	return l.sweepTrash(ctx)
}

// tooOld lists what retention deletes, oldest last.
func (l *Library) tooOld(ctx context.Context) ([]Pruned, error) {
	limit := l.settings.Load().retention
	if limit == 0 {
		return nil, nil
	}
	cutoff := l.now().Add(-limit)
	// Listings begin with the newest: this is the place behind the last that is
	// young enough.
	after := &store.Position{Start: cutoff.UnixMilli() - 1}
	var old []Pruned
	err := l.pagesAfter(ctx, treeStates(), after, func(page []store.Recording) error {
		for _, r := range page {
			if overdue(r, cutoff) {
				old = append(old, pruned(r, "retention"))
			}
		}
		return nil
	})
	return old, err
}

func overdue(r store.Recording, cutoff time.Time) bool {
	return startOf(r).Before(cutoff) && !strings.EqualFold(strings.TrimSpace(r.Metadata()["keep"]), "true")
}

// startOf is the start of a recording; where that is not known, when it came.
func startOf(r store.Recording) time.Time {
	if r.Start <= 0 {
		return r.ImportedAt
	}
	return time.UnixMilli(r.Start)
}

func pruned(r store.Recording, reason string) Pruned {
	return Pruned{ID: r.ID, Name: r.Name, Start: startOf(r), Bytes: bytesOf(r), Reason: reason}
}

// expiredTrash lists what leaves the trash for good.
func (l *Library) expiredTrash(ctx context.Context) ([]Pruned, error) {
	all, err := l.trashContents(ctx)
	if err != nil {
		return nil, err
	}
	var expired []Pruned
	for _, t := range all {
		if l.expired(t) {
			expired = append(expired, pruned(t.Recording, "trash"))
		}
	}
	return expired, nil
}

func (l *Library) expired(t store.Trashed) bool {
	return !l.now().Before(t.Since.Add(l.settings.Load().trash))
}

// pruneOne does what Prune found out, if that still holds under the lock.
func (l *Library) pruneOne(ctx context.Context, p Pruned) (bool, error) {
	release, err := l.locks.lock(ctx, p.ID)
	if err != nil {
		return false, err
	}
	defer release()
	if p.Reason == "trash" {
		return l.emptyTrash(ctx, p.ID)
	}
	r, err := l.recording(ctx, nil, p.ID)
	limit := l.settings.Load().retention
	switch {
	case errors.Is(err, ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case r.State == store.Deleted || limit == 0 || !overdue(r, l.now().Add(-limit)):
		return false, nil
	}
	return true, l.delete(ctx, r)
}

// emptyTrash removes one recording from the trash.
func (l *Library) emptyTrash(ctx context.Context, id string) (bool, error) {
	t, ok, err := l.trashed(ctx, id)
	if err != nil || !ok || !l.expired(t) {
		return false, err
	}
	r, err := l.recording(ctx, nil, id)
	if errors.Is(err, ErrNotFound) { // a trace that should not be
		err = l.store.Update(ctx, func(tx *store.Tx) error { return tx.DeleteTrashed(id) })
		return err == nil, errors.Join(err, l.discardTrash(id))
	}
	if err != nil || r.State != store.Deleted || r.Moving != "" {
		return false, err // not before its files are all there
	}
	ctx = context.WithoutCancel(ctx)
	err = l.store.Update(ctx, func(tx *store.Tx) error { return leaveTrash(tx, t, r) })
	if err != nil {
		return false, err
	}
	l.step("forgot the trash")
	return true, l.finishDelete(ctx, r)
}
