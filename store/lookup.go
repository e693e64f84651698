package store

import (
	"context"
	"errors"
	"sync"
)

// maxLookups bounds the meetings that are remembered between transactions.
const maxLookups = 20_000

// lookups remembers what was read of meetings, those that are not there too:
// every join asks for one, and the same ones again and again.
//
// What is remembered is never older than the last Update that was answered.
// Updates forget what they touched once they are committed; a reader that began
// before that does not remember what it read.
type lookups struct {
	mu    sync.RWMutex
	known map[MeetingKey]lookup
	turn  uint64 // grows with every Update that touched meetings
}

type lookup struct {
	meeting Meeting
	there   bool
}

// LookupMeeting returns a meeting, or ErrNotFound. It is a View of its own that
// costs less.
func (s *Store) LookupMeeting(ctx context.Context, k MeetingKey) (Meeting, error) {
	l := &s.lookups
	l.mu.RLock()
	found, ok := l.known[k]
	turn := l.turn
	l.mu.RUnlock()
	if !ok {
		err := s.View(ctx, func(tx *Tx) (err error) {
			found.meeting, err = tx.Meeting(k)
			return err
		})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return Meeting{}, err
		}
		found.there = err == nil
		l.remember(k, found, turn)
	}
	if !found.there {
		return Meeting{}, ErrNotFound
	}
	return found.meeting, nil
}

// remember keeps what was read, unless meetings were touched since turn.
func (l *lookups) remember(k MeetingKey, found lookup, turn uint64) {
	if len(k.ID) > MaxMeetingID {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.turn != turn {
		return
	}
	if l.known == nil || len(l.known) >= maxLookups {
		l.known = map[MeetingKey]lookup{}
	}
	l.known[k] = found
}

// forget drops what a committed Update has touched.
func (l *lookups) forget(touched []MeetingKey) {
	if len(touched) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn++
	for _, k := range touched {
		delete(l.known, k)
	}
}
