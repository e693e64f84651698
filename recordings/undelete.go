package recordings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"scalelite/store"
)

// Undelete brings deleted recordings back as they were, while they are in the
// trash. IDs of recordings that are unknown or not deleted are passed over;
// ErrNotFound says that no other was given. ErrNoFiles says that one is no
// longer in the trash.
func (l *Library) Undelete(ctx context.Context, ids []string) ([]string, error) {
	return l.each(ctx, ids, func(id string) error {
		r, err := l.recording(ctx, nil, id)
		if err != nil {
			return err
		}
		if r.State != store.Deleted {
			return ErrNotFound
		}
		if r.Moving != "" {
			if err := l.resume(ctx, r); err != nil {
				return err
			}
		}
		return l.undelete(ctx, id)
	})
}

func (l *Library) undelete(ctx context.Context, id string) error {
	r, err := l.recording(ctx, nil, id)
	if err != nil || r.State != store.Deleted {
		return err // an undelete that was resumed
	}
	t, ok, err := l.trashed(ctx, id)
	if err != nil {
		return err
	}
	kinds, err := l.trashKinds(t)
	if err != nil {
		return err
	}
	if !ok || len(kinds) == 0 {
		return fmt.Errorf("%w: it is no longer in the trash", ErrNoFiles)
	}
	ctx = context.WithoutCancel(ctx)
	r, err = l.change(ctx, id, func(r *store.Recording) { r.Moving = t.Recording.State })
	if err != nil {
		return err
	}
	l.step("announced")
	err = l.finishUndelete(ctx, r)
	if err != nil {
		err = errors.Join(err, l.backToTrash(ctx, id))
	}
	return err
}

// backToTrash undoes an undelete that failed, now or later.
func (l *Library) backToTrash(ctx context.Context, id string) error {
	r, err := l.change(ctx, id, func(r *store.Recording) {
		if r.State == store.Deleted { // else it came back, whatever the error was
			r.Moving = store.Deleted
		}
	})
	if err != nil {
		return err
	}
	return l.resume(ctx, r)
}

// trashKinds are the formats of a deleted recording that are in the trash.
func (l *Library) trashKinds(t store.Trashed) ([]string, error) {
	entries, err := os.ReadDir(l.trees.trash(t.Dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var kinds []string
	for _, e := range entries {
		kinds = append(kinds, e.Name())
	}
	return kinds, err
}

// finishUndelete moves the files from the trash to their tree, then brings back
// the record.
func (l *Library) finishUndelete(ctx context.Context, r store.Recording) error {
	t, ok, err := l.trashed(ctx, r.ID)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%w: it is no longer in the trash", ErrNoFiles)
	}
	kinds, err := l.trashKinds(t)
	if err != nil {
		return err
	}
	dirs := make([]string, 0, len(kinds))
	for _, kind := range kinds {
		from, to := filepath.Join(l.trees.trash(t.Dir), kind), l.trees.path(r.Moving, kind, r.ID)
		if err := l.supplant(from, to); err != nil {
			return err
		}
		dirs = append(dirs, filepath.Dir(to))
		l.step("brought back a format")
	}
	if err := syncDirs(slices.Concat(dirs, []string{l.trees.trash(t.Dir)})...); err != nil {
		return err
	}
	back := t.Recording
	back.State, back.Moving = r.Moving, ""
	err = l.store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.DeleteTrashed(r.ID); err != nil {
			return err
		}
		return tx.PutRecording(back)
	})
	if err != nil {
		return err
	}
	l.step("brought back the record")
	if err := l.discard(l.trees.trash(t.Dir)); err != nil { // it is empty
		l.log.Warn("a directory of the trash could not be removed", "path", l.trees.trash(t.Dir), "cause", err)
	}
	return nil
}
