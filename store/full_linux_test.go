package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"scalelite/store"
	"scalelite/store/kv"
	"scalelite/store/storetest"
)

// smallDisk mounts a file system of so many bytes, or skips the test.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprint("size=", size)); err != nil {
		t.Skipf("a small file system cannot be mounted (it needs root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// T58
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, 48<<20)
	f := storetest.OpenFile(t, filepath.Join(dir, "a.db"), nil)
	update(t, f.Store, func(tx *store.Tx) error {
		return errors.Join(tx.AddServer(store.Server{ID: "s1"}), tx.PutMeeting(meeting("", "before", "s1", "1")))
	})
	filler := filepath.Join(dir, "filler")
	fill(t, filler)

	big := strings.Repeat("x", 1<<20)
	var failed error
	n := 0
	for ; failed == nil && n < 200; n++ {
		failed = f.Update(t.Context(), func(tx *store.Tx) error {
			return tx.PutMeeting(store.Meeting{MeetingKey: store.MeetingKey{ID: fmt.Sprint("big-", n)}, Server: "s1", ModeratorPW: big})
		})
	}
	if !errors.Is(failed, syscall.ENOSPC) {
		t.Fatalf("after %d updates: %v, want no space left", n, failed)
	}
	lost := store.MeetingKey{ID: fmt.Sprint("big-", n-1)}

	// A small write may still fit where others were: then the store is well.
	if err := f.Healthy(t.Context()); (err == nil) != canWrite(t, f.Store, "") {
		t.Errorf("Healthy says %v", err)
	}
	for range 100 { // what is known can be read
		view(t, f.Store, func(tx *store.Tx) error {
			_, err := tx.Meeting(store.MeetingKey{ID: "before"})
			_, gone := tx.Meeting(lost)
			wantNotFound(t, gone)
			return err
		})
	}
	if err := f.Check(t.Context()); err != nil {
		t.Errorf("after the failure: %v", err)
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := f.Healthy(t.Context()); err != nil {
		t.Errorf("with space again: %v", err)
	}
	update(t, f.Store, func(tx *store.Tx) error {
		return tx.PutMeeting(store.Meeting{MeetingKey: lost, Server: "s1", ModeratorPW: big})
	})
	f.Reopen(t)
	view(t, f.Store, func(tx *store.Tx) error {
		_, err := tx.Meeting(lost)
		return err
	})
}

func canWrite(t *testing.T, s *store.Store, text string) bool {
	return s.Update(t.Context(), func(tx *store.Tx) error {
		return tx.PutMeeting(store.Meeting{MeetingKey: store.MeetingKey{ID: "more"}, Server: "s1", ModeratorPW: text})
	}) == nil
}

// noSpace is an engine whose commits fail while full is set.
type noSpace struct {
	kv.Engine
	full    bool
	commits int
}

func (e *noSpace) Update(ctx context.Context, fn func(kv.Tx) error) error {
	err := e.Engine.Update(ctx, func(tx kv.Tx) error {
		if err := fn(tx); err != nil || !e.full {
			return err
		}
		return syscall.ENOSPC
	})
	if err == nil {
		e.commits++
	}
	return err
}

// T58
func TestHealthyTellsOfWritesThatDoNotReachTheDisk(t *testing.T) {
	f := storetest.OpenFile(t, filepath.Join(t.TempDir(), "a.db"), nil)
	engine := &noSpace{Engine: f.Engine}
	s, err := store.New(t.Context(), engine, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	add := func() error {
		return s.Update(t.Context(), func(tx *store.Tx) error { return tx.AddServer(store.Server{ID: "s1"}) })
	}
	if err := s.Healthy(t.Context()); err != nil || engine.commits != 0 {
		t.Errorf("a store that never failed: %v after %d writes", err, engine.commits)
	}
	engine.full = true
	if err := add(); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Healthy(t.Context()); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("while nothing can be written: %v", err)
		}
	}
	view(t, s, func(tx *store.Tx) error {
		_, err := store.Collect(tx.Servers())
		return err
	})
	engine.full = false
	if err := s.Healthy(t.Context()); err != nil {
		t.Errorf("with space again: %v", err)
	}
	if err := add(); err != nil {
		t.Error(err)
	}
	writes := engine.commits
	if err := s.Healthy(t.Context()); err != nil || engine.commits != writes {
		t.Errorf("a healthy store is written to in order to find out: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s.Healthy(t.Context()) == nil {
		t.Error("a closed store is healthy")
	}
}

// fill takes all the space there is.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	block := make([]byte, 64<<10)
	for {
		if _, err := file.Write(block); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			return
		}
	}
}
