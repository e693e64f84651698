package balancer_test

import (
	"strings"
	"testing"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/store"
)

func TestMeetingsGoOnWhenTheirServerComesBack(t *testing.T) {
	r := newPool(t, 1)
	for _, id := range []string{"with-people", "without"} {
		r.create(id)
	}
	r.enter("s1", "with-people")
	r.offline("s1")
	for _, id := range []string{"with-people", "without"} {
		if !r.known(id) {
			t.Errorf("%s was forgotten because its server does not answer", id)
		}
	}
	r.back("s1")
	for _, id := range []string{"with-people", "without"} {
		if err := r.join(id); err != nil {
			t.Errorf("join %s: %v", id, err)
		}
	}
	if r.calls("end") != 0 {
		t.Error("an end was sent")
	}
}

// movedMeeting is a pool in which lesson-1 was placed anew because s1 went
// offline; s1 still runs it.
func movedMeeting(t *testing.T) (r *rig, now string) {
	r = newPool(t, 1)
	r.create("lesson-1", "moderatorPW=mmm", "attendeePW=aaa")
	r.addServer(balancer.NewServer{ID: "s2"}, bbbtest.Options{})
	r.addServer(balancer.NewServer{ID: "s3"}, bbbtest.Options{})
	r.poll()
	r.offline("s1")
	now = r.create("lesson-1", "moderatorPW=mmm", "attendeePW=aaa")
	r.wantOn("lesson-1", "s1", now)
	return r, now
}

func TestMovedMeetingIsEndedWhereNobodyIsInIt(t *testing.T) {
	r, now := movedMeeting(t)
	r.enter(now, "lesson-1")
	r.crash()
	r.back("s1")
	r.eventually("the old copy is ended", func() bool { return len(r.on("lesson-1")) == 1 })
	r.poll()
	r.wantOn("lesson-1", now)
	if got := r.record("lesson-1").Server; got != now {
		t.Errorf("the meeting is bound to %s, want %s", got, now)
	}
	if err := r.join("lesson-1"); err != nil {
		t.Error(err)
	}
	if strings.Contains(r.log.String(), "two servers") {
		t.Error("a copy without people was reported")
	}
}

func TestMovedMeetingIsReportedWhereSomebodyIsInIt(t *testing.T) {
	r, now := movedMeeting(t)
	user := r.enter("s1", "lesson-1")
	r.enter(now, "lesson-1")
	r.back("s1")
	r.poll()
	r.poll()
	r.wantOn("lesson-1", "s1", now)
	if r.calls("end") != 0 || r.record("lesson-1").Server != now {
		t.Errorf("%d ends were sent, the meeting is bound to %s", r.calls("end"), r.record("lesson-1").Server)
	}
	if n := strings.Count(r.log.String(), "runs on two servers"); n != 1 {
		t.Errorf("it was reported %d times, want once", n)
	}
	// Once they have left, the copy ends.
	if err := r.sims["s1"].Leave("lesson-1", user); err != nil {
		t.Fatal(err)
	}
	r.poll()
	r.eventually("the old copy is ended", func() bool { return len(r.on("lesson-1")) == 1 })
	r.wantOn("lesson-1", now)
}

// The new meeting is over by the time the old server is back.
func TestMovedMeetingThatIsOverDoesNotComeBackEmpty(t *testing.T) {
	r, _ := movedMeeting(t)
	if reply, err := r.End(t.Context(), about("end", "lesson-1", "password=mmm")); err != nil || !reply.OK {
		t.Fatalf("%v %s", err, reply.Body)
	}
	r.back("s1")
	r.eventually("the old copy is ended", func() bool { return len(r.on("lesson-1")) == 0 })
	r.poll()
	if r.known("lesson-1") {
		t.Error("the meeting that was ended is known again")
	}
}

func TestMovedMeetingWithPeopleComesBackWhenTheNewOneIsOver(t *testing.T) {
	r, now := movedMeeting(t)
	r.enter("s1", "lesson-1")
	r.sims[now].Forget("lesson-1")
	r.clock.forward(2 * 60 * 1e9)
	r.poll()
	r.back("s1")
	if got := r.record("lesson-1").Server; got != "s1" {
		t.Errorf("the meeting is bound to %s", got)
	}
	if err := r.join("lesson-1"); err != nil {
		t.Error(err)
	}
}

// It is created again on the server that it once left: then that copy is it.
func TestMeetingThatMovesBackIsNotEnded(t *testing.T) {
	r, now := movedMeeting(t)
	r.sims[now].Stop()
	r.setState("s2", store.Disabled)
	r.setState("s3", store.Disabled)
	r.comeBack("s1")
	r.poll()
	r.poll()
	r.Close()
	r.start()
	r.eventually("s1 ends the copy or has it again", func() bool { return r.info("s1").Online })
	if got := r.create("lesson-1", "moderatorPW=mmm", "attendeePW=aaa"); got != "s1" {
		t.Fatalf("created on %s", got)
	}
	r.poll()
	r.poll()
	r.Close()
	r.start()
	if on := r.on("lesson-1"); len(on) == 0 || on[0] != "s1" {
		t.Errorf("the meeting runs on %v, want s1", on)
	}
	if err := r.join("lesson-1"); err != nil {
		t.Error(err)
	}
}

// An owed end is on its way while its meeting is created anew there.
func TestCreateWaitsForAnOwedEnd(t *testing.T) {
	r := newPool(t, 1)
	r.create("lesson-1", "moderatorPW=mmm", "attendeePW=aaa")
	r.offline("s1")
	if _, err := r.End(t.Context(), about("end", "lesson-1")); err != nil {
		t.Fatal(err)
	}
	r.sims["s1"].Misbehave(bbbtest.Misbehaviour{Call: "end", Times: 1, Kind: bbbtest.Slow, Delay: 300 * 1e6})
	r.back("s1")
	if err := r.sims["s1"].WaitRequests(t.Context(), "end", 1); err != nil {
		t.Fatal(err)
	}
	reply, err := r.Create(t.Context(), createOf("lesson-1", "moderatorPW=new", "attendeePW=aaa"))
	if err != nil || !reply.OK {
		t.Fatalf("create: %v %s", err, reply.Body)
	}
	r.eventually("the owed end is done with", func() bool { return strings.Contains(r.log.String(), "owed end of a meeting") })
	r.wantOn("lesson-1", "s1")
	if err := r.join("lesson-1"); err != nil {
		t.Error(err)
	}
}

// The other way round: the create comes first, the debt is then void.
func TestOwedEndIsVoidOnceTheMeetingIsBoundThereAgain(t *testing.T) {
	r := newPool(t, 1, impatient)
	r.create("lesson-1")
	r.enter("s1", "lesson-1")
	r.offline("s1")
	if _, err := r.End(t.Context(), about("end", "lesson-1")); err != nil {
		t.Fatal(err)
	}
	r.sims["s1"].Misbehave(bbbtest.Misbehaviour{Call: "end", Times: 1, Kind: bbbtest.ServerError})
	r.back("s1")
	r.eventually("the end has failed", func() bool { return strings.Contains(r.log.String(), "did not succeed") })
	r.create("lesson-1")
	if m, _ := r.sims["s1"].Meeting("lesson-1"); m.Users != 0 {
		t.Error("the meeting whose end was asked for goes on as the new one")
	}
	ends := r.calls("end")
	r.poll()
	r.Close()
	r.start()
	if r.wantOn("lesson-1", "s1"); r.calls("end") != ends {
		t.Error("the meeting was ended although it was created again")
	}
}

func TestWhileItsServerIsOfflineAMeetingCountsAsNotRunning(t *testing.T) {
	r := newPool(t, 1)
	r.create("lesson-1")
	r.enter("s1", "lesson-1")
	r.offline("s1")
	reply, err := r.IsMeetingRunning(t.Context(), about("isMeetingRunning", "lesson-1"))
	if err != nil || !reply.OK || reply.Field("running") != "false" {
		t.Errorf("isMeetingRunning: %v %s", err, reply.Body)
	}
	for _, call := range []string{"getMeetingInfo", "insertDocument", "sendChatMessage"} {
		_, err := r.Forward(t.Context(), about(call, "lesson-1"))
		wantErr(t, err, bbb.ErrNotFound)
	}
	_, err = r.Join(t.Context(), about("join", "lesson-1", "fullName=A"), true)
	wantErr(t, err, bbb.ErrServerUnavailable)
	if !r.known("lesson-1") {
		t.Error("the meeting is forgotten")
	}
}
