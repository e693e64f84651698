package doctor

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
)

// How far a clock may be off: tokens allow a minute, recordings and logs are
// told apart by their times.
const (
	skewNotice = 30 * time.Second
	skewLimit  = 5 * time.Minute
)

// clocks compares the clock of each server with that of this machine.
func (p *patient) clocks(ctx context.Context) []Finding {
	var mu sync.Mutex
	skews := map[string]time.Duration{}
	found := p.each(ctx, func(ctx context.Context, s balancer.ServerInfo, e bbb.Endpoint) []Finding {
		skew, trip, err := p.skew(ctx, e.URL)
		if err != nil {
			return []Finding{skip(s.ID, "it does not tell its time: %s", plainError(err))}
		}
		mu.Lock()
		defer mu.Unlock()
		skews[s.ID] = skew
		return []Finding{p.judgeSkew(s, e, skew, trip)}
	})
	if f := p.ownClock(skews); f != nil {
		found = slices.Insert(found, 0, *f)
	}
	return found
}

// skew is how far the clock of a server is ahead. Its answer is taken to be of
// the middle between question and answer, and of the middle of the second that
// its Date names (RFC 9110, section 6.6.1).
func (p *patient) skew(ctx context.Context, api string) (skew, trip time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	asked := p.sys.Now()
	response, err := p.fetch(ctx, api)
	if err != nil {
		return 0, 0, err
	}
	answered := p.sys.Now()
	date, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return 0, 0, fmt.Errorf("its answer has no Date")
	}
	trip = answered.Sub(asked)
	return date.Add(time.Second / 2).Sub(asked.Add(trip / 2)), trip, nil
}

func (p *patient) judgeSkew(s balancer.ServerInfo, e bbb.Endpoint, skew, trip time.Duration) Finding {
	off := skew.Abs()
	direction := "ahead of"
	if skew < 0 {
		direction = "behind"
	}
	set := shell("ssh", sshHost(e.URL), "sudo timedatectl set-ntp true && timedatectl")
	const why = "Uploads of recordings carry a token with a time, which is refused when clocks differ; recordings and logs cannot be told apart by their times."
	off = max(0, off-trip/2) // what the way there may account for
	switch {
	case off > skewLimit:
		return fail(s.ID, "its clock is %s %s ours", age(off), direction).because(why).do("have both clocks kept right", set, "timedatectl")
	case off > skewNotice:
		return warn(s.ID, "its clock is %s %s ours", age(off), direction).because(why).do("have both clocks kept right", set, "timedatectl")
	}
	return good(s.ID, "its clock agrees with ours within %s", max(skew.Abs().Round(100*time.Millisecond), time.Second))
}

// ownClock is about servers that agree with each other, but not with us: then it
// is this machine's clock that is wrong.
func (p *patient) ownClock(skews map[string]time.Duration) *Finding {
	if len(skews) < 2 {
		return nil
	}
	var all []time.Duration
	for _, d := range skews {
		all = append(all, d)
	}
	slices.Sort(all)
	middle := all[len(all)/2]
	agree := 0
	for _, d := range all {
		if (d - middle).Abs() <= skewNotice {
			agree++
		}
	}
	if middle.Abs() <= skewNotice || 2*agree <= len(all) {
		return nil
	}
	direction := "behind"
	if middle < 0 {
		direction = "ahead of"
	}
	f := fail("this machine", "its clock is about %s %s that of %d of %d servers, which agree with each other", age(middle.Abs()), direction, agree, len(all)).
		because("It is this machine's clock that is wrong.").do("have it kept right", p.root("timedatectl", "set-ntp", "true"), "timedatectl")
	if middle.Abs() <= skewLimit {
		f = f.rated(Warn)
	}
	return &f
}
