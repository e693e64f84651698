package recordings

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"scalelite/store"
)

// Delete deletes recordings: their files leave both trees, and of their data
// remains that they were there. For recordings.trash they can be brought back
// with Undelete. IDs that are unknown or outside the scope are passed over;
// ErrNotFound says that no other was given. It returns those that are deleted
// now, also if they were before.
//
// From the first moment on a recording is deleted for good, even if its files
// cannot be moved: that is ErrFilesLeft, and is done later.
func (l *Library) Delete(ctx context.Context, scope Scope, ids []string) ([]string, error) {
	return l.each(ctx, ids, func(id string) error {
		r, err := l.recording(ctx, scope, id)
		if err != nil {
			return err
		}
		return l.delete(ctx, r)
	})
}

// delete deletes a recording, or finishes to delete it. The caller holds its
// lock.
func (l *Library) delete(ctx context.Context, r store.Recording) error {
	if r.State != store.Deleted || r.Moving != store.Deleted {
		// What cannot be finished is no reason to keep it.
		if err := l.resume(ctx, r); err != nil {
			l.log.Warn("recording is deleted while its files are on their way", "recording", r.ID, "cause", err)
		}
	}
	keep, dir, now := l.settings.Load().trash > 0, r.ID+"-"+randomName(), l.now()
	ctx = context.WithoutCancel(ctx)
	err := l.store.Update(ctx, func(tx *store.Tx) (err error) {
		if r, err = tx.Recording(r.ID); err != nil {
			return err
		}
		switch {
		case r.State == store.Deleted && r.Moving == "":
			return nil
		case r.State == store.Deleted:
			r.Moving = store.Deleted
			return tx.PutRecording(r)
		case keep:
			former := r
			former.Moving = ""
			if err := tx.PutTrashed(store.Trashed{Recording: former, Dir: dir, Since: now}); err != nil {
				return err
			}
		}
		r = tombstone(r, now)
		return tx.PutRecording(r)
	})
	if err != nil || r.Moving == "" {
		return err
	}
	l.step("deleted the record")
	if err := l.finishDelete(ctx, r); err != nil {
		return fmt.Errorf("%w: %w", ErrFilesLeft, err)
	}
	return nil
}

// tombstone is what remains of a deleted recording: what the listings find it
// by. Its files are still to be removed.
func tombstone(r store.Recording, now time.Time) store.Recording {
	return store.Recording{
		ID: r.ID, Tenant: r.Tenant, MeetingID: r.MeetingID, InternalMeetingID: r.InternalMeetingID,
		Start: r.Start, End: r.End, ImportedAt: r.ImportedAt,
		State: store.Deleted, DeletedAt: now, Moving: store.Deleted,
	}
}

// trashed returns what can be brought back of a recording; false if nothing.
func (l *Library) trashed(ctx context.Context, id string) (t store.Trashed, ok bool, err error) {
	err = l.store.View(ctx, func(tx *store.Tx) error {
		t, err = tx.Trashed(id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return t, false, nil
	}
	return t, err == nil, err
}

// finishDelete removes the files of a deleted recording wherever they are, into
// the trash if it is to be kept.
func (l *Library) finishDelete(ctx context.Context, r store.Recording) error {
	if r.State != store.Deleted {
		return fmt.Errorf("the files of a recording that is %s are not removed", r.State)
	}
	t, keep, err := l.trashed(ctx, r.ID)
	if err != nil {
		return err
	}
	if t.Emptying {
		return l.finishEmptying(ctx, r.ID)
	}
	copies, err := l.trees.copies(r.ID, t.Recording.State)
	if err != nil {
		return err
	}
	var dirs []string
	for _, c := range copies {
		from, to := l.trees.path(c.state, c.kind, r.ID), filepath.Join(l.trees.trash(t.Dir), c.kind)
		there, err := exists(to)
		switch {
		case err != nil:
		case keep && !there:
			err = into(from, to)
		default:
			err = l.discard(from)
		}
		if err != nil {
			return err
		}
		dirs = append(dirs, filepath.Dir(from))
		if keep {
			dirs = append(dirs, l.trees.trash(t.Dir))
		}
		l.step("removed a format")
	}
	if err := syncDirs(dirs...); err != nil {
		return err
	}
	if !keep {
		if err := l.discardTrash(r.ID); err != nil {
			return err
		}
	}
	l.step("removed the files")
	_, err = l.change(ctx, r.ID, func(r *store.Recording) { r.Moving = "" })
	return err
}

// leaveTrash notes that a deleted recording leaves the trash: from then on it
// cannot be brought back, and finishDelete removes its files there, but none
// that somebody put back into the trees since it was deleted.
func leaveTrash(tx *store.Tx, t store.Trashed, r store.Recording) error {
	t.Emptying, r.Moving = true, store.Deleted // for a start to finish it
	return errors.Join(tx.PutTrashed(t), tx.PutRecording(r))
}

func (l *Library) finishEmptying(ctx context.Context, id string) error {
	if err := l.discardTrash(id); err != nil {
		return err
	}
	l.step("emptied the trash")
	return l.store.Update(ctx, func(tx *store.Tx) error {
		r, err := tx.Recording(id)
		if err != nil {
			return err
		}
		r.Moving = ""
		return errors.Join(tx.DeleteTrashed(id), tx.PutRecording(r))
	})
}

// discardTrash removes what the trash holds of a recording, by the names that
// delete gives.
func (l *Library) discardTrash(id string) error {
	entries, err := os.ReadDir(l.trees.trash(""))
	for _, e := range entries {
		if of, _, _ := cutLast(e.Name(), "-"); of == id {
			err = errors.Join(err, l.discard(l.trees.trash(e.Name())))
		}
	}
	return err
}

// Purge removes recordings without a trace, deleted ones too: files, trash and
// record. One that is imported afterwards is new. Of one that is deleted already
// the trash and the record go: files in the trees were put there since, and are
// for Rescan to find. IDs that are unknown are passed over; ErrNotFound says that
// no other was given.
func (l *Library) Purge(ctx context.Context, ids []string) ([]string, error) {
	return l.each(ctx, ids, func(id string) error {
		r, err := l.recording(ctx, nil, id)
		if err != nil {
			return err
		}
		ctx := context.WithoutCancel(ctx)
		if r.State == store.Deleted && r.Moving == "" {
			return l.forget(ctx, r)
		}
		r = tombstone(r, l.now())
		err = l.store.Update(ctx, func(tx *store.Tx) error {
			if err := tx.DeleteTrashed(id); err != nil {
				return err
			}
			return tx.PutRecording(r)
		})
		if err != nil {
			return err
		}
		l.step("forgot the trash")
		if err := l.finishDelete(ctx, r); err != nil {
			return err
		}
		return l.store.Update(ctx, func(tx *store.Tx) error { return tx.PurgeRecording(id) })
	})
}

// forget removes the last trace of a recording whose files are deleted.
func (l *Library) forget(ctx context.Context, r store.Recording) error {
	t, ok, err := l.trashed(ctx, r.ID)
	if err != nil {
		return err
	}
	if ok {
		err = l.store.Update(ctx, func(tx *store.Tx) error { return leaveTrash(tx, t, r) })
		if err != nil {
			return err
		}
		l.step("forgot the trash")
		err = l.finishDelete(ctx, r)
	} else {
		err = l.discardTrash(r.ID)
	}
	if err != nil {
		return err
	}
	return l.store.Update(ctx, func(tx *store.Tx) error { return tx.PurgeRecording(r.ID) })
}

// cutLast cuts s around the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
