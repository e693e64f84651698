package balancer_test

import (
	"testing"
	"time"

	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
)

// A create that the server carried out although nobody heard of it: the meeting
// must end there before another server has it.
func TestCreateThatTimedOutIsEndedBeforeAnotherServerTakesIt(t *testing.T) {
	for _, kind := range []bbbtest.Kind{bbbtest.HangAfter, bbbtest.SlowAfter, bbbtest.HalfXML, bbbtest.HalfXMLCut, bbbtest.Trickle} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			r := newPool(t, 2, impatient)
			r.sims["s1"].Misbehave(bbbtest.Misbehaviour{Call: "create", Times: 1, Kind: kind, Delay: time.Hour})
			if got := r.create("lesson-1"); got != "s2" {
				t.Fatalf("created on %s, want s2", got)
			}
			r.wantOn("lesson-1", "s2")
			if n := r.sims["s1"].Count("end"); n != 1 {
				t.Errorf("%d ends were sent to the server that did not answer, want 1", n)
			}
			if a, b := last(t, r.sims["s1"], "end"), last(t, r.sims["s2"], "create"); !a.Time.Before(b.Time) {
				t.Error("the other server was asked before the end was")
			}
			r.poll()
			r.poll()
			r.wantOn("lesson-1", "s2")
			if got := r.record("lesson-1").Server; got != "s2" {
				t.Errorf("the polls moved the meeting to %s", got)
			}
		})
	}
}

// A connection that breaks may be tried once more by the transport: the meeting
// is then found where it is.
func TestCreateWhoseConnectionBreaksMakesOneMeeting(t *testing.T) {
	for _, times := range []int{1, 2, 3} {
		r := newPool(t, 2, impatient)
		r.sims["s1"].Misbehave(bbbtest.Misbehaviour{Call: "create", Times: times, Kind: bbbtest.ResetAfter})
		r.wantOn("lesson-1", r.create("lesson-1"))
		r.poll()
		r.wantOn("lesson-1", r.record("lesson-1").Server)
	}
}

// Neither create nor end are answered: the end is owed.
func TestEndOfATimedOutCreateIsOwed(t *testing.T) {
	r := newPool(t, 2, impatient)
	r.sims["s1"].Misbehave(bbbtest.Misbehaviour{Call: "create", Times: 1, Kind: bbbtest.HangAfter})
	r.sims["s1"].Misbehave(bbbtest.Misbehaviour{Call: "end", Times: 1, Kind: bbbtest.Hang})
	if got := r.create("lesson-1"); got != "s2" {
		t.Fatalf("created on %s, want s2", got)
	}
	r.wantOn("lesson-1", "s1", "s2") // s1 could not be reached for the end
	r.crash()                        // what is owed outlives the process
	r.poll()
	r.eventually("the copy on s1 is ended", func() bool { return len(r.on("lesson-1")) == 1 })
	r.wantOn("lesson-1", "s2")
	if err := r.join("lesson-1"); err != nil {
		t.Error(err)
	}
}

// The server had not even begun with the create when it was asked for the end.
func TestCreateThatIsCarriedOutLateIsEndedAllTheSame(t *testing.T) {
	r := newPool(t, 2, impatient)
	r.sims["s1"].Misbehave(bbbtest.Misbehaviour{Call: "create", Times: 1, Kind: bbbtest.Hang})
	if got := r.create("lesson-1"); got != "s2" {
		t.Fatalf("created on %s, want s2", got)
	}
	r.poll() // does not see it yet
	pw := last(t, r.sims["s1"], "create").Params.Get("moderatorPW")
	r.makeOn("s1", "lesson-1", "moderatorPW="+pw)
	r.poll()
	r.eventually("the late meeting on s1 is ended", func() bool { return len(r.on("lesson-1")) == 1 })
	r.wantOn("lesson-1", "s2")
}

func TestCreateThatTimesOutEverywhereLeavesNothing(t *testing.T) {
	r := newPool(t, 2, impatient)
	for _, sim := range r.sims {
		sim.Misbehave(bbbtest.Misbehaviour{Call: "create", Times: 1, Kind: bbbtest.HangAfter})
	}
	_, err := r.Create(t.Context(), createOf("lesson-1"))
	wantErr(t, err, bbb.ErrCreateFailed)
	r.wantOn("lesson-1")
	if r.known("lesson-1") {
		t.Error("the meeting is known")
	}
	if r.create("lesson-1") == "" { // and can be created again
		t.Error("no server")
	}
	if n := len(r.on("lesson-1")); n != 1 {
		t.Errorf("the meeting runs on %d servers", n)
	}
}

// T36: the poller runs while a create takes long.
func TestMeetingBeingCreatedSurvivesPolls(t *testing.T) {
	r := newPool(t, 1)
	r.sims["s1"].Misbehave(bbbtest.Misbehaviour{Call: "create", Times: 1, Kind: bbbtest.Slow, Delay: time.Minute})
	done := make(chan error)
	go func() {
		reply, err := r.Create(t.Context(), createOf("lesson-1"))
		if err == nil && !reply.OK {
			err = bbb.ErrCreateFailed
		}
		done <- err
	}()
	if err := r.sims["s1"].WaitRequests(t.Context(), "create", 1); err != nil {
		t.Fatal(err)
	}
	for range 5 { // longer than what a meeting is given to be seen
		r.clock.forward(30 * time.Second)
		r.poll()
		if !r.known("lesson-1") {
			t.Fatal("a poll removed a meeting whose create was not answered yet")
		}
		if load := r.info("s1").Load; load == nil || *load != 15 {
			t.Fatalf("a poll lowered the load of a meeting being created to %v", load)
		}
	}
	r.sims["s1"].Behave()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r.poll()
	if err := r.join("lesson-1"); err != nil {
		t.Error(err)
	}
}

// A copy of the meeting was left on the only server, which could not be reached
// for the end.
func leftCopy(t *testing.T) *rig {
	r := newPool(t, 1, impatient)
	r.sims["s1"].Misbehave(bbbtest.Misbehaviour{Call: "create", Times: 1, Kind: bbbtest.HangAfter})
	r.sims["s1"].Misbehave(bbbtest.Misbehaviour{Call: "end", Times: 1, Kind: bbbtest.Hang})
	_, err := r.Create(t.Context(), createOf("lesson-1"))
	wantErr(t, err, bbb.ErrCreateFailed)
	r.wantOn("lesson-1", "s1")
	return r
}

func TestCopyThatWasLeftBehindIsTakenUpByTheNextCreate(t *testing.T) {
	r := leftCopy(t)
	if got := r.create("lesson-1"); got != "s1" {
		t.Errorf("created on %s", got)
	}
	r.poll()
	r.Close()
	r.start()
	if r.wantOn("lesson-1", "s1"); r.calls("end") != 1 {
		t.Error("the meeting was ended after it was taken up")
	}
	if err := r.join("lesson-1"); err != nil {
		t.Error(err)
	}
}

func TestCopyThatWasLeftBehindStaysOwedWhenTheNextCreateFails(t *testing.T) {
	r := leftCopy(t)
	r.sims["s1"].Misbehave(bbbtest.Misbehaviour{Call: "create", Times: 1, Kind: bbbtest.WrongSecret})
	if reply, err := r.Create(t.Context(), createOf("lesson-1")); err != nil || reply.OK {
		t.Fatalf("%v %s", err, reply.Body)
	}
	r.poll()
	r.eventually("the copy is ended", func() bool { return len(r.on("lesson-1")) == 0 })
}
