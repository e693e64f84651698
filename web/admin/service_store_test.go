package admin_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/store"
	"scalelite/store/kv/boltkv"
	"scalelite/web/admin"
)

func TestGeneratedSecret(t *testing.T) {
	both(t, func(t *testing.T, w *world, s admin.Service) {
		ctx := t.Context()
		first, err := s.Secrets(ctx)
		if err != nil || !first.Generated || len(first.Secrets) != 1 || len(first.Secrets[0].Reveal()) < 32 {
			t.Fatalf("generated: %v, %v", first, err)
		}
		if again, err := s.Secrets(ctx); err != nil || !cmp.Equal(first, again) {
			t.Errorf("it changed, %v", err)
		}
		rotated, err := s.RotateSecret(ctx)
		if err != nil || !rotated.Generated || cmp.Equal(first, rotated) {
			t.Errorf("it did not change, %v", err)
		}
		if now, err := s.Secrets(ctx); err != nil || !cmp.Equal(rotated, now) {
			t.Errorf("the rotated secret is not the one now, %v", err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if !cmp.Equal([][]bbb.Secret{rotated.Secrets}, w.rotated) {
			t.Error("the server was not told the new secret")
		}
	})
}

func TestConfiguredSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "first", "second")
	for name, s := range map[string]admin.Service{"local": w.local, "socket": w.overSocket(w.local)} {
		got, err := s.Secrets(t.Context())
		if err != nil || !cmp.Equal(admin.Secrets{Secrets: []bbb.Secret{"first", "second"}}, got) {
			t.Errorf("%s: %v", name, err)
		}
		_, err = s.RotateSecret(t.Context())
		wantCode(t, err, admin.Conflict, "web.secrets")
	}
	w.local.SetConfiguredSecrets(nil)
	if got, err := w.local.Secrets(t.Context()); err != nil || !got.Generated {
		t.Errorf("after web.secrets was emptied: generated %v, %v", got.Generated, err)
	}
}

// A backup opens as a database that has what was acknowledged before it (T67).
func TestBackup(t *testing.T) {
	both(t, func(t *testing.T, _ *world, s admin.Service) {
		ctx := t.Context()
		if _, err := s.AddServer(ctx, balancer.NewServer{ID: "bbb1", URL: "bbb1.example.org", Secret: "s"}); err != nil {
			t.Fatal(err)
		}
		var copied bytes.Buffer
		if err := s.Backup(ctx, &copied); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "copy.db")
		if err := os.WriteFile(path, copied.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		engine, err := boltkv.Open(ctx, path, boltkv.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer engine.Close()
		restored, err := store.New(ctx, engine, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = restored.View(ctx, func(tx *store.Tx) error {
			_, err := tx.Server("bbb1")
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestBackupIntoAFullDisk(t *testing.T) {
	both(t, func(t *testing.T, _ *world, s admin.Service) {
		full := errors.New("no space left on device")
		err := s.Backup(t.Context(), failingWriter{full})
		if err == nil || !strings.Contains(err.Error(), full.Error()) {
			t.Errorf("got %v", err)
		}
	})
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

// What nobody foresaw is an internal error, by the same words on both ways.
func TestBrokenDatabase(t *testing.T) {
	both(t, func(t *testing.T, w *world, s admin.Service) {
		ctx := t.Context()
		if err := w.store.Close(); err != nil {
			t.Fatal(err)
		}
		for name, call := range map[string]func() error{
			"servers":  func() error { _, err := s.Servers(ctx); return err },
			"server":   func() error { _, err := s.Server(ctx, "x"); return err },
			"add":      func() error { _, err := s.AddServer(ctx, balancer.NewServer{URL: "h", Secret: "s"}); return err },
			"update":   func() error { _, err := s.UpdateServer(ctx, "x", balancer.ServerChange{}); return err },
			"remove":   func() error { return s.RemoveServer(ctx, "x") },
			"panic":    func() error { _, err := s.PanicServer(ctx, "x", balancer.PanicOptions{}); return err },
			"sync":     func() error { _, err := s.SyncServers(ctx, nil, balancer.SyncKeep, false); return err },
			"meetings": func() error { _, err := s.Meetings(ctx); return err },
			"end":      func() error { _, err := s.EndMeetings(ctx, nil); return err },
			"secrets":  func() error { _, err := s.Secrets(ctx); return err },
			"rotate":   func() error { _, err := s.RotateSecret(ctx); return err },
			"backup":   func() error { return s.Backup(ctx, &bytes.Buffer{}) },
		} {
			err := call()
			var e *admin.Error
			if !errors.As(err, &e) || e.Code != admin.Internal || e.Message == "" {
				t.Errorf("%s: got %v (%T), want an internal error", name, err, err)
			}
		}
	})
}
