package balancer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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

// sent are the parameters of a request as the server saw them, without the
// checksum.
func sent(q bbbtest.Request) map[string][]string {
	p := maps.Clone(map[string][]string(q.Params))
	delete(p, "checksum")
	return p
}

func TestCreateOfAKnownMeetingGoesToItsServerAgain(t *testing.T) {
	r := newPool(t, 3)
	first := r.create("lesson-1")
	was := r.record("lesson-1")
	for range 3 {
		r.clock.forward(time.Minute)
		if got := r.create("lesson-1"); got != first {
			t.Errorf("created on %s, then on %s", first, got)
		}
	}
	r.wantOn("lesson-1", first)
	if diff := cmp.Diff(was, r.record("lesson-1")); diff != "" {
		t.Errorf("a repeated create changed the record:\n%s", diff)
	}
	if n := r.sims[first].Count("create"); n != 4 || r.calls("create") != 4 {
		t.Errorf("%d creates went to %s, %d in all, want 4 and 4", n, first, r.calls("create"))
	}
}

// T47
func TestParallelIdenticalCreatesMakeOneMeeting(t *testing.T) {
	r := newPool(t, 3)
	replies := make([]bbb.Reply, 30)
	var all sync.WaitGroup
	for i := range replies {
		all.Go(func() {
			reply, err := r.Create(t.Context(), createOf("lesson-1", "meta_bbb-origin=greenlight"))
			if err != nil {
				t.Errorf("create: %v", err)
			}
			replies[i] = reply
		})
	}
	all.Wait()
	if on := r.on("lesson-1"); len(on) != 1 {
		t.Fatalf("the meeting runs on %v, want one server", on)
	}
	internal := map[string]int{}
	var fresh int
	for _, reply := range replies {
		if !reply.OK {
			t.Errorf("an identical create was refused: %s", reply.Body)
		}
		internal[reply.Field("internalMeetingID")]++
		if reply.MessageKey == "" {
			fresh++
		}
	}
	if len(internal) != 1 || fresh != 1 {
		t.Errorf("the answers tell of meetings %v, %d of them new; want one", internal, fresh)
	}

	var requests []map[string][]string
	for _, q := range r.sims[r.on("lesson-1")[0]].Requests() {
		if q.Call == "create" {
			requests = append(requests, sent(q))
		}
	}
	if len(requests) != 30 {
		t.Fatalf("%d creates arrived, want 30", len(requests))
	}
	if pw := requests[0]["moderatorPW"]; len(pw) != 1 || len(pw[0]) != 8 {
		t.Errorf("the first create carries the moderator password %v, want one of 8 characters", pw)
	}
	delete(requests[0], "moderatorPW")
	for _, q := range requests[1:] {
		if diff := cmp.Diff(requests[0], q); diff != "" {
			t.Errorf("a repeated create differs from the first (bar its password):\n%s", diff)
		}
	}
}

func TestHundredCreatesOfOneIDMakeOneMeeting(t *testing.T) {
	r := newPool(t, 4)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if reply, err := r.Create(t.Context(), createOf("lesson-1", "attendeePW=aaa", "moderatorPW=mmm")); err != nil || !reply.OK {
				t.Errorf("create: %v %s", err, reply.Body)
			}
		})
	}
	all.Wait()
	if on := r.on("lesson-1"); len(on) != 1 || on[0] != r.record("lesson-1").Server {
		t.Errorf("the meeting runs on %v, the record says %s", on, r.record("lesson-1").Server)
	}
}

// T38
func TestBurstOfCreatesSpreadsEvenly(t *testing.T) {
	r := newPool(t, 4)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			if reply, err := r.Create(t.Context(), createOf(fmt.Sprintf("class-%03d", i))); err != nil || !reply.OK {
				t.Errorf("create: %v %s", err, reply.Body)
			}
		})
	}
	all.Wait()
	for id, sim := range r.sims {
		if n := len(sim.Meetings()); n < 24 || n > 26 {
			t.Errorf("server %s has %d of 100 meetings, want 25, 1 more or less", id, n)
		}
	}
}

// T40
func TestPollDuringABurstDoesNotLowerWhatIsPlaced(t *testing.T) {
	r := newPool(t, 2, func(c *balancer.Config) { c.PollTimeout = time.Minute })
	r.sims["s1"].Misbehave(bbbtest.Misbehaviour{Call: "getMeetings", Times: 1, Kind: bbbtest.SlowAfter, Delay: time.Minute})
	r.sims["s1"].ResetRequests()
	polled := make(chan error)
	go func() {
		_, err := r.Poll(t.Context())
		polled <- err
	}()
	if err := r.sims["s1"].WaitRequests(t.Context(), "getMeetings", 1); err != nil {
		t.Fatal(err)
	}
	for i := range 6 { // the server has answered the poll already, without these
		r.create(fmt.Sprintf("class-%d", i))
	}
	r.sims["s1"].Behave()
	if err := <-polled; err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"s1", "s2"} {
		if load := r.info(id).Load; load == nil || *load != 45 {
			t.Errorf("after the poll %s has load %v, want 3 meetings of 15", id, load)
		}
	}
	for i := range 6 {
		if !r.known(fmt.Sprintf("class-%d", i)) {
			t.Errorf("meeting class-%d was forgotten by a poll that could not see it", i)
		}
	}
}

func TestCreatesOfOneMeetingGoToItsServerOneAtATime(t *testing.T) {
	r := newPool(t, 1)
	r.sims["s1"].Misbehave(bbbtest.Misbehaviour{Call: "create", Times: 1, Kind: bbbtest.Slow, Delay: time.Minute})
	done := make(chan bool, 2)
	create := func() {
		reply, err := r.Create(t.Context(), createOf("lesson-1"))
		done <- err == nil && reply.OK
	}
	go create()
	if err := r.sims["s1"].WaitRequests(t.Context(), "create", 1); err != nil {
		t.Fatal(err)
	}
	go create()
	// The second must wait, another meeting's create must not.
	r.create("lesson-2")
	if n := r.sims["s1"].Count("create"); n != 2 {
		t.Errorf("%d creates were sent, want the first and that of another meeting", n)
	}
	r.sims["s1"].Behave()
	for range 2 {
		if !<-done {
			t.Error("a create failed")
		}
	}
}

func TestCreateIsCarriedThroughWhenTheCallerLeaves(t *testing.T) {
	r := newPool(t, 1)
	r.sims["s1"].Misbehave(bbbtest.Misbehaviour{Call: "create", Times: 1, Kind: bbbtest.Slow, Delay: time.Minute})
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := r.Create(ctx, createOf("lesson-1"))
		done <- err
	}()
	if err := r.sims["s1"].WaitRequests(t.Context(), "create", 1); err != nil {
		t.Fatal(err)
	}
	leave()
	r.sims["s1"].Behave()
	if err := <-done; err != nil {
		t.Errorf("the create of a caller who left: %v", err)
	}
	r.wantOn("lesson-1", r.record("lesson-1").Server)
}

func TestLowestLoadTakesTheMeetingAndAmongEqualsTheOneChosenLongestAgo(t *testing.T) {
	r := newPool(t, 3)
	var order []string
	for i := range 6 {
		order = append(order, r.create(fmt.Sprintf("class-%d", i)))
	}
	slices.Sort(order[:3])
	if diff := cmp.Diff([]string{"s1", "s2", "s3"}, order[:3]); diff != "" {
		t.Errorf("three equal servers did not get one meeting each:\n%s", diff)
	}
	for range 20 { // beyond the 15 that a young meeting weighs
		if err := r.join("class-0"); err != nil {
			t.Fatal(err)
		}
	}
	busy := r.record("class-0").Server
	for i := range 2 {
		if got := r.create(fmt.Sprintf("more-%d", i)); got == busy {
			t.Errorf("the fullest server, %s, took another meeting", busy)
		}
	}
}

func TestLoadMultiplierMakesAServerTakeLess(t *testing.T) {
	r := newPool(t, 1)
	r.addServer(balancer.NewServer{ID: "weak", LoadMultiplier: 3}, bbbtest.Options{})
	r.poll()
	for i := range 8 {
		r.create(fmt.Sprintf("class-%d", i))
	}
	if n := len(r.sims["weak"].Meetings()); n != 2 {
		t.Errorf("a server with multiplier 3 took %d of 8 meetings, want 2", n)
	}
}

func TestCreateWithoutAnyServer(t *testing.T) {
	r := newPool(t, 0)
	_, err := r.Create(t.Context(), createOf("lesson-1"))
	wantErr(t, err, bbb.ErrNoServer)
	r = newPool(t, 2)
	r.setState("s1", store.Cordoned)
	r.setState("s2", store.Disabled)
	_, err = r.Create(t.Context(), createOf("lesson-1"))
	wantErr(t, err, bbb.ErrNoServer)
	if r.known("lesson-1") {
		t.Error("a meeting that nobody took is known")
	}
}

func TestCreateWithoutMeetingID(t *testing.T) {
	r := newPool(t, 1)
	for _, query := range []string{"name=x", "meetingID=&name=x", "meetingID=%20%09&name=x", "meetingID=+&name=x"} {
		_, err := r.Create(t.Context(), request("create", query))
		wantErr(t, err, bbb.ErrMissingMeetingID)
	}
	if n := r.calls("create"); n != 0 {
		t.Errorf("%d creates without ID were sent on", n)
	}
}

func TestCreateOfAnIDThatNoServerTakesKeepsNothing(t *testing.T) {
	r := newPool(t, 1)
	for _, id := range []string{"x", strings.Repeat("x", 257), strings.Repeat("é", 257), strings.Repeat("x", 1<<20)} {
		_, err := r.Create(t.Context(), createOf(id))
		if e, ok := errors.AsType[*bbb.Error](err); !ok || e.Key != "validationError" {
			t.Errorf("create of an ID of %d bytes: %v, want a validationError", len(id), err)
		}
	}
	if id := strings.Repeat("é", 256); r.create(id) != "s1" {
		t.Error("an ID of 256 characters was refused")
	}
}

// Old clients send Latin-1. BBB replaces what is no UTF-8, and so do we.
func TestMeetingIDThatIsNoUTF8(t *testing.T) {
	r := newPool(t, 1)
	raw := "caf\xe9-\xff\x80"
	reply, err := r.Create(t.Context(), createOf(raw))
	if err != nil || !reply.OK {
		t.Fatalf("create: %v %s", err, reply.Body)
	}
	if err := r.join(raw); err != nil {
		t.Errorf("join: %v", err)
	}
	r.clock.forward(2 * time.Minute)
	if report := r.poll(); report.Servers[0].Ended != 0 || report.Servers[0].Adopted != 0 {
		t.Errorf("the poll took the meeting for another one: %+v", report.Servers[0])
	}
	if reply, err := r.End(t.Context(), about("end", raw)); err != nil || !reply.OK {
		t.Errorf("end: %v %s", err, reply.Body)
	}
}

func TestRefusalOfTheServerIsHandedOnAndNothingIsKept(t *testing.T) {
	r := newPool(t, 2)
	reply, err := r.Create(t.Context(), about("create", "lesson-1", "name=x")) // a name of one character
	if err != nil || reply.OK || reply.MessageKey != "validationError" {
		t.Errorf("got %v %s, want the server's validationError", err, reply.Body)
	}
	if r.known("lesson-1") {
		t.Error("a meeting that was refused is known")
	}
	if n := r.calls("create"); n != 1 {
		t.Errorf("a refused create was sent %d times", n)
	}
	for _, id := range []string{"s1", "s2"} {
		if load := r.info(id).Load; load == nil || *load != 0 {
			t.Errorf("the refused meeting weighs on %s: %v", id, load)
		}
	}
}

func TestTheServersAnswerComesBackByteForByte(t *testing.T) {
	r := newPool(t, 1)
	made := r.makeOn("s1", "lesson-1", "moderatorPW=mmm", "attendeePW=aaa")
	r.poll()
	reply, err := r.Create(t.Context(), createOf("lesson-1"))
	if err != nil || !reply.OK || reply.Field("internalMeetingID") != made.InternalID {
		t.Fatalf("create: %v %s", err, reply.Body)
	}
	q := last(t, r.sims["s1"], "create")
	resp := follow(t, r.sims["s1"].URL()+"/create?"+q.RawQuery)
	body := make([]byte, len(reply.Body)+1)
	n, _ := resp.Body.Read(body)
	if got := string(body[:n]); got != string(reply.Body) {
		t.Errorf("the server answered %q, handed on was %q", got, reply.Body)
	}
}

func TestRecordKeepsWhatTheContractNames(t *testing.T) {
	r := newPool(t, 1)
	before := r.clock.Now().Add(-time.Second)
	r.create("given", "moderatorPW=mmm", "attendeePW=aaa")
	r.create("made")
	given, made := r.record("given"), r.record("made")
	if given.ModeratorPW != "mmm" || len(made.ModeratorPW) != 8 {
		t.Errorf("moderator passwords %q and %q, want the given one and one of 8 characters", given.ModeratorPW, made.ModeratorPW)
	}
	if m, _ := r.sims["s1"].Meeting("made"); m.ModeratorPW != made.ModeratorPW {
		t.Errorf("the server has the password %q, the record %q", m.ModeratorPW, made.ModeratorPW)
	}
	for _, m := range []store.Meeting{given, made} {
		if m.SignedBy != "fp-1" || m.Server != "s1" || m.VoiceBridge == "" || m.Created.Before(before) || m.Adopted {
			t.Errorf("record is %+v", m)
		}
	}
}

func TestMeetingThatIsCreatedAnewOnItsServerHasANewRecord(t *testing.T) {
	r := newPool(t, 2)
	server := r.create("lesson-1", "moderatorPW=first", "attendeePW=aaa")
	was := r.record("lesson-1")
	r.sims[server].Forget("lesson-1")
	r.clock.forward(time.Second)
	if got := r.create("lesson-1", "moderatorPW=second", "attendeePW=aaa"); got != server {
		t.Errorf("created anew on %s instead of %s", got, server)
	}
	is := r.record("lesson-1")
	if !is.Created.After(was.Created) || is.ModeratorPW != "second" || is.VoiceBridge != was.VoiceBridge {
		t.Errorf("the record went from %+v to %+v", was, is)
	}
	r.sims[server].Forget("lesson-1")
	if got := r.create("lesson-1"); got != server {
		t.Errorf("created anew on %s instead of %s", got, server)
	}
	m, _ := r.sims[server].Meeting("lesson-1")
	if pw := r.record("lesson-1").ModeratorPW; pw != m.ModeratorPW {
		t.Errorf("the record has the password %q, the server %q", pw, m.ModeratorPW)
	}
}

// T33
func TestDeadServerLosesItsMeetingToAnother(t *testing.T) {
	for _, known := range []bool{false, true} {
		t.Run(fmt.Sprintf("offline known=%v", known), func(t *testing.T) {
			r := newPool(t, 3)
			dead := r.create("lesson-1")
			r.sims[dead].Stop()
			if known {
				r.poll()
				r.poll()
			}
			now := r.create("lesson-1")
			if now == dead {
				t.Fatalf("the meeting is still on the dead server %s", dead)
			}
			if err := r.join("lesson-1"); err != nil {
				t.Errorf("join: %v", err)
			}
			if got := r.create("lesson-1"); got != now {
				t.Errorf("the next create went to %s, not to %s", got, now)
			}
		})
	}
}

// A server may listen and be dead all the same.
func TestOfflineServerIsNotAskedAgain(t *testing.T) {
	r := newPool(t, 3)
	server := r.create("lesson-1")
	r.sims[server].Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.ServerError})
	r.poll()
	r.poll()
	if got := r.create("lesson-1"); got == server {
		t.Errorf("created on %s", got)
	}
	if n := r.sims[server].Count("create"); n != 1 {
		t.Errorf("the offline server was asked %d times", n-1)
	}
}

func TestNextBestServerTakesAMeetingThatTheBestCannot(t *testing.T) {
	var attempts []int
	r := newPool(t, 0)
	r.hooks.Placed = func(_ string, attempt int) { attempts = append(attempts, attempt) }
	r.restart()
	for i := 1; i <= 4; i++ {
		r.addServer(balancer.NewServer{ID: fmt.Sprintf("s%d", i)}, bbbtest.Options{})
	}
	r.poll()
	for _, id := range []string{"s1", "s2"} { // equal load: s1 and s2 come first
		r.sims[id].Stop()
	}
	if got := r.create("lesson-1"); got != "s3" {
		t.Errorf("created on %s, want s3", got)
	}
	if diff := cmp.Diff([]int{3}, attempts); diff != "" {
		t.Errorf("placements that were told:\n%s", diff)
	}
	if r.info("s1").Failures != 1 {
		t.Errorf("s1 refused a connection and has %d failures, want 1 as after a failed poll", r.info("s1").Failures)
	}
	if load := r.info("s1").Load; load != nil && *load != 0 {
		t.Errorf("the meeting that s1 did not take weighs there: %v", *load)
	}
}

func TestAtMostThreeServersAreTried(t *testing.T) {
	r := newPool(t, 5)
	for _, id := range []string{"s1", "s2", "s3", "s4", "s5"} {
		r.sims[id].Misbehave(bbbtest.Misbehaviour{Call: "create", Kind: bbbtest.ServerError})
	}
	_, err := r.Create(t.Context(), createOf("lesson-1"))
	wantErr(t, err, bbb.ErrCreateFailed)
	if n := r.calls("create"); n != 3 {
		t.Errorf("%d servers were tried, want 3", n)
	}
	if r.known("lesson-1") {
		t.Error("the placement was not undone")
	}
	for id := range r.sims {
		if load := r.info(id).Load; load == nil || *load != 0 {
			t.Errorf("the meeting weighs on %s: %v", id, load)
		}
	}
}

func TestTwoRefusedCreatesTakeAServerOffline(t *testing.T) {
	r := newPool(t, 4)
	r.sims["s1"].Stop()
	for i := range 8 {
		r.create(fmt.Sprintf("class-%d", i))
	}
	if r.info("s1").Online {
		t.Error("a server that refused two creates is still online")
	}
}

// An administrator's change that the choice did not see yet.
func TestServerThatWasJustCordonedIsPassedOver(t *testing.T) {
	r := newPool(t, 2)
	for _, change := range []func(tx *store.Tx) error{
		func(tx *store.Tx) error {
			s, err := tx.Server("s1")
			s.State = store.Cordoned
			return errors.Join(err, tx.PutServer(s))
		},
		func(tx *store.Tx) error { return tx.RemoveServer("s1") },
	} {
		if err := r.db.Update(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if got := r.create(fmt.Sprintf("class-%d", i)); got != "s2" {
				t.Errorf("created on %s, which takes no meetings any more", got)
			}
		}
	}
}

func TestMeetingThatIsOverOnACordonedServerIsPlacedAnew(t *testing.T) {
	r := newPool(t, 1)
	r.create("running")
	r.create("over")
	r.addServer(balancer.NewServer{ID: "s2"}, bbbtest.Options{})
	r.poll()
	r.setState("s1", store.Cordoned)
	r.sims["s1"].Forget("over")
	if got := r.create("running"); got != "s1" {
		t.Errorf("a meeting that runs on a cordoned server went to %s", got)
	}
	if got := r.create("over"); got != "s2" {
		t.Errorf("a meeting that is over on a cordoned server went to %s", got)
	}
	r.wantOn("over", "s2")
}

func TestMeetingOnACordonedServerThatRefusesConnectionsIsPlacedAnew(t *testing.T) {
	r := newPool(t, 1)
	r.create("lesson-1")
	r.addServer(balancer.NewServer{ID: "s2"}, bbbtest.Options{})
	r.poll()
	r.setState("s1", store.Cordoned)
	r.sims["s1"].Stop()
	if got := r.create("lesson-1"); got != "s2" {
		t.Errorf("the meeting went to %s", got)
	}
}

func TestMeetingWhoseServerFailsOtherwiseStays(t *testing.T) {
	r := newPool(t, 2)
	server := r.create("lesson-1")
	r.enter(server, "lesson-1")
	r.sims[server].Misbehave(bbbtest.Misbehaviour{Call: "create", Times: 1, Kind: bbbtest.ServerError})
	_, err := r.Create(t.Context(), createOf("lesson-1"))
	wantErr(t, err, bbb.ErrCreateFailed)
	if r.record("lesson-1").Server != server || r.calls("end") != 0 {
		t.Error("a meeting with people in it was moved because one call failed")
	}
	r.wantOn("lesson-1", server)
}

func TestMeetingStaysWhereItIsWhenNoOtherServerCanTakeIt(t *testing.T) {
	r := newPool(t, 1)
	r.create("lesson-1")
	was := r.record("lesson-1")
	r.offline("s1")
	_, err := r.Create(t.Context(), createOf("lesson-1"))
	wantErr(t, err, bbb.ErrNoServer)

	r.addServer(balancer.NewServer{ID: "s2"}, bbbtest.Options{})
	r.poll()
	r.sims["s2"].Misbehave(bbbtest.Misbehaviour{Call: "create", Kind: bbbtest.WrongSecret})
	if reply, err := r.Create(t.Context(), createOf("lesson-1")); err != nil || reply.OK {
		t.Errorf("create: %v %s", err, reply.Body)
	}
	if diff := cmp.Diff(was, r.record("lesson-1")); diff != "" {
		t.Errorf("the record changed although no server took the meeting:\n%s", diff)
	}
	r.back("s1")
	if err := r.join("lesson-1"); err != nil {
		t.Errorf("join after the server came back: %v", err)
	}
	if r.calls("end") != 0 {
		t.Error("an end was sent")
	}
}
