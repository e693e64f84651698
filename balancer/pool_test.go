package balancer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// poolNow is when the tests of the pool take place.
var poolNow = time.Date(2026, time.March, 3, 8, 0, 0, 0, time.UTC)

// newTestPool returns a pool with the default rule and these servers, online. A
// multiplier of 0 means 1.
func newTestPool(servers ...store.Server) *Pool {
	p := NewPool(DefaultConfig().loadRule(), false)
	for _, s := range servers {
		if s.LoadMultiplier == 0 {
			s.LoadMultiplier = 1
		}
		if s.State == "" {
			s.State = store.Enabled
		}
		p.Set(s, store.Status{Online: true})
	}
	return p
}

// fourServers returns four equal servers: a, b, c and d.
func fourServers() []store.Server {
	return []store.Server{{ID: "a"}, {ID: "b"}, {ID: "c"}, {ID: "d"}}
}

func meetingKey(i int) store.MeetingKey { return store.MeetingKey{ID: fmt.Sprintf("meeting-%d", i)} }

// placeParallel places as many meetings at once, and returns how many each
// server got; those that no server took are counted under "".
func placeParallel(t *testing.T, p *Pool, meetings int) map[string]int {
	t.Helper()
	got := map[string]int{}
	var mu sync.Mutex
	var places sync.WaitGroup
	for i := range meetings {
		places.Go(func() {
			s, err := p.Place(meetingKey(i), TagWish{}, nil, poolNow)
			if err != nil && !errors.Is(err, bbb.ErrNoServer) {
				t.Errorf("Place: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			got[s.ID]++
		})
	}
	places.Wait()
	return got
}

// placeSome places meetings one after the other.
func placeSome(t *testing.T, p *Pool, from, to int) (servers []string) {
	t.Helper()
	for i := from; i < to; i++ {
		s, err := p.Place(meetingKey(i), TagWish{}, nil, poolNow)
		if err != nil {
			t.Fatalf("Place of meeting %d: %v", i, err)
		}
		servers = append(servers, s.ID)
	}
	return servers
}

// pollOld lets a poll find one old meeting with so many participants.
func pollOld(p *Pool, server string, people int) {
	p.Polling(server)
	found := []bbb.Meeting{{MeetingID: "old-" + server, CreateTime: poolNow.Add(-time.Hour), Participants: people}}
	p.Polled(server, poolNow, found, nil, poolNow)
}

func wantLoad(t *testing.T, p *Pool, server string, want float64) {
	t.Helper()
	if got, ok := p.Load(server); !ok || got != want {
		t.Errorf("load of %s is %g, %v, want %g", server, got, ok, want)
	}
}

// TestPlaceBurst is T38: a hundred meetings at once are spread over four idle
// servers evenly.
func TestPlaceBurst(t *testing.T) {
	t.Parallel()
	p := newTestPool(fourServers()...)
	for server, n := range placeParallel(t, p, 100) {
		if n < 24 || n > 26 {
			t.Errorf("server %q got %d of 100 meetings, want 25 ±1", server, n)
		}
	}
}

// TestPlaceBurstUnequal is T39: of servers with 0, 30, 30 and 30 users, no one
// gets more of 12 meetings than makes them equal.
func TestPlaceBurstUnequal(t *testing.T) {
	t.Parallel()
	p := newTestPool(fourServers()...)
	for _, s := range []string{"b", "c", "d"} {
		pollOld(p, s, 30)
	}
	// 90 users + 12 × 15 are 67.5 a server.
	most := map[string]int{"a": 5, "b": 3, "c": 3, "d": 3}
	for server, n := range placeParallel(t, p, 12) {
		if n > most[server] {
			t.Errorf("server %q got %d of 12 meetings, want at most %d", server, n, most[server])
		}
	}
}

func TestPlaceByMultiplier(t *testing.T) {
	t.Parallel()
	p := newTestPool(
		store.Server{ID: "strong", LoadMultiplier: 0.5}, store.Server{ID: "usual"}, store.Server{ID: "weak", LoadMultiplier: 2})
	got := placeParallel(t, p, 70)
	if diff := cmp.Diff(map[string]int{"strong": 40, "usual": 20, "weak": 10}, got); diff != "" {
		t.Errorf("meetings by server (-want +got):\n%s", diff)
	}
	wantLoad(t, p, "strong", 300)
	wantLoad(t, p, "usual", 300)
	wantLoad(t, p, "weak", 300)
}

// TestPlaceLongestAgo: equal servers take turns, also when their meetings are
// over before the next one comes.
func TestPlaceLongestAgo(t *testing.T) {
	t.Parallel()
	p := newTestPool(fourServers()...)
	var got []string
	for i := range 8 {
		s, err := p.Place(meetingKey(i), TagWish{}, nil, poolNow)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s.ID)
		p.Drop(s.ID, meetingKey(i))
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "a", "b", "c", "d"}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// TestPlaceOnlyAvailable: only enabled servers that are online and not excluded
// get meetings, standby ones only when no other can.
func TestPlaceOnlyAvailable(t *testing.T) {
	t.Parallel()
	p := newTestPool(
		store.Server{ID: "cordoned", State: store.Cordoned}, store.Server{ID: "disabled", State: store.Disabled},
		store.Server{ID: "standby", Standby: true}, store.Server{ID: "up"}, store.Server{ID: "other"})
	p.Set(store.Server{ID: "offline", State: store.Enabled, LoadMultiplier: 1}, store.Status{})
	pollOld(p, "up", 200)
	for _, test := range []struct {
		exclude []string
		want    string
	}{
		{[]string{"other"}, "up"},
		{[]string{"up"}, "other"},
		{[]string{"up", "other"}, "standby"},
		{[]string{"up", "other", "standby"}, ""},
	} {
		s, err := p.Place(meetingKey(1), TagWish{}, test.exclude, poolNow)
		if s.ID != test.want || (test.want == "") != errors.Is(err, bbb.ErrNoServer) {
			t.Errorf("without %v: placed on %q, %v, want %q", test.exclude, s.ID, err, test.want)
		}
		p.Drop(s.ID, meetingKey(1))
	}
}

func TestPlaceByTag(t *testing.T) {
	t.Parallel()
	p := newTestPool(store.Server{ID: "de", Tag: "de"})
	if s, err := p.Place(meetingKey(1), ParseTagWish("de"), nil, poolNow); err != nil || s.ID != "de" {
		t.Errorf("placed on %q, %v, want de", s.ID, err)
	}
	if s, err := p.Place(meetingKey(2), TagWish{}, nil, poolNow); !errors.Is(err, bbb.ErrNoServer) {
		t.Errorf("without a tag: placed on %q, %v, want none", s.ID, err)
	}
	p.Configure(DefaultConfig().loadRule(), true)
	if s, err := p.Place(meetingKey(2), TagWish{}, nil, poolNow); err != nil || s.ID != "de" {
		t.Errorf("without a tag, any allowed: placed on %q, %v, want de", s.ID, err)
	}
}

// TestPlaceLimits is T42: the limits of a server hold under parallel placing,
// with what runs there already.
func TestPlaceLimits(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		limited store.Server
		want    int // of the meetings placed
	}{
		"no limits":               {store.Server{}, 50},
		"meetings":                {store.Server{MaxMeetings: 8}, 7},
		"users":                   {store.Server{MaxUsers: 100}, 5}, // 20 + 5 × 15
		"users, to the last seat": {store.Server{MaxUsers: 95}, 5},
		"users, one seat less":    {store.Server{MaxUsers: 94}, 4},
		"both":                    {store.Server{MaxMeetings: 4, MaxUsers: 100}, 3},
		"reached already":         {store.Server{MaxMeetings: 1}, 0},
	} {
		test.limited.ID = "limited"
		p := newTestPool(test.limited)
		p.Polling("limited")
		p.Polled("limited", poolNow, []bbb.Meeting{
			{MeetingID: "old", Participants: 20, Moderators: 20},
			{MeetingID: "breakout", Participants: 20, Breakout: true},
		}, nil, poolNow)
		got := placeParallel(t, p, 50)
		if got["limited"] != test.want || got[""] != 50-test.want {
			t.Errorf("%s: %v meetings by server, want %d of 50 on the limited one", name, got, test.want)
		}
	}
}

// TestPlaceLimitsFree: what is over makes room again, and a server that is full
// leaves the rest to the others.
func TestPlaceLimitsFree(t *testing.T) {
	t.Parallel()
	p := newTestPool(store.Server{ID: "limited", MaxMeetings: 2}, store.Server{ID: "other"})
	if diff := cmp.Diff(map[string]int{"limited": 2, "other": 18}, placeParallel(t, p, 20)); diff != "" {
		t.Errorf("meetings by server (-want +got):\n%s", diff)
	}
	p.Drop("limited", p.Present("limited")[0])
	if got := placeSome(t, p, 20, 22); !slices.Equal(got, []string{"limited", "other"}) {
		t.Errorf("after one was over: placed on %v, want limited, other", got)
	}
}

// TestOwnNetwork: when more than one and more than half of the servers fail, the
// cause is taken to be here: they keep getting meetings, but after all others.
func TestOwnNetwork(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		servers, failing int
		want             bool
	}{
		{1, 1, false}, {2, 1, false}, {2, 2, true}, {3, 1, false}, {3, 2, true}, {4, 2, false}, {4, 3, true}, {4, 4, true}, {4, 0, false},
	} {
		p := newTestPool(fourServers()[:test.servers]...)
		p.Set(store.Server{ID: "cordoned", State: store.Cordoned}, store.Status{Online: true})
		p.Set(store.Server{ID: "offline", State: store.Enabled}, store.Status{})
		for _, id := range []string{"a", "b", "c", "d"}[:test.failing] {
			p.Fail(id)
			p.Fail(id)
		}
		if got := p.OwnNetwork(); got != test.want {
			t.Errorf("%d of %d servers fail: OwnNetwork = %v", test.failing, test.servers, got)
		}
	}
}

func TestPlaceDoubtful(t *testing.T) {
	t.Parallel()
	p := newTestPool(fourServers()...)
	pollOld(p, "d", 100)
	p.Fail("a")
	if got := placeSome(t, p, 0, 1); got[0] != "a" {
		t.Errorf("one failed poll: placed on %v, want a", got)
	}
	p.Fail("b")
	p.Fail("c")
	if got := placeSome(t, p, 1, 3); !slices.Equal(got, []string{"d", "d"}) {
		t.Errorf("all others are doubtful: placed on %v, want d, d", got)
	}
	p.Fail("d")
	if got := placeSome(t, p, 3, 4); got[0] != "b" {
		t.Errorf("all are doubtful: placed on %v, want b", got)
	}
	pollOld(p, "a", 200)
	if got := placeSome(t, p, 4, 5); got[0] != "a" {
		t.Errorf("a answered again: placed on %v, want a", got)
	}
}

// Present returns the meetings that the pool counts on a server.
func (p *Pool) Present(server string) []store.MeetingKey {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nodes[server]
	if n == nil {
		return nil
	}
	return slices.Collect(maps.Keys(n.meetings))
}
