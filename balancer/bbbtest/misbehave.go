package bbbtest

import (
	"slices"
	"sync"
	"time"
)

// Kind is a way to misbehave.
type Kind string

// The kinds. Those that say "carries the call out" change the server's state as
// a good answer would; the others leave it as it is.
const (
	// Slow waits for Delay, then carries the call out and answers properly.
	Slow Kind = "slow"
	// SlowAfter carries the call out, then waits for Delay, then answers: a
	// client that gives up early has its meeting all the same.
	SlowAfter Kind = "slow-after"
	// Hang takes the request and never answers.
	Hang Kind = "hang"
	// HangAfter carries the call out and never answers.
	HangAfter Kind = "hang-after"
	// Trickle carries the call out and sends one byte of the answer per Delay
	// (default 100 ms).
	Trickle Kind = "trickle"
	// ServerError answers with Status (default 502) and an HTML page.
	ServerError Kind = "server-error"
	// Reset cuts the connection with a TCP reset.
	Reset Kind = "reset"
	// ResetAfter carries the call out, then cuts the connection with a reset.
	ResetAfter Kind = "reset-after"
	// HTML answers with status 200 and an HTML page.
	HTML Kind = "html"
	// HalfXML carries the call out and answers with the first half of the XML
	// and a Content-Length that fits it.
	HalfXML Kind = "half-xml"
	// HalfXMLCut carries the call out and closes the connection after half of
	// the bytes that its Content-Length promised.
	HalfXMLCut Kind = "half-xml-cut"
	// EndlessBody begins a good answer and never comes to its end.
	EndlessBody Kind = "endless-body"
	// HugeBody answers with good XML of Size bytes (default 100 MiB).
	HugeBody Kind = "huge-body"
	// WrongSecret answers checksumError, whatever the checksum.
	WrongSecret Kind = "wrong-secret"
	// EmptyBody answers with status 200 and no body.
	EmptyBody Kind = "empty-body"
	// Redirect answers with Status (default 302) and Location (default a host
	// that does not exist).
	Redirect Kind = "redirect"
	// GzipBomb answers with good XML that unpacks to Size bytes (default 256
	// MiB), compressed whether the client asked for it or not.
	GzipBomb Kind = "gzip-bomb"
	// BadUTF8 carries the call out and puts bytes into the answer that are no
	// UTF-8.
	BadUTF8 Kind = "bad-utf8"
	// DropMeeting forgets the meeting of the request's meetingID without a
	// trace, then answers properly.
	DropMeeting Kind = "drop-meeting"
	// JoinToForeignLocation carries a join out and redirects to Location
	// (default a host that does not exist). Other calls are not concerned.
	JoinToForeignLocation Kind = "join-to-foreign-location"
)

// Misbehaviour is one rule. The earliest rule that fits a request is applied.
type Misbehaviour struct {
	// Call is the call concerned, "index" for the version call; "" concerns all
	// calls. The pages that people see are never concerned.
	Call string
	// Skip lets that many fitting requests pass first.
	Skip int
	// Times is the number of requests concerned; 0: until Behave.
	Times int
	// Kind is what happens.
	Kind Kind
	// Delay, Status, Size and Location are read by the kinds that name them.
	Delay    time.Duration
	Status   int
	Size     int64
	Location string
}

// rules are the misbehaviours that apply.
type rules struct {
	mu     sync.Mutex
	list   []*Misbehaviour
	behave chan struct{} // closed and replaced by Behave: ends what hangs
}

func (r *rules) init() { r.behave = make(chan struct{}) }

// Misbehave adds a rule behind those that apply already.
func (s *Server) Misbehave(m Misbehaviour) {
	s.rules.mu.Lock()
	defer s.rules.mu.Unlock()
	s.rules.list = append(s.rules.list, &m)
}

// Behave takes all rules back. What is delayed is answered at once; what hangs
// is cut.
func (s *Server) Behave() {
	s.rules.mu.Lock()
	defer s.rules.mu.Unlock()
	s.rules.list = nil
	close(s.rules.behave)
	s.rules.behave = make(chan struct{})
}

// deed is the misbehaviour one request meets; its zero Kind is none.
type deed struct {
	Misbehaviour
	behave <-chan struct{} // closed once Behave is called
}

// take finds the rule for one request and uses it up by one.
func (r *rules) take(call string) deed {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, m := range r.list {
		if m.Call != "" && m.Call != call || m.Kind == JoinToForeignLocation && call != "join" {
			continue
		}
		if m.Skip > 0 {
			m.Skip--
			break
		}
		if m.Times == 1 {
			r.list = slices.Delete(r.list, i, i+1)
		}
		m.Times = max(m.Times-1, 0)
		return deed{*m, r.behave}
	}
	return deed{behave: r.behave}
}
