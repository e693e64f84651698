package balancer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"scalelite/store"
)

// bind makes the record of the meeting on a server durable, before the server
// is called. The server must still take meetings. left is a copy of the meeting
// there, if not nil: BBB takes a create for a repeated one only with the same
// password.
func (c *creation) bind(ctx context.Context, s store.Server, former *store.Meeting, left *store.PendingEnd) (store.Meeting, error) {
	password := c.params.ID("moderatorPW")
	switch {
	case password != "":
	case former != nil && former.ModeratorPW != "":
		password = former.ModeratorPW
	case left != nil && left.ModeratorPW != "":
		password = left.ModeratorPW
	default:
		password = rand.Text()[:8]
	}
	var m store.Meeting
	err := c.store.Update(ctx, func(tx *store.Tx) error {
		if now, err := tx.Server(s.ID); err != nil || now.State != store.Enabled {
			return errTakesNone
		}
		if err := c.unchanged(tx, former); err != nil {
			return err
		}
		m = store.Meeting{
			MeetingKey: c.key, Server: s.ID, ModeratorPW: password,
			Created: tx.Now, SignedBy: c.request.SignedBy,
		}
		var err error
		if m.VoiceBridge, err = c.bridge(tx, former); err != nil {
			return err
		}
		if former != nil && former.Server != s.ID {
			if err := c.oweMove(tx, *former); err != nil {
				return err
			}
		}
		if err := tx.DeletePendingEnd(s.ID, c.key); err != nil {
			return err
		}
		return tx.PutMeeting(m)
	})
	if err != nil {
		return store.Meeting{}, fmt.Errorf("bind meeting to server %s: %w", s.ID, err)
	}
	if former != nil {
		c.pool.Drop(former.Server, c.key)
	}
	return m, nil
}

// unchanged makes sure that the record is still what this create has found:
// none, or former. A poll may have adopted the meeting, an operator may have
// ended it.
func (c *creation) unchanged(tx *store.Tx, former *store.Meeting) error {
	is, err := tx.Meeting(c.key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case former == nil || is.Server != former.Server:
		return errTaken
	}
	return nil
}

// bridge returns the number of a meeting that moves, or a free one.
func (c *creation) bridge(tx *store.Tx, former *store.Meeting) (string, error) {
	if former != nil && former.VoiceBridge != "" {
		if free, err := bridgeIsFree(tx, c.key, former.VoiceBridge); free || err != nil {
			return former.VoiceBridge, err
		}
	}
	var wanted string
	if c.cfg().UseExternalVoiceBridge {
		wanted = c.params.ID("voiceBridge")
	}
	return freeBridge(tx, c.key, wanted, c.cfg().VoiceBridgeLen)
}

// oweMove remembers that the server which the meeting left may still run it.
func (c *creation) oweMove(tx *store.Tx, former store.Meeting) error {
	err := tx.PutPendingEnd(store.PendingEnd{
		MeetingKey: c.key, Server: former.Server, ModeratorPW: former.ModeratorPW,
		Since: tx.Now, Moved: true,
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// unbind takes a binding back, if it still stands, and puts the former one back
// in its place. owed: the server may yet have created the meeting, and is to end
// it when it answers again.
func (c *creation) unbind(ctx context.Context, m store.Meeting, former *store.Meeting, owed bool) error {
	err := c.store.Update(ctx, func(tx *store.Tx) error {
		if owed {
			end := store.PendingEnd{MeetingKey: c.key, Server: m.Server, ModeratorPW: m.ModeratorPW, Since: tx.Now, Moved: true}
			if err := tx.PutPendingEnd(end); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		is, err := tx.Meeting(c.key)
		if errors.Is(err, store.ErrNotFound) || err == nil && !sameBinding(is, m) {
			return nil
		}
		if err != nil {
			return err
		}
		if former == nil {
			return tx.DeleteMeeting(c.key)
		}
		if _, err := tx.Server(former.Server); errors.Is(err, store.ErrNotFound) {
			return tx.DeleteMeeting(c.key)
		}
		if err := tx.DeletePendingEnd(former.Server, c.key); err != nil {
			return err
		}
		return tx.PutMeeting(*former)
	})
	if err != nil {
		return fmt.Errorf("take back the binding to server %s: %w", m.Server, err)
	}
	return nil
}

func sameBinding(a, b store.Meeting) bool {
	return a.Server == b.Server && a.Created.Equal(b.Created)
}

// rebind stores a changed record if the meeting is still bound to that server.
func (b *Balancer) rebind(ctx context.Context, m store.Meeting) error {
	err := b.store.Update(ctx, func(tx *store.Tx) error {
		is, err := tx.Meeting(m.MeetingKey)
		if errors.Is(err, store.ErrNotFound) || err == nil && is.Server == m.Server {
			return tx.PutMeeting(m)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("store the new create: %w", err)
	}
	return nil
}
