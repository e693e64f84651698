package recordings

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"scalelite/store"
)

// places is what a Library knows of where its directories are.
type places struct {
	mark atomic.Pointer[string] // ID that they carry; nil while they are not in place

	mu      sync.Mutex // held while they are taken
	ordered bool       // what a crash left there was put in order
	trouble string     // why they are not in place, as it was logged
}

// InPlace returns nil if the directories are those of the recordings. Else it is
// an ErrNotInPlace that says which is not, and what can be done. Directories that
// are back are put in order first, as by Open.
func (l *Library) InPlace(ctx context.Context) error {
	_, err := l.Place(ctx)
	return err
}

// Place is InPlace, and returns the ID of the directories: others that are
// accepted in their place get another.
func (l *Library) Place(ctx context.Context) (string, error) {
	end, err := l.beginFiles(ctx)
	if err != nil {
		return "", err
	}
	defer end()
	if id := l.places.mark.Load(); id != nil {
		return *id, nil
	}
	return "", ErrNotInPlace // just now they are looked at anew
}

// inPlace is asked before each work: a disk may be unmounted at any time.
func (l *Library) inPlace(ctx context.Context) error {
	if id := l.places.mark.Load(); id != nil && l.trees.carry(*id) {
		return nil
	}
	_, err := l.takePlaces(ctx, acceptNone)
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrNotInPlace) {
		err = fmt.Errorf("%w: %w", ErrNotInPlace, err) // that, too, can be mended while we run
	}
	return err
}

// Directories are those that hold the files of recordings.
type Directories struct {
	Work        string `json:"work"`
	Published   string `json:"published"`
	Unpublished string `json:"unpublished"`
}

// Directories returns those of the configuration.
func (c Config) Directories() Directories {
	return Directories{Work: c.WorkDir, Published: c.PublishedDir, Unpublished: c.UnpublishedDir}
}

// CheckInPlace tells what InPlace would of the directories, for a process that
// need not have opened them. It changes nothing.
func CheckInPlace(ctx context.Context, s *store.Store, d Directories) error {
	l := &Library{store: s, trees: trees{d.Published, d.Unpublished, d.Work}}
	mark, err := l.treeMark(ctx)
	if err == nil {
		_, err = l.recognize(ctx, mark, l.trees.marks())
	}
	return err
}

// AcceptedDirectory is one that was not in place and was taken for one of the
// recordings.
type AcceptedDirectory struct {
	Key    string `json:"key"` // of the configuration
	Path   string `json:"path"`
	Before string `json:"before"` // why it was not in place
}

// acceptance is what may be taken of directories that are not those of the
// recordings.
type acceptance int

const (
	acceptNone   acceptance = iota
	acceptUnused            // those in which no recording has its files: none is lost
	acceptAll
)

func (a acceptance) of(e *notInPlaceError) bool {
	return a == acceptAll || a == acceptUnused && e.misses == 0
}

// acceptPlaces takes the directories for those of the recordings as far as how
// allows it, and returns those that were not in place.
func (l *Library) acceptPlaces(ctx context.Context, how acceptance) ([]AcceptedDirectory, error) {
	if err := l.inPlace(ctx); !errors.Is(err, ErrNotInPlace) {
		return nil, err
	}
	return l.takePlaces(ctx, how)
}

// takePlaces takes possession of the directories, or tells why not. It returns
// those that it accepted.
func (l *Library) takePlaces(ctx context.Context, how acceptance) ([]AcceptedDirectory, error) {
	p := &l.places
	p.mu.Lock()
	defer p.mu.Unlock()
	if id := p.mark.Load(); id != nil && l.trees.carry(*id) {
		return nil, nil // whoever had the lock before has taken them
	}
	p.mark.Store(nil)
	id, accepted, err := l.markPlaces(ctx, how)
	if err == nil && !p.ordered {
		if err = l.recover(ctx); err != nil {
			err = fmt.Errorf("put the recordings in order: %w", err)
		}
		p.ordered = err == nil
	}
	switch {
	case err == nil:
		p.mark.Store(&id)
		if p.trouble != "" {
			l.log.Info("directories of the recordings are in place again")
		}
		p.trouble = ""
	case errors.Is(err, ErrNotInPlace) && err.Error() != p.trouble:
		p.trouble = err.Error()
		l.log.Error("recordings are held back: nothing is imported, published, hidden or deleted", "cause", err)
	}
	return accepted, err
}

// markPlaces makes the directories, with the mark that the store knows them by,
// if they are those of the recordings or may be taken for them. It returns the ID
// and what it accepted.
func (l *Library) markPlaces(ctx context.Context, how acceptance) (string, []AcceptedDirectory, error) {
	mark, err := l.treeMark(ctx)
	if err != nil {
		return "", nil, err
	}
	found := l.trees.marks()
	id, err := l.recognize(ctx, mark, found)
	other, accepts := errors.AsType[*notInPlaceError](err)
	if accepts = accepts && how.of(other); accepts {
		id, err = "", nil
	}
	if err != nil {
		return "", nil, err
	}
	if id == "" {
		id = newTreeID()
	}
	if err := l.trees.prepare(); err != nil {
		return "", nil, err
	}
	// The ID is on record before a directory has it: else a crash would leave
	// directories that seem to be of another database.
	if mark.ID != id {
		mark = succeeded(mark, id)
		if err := l.putMark(ctx, mark); err != nil {
			return "", nil, err
		}
	}
	for _, f := range found {
		if f.id == id {
			continue
		}
		if err := writeMark(f.path, id); err != nil {
			return "", nil, fmt.Errorf("%s: mark %s as a directory of the recordings: %w", f.key, f.path, err)
		}
	}
	if !mark.Placed {
		mark.Placed = true
		if err := l.putMark(ctx, mark); err != nil {
			return "", nil, err
		}
	}
	if !accepts {
		return id, nil, nil
	}
	l.log.Warn("directories accepted as those of the recordings", "before", other)
	return id, other.wrong, nil
}

// treeMark is the mark that the store knows, zero if there is none.
func (l *Library) treeMark(ctx context.Context) (mark store.TreeMark, err error) {
	err = l.store.View(ctx, func(tx *store.Tx) (err error) {
		mark, err = tx.TreeMark()
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return store.TreeMark{}, nil
	}
	if err != nil {
		err = fmt.Errorf("read the mark of the directories: %w", err)
	}
	return mark, err
}

func (l *Library) putMark(ctx context.Context, mark store.TreeMark) error {
	err := l.store.Update(ctx, func(tx *store.Tx) error { return tx.PutTreeMark(mark) })
	if err != nil {
		return fmt.Errorf("store the mark of the directories: %w", err)
	}
	return nil
}

// recognize returns the ID that the directories carry, or are to get; empty: a
// new one.
func (l *Library) recognize(ctx context.Context, mark store.TreeMark, found []foundMark) (string, error) {
	holds, err := l.holds(ctx)
	if err != nil {
		return "", err
	}
	var bare, others bool
	ids := map[string]bool{}
	for _, f := range found {
		// One that nothing lies in may be new, as on another machine to which only the
		// files were brought: the others tell whether the disk is there.
		bare = bare || f.id == "" && holds[f.path] > 0
		ours := f.id == mark.ID || len(holds) == 0 && slices.Contains(mark.Former, f.id)
		others = others || f.id != "" && !ours
		if f.id != "" {
			ids[f.id] = true
		}
	}
	if !bare && !others { // nothing can be lost
		if mark.Placed && !ids[mark.ID] {
			return "", nil // but those that have the mark may be back one day
		}
		return mark.ID, nil
	}
	// Others were to get the mark, too, when a crash came between.
	if !mark.Placed && ids[mark.ID] {
		return mark.ID, nil
	}
	// A database of before there were marks knows its files by what they are.
	if len(holds) > 0 && !mark.Placed && len(ids) <= 1 {
		hold, err := l.hold(ctx)
		if err != nil {
			return "", err
		}
		if hold {
			for id := range ids {
				return id, nil
			}
			return mark.ID, nil
		}
	}
	return "", notInPlace(mark, found, holds)
}

// holds tells of how many recordings the store has files in each directory:
// published, hidden or in the trash. Those without any are not in it.
func (l *Library) holds(ctx context.Context) (dirs map[string]int64, err error) {
	err = l.store.View(ctx, func(tx *store.Tx) error {
		dirs = map[string]int64{}
		for _, state := range treeStates() {
			n, err := tx.CountRecordings(store.RecordingFilter{States: []store.RecordingState{state}})
			if err != nil {
				return err
			}
			if n > 0 {
				dirs[l.trees.tree(state)] = n
			}
		}
		for _, err := range tx.TrashedRecordings() {
			if err != nil {
				return err
			}
			dirs[l.trees.work]++
		}
		return nil
	})
	return dirs, err
}

// holdSample is how many recordings of each state hold looks for.
const holdSample = 100

// hold tells whether the trees hold what the store says, judged by the newest
// recordings: at least some of each state, and half of all. Where there are none
// the trash tells.
func (l *Library) hold(ctx context.Context) (bool, error) {
	looked, there := 0, 0
	for _, state := range treeStates() {
		sample, err := l.newest(ctx, state)
		if err != nil {
			return false, err
		}
		some := 0
		for _, r := range sample {
			if formats, _, err := l.filesLie(r); err == nil && formats > 0 {
				some++
			}
		}
		if len(sample) > 0 && some == 0 {
			return false, nil
		}
		looked, there = looked+len(sample), there+some
	}
	if looked > 0 {
		return 2*there >= looked, nil
	}
	trash, err := l.trashContents(ctx)
	if err != nil {
		return false, err
	}
	for _, t := range trash {
		if kinds, err := l.trashKinds(t); err == nil && len(kinds) > 0 {
			return true, nil
		}
	}
	return len(trash) == 0, nil
}

// newest are the newest recordings in a state that have formats.
func (l *Library) newest(ctx context.Context, state store.RecordingState) (all []store.Recording, err error) {
	err = l.store.View(ctx, func(tx *store.Tx) error {
		all = all[:0]
		for r, err := range tx.Recordings(store.RecordingFilter{States: []store.RecordingState{state}}, nil) {
			if err != nil {
				return err
			}
			if len(r.Formats) == 0 {
				continue
			}
			if all = append(all, r); len(all) == holdSample {
				break
			}
		}
		return nil
	})
	return all, err
}
