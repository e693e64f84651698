package bbbtest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clock is a time that moves when told to.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 1, 2, 8, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func TestMeetingsExpire(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := New(Options{Now: clock.Now})
	defer s.Close()
	there := func(id string) bool { _, ok := s.Meeting(id); return ok }
	advance := func(d time.Duration, want map[string]bool) {
		t.Helper()
		clock.Advance(d)
		for id, want := range want {
			if there(id) != want {
				t.Errorf("%s after %s: there is %v, want %v", id, d, !want, want)
			}
		}
	}
	mustCreate(t, s, map[string]string{"meetingID": "default", "name": "ab"})
	mustCreate(t, s, map[string]string{"meetingID": "patient", "name": "ab", "meetingExpireIfNoUserJoinedInMinutes": "10"})
	mustCreate(t, s, map[string]string{"meetingID": "visited", "name": "ab"})
	mustCreate(t, s, map[string]string{"meetingID": "forever", "name": "ab", "meetingExpireWhenLastUserLeftInMinutes": "0"})
	mustCreate(t, s, map[string]string{"meetingID": "limited", "name": "ab", "duration": "30"})
	visitor := mustJoin(t, s, "visited", "Ann", false)
	other := mustJoin(t, s, "forever", "Bob", false)
	mustJoin(t, s, "limited", "Cid", false)
	advance(5*time.Minute-time.Second, map[string]bool{"default": true})
	advance(time.Second, map[string]bool{"default": false, "patient": true, "visited": true})
	advance(5*time.Minute, map[string]bool{"patient": false, "visited": true})
	for id, user := range map[string]string{"visited": visitor, "forever": other} {
		if err := s.Leave(id, user); err != nil {
			t.Fatal(err)
		}
	}
	advance(59*time.Second, map[string]bool{"visited": true})
	visitor = mustJoin(t, s, "visited", "Ann", false)
	advance(10*time.Minute, map[string]bool{"visited": true})
	if err := s.Leave("visited", visitor); err != nil {
		t.Fatal(err)
	}
	advance(time.Minute, map[string]bool{"visited": false, "forever": true, "limited": true})
	advance(10*time.Minute, map[string]bool{"forever": true, "limited": false})
}

// A guest who gives up waiting does not keep an empty meeting alive.
func TestWaitingGuestsDoNotCount(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := Start(t, Options{Now: clock.Now})
	mustCreate(t, s, map[string]string{"meetingID": "ab", "name": "ab", "guestPolicy": "ASK_MODERATOR"})
	ann := mustJoin(t, s, "ab", "Ann", true)
	guest := get(t, s, "join", "meetingID=ab&fullName=Gus&role=VIEWER&guest=true&redirect=false").fields["user_id"]
	if err := s.Leave("ab", ann); err != nil {
		t.Fatal(err)
	}
	clock.Advance(30 * time.Second)
	if err := s.Leave("ab", guest); err != nil {
		t.Fatal(err)
	}
	clock.Advance(30 * time.Second)
	if _, ok := s.Meeting("ab"); ok {
		t.Error("a minute after the last one left the meeting is still there")
	}
}

func TestCallbacksAtTheEnd(t *testing.T) {
	t.Parallel()
	got := make(chan string, 10)
	frontend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Method + " " + r.URL.String() }))
	defer frontend.Close()
	clock := newClock()
	s := Start(t, Options{Now: clock.Now})
	mustCreate(t, s, map[string]string{"meetingID": "a b", "name": "ab", "record": "true",
		"meta_endCallbackUrl": frontend.URL + "/cb?x=%20y", "meetingEndedURL": frontend.URL + "/ended"})
	if err := s.MarkRecording("a b"); err != nil {
		t.Fatal(err)
	}
	wantSuccess(t, get(t, s, "end", "meetingID=a+b"))
	seen := map[string]bool{<-got: true, <-got: true}
	if !seen["GET /cb?x=%20y&recordingmarks=true&meetingID=a+b"] || !seen["GET /ended"] {
		t.Errorf("got %v", seen)
	}
	mustCreate(t, s, map[string]string{"meetingID": "cd", "name": "ab", "meta_endCallbackUrl": frontend.URL + "/run-out"})
	wantSuccess(t, get(t, s, "create", "meetingID=room&name=ab&isBreakout=true&parentMeetingID=cd&meta_endCallbackUrl="+
		url.QueryEscape(frontend.URL+"/of-a-breakout")))
	clock.Advance(time.Hour)
	s.Meetings()
	u := <-got
	s.background.wg.Wait() // whatever else was sent has arrived
	if u != "GET /run-out?recordingmarks=false&meetingID=cd" || len(got) != 0 {
		t.Errorf("got %s and %d more", u, len(got))
	}
}

func TestCloseWaitsForCallbacks(t *testing.T) {
	t.Parallel()
	asked, left := make(chan bool), make(chan bool)
	frontend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
		close(left)
	}))
	defer frontend.Close()
	s := Start(t, Options{})
	mustCreate(t, s, map[string]string{"meetingID": "ab", "name": "ab", "meta_endCallbackUrl": frontend.URL})
	wantSuccess(t, get(t, s, "end", "meetingID=ab"))
	<-asked
	s.Close()
	<-left // Close has cut the callback that nobody answered
}

func TestCloseWaitsForTasks(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	var ended atomic.Bool
	s.background.start(func(ctx context.Context) {
		<-ctx.Done()
		time.Sleep(10 * time.Millisecond) // gives a Close that does not wait the time to return
		ended.Store(true)
	})
	s.Close()
	if !ended.Load() {
		t.Error("a task was still running after Close")
	}
	s.background.start(func(context.Context) { t.Error("a task was started after Close") })
}

func TestForget(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	mustCreate(t, s, map[string]string{"meetingID": "ab", "name": "ab", "voiceBridge": "70001"})
	mustJoin(t, s, "ab", "Ann", false)
	if _, err := s.AddBreakout("ab", 1); err != nil {
		t.Fatal(err)
	}
	s.Forget("ab")
	if m := s.Meetings(); len(m) != 0 {
		t.Errorf("left: %+v", m)
	}
	mustCreate(t, s, map[string]string{"meetingID": "cd", "name": "ab", "voiceBridge": "70001"})
	if r := get(t, s, "getSessions", ""); r.key() != "noSessions" {
		t.Errorf("sessions: %s", r.body)
	}
}

// T35 needs servers that go and come back with what they had.
func TestStopAndRestart(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	mustCreate(t, s, map[string]string{"meetingID": "ab", "name": "ab"})
	u := s.URL()
	for range 3 {
		s.Stop()
		s.Stop()
		_, err := client(t).Get(u)
		if err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Fatalf("while stopped: %v", err)
		}
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
		if r := get(t, s, "isMeetingRunning", "meetingID=ab"); s.URL() != u || r.status != http.StatusOK {
			t.Errorf("after the restart: %s %s", s.URL(), r.body)
		}
	}
	if err := s.Start(); err == nil {
		t.Error("started twice")
	}
	s.Close()
	if err := s.Restart(); err == nil {
		t.Error("restarted after Close")
	}
	if _, err := client(t).Get(u); err == nil {
		t.Error("answers after Close")
	}
}

func TestStopCutsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	s.Misbehave(Misbehaviour{Kind: Hang})
	keepAlive := &http.Client{Transport: &http.Transport{}}
	defer keepAlive.CloseIdleConnections()
	failed := make(chan error, 1)
	go func() {
		resp, err := keepAlive.Get(s.URL())
		if err == nil {
			resp.Body.Close()
		}
		failed <- err
	}()
	waitFor(t, s, "index", 1)
	s.Stop() // returns only when the handler has ended
	if err := <-failed; err == nil {
		t.Error("a hanging request was answered")
	}
}

func TestWaitRequestsGivesUp(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.WaitRequests(ctx, "create", 1); err == nil || !strings.Contains(err.Error(), `0 of 1 requests "create"`) {
		t.Errorf("got %v", err)
	}
}

func TestRecordIsBounded(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	body := make([]byte, maxBodies/4)
	for range 6 {
		s.record.add(Request{Call: "create", Body: body, BodySize: len(body)})
	}
	got := s.Requests()
	if got[0].Body != nil || got[1].Body != nil || got[2].Body == nil || got[0].BodySize != len(body) {
		t.Error("the oldest two bodies must have been dropped, no more")
	}
	for range maxRequests - 4 { // pushes out the two that have no body any more
		s.record.add(Request{Call: "end"})
	}
	s.record.add(Request{Call: "create", Body: make([]byte, maxBodies/2)}) // and this one the third
	if got := s.Requests(); got[0].Body != nil || got[1].Body == nil || got[2].Body == nil {
		t.Error("after the oldest requests were dropped, bodies must still go oldest first")
	}
	for range maxRequests {
		s.record.add(Request{Call: "end"})
	}
	if n := len(s.Requests()); n != maxRequests || s.Count("end") != 2*maxRequests-4 || s.Count("") != 2*maxRequests+3 {
		t.Errorf("%d kept, %d counted", n, s.Count(""))
	}
	if s.record.bodies != 0 {
		t.Errorf("%d bytes of bodies are counted, none is kept", s.record.bodies)
	}
	s.ResetRequests()
	if len(s.Requests()) != 0 || s.Count("end") != 0 || s.Count("") != 0 {
		t.Error("something is left after ResetRequests")
	}
}
