package recordings

import (
	"context"
	"errors"

	"scalelite/store"
)

// SetPublished publishes recordings or hides them, by a decision that later
// imports do not undo. IDs that are unknown, deleted or outside the scope are
// passed over; ErrNotFound says that no other was given. It returns those that
// are now as asked, also if they were before.
//
// A recording that is hidden can no longer be opened from the first moment on,
// one that is published can when all its files are in place. With ErrNoFiles,
// and any other error, nothing of that recording changed.
func (l *Library) SetPublished(ctx context.Context, scope Scope, ids []string, publish bool) (changed []string, err error) {
	to := store.Unpublished
	if publish {
		to = store.Published
	}
	return l.each(ctx, ids, func(id string) error {
		r, err := l.recording(ctx, scope, id)
		if err != nil {
			return err
		}
		if err := l.resume(ctx, r); err != nil {
			return err
		}
		if r, err = l.recording(ctx, scope, id); err != nil {
			return err
		}
		if r.State == store.Deleted {
			return ErrNotFound
		}
		return l.setState(ctx, r, to, true)
	})
}

// setState moves a recording, which rests in some state, to another. The caller
// holds its lock. Once it has begun, it does not stop because ctx ends.
func (l *Library) setState(ctx context.Context, former store.Recording, to store.RecordingState, decided bool) error {
	formats, right, err := l.filesLie(former)
	if err != nil {
		return err
	}
	if formats == 0 {
		return ErrNoFiles
	}
	decided = decided || former.StateDecided
	if former.State == to && right {
		if former.StateDecided == decided {
			return nil
		}
		_, err := l.change(ctx, former.ID, func(r *store.Recording) { r.StateDecided = decided })
		return err
	}
	ctx = context.WithoutCancel(ctx)
	r, err := l.change(ctx, former.ID, func(r *store.Recording) {
		r.Moving, r.StateDecided = to, decided
		if to == store.Unpublished {
			r.State = to // from now on nobody can open it
		}
	})
	if err != nil {
		return err
	}
	l.step("announced")
	err = l.finishMove(ctx, r)
	if err != nil {
		return errors.Join(err, l.moveBack(ctx, former))
	}
	l.step("committed")
	return nil
}

// moveBack restores a recording whose move failed. What it cannot restore it
// leaves marked, so that the move is finished later.
func (l *Library) moveBack(ctx context.Context, former store.Recording) error {
	if err := l.move(former, former.State); err != nil {
		return err
	}
	_, err := l.change(ctx, former.ID, func(r *store.Recording) {
		r.State, r.StateDecided, r.Moving = former.State, former.StateDecided, ""
	})
	return err
}
