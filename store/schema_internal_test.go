package store

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"scalelite/store/kv/boltkv"
)

func openRaw(t *testing.T, path string) *boltkv.Engine {
	t.Helper()
	engine, err := boltkv.Open(t.Context(), path, boltkv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Check(context.Background()); err != nil {
			t.Errorf("the file is not in order: %v", err)
		}
		_ = engine.Close()
	})
	return engine
}

func (s *Store) versionForTest(t *testing.T) (version int) {
	t.Helper()
	err := s.View(t.Context(), func(tx *Tx) (err error) {
		version, err = tx.schema()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return version
}

func TestNewDatabaseHasThePresentSchemaAndIsNotCopied(t *testing.T) {
	engine := openRaw(t, filepath.Join(t.TempDir(), "a.db"))
	copied := func(context.Context, int, int) error { t.Error("an empty database was copied"); return nil }
	for range 2 {
		s, err := New(t.Context(), engine, Options{BeforeMigration: copied})
		if err != nil || s.versionForTest(t) != SchemaVersion() {
			t.Fatalf("schema %d, %v", s.versionForTest(t), err)
		}
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	engine := openRaw(t, filepath.Join(t.TempDir(), "a.db"))
	s, err := New(t.Context(), engine, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Update(t.Context(), func(tx *Tx) error { return tx.put(versionKey, SchemaVersion()+1) }); err != nil {
		t.Fatal(err)
	}
	copied := func(context.Context, int, int) error { t.Error("it was copied"); return nil }
	if _, err := New(t.Context(), engine, Options{BeforeMigration: copied}); !errors.Is(err, ErrNewerSchema) {
		t.Errorf("got %v", err)
	}
	if v := s.versionForTest(t); v != SchemaVersion()+1 {
		t.Errorf("the schema became %d", v)
	}
}

func TestMigrationCopiesFirstAndIsOneTransaction(t *testing.T) {
	s, err := New(t.Context(), openRaw(t, filepath.Join(t.TempDir(), "a.db")), Options{})
	if err != nil {
		t.Fatal(err)
	}
	was := SchemaVersion()
	var order []string
	copyTo := func(result error) func(context.Context, int, int) error {
		return func(_ context.Context, from, to int) error {
			if from != was || to != was+2 {
				t.Errorf("copied from schema %d to %d", from, to)
			}
			order = append(order, "copy")
			return result
		}
	}
	step := func(name string, result error) func(*Tx) error {
		return func(tx *Tx) error {
			order = append(order, name)
			return errors.Join(tx.put(metaTable.String(name), 1), result)
		}
	}
	steps := func(last error) []func(*Tx) error {
		return append(migrations(), step("one", nil), step("two", last))
	}
	done := func(name string) bool {
		err := s.View(t.Context(), func(tx *Tx) error {
			_, err := get[int](tx, metaTable.String(name))
			return err
		})
		return err == nil
	}

	boom := errors.New("boom")
	if err := s.migrate(t.Context(), steps(nil), copyTo(boom)); !errors.Is(err, boom) || done("one") {
		t.Errorf("without a copy: %v, migrated: %v", err, done("one"))
	}
	if err := s.migrate(t.Context(), steps(boom), copyTo(nil)); !errors.Is(err, boom) || done("one") || s.versionForTest(t) != was {
		t.Errorf("a step that fails: %v, first step there: %v", err, done("one"))
	}
	order = nil
	if err := s.migrate(t.Context(), steps(nil), copyTo(nil)); err != nil || !done("one") || !done("two") || s.versionForTest(t) != was+2 {
		t.Errorf("%v", err)
	}
	if !slices.Equal(order, []string{"copy", "one", "two"}) {
		t.Errorf("the order was %v", order)
	}
	if err := s.migrate(t.Context(), steps(nil), copyTo(boom)); err != nil {
		t.Errorf("a second time: %v", err)
	}
}
