package balancer

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// TestPollDuringBurst is T40: a poll that ends in the middle of a burst takes no
// weight from the meetings that it could not know.
func TestPollDuringBurst(t *testing.T) {
	t.Parallel()
	p := newTestPool(store.Server{ID: "a"})
	placeSome(t, p, 0, 1) // answered long before the poll
	p.Settle("a", meetingKey(0), poolNow)
	placeSome(t, p, 1, 3) // still to be answered when the poll begins
	started := poolNow.Add(time.Second)
	p.Polling("a")
	placeSome(t, p, 3, 4) // not even asked for
	p.Settle("a", meetingKey(2), started.Add(time.Second))
	p.Settle("a", meetingKey(3), started.Add(time.Second))
	wantLoad(t, p, "a", 60)

	// The answer lacks two, and knows the others without anybody in them.
	created := map[store.MeetingKey]time.Time{meetingKey(0): poolNow, meetingKey(1): poolNow, meetingKey(2): poolNow, meetingKey(3): poolNow}
	found := []bbb.Meeting{{MeetingID: meetingKey(0).ID}, {MeetingID: meetingKey(2).ID}}
	p.Polled("a", started, found, created, started.Add(2*time.Second))
	wantLoad(t, p, "a", 60)
}

// TestPollEndsReservation: a meeting that a poll does not find is over, once its
// create was answered before that poll and it is a minute old. One that is still
// being created stays, however long that takes.
func TestPollEndsReservation(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		settled time.Duration // after it was placed; 0: not yet
		polled  time.Duration
		want    bool // still counted
	}{
		"answered, new":                  {time.Second, 59 * time.Second, true},
		"answered, a minute old":         {time.Second, 60 * time.Second, false},
		"not answered":                   {0, 10 * time.Minute, true},
		"answered as the poll began":     {2 * time.Minute, 2 * time.Minute, true},
		"answered while the poll ran":    {2*time.Minute + 1, 2 * time.Minute, true},
		"answered before the poll began": {2*time.Minute - 1, 2 * time.Minute, false},
	} {
		p := newTestPool(store.Server{ID: "a"})
		placeSome(t, p, 0, 1)
		if test.settled != 0 {
			p.Settle("a", meetingKey(0), poolNow.Add(test.settled))
		}
		started := poolNow.Add(test.polled)
		creating := p.Creating("a", meetingKey(0), started)
		if want := test.settled == 0 || test.settled >= test.polled; creating != want {
			t.Errorf("%s: Creating = %v", name, creating)
		}
		p.Polling("a")
		p.Polled("a", started, nil, nil, started)
		if got := len(p.Present("a")) == 1; got != test.want {
			t.Errorf("%s: still counted: %v", name, got)
		}
		if load, _ := p.Load("a"); (load != 0) != test.want {
			t.Errorf("%s: load %g", name, load)
		}
	}
}

// TestPollOfNewMeeting: what a poll finds of a meeting holds at once, however new
// it is, but the next one may still miss it.
func TestPollOfNewMeeting(t *testing.T) {
	t.Parallel()
	p := newTestPool(store.Server{ID: "a"})
	k := meetingKey(0)
	placeSome(t, p, 0, 1)
	created := map[store.MeetingKey]time.Time{k: poolNow}
	poll := func(after time.Duration, found ...bbb.Meeting) {
		p.Polling("a")
		p.Polled("a", poolNow.Add(after), found, created, poolNow.Add(after))
	}
	poll(20*time.Second, bbb.Meeting{MeetingID: k.ID, Participants: 40})
	wantLoad(t, p, "a", 40)
	if !p.Creating("a", k, poolNow.Add(20*time.Second)) {
		t.Error("a poll has found the meeting: its create, not yet answered, is forgotten")
	}
	p.Settle("a", k, poolNow.Add(30*time.Second))
	poll(40*time.Second, bbb.Meeting{MeetingID: k.ID, Participants: 40})
	poll(59 * time.Second)
	wantLoad(t, p, "a", 40)
	poll(60 * time.Second)
	wantLoad(t, p, "a", 0)
}

func TestCreatingUnknown(t *testing.T) {
	t.Parallel()
	p := newTestPool(store.Server{ID: "a"})
	p.Join("a", meetingKey(0))
	p.Count("a", meetingKey(1), poolNow)
	if p.Creating("a", meetingKey(0), poolNow.Add(time.Second)) || p.Creating("a", meetingKey(1), poolNow.Add(time.Second)) ||
		p.Creating("a", meetingKey(2), poolNow) || p.Creating("b", meetingKey(0), poolNow) {
		t.Error("a meeting that no create is asked for counts as being created")
	}
	if !p.Creating("a", meetingKey(1), poolNow) {
		t.Error("a meeting created anew after a poll began counts as known to that poll")
	}
}

// TestPollCounts: what a poll finds replaces the estimate.
func TestPollCounts(t *testing.T) {
	t.Parallel()
	p := newTestPool(store.Server{ID: "a", LoadMultiplier: 2})
	p.Configure(LoadRule{MinUsers: 15, Young: 15 * time.Minute, PerVideo: 0.5}, false)
	now := poolNow.Add(time.Hour)
	p.Polling("a")
	p.Polled("a", now, []bbb.Meeting{
		{MeetingID: "old", Participants: 20, Moderators: 2, Videos: 3}, // 23.5
		{MeetingID: "young", CreateTime: now.Add(-14 * time.Minute)},   // 15
		{MeetingID: "bound", CreateTime: now, Participants: 3},         // 3: we know better when it began
		{MeetingID: "ended", Participants: 50, Ended: true},
		{MeetingID: "breakout", Participants: 20, Breakout: true},
		{Participants: 10}, // without an ID
		{MeetingID: "old", TenantID: "other", Participants: 7},
	}, map[store.MeetingKey]time.Time{{ID: "bound"}: poolNow}, now)
	wantLoad(t, p, "a", 2*(23.5+15+3+7))
	present := p.Present("a")
	slices.SortFunc(present, func(a, b store.MeetingKey) int {
		return slices.Compare([]string{a.ID, a.Tenant}, []string{b.ID, b.Tenant})
	})
	want := []store.MeetingKey{{ID: "bound"}, {ID: "breakout"}, {ID: "old"}, {ID: "old", Tenant: "other"}, {ID: "young"}}
	if diff := cmp.Diff(want, present); diff != "" {
		t.Errorf("present (-want +got):\n%s", diff)
	}
}

// TestBreakoutsWeighNothing is T41: breakout rooms change no placement, however
// many people are in them.
func TestBreakoutsWeighNothing(t *testing.T) {
	t.Parallel()
	place := func(breakouts bool) []string {
		p := newTestPool(fourServers()...)
		for _, s := range fourServers() {
			pollOld(p, s.ID, 10)
		}
		if breakouts {
			p.Polling("a")
			p.Polled("a", poolNow, []bbb.Meeting{
				{MeetingID: "old-a", CreateTime: poolNow.Add(-time.Hour), Participants: 10},
				{MeetingID: "room-1", CreateTime: poolNow, Participants: 5, Videos: 5, Breakout: true, ParentID: "old-a"},
				{MeetingID: "room-2", CreateTime: poolNow, Participants: 5, Breakout: true, ParentID: "old-a"},
			}, nil, poolNow)
			for range 20 {
				p.Join("a", store.MeetingKey{ID: "room-1"})
			}
		}
		return placeSome(t, p, 0, 12)
	}
	if diff := cmp.Diff(place(false), place(true)); diff != "" {
		t.Errorf("placed without and with breakout rooms (-without +with):\n%s", diff)
	}
}

// TestJoinsCount: joins count once they exceed what a young meeting weighs
// anyway, those that a poll has seen no longer.
func TestJoinsCount(t *testing.T) {
	t.Parallel()
	p := newTestPool(store.Server{ID: "a", LoadMultiplier: 2})
	k := meetingKey(0)
	placeSome(t, p, 0, 1)
	p.Settle("a", k, poolNow)
	join := func(times int) {
		for range times {
			p.Join("a", k)
		}
	}
	join(15)
	wantLoad(t, p, "a", 2*15)
	join(2)
	wantLoad(t, p, "a", 2*17)

	p.Polling("a")
	join(3) // the poll may have missed them
	started := poolNow.Add(time.Minute)
	found := []bbb.Meeting{{MeetingID: k.ID, Participants: 16, Moderators: 1}}
	created := map[store.MeetingKey]time.Time{k: poolNow}
	p.Polled("a", started, found, created, started)
	wantLoad(t, p, "a", 2*(17+3))
	join(1)
	wantLoad(t, p, "a", 2*(17+4))

	// A poll that failed takes nothing back; the next one has seen them all.
	p.Polling("a")
	p.Fail("a")
	wantLoad(t, p, "a", 2*(17+4))
	p.Polling("a")
	found[0].Participants = 9
	p.Polled("a", started.Add(time.Minute), found, created, started.Add(time.Minute))
	wantLoad(t, p, "a", 2*15) // some left, it is still young
	p.Polling("a")
	p.Polled("a", started.Add(20*time.Minute), found, created, started.Add(20*time.Minute))
	wantLoad(t, p, "a", 2*10)
	join(1)
	wantLoad(t, p, "a", 2*11)
}

func TestCountAnew(t *testing.T) {
	t.Parallel()
	p := newTestPool(store.Server{ID: "a"})
	pollOld(p, "a", 40)
	p.Count("a", store.MeetingKey{ID: "old-a"}, poolNow)
	wantLoad(t, p, "a", 15)
	p.Count("elsewhere", meetingKey(1), poolNow)
	wantLoad(t, p, "a", 15)
}

// TestConfigure: a new rule holds for what is counted already.
func TestConfigure(t *testing.T) {
	t.Parallel()
	p := newTestPool(store.Server{ID: "a", LoadMultiplier: 2, MaxUsers: 130})
	p.Polling("a")
	p.Polled("a", poolNow, []bbb.Meeting{{MeetingID: "old", Participants: 20, Videos: 4}}, nil, poolNow)
	placeSome(t, p, 0, 2)
	wantLoad(t, p, "a", 2*(20+15+15))
	p.Configure(LoadRule{MinUsers: 40, Young: time.Minute, PerVideo: 1}, false)
	wantLoad(t, p, "a", 2*(24+40+40))
	if _, err := p.Place(meetingKey(2), TagWish{}, nil, poolNow); err == nil {
		t.Error("20 + 40 + 40 people are expected, but another 40 are placed with a limit of 130")
	}
	p.Configure(DefaultConfig().loadRule(), false)
	wantLoad(t, p, "a", 2*(20+15+15))
	p.Drop("a", meetingKey(0))
	p.Drop("a", meetingKey(1))
	wantLoad(t, p, "a", 2*20)
}

// TestLoadUnavailable: a server that is offline, disabled or not there has no
// load; a change of its records keeps what is counted.
func TestLoadUnavailable(t *testing.T) {
	t.Parallel()
	server := store.Server{ID: "a", LoadMultiplier: 1, State: store.Enabled}
	p := newTestPool(server)
	placeSome(t, p, 0, 2)
	server.State, server.LoadMultiplier = store.Cordoned, 3
	p.Set(server, store.Status{Online: true})
	wantLoad(t, p, "a", 90)
	for name, change := range map[string]func(){
		"offline":  func() { p.Set(server, store.Status{}) },
		"disabled": func() { server.State = store.Disabled; p.Set(server, store.Status{Online: true}) },
		"removed":  func() { p.Remove("a") },
	} {
		change()
		if load, ok := p.Load("a"); ok {
			t.Errorf("%s: load %g", name, load)
		}
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	p := newTestPool(fourServers()...)
	a, b := []bbb.Meeting{{MeetingID: "1"}}, []bbb.Meeting{{MeetingID: "2"}}
	p.Polled("a", poolNow, a, nil, poolNow)
	p.Polled("b", poolNow.Add(-time.Minute), b, nil, poolNow)
	p.Fail("b")
	if diff := cmp.Diff(map[string][]bbb.Meeting{"a": a, "b": b}, p.Reports(poolNow.Add(-time.Minute))); diff != "" {
		t.Errorf("since a minute (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string][]bbb.Meeting{"a": a}, p.Reports(poolNow.Add(-time.Minute+1))); diff != "" {
		t.Errorf("since less (-want +got):\n%s", diff)
	}
}
