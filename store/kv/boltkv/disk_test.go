package boltkv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"scalelite/store/kv"
)

// TestFullDisk is the engine's part of T58: updates fail with a clear error
// while nothing can be written, reading goes on, and once there is room again
// so does writing. The limit on the size of a file stands in for the disk.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	runChild(t, "full")
}

func fullDiskChild(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	ctx := context.Background()
	e, err := Open(ctx, path, Options{})
	if err != nil {
		return err
	}
	if err := e.Update(ctx, putKey("before")); err != nil {
		return err
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	// Below what the file is already: not even its first pages can be written.
	for _, limit := range []uint64{0, 4096, 64 << 10} {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: old.Max}); err != nil {
			return err
		}
		if err := failingUpdates(e, path); err != nil {
			return fmt.Errorf("limit %d: %w", limit, err)
		}
		if err := e.Snapshot(ctx, &bytes.Buffer{}); limit == 0 && !isFull(err) {
			return fmt.Errorf("snapshot on a full disk: %w", err)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			return err
		}
		if err := e.Update(ctx, putKey(fmt.Sprint("after ", limit))); err != nil {
			return fmt.Errorf("update when there is room again: %w", err)
		}
	}
	if err := e.Check(ctx); err != nil {
		return err
	}
	if err := e.Close(); err != nil {
		return err
	}
	if e, err = Open(ctx, path, Options{}); err != nil {
		return err
	}
	return errors.Join(e.View(ctx, func(tx kv.Tx) error {
		for _, key := range []string{"before", "after 0", "after 4096", "after 65536"} {
			if _, err := tx.Get([]byte(key)); err != nil {
				return fmt.Errorf("%q: %w", key, err)
			}
		}
		if _, err := tx.Get([]byte("large0")); !errors.Is(err, kv.ErrNotFound) {
			return fmt.Errorf("an update that failed is there: %w", err)
		}
		return nil
	}), e.Check(ctx), e.Close())
}

// isFull tells by the text: bbolt does not wrap all errors.
func isFull(err error) bool {
	return err != nil && strings.Contains(err.Error(), syscall.EFBIG.Error())
}

// failingUpdates runs updates at once, too large for any limit, and expects
// all to fail for it and to leave nothing.
func failingUpdates(e *Engine, path string) error {
	ctx := context.Background()
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			err := e.Update(ctx, func(tx kv.Tx) error {
				return tx.Put(fmt.Append(nil, "large", i), make([]byte, 40<<20))
			})
			if !isFull(err) {
				errs[i] = fmt.Errorf("update on a full disk: %w", err)
			} else if !strings.Contains(err.Error(), "commit to "+path) {
				errs[i] = fmt.Errorf("the error does not say what was being done: %w", err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errors.Join(errs...), e.View(ctx, func(tx kv.Tx) error {
		_, err := tx.Get([]byte("before"))
		return err
	}))
}

// A file that others cut short, or that the disk does not give, makes errors,
// not the end of the process.
func TestFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	runChild(t, "cut")
}

func cutFileChild(path string) error {
	ctx := context.Background()
	e, err := Open(ctx, path, Options{})
	if err != nil {
		return err
	}
	err = e.Update(ctx, func(tx kv.Tx) error {
		for i := range 2000 {
			if err := tx.Put(fmt.Appendf(nil, "%04d", i), make([]byte, 500)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	read := func(tx kv.Tx) error {
		for _, err := range tx.Scan(nil, nil) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	// Views, an update alone, and updates that queue up behind it.
	const calls = 16
	errs := make(chan error, calls)
	call := func(run func(context.Context, func(kv.Tx) error) error, fn func(kv.Tx) error) {
		if err := run(ctx, fn); err == nil || !strings.Contains(err.Error(), "look for disk errors") {
			err = fmt.Errorf("a call on a file that is gone: %w", err)
			errs <- err
			return
		}
		errs <- nil
	}
	started, finish := make(chan struct{}), make(chan struct{})
	go call(e.Update, func(tx kv.Tx) error { close(started); <-finish; return read(tx) })
	<-started
	if err := os.Truncate(path, 8192); err != nil {
		return err
	}
	for range calls / 2 {
		go call(e.Update, read)
	}
	for range calls/2 - 1 {
		go call(e.View, read)
	}
	for e.waiting() < calls/2 {
		runtime.Gosched()
	}
	close(finish)
	for range calls {
		err = errors.Join(err, <-errs)
	}
	return err
}
