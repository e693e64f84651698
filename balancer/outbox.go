package balancer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/golang-jwt/jwt/v5"

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

// errForbiddenAddress is why a connection was not made.
var errForbiddenAddress = errors.New("callbacks to this address are not allowed")

// addressGuard refuses addresses after the name was resolved, so that no name
// leads around it.
func addressGuard(allowPrivate bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		ip := at.Addr().Unmap()
		switch {
		case ip.IsLinkLocalUnicast(), ip.IsMulticast(), ip.IsUnspecified():
			return fmt.Errorf("%w: %s", errForbiddenAddress, ip)
		case !allowPrivate && (ip.IsPrivate() || ip.IsLoopback()):
			return fmt.Errorf("%w: %s; web.callback_allow_private would allow it", errForbiddenAddress, ip)
		}
		return nil
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

// deliver tries a callback once and stores how it went. A stop in between costs
// nothing: it is tried again.
func (o *Outbox) deliver(ctx context.Context, c store.Callback) {
	status, err := o.send(ctx, c)
	if ctx.Err() != nil && err != nil {
		return
	}
	c.Tries++
	c.Status, c.Error = status, ""
	if err != nil {
		c.Error = err.Error()
	}
	now := o.options.Now()
	if c.GiveUp.IsZero() {
		c.GiveUp = c.Created.Add(callbackWindow)
	}
	done := status/100 == 2 || status == http.StatusNotFound || status == http.StatusGone
	c.Next = nextTry(c, now)
	err = o.options.Store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if _, err := tx.Callback(c.ID); err != nil { // dropped meanwhile
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			return err
		}
		if done {
			return tx.DeleteCallback(c.ID)
		}
		return tx.PutCallback(c)
	})
	o.report(c, done, err)
	if err != nil {
		// It is still due: without a pause, a database that takes nothing would
		// have the front-end called without end.
		rest(ctx, callbackPauses[0])
	}
}

// rest waits, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// nextTry returns when to try again, zero to give up.
func nextTry(c store.Callback, now time.Time) time.Time {
	pause := callbackPauses[min(c.Tries, len(callbackPauses))-1]
	pause += rand.N(pause/5 + 1)
	next := now.Add(pause)
	if next.After(c.GiveUp) {
		return time.Time{}
	}
	return next
}

func (o *Outbox) report(c store.Callback, done bool, stored error) {
	log := o.options.Log.With("callback", c.ID, "recording", c.RecordID, "host", callbackHost(c), "status", c.Status)
	switch {
	case stored != nil:
		log.Error("callback's outcome could not be stored; it is sent again", "cause", stored)
	case done && c.Status/100 == 2:
		log.Info("front-end was told that a recording is ready")
	case done:
		log.Warn("front-end does not want to be told of a recording")
	case c.Failed():
		log.Error("callback was given up; see 'scalelite callbacks'", "cause", c.Error, "tries", c.Tries)
	default:
		log.Warn("callback failed and is tried again", "cause", c.Error, "tries", c.Tries, "next", c.Next)
	}
}

// send posts the signed claims, as BBB's own post-publish script does.
func (o *Outbox) send(ctx context.Context, c store.Callback) (status int, err error) {
	target, err := url.Parse(c.URL)
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return 0, errors.New("the URL is none that can be called")
	}
	token, err := o.sign(c)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, callbackTimeout)
	defer cancel()
	body := url.Values{"signed_parameters": {token}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, strings.NewReader(body))
	if err != nil {
		return 0, errors.New("the URL is none that can be called")
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("User-Agent", o.options.UserAgent)
	response, err := o.client.Do(request)
	if err != nil {
		return 0, withoutURL(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, callbackBody))
	if response.StatusCode/100 != 2 {
		return response.StatusCode, fmt.Errorf("the front-end answered %s", response.Status)
	}
	return response.StatusCode, nil
}

// withoutURL strips the URL, which may hold a secret of the front-end, from an
// error of net/http.
func withoutURL(err error) error {
	if e := (*url.Error)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// sign makes the token, with the secret that signed the create; if that is gone,
// with the first one.
func (o *Outbox) sign(c store.Callback) (string, error) {
	secrets := o.options.Secrets()
	if len(secrets) == 0 {
		return "", errors.New("there is no secret to sign with")
	}
	secret := secrets[0]
	for _, s := range secrets {
		if s.Fingerprint() == c.SignedBy {
			secret = s
		}
	}
	method := jwt.SigningMethodHS256
	if o.options.HS512 {
		method = jwt.SigningMethodHS512
	}
	token := jwt.NewWithClaims(method, jwt.MapClaims{"meeting_id": c.Meeting.ID, "record_id": c.RecordID})
	signed, err := token.SignedString([]byte(secret.Reveal()))
	if err != nil {
		return "", fmt.Errorf("sign the callback: %w", err)
	}
	return signed, nil
}

// Callbacks lists all callbacks, the oldest first.
func (o *Outbox) Callbacks(ctx context.Context) ([]store.Callback, error) {
	var all []store.Callback
	err := o.options.Store.View(ctx, func(tx *store.Tx) (err error) {
		all, err = store.Collect(tx.Callbacks())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the callbacks: %w", err)
	}
	return all, nil
}

// ErrNoSuchCallback: no callback has the ID.
var ErrNoSuchCallback = errors.New("no such callback")

// Retry has a callback tried now, for another day if it was given up.
func (o *Outbox) Retry(ctx context.Context, id string) error {
	err := o.options.Store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Callback(id)
		if err != nil {
			return noSuchCallback(err, id)
		}
		c.Next, c.GiveUp, c.Tries = tx.Now, tx.Now.Add(callbackWindow), 0
		return tx.PutCallback(c)
	})
	o.Wake()
	return err
}

// Drop forgets a callback.
func (o *Outbox) Drop(ctx context.Context, id string) error {
	return o.options.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Callback(id); err != nil {
			return noSuchCallback(err, id)
		}
		return tx.DeleteCallback(id)
	})
}

func noSuchCallback(err error, id string) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: %q", ErrNoSuchCallback, id)
	}
	return err
}

// Sweep forgets callbacks that were given up long ago, and URLs of meetings that
// nobody created for a year.
func (o *Outbox) Sweep(ctx context.Context) error {
	return o.options.Store.Update(ctx, func(tx *store.Tx) error {
		for c, err := range tx.Callbacks() {
			if err != nil {
				return err
			}
			if c.Failed() && tx.Now.Sub(c.Created) > callbackKept {
				if err := tx.DeleteCallback(c.ID); err != nil {
					return err
				}
			}
		}
		for u, err := range tx.ReadyURLs() {
			if err != nil {
				return err
			}
			if tx.Now.Sub(u.Since) > 12*callbackKept {
				if err := tx.DeleteReadyURL(u.MeetingKey); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
