package balancer_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/store"
)

func everything(bbb.Meeting) bool { return true }

// getMeetings is GetMeetings that must not fail.
func (r *rig) getMeetings(shown func(bbb.Meeting) bool) bbb.Reply {
	r.t.Helper()
	reply, err := r.GetMeetings(r.t.Context(), shown)
	if err != nil {
		r.t.Error(err)
	}
	return reply
}

// ids are the IDs of the meetings in an answer, by the number of times.
func ids(t *testing.T, reply bbb.Reply) map[string]int {
	t.Helper()
	if parsed, err := bbb.ParseReply("we", reply.Body); err != nil || !parsed.OK {
		t.Fatalf("getMeetings answers %s: %v", reply.Body, err)
	}
	all := map[string]int{}
	for _, m := range reply.Meetings() {
		all[m.MeetingID]++
	}
	return all
}

func TestGetMeetingsPutsTheServersAnswersTogether(t *testing.T) {
	r := newPool(t, 3)
	var want [][]byte
	for i := range 6 {
		r.create(fmt.Sprintf("class-%d", i), "meta_note=%3Cä%26%5D%5D%3E")
	}
	r.makeOn("s2", "foreign")
	r.setState("s3", store.Cordoned)
	for _, sim := range r.sims {
		link := sim.URL() + "/getMeetings?" + bbb.Sign(bbb.SHA256, "getMeetings", "", bbb.Secret(sim.Secret()))
		body, err := io.ReadAll(follow(t, link).Body)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := bbb.ParseReply("it", body)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range reply.Meetings() {
			want = append(want, bytes.Clone(m.Raw))
		}
	}
	reply := r.getMeetings(everything)
	if got := ids(t, reply); len(got) != 7 || len(want) != 7 {
		t.Errorf("%v, the servers have %d", got, len(want))
	}
	for _, raw := range want {
		if n := bytes.Count(reply.Body, raw); n != 1 {
			t.Errorf("the element %s is in the answer %d times", raw, n)
		}
	}
}

func TestGetMeetingsShowsWhatIsTheCallers(t *testing.T) {
	r := newPool(t, 2)
	r.makeOn("s1", "tenants", "meta_tenant-id=t1")
	r.create("plain")
	reply := r.getMeetings(func(m bbb.Meeting) bool { return m.TenantID == "" })
	if got := ids(t, reply); len(got) != 1 || got["plain"] != 1 {
		t.Errorf("%v", got)
	}
	reply = r.getMeetings(func(m bbb.Meeting) bool { return m.TenantID == "t1" })
	if got := ids(t, reply); len(got) != 1 || got["tenants"] != 1 {
		t.Errorf("%v", got)
	}
}

func TestGetMeetingsOfNone(t *testing.T) {
	const want = "<response><returncode>SUCCESS</returncode><meetings/><messageKey>noMeetings</messageKey><message>no meetings were found on this server</message></response>"
	for n := range 3 {
		r := newPool(t, n)
		if reply := r.getMeetings(everything); string(reply.Body) != want || !reply.OK {
			t.Errorf("with %d servers: %s", n, reply.Body)
		}
	}
	r := newPool(t, 1)
	r.create("hidden")
	if reply := r.getMeetings(func(bbb.Meeting) bool { return false }); string(reply.Body) != want {
		t.Errorf("with nothing to show: %s", reply.Body)
	}
	if string(balancer.NoMeetings().Body) != want {
		t.Errorf("switched off: %s", balancer.NoMeetings().Body)
	}
}

func TestGetMeetingsAsksEveryServerThatIsOnlineAndNotDisabled(t *testing.T) {
	r := newPool(t, 4)
	for i := 1; i <= 4; i++ {
		r.makeOn(fmt.Sprintf("s%d", i), fmt.Sprintf("on-%d", i))
	}
	r.poll()
	r.setState("s2", store.Cordoned)
	r.setState("s3", store.Disabled)
	r.offline("s4")
	for _, sim := range r.sims {
		sim.ResetRequests()
	}
	got := ids(t, r.getMeetings(everything))
	if len(got) != 2 || got["on-1"] != 1 || got["on-2"] != 1 {
		t.Errorf("%v, want those of s1 and s2", got)
	}
	for id, want := range map[string]int{"s1": 1, "s2": 1, "s3": 0} {
		if n := r.sims[id].Count("getMeetings"); n != want {
			t.Errorf("%s was asked %d times, want %d", id, n, want)
		}
	}
	if p := last(t, r.sims["s1"], "getMeetings").Params; len(p) != 1 || p.Get("checksum") == "" {
		t.Errorf("s1 was asked with parameters")
	}
}

// T43
func TestGetMeetingsWithSlowAndBrokenServers(t *testing.T) {
	r := newPool(t, 8, func(c *balancer.Config) { c.AggregateTimeout = time.Second })
	for i := 1; i <= 8; i++ {
		r.makeOn(fmt.Sprintf("s%d", i), fmt.Sprintf("on-%d", i))
	}
	r.poll()
	for i, kind := range []bbbtest.Kind{bbbtest.Hang, bbbtest.ServerError, bbbtest.WrongSecret, bbbtest.HalfXML} {
		id := fmt.Sprintf("s%d", i+1)
		r.makeOn(id, fmt.Sprintf("new-%d", i+1))
		r.sims[id].Misbehave(bbbtest.Misbehaviour{Kind: kind})
	}
	r.makeOn("s8", "new-8")
	got := ids(t, r.getMeetings(everything))
	for i := 1; i <= 8; i++ {
		if got[fmt.Sprintf("on-%d", i)] != 1 {
			t.Errorf("the meeting of server %d is not in the answer", i)
		}
	}
	if len(got) != 9 || got["new-8"] != 1 {
		t.Errorf("got %v, want what the last polls saw, and the present meetings of s8", got)
	}
	r.clock.forward(2*r.cfg.PollInterval + time.Second)
	got = ids(t, r.getMeetings(everything))
	for i := 1; i <= 8; i++ {
		if want := min(i/5, 1); got[fmt.Sprintf("on-%d", i)] != want {
			t.Errorf("when the polls are more than two intervals old, the meeting of server %d is there %d times, want %d", i, got[fmt.Sprintf("on-%d", i)], want)
		}
	}
}

// An empty list in place of an error would have front-ends drop their meetings.
func TestGetMeetingsIsAnErrorWhenNobodyCanBeAnsweredFor(t *testing.T) {
	r := newPool(t, 2)
	r.create("class")
	r.poll()
	for _, sim := range r.sims {
		sim.Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.ServerError})
	}
	if got := ids(t, r.getMeetings(everything)); got["class"] != 1 {
		t.Errorf("with a recent poll: %v", got)
	}
	r.clock.forward(2*r.cfg.PollInterval + time.Second)
	if reply, err := r.GetMeetings(t.Context(), everything); !errors.Is(err, bbb.ErrAccessFailed) {
		t.Errorf("no server answers, and the polls are old: %s, %v", reply.Body, err)
	}
	r.sims["s1"].Behave()
	if reply, err := r.GetMeetings(t.Context(), everything); err != nil || !reply.OK {
		t.Errorf("one server answers: %s, %v", reply.Body, err)
	}
}

// All are asked at once: each answers only when all have been asked.
func TestGetMeetingsAsksAllAtTheSameTime(t *testing.T) {
	r := newPool(t, 10, func(c *balancer.Config) { c.AggregateTimeout = time.Minute })
	for id, sim := range r.sims {
		r.makeOn(id, "on-"+id)
		sim.ResetRequests()
		sim.Misbehave(bbbtest.Misbehaviour{Call: "getMeetings", Kind: bbbtest.Slow, Delay: time.Minute})
	}
	answer := make(chan bbb.Reply)
	go func() { answer <- r.getMeetings(everything) }()
	for _, sim := range r.sims {
		if err := sim.WaitRequests(t.Context(), "getMeetings", 1); err != nil {
			t.Fatal(err)
		}
	}
	for _, sim := range r.sims {
		sim.Behave()
	}
	if got := ids(t, <-answer); len(got) != 10 {
		t.Errorf("%v", got)
	}
}
