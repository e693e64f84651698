package balancer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
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
	full    atomic.Bool
	refused atomic.Int64
}

func (d *fullDisk) Update(ctx context.Context, fn func(kv.Tx) error) error {
	if d.full.Load() {
		d.refused.Add(1)
		return errors.New("no space left on device")
	}
	return d.Engine.Update(ctx, fn)
}

// A front-end that has answered is not called again because that cannot be
// stored, however long: only after a restart, of which it does not hold up the
// stop.
func TestFullDiskDoesNotFloodTheFrontEnd(t *testing.T) {
	t.Parallel()
	front := newFrontEnd(t)
	front.Config.SetKeepAlivesEnabled(false) // the clock stands still while somebody listens
	synctest.Test(t, func(t *testing.T) {
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
		add := func(record string) {
			err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.AddCallback(callback(front.URL, "one", record)) })
			if err != nil {
				t.Fatal(err)
			}
		}
		expect := func(when string, calls, pending int) {
			t.Helper()
			if got := len(front.calls()); got != calls || len(p.pending()) != pending {
				t.Errorf("%s: %d calls, want %d; %d pending, want %d", when, got, calls, len(p.pending()), pending)
			}
		}
		add("rec")
		disk.full.Store(true)
		start()
		for range 24 {
			time.Sleep(time.Hour)
			p.Wake()
		}
		expect("a day with a full disk", 1, 1)
		if n := strings.Count(p.log.String(), "could not be stored"); n != 1 || disk.refused.Load() > 25*60 {
			t.Errorf("%d lines in the log, want 1; %d tries to store", n, disk.refused.Load())
		}
		disk.full.Store(false)
		time.Sleep(2 * time.Minute)
		expect("when there is room again", 1, 0)

		add("another")
		disk.full.Store(true)
		p.Wake()
		time.Sleep(time.Hour)
		began := time.Now()
		p.stop()
		if took := time.Since(began); took > 0 {
			t.Errorf("the stop took %s", took)
		}
		expect("a stop", 2, 1)
		disk.full.Store(false)
		start()
		defer p.stop()
		time.Sleep(time.Minute)
		expect("a restart", 3, 0)
	})
}

// countedReads is a database that counts what is read by key.
type countedReads struct {
	kv.Engine
	gets atomic.Int64
}

func (d *countedReads) View(ctx context.Context, fn func(kv.Tx) error) error {
	return d.Engine.View(ctx, func(tx kv.Tx) error { return fn(&countedTx{tx, d}) })
}

type countedTx struct {
	kv.Tx
	of *countedReads
}

func (tx *countedTx) Get(key []byte) ([]byte, error) {
	tx.of.gets.Add(1)
	return tx.Tx.Get(key)
}

// A front-end that was away gets each of many callbacks once, and they are not
// all read again for each.
func TestManyCallbacksAreSentOnceEach(t *testing.T) {
	t.Parallel()
	const many = 3000
	engine, err := boltkv.Open(t.Context(), filepath.Join(t.TempDir(), "many.db"), boltkv.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	reads := &countedReads{Engine: engine}
	s, err := store.New(t.Context(), reads, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	front := newFrontEnd(t)
	err = s.Update(t.Context(), func(tx *store.Tx) error {
		for i := range many {
			if err := tx.AddCallback(callback(front.URL, "one", fmt.Sprint("rec-", i))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &post{t: t, log: &logged{}}
	p.Outbox = balancer.NewOutbox(balancer.OutboxOptions{
		Store: s, Secrets: func() []bbb.Secret { return []bbb.Secret{"one"} }, AllowPrivate: true, Log: slog.New(slog.NewTextHandler(p.log, nil)),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	p.await("all are sent", func() bool { return len(front.calls()) >= many && len(p.pending()) == 0 })
	cancel()
	<-done
	told := map[string]bool{}
	for _, token := range front.calls() {
		told[fmt.Sprint(claims(t, token, "one", "HS256")["record_id"])] = true
	}
	if calls := len(front.calls()); calls != many || len(told) != many {
		t.Errorf("%d calls about %d recordings, want %d of each", calls, len(told), many)
	}
	// Each is read when it is sent, and about three times before: a thousand are
	// held at a time.
	if n := reads.gets.Load(); n > 8*many {
		t.Errorf("%d reads for %d callbacks", n, many)
	}
}

// Many that are due to a host that does not answer hide nobody.
func TestOneHostDoesNotHoldUpOthers(t *testing.T) {
	t.Parallel()
	p := newPost(t, []bbb.Secret{"one"})
	hang := make(chan struct{})
	slow := newFrontEnd(t)
	slow.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang })
	defer close(hang)
	err := p.db.Update(t.Context(), func(tx *store.Tx) error {
		for i := range 3000 {
			if err := tx.AddCallback(callback(slow.URL, "one", fmt.Sprint("rec-", i))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Wake()
	front := newFrontEnd(t)
	for i := range 3 {
		p.add(callback(front.URL, "one", fmt.Sprint("other-", i)))
	}
	p.await("the others are told", func() bool { return len(front.calls()) == 3 })
}
