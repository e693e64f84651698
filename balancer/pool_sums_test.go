package balancer

import (
	"math/rand/v2"
	"testing"
	"time"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// sums are what a server's meetings add up to; lost is the weight of those that a
// restart has lost.
type sums struct {
	lost                         float64
	users, videos, people, count int
}

// poolWalk does random things to a pool. It knows what the sums of a server
// contain besides the meetings that the pool can name: those that a restart has
// lost.
type poolWalk struct {
	*Pool
	rnd  *rand.Rand
	now  time.Time
	lost map[string]sums
	did  string
}

// TestSums: whatever happens in whatever order, the sums of a server are those
// of its meetings, and what is over leaves nothing behind.
func TestSums(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		w := &poolWalk{
			Pool: newTestPool(fourServers()...), rnd: rand.New(rand.NewPCG(seed, 1)),
			now: poolNow, lost: map[string]sums{},
		}
		for step := range 2000 {
			w.step()
			if !w.sumsHold(t) {
				t.Fatalf("seed %d, step %d: after %s", seed, step, w.did)
			}
		}
		w.emptyAll(t)
	}
}

// step does one thing to a random server and meeting.
func (w *poolWalk) step() {
	w.now = w.now.Add(time.Duration(w.rnd.IntN(20)) * time.Second)
	id, k := w.server(), meetingKey(w.rnd.IntN(12))
	steps := []struct {
		name string
		do   func()
	}{
		{"Place", func() { _, _ = w.Place(k, TagWish{}, []string{w.server()}, w.now) }},
		{"Place", func() { _, _ = w.Place(k, TagWish{}, nil, w.now) }},
		{"Settle", func() { w.Settle(id, k, w.now) }},
		{"Count", func() { w.Count(id, k, w.now) }},
		{"Drop", func() { w.Drop(id, k) }},
		{"Join", func() { w.Join(id, k) }},
		{"Join", func() { w.Join(id, k) }},
		{"Join", func() { w.Join(id, k) }},
		{"Polling", func() { w.Polling(id) }},
		{"Polled", func() { w.polled(id) }},
		{"Fail", func() { w.Fail(id) }},
		{"Set", func() { w.set(id) }},
		{"Remove and Set", func() { w.Remove(id); w.set(id); delete(w.lost, id) }},
		{"Restore", func() { w.restore(id) }},
		{"Configure", w.configure},
	}
	s := steps[w.rnd.IntN(len(steps))]
	w.did = s.name + " " + id + " " + k.ID
	s.do()
}

func (w *poolWalk) server() string { return fourServers()[w.rnd.IntN(4)].ID }

func (w *poolWalk) polled(id string) {
	var found []bbb.Meeting
	created := map[store.MeetingKey]time.Time{}
	for range w.rnd.IntN(8) {
		m := bbb.Meeting{
			MeetingID: meetingKey(w.rnd.IntN(12)).ID, CreateTime: w.now.Add(-time.Hour),
			Participants: w.rnd.IntN(40), Moderators: w.rnd.IntN(3), Videos: w.rnd.IntN(7),
			Breakout: w.rnd.IntN(4) == 0, Ended: w.rnd.IntN(8) == 0,
		}
		if w.rnd.IntN(2) == 0 {
			created[keyOf(m)] = w.now.Add(-time.Minute)
		}
		found = append(found, m)
	}
	w.Polled(id, w.now.Add(-time.Duration(w.rnd.IntN(10))*time.Second), found, created, w.now)
	delete(w.lost, id)
}

func (w *poolWalk) set(id string) {
	w.Set(w.record(id), store.Status{Online: w.rnd.IntN(5) > 0})
}

func (w *poolWalk) record(id string) store.Server {
	return store.Server{
		ID: id, State: store.Enabled, LoadMultiplier: float64(1+w.rnd.IntN(4)) / 2,
		MaxMeetings: w.rnd.IntN(2) * 6, MaxUsers: w.rnd.IntN(2) * 200,
	}
}

func (w *poolWalk) restore(id string) {
	st := store.Status{
		Online: true, Polled: w.now.Add(-time.Minute),
		Weight: float64(w.rnd.IntN(100)), Users: w.rnd.IntN(90), Meetings: w.rnd.IntN(5),
	}
	var bound []store.Meeting
	for i := range w.rnd.IntN(5) {
		bound = append(bound, store.Meeting{MeetingKey: meetingKey(i), Created: w.now.Add(-time.Duration(w.rnd.IntN(120)) * time.Second)})
	}
	w.Restore(w.record(id), st, bound, w.now)
	w.lost[id] = sums{lost: st.Weight, people: st.Users, count: st.Meetings}
}

func (w *poolWalk) configure() {
	w.Configure(LoadRule{
		MinUsers: w.rnd.IntN(30), Young: time.Duration(w.rnd.IntN(30)) * time.Minute,
		PerVideo: float64(w.rnd.IntN(5)) / 10, // most of them no exact binary fractions
	}, false)
}

// sumsHold adds everything up anew.
func (w *poolWalk) sumsHold(t *testing.T) bool {
	t.Helper()
	ok := true
	for id, n := range w.nodes {
		want := w.lost[id]
		for _, m := range n.meetings {
			if m.breakout {
				continue
			}
			want.users += w.rule.users(*m)
			want.videos += m.videos
			want.people += w.rule.expected(*m)
			if !m.joinsOnly {
				want.count++
			}
		}
		if got := (sums{n.lost, n.users, n.videos, n.people, n.count}); got != want {
			t.Errorf("server %s adds up to %+v, want %+v", id, got, want)
			ok = false
		}
	}
	return ok
}

// emptyAll takes all meetings away one by one, those a restart lost by a poll.
func (w *poolWalk) emptyAll(t *testing.T) {
	t.Helper()
	for id, n := range w.nodes {
		if _, lost := w.lost[id]; lost {
			w.Polled(id, w.now, nil, nil, w.now)
		}
		for _, k := range w.Present(id) {
			w.Drop(id, k)
		}
		if got := (sums{n.lost, n.users, n.videos, n.people, n.count}); got != (sums{}) || w.load(n) != 0 {
			t.Errorf("server %s is empty but adds up to %+v, load %g", id, got, w.load(n))
		}
	}
}
