package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"scalelite/recordings"
	"scalelite/store"
)

// RecordingsStatus sums up the recordings. What of it cannot be read has its
// error, so that the rest can be told.
func (l *Local) RecordingsStatus(ctx context.Context) (RecordingsStatus, error) {
	parts, err := l.open(ctx)
	if err != nil || parts.Library == nil {
		return RecordingsStatus{}, err
	}
	s := RecordingsStatus{Enabled: true}
	err = l.store.View(ctx, func(tx *store.Tx) error { return s.count(tx) })
	if err != nil {
		return RecordingsStatus{}, explain(ctx, fmt.Errorf("count the recordings: %w", err))
	}
	if s.Disk, err = diskStatus(ctx, parts.Library); err != nil {
		s.Disk = DiskStatus{Error: oneLine(err)}
	}
	files, err := l.SpoolFiles(ctx)
	s.Spool = countSpool(files)
	away := parts.Library.InPlace(ctx)
	if errors.Is(away, recordings.ErrNotInPlace) {
		// The numbers would be those of another disk, and what else is wrong follows.
		s.Disk, s.Spool.Error = DiskStatus{Error: recordings.ErrNotInPlace.Error()}, oneLine(away)
	} else {
		s.Spool.Error = oneLine(err, parts.Spool.Writable())
	}
	return s, explain(ctx, ctx.Err())
}

// oneLine is the text of errors for one cell of a table, empty if there are none.
func oneLine(errs ...error) string {
	err := errors.Join(errs...)
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

func diskStatus(ctx context.Context, library *recordings.Library) (DiskStatus, error) {
	// What was added up is kept: it is worth finishing even if nobody waits.
	usage, err := library.Usage(context.WithoutCancel(ctx))
	if err != nil {
		return DiskStatus{}, fmt.Errorf("add up the disk use: %w", err)
	}
	space, err := library.Free()
	if err != nil {
		return DiskStatus{}, err
	}
	return DiskStatus{
		Published: usage.Published, Unpublished: usage.Unpublished, Trash: usage.Trash, Free: space.Free, Total: space.Total,
	}, nil
}

// count counts what the database has.
func (s *RecordingsStatus) count(tx *store.Tx) error {
	for state, n := range map[store.RecordingState]*int64{
		store.Published: &s.Published, store.Unpublished: &s.Unpublished, store.Deleted: &s.Deleted,
	} {
		counted, err := tx.CountRecordings(store.RecordingFilter{States: []store.RecordingState{state}})
		if err != nil {
			return err
		}
		*n = counted
	}
	s.InTrash, s.Callbacks = 0, CallbackStatus{}
	for _, err := range tx.TrashedRecordings() {
		if err != nil {
			return err
		}
		s.InTrash++
	}
	for c, err := range tx.Callbacks() {
		switch {
		case err != nil:
			return err
		case c.Failed():
			s.Callbacks.Failed++
		default:
			s.Callbacks.Pending++
		}
	}
	return nil
}

// countSpool counts files by state.
func countSpool(files []recordings.SpoolFile) (s SpoolStatus) {
	for _, f := range files {
		switch f.State {
		case store.ImportWaiting:
			s.Waiting++
			// The spool keeps the reason as text only.
			switch {
			case strings.Contains(f.Reason, recordings.ErrNoSpace.Error()):
				s.Held++
			case strings.Contains(f.Reason, recordings.ErrNotInPlace.Error()):
				s.Unplaced++
			}
		case store.ImportSettling:
			s.Settling++
		case store.ImportImporting:
			s.Importing++
		case store.ImportFailed:
			s.Failed++
		case store.ImportIgnored:
			s.Ignored += 1 + f.More
		}
	}
	return s
}
