package balancer

import (
	"context"
	"errors"

	"scalelite/store"
)

// payEnds sends the ends that were owed to a server while it did not answer.
func (b *Balancer) payEnds(s store.Server, owed []owedEnd) {
	if len(owed) == 0 {
		return
	}
	b.inBackground(func(ctx context.Context) {
		for _, e := range owed {
			if err := b.payEnd(ctx, s, e); err != nil {
				b.log.Warn("owed end of a meeting did not succeed; the next poll tries again",
					"server", s.ID, "meeting", e.ID, "cause", err)
				continue
			}
			b.log.Info("owed end of a meeting was sent", "server", s.ID, "meeting", e.ID, "moved", e.Moved)
		}
	})
}

// payEnd sends an end that is still owed. A create of the meeting that began
// before has settled it; one that comes now waits.
func (b *Balancer) payEnd(ctx context.Context, s store.Server, e owedEnd) error {
	unlock, err := b.creates.lock(ctx, e.MeetingKey)
	if err != nil {
		return err
	}
	defer unlock()
	if is, err := b.debt(ctx, s.ID, e.MeetingKey); is == nil {
		return err
	}
	password := e.password
	if password == "" {
		password = e.ModeratorPW
	}
	if err := b.endOn(ctx, s, e.MeetingKey, password); err != nil {
		return err
	}
	b.recent.add(s.ID, e.MeetingKey, b.now())
	return b.store.Update(ctx, func(tx *store.Tx) error {
		return tx.DeletePendingEnd(s.ID, e.MeetingKey)
	})
}

// debt returns the end of a meeting that is owed to a server, nil if none is.
func (b *Balancer) debt(ctx context.Context, server string, k store.MeetingKey) (*store.PendingEnd, error) {
	var e store.PendingEnd
	err := b.store.View(ctx, func(tx *store.Tx) (err error) {
		e, err = tx.PendingEnd(server, k)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &e, nil
}

// settle makes way for the meeting on a server that owes an end of it. One that
// was asked for is sent first, lest it hits the new meeting. A copy that the
// meeting has left behind there is returned: it goes on as the meeting.
func (c *creation) settle(ctx context.Context, s store.Server) (left *store.PendingEnd, err error) {
	owed, err := c.debt(ctx, s.ID, c.key)
	if err != nil || owed == nil || owed.Moved {
		return owed, err
	}
	err = c.endOn(ctx, s, c.key, owed.ModeratorPW)
	if notSent(err) {
		c.failed(ctx, s.ID, err)
	}
	return nil, err
}
