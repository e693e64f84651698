package bbbtest

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Request is one API call the server was asked, answered or not.
type Request struct {
	// Time is when it had arrived whole, by Options.Now.
	Time time.Time
	// Call is the name of the call, "index" for the version call.
	Call string
	// Method and RawQuery are as sent.
	Method, RawQuery string
	// Params are the cleaned parameters, query before form, checksum included.
	// They are shared: not to be changed.
	Params url.Values
	// ContentType is the header as sent.
	ContentType string
	// Body is the body as sent. Of the oldest requests it is nil when the
	// record holds too many bytes; BodySize tells its length all the same.
	Body     []byte
	BodySize int
	// Refused tells that the checksum or the content type was no good. Calls
	// that are unknown or have the wrong method are not checked.
	Refused bool
	// Algorithm is the one of the checksum's length: sha1, sha256, sha384 or
	// sha512; empty if there was not exactly one checksum.
	Algorithm string
	// Kind is the misbehaviour that the request met, empty if none.
	Kind Kind
}

// recorder keeps the latest requests and counts all of them.
type recorder struct {
	mu       sync.Mutex
	requests []Request // oldest first
	bodies   int       // bytes of the bodies in requests
	nextBody int       // requests before it have no body any more
	counts   map[string]int
	total    int
	added    chan struct{} // closed and replaced with every request
}

func (r *recorder) init() {
	r.counts = make(map[string]int)
	r.added = make(chan struct{})
}

func (r *recorder) add(q Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, q)
	r.bodies += len(q.Body)
	if len(r.requests) > maxRequests {
		r.bodies -= len(r.requests[0].Body)
		r.requests[0] = Request{}
		r.requests = r.requests[1:]
		r.nextBody = max(r.nextBody-1, 0)
	}
	for r.bodies > maxBodies && r.nextBody < len(r.requests) {
		old := &r.requests[r.nextBody]
		r.bodies -= len(old.Body)
		old.Body = nil
		r.nextBody++
	}
	r.total++
	if _, ok := r.counts[q.Call]; ok || len(r.counts) < maxCallNames {
		r.counts[q.Call]++
	}
	close(r.added)
	r.added = make(chan struct{})
}

// Requests returns what the server was asked, oldest first: at most the latest
// 10,000 since the last ResetRequests.
func (s *Server) Requests() []Request {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	return slices.Clone(s.record.requests)
}

// Count tells how often a call was asked since the last ResetRequests; "" counts
// all calls. Names that are no calls are counted for the first few hundred only.
func (s *Server) Count(call string) int {
	n, _ := s.record.count(call)
	return n
}

// count returns a channel with the number, closed when there is more to count.
func (r *recorder) count(call string) (int, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if call == "" {
		return r.total, r.added
	}
	return r.counts[call], r.added
}

// ResetRequests forgets the record and the counts.
func (s *Server) ResetRequests() {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	s.record.requests = nil
	s.record.bodies = 0
	s.record.nextBody = 0
	s.record.total = 0
	clear(s.record.counts)
}

// WaitRequests waits until Count(call) is at least n. A request counts from its
// arrival, before it is answered.
func (s *Server) WaitRequests(ctx context.Context, call string, n int) error {
	for {
		got, more := s.record.count(call)
		if got >= n {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d requests %q: %w", got, n, call, ctx.Err())
		}
	}
}
