package recordings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/robfig/cron/v3"
	"golang.org/x/sys/unix"

	"scalelite/store"
)

const (
	spaceRetry = time.Minute // while there is no space, or no disk
	// patience is how long an incomplete tarball may rest before it counts as
	// one that cannot be imported.
	patience = 24 * time.Hour
	// importsKept is how long the outcome of an import can be asked for.
	importsKept = 30 * 24 * time.Hour
)

// retryPauses follow the tries of a tarball; the last one repeats.
var retryPauses = [...]time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 10 * time.Minute}

// retryPause is what follows try n, counted from 1.
func retryPause(n int) time.Duration { return retryPauses[min(max(n, 1), len(retryPauses))-1] }

// Importer takes a tarball in; see Library.ImportTarball.
type Importer interface {
	ImportTarball(ctx context.Context, t Tarball, progress func(done, total int64)) (Imported, error)
}

// Tarball is one that is to be imported.
type Tarball struct {
	Path string
	// Seen is when it was first seen; zero: now.
	Seen time.Time
	// Retried: it had failed before. Formats that a newer one has brought since
	// stay as they are.
	Retried bool
}

// SpoolOptions are what a Spool needs.
type SpoolOptions struct {
	Config   Config
	Importer Importer
	Store    *store.Store
	Log      *slog.Logger
	// Imported is called after each import, with the recordings in place; nil: not.
	Imported func()
	// Place returns the ID of the directories of the recordings, or why they are not
	// in place; see Library.Place. What is missing of the spool is not made until
	// they are, as it may be on the same disk. nil: they are always.
	Place    func(context.Context) (string, error)
	Parallel int              // imports at once; 0: one per CPU
	Now      func() time.Time // nil: time.Now
	// NoEvents leaves out fsnotify, as on NFS; the rescan finds everything.
	NoEvents bool
	// Step is called between the steps of what is done with a tarball, as that of
	// Options. nil: not.
	Step func(name string)
}

// Spool feeds the tarballs that appear in a directory to the Importer: each
// when it is complete, several at once, a broken one never in the way of the
// others. Events, a schedule and the start all lead to the same look at the
// directory; what is found there alone counts.
type Spool struct {
	o          SpoolOptions
	schedule   cron.Schedule
	settleTime time.Duration // a file written in place must rest so long
	// stopTimeout is what running imports get when the service stops.
	stopTimeout time.Duration
	newWatcher  func() (*fsnotify.Watcher, error)

	look chan struct{} // somebody wants the directory looked at
	free chan struct{} // an import ended

	seen    sightings  // of Run alone
	failing sync.Mutex // held while a name in failed_dir is chosen and taken
	// unresolved: failing was held when failed tarballs should have been resolved.
	unresolved atomic.Bool

	making  sync.Mutex // held while directories are made
	madeFor string     // ID of the place that they were last made for

	mu      sync.Mutex
	entries map[string]*entry
	agenda  agenda // the entries that nobody works on
	strays  []SpoolFile
	workers int
}

// NewSpool returns the spool of a directory; Run makes it work.
func NewSpool(o SpoolOptions) (*Spool, error) {
	schedule, err := cron.ParseStandard(o.Config.Rescan)
	if err != nil {
		return nil, fmt.Errorf("recordings.rescan: %w", err)
	}
	o.Config.SpoolDir, o.Config.FailedDir = filepath.Clean(o.Config.SpoolDir), filepath.Clean(o.Config.FailedDir)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Step == nil {
		o.Step = func(string) {}
	}
	if o.Parallel <= 0 {
		o.Parallel = runtime.NumCPU()
	}
	if o.Place == nil {
		o.Place = func(context.Context) (string, error) { return "always", nil }
	}
	s := &Spool{
		o: o, schedule: schedule,
		settleTime: 10 * time.Second, stopTimeout: 2 * time.Minute, newWatcher: fsnotify.NewWatcher,
		look: make(chan struct{}, 1), free: make(chan struct{}, 1),
		entries: map[string]*entry{},
	}
	if err := s.MakeDirs(context.Background()); err != nil {
		return nil, err
	}
	for _, dir := range s.dirs() {
		// It may be mounted, or given to us, later: that is no reason to stay away.
		if err := unix.Access(dir, unix.R_OK|unix.W_OK|unix.X_OK); err != nil {
			o.Log.Error("tarballs cannot be taken out of the spool, or not be set aside", "path", dir, "cause", err, "remedy", fmt.Sprintf("let it belong to user id %d", os.Geteuid()))
		}
	}
	return s, nil
}

// dirs are those of the spool.
func (s *Spool) dirs() []string { return []string{s.o.Config.SpoolDir, s.o.Config.FailedDir} }

// MakeDirs makes what is missing of the spool, once for the directories of the
// recordings that are in place: what vanishes later may be a disk of its own.
func (s *Spool) MakeDirs(ctx context.Context) error {
	s.making.Lock()
	defer s.making.Unlock()
	place, err := s.o.Place(ctx)
	if err != nil || place == s.madeFor {
		return nil // a look at the spool tells what is not there
	}
	for _, dir := range s.dirs() {
		if err := os.MkdirAll(dir, 0o775); err != nil {
			return fmt.Errorf("make the spool: %w", err)
		}
	}
	s.madeFor = place
	return nil
}

// unmade reports whether something may have to be made.
func (s *Spool) unmade() bool {
	s.making.Lock()
	defer s.making.Unlock()
	return s.madeFor == "" || !isDir(s.o.Config.SpoolDir) || !isDir(s.o.Config.FailedDir)
}

// Look has the directory looked at now.
func (s *Spool) Look() { signal(s.look) }

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. Imports that run then may finish within two minutes,
// or are rolled back.
func (s *Spool) Run(ctx context.Context) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var imports sync.WaitGroup
	s.loop(ctx, work, &imports)
	defer time.AfterFunc(s.stopTimeout, cancel).Stop()
	imports.Wait()
}

// loop looks and starts imports until ctx ends; the imports end with work.
func (s *Spool) loop(ctx, work context.Context, imports *sync.WaitGroup) {
	w := &watch{spool: s}
	defer w.close()
	var p pace
	var rescan time.Time
	for ctx.Err() == nil {
		now := s.o.Now()
		if !now.Before(rescan) {
			p.want(now, soon)
			rescan = s.nextRescan(now)
		}
		if p.due(now) {
			var made error
			if s.unmade() {
				made = s.MakeDirs(ctx)
			}
			w.renew(ctx)
			p.looked(errors.Join(made, s.scan(work)), now, s.o.Now(), s.o.Log)
		}
		next := earliest(rescan, p.at, s.dispatch(work, imports))
		timer := time.NewTimer(max(next.Sub(s.o.Now()), time.Millisecond))
		select {
		case <-timer.C:
		case <-s.look:
			p.want(s.o.Now(), soon)
		case <-s.free:
		case e, ok := <-w.events():
			p.want(s.o.Now(), w.note(e, ok))
		case err := <-w.errors():
			s.o.Log.Warn("spool events were lost; the directory is looked through", "cause", err)
			p.want(s.o.Now(), soon)
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// nextRescan is when the schedule wants the next look; one that never does, as
// "0 0 31 2 *", still gets one a day.
func (s *Spool) nextRescan(now time.Time) time.Time {
	if next := s.schedule.Next(now); !next.IsZero() {
		return next
	}
	return now.Add(day)
}

// earliest returns the first of times, of which the zero ones do not count.
func earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}

// dispatch starts what can be imported now and returns when there is something
// to do next; zero: when an import ends.
func (s *Spool) dispatch(work context.Context, imports *sync.WaitGroup) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.workers < s.o.Parallel && len(s.agenda) > 0 {
		e := s.agenda[0]
		if e.at.After(s.o.Now()) {
			return e.at
		}
		if !s.still(work, e) {
			continue
		}
		s.agenda.remove(e)
		s.workers++
		e.busy, e.done = true, 0
		if e.todo == takeIn {
			e.State = store.ImportImporting
		}
		if e.todo == setAside {
			e.moved = make(chan struct{})
		}
		task := *e
		imports.Go(func() { s.carry(work, &task) })
	}
	return time.Time{}
}

// still looks at a tarball right before its import: it may have changed since
// the directory was looked at.
func (s *Spool) still(ctx context.Context, e *entry) bool {
	print, err := fingerprintOf(s.path(e.File))
	switch {
	case err != nil:
		s.lose(e) // the next look takes it up again if it comes back
		return false
	case print == e.print:
		return true
	}
	if err := s.see(ctx, e.File, print); err != nil {
		s.o.Log.Error("spool could not read the store", "file", e.File, "cause", err)
		s.forget(e)
	}
	return false
}
