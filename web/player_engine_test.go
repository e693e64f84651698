package web

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// engineResult is what came of one test in the browser; an empty failure is
// success.
type engineResult struct{ Name, Failure string }

// TestPlayerEngine runs the modules of the player that know nothing of the page
// in a browser: loading, looking up, drawing. The tests are in testdata/player.
func TestPlayerEngine(t *testing.T) {
	t.Parallel()
	results := make(chan []engineResult, 1)
	mux := http.NewServeMux()
	mux.Handle("/player/", http.StripPrefix("/player/", http.FileServer(http.Dir("player"))))
	mux.Handle("/", http.FileServer(http.Dir(filepath.Join("testdata", "player"))))
	mux.HandleFunc("POST /result", func(w http.ResponseWriter, r *http.Request) {
		var got []engineResult
		if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&got); err != nil {
			t.Errorf("results: %v", err)
		}
		results <- got
	})
	server := httptest.NewServer(withEnginePolicy(mux))
	defer server.Close()

	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	said := openBrowser(t, ctx, server.URL+"/")
	var got []engineResult
	select {
	case got = <-results:
	case <-ctx.Done():
		cancel()
		t.Fatalf("no results from the browser: %s", said())
	}
	if len(got) < 58 {
		t.Errorf("%d tests ran, want all of them", len(got))
	}
	for _, r := range got {
		t.Run(r.Name, func(t *testing.T) {
			if r.Failure != "" {
				t.Error(r.Failure)
			}
		})
	}
}

// withEnginePolicy lets the modules do no more than the player's page will: what
// sets a style in a text, or loads from elsewhere, does nothing.
func withEnginePolicy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// openBrowser opens a page without a window until the test ends, and returns
// what the browser said of itself, to be called when the context is done.
func openBrowser(t *testing.T, ctx context.Context, address string) func() string {
	t.Helper()
	dir, err := os.MkdirTemp("", "browser")
	if err != nil {
		t.Fatal(err)
	}
	said, err := os.Create(filepath.Join(dir, "said"))
	if err != nil {
		t.Fatal(err)
	}
	browser := exec.CommandContext(ctx, findBrowser(t), "--headless=new", "--no-sandbox", "--disable-gpu",
		"--no-first-run", "--disable-dev-shm-usage", "--disable-extensions", "--user-data-dir="+filepath.Join(dir, "profile"), address)
	browser.Stdout, browser.Stderr = said, said
	browser.WaitDelay = 10 * time.Second
	if err := browser.Start(); err != nil {
		t.Fatalf("browser: %v", err)
	}
	ended := make(chan struct{})
	go func() { _ = browser.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = browser.Process.Kill()
		<-ended
		_ = said.Close()
		_ = os.RemoveAll(dir)
	})
	return func() string {
		<-ended
		text, _ := os.ReadFile(said.Name())
		return string(text)
	}
}

// findBrowser names the browser that tests use; without one, the test is
// skipped, but for where everything has to be there.
func findBrowser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("no browser: install chromium")
	}
	t.Skip("no browser: install chromium to run this test")
	return ""
}
