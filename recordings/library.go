package recordings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"scalelite/store"
)

// Options of Open.
type Options struct {
	Store  *store.Store
	Config Config
	Log    *slog.Logger
	Now    func() time.Time // nil: time.Now
	// Step is called between the steps of every work that has several, with the
	// name of the one that is done: tests end the process there. nil: not.
	Step func(name string)
}

// Library is the recordings: their files in two trees, that of the published
// and that of the unpublished, and their records in the store. It is safe for
// concurrent use; what concerns one recording is done one at a time.
//
// Every work is done in an order that leaves nothing half done: a record is
// committed when its files are in place, and what a crash interrupts is either
// undone by the next Open or finished by it.
type Library struct {
	store    *store.Store
	log      *slog.Logger
	now      func() time.Time
	step     func(name string)
	exchange func(a, b string) error // exchangeNames
	trees    trees
	settings atomic.Pointer[settings]
	locks    locks
	space    reservations
	usage    usageCache
	places   places

	work   sync.RWMutex // held for reading by whatever runs
	closed bool
}

// settings are a configuration and what its texts mean.
type settings struct {
	Config
	retention, trash time.Duration
	minFree          int64
}

func parseSettings(c Config) (*settings, error) {
	s := &settings{Config: c}
	var errs [3]error
	s.retention, errs[0] = ParseAge(c.Retention)
	s.trash, errs[1] = ParseAge(c.Trash)
	s.minFree, errs[2] = ParseSize(c.MinFree)
	for i, key := range []string{"retention", "trash", "min_free"} {
		if errs[i] != nil {
			return nil, fmt.Errorf("recordings.%s: %w", key, errs[i])
		}
	}
	return s, nil
}

// ErrClosed is what a Library returns after Close.
var ErrClosed = errors.New("the recordings are closed")

// Open makes the directories of the configuration where they are missing, checks
// that files can be moved between them, and finishes or undoes what a crash
// left. Only one Library may work on a store and its directories.
//
// If a directory is not the one that the store knows, as its disk is not mounted,
// it is left alone, and all that touches files returns ErrNotInPlace until it is
// back; see InPlace.
func Open(ctx context.Context, o Options) (*Library, error) {
	s, err := parseSettings(o.Config)
	if err != nil {
		return nil, err
	}
	l := &Library{store: o.Store, log: o.Log, now: o.Now, step: o.Step, exchange: exchangeNames, trees: treesOf(o.Config)}
	if l.now == nil {
		l.now = time.Now
	}
	if l.step == nil {
		l.step = func(string) {}
	}
	l.settings.Store(s)
	if _, err := l.takePlaces(ctx, acceptNone); err != nil && !errors.Is(err, ErrNotInPlace) {
		return nil, err
	}
	return l, nil
}

// Close waits for what runs; from then on nothing begins. Whoever wants to wait
// shorter ends the contexts of what runs.
func (l *Library) Close() error {
	l.work.Lock()
	defer l.work.Unlock()
	l.closed = true
	return nil
}

// begin is called by each exported method that works; it calls end when done.
func (l *Library) begin() (end func(), err error) {
	l.work.RLock()
	if l.closed {
		l.work.RUnlock()
		return nil, ErrClosed
	}
	return l.work.RUnlock, nil
}

// beginFiles is begin for what touches files: the directories must be those of
// the recordings.
func (l *Library) beginFiles(ctx context.Context) (end func(), err error) {
	end, err = l.begin()
	if err != nil {
		return nil, err
	}
	if err := l.inPlace(ctx); err != nil {
		end()
		return nil, err
	}
	return end, nil
}

// Reconfigure takes over what may change while the program runs: everything but
// the directories. A configuration that cannot be read changes nothing.
func (l *Library) Reconfigure(c Config) {
	s, err := parseSettings(c)
	if err != nil {
		l.log.Error("recordings keep their configuration", "cause", err)
		return
	}
	if treesOf(c) != l.trees {
		l.log.Warn("a change of recordings.work_dir, published_dir or unpublished_dir needs a restart")
	}
	l.settings.Store(s)
}

// recording returns a recording that the scope may see, deleted ones too, or
// ErrNotFound.
func (l *Library) recording(ctx context.Context, scope Scope, id string) (r store.Recording, err error) {
	err = l.store.View(ctx, func(tx *store.Tx) error {
		r, err = tx.Recording(id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) || err == nil && scope != nil && r.Tenant != *scope {
		return store.Recording{}, ErrNotFound
	}
	return r, err
}

// change rewrites the record of a recording; the caller holds its lock. fn may
// run more than once.
func (l *Library) change(ctx context.Context, id string, fn func(*store.Recording)) (r store.Recording, err error) {
	err = l.store.Update(ctx, func(tx *store.Tx) error {
		if r, err = tx.Recording(id); err != nil {
			return err
		}
		fn(&r)
		return tx.PutRecording(r)
	})
	return r, err
}

// each does fn to each recording once, under its lock. What is not found is
// passed over, if it is not all; another error ends it for that recording, and
// the context's for all. It returns those for which fn succeeded.
func (l *Library) each(ctx context.Context, ids []string, fn func(id string) error) ([]string, error) {
	end, err := l.beginFiles(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	var done []string
	var errs []error
	for _, id := range distinct(ids) {
		release, err := l.locks.lock(ctx, id)
		if err != nil {
			return done, errors.Join(append(errs, err)...)
		}
		err = fn(id)
		release()
		switch {
		case err == nil:
			done = append(done, id)
		case !errors.Is(err, ErrNotFound):
			errs = append(errs, fmt.Errorf("recording %s: %w", id, err))
		}
	}
	if len(done) == 0 && len(errs) == 0 {
		return nil, ErrNotFound
	}
	return done, errors.Join(errs...)
}
