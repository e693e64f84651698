package balancer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/store"
)

func TestPollCountsWhatItSees(t *testing.T) {
	r := newPool(t, 1, func(c *balancer.Config) { c.LoadPerVideo = 0.5 })
	r.addServer(balancer.NewServer{ID: "double", LoadMultiplier: 2}, bbbtest.Options{})
	r.setState("double", store.Cordoned)
	for _, id := range []string{"big", "small"} {
		r.create(id)
	}
	for i := range 30 {
		user, err := r.sims["s1"].Join("big", "A", i < 2)
		if err != nil {
			t.Fatal(err)
		}
		if i < 4 {
			if err := r.sims["s1"].SetVideo("big", user, true); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.enter("s1", "small")
	if _, err := r.sims["s1"].AddBreakout("big", 10); err != nil {
		t.Fatal(err)
	}
	r.makeOn("double", "foreign")
	r.enter("double", "foreign")
	r.poll()
	got := r.info("s1")
	// big: 30 people and its 2 moderators once more, 4 videos; small is young.
	if load := *got.Load; load != 32+4*0.5+15 {
		t.Errorf("load is %v, want 32 + 2 + 15", load)
	}
	if got.Meetings != 2 || got.Users != 31 || got.LargestMeeting != 30 || got.Videos != 4 || got.BBBVersion != "3.0.19" {
		t.Errorf("the poll found %+v", got)
	}
	if load := *r.info("double").Load; load != 30 {
		t.Errorf("a young meeting on a server with multiplier 2 makes a load of %v, want 30", load)
	}
	r.clock.forward(16 * time.Minute)
	r.poll()
	if load := *r.info("s1").Load; load != 32+2+1 {
		t.Errorf("when no meeting is young any more the load is %v, want 35", load)
	}
}

func TestJoinsCountUntilAPollSeesThem(t *testing.T) {
	r := newPool(t, 1)
	r.create("lesson-1")
	r.clock.forward(16 * time.Minute)
	r.poll()
	for i := range 4 {
		if err := r.join("lesson-1"); err != nil {
			t.Fatal(err)
		}
		if load := *r.info("s1").Load; load != float64(i+1) {
			t.Errorf("after %d joins the load is %v", i+1, load)
		}
	}
	r.poll()
	if load := *r.info("s1").Load; load != 4 {
		t.Errorf("after a poll that saw 4 people the load is %v", load)
	}
}

func TestUnhealthyThreshold(t *testing.T) {
	r := newPool(t, 3, func(c *balancer.Config) { c.UnhealthyThreshold = 3 })
	r.sims["s1"].Stop()
	for i, want := range []bool{true, true, false} {
		report := r.poll()
		if got := r.info("s1"); got.Online != want || report.Servers[0].Online != want || got.Error == "" || got.Failures != i+1 {
			t.Errorf("after %d failed polls: %+v", i+1, got)
		}
	}
	if r.info("s1").Load != nil {
		t.Error("an offline server shows a load")
	}
	// Failures must come in a row.
	r.comeBack("s1")
	r.poll()
	for range 2 {
		r.sims["s1"].Stop()
		r.poll()
		r.poll()
		r.comeBack("s1")
		r.poll()
		if !r.info("s1").Online {
			t.Error("failures that were not in a row took a server offline")
		}
	}
}

func TestHealthyThreshold(t *testing.T) {
	r := newPool(t, 3, func(c *balancer.Config) { c.HealthyThreshold = 2 })
	if r.info("s1").Online {
		t.Fatal("online after one good poll")
	}
	r.poll()
	if !r.info("s1").Online {
		t.Fatal("not online after two good polls")
	}
	r.offline("s1")
	r.comeBack("s1")
	r.poll()
	r.sims["s1"].Misbehave(bbbtest.Misbehaviour{Times: 1, Kind: bbbtest.ServerError})
	r.poll()
	r.poll()
	if r.info("s1").Online {
		t.Error("successes that were not in a row brought a server online")
	}
	r.poll()
	if !r.info("s1").Online {
		t.Error("not online after two good polls in a row")
	}
}

// T49
func TestBadAnswersAreFailedPolls(t *testing.T) {
	r := newPool(t, 12, impatient, func(c *balancer.Config) { c.UnhealthyThreshold = 1 })
	bad := []bbbtest.Kind{bbbtest.Hang, bbbtest.Trickle, bbbtest.HugeBody, bbbtest.EndlessBody, bbbtest.WrongSecret}
	for i, kind := range bad {
		r.sims[fmt.Sprintf("s%d", i+1)].Misbehave(bbbtest.Misbehaviour{Kind: kind})
	}
	polled := map[string]int{}
	for _, s := range r.poll().Servers {
		polled[s.ID]++
		isBad := len(s.ID) == 2 && int(s.ID[1]-'1') < len(bad)
		if s.Online == isBad || (s.Error != "") != isBad {
			t.Errorf("%+v", s)
		}
	}
	if len(polled) != 12 {
		t.Errorf("%d of 12 servers were polled", len(polled))
	}
	for i, kind := range bad {
		r.sims[fmt.Sprintf("s%d", i+1)].Behave()
		r.sims["s12"].Misbehave(bbbtest.Misbehaviour{Kind: kind})
		r.poll()
		if !r.info(fmt.Sprintf("s%d", i+1)).Online || r.info("s12").Online {
			t.Errorf("after %s the servers are not what they should be", kind)
		}
		r.sims["s12"].Behave()
		r.poll()
	}
}

// T49: the good polls of a round do not wait for the bad ones.
func TestGoodPollsHoldAtOnce(t *testing.T) {
	r := newPool(t, 2, func(c *balancer.Config) { c.ResponseTimeout, c.PollTimeout = time.Hour, time.Hour })
	r.sims["s1"].Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.Hang})
	r.makeOn("s2", "foreign")
	done := make(chan struct{})
	go func() { _, _ = r.Poll(t.Context()); close(done) }()
	r.eventually("the meeting of the good server is known", func() bool { return r.known("foreign") })
	r.sims["s1"].Behave()
	<-done
}

// T35: our own network fails.
func TestFailureOfOurOwnNetworkTakesNoServerOffline(t *testing.T) {
	r := newPool(t, 4)
	var ids []string
	for i := range 8 {
		id := fmt.Sprintf("class-%d", i)
		ids = append(ids, id)
		r.create(id)
		r.enter(r.record(id).Server, id)
	}
	was := map[string]string{}
	for _, id := range ids {
		was[id] = r.record(id).Server
	}
	for _, sim := range r.sims {
		sim.Stop()
	}
	for range 6 {
		r.clock.forward(time.Minute)
		if report := r.poll(); !report.OwnNetwork {
			t.Error("the failure of all servers was not taken for our own network's")
		}
	}
	for id := range r.sims {
		if !r.info(id).Online {
			t.Errorf("server %s went offline", id)
		}
		r.comeBack(id)
	}
	if report := r.poll(); report.OwnNetwork {
		t.Error("good polls count as a failure of our network")
	}
	for _, id := range ids {
		if err := r.join(id); err != nil || r.record(id).Server != was[id] {
			t.Errorf("join of %s: %v, on %s, was on %s", id, err, r.record(id).Server, was[id])
		}
		r.wantOn(id, was[id])
	}
	if r.calls("end") != 0 {
		t.Error("an end was sent")
	}
	if !strings.Contains(r.log.String(), "our own network") {
		t.Error("it was not logged as such")
	}
}

func TestHalfOfTheServersMayGoOffline(t *testing.T) {
	r := newPool(t, 4)
	r.sims["s1"].Stop()
	r.sims["s2"].Stop()
	r.poll()
	if report := r.poll(); report.OwnNetwork || r.info("s1").Online || r.info("s2").Online {
		t.Errorf("two dead servers of four: %+v", report)
	}
	one := newPool(t, 1)
	one.offline("s1") // a single server can go offline
}

func TestMeetingThatEndedOnItsServerIsForgotten(t *testing.T) {
	r := newPool(t, 1)
	r.create("over")
	r.create("runs")
	r.enter("s1", "runs")
	r.sims["s1"].Forget("over")
	r.poll()
	if !r.known("over") {
		t.Error("a meeting younger than 60 s was forgotten")
	}
	r.clock.forward(61 * time.Second)
	report := r.poll()
	if r.known("over") || !r.known("runs") || report.Servers[0].Ended != 1 {
		t.Errorf("known are over=%v, runs=%v; %+v", r.known("over"), r.known("runs"), report.Servers[0])
	}
	for range 3 { // T37
		r.clock.forward(25 * time.Hour)
		r.poll()
	}
	if err := r.join("runs"); err != nil {
		t.Errorf("join after three days: %v", err)
	}
}

func TestCordonedServerWithoutMeetingsBecomesDisabled(t *testing.T) {
	r := newPool(t, 3)
	for i := range 2 {
		r.create(fmt.Sprintf("class-%d", i))
	}
	busy := r.record("class-0").Server
	second := r.record("class-1").Server
	r.makeOn(busy, "foreign")
	for _, id := range []string{"s1", "s2", "s3"} {
		r.setState(id, store.Cordoned)
	}
	r.poll()
	for _, id := range []string{"s1", "s2", "s3"} {
		want := store.Disabled
		if id == busy || id == second {
			want = store.Cordoned
		}
		if got := r.info(id).State; got != want {
			t.Errorf("%s is %s, want %s", id, got, want)
		}
	}
	for _, id := range []string{"class-0", "class-1"} {
		if _, err := r.End(t.Context(), about("end", id)); err != nil {
			t.Fatal(err)
		}
	}
	r.poll()
	if a, b := r.info(busy).State, r.info(second).State; a != store.Cordoned || b != store.Disabled {
		t.Errorf("the one with a foreign meeting is %s, the empty one %s", a, b)
	}
}

func TestCordonedServerWithAMeetingThatWasNotKnownIsNotEmpty(t *testing.T) {
	r := newPool(t, 1)
	r.setState("s1", store.Cordoned)
	r.makeOn("s1", "foreign")
	r.poll()
	if got := r.info("s1").State; got != store.Cordoned {
		t.Errorf("it is %s", got)
	}
}

func TestCordonedServerWithAMeetingThatItDoesNotListYetIsNotEmpty(t *testing.T) {
	r := newPool(t, 1)
	r.create("lesson-1")
	r.sims["s1"].Forget("lesson-1")
	r.setState("s1", store.Cordoned)
	r.poll()
	if got := r.info("s1").State; got != store.Cordoned {
		t.Errorf("it is %s", got)
	}
	r.clock.forward(2 * time.Minute)
	r.poll()
	if got := r.info("s1").State; got != store.Disabled {
		t.Errorf("when the meeting is over it is %s", got)
	}
}

// A cordoned server that does not answer is not empty.
func TestCordonedServerThatFailsStaysCordoned(t *testing.T) {
	r := newPool(t, 2)
	r.setState("s1", store.Cordoned)
	r.offline("s1")
	if got := r.info("s1").State; got != store.Cordoned {
		t.Errorf("it is %s", got)
	}
}

// T46
func TestPollsNeverUndoAnAdministratorsChange(t *testing.T) {
	r := newPool(t, 3, impatient, func(c *balancer.Config) { c.UnhealthyThreshold = 1 })
	for _, id := range []string{"s1", "s2", "s3"} {
		r.makeOn(id, "keeps-"+id) // so that cordoned ones stay cordoned
	}
	r.poll()
	ctx, cancel := context.WithCancel(t.Context())
	var polls sync.WaitGroup
	for range 2 {
		polls.Go(func() {
			for ctx.Err() == nil {
				_, _ = r.Poll(ctx)
			}
		})
	}
	polls.Go(func() { r.Run(ctx) }) // polls what is changed
	kinds := []bbbtest.Kind{bbbtest.ServerError, bbbtest.Reset, bbbtest.WrongSecret, bbbtest.Slow}
	states := []store.State{store.Enabled, store.Cordoned, store.Disabled}
	random := rand.New(rand.NewPCG(1, 2))
	want := map[string]balancer.ServerInfo{}
	for range 300 {
		id := fmt.Sprintf("s%d", 1+random.IntN(3))
		if random.IntN(3) == 0 {
			r.sims[id].Misbehave(bbbtest.Misbehaviour{Times: 1, Kind: kinds[random.IntN(len(kinds))], Delay: time.Millisecond})
		}
		state, tag, load := states[random.IntN(3)], fmt.Sprint("t", random.IntN(5)), 1+random.Float64()
		info, err := r.UpdateServer(t.Context(), id, balancer.ServerChange{State: &state, Tag: &tag, LoadMultiplier: &load})
		if err != nil {
			t.Fatal(err)
		}
		want[id] = info
		for id, w := range want {
			got := r.info(id)
			if got.State != w.State || got.Tag != w.Tag || got.LoadMultiplier != w.LoadMultiplier || got.Secret != w.Secret || got.URL != w.URL {
				t.Fatalf("server %s was set to %s, %s, %v and is %s, %s, %v", id, w.State, w.Tag, w.LoadMultiplier, got.State, got.Tag, got.LoadMultiplier)
			}
			if s, _, _ := r.Pool().Server(id); s.State != w.State {
				t.Fatalf("the pool has server %s as %s, want %s", id, s.State, w.State)
			}
		}
	}
	cancel()
	polls.Wait()
}

// T48
func TestLostDatabaseIsFoundAgainByOnePoll(t *testing.T) {
	r := newPool(t, 2)
	for i := range 6 {
		r.create(fmt.Sprintf("class-%d", i), "moderatorPW=mmm", "attendeePW=aaa")
	}
	was := map[string]store.Meeting{}
	for i := range 6 {
		was[fmt.Sprintf("class-%d", i)] = r.record(fmt.Sprintf("class-%d", i))
	}
	fresh := newPool(t, 0)
	for id, sim := range r.sims {
		fresh.sims[id] = sim
		if _, err := fresh.AddServer(t.Context(), balancer.NewServer{ID: id, URL: sim.URL(), Secret: bbb.Secret(sim.Secret()), Enable: true}); err != nil {
			t.Fatal(err)
		}
	}
	fresh.clock.forward(time.Hour)
	fresh.poll()
	for id, m := range was {
		got := fresh.record(id)
		if got.Server != m.Server || got.VoiceBridge != m.VoiceBridge || got.ModeratorPW != "mmm" || !got.Adopted || got.Created.Sub(m.Created).Abs() > time.Minute {
			t.Errorf("%+v was adopted as %+v", m, got)
		}
		if err := fresh.join(id); err != nil {
			t.Errorf("join %s: %v", id, err)
		}
		if reply, err := fresh.Forward(t.Context(), about("getMeetingInfo", id)); err != nil || !reply.OK {
			t.Errorf("getMeetingInfo of %s: %v %s", id, err, reply.Body)
		}
		if got := fresh.create(id, "moderatorPW=mmm", "attendeePW=aaa"); got != m.Server {
			t.Errorf("create of %s went to %s", id, got)
		}
		if reply, err := fresh.End(t.Context(), about("end", id, "password=mmm")); err != nil || !reply.OK {
			t.Errorf("end of %s: %v %s", id, err, reply.Body)
		}
	}
}

func TestAdoptionKnowsTheTenant(t *testing.T) {
	r := newPool(t, 2)
	r.makeOn("s1", "lesson-1", "meta_tenant-id=t1")
	r.makeOn("s2", "lesson-1", "meta_tenant-id=t2")
	r.makeOn("s2", "plain")
	r.poll()
	for tenant, server := range map[string]string{"t1": "s1", "t2": "s2"} {
		if m, err := r.lookup(store.MeetingKey{Tenant: tenant, ID: "lesson-1"}); err != nil || m.Server != server {
			t.Errorf("the meeting of %s is %+v, %v", tenant, m, err)
		}
		request := about("join", "lesson-1", "fullName=A")
		request.Tenant = tenant
		link, err := r.Join(t.Context(), request, true)
		if err != nil || !strings.HasPrefix(link, r.sims[server].URL()) {
			t.Errorf("join for %s leads to %q, %v", tenant, link, err)
		}
		request.Params.Set("meetingID", "plain")
		_, err = r.Join(t.Context(), request, true)
		wantErr(t, err, bbb.ErrNotFound)
	}
	_, err := r.Join(t.Context(), about("join", "lesson-1", "fullName=A"), true)
	wantErr(t, err, bbb.ErrNotFound)
}

// What a broken or hostile server reports must not keep the rest from being
// taken in.
func TestOddReportsDoNotSpoilAPoll(t *testing.T) {
	r := newPool(t, 2)
	r.create("taken")
	bridge := r.record("taken").VoiceBridge
	other := map[string]string{"s1": "s2", "s2": "s1"}[r.record("taken").Server]
	r.makeOn(other, "long-tenant", "meta_tenant-id="+strings.Repeat("t", 40<<10))
	r.makeOn(other, "same-bridge", "voiceBridge="+bridge)
	r.makeOn(other, "reserved", "voiceBridge=99999")
	r.makeOn(other, "a & b <c> \"d\" é", "meta_x=]]>")
	report := r.poll()
	for _, s := range report.Servers {
		if s.ID == other && (s.Error != "" || s.Adopted != 3) {
			t.Errorf("%+v", s)
		}
	}
	for _, id := range []string{"same-bridge", "reserved", "a & b <c> \"d\" é"} {
		if m := r.record(id); m.Server != other || m.VoiceBridge == bridge || m.VoiceBridge == "99999" {
			t.Errorf("%q became %+v", id, m)
		}
		if got := r.create(id); got != other {
			t.Errorf("create of %q went to %s", id, got)
		}
		if err := r.join(id); err != nil {
			t.Errorf("join %q: %v", id, err)
		}
	}
}

func TestMeetingTTL(t *testing.T) {
	r := newPool(t, 3)
	server := r.create("lesson-1")
	r.offline(server)
	r.clock.forward(23 * time.Hour)
	r.poll()
	if !r.known("lesson-1") {
		t.Fatal("the meeting was forgotten before its time")
	}
	r.clock.forward(2 * time.Hour)
	r.poll()
	if r.known("lesson-1") {
		t.Error("the meeting of a server that never answered again is still known")
	}
	if r.calls("end") != 0 {
		t.Error("an end was sent")
	}
}

func TestVersionIsAskedOnceAnHour(t *testing.T) {
	r := newPool(t, 1)
	sim := r.sims["s1"]
	asked := sim.Count("index")
	for range 5 {
		r.poll()
	}
	if n := sim.Count("index"); n != asked {
		t.Errorf("the version was asked for %d times more", n-asked)
	}
	r.clock.forward(61 * time.Minute)
	r.poll()
	if n := sim.Count("index"); n != asked+1 {
		t.Errorf("after an hour the version was asked for %d times, want once", n-asked)
	}
	r.offline("s1")
	r.back("s1")
	if n := sim.Count("index"); n != asked+2 {
		t.Error("the version was not asked for when the server came online")
	}
	if v := r.BBBVersion(); v != "3.0.19" {
		t.Errorf("the pool's version is %q", v)
	}
	r.addServer(balancer.NewServer{ID: "old"}, bbbtest.Options{Version: "2.7.3"})
	r.poll()
	if v := r.BBBVersion(); v != "" {
		t.Errorf("two versions are told as %q", v)
	}
}

func TestRunPollsAtStartAndWhatIsAddedOrEnabled(t *testing.T) {
	r := newPool(t, 0, func(c *balancer.Config) { c.PollInterval = time.Hour })
	r.addServer(balancer.NewServer{ID: "s1"}, bbbtest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { r.Run(ctx) })
	defer func() { cancel(); run.Wait() }()
	r.eventually("s1 is polled at start", func() bool { return r.info("s1").Online })
	r.addServer(balancer.NewServer{ID: "s2"}, bbbtest.Options{})
	r.eventually("s2 is polled when it is added", func() bool { return r.info("s2").Online })
	r.setState("s2", store.Disabled)
	n := r.sims["s2"].Count("getMeetings")
	r.eventually("the poll after disabling", func() bool { return r.sims["s2"].Count("getMeetings") >= n })
	r.makeOn("s2", "foreign")
	r.setState("s2", store.Enabled)
	r.eventually("s2 is polled when it is enabled", func() bool { return r.known("foreign") })
}

func TestRunPollsEveryInterval(t *testing.T) {
	r := newPool(t, 1, func(c *balancer.Config) { c.PollInterval = 20 * time.Millisecond })
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { r.Run(ctx) })
	if err := r.sims["s1"].WaitRequests(t.Context(), "getMeetings", 5); err != nil {
		t.Error(err)
	}
	cancel()
	run.Wait()
	n := r.sims["s1"].Count("getMeetings")
	if r.poll(); r.sims["s1"].Count("getMeetings") != n+1 {
		t.Error("the loop goes on after its end")
	}
}

func TestPollReportTellsWhatWasFound(t *testing.T) {
	var told []string
	var mu sync.Mutex
	r := newPool(t, 0)
	r.hooks.Polled = func(server string, _ time.Duration, err error) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, fmt.Sprint(server, " ", err == nil))
	}
	r.restart()
	r.addServer(balancer.NewServer{ID: "s1"}, bbbtest.Options{})
	r.addServer(balancer.NewServer{ID: "s2"}, bbbtest.Options{})
	r.sims["s2"].Stop()
	r.makeOn("s1", "foreign")
	r.enter("s1", "foreign")
	report := r.poll()
	report.Servers[0].Duration, report.Servers[1].Duration, report.Servers[1].Error = 0, 0, ""
	want := balancer.PollReport{Servers: []balancer.PolledServer{{ID: "s1", Online: true, Meetings: 1, Users: 1, Adopted: 1}, {ID: "s2"}}}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Error(diff)
	}
	if len(told) != 2 {
		t.Errorf("the hook was told %v", told)
	}
}
