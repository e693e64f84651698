// Package boltkv is the kv engine of one machine: a bbolt database in one file.
//
// It owns the file: its lock, its first creation, its verification before
// bbolt reads it, the grouping of updates into commits, and copies of it. It
// must not import anything of the program but kv.
package boltkv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"scalelite/store/kv"
)

var _ kv.Engine = (*Engine)(nil)

// bucketName is the one bucket that holds everything.
const bucketName = "scalelite"

// Options are how a database is opened. The zero value is right for serving.
type Options struct {
	// LockTimeout is how long Open waits for another process to release the
	// database; 0 means 5 seconds.
	LockTimeout time.Duration
	// NoSync leaves out waiting for the disk. What was committed survives the
	// end of the process but not that of the machine: for tests only.
	NoSync bool
}

// Engine is an open database. It is safe for use by many goroutines.
type Engine struct {
	db       *bolt.DB
	path     string
	pageSize int64

	mu      sync.Mutex // guards queue, writing, closed, broken
	queue   []*call    // updates that wait while another writes
	writing bool       // a goroutine runs updates and takes care of queue
	closed  bool
	broken  error // set when bbolt's own state cannot be trusted any more

	running   sync.WaitGroup // calls of Update, Snapshot and Check, and the drainer
	snapshots chan struct{}  // holds one token: snapshots are made one at a time
	closeOnce sync.Once
	closeErr  error

	commits, updates atomic.Uint64
}

// View runs fn on a consistent state. It blocks no writer; a long one makes
// the file grow. ctx is looked at before fn starts.
func (e *Engine) View(ctx context.Context, fn func(kv.Tx) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	btx, err := e.db.Begin(false)
	if err != nil {
		return e.wrap("read", err)
	}
	defer rollback(btx)
	defer e.faultAsError(&err)()
	t := newTx(btx)
	defer t.end()
	return fn(t)
}

// Close refuses new work, waits for what runs or queues and releases the file.
// A second call waits for the first and returns what it returned.
func (e *Engine) Close() error {
	e.closeOnce.Do(func() {
		e.mu.Lock()
		e.closed = true
		e.mu.Unlock()
		e.running.Wait()
		if err := e.db.Close(); err != nil {
			e.closeErr = fmt.Errorf("close %s: %w", e.path, err)
		}
	})
	return e.closeErr
}

// Path returns the file's path as it was given to Open.
func (e *Engine) Path() string { return e.path }

// enter counts one call that Close has to wait for, or refuses it.
func (e *Engine) enter() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return kv.ErrClosed
	}
	e.running.Add(1)
	return nil
}

// begin opens the write transaction; there is one at a time.
func (e *Engine) begin() (*bolt.Tx, error) {
	e.mu.Lock()
	broken := e.broken
	e.mu.Unlock()
	if broken != nil {
		return nil, broken
	}
	btx, err := e.db.Begin(true)
	if err != nil {
		return nil, e.wrap("write to", err)
	}
	return btx, nil
}

// commit makes btx durable. When bbolt panics over it, its memory no longer
// matches the file: then no further update is let near it, and reading goes on.
func (e *Engine) commit(btx *bolt.Tx) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("commit to %s: %v; stop the program and restore a backup", e.path, r)
			e.mu.Lock()
			e.broken = err
			e.mu.Unlock()
		}
	}()
	if err := btx.Commit(); err != nil {
		return e.wrap("commit to", err)
	}
	e.commits.Add(1)
	return nil
}

func (e *Engine) wrap(doing string, err error) error {
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return kv.ErrClosed
	}
	return fmt.Errorf("%s %s: %w", doing, e.path, err)
}

// faultAsError makes the kernel's report that a page of the file could not be
// read (a bad disk, a file cut short by others) a panic in this goroutine
// instead of the end of the process. The function it returns, deferred, turns
// that panic into *err and lets all others pass.
func (e *Engine) faultAsError(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		switch r := recover().(type) {
		case nil:
		case interface {
			error
			Addr() uintptr
		}:
			*err = fmt.Errorf("read %s: the file cannot be read where it should hold data (%w); look for disk errors", e.path, io.ErrUnexpectedEOF)
		default:
			panic(r)
		}
	}
}

// rollback ends btx if it has not ended yet.
func rollback(btx *bolt.Tx) { _ = btx.Rollback() }

// Stats are numbers for metrics.
type Stats struct {
	FileBytes int64  // size of the file
	FreeBytes int64  // of these, in pages that will be used again
	Updates   uint64 // updates that were answered with success since opening
	Commits   uint64 // commits that took; fewer than Updates when they share or wrote nothing
}

// Stats returns the current numbers. The sizes are those of the last commit.
func (e *Engine) Stats() Stats {
	s := Stats{Updates: e.updates.Load(), Commits: e.commits.Load()}
	if info, err := os.Stat(e.path); err == nil {
		s.FileBytes = info.Size()
	}
	b := e.db.Stats()
	s.FreeBytes = int64(b.FreePageN+b.PendingPageN) * e.pageSize
	return s
}
