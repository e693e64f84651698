package balancer

import (
	"context"
	"sync"

	"scalelite/store"
)

// keyLock gives one lock per meeting. An entry lives as long as somebody holds
// or awaits it.
type keyLock struct {
	mu      sync.Mutex
	entries map[store.MeetingKey]*lockEntry
}

type lockEntry struct {
	turn  chan struct{} // holds one token while nobody has the lock
	users int
}

// lock waits for the meeting's lock and returns what gives it back, or the
// context's error.
func (l *keyLock) lock(ctx context.Context, k store.MeetingKey) (unlock func(), err error) {
	l.mu.Lock()
	if l.entries == nil {
		l.entries = map[store.MeetingKey]*lockEntry{}
	}
	e := l.entries[k]
	if e == nil {
		e = &lockEntry{turn: make(chan struct{}, 1)}
		e.turn <- struct{}{}
		l.entries[k] = e
	}
	e.users++
	l.mu.Unlock()

	select {
	case <-e.turn:
		return func() { e.turn <- struct{}{}; l.leave(k, e) }, nil
	case <-ctx.Done():
		l.leave(k, e)
		return nil, ctx.Err()
	}
}

func (l *keyLock) leave(k store.MeetingKey, e *lockEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.users--
	if e.users == 0 {
		delete(l.entries, k)
	}
}
