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

	// callbacksHeld and callbacksHeldPerHost bound what is held in memory of what
	// is due: the rest waits in the store.
	callbacksHeld, callbacksHeldPerHost = 10_000, 1000
	// callbackRest is how many times as long as a look into the store took there
	// is none after it.
	callbackRest = 20
)

// callbackPauses follow the tries of a callback; the last one repeats.
var callbackPauses = [...]time.Duration{
	10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute,
	10 * time.Minute, 20 * time.Minute, 30 * time.Minute, time.Hour,
}

// storePauses follow the tries to store how a callback went; the last one repeats.
var storePauses = [...]time.Duration{10 * time.Second, 30 * time.Second, time.Minute}

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

	mu       sync.Mutex
	busy     map[string]bool          // IDs on their way
	host     map[string]int           // of those, per host
	held     map[string][]dueCallback // what is due, per host, the earliest first
	behind   bool                     // more was due than is held
	stale    bool                     // the store has what is not held
	soonest  time.Time                // when something else is due
	readable time.Time                // when the store may be looked into again
}

// NewOutbox returns an outbox; Run makes it work.
func NewOutbox(o OutboxOptions) *Outbox {
	if o.Now == nil {
		o.Now = time.Now
	}
	dialer := &net.Dialer{Timeout: callbackTimeout, Control: addressGuard(o.AllowPrivate)}
	return &Outbox{
		options: o, wake: make(chan struct{}, 1), busy: map[string]bool{}, host: map[string]int{}, stale: true,
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

// Wake has the outbox look for new callbacks.
func (o *Outbox) Wake() {
	o.mu.Lock()
	o.stale = true
	o.mu.Unlock()
	o.signal()
}

func (o *Outbox) signal() {
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
	for ctx.Err() == nil {
		if o.toRead() {
			o.read(ctx)
		}
		for c, ok := o.claim(); ok; c, ok = o.claim() {
			sending.Go(func() {
				o.release(c, o.deliver(ctx, c))
			})
		}
		timer := time.NewTimer(o.pause())
		select {
		case <-timer.C:
		case <-o.wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

func callbackHost(c store.Callback) string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return ""
	}
	return u.Host
}
