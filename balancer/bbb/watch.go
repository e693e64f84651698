package bbb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptrace"
	"sync"
	"time"
)

// watch follows one call: it cancels it when a phase takes too long, and knows
// afterwards how far the request got.
//
// The transport repeats a request by itself when a kept connection proves
// dead. The clock then runs on, and one connection is enough for the request
// to count as sent: a GET that the first connection swallowed may have been
// seen, even if the second attempt is refused.
type watch struct {
	config  ClientConfig
	sending time.Duration // how long writing the request may take
	cancel  context.CancelCauseFunc

	mu       sync.Mutex
	timer    *time.Timer
	stopped  bool
	slow     string // what to say when the timer fires
	traced   bool   // the transport reports its steps
	tls      bool   // a TLS handshake was begun
	got      bool   // there was a connection
	wrote    bool   // the request was written
	answered bool   // a byte came back
}

func newWatch(c ClientConfig, sending time.Duration, cancel context.CancelCauseFunc) *watch {
	w := &watch{config: c, sending: sending, cancel: cancel}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slow = fmt.Sprintf("was not connected within %v", c.ConnectTimeout)
	w.timer = time.AfterFunc(c.ConnectTimeout, w.fire)
	return w
}

func (w *watch) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:              func(string) { w.step(&w.traced, 0) },
		TLSHandshakeStart:    func() { w.step(&w.tls, 0) },
		GotConn:              func(httptrace.GotConnInfo) { w.step(&w.got, w.sending) },
		WroteRequest:         func(httptrace.WroteRequestInfo) { w.step(&w.wrote, w.config.ResponseTimeout) },
		GotFirstResponseByte: func() { w.step(&w.answered, 0) },
	}
}

// step notes that a point was reached, and the first time gives what follows
// its own time, if any.
func (w *watch) step(reached *bool, next time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if *reached {
		return
	}
	*reached = true
	if next > 0 && !w.stopped {
		w.slow = fmt.Sprintf("did not answer within %v", next)
		w.timer.Reset(next)
	}
}

func (w *watch) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return
	}
	if !w.traced {
		// A transport that reports nothing: it may be connected long since.
		w.traced, w.got = true, true
		w.slow = fmt.Sprintf("did not answer within %v", w.config.ConnectTimeout+w.sending)
		w.timer.Reset(w.sending)
		return
	}
	w.cancel(errSlow{w.slow})
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
}

// judge tells what an error of the transport means for the call.
func (w *watch) judge(server string, err error, parent, ctx context.Context) (Kind, *failure) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := explain(server, err, parent, ctx)
	switch {
	case f != nil && f.fault == FaultTooLarge:
		return Garbage, f
	case w.got && f != nil:
		return Unclear, f
	case w.got && w.answered:
		return Garbage, &failure{fault: FaultNotBBB, text: server + " answered something that is not HTTP"}
	case w.got:
		return Unclear, &failure{fault: FaultCut, text: "connection to " + server + " failed"}
	case f == nil && w.tls:
		f = &failure{fault: FaultTLS, text: "TLS handshake with " + server + " failed"}
	case f == nil:
		f = &failure{fault: FaultUnreachable, text: "no connection to " + server}
	}
	if w.traced || dialing(err) {
		return NotSent, f
	}
	return Unclear, f
}

// dialing recognises errors that come before any request, for transports that
// do not report their steps.
func dialing(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	_, ok := errors.AsType[*net.DNSError](err)
	return ok
}
