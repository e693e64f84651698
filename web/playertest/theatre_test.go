package playertest

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/recordings"
	"scalelite/recordings/recordingtest"
	"scalelite/store"
	"scalelite/store/kv/boltkv"
	"scalelite/web"
)

// theatre is the real server with recordings.
type theatre struct {
	t       testing.TB
	url     string
	store   *store.Store
	library *recordings.Library
	spool   string
	server  http.Handler

	mu       sync.Mutex
	disturbs func(http.ResponseWriter, *http.Request) bool
}

// newTheatre starts a server; change is made to its configuration.
func newTheatre(t testing.TB, change func(*web.Config, *recordings.Config)) *theatre {
	t.Helper()
	ctx := context.Background()
	engine, err := boltkv.Open(ctx, filepath.Join(t.TempDir(), "scalelite.db"), boltkv.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.New(ctx, engine, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	webConfig, recConfig := web.DefaultConfig(), recordings.DefaultConfig().Below(t.TempDir())
	recConfig.MinFree = "1MB"
	if change != nil {
		change(&webConfig, &recConfig)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	h := &theatre{t: t, store: s, spool: recConfig.SpoolDir}
	h.library, err = recordings.Open(ctx, recordings.Options{Store: s, Config: recConfig, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.library.Close(); err != nil {
			t.Error(err)
		}
	})
	spool, err := recordings.NewSpool(recordings.SpoolOptions{Config: recConfig, Importer: h.library, Store: s, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	h.run(spool.Run)
	limits := bbb.ClientConfig{ConnectTimeout: time.Second, ResponseTimeout: time.Second}
	pool, err := balancer.New(ctx, balancer.Options{
		Store: s, Client: bbb.NewClient(bbb.NewTransport(limits), limits), Config: balancer.DefaultConfig(), Algorithm: bbb.SHA256, Log: log, Recordings: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	h.listen(web.New(web.Options{
		Config: webConfig, Version: "test", Pool: pool, Secrets: []bbb.Secret{"a-secret-for-tests"},
		Store: s, Library: h.library, Spool: spool, Recordings: recConfig, Health: s.Healthy, Log: log,
	}))
	return h
}

// run runs something until the test ends.
func (h *theatre) run(fn func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { fn(ctx) })
	h.t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// listen answers on this machine what the server answers, unless somebody
// disturbs it.
func (h *theatre) listen(server *web.Server) {
	h.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	h.url, h.server = "http://"+ln.Addr().String(), server.Handler()
	front := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		disturbs := h.disturbs
		h.mu.Unlock()
		if disturbs == nil || !disturbs(w, r) {
			h.server.ServeHTTP(w, r)
		}
	})}
	served := make(chan error, 1)
	go func() { served <- front.Serve(ln) }()
	h.t.Cleanup(func() {
		_ = front.Close()
		<-served
	})
}

// disturb lets a function see each request first: true means that it answered.
func (h *theatre) disturb(fn func(http.ResponseWriter, *http.Request) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.disturbs = fn
}

// make makes a recording.
func (h *theatre) make(o recordingtest.Options) *recordingtest.Recording {
	h.t.Helper()
	r, err := recordingtest.Make(h.t.Context(), studio(h.t), o)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// show makes a recording and brings it in through the spool.
func (h *theatre) show(o recordingtest.Options) *recordingtest.Recording {
	h.t.Helper()
	r := h.make(o)
	h.bring(r)
	return r
}

// bring puts the tarball of a recording into the spool as rsync does, and waits
// until it is imported.
func (h *theatre) bring(r *recordingtest.Recording) {
	h.t.Helper()
	temporary := filepath.Join(h.spool, "."+r.ID+".tar.Xa81kq")
	f, err := os.Create(temporary)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := r.WriteTar(f); err != nil {
		h.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Rename(temporary, filepath.Join(h.spool, r.ID+".tar")); err != nil {
		h.t.Fatal(err)
	}
	h.eventually("an imported "+r.ID, func() bool {
		failed, _ := filepath.Glob(filepath.Join(filepath.Dir(h.spool), "*failed*", "*.txt"))
		for _, name := range failed {
			if why, err := os.ReadFile(name); err == nil && strings.Contains(name, r.ID) {
				h.t.Fatalf("not imported: %s", why)
			}
		}
		err := h.store.View(h.t.Context(), func(tx *store.Tx) error {
			_, err := tx.Recording(r.ID)
			return err
		})
		return err == nil
	})
}

// eventually waits for a condition.
func (h *theatre) eventually(what string, fn func() bool) {
	h.t.Helper()
	for end := time.Now().Add(2 * time.Minute); !fn(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("never: %s", what)
		}
	}
}
