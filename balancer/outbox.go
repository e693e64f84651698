package balancer

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// Bounds of sending callbacks.
const (
	callbackTimeout = 15 * time.Second
	callbackWindow  = 24 * time.Hour      // how long a callback is tried
	callbackKept    = 30 * 24 * time.Hour // how long one that was given up stays visible
	callbackWorkers = 32                  // callbacks on their way at once
	callbacksPerURL = 2                   // of those, to one host
	callbackBody    = 64 << 10            // bytes that are read of an answer
	callbackIdle    = 10 * time.Minute    // longest sleep of the outbox
)

// callbackPauses follow the tries of a callback; the last one repeats.
var callbackPauses = [...]time.Duration{
	10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute,
	10 * time.Minute, 20 * time.Minute, 30 * time.Minute, time.Hour,
}

// OutboxOptions are what an Outbox needs.
type OutboxOptions struct {
	Store *store.Store
	// Secrets returns those that the front-ends sign with.
	Secrets func() []bbb.Secret
	// HS512 signs with SHA-512 because nothing weaker is accepted.
	HS512 bool
	// AllowPrivate lets callbacks go to loopback and private networks. Link-local
	// addresses, where clouds keep their metadata, are never called.
	AllowPrivate bool
	UserAgent    string
	Log          *slog.Logger
	Now          func() time.Time // nil: time.Now
}

// Outbox tells front-ends that recordings are ready. A callback is stored in the
// same transaction as what it tells of, and tried until the front-end took it,
// refused it for good, or a day has passed; then it stays visible.
type Outbox struct {
	options OutboxOptions
	client  *http.Client
	wake    chan struct{}

	mu   sync.Mutex
	busy map[string]bool // IDs on their way
	host map[string]int  // of those, per host
}

// NewOutbox returns an outbox; Run makes it work.
func NewOutbox(o OutboxOptions) *Outbox {
	if o.Now == nil {
		o.Now = time.Now
	}
	dialer := &net.Dialer{Timeout: callbackTimeout, Control: addressGuard(o.AllowPrivate)}
	return &Outbox{
		options: o, wake: make(chan struct{}, 1), busy: map[string]bool{}, host: map[string]int{},
		client: &http.Client{
			Timeout:       callbackTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy: nil, DialContext: dialer.DialContext, DisableCompression: true,
				TLSHandshakeTimeout: callbackTimeout, MaxIdleConnsPerHost: callbacksPerURL, IdleConnTimeout: time.Minute,
				MaxResponseHeaderBytes: callbackBody,
			},
		},
	}
}

// Wake has the outbox look for new callbacks now.
func (o *Outbox) Wake() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// Run sends what is due until ctx ends, and returns when the last callback on
// its way is decided.
func (o *Outbox) Run(ctx context.Context) {
	var sending sync.WaitGroup
	defer sending.Wait()
	defer o.client.CloseIdleConnections()
	for {
		pause, err := o.sendDue(ctx, &sending)
		if err != nil && ctx.Err() == nil {
			o.options.Log.Error("callbacks could not be read", "cause", err)
			pause = callbackPauses[0]
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-o.wake:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// sendDue starts what is due and returns how long nothing else is.
func (o *Outbox) sendDue(ctx context.Context, sending *sync.WaitGroup) (time.Duration, error) {
	now := o.options.Now()
	var due []store.Callback
	pause := callbackIdle
	err := o.options.Store.View(ctx, func(tx *store.Tx) error {
		due, pause = nil, callbackIdle
		room := map[string]int{}
		for c, err := range tx.DueCallbacks() {
			switch {
			case err != nil:
				return err
			case c.Next.After(now):
				pause = min(pause, c.Next.Sub(now))
				return nil
			}
			// No more of one host than can be sent now: many that are due to a slow
			// one must not hide the others behind them.
			if host := callbackHost(c); room[host] < 2*callbacksPerURL {
				room[host]++
				due = append(due, c)
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, c := range due {
		if o.claim(c) {
			sending.Go(func() {
				o.deliver(ctx, c)
				o.release(c)
			})
		}
	}
	return pause, nil
}

// claim takes a callback on its way, if there is room for it.
func (o *Outbox) claim(c store.Callback) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	host := callbackHost(c)
	if o.busy[c.ID] || len(o.busy) >= callbackWorkers || o.host[host] >= callbacksPerURL {
		return false
	}
	o.busy[c.ID] = true
	o.host[host]++
	return true
}

// release gives the room back and has the next one looked for.
func (o *Outbox) release(c store.Callback) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.busy, c.ID)
	host := callbackHost(c)
	if o.host[host]--; o.host[host] <= 0 {
		delete(o.host, host)
	}
	o.Wake()
}

func callbackHost(c store.Callback) string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return ""
	}
	return u.Host
}
