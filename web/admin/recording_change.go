package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"scalelite/recordings"
	"scalelite/store"
)

// errRecordingsOff is what calls about recordings return where there are none.
func errRecordingsOff() error {
	return &Error{Conflict, "recordings are switched off: set recordings.enabled to true in the configuration (or remove RECORDING_DISABLED) and restart"}
}

// parts returns what recordings need, or why there are none.
func (l *Local) parts(ctx context.Context) (Recordings, error) {
	r, err := l.open(ctx)
	if err == nil && (r.Library == nil || r.Spool == nil || r.Outbox == nil) {
		err = errRecordingsOff()
	}
	return r, err
}

// open returns what recordings need, empty where they are switched off.
func (l *Local) open(ctx context.Context) (Recordings, error) {
	l.opening.Lock()
	defer l.opening.Unlock()
	if l.openRecordings != nil {
		opened, err := l.openRecordings(ctx)
		if err != nil {
			return Recordings{}, explain(ctx, err)
		}
		l.recordings, l.openRecordings = opened, nil
	}
	return l.recordings, nil
}

// change carries do out for each of the recordings that ids mean. What fails
// for one of them is in its result; if ctx ends, the rest is left.
func (l *Local) change(ctx context.Context, ids []string, done func(store.Recording) bool, do func(lib *recordings.Library, id string) error) ([]RecordingResult, error) {
	results := []RecordingResult{}
	parts, err := l.parts(ctx)
	if err != nil {
		return results, err
	}
	found, err := l.find(ctx, ids)
	if err != nil {
		return results, err
	}
	for _, r := range found {
		if ctx.Err() != nil {
			return results, ctx.Err()
		}
		result := RecordingResult{ID: r.ID}
		err := do(parts.Library, r.ID)
		if err != nil {
			result.Error = recordingTrouble(err)
		}
		result.Changed = !done(r) && (err == nil || errors.Is(err, recordings.ErrFilesLeft))
		results = append(results, result)
	}
	return results, nil
}

// recordingTrouble says why a change of one recording failed, and what mends
// it.
func recordingTrouble(err error) string {
	switch {
	case errors.Is(err, recordings.ErrNotFound):
		return "it is deleted, or was while this ran"
	case errors.Is(err, recordings.ErrNoFiles):
		return err.Error() + ": 'scalelite recordings check' tells what is there"
	}
	return err.Error()
}

// PublishRecordings publishes recordings or hides them.
func (l *Local) PublishRecordings(ctx context.Context, ids []string, publish bool) ([]RecordingResult, error) {
	to := store.Unpublished
	if publish {
		to = store.Published
	}
	return l.change(ctx, ids, func(r store.Recording) bool { return r.State == to && r.Moving == "" }, func(lib *recordings.Library, id string) error {
		_, err := lib.SetPublished(ctx, nil, []string{id}, publish)
		if errors.Is(err, recordings.ErrNotFound) {
			return fmt.Errorf("it is deleted: 'scalelite recordings undelete %s' brings it back while it is in the trash", id)
		}
		return err
	})
}

// DeleteRecordings deletes recordings; with purge without a trace.
func (l *Local) DeleteRecordings(ctx context.Context, ids []string, purge bool) ([]RecordingResult, error) {
	gone := func(r store.Recording) bool { return !purge && r.State == store.Deleted && r.Moving == "" }
	return l.change(ctx, ids, gone, func(lib *recordings.Library, id string) (err error) {
		if purge {
			_, err = lib.Purge(ctx, []string{id})
		} else {
			_, err = lib.Delete(ctx, nil, []string{id})
		}
		if errors.Is(err, recordings.ErrNotFound) {
			return nil // somebody was faster
		}
		return err
	})
}

// UndeleteRecordings brings deleted recordings back from the trash.
func (l *Local) UndeleteRecordings(ctx context.Context, ids []string) ([]RecordingResult, error) {
	there := func(r store.Recording) bool { return r.State != store.Deleted }
	return l.change(ctx, ids, there, func(lib *recordings.Library, id string) error {
		_, err := lib.Undelete(ctx, []string{id})
		switch {
		case errors.Is(err, recordings.ErrNotFound):
			return nil // it is not deleted
		case errors.Is(err, recordings.ErrNoFiles):
			return errors.New("it is no longer in the trash: import its tarball again; 'scalelite recordings delete --purge' before, since a deleted recording is not brought back by an import")
		}
		return err
	})
}

// UpdateRecordings changes metadata or protection, of all of them or of none:
// Invalid if a key or value cannot be set, Conflict if one of them is deleted.
func (l *Local) UpdateRecordings(ctx context.Context, ids []string, c recordings.Change) ([]RecordingResult, error) {
	results := []RecordingResult{}
	parts, err := l.parts(ctx)
	if err != nil {
		return results, err
	}
	found, err := l.find(ctx, ids)
	if err != nil {
		return results, err
	}
	var all []string
	for _, r := range found {
		if r.State == store.Deleted {
			return results, &Error{Conflict, fmt.Sprintf("recording %s is deleted; nothing was changed: 'scalelite recordings undelete' brings it back while it is in the trash", r.ID)}
		}
		all = append(all, r.ID)
		results = append(results, RecordingResult{ID: r.ID, Changed: changes(r, c)})
	}
	wanted := slices.ContainsFunc(results, func(r RecordingResult) bool { return r.Changed })
	did, err := parts.Library.Update(ctx, nil, all, c)
	if err == nil && wanted && !did {
		err = &Error{Conflict, "the recordings changed while this ran; nothing was changed: try again"}
	}
	if err != nil {
		return []RecordingResult{}, explain(ctx, err)
	}
	return results, nil
}

// changes tells whether c is a change for r.
func changes(r store.Recording, c recordings.Change) bool {
	if c.Protect != nil && *c.Protect != r.Protected {
		return true
	}
	metadata := r.Metadata()
	return slices.ContainsFunc(slices.Collect(maps.Keys(c.Meta)), func(key string) bool {
		old, there := metadata[strings.ToLower(key)]
		return old != c.Meta[key] || there && c.Meta[key] == ""
	})
}

// ProtectAllRecordings sets the protection of every recording, one by one.
// Beside an error it returns how many it changed until then.
func (l *Local) ProtectAllRecordings(ctx context.Context, protect bool) (n int, err error) {
	parts, err := l.parts(ctx)
	if err != nil {
		return 0, err
	}
	r, err := RecordingQuery{}.parse()
	if err != nil {
		return 0, err
	}
	var failed error
	err = l.walk(ctx, r, nil, 0, func(rec store.Recording) bool {
		if rec.Protected == protect {
			return true
		}
		var did bool
		did, failed = parts.Library.Update(ctx, nil, []string{rec.ID}, recordings.Change{Protect: &protect})
		if did && failed == nil {
			n++
		}
		return failed == nil
	})
	return n, explain(ctx, errors.Join(err, failed))
}

// PruneRecordings does what retention and trash ask for, or only tells. Beside
// an error it returns what it did until then.
func (l *Local) PruneRecordings(ctx context.Context, dryRun bool) ([]recordings.Pruned, error) {
	parts, err := l.parts(ctx)
	if err != nil {
		return []recordings.Pruned{}, err
	}
	pruned, err := parts.Library.Prune(ctx, dryRun)
	return list(pruned), explain(ctx, err)
}

// CheckRecordings compares records and files, and mends what how allows.
func (l *Local) CheckRecordings(ctx context.Context, how recordings.Repair) ([]recordings.Problem, error) {
	parts, err := l.parts(ctx)
	if err != nil {
		return []recordings.Problem{}, err
	}
	problems, err := parts.Library.Check(ctx, how)
	return list(problems), explain(ctx, err)
}

// RescanRecordings makes records for files that have none. Beside an error it
// returns what it did until then.
func (l *Local) RescanRecordings(ctx context.Context, accept bool) (recordings.Rescanned, error) {
	parts, err := l.parts(ctx)
	if err != nil {
		return recordings.Rescanned{Accepted: []recordings.AcceptedDirectory{}, Added: []recordings.ImportedRecording{}}, err
	}
	done, err := parts.Library.Rescan(ctx, accept)
	if len(done.Accepted) > 0 { // the spool may have been on the disk that was before
		err = errors.Join(err, parts.Spool.MakeDirs(ctx))
		parts.Spool.Look()
	}
	return recordings.Rescanned{Accepted: list(done.Accepted), Added: list(done.Added)}, explain(ctx, err)
}
