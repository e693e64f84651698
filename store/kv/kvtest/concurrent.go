package kvtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"scalelite/store/kv"
)

// together runs fn n times at once and waits.
func together(n int, fn func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { fn(i) })
	}
	wg.Wait()
}

// increment adds one to the number at key.
func increment(tx kv.Tx, key string) error {
	n, err := number(tx, key)
	if err != nil {
		return err
	}
	return tx.Put([]byte(key), binary.BigEndian.AppendUint64(nil, n+1))
}

// number returns the number at key, 0 if there is none.
func number(tx kv.Tx, key string) (uint64, error) {
	v, err := tx.Get([]byte(key))
	if errors.Is(err, kv.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if len(v) != 8 {
		return 0, fmt.Errorf("%q holds %q", key, v)
	}
	return binary.BigEndian.Uint64(v), nil
}

func wantNumber(t *testing.T, e kv.Engine, key string, want uint64) {
	t.Helper()
	view(t, e, func(tx kv.Tx) error {
		if got, err := number(tx, key); err != nil || got != want {
			return fmt.Errorf("%q is %d, %w; want %d", key, got, err, want)
		}
		return nil
	})
}

func testViewIsConsistent(t *testing.T, e kv.Engine) {
	put(t, e, pair{"a", "0"}, pair{"b", "0"})
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			v := []byte(fmt.Sprint(i))
			err := e.Update(context.Background(), func(tx kv.Tx) error {
				return errors.Join(tx.Put([]byte("a"), v), tx.Put([]byte("b"), v))
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 300 {
		view(t, e, func(tx kv.Tx) error {
			a, err1 := get(tx, "a")
			runtime.Gosched()
			b, err2 := get(tx, "b")
			if err1 != nil || err2 != nil || a != b {
				return fmt.Errorf("half an update is visible: %q, %q, %w", a, b, errors.Join(err1, err2))
			}
			return nil
		})
	}
	close(stop)
	writer.Wait()
}

func testCounters(t *testing.T, e kv.Engine) {
	const clients, times = 16, 25
	var results sync.Map
	together(clients, func(i int) {
		for range times {
			var n uint64
			err := e.Update(context.Background(), func(tx kv.Tx) (err error) {
				if err := errors.Join(increment(tx, "all"), increment(tx, fmt.Sprint("client ", i))); err != nil {
					return err
				}
				n, err = number(tx, "all")
				return err
			})
			if err != nil {
				t.Error(err)
			}
			if _, twice := results.LoadOrStore(n, true); twice {
				t.Errorf("two updates saw themselves as number %d", n)
			}
		}
	})
	wantNumber(t, e, "all", clients*times)
	for i := range clients {
		wantNumber(t, e, fmt.Sprint("client ", i), times)
	}
}

// testNoWriteSkew has clients that write only if nobody else did, to a place
// of their own, so that no two of them touch the same key.
func testNoWriteSkew(t *testing.T, e kv.Engine) {
	taken := errors.New("taken")
	for round := range 30 {
		prefix := fmt.Sprintf("round%02d/", round)
		var won atomic.Int32
		together(8, func(i int) {
			err := e.Update(context.Background(), func(tx kv.Tx) error {
				for _, err := range tx.Scan([]byte(prefix), nil) {
					return errors.Join(taken, err)
				}
				return tx.Put(fmt.Append(nil, prefix, i), nil)
			})
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, taken):
				t.Error(err)
			}
		})
		if won.Load() != 1 {
			t.Fatalf("%d clients were the only one", won.Load())
		}
	}
}

// testFailingAmongSucceeding mixes updates that succeed with those that write
// and then fail in every way; the latter must neither leave anything nor harm
// the former.
func testFailingAmongSucceeding(t *testing.T, e kv.Engine) {
	const clients, times = 24, 20
	mine := errors.New("mine")
	write := func(way int) func(kv.Tx) error {
		return func(tx kv.Tx) error {
			err := errors.Join(increment(tx, "all"), increment(tx, fmt.Sprint("way ", way)))
			if way > 0 {
				err = errors.Join(err, tx.Delete([]byte("way 0")))
			}
			return err
		}
	}
	ways := []func(){
		func() {
			if err := e.Update(context.Background(), write(0)); err != nil {
				t.Error(err)
			}
		},
		func() {
			err := e.Update(context.Background(), func(tx kv.Tx) error { return errors.Join(write(1)(tx), mine) })
			if !errors.Is(err, mine) {
				t.Errorf("an update that fails returned %v", err)
			}
		},
		func() {
			defer func() {
				if r := recover(); r != mine {
					t.Errorf("recovered %v", r)
				}
			}()
			err := e.Update(context.Background(), func(tx kv.Tx) error { _ = write(2)(tx); panic(mine) })
			t.Errorf("an update that panics returned %v", err)
		},
		func() {
			var wg sync.WaitGroup
			wg.Go(func() {
				err := e.Update(context.Background(), func(tx kv.Tx) error { _ = write(3)(tx); runtime.Goexit(); return nil })
				t.Errorf("an update that ends its goroutine returned %v", err)
			})
			wg.Wait()
		},
	}
	together(clients, func(i int) {
		for range times {
			ways[i%len(ways)]()
		}
	})
	wantNumber(t, e, "all", clients/4*times)
	wantNumber(t, e, "way 0", clients/4*times)
	for way := 1; way < len(ways); way++ {
		wantNumber(t, e, fmt.Sprint("way ", way), 0)
	}
}

// testWithdrawal ends the contexts of updates that may be waiting for another:
// each is done or not, as it says.
func testWithdrawal(t *testing.T, e kv.Engine) {
	running, finish := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	wg.Go(func() {
		err := e.Update(context.Background(), func(kv.Tx) error {
			once.Do(func() { close(running) })
			<-finish
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-running
	ctx, cancel := context.WithCancel(context.Background())
	var done [10]atomic.Bool
	for i := range done {
		wg.Go(func() {
			err := e.Update(ctx, func(tx kv.Tx) error { return tx.Put(fmt.Append(nil, i), nil) })
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			done[i].Store(err == nil)
		})
	}
	cancel()
	close(finish)
	wg.Wait()
	var want []pair
	for i := range done {
		if done[i].Load() {
			want = append(want, pair{Key: fmt.Sprint(i)})
		}
	}
	wantAll(t, e, want...)
}

type brokenWriter struct{ err error }

func (b brokenWriter) Write([]byte) (int, error) { return 0, b.err }

func testSnapshotErrors(t *testing.T, e kv.Engine) {
	put(t, e, numbered(100)...)
	mine := errors.New("mine")
	if err := e.Snapshot(context.Background(), brokenWriter{mine}); !errors.Is(err, mine) {
		t.Errorf("snapshot to a writer that fails: %v", err)
	}
	if err := e.Snapshot(context.Background(), io.Discard); err != nil {
		t.Errorf("snapshot after one that failed: %v", err)
	}
}

func testClose(t *testing.T, e kv.Engine) {
	put(t, e, unspoiled...)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	never := func(kv.Tx) error { t.Error("the closure was run"); return nil }
	ctx := context.Background()
	for name, err := range map[string]error{
		"view": e.View(ctx, never), "update": e.Update(ctx, never), "snapshot": e.Snapshot(ctx, io.Discard),
	} {
		if !errors.Is(err, kv.ErrClosed) {
			t.Errorf("%s after close: %v", name, err)
		}
	}
	if err := e.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func testCloseWhileUpdating(t *testing.T, e kv.Engine) {
	var wg sync.WaitGroup
	var started sync.WaitGroup
	for i := range 8 {
		started.Add(1)
		wg.Go(func() {
			for n := 0; ; n++ {
				err := e.Update(context.Background(), func(tx kv.Tx) error { return increment(tx, fmt.Sprint(i)) })
				if err == nil {
					err = e.View(context.Background(), func(tx kv.Tx) error { _, err := number(tx, "0"); return err })
				}
				if n == 0 {
					started.Done()
				}
				if errors.Is(err, kv.ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	started.Wait()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
}
