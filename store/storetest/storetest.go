// Package storetest gives tests a real store: a bbolt file in a directory of
// the test's own, whose pages, records and indexes are checked when the test
// ends. It must not import anything above the store.
package storetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"scalelite/store"
	"scalelite/store/kv"
	"scalelite/store/kv/boltkv"
	"scalelite/store/kv/kvtest"
)

// Open returns a store on a new file. Its closures run twice, so that one with
// side effects is caught; when the test ends, the file is checked.
func Open(tb testing.TB) *store.Store {
	tb.Helper()
	return OpenFile(tb, filepath.Join(tb.TempDir(), "test.db"), nil).Store
}

// File is a store with the file that it is on.
type File struct {
	*store.Store
	Path   string
	Engine *boltkv.Engine

	now func() time.Time
}

// OpenFile opens the store at path, makes it if there is none, and has it
// checked and closed when the test ends. now gives the time of transactions;
// nil: time.Now.
func OpenFile(tb testing.TB, path string, now func() time.Time) *File {
	tb.Helper()
	f := &File{Path: path, now: now}
	f.open(tb)
	return f
}

func (f *File) open(tb testing.TB) {
	tb.Helper()
	engine, err := boltkv.Open(context.Background(), f.Path, boltkv.Options{})
	if err != nil {
		tb.Fatalf("open the database: %v", err)
	}
	s, err := store.New(context.Background(), kvtest.Twice(engine), store.Options{Now: f.now})
	if err != nil {
		_ = engine.Close()
		tb.Fatalf("open the store: %v", err)
	}
	f.Store, f.Engine = s, engine
	tb.Cleanup(func() {
		if err := check(s, engine); err != nil && !errors.Is(err, kv.ErrClosed) {
			tb.Errorf("the database is not in order: %v", err)
		}
		if err := s.Close(); err != nil {
			tb.Errorf("close the database: %v", err)
		}
	})
}

func check(s *store.Store, engine *boltkv.Engine) error {
	return errors.Join(s.Check(context.Background()), engine.Check(context.Background()))
}

// Reopen checks and closes the store and opens the file again, as a restart
// does.
func (f *File) Reopen(tb testing.TB) {
	tb.Helper()
	if err := check(f.Store, f.Engine); err != nil {
		tb.Errorf("the database is not in order: %v", err)
	}
	if err := f.Close(); err != nil {
		tb.Fatalf("close the database: %v", err)
	}
	f.open(tb)
}

// Crash goes on with what a killed process would have left on the disk: a copy
// of the file as it is now, without a close. Nothing may be writing.
func (f *File) Crash(tb testing.TB) {
	tb.Helper()
	content, err := os.ReadFile(f.Path)
	if err != nil {
		tb.Fatalf("read the database file: %v", err)
	}
	path := filepath.Join(tb.TempDir(), "crashed.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatalf("copy the database file: %v", err)
	}
	f.Path = path
	f.open(tb)
}
