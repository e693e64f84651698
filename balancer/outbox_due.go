package balancer

import (
	"context"
	"time"

	"scalelite/store"
)

// dueCallback is a callback that is to be sent, as far as the outbox holds it.
type dueCallback struct {
	id, host string
	due      time.Time
}

// toRead reports whether to look into the store now.
func (o *Outbox) toRead() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stale = o.stale || !o.options.Now().Before(o.soonest)
	return o.stale && !time.Now().Before(o.readable)
}

// read holds what is due by now. It reads all of that, since many that are due to
// a slow host must not hide the others behind them, and so it is not done for
// each callback but when what is held runs out.
func (o *Outbox) read(ctx context.Context) {
	o.mu.Lock()
	o.stale = false
	o.mu.Unlock()
	began := time.Now()
	held, behind, soonest, err := o.due(ctx)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			o.options.Log.Error("callbacks could not be read", "cause", err)
		}
		o.stale, o.readable = true, began.Add(callbackPauses[0])
		return
	}
	o.held, o.behind, o.soonest = held, behind, soonest
	now := time.Now()
	o.readable = now.Add(callbackRest * now.Sub(began))
}

// due returns what is due, per host, whether that is not all of it, and when to
// look again.
func (o *Outbox) due(ctx context.Context) (held map[string][]dueCallback, behind bool, soonest time.Time, err error) {
	now := o.options.Now()
	err = o.options.Store.View(ctx, func(tx *store.Tx) error {
		all := 0
		held, behind, soonest = map[string][]dueCallback{}, false, now.Add(callbackIdle)
		for c, err := range tx.DueCallbacks() {
			if err != nil {
				return err
			}
			if c.Next.After(now) {
				soonest = earlier(soonest, c.Next)
				return nil
			}
			host := callbackHost(c)
			if all >= callbacksHeld || len(held[host]) >= callbacksHeldPerHost {
				behind = true
				continue
			}
			all++
			held[host] = append(held[host], dueCallback{id: c.ID, host: host, due: c.Next})
		}
		return nil
	})
	return held, behind, soonest, err
}

// earlier returns the first of two times.
func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// claim takes a callback on its way, if there is one that there is room for.
func (o *Outbox) claim() (c dueCallback, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for host, waiting := range o.held {
		for len(waiting) > 0 && o.host[host] < callbacksPerURL && len(o.busy) < callbackWorkers {
			c, waiting = waiting[0], waiting[1:]
			o.keep(host, waiting)
			if !o.busy[c.id] {
				o.busy[c.id] = true
				o.host[host]++
				return c, true
			}
		}
	}
	return c, false
}

// keep notes what is still held of a host. If nothing is, and there was more than
// could be held, the store has the rest.
func (o *Outbox) keep(host string, waiting []dueCallback) {
	if o.held[host] = waiting; len(waiting) == 0 {
		delete(o.held, host)
		o.stale = o.stale || o.behind
	}
}

// release gives the room of a callback back; next is when it is due again, zero
// if it is not.
func (o *Outbox) release(c dueCallback, next time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.busy, c.id)
	if o.host[c.host]--; o.host[c.host] <= 0 {
		delete(o.host, c.host)
	}
	if !next.IsZero() {
		o.soonest = earlier(o.soonest, next)
	}
	o.signal()
}

// pause is how long nothing is to be done, if nothing happens.
func (o *Outbox) pause() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stale {
		return max(time.Until(o.readable), time.Millisecond)
	}
	return max(o.soonest.Sub(o.options.Now()), time.Millisecond)
}
