package recordings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/robfig/cron/v3"

	"scalelite/store"
)

// Times of the spool.
const (
	settleTime  = 10 * time.Second // a file written in place must rest so long
	stopTimeout = 2 * time.Minute  // what running imports get when the service stops
	spaceRetry  = time.Minute      // while there is no space
	// patience is how long an incomplete tarball may rest before it counts as
	// one that cannot be imported.
	patience = 24 * time.Hour
	// importsKept is how long the outcome of an import can be asked for.
	importsKept = 30 * 24 * time.Hour
)

// retryPauses follow the tries of a tarball; the last one repeats.
var retryPauses = [...]time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 10 * time.Minute}

// Importer takes a tarball in; see Library.Import.
type Importer interface {
	Import(ctx context.Context, path string, progress func(done, total int64)) (Imported, error)
}

// SpoolOptions are what a Spool needs.
type SpoolOptions struct {
	Config   Config
	Importer Importer
	Store    *store.Store
	Log      *slog.Logger
	// Imported is called after each import, with the recordings in place; nil: not.
	Imported func()
	Parallel int              // imports at once; 0: one per CPU
	Now      func() time.Time // nil: time.Now
	// NoEvents leaves out fsnotify, as on NFS; the rescan finds everything.
	NoEvents bool
}

// Spool feeds the tarballs that appear in a directory to the Importer: each
// when it is complete, several at once, a broken one never in the way of the
// others. Events, a schedule and the start all lead to the same look at the
// directory; what is found there alone counts.
type Spool struct {
	o        SpoolOptions
	schedule cron.Schedule
	look     chan struct{} // somebody wants the directory looked at

	mu      sync.Mutex
	entries map[string]*entry
	hidden  map[uint64]bool // inodes that had a temporary name at the last look
	workers int
}

// entry is one tarball of the spool.
type entry struct {
	store.Import
	print     fingerprint
	restsFrom time.Time // since when the fingerprint is the same
	whole     bool      // it was renamed into place
	done      int64
}

// fingerprint tells whether a file is still the one that was seen.
type fingerprint struct {
	inode uint64
	size  int64
	mtime time.Time
}

// NewSpool returns the spool of a directory; Run makes it work.
func NewSpool(o SpoolOptions) (*Spool, error) {
	schedule, err := cron.ParseStandard(o.Config.Rescan)
	if err != nil {
		return nil, fmt.Errorf("recordings.rescan: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Parallel <= 0 {
		o.Parallel = runtime.NumCPU()
	}
	for _, dir := range []string{o.Config.SpoolDir, o.Config.FailedDir} {
		if err := os.MkdirAll(dir, 0o775); err != nil {
			return nil, fmt.Errorf("make the spool: %w", err)
		}
	}
	return &Spool{o: o, schedule: schedule, look: make(chan struct{}, 1), entries: map[string]*entry{}}, nil
}

// Look has the directory looked at now.
func (s *Spool) Look() {
	select {
	case s.look <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. Imports that run then may finish within two minutes,
// or are rolled back.
func (s *Spool) Run(ctx context.Context) {
	watch := s.watch()
	defer watch.close()
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var imports sync.WaitGroup
	defer imports.Wait()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopTimeout, cancel) })()

	rescan := s.o.Now()
	for ctx.Err() == nil {
		if !s.o.Now().Before(rescan) {
			watch.renew()
			rescan = s.schedule.Next(s.o.Now())
		}
		pause := min(s.round(work, &imports), rescan.Sub(s.o.Now()))
		timer := time.NewTimer(max(pause, 10*time.Millisecond))
		select {
		case <-timer.C:
		case <-s.look:
		case <-watch.events():
			watch.drain()
		case err := <-watch.errors():
			s.o.Log.Warn("spool events were lost; the directory is looked through", "cause", err)
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// round looks at the directory once, starts what can be imported, and returns
// when there is something to do next.
func (s *Spool) round(ctx context.Context, imports *sync.WaitGroup) time.Duration {
	if err := s.scan(ctx); err != nil {
		s.o.Log.Error("spool could not be read", "cause", err)
		return retryPauses[0]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := time.Hour
	for _, e := range s.waiting() {
		now := s.o.Now()
		if due := s.due(e); due.After(now) {
			next = min(next, due.Sub(now))
			continue
		}
		if s.workers >= s.o.Parallel {
			break // the end of an import looks again
		}
		s.workers++
		e.State, e.done = store.ImportImporting, 0
		task := *e
		imports.Go(func() { s.carry(ctx, task) })
	}
	return next
}

// waiting returns the entries that nobody works on, the oldest first.
func (s *Spool) waiting() []*entry {
	var all []*entry
	for _, e := range s.entries {
		if e.State != store.ImportImporting {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b *entry) int {
		if c := a.Since.Compare(b.Since); c != 0 {
			return c
		}
		return strings.Compare(a.File, b.File)
	})
	return all
}

// due is when an entry may be imported.
func (s *Spool) due(e *entry) time.Time {
	due := e.restsFrom.Add(settleTime)
	if e.whole {
		due = e.restsFrom
	}
	if e.Next.After(due) {
		due = e.Next
	}
	return due
}

// carry imports one tarball and decides what becomes of it.
func (s *Spool) carry(ctx context.Context, e entry) {
	path := s.path(e.File)
	imported, err := s.o.Importer.Import(ctx, path, func(done, _ int64) { s.progress(e.File, done) })
	for _, r := range imported.Recordings {
		e.Recordings = append(e.Recordings, r.ID)
	}
	slices.Sort(e.Recordings)
	e.Recordings = slices.Compact(e.Recordings)
	switch {
	case err == nil:
		err = s.finish(ctx, e)
	case ctx.Err() != nil: // rolled back; the next start begins anew
	default:
		err = s.postpone(ctx, e, err)
	}
	if err != nil {
		s.o.Log.Error("spool could not note what became of a tarball", "file", e.File, "cause", err)
	}
	if len(e.Recordings) > 0 && s.o.Imported != nil {
		s.o.Imported()
	}
	s.mu.Lock()
	s.workers--
	if kept := s.entries[e.File]; kept != nil && kept.State == store.ImportImporting {
		kept.State = store.ImportWaiting
	}
	s.mu.Unlock()
	s.Look()
}

func (s *Spool) progress(file string, done int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[file]; e != nil {
		e.done = done
	}
}

// finish notes the import and removes the tarball, unless another one took its
// name meanwhile.
func (s *Spool) finish(ctx context.Context, e entry) error {
	e.State, e.Ended, e.Error, e.Next = store.ImportImported, s.o.Now(), "", time.Time{}
	if err := s.put(ctx, e.Import); err != nil {
		return err
	}
	s.o.Log.Info("tarball imported", "file", e.File, "recordings", strings.Join(e.Recordings, " "))
	s.mu.Lock()
	defer s.mu.Unlock()
	path := s.path(e.File)
	if print, err := fingerprintOf(path); err != nil || print != e.print {
		s.forgetEntry(e.File) // the next look takes it for a new one
		return ignoreMissing(err)
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	s.forgetEntry(e.File)
	return syncDir(s.o.Config.SpoolDir)
}

func (s *Spool) forgetEntry(file string) { delete(s.entries, file) }

// postpone decides after a failed try: wait for the rest of the file or for
// space, try again, or give up.
func (s *Spool) postpone(ctx context.Context, e entry, cause error) error {
	now := s.o.Now()
	e.State, e.Error = store.ImportWaiting, cause.Error()
	patient := errors.Is(cause, ErrIncomplete) && now.Sub(e.restsFrom) < patience
	switch {
	case errors.Is(cause, ErrNoSpace):
		e.Next = now.Add(spaceRetry)
	case patient:
		e.State, e.Next = store.ImportSettling, now.Add(retryPauses[min(int(now.Sub(e.restsFrom)/time.Minute), len(retryPauses)-1)])
	default:
		e.Tries++
		e.Next = now.Add(retryPauses[min(e.Tries, len(retryPauses))-1])
	}
	log := s.o.Log.With("file", e.File, "cause", cause, "tries", e.Tries)
	if e.Tries >= s.o.Config.Tries {
		log.Error("tarball given up; see 'scalelite recordings spool'", "failed_dir", s.o.Config.FailedDir)
		return s.giveUp(ctx, e)
	}
	log.Warn("tarball not imported; it is tried again", "next", e.Next)
	s.mu.Lock()
	if kept := s.entries[e.File]; kept != nil {
		kept.Import = e.Import
	}
	s.mu.Unlock()
	return s.put(ctx, e.Import)
}

// giveUp moves a tarball to failed_dir, with the reason beside it.
func (s *Spool) giveUp(ctx context.Context, e entry) error {
	e.State, e.Ended, e.Next = store.ImportFailed, s.o.Now(), time.Time{}
	reason := fmt.Sprintf("file: %s\nsince: %s\ntries: %d\nreason: %s\n\nTry again with: scalelite recordings retry %s\n",
		e.File, e.Since.Format(time.RFC3339), e.Tries, e.Error, e.File)
	if err := quarantine(s.path(e.File), s.o.Config.FailedDir, reason); err != nil {
		return err
	}
	s.mu.Lock()
	s.forgetEntry(e.File)
	s.mu.Unlock()
	return s.put(ctx, e.Import)
}

func (s *Spool) put(ctx context.Context, i store.Import) error {
	ctx = context.WithoutCancel(ctx)
	err := s.o.Store.Update(ctx, func(tx *store.Tx) error { return tx.PutImport(i) })
	if err != nil {
		return fmt.Errorf("store import %s: %w", i.ID, err)
	}
	return nil
}

// watch is the event side of the spool. Its zero value has no events.
type watch struct {
	spool   *Spool
	watcher *fsnotify.Watcher
}

func (s *Spool) watch() *watch {
	w := &watch{spool: s}
	if s.o.NoEvents {
		return w
	}
	var err error
	if w.watcher, err = fsnotify.NewWatcher(); err != nil {
		s.o.Log.Warn("no events for the spool; recordings.rescan finds its files", "cause", err)
	}
	return w
}

// renew watches the directory again: it may have been mounted anew.
func (w *watch) renew() {
	if w.watcher == nil {
		return
	}
	if err := w.watcher.Add(w.spool.o.Config.SpoolDir); err != nil {
		w.spool.o.Log.Warn("no events for the spool; recordings.rescan finds its files", "cause", err)
	}
}

func (w *watch) events() <-chan fsnotify.Event {
	if w.watcher == nil {
		return nil
	}
	return w.watcher.Events
}

func (w *watch) errors() <-chan error {
	if w.watcher == nil {
		return nil
	}
	return w.watcher.Errors
}

// drain takes what else has come in: one look serves many events.
func (w *watch) drain() {
	for {
		select {
		case <-w.watcher.Events:
		default:
			return
		}
	}
}

func (w *watch) close() {
	if w.watcher != nil {
		_ = w.watcher.Close()
	}
}
