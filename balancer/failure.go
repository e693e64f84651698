package balancer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"scalelite/store"
)

// applyFailures counts failed polls, all of one round together. Servers that
// reach balancer.unhealthy_threshold go offline, but for a round in which so
// many fail that our own network must be the cause: it counts for nothing, and
// own is true. Their meetings stay known either way.
func (b *Balancer) applyFailures(ctx context.Context, failed map[string]attempt) (own bool, err error) {
	if len(failed) == 0 {
		return false, nil
	}
	for id := range failed {
		b.pool.Fail(id)
	}
	own = b.pool.OwnNetwork()
	if own {
		b.log.Warn("most servers failed at once: taken for a failure of our own network, no server goes offline for it",
			"servers", slices.Sorted(maps.Keys(failed)))
	}
	var offline []string
	err = b.store.Update(ctx, func(tx *store.Tx) error {
		offline = nil
		for id, a := range failed {
			went, err := b.countFailure(tx, id, a, own)
			if err != nil {
				return err
			}
			if went {
				offline = append(offline, id)
			}
		}
		return nil
	})
	if err != nil {
		return own, fmt.Errorf("store failed polls: %w", err)
	}
	for id, a := range failed {
		b.log.Warn("server does not answer", "server", id, "cause", a.err)
		err = errors.Join(err, b.refresh(ctx, id))
	}
	for _, id := range offline {
		b.log.Error("server is offline; its meetings stay known", "server", id)
	}
	return own, err
}

// countFailure updates the status of one server and reports whether it went
// offline.
func (b *Balancer) countFailure(tx *store.Tx, id string, a attempt, own bool) (went bool, err error) {
	st, err := tx.Status(id)
	if err != nil {
		return false, err
	}
	st.Tried, st.Duration, st.Error = a.started, a.took, a.err.Error()
	if !own {
		st.Failures, st.Successes = st.Failures+1, 0
		if st.Online && st.Failures >= b.cfg().UnhealthyThreshold {
			st.Online, went = false, true
		}
	}
	err = tx.PutStatus(id, st)
	if errors.Is(err, store.ErrNotFound) { // removed meanwhile
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !st.Online {
		return went, b.forgetLost(tx, id, st)
	}
	return went, nil
}

// forgetLost removes the meetings of a server that has not answered for
// balancer.meeting_ttl. A server that answers keeps its meetings, however old.
func (b *Balancer) forgetLost(tx *store.Tx, id string, st store.Status) error {
	ttl := b.cfg().MeetingTTL
	if tx.Now.Sub(st.Polled) < ttl {
		return nil
	}
	bound, err := store.Collect(tx.MeetingsOf(id))
	if err != nil {
		return err
	}
	for _, m := range bound {
		if tx.Now.Sub(m.Created) < ttl {
			continue
		}
		if err := tx.DeleteMeeting(m.MeetingKey); err != nil {
			return err
		}
	}
	return nil
}

// strays remembers which meetings were reported to run on two servers, so that
// each is logged once.
type strays struct {
	mu    sync.Mutex
	known map[string]map[store.MeetingKey]string
}

// update replaces what is known of a server and returns what is new.
func (s *strays) update(server string, found map[store.MeetingKey]string) map[store.MeetingKey]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := map[store.MeetingKey]string{}
	for k, other := range found {
		if _, old := s.known[server][k]; !old {
			fresh[k] = other
		}
	}
	if s.known == nil {
		s.known = map[string]map[store.MeetingKey]string{}
	}
	if len(found) == 0 {
		delete(s.known, server)
	} else {
		s.known[server] = found
	}
	return fresh
}
