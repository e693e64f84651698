package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"scalelite/recordings"
	"scalelite/store"
	"scalelite/web/admin"
)

const (
	// sampleSize is how many records, and how many directories of recordings, are
	// compared; 'recordings check' compares all.
	sampleSize = admin.MaxExamined
	// young is the age below which files may have no record yet.
	young = 2 * time.Minute
	// sampleTime is how long the trees may take to be listed.
	sampleTime = 5 * time.Second
)

// filesSample lists directories of recordings in the trees, by the ID of the
// recording. It gives up on a file system that does not answer.
func (p *patient) filesSample() map[string][]string {
	result := make(chan map[string][]string, 1)
	go func() {
		found := map[string][]string{}
		for _, root := range []string{p.cfg.Recordings.PublishedDir, p.cfg.Recordings.UnpublishedDir} {
			p.sampleTree(root, found)
		}
		result <- found
	}()
	limit := time.NewTimer(sampleTime)
	defer limit.Stop()
	select {
	case found := <-result:
		return found
	case <-limit.C:
		return nil
	}
}

func (p *patient) sampleTree(root string, found map[string][]string) {
	kinds, err := readNames(root, sampleSize)
	if err != nil {
		return // told by 'directories'
	}
	for _, kind := range kinds {
		if !recordings.PlainWord(kind) {
			continue
		}
		ids, err := readNames(filepath.Join(root, kind), sampleSize)
		if err != nil {
			continue
		}
		for _, id := range ids {
			path := filepath.Join(root, kind, id)
			info, err := os.Lstat(path)
			if err != nil || !info.IsDir() || !recordings.PlainWord(id) || p.sys.Now().Sub(info.ModTime()) < young {
				continue
			}
			if _, known := found[id]; known || len(found) < sampleSize {
				found[id] = append(found[id], path)
			}
		}
	}
}

// files compares a sample of records and files both ways (T15).
func (p *patient) files(ctx context.Context) []Finding {
	if !p.cfg.Recordings.Enabled {
		return []Finding{good("", "recordings are switched off")}
	}
	missing, misplaced, err := p.compare(p.exam.Sample)
	if p.live() && len(missing)+len(misplaced) > 0 {
		// What was just moved or deleted is where its record says by now.
		if again, failed := p.pool.Examine(ctx, admin.ExamineQuery{Sample: sampleSize, Brief: true}); failed == nil {
			missing, misplaced, err = p.compare(again.Sample)
		}
	}
	if err != nil {
		return []Finding{p.needsRoot("", "you may not look at all files of recordings: "+err.Error())}
	}
	all := "the " + count(len(p.exam.Sample), "newest record")
	check, fix := p.asOperator("recordings", "check"), p.asOperator("recordings", "check", "--fix")
	var found []Finding
	if len(missing) > 0 {
		found = append(found, fail("", "of %s, %d lack files; the first is %s", all, len(missing), missing[0]).
			because("They are listed, but do not play.").
			do("import their tarballs again, or delete the records; a file system may not be mounted", check))
	}
	if len(misplaced) > 0 {
		found = append(found, fail("", "of %s, %d have files in the tree of the other state; the first is %s", all, len(misplaced), misplaced[0]).
			because("They are listed, but do not play, or are hidden and can be opened.").do("have the files moved", check, fix))
	}
	strays := slices.DeleteFunc(slices.Clone(p.strays), func(path string) bool { return !isDir(path) })
	if len(strays) > 0 {
		found = append(found, warn("", "of the directories of recordings, %d have no record; the first is %s", len(strays), strays[0]).
			because("They take up room, and nobody finds them.").do("make records for them, or delete them", p.asOperator("recordings", "rescan"), check))
	}
	if len(found) == 0 {
		found = append(found, good("", "%s have their files, and no files lack a record; 'recordings check' looks at all", all))
	}
	return found
}

// compare looks for the files of records. The error is that of a directory that
// may not be looked into.
func (p *patient) compare(sample []admin.RecordingFiles) (missing, misplaced []string, err error) {
	trees := map[store.RecordingState]string{
		store.Published: p.cfg.Recordings.PublishedDir, store.Unpublished: p.cfg.Recordings.UnpublishedDir,
	}
	other := map[store.RecordingState]store.RecordingState{store.Published: store.Unpublished, store.Unpublished: store.Published}
	for _, r := range sample {
		for _, kind := range r.Formats {
			if r.Moving {
				continue
			}
			here, errHere := there(filepath.Join(trees[r.State], kind, r.ID))
			elsewhere, errElse := there(filepath.Join(trees[other[r.State]], kind, r.ID))
			if err := errors.Join(errHere, errElse); err != nil {
				return nil, nil, fmt.Errorf("%s of %s: %w", kind, r.ID, err)
			}
			switch {
			case elsewhere:
				misplaced = append(misplaced, r.ID+" ("+kind+")")
			case !here:
				missing = append(missing, r.ID+" ("+kind+")")
			}
		}
	}
	return missing, misplaced, nil
}

// there reports whether something has the name.
func there(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
