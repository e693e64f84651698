package balancer

import (
	"slices"
	"strings"
	"sync"
	"time"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// Pool is the soft state of the servers: how loaded each one is, as far as that
// is known between two polls. Placements and joins count at once; a poll
// corrects what it could know. Nothing here is durable: the records come from
// the store and so does what the last polls found.
//
// It is safe for concurrent use.
type Pool struct {
	mu     sync.Mutex
	rule   LoadRule
	anyTag bool
	nodes  map[string]*node
	turn   int64 // grows with every placement
}

// node is one server in the pool.
type node struct {
	server  store.Server
	status  store.Status
	failing bool // its last answer failed

	// The sums of all meetings. Those that a restart lost the tallies of are in
	// lost, people and count.
	meetings map[store.MeetingKey]*tally
	lost     float64 // weight
	users    int
	videos   int
	people   int
	count    int // meetings that are no breakout rooms
	chosen   int64

	report *report
}

// report is the last good answer of a server to a poll.
type report struct {
	started  time.Time
	meetings []bbb.Meeting
}

// NewPool returns an empty pool. With anyTag a meeting that no tag suits may go
// to any server.
func NewPool(rule LoadRule, anyTag bool) *Pool {
	return &Pool{rule: rule, anyTag: anyTag, nodes: map[string]*node{}}
}

// Configure changes the rule by which meetings are weighed from now on.
func (p *Pool) Configure(rule LoadRule, anyTag bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, sign := range []int{-1, 1} {
		for _, n := range p.nodes {
			for _, t := range n.meetings {
				p.add(n, *t, sign)
			}
		}
		p.rule, p.anyTag = rule, anyTag
	}
}

// Restore puts a server into the pool as a former process left it: the weight
// that its last poll stored, and the meetings placed since.
func (p *Pool) Restore(s store.Server, st store.Status, bound []store.Meeting, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := &node{server: s, status: st, failing: st.Error != "", meetings: map[store.MeetingKey]*tally{}}
	n.lost, n.people, n.count = st.Weight, st.Users, st.Meetings
	for _, m := range bound {
		n.chosen = max(n.chosen, m.Created.UnixNano())
		if m.Created.After(st.Polled) {
			p.tally(n, m.MeetingKey, tally{
				young:  now.Sub(m.Created) < p.rule.Young,
				placed: m.Created, settled: m.Created,
			})
		}
	}
	p.turn = max(p.turn, n.chosen)
	p.nodes[s.ID] = n
}

// Set brings the records of a server up to date, and adds it if it is new.
func (p *Pool) Set(s store.Server, st store.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nodes[s.ID]
	if n == nil {
		n = &node{meetings: map[store.MeetingKey]*tally{}}
		p.nodes[s.ID] = n
	}
	n.server, n.status = s, st
}

// Remove takes a server out.
func (p *Pool) Remove(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.nodes, id)
}

// Server returns the records of a server; false if there is none.
func (p *Pool) Server(id string) (store.Server, store.Status, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nodes[id]
	if n == nil {
		return store.Server{}, store.Status{}, false
	}
	return n.server, n.status, true
}

// Servers returns the records of all servers, by ID.
func (p *Pool) Servers() []store.Server {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]store.Server, 0, len(p.nodes))
	for _, n := range p.nodes {
		all = append(all, n.server)
	}
	slices.SortFunc(all, func(a, b store.Server) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// Load returns the estimated load of a server, multiplier included; false while
// it is offline, disabled or not there.
func (p *Pool) Load(id string) (float64, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nodes[id]
	if n == nil || !n.status.Online || n.server.State == store.Disabled {
		return 0, false
	}
	return p.load(n), true
}

// Place chooses a server for a new meeting and counts the meeting there at once.
// The servers in exclude are left out. The errors are those of Pick.
func (p *Pool) Place(k store.MeetingKey, wish TagWish, exclude []string, now time.Time) (store.Server, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	doubt := p.ownNetwork()
	candidates := make([]Candidate, 0, len(p.nodes))
	for id, n := range p.nodes {
		if !n.available() || p.full(n) || slices.Contains(exclude, id) {
			continue
		}
		candidates = append(candidates, Candidate{
			ID: id, Tag: n.server.Tag, Load: p.load(n), Chosen: n.chosen,
			Standby: n.server.Standby, Doubtful: doubt && n.failing,
		})
	}
	id, err := Pick(candidates, wish, p.anyTag)
	if err != nil {
		return store.Server{}, err
	}
	n := p.nodes[id]
	p.turn = max(p.turn+1, now.UnixNano())
	n.chosen = p.turn
	p.tally(n, k, tally{young: true, placed: now})
	return n.server, nil
}

// Count counts a known meeting that is created anew on its server, as if it had
// been placed there.
func (p *Pool) Count(server string, k store.MeetingKey, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.nodes[server]; n != nil {
		p.tally(n, k, tally{young: true, placed: now, settled: now})
	}
}

// Settle notes that the server has answered the create of a placed meeting.
func (p *Pool) Settle(server string, k store.MeetingKey, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.nodes[server]; n != nil && n.meetings[k] != nil {
		n.meetings[k].settled = now
	}
}

// Drop takes a meeting off a server: its placement failed, or it is over.
func (p *Pool) Drop(server string, k store.MeetingKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.nodes[server]; n != nil {
		p.untally(n, k)
	}
}

// Join counts somebody who was sent to a meeting.
func (p *Pool) Join(server string, k store.MeetingKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nodes[server]
	if n == nil {
		return
	}
	joined := tally{joinsOnly: true}
	if t := n.meetings[k]; t != nil {
		joined = *t
	}
	joined.joins++
	p.tally(n, k, joined)
}

// Creating reports whether a create of the meeting was not answered yet when a
// poll began at started: such a poll cannot know whether the meeting is there.
func (p *Pool) Creating(server string, k store.MeetingKey, started time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nodes[server]
	return n != nil && n.meetings[k] != nil && n.meetings[k].unknownAt(started)
}

// unknownAt reports whether a poll that began at started may have missed the
// meeting because it was just being created.
func (t *tally) unknownAt(started time.Time) bool {
	return !t.placed.IsZero() && (t.settled.IsZero() || !t.settled.Before(started))
}

// Polling notes that a poll of the server begins: what is counted from now on it
// may have missed.
func (p *Pool) Polling(server string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.nodes[server]; n != nil {
		for _, t := range n.meetings {
			t.joinsAt = t.joins
		}
	}
}

// Polled replaces the estimate by what a poll that began at started has found.
// What it could not know keeps its weight: joins since then, and meetings whose
// create was not answered yet or that are younger than grace.
func (p *Pool) Polled(server string, started time.Time, found []bbb.Meeting, created map[store.MeetingKey]time.Time, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nodes[server]
	if n == nil {
		return
	}
	former := n.meetings
	n.reset()
	n.failing = false
	n.report = &report{started: started, meetings: found}
	for _, m := range found {
		k := keyOf(m)
		if m.Ended || k.ID == "" {
			continue
		}
		began := m.CreateTime
		if at, ok := created[k]; ok {
			began = at
		}
		t := p.rule.polledTally(m, began, now)
		if f := former[k]; f != nil {
			t.joins = max(f.joins-f.joinsAt, 0)
			t.placed, t.settled = f.placed, f.settled
		}
		p.tally(n, k, t)
	}
	for k, f := range former {
		if n.meetings[k] == nil && (f.unknownAt(started) || !f.placed.IsZero() && now.Sub(f.placed) < forgetAfter) {
			p.tally(n, k, *f)
		}
	}
}

// Fail notes that a server did not answer as it should.
func (p *Pool) Fail(server string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.nodes[server]; n != nil {
		n.failing = true
	}
}

// OwnNetwork reports whether so many servers fail at once that the cause must be
// on this side: more than one, and more than half of the enabled servers that
// were still online.
func (p *Pool) OwnNetwork() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ownNetwork()
}

func (p *Pool) ownNetwork() bool {
	var online, failing int
	for _, n := range p.nodes {
		if !n.available() {
			continue
		}
		online++
		if n.failing {
			failing++
		}
	}
	return failing > 1 && 2*failing > online
}

// Reports returns the last good answers to polls that began at or after since,
// by server.
func (p *Pool) Reports(since time.Time) map[string][]bbb.Meeting {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[string][]bbb.Meeting{}
	for id, n := range p.nodes {
		if n.report != nil && !n.report.started.Before(since) {
			all[id] = n.report.meetings
		}
	}
	return all
}

// available: may get new meetings.
func (n *node) available() bool {
	return n.server.State == store.Enabled && n.status.Online
}

func (p *Pool) load(n *node) float64 {
	return (n.lost + p.rule.sum(n.users, n.videos)) * n.server.LoadMultiplier
}

func (n *node) reset() {
	n.meetings = map[store.MeetingKey]*tally{}
	n.lost, n.users, n.videos, n.people, n.count = 0, 0, 0, 0, 0
}

// full: one more meeting would exceed a limit of the server.
func (p *Pool) full(n *node) bool {
	s := n.server
	return s.MaxMeetings > 0 && n.count+1 > s.MaxMeetings ||
		s.MaxUsers > 0 && n.people+p.rule.MinUsers > s.MaxUsers
}

// tally sets what is known of a meeting and keeps the sums.
func (p *Pool) tally(n *node, k store.MeetingKey, t tally) {
	p.untally(n, k)
	n.meetings[k] = &t
	p.add(n, t, 1)
}

func (p *Pool) untally(n *node, k store.MeetingKey) {
	if t := n.meetings[k]; t != nil {
		delete(n.meetings, k)
		p.add(n, *t, -1)
	}
}

func (p *Pool) add(n *node, t tally, sign int) {
	if t.breakout {
		return
	}
	n.users += sign * p.rule.users(t)
	n.videos += sign * t.videos
	n.people += sign * p.rule.expected(t)
	if !t.joinsOnly {
		n.count += sign
	}
}

func keyOf(m bbb.Meeting) store.MeetingKey {
	return store.MeetingKey{Tenant: m.TenantID, ID: m.MeetingID}
}
