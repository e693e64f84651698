package recordings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"scalelite/store"
)

// carry does with one tarball what is to be done, and decides what becomes of
// it. e is a copy that belongs to it.
func (s *Spool) carry(ctx context.Context, e *entry) {
	if e.todo == takeIn {
		s.takeIn(ctx, e)
	}
	gone := false
	switch {
	case e.State == store.ImportImporting: // interrupted
		e.State = store.ImportWaiting
	case e.todo == discard:
		gone = s.discard(ctx, e)
	case e.todo == setAside:
		gone = s.setAside(ctx, e)
	}
	s.mu.Lock()
	s.workers--
	kept := s.entries[e.File]
	again := kept.again
	e.busy, e.again = false, false
	if e.moved != nil {
		close(e.moved)
		e.moved = nil
	}
	if gone {
		s.forget(kept)
	} else {
		*kept = *e
		s.plan(kept)
	}
	s.mu.Unlock()
	if gone && again {
		s.Look()
	}
	signal(s.free)
}

// takeIn imports a tarball. Afterwards its todo is discard or setAside, or it is
// to be tried again.
func (s *Spool) takeIn(ctx context.Context, e *entry) {
	imported, err := s.call(ctx, e)
	brought := recordingsOf(imported)
	e.Recordings = slices.Compact(slices.Sorted(slices.Values(slices.Concat(e.Recordings, brought))))
	e.Skipped, e.held = formatsOf(imported, func(f ImportedFormat) bool { return f.Skipped }), heldIn(err)
	switch {
	case err == nil:
		s.imported(e)
	case ctx.Err() != nil: // rolled back; the next start begins anew
	default:
		s.postpone(e, err)
	}
	if len(brought) > 0 && s.o.Imported != nil {
		s.o.Imported()
	}
	if len(brought) > 0 {
		s.resolve(ctx, brought...)
	}
}

// call calls the Importer. Should that panic on something that nobody thought
// of, it is this tarball that failed.
func (s *Spool) call(ctx context.Context, e *entry) (imported Imported, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.o.Log.Error("import panicked", "file", e.File, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("internal error: %v", p)
		}
	}()
	t := Tarball{Path: s.path(e.File), Seen: firstSeen(e.Import), Retried: e.Retried != nil}
	return s.o.Importer.ImportTarball(ctx, t, func(done, _ int64) { s.progress(e.File, done) })
}

func (s *Spool) progress(file string, done int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[file]; e != nil {
		e.done = done
	}
}

// recordingsOf returns the IDs of the recordings of which something is in.
func recordingsOf(imported Imported) []string {
	var ids []string
	for _, r := range imported.Recordings {
		isIn := func(f ImportedFormat) bool { return f.Error == "" && !f.Skipped }
		if len(r.Formats) == 0 && r.Error == "" || slices.ContainsFunc(r.Formats, isIn) {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

func (s *Spool) imported(e *entry) {
	i := e.Import
	i.State, i.Ended, i.Error, i.Next = store.ImportImported, s.o.Now(), "", time.Time{}
	if err := s.put(i); err != nil {
		// Without the outcome on record the tarball stays, and is imported again.
		s.o.Log.Error("spool could not note an import", "file", e.File, "cause", err)
		e.State, e.Error, e.Next = store.ImportWaiting, oneLine(err), s.o.Now().Add(spaceRetry)
		return
	}
	s.o.Step("noted the import")
	e.Import, e.todo = i, discard
	log := s.o.Log
	if len(e.Skipped) > 0 {
		log = log.With("newer_here", strings.Join(e.Skipped, " "))
	}
	log.Info("tarball imported", "file", e.File, "recordings", strings.Join(e.Recordings, " "))
}

// postpone decides after a failed try: wait for the rest of the file or for
// space, try again, or give up.
func (s *Spool) postpone(e *entry, cause error) {
	now := s.o.Now()
	if print, err := fingerprintOf(s.path(e.File)); errors.Is(err, fs.ErrNotExist) || err == nil && print != e.print {
		// It was written to or replaced meanwhile: no fault of what is there now.
		e.State, e.Error, e.Next = store.ImportSettling, oneLine(cause), time.Time{}
		if e.stored {
			s.note(e)
		}
		return
	}
	news := e.Error == ""
	var partial *PartialError
	e.State, e.Error = store.ImportWaiting, oneLine(cause)
	switch rested := now.Sub(e.seen); {
	case errors.As(cause, &partial), // what could be read is in; the rest will not change
		errors.Is(cause, ErrDeleted): // nor what was decided here
		e.Tries++
		s.giveUp(e)
		return
	case passes(cause):
		e.Next = now.Add(spaceRetry)
	case errors.Is(cause, ErrIncomplete) && rested < patience:
		e.State, e.Next = store.ImportSettling, now.Add(retryPause(1+int(rested/time.Minute)))
	case e.Tries+1 >= s.o.Config.Tries:
		e.Tries++
		s.giveUp(e)
		return
	default:
		e.Tries++
		e.Next, news = now.Add(retryPause(e.Tries)), true
	}
	if !news {
		return // it goes on waiting for the same
	}
	s.o.Log.Warn("tarball not imported; it is tried again", "file", e.File, "cause", e.Error, "tries", e.Tries, "next", e.Next)
	if passes(cause) {
		return
	}
	s.note(e)
}

// passes reports whether an import is held back by something that is no fault of
// its tarball: it waits, however long.
func passes(cause error) bool {
	return errors.Is(cause, ErrNoSpace) || errors.Is(cause, ErrNotInPlace)
}

// note stores how far a tarball is.
func (s *Spool) note(e *entry) {
	if err := s.put(e.Import); err != nil {
		s.o.Log.Error("spool could not note a try", "file", e.File, "cause", err)
		return
	}
	s.o.Step("noted a try")
	e.stored = true
}

// giveUp notes that a tarball is not tried again. That is on record before it is
// moved: should the process end between, it is tried anew, but never forgotten.
func (s *Spool) giveUp(e *entry) {
	e.State, e.Ended, e.Next, e.todo = store.ImportFailed, s.o.Now(), time.Time{}, setAside
	e.moved = make(chan struct{})
	s.show(e)
	s.o.Log.Error("tarball given up; see 'scalelite recordings spool'", "file", e.File, "cause", e.Error, "tries", e.Tries, "failed_dir", s.o.Config.FailedDir)
	if err := s.put(e.Import); err != nil {
		s.o.Log.Error("spool could not note that a tarball is given up", "file", e.File, "cause", err)
	}
	s.o.Step("noted the failure")
}

// show lets others see how far a tarball is that is worked on. What the store
// tells of it must not be news to those who list the spool.
func (s *Spool) show(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.entries[e.File]
	e.done, e.again = kept.done, kept.again
	*kept = *e
}

// discard removes an imported tarball, and tells whether nothing is left to do.
func (s *Spool) discard(ctx context.Context, e *entry) bool {
	return s.settled(e, s.take(ctx, e, removeFile))
}

// setAside moves a tarball to failed_dir, with the reason beside it, and tells
// whether nothing is left to do.
func (s *Spool) setAside(ctx context.Context, e *entry) bool {
	return s.settled(e, s.take(ctx, e, func(path string) error { return s.quarantine(ctx, path, noteOf(e)) }))
}

// settled tells whether a tarball has left the spool. If it could not be moved,
// that is tried again, less and less often.
func (s *Spool) settled(e *entry, err error) bool {
	switch {
	case errors.Is(err, errReplaced):
		s.Look()
		return true
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return true
	}
	e.fails++
	e.Next = s.o.Now().Add(retryPause(e.fails))
	if e.todo == discard {
		e.Error = "it is imported, but cannot be removed: " + oneLine(err)
	}
	if e.fails == 1 {
		s.o.Log.Error("tarball could not be taken out of the spool; it is tried again", "file", e.File, "state", e.State, "cause", err)
	}
	return false
}

// put stores an import. If a newer one of the same file was announced meanwhile,
// that one remains the latest, and this one has ended.
func (s *Spool) put(i store.Import) error {
	err := s.o.Store.Update(context.Background(), func(tx *store.Tx) error {
		latest, err := tx.ImportOf(i.File)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err != nil || latest.ID <= i.ID {
			return tx.PutImport(i)
		}
		if i.Ended.IsZero() {
			i = replaced(i, s.o.Now())
		}
		return errors.Join(tx.PutImport(i), tx.PutImport(latest))
	})
	if err != nil {
		return fmt.Errorf("store import %s: %w", i.ID, err)
	}
	return nil
}

// replaced is an import whose tarball gave its name to a newer one.
func replaced(i store.Import, now time.Time) store.Import {
	i.State, i.Ended, i.Next, i.Error = store.ImportReplaced, now, time.Time{}, ""
	return i
}
