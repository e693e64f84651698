package kvtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/store/kv"
)

// RunFile tests what an engine that keeps its data in a file does besides what
// Run tests. open opens the database at path; a snapshot can be opened too.
func RunFile(t *testing.T, open func(path string) (kv.Engine, error)) {
	h := fileTests{open}
	t.Run("reopen", h.reopen)
	t.Run("reopen after close while updating", h.reopenAfterClose)
	t.Run("locked", h.locked)
	t.Run("snapshot", h.snapshot)
	t.Run("snapshot while updating", h.snapshotWhileUpdating)
	t.Run("snapshot to a stuck writer", h.snapshotStuck)
}

type fileTests struct {
	open func(path string) (kv.Engine, error)
}

func (h fileTests) mustOpen(t *testing.T, path string) kv.Engine {
	t.Helper()
	e, err := h.open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func (h fileTests) reopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	want := numbered(2000)
	for i := 0; i < len(want); i += 500 {
		e := h.mustOpen(t, path)
		wantAll(t, e, want[:i:i]...)
		put(t, e, want[i:i+500]...)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wantAll(t, h.mustOpen(t, path), want...)
}

func (h fileTests) reopenAfterClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	e := h.mustOpen(t, path)
	var acknowledged [8]uint64
	var wg, started sync.WaitGroup
	for i := range acknowledged {
		started.Add(1)
		wg.Go(func() {
			for {
				err := e.Update(context.Background(), func(tx kv.Tx) error { return increment(tx, fmt.Sprint(i)) })
				if err != nil {
					if !errors.Is(err, kv.ErrClosed) {
						t.Error(err)
					}
					return
				}
				if acknowledged[i]++; acknowledged[i] == 1 {
					started.Done()
				}
			}
		})
	}
	started.Wait()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	e = h.mustOpen(t, path)
	for i, n := range acknowledged {
		wantNumber(t, e, fmt.Sprint(i), n)
	}
}

func (h fileTests) locked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	e := h.mustOpen(t, path)
	if other, err := h.open(path); !errors.Is(err, kv.ErrLocked) {
		if other != nil {
			_ = other.Close()
		}
		t.Errorf("second open: %v", err)
	}
	put(t, e, pair{"a", "1"})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	wantAll(t, h.mustOpen(t, path), pair{"a", "1"})
}

// openSnapshot makes a snapshot of e and opens it.
func (h fileTests) openSnapshot(t *testing.T, e kv.Engine) kv.Engine {
	t.Helper()
	path := filepath.Join(t.TempDir(), "snapshot")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(e.Snapshot(context.Background(), f), f.Close()); err != nil {
		t.Fatal(err)
	}
	return h.mustOpen(t, path)
}

func (h fileTests) snapshot(t *testing.T) {
	dir := t.TempDir()
	e := h.mustOpen(t, filepath.Join(dir, "db"))
	want := numbered(3000)
	wantAll(t, h.openSnapshot(t, e))
	put(t, e, want...)
	s := h.openSnapshot(t, e)
	put(t, e, pair{"later", "x"})
	wantAll(t, s, want...)
	// A snapshot is a database: it can be written to, and copied again.
	put(t, s, pair{"z", "y"})
	wantAll(t, h.openSnapshot(t, s), append(want, pair{"z", "y"})...)
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("snapshots left files: %v, %v", files, err)
	}
}

func (h fileTests) snapshotWhileUpdating(t *testing.T) {
	e := h.mustOpen(t, filepath.Join(t.TempDir(), "db"))
	put(t, e, numbered(2000)...)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				// Both or none, and no more of the second than of the first.
				err := e.Update(context.Background(), func(tx kv.Tx) error {
					return errors.Join(increment(tx, fmt.Sprint("a", i)), increment(tx, fmt.Sprint("b", i)))
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 5 {
		s := h.openSnapshot(t, e)
		view(t, s, func(tx kv.Tx) error {
			for i := range 4 {
				a, err1 := number(tx, fmt.Sprint("a", i))
				b, err2 := number(tx, fmt.Sprint("b", i))
				if a != b || err1 != nil || err2 != nil {
					return fmt.Errorf("half an update in the snapshot: %d, %d, %w", a, b, errors.Join(err1, err2))
				}
			}
			got, err := all(tx, []byte("k"), nil)
			if diff := cmp.Diff(numbered(2000), got); err != nil || diff != "" {
				return fmt.Errorf("%w\n%s", err, diff)
			}
			return nil
		})
	}
	close(stop)
	wg.Wait()
}

// stuckWriter takes nothing until it is released.
type stuckWriter struct {
	reached, release chan struct{}
	once             sync.Once
}

func (s *stuckWriter) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.reached) })
	<-s.release
	return len(p), nil
}

// snapshotStuck: a client that takes nothing must not keep others from writing
// and reading.
func (h fileTests) snapshotStuck(t *testing.T) {
	e := h.mustOpen(t, filepath.Join(t.TempDir(), "db"))
	put(t, e, numbered(100)...)
	w := &stuckWriter{reached: make(chan struct{}), release: make(chan struct{})}
	done := make(chan error)
	go func() { done <- e.Snapshot(context.Background(), w) }()
	<-w.reached
	for i := range 100 {
		put(t, e, pair{"grow", fmt.Sprint(i)})
	}
	view(t, e, func(tx kv.Tx) error { _, err := tx.Get([]byte("grow")); return err })
	close(w.release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
