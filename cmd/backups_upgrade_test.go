package cmd

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"scalelite/balancer"
	"scalelite/cmd/config"
	"scalelite/store"
	"scalelite/store/kv"
	"scalelite/store/kv/boltkv"
)

// oldDatabase unpacks the database of an earlier schema.
func oldDatabase(t *testing.T, schema int, path string) {
	t.Helper()
	packed, err := os.ReadFile(fmt.Sprintf("../store/testdata/schema%d.db.gz", schema))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o640); err != nil {
		t.Fatal(err)
	}
}

func openAt(t *testing.T, path string, log *slog.Logger) (*core, error) {
	t.Helper()
	l := &config.Loaded{Config: config.Default()}
	l.Config.Store.Path = path
	c, err := openCore(t.Context(), l, log, balancer.Hooks{})
	if err == nil {
		t.Cleanup(func() { _ = c.close() })
	}
	return c, err
}

// schemaOf reads the version out of a database file without touching it.
func schemaOf(t *testing.T, path string) (version int) {
	t.Helper()
	engine, err := boltkv.Open(context.Background(), path, boltkv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	err = engine.View(t.Context(), func(tx kv.Tx) error {
		b, err := tx.Get(schemaKey)
		if err != nil {
			return err
		}
		return json.Unmarshal(b, &version)
	})
	if err != nil {
		t.Fatal(err)
	}
	return version
}

var schemaKey = kv.NewKey("meta").String("version")

// T59: an upgrade keeps the former database and says how to go back to it; who
// goes back without that is told, and what it says works.
func TestUpgradeAndBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "scalelite.db")
	former := path + ".schema-1"
	oldDatabase(t, 1, path)
	if err := os.WriteFile(former, []byte("of an upgrade long ago"), 0o640); err != nil {
		t.Fatal(err)
	}
	// What processes left that were killed while they copied.
	for _, killed := range []string{".scalelite.db.schema-1.1234567890", ".scalelite.db.schema-1.17"} {
		if err := os.WriteFile(filepath.Join(dir, killed), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	c, err := openAt(t, path, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"from=1", fmt.Sprintf("to=%d", store.SchemaVersion()), "scalelite restore " + former} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("the log has no %q: %s", part, log.String())
		}
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	if a, b := schemaOf(t, former), schemaOf(t, path); a != 1 || b != store.SchemaVersion() {
		t.Errorf("the copy has schema %d, the database %d", a, b)
	}
	if found, _ := os.ReadDir(dir); len(found) != 2 {
		t.Errorf("left behind: %v", found)
	}

	// The database as a later program would leave it.
	engine, err := boltkv.Open(t.Context(), path, boltkv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	newer := fmt.Sprint(store.SchemaVersion() + 1)
	if err := engine.Update(t.Context(), func(tx kv.Tx) error { return tx.Put(schemaKey, []byte(newer)) }); err != nil {
		t.Fatal(err)
	}
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = openAt(t, path, slog.New(slog.DiscardHandler))
	if err == nil {
		t.Fatal("a newer database was opened")
	}
	for _, part := range []string{"schema is " + newer, fmt.Sprintf("up to %d", store.SchemaVersion()), "scalelite restore " + former} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error has no %q: %v", part, err)
		}
	}
	s := newSession(t, &pool{noService: true})
	s.deps.verify = verifyDatabase
	s.deps.open = openLocal
	writeConfig(t, s, "[store]\npath = \""+path+"\"\n")
	if r := s.run("", "doctor", "--only", "database"); r.code != exitFailure || !strings.Contains(r.out, "scalelite restore "+former+"\n") {
		t.Errorf("doctor: %+v", r)
	}
	newerCopy := filepath.Join(dir, "newer.db")
	if b, err := os.ReadFile(path); err != nil || os.WriteFile(newerCopy, b, 0o600) != nil {
		t.Fatal(err)
	}
	s.run("", "restore", newerCopy, "--yes").wantFail(t, exitFailure, "cannot be restored", "newer version")
	s.ok("restore", former, "--yes")
	if _, err := openAt(t, path, slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	}
}

// A disk without room for the copy stops the upgrade, and changes nothing.
func TestNoUpgradeWithoutACopy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "scalelite.db")
	oldDatabase(t, 1, path)
	if err := os.MkdirAll(path+".schema-1/in the way", 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := openAt(t, path, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "copy the database before the upgrade") {
		t.Fatal(err)
	}
	if v := schemaOf(t, path); v != 1 {
		t.Errorf("it has schema %d", v)
	}
}

func TestCommandsOnlyTellOfUpgrades(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(onlyUpgrades{slog.NewTextHandler(&out, nil)}).With("component", "x").WithGroup("g")
	log.Error("something else")
	if out.Len() > 0 {
		t.Errorf("%s", out.String())
	}
	if log.Warn(upgraded, "copy", "file"); !strings.Contains(out.String(), "file") {
		t.Errorf("%s", out.String())
	}
}
