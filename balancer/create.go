package balancer

import (
	"context"
	"errors"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// createTries is how many servers are asked before a create is given up.
const createTries = 3

// Create sends a create call to the server of the meeting, or to the best
// server if the meeting is not known or its server is gone. The server's answer
// comes back as it is.
//
// Once begun it is carried through even if the caller leaves: what the server
// does with the call must be known.
func (b *Balancer) Create(ctx context.Context, r Request) (bbb.Reply, error) {
	k, err := r.key()
	if err != nil {
		return bbb.Reply{}, err
	}
	if err := creatable(k); err != nil {
		return bbb.Reply{}, err
	}
	unlock, err := b.creates.lock(ctx, k)
	if err != nil {
		return bbb.Reply{}, bbb.ErrCreateFailed.With(err)
	}
	defer unlock()

	ctx = context.WithoutCancel(ctx)
	params, wish := b.createParams(r.Params)
	claimTenant(&params, r.Tenant)
	if b.recordings {
		if err := b.rememberReadyURL(ctx, k, takeReadyURL(&params), r.SignedBy); err != nil {
			return bbb.Reply{}, bbb.ErrCreateFailed.With(err)
		}
	}
	reply, err := (&creation{Balancer: b, request: r, key: k, params: params, wish: wish}).run(ctx)
	if errors.Is(err, errTaken) {
		reply, err = (&creation{Balancer: b, request: r, key: k, params: params, wish: wish}).run(ctx)
	}
	return reply, err
}

// createParams returns the parameters of a create call without those that
// depend on the meeting's record and server, and the tags it asks for.
func (b *Balancer) createParams(request bbb.Params) (bbb.Params, TagWish) {
	cfg := b.cfg()
	p := merged(request, cfg.CreateDefaults, cfg.CreateOverrides)
	capDuration(&p, cfg.MaxMeetingDuration)
	wish, _ := p.Lookup(TagParam)
	return p, ParseTagWish(wish)
}

// creation is one create call on its way. The meeting's lock is held.
type creation struct {
	*Balancer
	request Request
	key     store.MeetingKey
	params  bbb.Params
	wish    TagWish
	tried   []string // servers that could not take it
	last    error    // why the last one could not
}

func (c *creation) run(ctx context.Context) (bbb.Reply, error) {
	m, err := c.store.LookupMeeting(ctx, c.key)
	if errors.Is(err, store.ErrNotFound) {
		return c.place(ctx, nil)
	}
	if err != nil {
		return bbb.Reply{}, bbb.ErrCreateFailed.With(err)
	}
	s, st, ok := c.pool.Server(m.Server)
	if !ok || !st.Online {
		return c.place(ctx, &m)
	}
	if s.State != store.Enabled {
		over, err := c.isOver(ctx, s)
		switch {
		case notSent(err):
			return c.moveAway(ctx, m, s, err)
		case err != nil:
			return bbb.Reply{}, bbb.ErrCreateFailed.With(err)
		case over:
			c.tried = append(c.tried, s.ID)
			return c.place(ctx, &m)
		}
	}
	return c.repeat(ctx, m, s)
}

// repeat sends the create of a known meeting to its server again.
func (c *creation) repeat(ctx context.Context, m store.Meeting, s store.Server) (bbb.Reply, error) {
	reply, err := c.insist(ctx, s, "create", c.paramsFor(m, s, false), c.request.Body)
	switch {
	case err == nil && reply.OK && reply.MessageKey != "duplicateWarning":
		// The former one was over: this is a new meeting under the same ID.
		m.Created, m.SignedBy, m.Adopted = c.now(), c.request.SignedBy, false
		m.ModeratorPW = reply.Field("moderatorPW")
		if given := c.params.ID("moderatorPW"); given != "" {
			m.ModeratorPW = given
		}
		if err := c.rebind(ctx, m); err != nil {
			return bbb.Reply{}, bbb.ErrCreateFailed.With(err)
		}
		c.pool.Count(s.ID, c.key, c.now())
		return reply, nil
	case err == nil:
		return reply, nil
	case notSent(err):
		return c.moveAway(ctx, m, s, err)
	default:
		return bbb.Reply{}, bbb.ErrCreateFailed.With(err)
	}
}

// insist makes a call that may be repeated, once more if its connection broke:
// so it is with a kept one when the server has just gone, which the second
// attempt then finds out for sure.
func (c *creation) insist(ctx context.Context, s store.Server, call string, p bbb.Params, body *bbb.Body) (bbb.Reply, error) {
	reply, err := c.client.Call(ctx, c.endpoint(s), call, p, body)
	if kind, failed := bbb.KindOf(err); failed && kind == bbb.Unclear && !errors.Is(err, context.DeadlineExceeded) {
		return c.client.Call(ctx, c.endpoint(s), call, p, body)
	}
	return reply, err
}

// moveAway places a known meeting anew because its server cannot be reached.
func (c *creation) moveAway(ctx context.Context, m store.Meeting, s store.Server, cause error) (bbb.Reply, error) {
	c.failed(ctx, s.ID, cause)
	c.tried, c.last = append(c.tried, s.ID), cause
	return c.place(ctx, &m)
}

// place finds a server for the meeting: the best one, and if that cannot take
// it, the next best. former is the record of a meeting that is to move; it
// stands again if no server takes the meeting.
func (c *creation) place(ctx context.Context, former *store.Meeting) (bbb.Reply, error) {
	for attempt := 1; attempt <= createTries; attempt++ {
		s, err := c.pool.Place(c.key, c.wish, c.tried, c.now())
		if err != nil {
			if c.last != nil {
				return bbb.Reply{}, bbb.ErrCreateFailed.With(c.last)
			}
			return bbb.Reply{}, err
		}
		reply, err := c.try(ctx, s, former)
		if err == nil {
			if reply.OK && c.hooks.Placed != nil {
				c.hooks.Placed(s.ID, attempt)
			}
			return reply, nil
		}
		if _, failed := bbb.KindOf(err); !failed && !errors.Is(err, errTakesNone) {
			return bbb.Reply{}, bbb.ErrCreateFailed.With(err)
		}
		c.log.Warn("server did not take a meeting", "server", s.ID, "meeting", c.key.ID, "attempt", attempt, "cause", err)
		c.tried, c.last = append(c.tried, s.ID), err
	}
	return bbb.Reply{}, bbb.ErrCreateFailed.With(c.last)
}

// try binds the meeting to a server where the pool has already counted it, and
// asks that server to create it. If it does not, everything is as before.
func (c *creation) try(ctx context.Context, s store.Server, former *store.Meeting) (bbb.Reply, error) {
	left, err := c.settle(ctx, s)
	var m store.Meeting
	if err == nil {
		m, err = c.bind(ctx, s, former, left)
	}
	if err != nil {
		c.pool.Drop(s.ID, c.key)
		return bbb.Reply{}, err
	}
	c.recent.drop(s.ID, c.key)
	reply, err := c.client.Call(ctx, c.endpoint(s), "create", c.paramsFor(m, s, true), c.request.Body)
	if err == nil && reply.OK {
		c.pool.Settle(s.ID, c.key, c.now())
		return reply, nil
	}
	owed := left != nil
	switch {
	case err == nil:
	case notSent(err):
		c.failed(ctx, s.ID, err)
	default:
		owed = !c.revoke(ctx, m, s)
	}
	c.pool.Drop(s.ID, c.key)
	if undo := c.unbind(ctx, m, former, owed); undo != nil {
		return bbb.Reply{}, errors.Join(undo, err)
	}
	return reply, err
}

// revoke ends a meeting whose create was not answered, lest it runs on two
// servers. It reports whether the server had the meeting and ended it; one that
// does not know it may yet be about to create it.
func (c *creation) revoke(ctx context.Context, m store.Meeting, s store.Server) bool {
	reply, err := c.callEnd(ctx, s, c.key, m.ModeratorPW)
	c.recent.add(s.ID, c.key, c.now())
	if notSent(err) {
		c.failed(ctx, s.ID, err)
	}
	return err == nil && reply.OK
}

// isOver asks a server that takes no new meetings whether it still runs this
// one.
func (c *creation) isOver(ctx context.Context, s store.Server) (bool, error) {
	reply, err := c.insist(ctx, s, "getMeetingInfo", idParams(c.key), nil)
	if err != nil {
		return false, err
	}
	if !reply.OK {
		return reply.MessageKey == bbb.ErrNotFound.Key, nil
	}
	m, err := bbb.ParseMeetingInfo(reply)
	return err == nil && m.Ended, err
}

// paramsFor completes the parameters with what the record of the meeting and
// its server say, and nothing else: a repeated create must be the same request
// to the server. first tells that the meeting is new to the server.
func (c *creation) paramsFor(m store.Meeting, s store.Server, first bool) bbb.Params {
	p := c.params.Clone()
	p.Set("meetingID", m.ID)
	if first && p.ID("moderatorPW") == "" {
		p.Set("moderatorPW", m.ModeratorPW)
	}
	p.Set("voiceBridge", m.VoiceBridge)
	if s.Tag == "" {
		p.Del(TagParam)
	} else {
		p.Set(TagParam, s.Tag)
	}
	return without(p, c.cfg().CreateExcludeParams)
}

var (
	errTaken     = errors.New("the meeting was bound meanwhile")
	errTakesNone = errors.New("it takes no meetings any more")
)

// notSent reports whether err is a failed call that the server cannot have
// seen.
func notSent(err error) bool {
	kind, ok := bbb.KindOf(err)
	return ok && kind == bbb.NotSent
}

// failed counts a failed contact of a server as a failed poll.
func (b *Balancer) failed(ctx context.Context, id string, cause error) {
	if _, err := b.applyFailures(ctx, map[string]attempt{id: {started: b.now(), err: cause}}); err != nil {
		b.log.Error("health of a server could not be stored", "server", id, "cause", err)
	}
}
