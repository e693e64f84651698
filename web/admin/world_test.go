package admin_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/store"
	"scalelite/store/kv/boltkv"
	"scalelite/web/admin"
)

// world is a pool on a database on disk, as the daemon has it.
type world struct {
	t     *testing.T
	pool  *balancer.Balancer
	store *store.Store
	local *admin.Local
	log   *logBuffer

	mu      sync.Mutex
	rotated [][]bbb.Secret // what OnSecrets was told
}

func newWorld(t *testing.T, configured ...bbb.Secret) *world {
	t.Helper()
	ctx := t.Context()
	engine, err := boltkv.Open(ctx, filepath.Join(t.TempDir(), "test.db"), boltkv.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, log: &logBuffer{}}
	if w.store, err = store.New(ctx, engine, store.Options{}); err != nil {
		t.Fatal(err)
	}
	limits := bbb.ClientConfig{ConnectTimeout: 2 * time.Second, ResponseTimeout: 2 * time.Second}
	transport := bbb.NewTransport(limits)
	w.pool, err = balancer.New(ctx, balancer.Options{
		Store: w.store, Client: bbb.NewClient(transport, limits), Config: balancer.DefaultConfig(),
		Algorithm: bbb.SHA256, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.pool.Close()
		transport.CloseIdleConnections()
		if err := w.store.Check(context.Background()); err != nil && !w.closed() {
			t.Errorf("the indexes differ from the data: %v", err)
		}
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	w.local = admin.NewLocal(admin.LocalOptions{
		Pool: w.pool, Store: w.store, ConfiguredSecrets: configured,
		Info: admin.Info{Version: "1.2.3", Daemon: true, Started: "2026-11-22T08:00:00Z", Listen: ":3000", Host: "lb.example.org"},
		OnSecrets: func(s []bbb.Secret) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.rotated = append(w.rotated, s)
		},
	})
	return w
}

func (w *world) closed() bool {
	return w.store.View(context.Background(), func(*store.Tx) error { return nil }) != nil
}

// overSocket serves s on a unix socket as the daemon does, and returns a client.
func (w *world) overSocket(s admin.Service) *admin.Client {
	w.t.Helper()
	path := socketPath(w.t)
	ln, err := admin.Listen(path, "")
	if err != nil {
		w.t.Fatal(err)
	}
	serve(w.t, ln, s, w.log)
	return admin.NewClient(path)
}

// serve serves s until the test ends.
func serve(t *testing.T, ln net.Listener, s admin.Service, log *logBuffer) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	handler := admin.NewHandler(s, admin.HandlerOptions{Log: slog.New(slog.NewTextHandler(log, nil)), Version: "1.2.3"})
	go func() { done <- admin.Serve(ctx, ln, handler) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

// socketPath is short enough wherever the test's own directory is.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "adm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "admin.sock")
}

// both runs a test against the Service in the process and against the one over
// the socket: nobody may be able to tell them apart.
func both(t *testing.T, test func(t *testing.T, w *world, s admin.Service)) {
	t.Helper()
	t.Run("local", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		test(t, w, w.local)
	})
	t.Run("socket", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		test(t, w, w.overSocket(w.local))
	})
}

// online adds a simulated BBB server to the pool, enabled and polled.
func (w *world) online(id string) *bbbtest.Server {
	w.t.Helper()
	b := bbbtest.Start(w.t, bbbtest.Options{Name: id})
	_, err := w.local.AddServer(w.t.Context(), balancer.NewServer{ID: id, URL: b.URL(), Secret: bbb.Secret(b.Secret()), Enable: true})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.local.Poll(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) create(id string) {
	w.t.Helper()
	var p bbb.Params
	p.Set("meetingID", id)
	p.Set("name", "Lesson "+id)
	reply, err := w.pool.Create(w.t.Context(), balancer.Request{Call: "create", Params: p})
	if err != nil || !reply.OK {
		w.t.Fatalf("create %s: %v %s", id, err, reply.Body)
	}
}

func (w *world) meetings() []string {
	w.t.Helper()
	all, err := w.local.Meetings(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	ids := []string{}
	for _, m := range all {
		ids = append(ids, m.ID)
	}
	return ids
}

// wantCode checks that err is an *admin.Error of this code, and that its message
// has all of these parts.
func wantCode(t *testing.T, err error, code admin.Code, parts ...string) {
	t.Helper()
	var e *admin.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %v (%T), want an error %s", err, err, code)
	}
	for _, part := range parts {
		if !bytes.Contains([]byte(e.Message), []byte(part)) {
			t.Errorf("message %q does not tell %q", e.Message, part)
		}
	}
}

func ptr[T any](v T) *T { return &v }

// logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
