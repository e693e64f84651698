package recordings

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"scalelite/store"
)

// The kinds of a Problem.
const (
	problemMissing   = "missing"
	problemExtra     = "extra"
	problemMisplaced = "misplaced"
	problemSize      = "size"
)

// Check compares records and files both ways, and repairs what how allows:
//
//   - misplaced files go to the tree of their recording's state;
//   - files that a record misses and the trash still has are put back;
//   - sizes are taken from the files if these have become more;
//   - with RepairLosses they are if files or bytes were lost, too, and a format
//     whose files are missing leaves the record, unless all formats are missing:
//     then the record stays, as its tarball or the file system may be what is
//     missing;
//   - files without a record get one from their metadata.xml; those of a deleted
//     recording, which somebody put back, stay as they are, and are removed with
//     RepairLosses;
//   - what the trash holds for no record is removed once it is as old as what
//     leaves the trash, unless its recording misses files, and forgotten what it
//     no longer holds.
//
// A Problem is Fixed if it is gone after that.
func (l *Library) Check(ctx context.Context, how Repair) ([]Problem, error) {
	end, err := l.beginFiles(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	problems, err := l.checkAll(ctx)
	if err != nil || how == RepairNothing || len(problems) == 0 {
		return problems, err
	}
	if err := l.resumeAll(ctx); err != nil {
		return problems, err
	}
	trash, err := l.readTrash()
	if err != nil {
		return problems, err
	}
	for _, id := range idsOf(problems) {
		if err := l.repair(ctx, trash, id, how); err != nil {
			if ctx.Err() != nil {
				return problems, err
			}
			l.log.Error("recording could not be repaired", "recording", id, "cause", err)
		}
	}
	if err := l.trySweepTrash(ctx); err != nil {
		return problems, err
	}
	left, err := l.checkAll(ctx)
	for i, p := range problems {
		same := func(q Problem) bool { return q.RecordID == p.RecordID && q.Format == p.Format && q.Kind == p.Kind }
		problems[i].Fixed = err == nil && !slices.ContainsFunc(left, same)
	}
	return problems, err
}

func idsOf(problems []Problem) []string {
	var ids []string
	for _, p := range problems {
		ids = append(ids, p.RecordID)
	}
	return distinct(ids)
}

func (l *Library) checkAll(ctx context.Context) (problems []Problem, err error) {
	trash, err := l.readTrash()
	if err != nil {
		return nil, err
	}
	err = l.pages(ctx, store.RecordingStates(), func(page []store.Recording) error {
		for _, r := range page {
			found, err := l.checkRecord(ctx, trash, r.ID)
			if err != nil {
				return err
			}
			problems = append(problems, found...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	reported := map[string]bool{}
	err = l.unrecorded(ctx, func(id string) error {
		if reported[id] {
			return nil
		}
		reported[id] = true
		found, err := l.checkStrays(ctx, id)
		problems = append(problems, found...)
		return err
	})
	if err != nil {
		return nil, err
	}
	found, err := l.checkTrash(ctx)
	return append(problems, found...), err
}

// checkRecord looks for the files of a record.
func (l *Library) checkRecord(ctx context.Context, trash trashNames, id string) (problems []Problem, err error) {
	release, err := l.locks.lock(ctx, id)
	if err != nil {
		return nil, err
	}
	defer release()
	r, err := l.recording(ctx, nil, id)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if r.Moving != "" {
		problems = append(problems, Problem{RecordID: id, Kind: problemMisplaced, Detail: "its files are still on their way to another place"})
		return problems, nil
	}
	for _, f := range r.Formats {
		p, err := l.checkFormat(ctx, trash, r, f)
		if err != nil {
			return nil, err
		}
		if p.Kind != "" {
			problems = append(problems, p)
		}
	}
	left := func(p Problem) bool { return p.Kind != problemMissing || !p.Loss }
	remedy := lossRemedy
	if len(problems) == len(r.Formats) && !slices.ContainsFunc(problems, left) {
		remedy = allLostRemedy
	}
	for i, p := range problems {
		if p.Loss {
			problems[i].Detail += remedy
		}
	}
	return problems, nil
}

// What can be done about lost files; allLostRemedy where a recording has none
// left.
const (
	lossRemedy    = "; import its tarball again or restore the files, or take it as it is with --fix --accept-loss"
	allLostRemedy = "; import its tarball again, or delete the recording"
)

// checkFormat returns the problem of a format; without a kind if there is none.
func (l *Library) checkFormat(ctx context.Context, trash trashNames, r store.Recording, f store.Format) (Problem, error) {
	p := Problem{RecordID: r.ID, Format: f.Type}
	right, wrong := l.trees.path(r.State, f.Type, r.ID), l.trees.path(opposite(r.State), f.Type, r.ID)
	here, err := exists(right)
	if err != nil {
		return p, err
	}
	there, err := exists(wrong)
	if err != nil {
		return p, err
	}
	switch {
	case !here && !there:
		trashed, err := l.inTrash(ctx, trash, r.ID, f)
		if err != nil {
			return p, err
		}
		p.Kind, p.Loss, p.Detail = problemMissing, trashed == "", "there are no files at "+right
		if !p.Loss {
			p.Detail += "; the trash has them at " + trashed + ", from where --fix puts them back"
		}
	case there && here:
		p.Kind, p.Detail = problemMisplaced, "there are files in both trees"
	case there:
		p.Kind, p.Detail = problemMisplaced, fmt.Sprintf("the files of a recording that is %s are at %s", r.State, wrong)
	default:
		files, bytes, err := count(right)
		if err != nil {
			return p, err
		}
		if files != f.Files || bytes != f.Bytes {
			p.Kind, p.Loss = problemSize, lost(f, files, bytes)
			p.Detail = fmt.Sprintf("%d files of %d bytes were imported, %d of %d are there", f.Files, f.Bytes, files, bytes)
		}
	}
	return p, nil
}

// lost reports whether fewer files or bytes are there than were imported.
func lost(f store.Format, files int, bytes int64) bool { return files < f.Files || bytes < f.Bytes }

// checkStrays looks for files of a recording that its record does not know.
func (l *Library) checkStrays(ctx context.Context, id string) ([]Problem, error) {
	release, err := l.locks.lock(ctx, id)
	if err != nil {
		return nil, err
	}
	defer release()
	r, err := l.recording(ctx, nil, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	if r.Moving != "" {
		return nil, nil // told by checkRecord
	}
	copies, err := l.trees.copies(id, store.Published)
	var problems []Problem
	for _, c := range copies {
		if _, ok := r.Format(c.kind); ok {
			continue
		}
		place := l.trees.path(c.state, c.kind, id)
		detail := "no record knows the files at " + place
		if r.State == store.Deleted {
			detail = fmt.Sprintf("there are files at %s, but %s; or remove the files with --fix --accept-loss", place, wasDeleted(r))
		}
		problems = append(problems, Problem{RecordID: id, Format: c.kind, Kind: problemExtra, Detail: detail})
	}
	return problems, err
}

// wasDeleted tells of a deleted recording, and how files of it that are in the
// trees get a record again.
func wasDeleted(r store.Recording) string {
	return fmt.Sprintf("the recording was deleted on %s; to have it again, forget that with 'scalelite recordings delete --purge %s', then 'scalelite recordings rescan'",
		r.DeletedAt.Format(time.DateOnly), r.ID)
}

// checkTrash compares the trash with its records.
func (l *Library) checkTrash(ctx context.Context) (problems []Problem, err error) {
	all, err := l.trashContents(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range all {
		kinds, err := l.trashKinds(t)
		if err != nil {
			return nil, err
		}
		r, err := l.recording(ctx, nil, t.Recording.ID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		underWay := r.Moving != "" // told by checkRecord
		if len(kinds) == 0 && len(t.Recording.Formats) > 0 && !underWay {
			problems = append(problems, Problem{RecordID: t.Recording.ID, Kind: problemMissing, Detail: "the trash no longer holds its files; it cannot be brought back"})
		}
	}
	orphans, err := l.trashOrphans(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range orphans {
		p, err := l.checkOrphan(ctx, name)
		if err != nil {
			return nil, err
		}
		if p.Kind != "" {
			problems = append(problems, p)
		}
	}
	return problems, nil
}

// repair mends what is wrong with one recording; see Check.
func (l *Library) repair(ctx context.Context, trash trashNames, id string, how Repair) error {
	if !PlainWord(id) {
		return nil
	}
	if err := l.repairRecord(ctx, trash, id, how); err != nil {
		return err
	}
	r, err := l.adopt(ctx, id)
	if err == nil && r.Error != "" {
		l.log.Warn("files without a record could not get one", "recording", id, "cause", r.Error)
	}
	return err
}

func (l *Library) repairRecord(ctx context.Context, trash trashNames, id string, how Repair) error {
	release, err := l.locks.lock(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	r, err := l.recording(ctx, nil, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if r.State == store.Deleted {
		return l.repairDeleted(ctx, r, how)
	}
	if err := errors.Join(l.move(r, r.State), l.fetch(ctx, trash, r)); err != nil {
		return err
	}
	var formats []store.Format
	missing := 0
	for _, f := range r.Formats {
		dir := l.trees.path(r.State, f.Type, id)
		there, err := exists(dir)
		if err != nil {
			return err
		}
		if !there {
			missing++
			if how == RepairLosses {
				continue
			}
			formats = append(formats, f)
			continue
		}
		files, bytes, err := count(dir)
		if err != nil {
			return err
		}
		if how == RepairLosses || !lost(f, files, bytes) {
			f.Files, f.Bytes = files, bytes
		}
		formats = append(formats, f)
	}
	if missing == len(r.Formats) {
		return nil
	}
	_, err = l.change(ctx, id, func(r *store.Recording) { r.Formats = formats })
	return err
}

// repairDeleted finishes what was begun with a deleted recording, and forgets of
// the trash what is no longer in it. Files of it that are in the trees although
// its delete was finished may be the only copy: they go only with RepairLosses.
func (l *Library) repairDeleted(ctx context.Context, r store.Recording, how Repair) error {
	if r.Moving != "" {
		return l.resume(ctx, r)
	}
	if how == RepairLosses {
		if err := l.finishDelete(ctx, r); err != nil {
			return err
		}
	}
	t, ok, err := l.trashed(ctx, r.ID)
	if err != nil || !ok {
		return err
	}
	kinds, err := l.trashKinds(t)
	if err != nil || len(kinds) > 0 {
		return err
	}
	return l.store.Update(ctx, func(tx *store.Tx) error { return tx.DeleteTrashed(r.ID) })
}
