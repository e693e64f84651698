package balancer

import (
	"sync"
	"time"

	"scalelite/store"
)

// recentEnds remembers for a while which meetings were just ended: a server
// lists them for some seconds more, and must not have them adopted for that.
type recentEnds struct {
	mu   sync.Mutex
	ends map[ending]time.Time
}

type ending struct {
	server string
	key    store.MeetingKey
}

func (r *recentEnds) add(server string, k store.MeetingKey, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ends == nil {
		r.ends = map[ending]time.Time{}
	}
	for e, at := range r.ends {
		if now.Sub(at) > forgetAfter {
			delete(r.ends, e)
		}
	}
	r.ends[ending{server, k}] = now
}

func (r *recentEnds) drop(server string, k store.MeetingKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.ends, ending{server, k})
}

func (r *recentEnds) has(server string, k store.MeetingKey, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.ends[ending{server, k}]
	return ok && now.Sub(at) <= forgetAfter
}
