package balancer

import (
	"testing"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// TestJoinUnknown: somebody who is sent to a meeting that is over leaves the
// count of meetings right.
func TestJoinUnknown(t *testing.T) {
	t.Parallel()
	p := newTestPool(store.Server{ID: "a", MaxMeetings: 2})
	p.Join("a", meetingKey(0))
	p.Drop("a", meetingKey(0))
	if got := placeParallel(t, p, 10); got["a"] != 2 {
		t.Errorf("%d meetings placed on a server that takes 2", got["a"])
	}
}

// TestNothingLeft: a server that became idle is equal to one that always was.
func TestNothingLeft(t *testing.T) {
	t.Parallel()
	p := newTestPool(store.Server{ID: "a"}, store.Server{ID: "b"})
	p.Configure(LoadRule{MinUsers: 15, PerVideo: 0.1}, false)
	var found []bbb.Meeting
	for i := range 3 {
		found = append(found, bbb.Meeting{MeetingID: meetingKey(i).ID, Videos: 1})
	}
	p.Polling("a")
	p.Polled("a", poolNow, found, nil, poolNow)
	for i := range 3 {
		p.Drop("a", meetingKey(i))
	}
	wantLoad(t, p, "a", 0)
}
