package balancer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// versionEvery is how often a server is asked for its version.
const versionEvery = time.Hour

// Run polls all servers now and then every balancer.poll_interval, and those
// that were added or enabled at once, until ctx ends. It returns when the last
// poll has.
func (b *Balancer) Run(ctx context.Context) {
	var loops sync.WaitGroup
	loops.Go(func() { b.runRounds(ctx) })
	loops.Go(func() { b.runKicks(ctx) })
	loops.Wait()
}

func (b *Balancer) runRounds(ctx context.Context) {
	for {
		next := time.NewTimer(b.cfg().PollInterval)
		if _, err := b.Poll(ctx); err != nil && ctx.Err() == nil {
			b.log.Error("round of polls could not be stored", "cause", err)
		}
		select {
		case <-next.C:
		case <-ctx.Done():
			next.Stop()
			return
		}
	}
}

// runKicks polls single servers as they are asked for.
func (b *Balancer) runKicks(ctx context.Context) {
	var polls sync.WaitGroup
	defer polls.Wait()
	for {
		select {
		case id := <-b.kicks:
			polls.Go(func() {
				if _, err := b.pollServers(ctx, []string{id}); err != nil && ctx.Err() == nil {
					b.log.Error("poll could not be stored", "server", id, "cause", err)
				}
			})
		case <-ctx.Done():
			return
		}
	}
}

// kick has a server polled soon, if Run does. The next round does it otherwise.
func (b *Balancer) kick(id string) {
	select {
	case b.kicks <- id:
	default:
	}
}

// Poll asks every server once, stores what was found and tells it. Rounds do
// not overlap: a second one waits for the first.
func (b *Balancer) Poll(ctx context.Context) (PollReport, error) {
	b.rounds.Lock()
	defer b.rounds.Unlock()
	var ids []string
	for _, s := range b.pool.Servers() {
		ids = append(ids, s.ID)
	}
	return b.pollServers(ctx, ids)
}

// attempt is one poll of a server.
type attempt struct {
	started  time.Time
	took     time.Duration
	meetings []bbb.Meeting
	version  string
	asked    bool // for the version
	err      error
}

// pollServers polls the servers side by side. What a good poll found holds at
// once; the failures are judged together when all are in.
func (b *Balancer) pollServers(ctx context.Context, ids []string) (PollReport, error) {
	round := round{report: PollReport{Servers: make([]PolledServer, len(ids))}, failed: map[string]attempt{}}
	slots := make(chan struct{}, b.cfg().PollConcurrency)
	var polls sync.WaitGroup
	for i, id := range ids {
		slots <- struct{}{}
		polls.Go(func() {
			defer func() { <-slots }()
			b.pollInto(ctx, &round, i, id)
		})
	}
	polls.Wait()
	if ctx.Err() != nil {
		return round.report, ctx.Err()
	}
	own, err := b.applyFailures(ctx, round.failed)
	round.report.OwnNetwork = own
	for i, s := range round.report.Servers {
		_, st, _ := b.pool.Server(s.ID)
		round.report.Servers[i].Online = st.Online
	}
	return round.report, errors.Join(append(round.errs, err)...)
}

// round gathers the results of polls that run side by side.
type round struct {
	mu     sync.Mutex
	report PollReport
	failed map[string]attempt
	errs   []error
}

func (b *Balancer) pollInto(ctx context.Context, r *round, i int, id string) {
	found, a, err := b.pollOne(ctx, id)
	r.mu.Lock()
	defer r.mu.Unlock()
	found.ID, found.Duration = id, a.took
	r.report.Servers[i] = found
	switch {
	case err != nil:
		r.errs = append(r.errs, fmt.Errorf("server %s: %w", id, err))
		r.report.Servers[i].Error = err.Error()
	case a.err != nil:
		r.failed[id] = a
		r.report.Servers[i].Error = a.err.Error()
	}
}

// pollOne polls a server and applies a good answer. A failed poll is a.err; err
// is what kept a good one from being stored.
func (b *Balancer) pollOne(ctx context.Context, id string) (found PolledServer, a attempt, err error) {
	s, st, ok := b.pool.Server(id)
	if !ok {
		return found, a, nil
	}
	a = b.attempt(ctx, s, st)
	if ctx.Err() != nil {
		return found, a, nil
	}
	if b.hooks.Polled != nil {
		b.hooks.Polled(id, a.took, a.err)
	}
	if a.err == nil {
		found, err = b.applyPoll(ctx, s, a)
	}
	return found, a, err
}

// attempt asks one server for its meetings, and now and then for its version.
func (b *Balancer) attempt(ctx context.Context, s store.Server, st store.Status) attempt {
	ctx, cancel := context.WithTimeout(ctx, b.cfg().PollTimeout)
	defer cancel()
	b.pool.Polling(s.ID)
	a := attempt{started: b.now()}
	a.meetings, a.err = b.meetingsOf(ctx, s)
	a.took = b.now().Sub(a.started)
	if a.err == nil && (!st.Online || a.started.Sub(st.VersionAt) >= versionEvery) {
		version, err := b.client.Version(ctx, b.endpoint(s))
		if a.asked = err == nil; a.asked {
			a.version = version
		}
	}
	return a
}
