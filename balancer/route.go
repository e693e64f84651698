package balancer

import (
	"context"
	"crypto/subtle"
	"errors"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// Join returns where a browser is sent to enter the meeting: the join call,
// signed for the meeting's server. With count the person weighs in the load
// from now on; a look-up that is not followed, a HEAD, does not count.
func (b *Balancer) Join(ctx context.Context, r Request, count bool) (string, error) {
	at, err := b.find(ctx, r)
	if err != nil {
		return "", err
	}
	if !at.status.Online || at.server.State == store.Disabled {
		return "", bbb.ErrServerUnavailable
	}
	cfg := b.cfg()
	p := merged(r.Params, cfg.JoinDefaults, cfg.JoinOverrides)
	p.Set("meetingID", at.meeting.ID)
	p = without(p, cfg.JoinExcludeParams)
	if count {
		b.pool.Join(at.server.ID, at.meeting.MeetingKey)
	}
	return b.client.SignedURL(b.endpoint(at.server), "join", p), nil
}

// notRunning is BBB's answer about a meeting that is not there.
const notRunning = "<response><returncode>SUCCESS</returncode><running>false</running></response>"

// IsMeetingRunning asks the meeting's server; a meeting that is not known, or
// whose server is offline, does not run.
func (b *Balancer) IsMeetingRunning(ctx context.Context, r Request) (bbb.Reply, error) {
	at, err := b.find(ctx, r)
	if errors.Is(err, bbb.ErrNotFound) || err == nil && !at.status.Online {
		return bbb.Reply{Body: []byte(notRunning), OK: true}, nil
	}
	if err != nil {
		return bbb.Reply{}, err
	}
	return b.ask(ctx, at, r)
}

// Forward sends a call that concerns one meeting to the server that runs it:
// getMeetingInfo, insertDocument, sendChatMessage. While that server is offline
// the meeting counts as not there.
func (b *Balancer) Forward(ctx context.Context, r Request) (bbb.Reply, error) {
	at, err := b.find(ctx, r)
	if err != nil {
		return bbb.Reply{}, err
	}
	if !at.status.Online {
		return bbb.Reply{}, bbb.ErrNotFound
	}
	return b.ask(ctx, at, r)
}

// ask sends a request on as it came.
func (b *Balancer) ask(ctx context.Context, at place, r Request) (bbb.Reply, error) {
	p := r.Params.Clone()
	p.Del("checksum")
	p.Set("meetingID", at.meeting.ID)
	reply, err := b.client.Call(ctx, b.endpoint(at.server), r.Call, p, r.Body)
	if err != nil {
		return bbb.Reply{}, bbb.ErrAccessFailed.With(err)
	}
	return reply, nil
}

// endAccepted is BBB's answer to an end that it will carry out.
const endAccepted = "<response><returncode>SUCCESS</returncode><messageKey>sentEndMeetingRequest</messageKey>" +
	"<message>A request to end the meeting was sent.  Please wait a few seconds, and then use the getMeetingInfo or isMeetingRunning API calls to verify that it was ended.</message></response>"

// End asks the meeting's server to end it and forgets it once the server said
// that it will, or that it knows no such meeting. While the server is offline
// the end is remembered for when it is back. After any other answer, and after
// none, the meeting stays known.
func (b *Balancer) End(ctx context.Context, r Request) (bbb.Reply, error) {
	at, err := b.find(ctx, r)
	if err != nil {
		return bbb.Reply{}, err
	}
	ctx = context.WithoutCancel(ctx)
	if !at.status.Online {
		if password := r.Params.ID("password"); password != "" && !samePassword(password, at.meeting.ModeratorPW) {
			return bbb.Reply{}, errInvalidPassword
		}
		if err := b.forget(ctx, at.meeting, true); err != nil {
			return bbb.Reply{}, bbb.ErrAccessFailed.With(err)
		}
		return bbb.Reply{Body: []byte(endAccepted), OK: true, MessageKey: "sentEndMeetingRequest"}, nil
	}
	reply, err := b.ask(ctx, at, r)
	if err != nil {
		return bbb.Reply{}, err
	}
	if over(reply) {
		if err := b.forget(ctx, at.meeting, false); err != nil {
			return bbb.Reply{}, bbb.ErrAccessFailed.With(err)
		}
	}
	return reply, nil
}

// samePassword: an adopted meeting may have a password that is not known, which
// any is then taken for.
func samePassword(given, known string) bool {
	return known == "" || subtle.ConstantTimeCompare([]byte(given), []byte(known)) == 1
}

// forget removes the record of a meeting unless it was bound anew meanwhile.
// owed: its server does not know yet that it is to end it.
func (b *Balancer) forget(ctx context.Context, m store.Meeting, owed bool) error {
	b.recent.add(m.Server, m.MeetingKey, b.now()) // before a poll can find the record gone
	err := b.store.Update(ctx, func(tx *store.Tx) error {
		return forgetMeeting(tx, m, owed)
	})
	if err != nil {
		return err
	}
	b.pool.Drop(m.Server, m.MeetingKey)
	return nil
}

func forgetMeeting(tx *store.Tx, m store.Meeting, owed bool) error {
	if owed {
		end := store.PendingEnd{MeetingKey: m.MeetingKey, Server: m.Server, ModeratorPW: m.ModeratorPW, Since: tx.Now}
		if err := tx.PutPendingEnd(end); err != nil {
			return err
		}
	}
	is, err := tx.Meeting(m.MeetingKey)
	if errors.Is(err, store.ErrNotFound) || err == nil && !sameBinding(is, m) {
		return nil
	}
	if err != nil {
		return err
	}
	return tx.DeleteMeeting(m.MeetingKey)
}
