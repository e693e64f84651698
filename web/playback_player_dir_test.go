package web

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"scalelite/store"
)

// installPlayer makes a directory as builds of BBB's player are.
func installPlayer(t testing.TB) string {
	t.Helper()
	outside := filepath.Join(t.TempDir(), "secret.js")
	dir := t.TempDir()
	for name, content := range map[string]string{
		"index.html": "<!DOCTYPE html><title>theirs</title>", "manifest.json": "{}", "static/js/main.0a1b2c3d.js": "theirs()" + strings.Repeat("//x\n", 1000), "logo.svg": "<svg/>",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(outside, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "escape.js")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestInstalledPlayer: its files are served below the player's path, and its
// page for every recording there is.
func TestInstalledPlayer(t *testing.T) {
	t.Parallel()
	installed, err := OpenPlayer(installPlayer(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = installed.Close() })
	s := newLibrary(t, func(o *settings) { o.player = installed })
	s.keep(recordingID, allFormats, nil)
	s.keep(otherID, allFormats, func(r *store.Recording) { r.State = store.Unpublished })
	for _, path := range []string{recordingID, recordingID + "/", recordingID + "?t=5s", recordingID + "/any/route"} {
		a := s.play("GET", playerPath+path)
		if a.status != 200 || !strings.Contains(a.body, "theirs") || a.header.Get("Content-Type") != "text/html; charset=utf-8" || a.header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %v %s", path, a.status, a.header, a.body)
		}
		if policy := a.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'self'; ") || !strings.HasSuffix(policy, "; frame-ancestors *") {
			t.Errorf("%s: %s", path, policy)
		}
	}
	script := s.play("GET", playerPath+"static/js/main.0a1b2c3d.js")
	if script.status != 200 || script.header.Get("Content-Type") != "text/javascript; charset=utf-8" || script.header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
		t.Errorf("%d %v", script.status, script.header)
	}
	packed := s.packed("GET", playerPath+"static/js/main.0a1b2c3d.js")
	z, err := gzip.NewReader(strings.NewReader(packed.body))
	if err != nil {
		t.Fatal(err)
	}
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(z); err != nil || plain.String() != script.body {
		t.Errorf("compressed it is another one: %v", err)
	}
	a := s.play("GET", playerPath+"manifest.json")
	if a.body != "{}" || a.header.Get("Cache-Control") != "no-cache" || a.header.Get("ETag") == "" {
		t.Errorf("%v", a)
	}
	if b := s.play("GET", playerPath+"manifest.json", "If-None-Match", a.header.Get("ETag")); b.status != http.StatusNotModified {
		t.Errorf("unchanged: %d", b.status)
	}
	for _, path := range []string{otherID, "unknown", "static/js/none.js", "escape.js", "static", "..%2fsecret.js", "index.html", "%00"} {
		s.play("GET", playerPath+path).wantNotFound(t, path)
	}
}

// TestInstalledPlayerIsThere: a directory that cannot be a player is a problem
// at the start.
func TestInstalledPlayerIsThere(t *testing.T) {
	t.Parallel()
	if p, err := OpenPlayer(""); p != nil || err != nil || p.Close() != nil {
		t.Errorf("none: %v %v", p, err)
	}
	for _, dir := range []string{filepath.Join(t.TempDir(), "none"), t.TempDir()} {
		if _, err := OpenPlayer(dir); err == nil || !strings.HasPrefix(err.Error(), "recordings.player_dir: ") {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
