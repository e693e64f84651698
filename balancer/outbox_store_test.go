package balancer_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/store"
	"scalelite/store/kv"
	"scalelite/store/kv/boltkv"
)

// fullDisk is a database that takes nothing while it is full.
type fullDisk struct {
	kv.Engine
	full atomic.Bool
}

func (d *fullDisk) Update(ctx context.Context, fn func(kv.Tx) error) error {
	if d.full.Load() {
		return errors.New("no space left on device")
	}
	return d.Engine.Update(ctx, fn)
}

// A callback whose outcome cannot be stored is sent again, but not without
// pause; a stop does not wait for it.
func TestFullDiskDoesNotFloodTheFrontEnd(t *testing.T) {
	t.Parallel()
	engine, err := boltkv.Open(t.Context(), filepath.Join(t.TempDir(), "full.db"), boltkv.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	disk := &fullDisk{Engine: engine}
	s, err := store.New(t.Context(), disk, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	front := newFrontEnd(t)
	p := &post{t: t, log: &logged{}}
	start := func() {
		p.Outbox = balancer.NewOutbox(balancer.OutboxOptions{
			Store: s, Secrets: func() []bbb.Secret { return []bbb.Secret{"one"} }, AllowPrivate: true, Log: slog.New(slog.NewTextHandler(p.log, nil)),
		})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); p.Run(ctx) }()
		p.stop = func() { cancel(); <-done }
	}
	if err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.AddCallback(callback(front.URL, "one", "rec")) }); err != nil {
		t.Fatal(err)
	}
	disk.full.Store(true)
	start()
	p.await("the outcome is lost", func() bool { return strings.Contains(p.log.String(), "could not be stored") })
	for range 50 {
		p.Wake()
		time.Sleep(2 * time.Millisecond)
	}
	p.stop()
	if got := len(front.calls()); got != 1 {
		t.Errorf("%d calls while the disk was full, want 1", got)
	}
	disk.full.Store(false)
	start()
	defer p.stop()
	p.await("the callback is done", func() bool { return len(p.pending()) == 0 })
	if got := len(front.calls()); got != 2 {
		t.Errorf("%d calls, want 2", got)
	}
}
