package balancer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// forgetAfter is how old a meeting must be before it counts as over because a
// poll does not see it.
const forgetAfter = 60 * time.Second

// backgroundTimeout limits an end that is sent to a server on our own account.
const backgroundTimeout = 30 * time.Second

// Options of New. All but Hooks and Now are needed.
type Options struct {
	Store  *store.Store
	Client *bbb.Client
	Config Config
	// Algorithm signs what is sent to the servers.
	Algorithm bbb.Algorithm
	// Recordings: they come in here, so that front-ends are told by us when one
	// is ready and not by the servers.
	Recordings bool
	Log        *slog.Logger
	Now        func() time.Time // nil: time.Now
	Hooks      Hooks
}

// Hooks are told what happens, for metrics. They must return at once; nil ones
// are left out.
type Hooks struct {
	// Placed: a server took a meeting at the attempt-th try, counted from 1.
	Placed func(server string, attempt int)
	// Polled: a poll of a server ended; err is nil if it was good.
	Polled func(server string, took time.Duration, err error)
}

// Balancer is the pool as one BBB server. Run polls the servers; without it
// everything else works on what is known. Close waits for what it started.
type Balancer struct {
	store  *store.Store
	client *bbb.Client
	log    *slog.Logger
	now    func() time.Time
	hooks  Hooks
	algo   bbb.Algorithm
	config atomic.Pointer[Config]

	recordings bool

	pool    *Pool
	creates keyLock
	recent  recentEnds
	strays  strays

	refreshing sync.Mutex // orders what comes from the store into the pool
	rounds     sync.Mutex // one round of polls at a time
	kicks      chan string

	background sync.WaitGroup
	ctx        context.Context // of the background work, ended by Close
	cancel     context.CancelFunc
}

// New restores the pool from the store: state, health and load are there before
// the first poll.
func New(ctx context.Context, o Options) (*Balancer, error) {
	b := &Balancer{
		store: o.Store, client: o.Client, log: o.Log, now: o.Now, hooks: o.Hooks, algo: o.Algorithm,
		recordings: o.Recordings,
		pool:       NewPool(o.Config.loadRule(), o.Config.TagFallback == FallbackAny),
		kicks:      make(chan string, 256),
	}
	if b.now == nil {
		b.now = time.Now
	}
	b.config.Store(&o.Config)
	b.ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := b.restore(ctx); err != nil {
		b.cancel()
		return nil, fmt.Errorf("restore the pool: %w", err)
	}
	return b, nil
}

// Close ends the background work and waits for it.
func (b *Balancer) Close() {
	b.cancel()
	b.background.Wait()
}

// Pool returns the soft state.
func (b *Balancer) Pool() *Pool { return b.pool }

// Reconfigure changes the configuration for what comes from now on. The limits
// of the client (connect_timeout, response_timeout) stay as they are.
func (b *Balancer) Reconfigure(c Config) {
	b.config.Store(&c)
	b.pool.Configure(c.loadRule(), c.TagFallback == FallbackAny)
}

func (b *Balancer) cfg() *Config { return b.config.Load() }

func (b *Balancer) restore(ctx context.Context) error {
	return b.store.View(ctx, func(tx *store.Tx) error {
		for s, err := range tx.Servers() {
			if err != nil {
				return err
			}
			st, err := tx.Status(s.ID)
			if err != nil {
				return err
			}
			bound, err := store.Collect(tx.MeetingsOf(s.ID))
			if err != nil {
				return err
			}
			b.pool.Restore(s, st, bound, b.now())
		}
		return nil
	})
}

// refresh brings the pool up to date with the records of a server.
func (b *Balancer) refresh(ctx context.Context, id string) error {
	b.refreshing.Lock()
	defer b.refreshing.Unlock()
	var s store.Server
	var st store.Status
	err := b.store.View(ctx, func(tx *store.Tx) (err error) {
		if s, err = tx.Server(id); err != nil {
			return err
		}
		st, err = tx.Status(id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		b.pool.Remove(id)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read server %s: %w", id, err)
	}
	b.pool.Set(s, st)
	return nil
}

// inBackground runs fn in the background; Close ends its context and waits for it.
func (b *Balancer) inBackground(fn func(ctx context.Context)) {
	b.background.Go(func() {
		ctx, cancel := context.WithTimeout(b.ctx, backgroundTimeout)
		defer cancel()
		fn(ctx)
	})
}

// endpoint is how a server is called.
func (b *Balancer) endpoint(s store.Server) bbb.Endpoint {
	return bbb.Endpoint{URL: s.API, Secret: s.Secret, Algorithm: b.algo}
}
