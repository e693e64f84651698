package balancer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"scalelite/store"
)

// errForbiddenAddress is why a connection was not made.
var errForbiddenAddress = errors.New("callbacks to this address are not allowed")

// metadataAddresses are those where clouds keep what their machines may know, and
// that are not link-local: of Amazon (IPv6) and of Alibaba.
var metadataAddresses = [...]netip.Addr{netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200")}

// sharedAddresses are those between providers and customers (RFC 6598), which
// lead to other people's machines no more than private ones do.
var sharedAddresses = netip.MustParsePrefix("100.64.0.0/10")

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
		case ip.IsLinkLocalUnicast(), ip.IsMulticast(), ip.IsUnspecified(), slices.Contains(metadataAddresses[:], ip):
			return fmt.Errorf("%w: %s", errForbiddenAddress, ip)
		case !allowPrivate && (ip.IsPrivate() || ip.IsLoopback() || sharedAddresses.Contains(ip)):
			return fmt.Errorf("%w: %s; web.callback_allow_private would allow it", errForbiddenAddress, ip)
		}
		return nil
	}
}

// deliver tries a callback once, stores how it went, and returns when it is due
// again, zero if it is not. A stop in between costs nothing: it is tried again.
func (o *Outbox) deliver(ctx context.Context, due dueCallback) (next time.Time) {
	c, err := o.current(ctx, due)
	if err != nil {
		return o.unread(ctx, due, err)
	}
	if c.ID == "" || !c.Next.Equal(due.due) {
		return c.Next // dropped, or put off, since it was read
	}
	status, err := o.send(ctx, c)
	if ctx.Err() != nil && err != nil {
		return c.Next
	}
	c.Tries++
	c.Status, c.Error = status, ""
	if err != nil {
		c.Error = err.Error()
	}
	if c.GiveUp.IsZero() {
		c.GiveUp = c.Created.Add(callbackWindow)
	}
	done := status/100 == 2 || status == http.StatusNotFound || status == http.StatusGone
	c.Next = nextTry(c, o.options.Now())
	return o.settle(ctx, c, due, done)
}

// settle stores how a try went, and returns when the callback is due again. What
// cannot be stored stays in memory, and the callback on its way: the front-end is
// not called again for what it has answered. If the process ends before, it is
// called once more.
func (o *Outbox) settle(ctx context.Context, c store.Callback, due dueCallback, done bool) time.Time {
	for n := 0; ; n++ {
		next, err := o.decide(ctx, c, due, done)
		if err == nil {
			o.report(c, done)
			return next
		}
		if n == 0 {
			o.log(c).Error("callback's outcome could not be stored; that is tried again", "cause", err)
		}
		if ctx.Err() != nil {
			return due.due
		}
		rest(ctx, storePauses[min(n, len(storePauses)-1)])
	}
}

// current reads a callback anew: it may have been sent, dropped or put off since
// the outbox took hold of it. One that is not there has no ID.
func (o *Outbox) current(ctx context.Context, due dueCallback) (c store.Callback, err error) {
	err = o.options.Store.View(ctx, func(tx *store.Tx) (err error) {
		c, err = tx.Callback(due.id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return store.Callback{}, nil
	}
	return c, err
}

// decide stores how a try went and returns when the callback is due again.
func (o *Outbox) decide(ctx context.Context, c store.Callback, due dueCallback, done bool) (next time.Time, err error) {
	err = o.options.Store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		is, err := tx.Callback(c.ID)
		next = time.Time{}
		switch {
		case errors.Is(err, store.ErrNotFound): // dropped meanwhile
			return nil
		case err != nil:
			return err
		case done:
			return tx.DeleteCallback(c.ID)
		case !is.Next.Equal(due.due): // an operator's retry came in between: it stands
			next = is.Next
			return nil
		}
		next = c.Next
		return tx.PutCallback(c)
	})
	return next, err
}

// unread is for a callback that is still due since the store could not be read.
func (o *Outbox) unread(ctx context.Context, due dueCallback, cause error) time.Time {
	if ctx.Err() == nil {
		o.options.Log.Error("callback could not be read", "callback", due.id, "cause", cause)
	}
	rest(ctx, callbackPauses[0])
	return due.due
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

func (o *Outbox) log(c store.Callback) *slog.Logger {
	return o.options.Log.With("callback", c.ID, "recording", c.RecordID, "host", callbackHost(c), "status", c.Status)
}

func (o *Outbox) report(c store.Callback, done bool) {
	log := o.log(c)
	switch {
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
