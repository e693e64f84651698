package boltkv

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"scalelite/store/kv"
	"scalelite/store/kv/kvtest"
)

// openTest opens the database at path; when the test ends it is closed, and
// before, if it still is open, checked.
func openTest(t testing.TB, path string, o Options) *Engine {
	t.Helper()
	e, err := Open(context.Background(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if err := Verify(context.Background(), path); err != nil {
			t.Error(err)
		}
		checkWithBolt(t, path)
	})
	return e
}

// checkWithBolt has bbolt look through the file, unless it is open elsewhere.
func checkWithBolt(t testing.TB, path string) {
	t.Helper()
	e, err := Open(context.Background(), path, Options{NoSync: true})
	if err != nil {
		t.Error(err)
		return
	}
	if err := e.Check(context.Background()); err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func TestConformance(t *testing.T) {
	open := func(t *testing.T) kv.Engine {
		return openTest(t, filepath.Join(t.TempDir(), "db"), Options{NoSync: true})
	}
	t.Run("synced", func(t *testing.T) {
		kvtest.Run(t, func(t *testing.T) kv.Engine { return openTest(t, filepath.Join(t.TempDir(), "db"), Options{}) })
	})
	t.Run("once", func(t *testing.T) { kvtest.Run(t, open) })
	t.Run("twice", func(t *testing.T) {
		kvtest.Run(t, func(t *testing.T) kv.Engine { return kvtest.Twice(open(t)) })
	})
}

func TestFileConformance(t *testing.T) {
	open := func(path string) (kv.Engine, error) {
		return Open(context.Background(), path, Options{NoSync: true, LockTimeout: 50 * time.Millisecond})
	}
	t.Run("once", func(t *testing.T) { kvtest.RunFile(t, open) })
	t.Run("twice", func(t *testing.T) {
		kvtest.RunFile(t, func(path string) (kv.Engine, error) {
			e, err := open(path)
			if err != nil {
				return nil, err
			}
			return kvtest.Twice(e), nil
		})
	})
}

// Twice is only worth something if it shows what it is there for.
func TestTwiceShowsSideEffects(t *testing.T) {
	t.Parallel()
	e := kvtest.Twice(testEngine(t))
	for name, run := range map[string]func(context.Context, func(kv.Tx) error) error{"view": e.View, "update": e.Update} {
		var names []string
		err := run(context.Background(), func(kv.Tx) error { names = append(names, "x"); return nil })
		if err != nil || len(names) != 2 {
			t.Errorf("%s: a closure that appends left %v, %v", name, names, err)
		}
	}
	err := e.Update(context.Background(), func(tx kv.Tx) error {
		if _, err := tx.Get([]byte("k")); err == nil {
			t.Error("the first run was not undone")
		}
		return tx.Put([]byte("k"), nil)
	})
	if err != nil {
		t.Error(err)
	}
}
