package web

import (
	"context"
	"time"
)

// After a failure the authority is asked again after firstRetry, then after
// twice as long, up to lastRetry: Let's Encrypt takes five failures an hour for
// a name before it refuses to look. One that did not refuse anything, as while
// the network is not up yet, is asked after soonRetry.
const (
	soonRetry  = 30 * time.Second
	firstRetry = 10 * time.Minute
	lastRetry  = time.Hour
	// heldEvery is how often a certificate that is held is looked at.
	heldEvery = time.Hour
	// leaveAfter is how long a stop waits for an attempt. One that sleeps longer,
	// as the authority may ask it to, finds both authority and store closed.
	leaveAfter = 3 * time.Second
)

// run gets the certificate before anybody asks for it, tries again until it is
// there, and then has an eye on it.
func (a *acmeCertificates) run(ctx context.Context) {
	wait := time.Duration(0)
	for ctx.Err() == nil {
		try := a.current.Load()
		err := a.obtain(ctx, try)
		if err == nil {
			wait = 0
			a.hold(ctx, try)
		} else if ctx.Err() == nil {
			wait = retryWait(wait, try.witness.refused())
			a.log.Error("no certificate: nobody can connect to this name over TLS", "host", try.host,
				"cause", err, "next_try_in", wait.String(), "try_now", "systemctl reload scalelite")
			if asked := a.pause(ctx, wait); asked {
				wait = 0
			}
		}
		try.witness.cut() // also ends renewals of a name that is ours no more
		if ctx.Err() == nil {
			a.current.Store(a.attempt())
		}
	}
}

// kept reports whether the store has a certificate that is good now.
func (a *acmeCertificates) kept(ctx context.Context) bool {
	data, err := a.cache.Get(ctx, a.name())
	if err != nil {
		return false // which the attempt tells
	}
	leaf, now := leafOf(data), time.Now()
	return leaf != nil && !now.Before(leaf.NotBefore) && now.Before(leaf.NotAfter) && leaf.VerifyHostname(a.name()) == nil
}

// retryWait is how long to wait after a failure that followed a wait of former.
func retryWait(former time.Duration, refused bool) time.Duration {
	if refused {
		return min(max(2*former, firstRetry), lastRetry)
	}
	return min(max(2*former, soonRetry), lastRetry)
}

// pause waits, and reports whether somebody asked for another attempt before.
func (a *acmeCertificates) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-a.again:
		return true
	}
	return false
}

// obtain makes the attempt: from the store, or from the authority.
func (a *acmeCertificates) obtain(ctx context.Context, try *attempt) error {
	defer close(try.done)
	result := make(chan error, 1)
	go func() {
		_, err := try.certificate()
		result <- err
	}()
	select {
	case try.err = <-result:
		if cause := try.witness.cause(); try.err != nil && cause != nil {
			try.err = cause
		}
	case <-ctx.Done():
		try.err = ctx.Err()
		try.witness.cut()
		leave := time.NewTimer(leaveAfter)
		defer leave.Stop()
		select {
		case <-result:
		case <-leave.C:
		}
	}
	return try.err
}

// hold waits until there is to be another attempt, and warns when the
// certificate is not renewed in time.
func (a *acmeCertificates) hold(ctx context.Context, try *attempt) {
	tick := time.NewTicker(heldEvery)
	defer tick.Stop()
	var warned time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.again:
			return
		case <-tick.C:
		}
		pair, err := try.certificate()
		if err != nil || time.Since(warned) < expiryAgain {
			continue
		}
		// It is renewed after two thirds of its life: half of the rest is late.
		life := pair.Leaf.NotAfter.Sub(pair.Leaf.NotBefore)
		if warnOf(a.log, pair.Leaf, try.host, min(life/6, expiryNotice)) {
			warned = time.Now()
		}
	}
}

const (
	// saidAgain is how long the log is silent about a failure that it has told.
	saidAgain = time.Hour
	// maxSaid bounds the failures that are remembered.
	maxSaid = 100
)

// tell logs a failure, of a first certificate or of a renewal, with what helps.
func (a *acmeCertificates) tell(f failure) {
	kind, now := failure{challenge: f.challenge, kind: f.kind}, time.Now()
	a.mu.Lock()
	last, told := a.said[kind]
	told = told && now.Sub(last) < saidAgain
	if !told {
		if len(a.said) >= maxSaid {
			clear(a.said)
		}
		a.said[kind] = now
	}
	a.mu.Unlock()
	if told {
		return
	}
	a.log.Warn("the certificate authority objects", "host", a.name(), "challenge", f.challenge,
		"problem", f.kind, "cause", f.detail, "remedy", f.remedy())
}
