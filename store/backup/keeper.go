package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Options of New. All but Schedule, Config and Now are needed.
type Options struct {
	// Dir is the directory of the copies; Keep is how many stay, at least 1.
	Dir  string
	Keep int
	// Schedule says when the next one is due after another; nil: never.
	Schedule interface{ Next(time.Time) time.Time }
	// Database is the file that is copied; only its size is asked for.
	Database string
	// Snapshot writes a consistent copy of the database.
	Snapshot func(ctx context.Context, w io.Writer) error
	// Verify looks through a copy.
	Verify func(ctx context.Context, path string) error
	// Config returns the configuration that goes with the copy; nil: none does.
	Config func() []byte
	Log    *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// Keeper makes the copies of one directory. It is safe for concurrent use, and
// two processes do not get into each other's way.
type Keeper struct {
	o Options

	mu     sync.Mutex
	failed Failure
	wakes  time.Time // when Run looks next
}

// Dir is the directory of the copies.
func (k *Keeper) Dir() string { return k.o.Dir }

// Failure is a copy that could not be made; the zero value: the last one could.
type Failure struct {
	At    time.Time
	Cause string
}

// New returns the keeper of a directory. It makes nothing yet.
func New(o Options) *Keeper {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Keeper{o: o}
}

// File is one copy.
type File struct {
	Name  string
	Path  string
	Made  time.Time
	Bytes int64
}

const (
	namePrefix = "scalelite-"
	nameSuffix = ".tar.gz"
	nameTime   = "20060102T150405Z"
	// stagePrefix begins the names of what is not complete.
	stagePrefix = ".scalelite-backup-"
)

// nameOf is the name of a copy made then.
func nameOf(made time.Time) string {
	return namePrefix + made.UTC().Format(nameTime) + nameSuffix
}

// List returns the copies in a directory, the newest first. What has other names
// is none of ours. A directory that is not there has none.
func List(dir string) ([]File, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var files []File
	for _, e := range entries {
		made, err := time.Parse(namePrefix+nameTime+nameSuffix, e.Name())
		if err != nil || nameOf(made) != e.Name() {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // rotated meanwhile
		}
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() {
			files = append(files, File{Name: e.Name(), Path: filepath.Join(dir, e.Name()), Made: made, Bytes: info.Size()})
		}
	}
	slices.SortFunc(files, func(a, b File) int { return cmp.Compare(b.Name, a.Name) })
	return files, nil
}

// Status is how things are.
type Status struct {
	Last   File // zero if there is none
	Failed Failure
	Next   time.Time // zero if no schedule is set
}

// Status looks at the directory.
func (k *Keeper) Status() (Status, error) {
	files, err := List(k.o.Dir)
	if err != nil {
		return Status{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	s := Status{Failed: k.failed}
	if len(files) > 0 {
		s.Last = files[0]
	}
	if k.o.Schedule != nil {
		now := k.o.Now()
		for _, earliest := range []time.Time{k.due(files, now), k.wakes, now} {
			if s.Next.Before(earliest) {
				s.Next = earliest
			}
		}
	}
	return s, nil
}

// due is when the next copy is to be made.
func (k *Keeper) due(files []File, now time.Time) time.Time {
	if len(files) == 0 {
		return now
	}
	last := files[0].Made
	if last.After(now) { // the clock was put back
		last = now
	}
	return k.o.Schedule.Next(last.In(now.Location()))
}

const (
	// startDelay keeps what was missed away from a start, which has other things
	// to do.
	startDelay = time.Minute
	// lookAgain is how often the clock is looked at, and a failure mended.
	lookAgain = time.Hour
)

// Run makes the copies that are due until ctx ends: on schedule, those that were
// missed soon after the start, and what failed again every hour.
func (k *Keeper) Run(ctx context.Context) {
	if k.o.Schedule == nil {
		return
	}
	for wait := startDelay; k.sleep(ctx, wait); {
		wait = k.round(ctx)
	}
}

// round makes a copy if one is due, and returns how long to wait then.
func (k *Keeper) round(ctx context.Context) time.Duration {
	files, err := List(k.o.Dir)
	now := k.o.Now()
	if err != nil {
		k.fail(err)
		return lookAgain
	}
	if wait := k.due(files, now).Sub(now); wait > 0 {
		return min(wait, lookAgain)
	}
	if _, err := k.Make(ctx); err != nil {
		return lookAgain
	}
	return time.Second
}

func (k *Keeper) sleep(ctx context.Context, d time.Duration) bool {
	k.mu.Lock()
	k.wakes = k.o.Now().Add(d)
	k.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// fail notes and logs a failure.
func (k *Keeper) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.failed = Failure{At: k.o.Now(), Cause: err.Error()}
	k.o.Log.Error("backup failed", "cause", err, "directory", k.o.Dir)
}

// Make makes a copy now, looks through it, and removes the oldest ones beyond
// those that stay. If it fails, nothing is removed, and nothing is left.
func (k *Keeper) Make(ctx context.Context) (File, error) {
	f, removed, err := k.make(ctx)
	if err != nil && ctx.Err() != nil {
		return f, ctx.Err() // the program ends: that is no failure
	}
	if err != nil {
		err = fmt.Errorf("backup: %w", err)
		k.fail(err)
		return f, err
	}
	k.mu.Lock()
	k.failed = Failure{}
	k.mu.Unlock()
	k.o.Log.Info("backup made", "file", f.Path, "bytes", f.Bytes, "removed", removed)
	return f, nil
}
