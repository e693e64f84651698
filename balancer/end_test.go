package balancer_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/store"
)

func TestEndIsSentOnAndTheMeetingForgotten(t *testing.T) {
	r := newPool(t, 2)
	server := r.create("lesson-1", "moderatorPW=mmm", "attendeePW=aaa")
	bridge := r.record("lesson-1").VoiceBridge
	reply, err := r.End(t.Context(), about("end", "lesson-1", "password=mmm", "reason=bell"))
	if err != nil || !reply.OK || reply.MessageKey != "sentEndMeetingRequest" {
		t.Fatalf("%v %s", err, reply.Body)
	}
	if q := last(t, r.sims[server], "end"); q.Params.Get("password") != "mmm" || q.Params.Get("reason") != "bell" {
		t.Error("the end did not come with its parameters")
	}
	if r.known("lesson-1") {
		t.Error("the meeting is still known")
	}
	if load := *r.info(server).Load; load != 0 {
		t.Errorf("it still weighs %v", load)
	}
	err = r.db.View(t.Context(), func(tx *store.Tx) error {
		_, err := tx.MeetingByVoiceBridge(bridge)
		return err
	})
	wantErr(t, err, store.ErrNotFound)
}

func TestEndOfAMeetingThatTheServerDoesNotHaveForgetsIt(t *testing.T) {
	r := newPool(t, 1)
	r.create("lesson-1")
	r.sims["s1"].Forget("lesson-1")
	reply, err := r.End(t.Context(), about("end", "lesson-1"))
	if err != nil || reply.MessageKey != "notFound" {
		t.Errorf("got %v %s, want the server's notFound", err, reply.Body)
	}
	if r.known("lesson-1") {
		t.Error("the meeting is still known")
	}
}

func TestWrongPasswordAndTimeoutLeaveTheMeetingKnown(t *testing.T) {
	r := newPool(t, 1, impatient)
	r.create("lesson-1", "moderatorPW=mmm", "attendeePW=aaa")
	reply, err := r.End(t.Context(), about("end", "lesson-1", "password=aaa"))
	if err != nil || reply.MessageKey != "invalidPassword" {
		t.Errorf("got %v %s, want the server's invalidPassword", err, reply.Body)
	}
	r.sims["s1"].Misbehave(bbbtest.Misbehaviour{Call: "end", Times: 1, Kind: bbbtest.Hang})
	_, err = r.End(t.Context(), about("end", "lesson-1", "password=mmm"))
	wantErr(t, err, bbb.ErrAccessFailed)
	if !r.known("lesson-1") {
		t.Fatal("the meeting is forgotten")
	}
	if err := r.join("lesson-1"); err != nil {
		t.Errorf("join: %v", err)
	}
}

func TestEndWhileTheServerIsOfflineIsRememberedAndSent(t *testing.T) {
	r := newPool(t, 1)
	for _, id := range []string{"lesson-1", "lesson-2", "lesson-3"} {
		r.create(id, "moderatorPW=mmm", "attendeePW=aaa")
		r.enter("s1", id)
	}
	r.offline("s1")
	if _, err := r.End(t.Context(), about("end", "lesson-1", "password=wrong")); err == nil || !r.known("lesson-1") {
		t.Errorf("an end with the wrong password was taken: %v", err)
	}
	for id, password := range map[string]string{"lesson-1": "password=mmm", "lesson-2": ""} {
		reply, err := r.End(t.Context(), about("end", id, password))
		if err != nil || !reply.OK || reply.MessageKey != "sentEndMeetingRequest" {
			t.Errorf("end of %s: %v %s", id, err, reply.Body)
		}
		if _, err := bbb.ParseReply("we", reply.Body); err != nil {
			t.Error(err)
		}
		if r.known(id) {
			t.Errorf("%s is still known", id)
		}
	}
	r.crash()
	r.back("s1")
	r.eventually("the ends are sent", func() bool { return len(r.on("lesson-1"))+len(r.on("lesson-2")) == 0 })
	r.wantOn("lesson-3", "s1")
	r.poll()
	if r.known("lesson-1") || r.known("lesson-2") || !r.known("lesson-3") {
		t.Error("after the server came back, the wrong meetings are known")
	}
	ends := r.calls("end")
	r.clock.forward(5 * time.Minute)
	r.poll()
	if r.calls("end") != ends {
		t.Error("an end that was sent is sent again")
	}
}

func TestEndThatTheServerDoesNotTakeIsTriedAgain(t *testing.T) {
	r := newPool(t, 1, impatient)
	r.create("lesson-1")
	r.enter("s1", "lesson-1")
	r.offline("s1")
	if _, err := r.End(t.Context(), about("end", "lesson-1")); err != nil {
		t.Fatal(err)
	}
	r.sims["s1"].Misbehave(bbbtest.Misbehaviour{Call: "end", Times: 1, Kind: bbbtest.ServerError})
	r.back("s1")
	r.eventually("the failure is logged", func() bool { return strings.Contains(r.log.String(), "did not succeed") })
	r.poll()
	r.eventually("the meeting is ended", func() bool { return len(r.on("lesson-1")) == 0 })
}

// The passwords that we know may be others than those of the meeting.
func TestOwedEndTakesThePasswordThatTheServerReports(t *testing.T) {
	r := newPool(t, 1)
	r.create("lesson-1", "moderatorPW=mmm", "attendeePW=aaa")
	r.offline("s1")
	if _, err := r.End(t.Context(), about("end", "lesson-1")); err != nil {
		t.Fatal(err)
	}
	r.sims["s1"].Forget("lesson-1")
	r.makeOn("s1", "lesson-1", "moderatorPW=other", "attendeePW=aaa")
	r.back("s1")
	r.eventually("the meeting is ended", func() bool { return len(r.on("lesson-1")) == 0 })
}

// A meeting that was created anew after the end was asked for is another one.
func TestOwedEndDoesNotHitALaterMeeting(t *testing.T) {
	r := newPool(t, 1)
	r.clock.forward(-10 * time.Minute)
	r.create("lesson-1")
	r.offline("s1")
	if _, err := r.End(t.Context(), about("end", "lesson-1")); err != nil {
		t.Fatal(err)
	}
	r.clock.forward(10 * time.Minute)
	r.sims["s1"].Forget("lesson-1")
	r.makeOn("s1", "lesson-1")
	r.back("s1")
	r.poll()
	r.Close() // waits for what the polls began
	if r.wantOn("lesson-1", "s1"); r.calls("end") != 0 {
		t.Error("a meeting was ended that began after the end was asked for")
	}
	if !r.record("lesson-1").Adopted {
		t.Error("the new meeting was not adopted")
	}
}

func TestMeetingThatWasEndedButIsStillListedIsNotAdopted(t *testing.T) {
	r := newPool(t, 0)
	r.addServer(balancer.NewServer{ID: "s1"}, bbbtest.Options{EndDelay: time.Hour})
	r.poll()
	r.create("lesson-1")
	if _, err := r.End(t.Context(), about("end", "lesson-1")); err != nil {
		t.Fatal(err)
	}
	if n := len(r.sims["s1"].Meetings()); n != 1 {
		t.Fatalf("the server lists %d meetings, want the ended one", n)
	}
	for range 2 {
		report := r.poll()
		if report.Servers[0].Adopted != 0 || report.Servers[0].Meetings != 0 || r.known("lesson-1") {
			t.Errorf("the ended meeting counts again: %+v", report.Servers[0])
		}
		r.restart()
	}
	// The same ID begins a new meeting.
	r.create("lesson-1")
	r.poll()
	if m := r.record("lesson-1"); m.Adopted {
		t.Error("the new meeting was taken for a foreign one")
	}
}

// A poll that was answered before the end, and applied after it: at once after
// the record is gone, and when everything is done.
func TestPollThatOverlapsAnEndDoesNotBringTheMeetingBack(t *testing.T) {
	ends := map[string]func(r *rig) error{
		"end":      func(r *rig) error { _, err := r.End(r.t.Context(), about("end", "lesson-1")); return err },
		"operator": func(r *rig) error { _, err := r.EndMeetings(r.t.Context(), []string{"lesson-1"}); return err },
		"panic": func(r *rig) error {
			_, err := r.PanicServer(r.t.Context(), "s1", balancer.PanicOptions{KeepState: true})
			return err
		},
		"panic without ends": func(r *rig) error {
			_, err := r.PanicServer(r.t.Context(), "s1", balancer.PanicOptions{SkipEndCalls: true})
			return err
		},
	}
	for name, end := range ends {
		for _, atOnce := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s at once=%v", name, atOnce), func(t *testing.T) {
				r := newPool(t, 1, func(c *balancer.Config) { c.PollTimeout = time.Minute })
				r.create("lesson-1")
				sim := r.sims["s1"]
				sim.Misbehave(bbbtest.Misbehaviour{Call: "getMeetings", Times: 1, Kind: bbbtest.SlowAfter, Delay: time.Minute})
				sim.ResetRequests()
				polled := make(chan error, 1)
				go func() {
					_, err := r.Poll(t.Context())
					polled <- err
				}()
				if err := sim.WaitRequests(t.Context(), "getMeetings", 1); err != nil {
					t.Fatal(err)
				}
				let := sync.OnceFunc(func() {
					sim.Behave()
					if err := <-polled; err != nil {
						t.Error(err)
					}
				})
				if atOnce {
					var looking, gone atomic.Bool
					asked := func() {
						if gone.Load() || !looking.CompareAndSwap(false, true) {
							return
						}
						gone.Store(!r.known("lesson-1"))
						looking.Store(false)
						if gone.Load() {
							let()
						}
					}
					r.clock.asked.Store(&asked)
				}
				if err := end(r); err != nil {
					t.Fatal(err)
				}
				r.clock.asked.Store(nil)
				let()
				if r.known("lesson-1") {
					t.Error("a poll adopted the meeting that was just ended")
				}
			})
		}
	}
}

func TestOperatorEndsMeetings(t *testing.T) {
	r := newPool(t, 2)
	for _, id := range []string{"a-1", "a-2", "a-3"} {
		r.create(id, "moderatorPW=mmm", "attendeePW=aaa")
	}
	if _, err := r.EndMeetings(t.Context(), []string{"a-1", "nobody"}); !errors.Is(err, balancer.ErrNoSuchMeeting) || !r.known("a-1") {
		t.Errorf("ending an unknown meeting with a known one: %v", err)
	}
	results, err := r.EndMeetings(t.Context(), []string{"a-1"})
	if err != nil || len(results) != 1 || results[0].Error != "" || results[0].Pending {
		t.Fatalf("%+v %v", results, err)
	}
	r.wantOn("a-1")
	gone := r.record("a-2").Server
	r.offline(gone)
	results, err = r.EndMeetings(t.Context(), nil)
	if err != nil || len(results) != 2 {
		t.Fatalf("%+v %v", results, err)
	}
	for _, res := range results {
		if res.Pending != (res.Server == gone) || res.Error != "" || r.known(res.ID) {
			t.Errorf("%+v", res)
		}
	}
	r.back(gone)
	r.eventually("the pending ends are sent", func() bool { return len(r.on("a-2"))+len(r.on("a-3")) == 0 })
}

func TestOperatorEndsAMeetingWhosePasswordIsNotKnown(t *testing.T) {
	r := newPool(t, 1)
	r.create("lesson-1", "moderatorPW=mmm", "attendeePW=aaa")
	r.sims["s1"].Forget("lesson-1")
	r.makeOn("s1", "lesson-1", "moderatorPW=other", "attendeePW=aaa")
	results, err := r.EndMeetings(t.Context(), []string{"lesson-1"})
	if err != nil || results[0].Error != "" {
		t.Errorf("%+v %v", results, err)
	}
	r.wantOn("lesson-1")
}
