package boltkv

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"scalelite/store/kv"
)

// busy is an engine in which an update is being written, and cannot end until
// release is called: updates queue up behind it.
type busy struct {
	*Engine
	t       *testing.T
	release func()
	wg      sync.WaitGroup
}

func newBusy(t *testing.T, e *Engine) *busy {
	t.Helper()
	started, finish := make(chan struct{}), make(chan struct{})
	b := &busy{Engine: e, t: t, release: sync.OnceFunc(func() { close(finish) })}
	b.wg.Go(func() {
		err := e.Update(context.Background(), func(kv.Tx) error { close(started); <-finish; return nil })
		if err != nil {
			t.Error(err)
		}
	})
	<-started
	t.Cleanup(b.release)
	return b
}

// later runs fn in a goroutine, after those before it have queued up, and
// waits until n updates are waiting.
func (b *busy) later(n int, fn func()) {
	b.t.Helper()
	b.wg.Go(fn)
	b.await(n)
}

// waiting returns how many updates are in the queue.
func (e *Engine) waiting() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.queue)
}

// await waits until n updates are in the queue.
func (b *busy) await(n int) {
	b.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Microsecond) {
		got := b.waiting()
		if got == n {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%d updates are waiting, want %d", got, n)
		}
	}
}

func (b *busy) finish() {
	b.release()
	b.wg.Wait()
}

func testEngine(t *testing.T) *Engine {
	t.Helper()
	return openTest(t, filepath.Join(t.TempDir(), "db"), Options{NoSync: true})
}

func putKey(key string) func(kv.Tx) error {
	return func(tx kv.Tx) error { return tx.Put([]byte(key), nil) }
}

// found returns the keys there are, one after the other.
func found(t *testing.T, e kv.Engine) string {
	t.Helper()
	var keys []string
	err := e.View(context.Background(), func(tx kv.Tx) error {
		for item, err := range tx.Scan(nil, nil) {
			if err != nil {
				return err
			}
			keys = append(keys, string(item.Key))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(keys, " ")
}

func TestWaitingUpdatesShareACommit(t *testing.T) {
	t.Parallel()
	b := newBusy(t, testEngine(t))
	before := b.Stats()
	const n = maxGroup + 10
	for i := range n {
		b.later(i+1, func() {
			if err := b.Update(context.Background(), putKey(fmt.Sprintf("%04d", i))); err != nil {
				t.Error(err)
			}
		})
	}
	b.finish()
	after := b.Stats()
	// The one they wait for has nothing to commit.
	if got := after.Commits - before.Commits; got != 2 {
		t.Errorf("%d updates took %d commits, want one for %d and one for the rest", n, got, maxGroup)
	}
	if got := after.Updates - before.Updates; got != n+1 {
		t.Errorf("%d updates were counted, want %d", got, n+1)
	}
	if got := count(t, b.Engine); got != n {
		t.Errorf("%d items, want %d", got, n)
	}
	if after.FileBytes == 0 || after.FreeBytes < 0 || after.FreeBytes > after.FileBytes {
		t.Errorf("sizes make no sense: %+v", after)
	}
}

func TestUpdatesRunInTheOrderTheyCame(t *testing.T) {
	t.Parallel()
	b := newBusy(t, testEngine(t))
	for i := range 20 {
		b.later(i+1, func() {
			err := b.Update(context.Background(), func(tx kv.Tx) error {
				n := 0
				for range tx.Scan(nil, nil) {
					n++
				}
				if n != i {
					return fmt.Errorf("sees %d of %d before it", n, i)
				}
				return tx.Put(fmt.Appendf(nil, "%02d", i), nil)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	b.finish()
}

func TestWaitingUpdateLeavesWithItsContext(t *testing.T) {
	t.Parallel()
	b := newBusy(t, testEngine(t))
	update := func(ctx context.Context, key string) func() {
		return func() {
			if err := b.Update(ctx, putKey(key)); err != nil {
				t.Errorf("%s: %v", key, err)
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.later(1, update(context.Background(), "first"))
	gone := make(chan error, 1)
	b.later(2, func() {
		gone <- b.Update(ctx, func(kv.Tx) error { t.Error("the closure was run"); return nil })
	})
	b.later(3, update(context.Background(), "last"))
	cancel()
	// It leaves while the writer it waits for is still at work.
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("update that left: %v", err)
	}
	b.await(2)
	b.finish()
	if got := found(t, b.Engine); got != "first last" {
		t.Errorf("found %q", got)
	}
}

// One that was taken up is waited for, whatever happens to its context.
func TestTakenUpdateIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := newBusy(t, testEngine(t))
	ctx, cancel := context.WithCancel(context.Background())
	b.later(1, func() {
		err := b.Update(ctx, func(tx kv.Tx) error {
			cancel()
			runtime.Gosched()
			return tx.Put([]byte("taken"), nil)
		})
		if err != nil {
			t.Error(err)
		}
	})
	b.finish()
	if got := found(t, b.Engine); got != "taken" {
		t.Errorf("found %q", got)
	}
}

// A group in which every kind of failure stands between successes: each caller
// gets its own outcome, in its own goroutine.
func TestGroupWithFailures(t *testing.T) {
	t.Parallel()
	e := testEngine(t)
	if err := e.Update(context.Background(), putKey("0")); err != nil {
		t.Fatal(err)
	}
	b := newBusy(t, e)
	mine := errors.New("mine")
	var panicked any
	var stack string
	returned := true
	// spoilThen changes things others see, then fails.
	spoilThen := func(fail func() error) func(kv.Tx) error {
		return func(tx kv.Tx) error {
			err := errors.Join(tx.Put([]byte("0"), []byte("spoiled")), tx.Delete([]byte("a")), tx.Put([]byte("x"), nil))
			return errors.Join(err, fail())
		}
	}
	succeed := func(key string) func() {
		return func() {
			err := b.Update(context.Background(), func(tx kv.Tx) error {
				if v, err := tx.Get([]byte("0")); err != nil || len(v) > 0 {
					return fmt.Errorf("sees what another took back: %q, %w", v, err)
				}
				return tx.Put([]byte(key), nil)
			})
			if err != nil {
				t.Errorf("%s: %v", key, err)
			}
		}
	}
	b.later(1, succeed("a"))
	b.later(2, func() {
		if err := b.Update(context.Background(), spoilThen(func() error { return mine })); !errors.Is(err, mine) {
			t.Errorf("got %v, want the closure's error", err)
		}
	})
	b.later(3, succeed("b"))
	b.later(4, func() {
		defer func() {
			panicked = recover()
			buf := make([]byte, 1<<14)
			stack = string(buf[:runtime.Stack(buf, false)])
		}()
		_ = b.Update(context.Background(), spoilThen(func() error { return culprit() }))
	})
	b.later(5, succeed("c"))
	b.later(6, func() {
		_ = b.Update(context.Background(), spoilThen(func() error { runtime.Goexit(); return nil }))
		returned = false
	})
	b.later(7, succeed("d"))
	b.finish()
	if panicked != "mine" || !strings.Contains(stack, "culprit") {
		t.Errorf("recovered %v, from\n%s\nwant the panic where it came from", panicked, stack)
	}
	if !returned {
		t.Error("a closure that ended its goroutine came back to its caller")
	}
	if got := found(t, e); got != "0 a b c d" {
		t.Errorf("found %q", got)
	}
}

// A group of one whose closure does not return must not be the last group.
func TestGroupOfOneThatDoesNotReturn(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(){"panic": func() { panic("mine") }, "goexit": runtime.Goexit} {
		b := newBusy(t, testEngine(t))
		b.later(1, func() {
			defer func() { _ = recover() }()
			_ = b.Update(context.Background(), func(kv.Tx) error { fail(); return nil })
		})
		b.finish()
		// A second round queues up again behind what the first left.
		b = newBusy(t, b.Engine)
		b.later(1, func() {
			if err := b.Update(context.Background(), putKey(name)); err != nil {
				t.Error(err)
			}
		})
		b.finish()
		if got := found(t, b.Engine); got != name {
			t.Errorf("found %q, want %q", got, name)
		}
	}
}

func culprit() error { panic("mine") }

func TestUpdateThatWritesNothingCommitsNothing(t *testing.T) {
	t.Parallel()
	e := testEngine(t)
	if err := e.Update(context.Background(), putKey("a")); err != nil {
		t.Fatal(err)
	}
	before := e.Stats().Commits
	b := newBusy(t, e)
	b.later(1, func() {
		err := b.Update(context.Background(), func(tx kv.Tx) error {
			_, err := tx.Get([]byte("a"))
			return errors.Join(err, tx.Delete([]byte("never there")))
		})
		if err != nil {
			t.Error(err)
		}
	})
	b.finish()
	if got := e.Stats().Commits - before; got != 0 {
		t.Errorf("%d commits", got)
	}
}

func TestCloseWaitsForThoseThatQueue(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "db")
	b := newBusy(t, openTest(t, path, Options{NoSync: true}))
	for i := range 5 {
		b.later(i+1, func() {
			if err := b.Update(context.Background(), putKey(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	closed := make(chan error, 1)
	go func() { closed <- b.Close() }()
	for !b.isClosed() {
		runtime.Gosched()
	}
	if err := b.Update(context.Background(), putKey("late")); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("update while closing: %v", err)
	}
	select {
	case err := <-closed:
		t.Fatalf("close returned %v before the updates were done", err)
	default:
	}
	b.finish()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if got := found(t, openTest(t, path, Options{NoSync: true})); got != "0 1 2 3 4" {
		t.Errorf("found %q", got)
	}
}

func (b *busy) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}
