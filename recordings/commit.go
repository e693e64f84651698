package recordings

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"scalelite/recordings/unpack"
	"scalelite/store"
)

// refusal is why a recording of a tarball is not taken; trying again does not
// help, and the others of the tarball are taken all the same.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

func permanent(err error) bool {
	_, ok := errors.AsType[refusal](err)
	return ok
}

// commit puts the formats of a recording that could be read in place and
// commits its record; without any it does nothing. When it returns an error,
// nothing of the recording changed. Once begun it does not stop because ctx ends.
// The formats that it leaves as they are it marks as skipped.
func (l *Library) commit(ctx context.Context, s stage, t Tarball, in incoming) error {
	release, err := l.locks.lock(ctx, in.id)
	if err != nil {
		return err
	}
	defer release()
	ctx = context.WithoutCancel(ctx)
	former, err := l.former(ctx, in.id)
	if err != nil {
		return err
	}
	if err := l.skipNewer(former, t, in.formats); err != nil {
		return err
	}
	var good []incomingFormat
	for _, f := range in.formats {
		if f.err == nil && !f.Skipped {
			f.seen = t.Seen
			good = append(good, f)
		}
	}
	if len(good) == 0 {
		return nil
	}
	for _, f := range good {
		if len(f.doc.MeetingID) > store.MaxMeetingID {
			return refusal{fmt.Errorf("%w: the meeting ID has more than %d bytes", ErrInvalid, store.MaxMeetingID)}
		}
	}
	state := l.target(former, good)
	if l.newer(former, t) {
		state = former.State
	}
	if former.ID != "" && former.State != state {
		if err := l.setState(ctx, former, state, false); err != nil && !errors.Is(err, ErrNoFiles) {
			return err
		}
	}
	if err := l.carryTracks(s, former, state, good); err != nil {
		return err
	}
	j, replaces, err := l.newJournal(s, in.id, state, good, l.stamp(former))
	if err != nil {
		return err
	}
	if err := s.write(j, replaces); err != nil {
		return err
	}
	l.step("began the journal")
	err = l.put(ctx, s, t, j, good)
	// Whatever became of it: what is committed is finished, all else undone.
	if settled := l.settle(ctx, s, j); settled != nil {
		l.log.Error("an import left files behind; the next start puts them in order", "recording", in.id, "cause", settled)
		err = errors.Join(err, settled)
	}
	l.step("ended the journal")
	return err
}

// former is the recording as it is before an import: empty if it is new.
func (l *Library) former(ctx context.Context, id string) (store.Recording, error) {
	r, err := l.recording(ctx, nil, id)
	if errors.Is(err, ErrNotFound) {
		return store.Recording{}, nil
	}
	if err != nil {
		return r, err
	}
	if r.Moving != "" {
		if err := l.resume(ctx, r); err != nil {
			return r, err
		}
		if r, err = l.recording(ctx, nil, id); err != nil {
			return r, err
		}
	}
	if r.State == store.Deleted {
		return r, deletedError(r)
	}
	return r, nil
}

func deletedError(r store.Recording) error {
	return refusal{fmt.Errorf("%w on %s; to have it again, bring it back with 'scalelite recordings undelete %s', or remove its last trace with 'scalelite recordings delete --purge %s', and import this again",
		ErrDeleted, r.DeletedAt.Format(time.DateOnly), r.ID, r.ID)}
}

// refuseDeleted is the error of a tarball of which all recordings are deleted, so
// that nothing of it would be taken.
func (l *Library) refuseDeleted(ctx context.Context, plan *unpack.Plan) error {
	var ids []string
	for _, f := range plan.Formats {
		ids = append(ids, f.RecordID)
	}
	var errs []error
	for _, id := range distinct(ids) {
		r, err := l.recording(ctx, nil, id)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err != nil || !IsDeleted(r) {
			return nil
		}
		errs = append(errs, fmt.Errorf("recording %s: %w", id, deletedError(r)))
	}
	return errors.Join(errs...)
}

// IsDeleted reports whether a recording is deleted, and is not being brought
// back.
func IsDeleted(r store.Recording) bool {
	return r.State == store.Deleted && (r.Moving == "" || r.Moving == store.Deleted)
}

// newer reports whether a recording has something of a newer tarball than t, if
// that is tried again. A time that is still to come tells nothing: the clock was
// wrong.
func (l *Library) newer(r store.Recording, t Tarball) bool {
	return slices.ContainsFunc(r.Formats, func(f store.Format) bool { return l.newerFormat(f, t) })
}

func (l *Library) newerFormat(f store.Format, t Tarball) bool {
	return t.Retried && f.Age().After(t.Seen) && !f.Age().After(l.now())
}

// skipNewer marks the formats that a newer tarball has brought, whatever is wrong
// with them in this one.
func (l *Library) skipNewer(r store.Recording, t Tarball, formats []incomingFormat) error {
	for i := range formats {
		f, ok := r.Format(formats[i].Type)
		if !ok || !l.newerFormat(f, t) {
			continue
		}
		there, err := exists(l.trees.path(r.State, f.Type, r.ID))
		if err != nil {
			return err
		}
		if there {
			formats[i].Skipped, formats[i].err = true, nil
		}
	}
	return nil
}

// stamp is the time by which the formats of an import are known from all former
// ones.
func (l *Library) stamp(former store.Recording) time.Time {
	stamp := l.now().Round(0).UTC()
	for _, f := range former.Formats {
		if !stamp.After(f.ImportedAt) {
			stamp = f.ImportedAt.Add(1)
		}
	}
	return stamp
}

func (l *Library) newJournal(s stage, id string, state store.RecordingState, formats []incomingFormat, stamp time.Time) (j journal, replaces bool, err error) {
	j = journal{ID: id, State: state, Stamp: stamp}
	for _, f := range formats {
		node, err := inode(s.unpacked(f.Type, id))
		if err != nil {
			return j, false, err
		}
		there, err := exists(l.trees.path(state, f.Type, id))
		if err != nil {
			return j, false, err
		}
		replaces = replaces || there
		j.Formats = append(j.Formats, journalFormat{f.Type, node})
	}
	return j, replaces, nil
}

// put does the work of a journal: files first, then the record with the callback
// to its front-end.
func (l *Library) put(ctx context.Context, s stage, t Tarball, j journal, formats []incomingFormat) error {
	var dirs []string
	for _, f := range j.Formats {
		place := l.trees.path(j.State, f.Type, j.ID)
		if err := l.replace(s.unpacked(f.Type, j.ID), place, s.old(f.Type, j.ID)); err != nil {
			return err
		}
		dirs = append(dirs, filepath.Dir(place))
		l.step("put a format in place")
	}
	if err := syncDirs(dirs...); err != nil {
		return err
	}
	l.step("put the files in place")
	err := l.store.Update(ctx, func(tx *store.Tx) error {
		r, err := tx.Recording(j.ID)
		if errors.Is(err, store.ErrNotFound) {
			r, err = store.Recording{ID: j.ID, Protected: l.settings.Load().Protected}, nil
		}
		if err != nil {
			return err
		}
		r.State = j.State
		if l.newer(r, t) {
			r = addFormats(r, formats, j.Stamp)
		} else {
			r = merge(r, formats, j.Stamp)
		}
		if err := tx.PutRecording(r); err != nil {
			return err
		}
		return announce(tx, r)
	})
	if err != nil {
		return err
	}
	l.step("committed")
	l.tellUnserved(j)
	return nil
}

// tellUnserved warns of formats that no link leads to: nobody would look for the
// reason in the configuration.
func (l *Library) tellUnserved(j journal) {
	for _, f := range j.Formats {
		if !slices.Contains(l.settings.Load().Formats, f.Type) {
			l.log.Warn("a format was imported that is not served, and not listed", "recording", j.ID, "format", f.Type,
				"remedy", "add it to recordings.formats and restart the service")
		}
	}
}

// announce leaves word that a recording is ready for the front-end that wanted
// to know.
func announce(tx *store.Tx, r store.Recording) error {
	key := store.MeetingKey{Tenant: r.Tenant, ID: r.MeetingID}
	ready, err := tx.ReadyURL(key)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return tx.AddCallback(store.Callback{Meeting: key, RecordID: r.ID, URL: ready.URL, SignedBy: ready.SignedBy})
}
