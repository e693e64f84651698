package balancer

import (
	"slices"
	"testing"
	"time"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// TestRestore: after a restart the load, the limits and the order of the servers
// are as before, without a poll.
func TestRestore(t *testing.T) {
	t.Parallel()
	p := NewPool(DefaultConfig().loadRule(), false)
	polled := poolNow.Add(-20 * time.Minute)
	bound := func(i int, age time.Duration) store.Meeting {
		return store.Meeting{MeetingKey: meetingKey(i), Created: poolNow.Add(-age)}
	}
	server := store.Server{ID: "a", State: store.Enabled, LoadMultiplier: 2, MaxMeetings: 7}
	status := store.Status{Online: true, Weight: 42, Users: 30, Meetings: 3, Polled: polled}
	p.Restore(server, status, []store.Meeting{
		bound(0, time.Hour),      // in the weight that the poll stored
		bound(1, 20*time.Minute), // just when it began
		bound(2, 16*time.Minute), // placed since, no longer young
		bound(3, 14*time.Minute), bound(4, 0),
	}, poolNow)
	wantLoad(t, p, "a", 2*(42+15+15))
	p.Join("a", meetingKey(0))
	p.Join("a", meetingKey(3))
	wantLoad(t, p, "a", 2*(43+15+15))

	placeSome(t, p, 5, 6) // the seventh meeting
	if _, err := p.Place(meetingKey(6), TagWish{}, nil, poolNow); err == nil {
		t.Error("the limit of meetings is forgotten")
	}
	p.Polling("a")
	p.Polled("a", poolNow.Add(2*time.Minute), []bbb.Meeting{{MeetingID: meetingKey(0).ID, Participants: 4}}, nil, poolNow.Add(2*time.Minute))
	wantLoad(t, p, "a", 2*(4+15)) // the one whose create was not answered stays
}

// TestRestoreNew: what was placed just before a restart is not over because the
// first poll does not find it; a minute later it is.
func TestRestoreNew(t *testing.T) {
	t.Parallel()
	p := NewPool(DefaultConfig().loadRule(), false)
	k := meetingKey(0)
	p.Restore(store.Server{ID: "a", State: store.Enabled, LoadMultiplier: 1},
		store.Status{Online: true, Polled: poolNow.Add(-time.Minute)},
		[]store.Meeting{{MeetingKey: k, Created: poolNow.Add(-10 * time.Second)}}, poolNow)
	p.Polling("a")
	p.Polled("a", poolNow, nil, nil, poolNow)
	wantLoad(t, p, "a", 15)
	if p.Creating("a", k, poolNow) {
		t.Error("a create of the former process still counts as unanswered")
	}
	p.Polling("a")
	p.Polled("a", poolNow.Add(time.Minute), nil, nil, poolNow.Add(time.Minute))
	wantLoad(t, p, "a", 0)
}

// TestRestoreTurnClock: servers take turns even if the clock was set back.
func TestRestoreTurnClock(t *testing.T) {
	t.Parallel()
	p := newTestPool(store.Server{ID: "a"})
	p.Restore(store.Server{ID: "b", State: store.Enabled, LoadMultiplier: 1}, store.Status{Online: true, Polled: poolNow.Add(2 * time.Hour)},
		[]store.Meeting{{MeetingKey: meetingKey(9), Created: poolNow.Add(time.Hour)}}, poolNow)
	placed := placeSome(t, p, 0, 1)
	p.Drop(placed[0], meetingKey(0))
	if placed = append(placed, placeSome(t, p, 1, 2)...); !slices.Equal(placed, []string{"a", "b"}) {
		t.Errorf("placed on %v, want a, b", placed)
	}
}

func TestRestoreTurn(t *testing.T) {
	t.Parallel()
	p := NewPool(DefaultConfig().loadRule(), false)
	for i, id := range []string{"a", "b", "c"} {
		last := poolNow.Add(-time.Duration(10+i) * time.Hour)
		p.Restore(store.Server{ID: id, State: store.Enabled, LoadMultiplier: 1}, store.Status{Online: true, Polled: poolNow},
			[]store.Meeting{{MeetingKey: meetingKey(i), Created: last.Add(-time.Hour)}, {MeetingKey: meetingKey(i + 10), Created: last}}, poolNow)
	}
	if got := placeSome(t, p, 20, 23); !slices.Equal(got, []string{"c", "b", "a"}) {
		t.Errorf("placed on %v, want the one chosen longest ago first: c, b, a", got)
	}
}

// TestRestoreFailing: a restart does not forget which servers failed.
func TestRestoreFailing(t *testing.T) {
	t.Parallel()
	p := NewPool(DefaultConfig().loadRule(), false)
	for _, id := range []string{"a", "b"} {
		p.Restore(store.Server{ID: id, State: store.Enabled}, store.Status{Online: true, Error: "no answer"}, nil, poolNow)
	}
	if !p.OwnNetwork() {
		t.Error("all servers had failed, but OwnNetwork = false")
	}
}
