package balancer_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/store"
)

func TestJoinLinkLeadsToTheMeetingsServerWithAllParameters(t *testing.T) {
	r := newPool(t, 3, func(c *balancer.Config) {
		c.JoinDefaults = map[string]string{"userdata-layout": "smart", "guest": "true"}
		c.JoinOverrides = map[string]string{"logoutURL": "https://school.example/", "excludeFromDashboard": "true"}
		c.JoinExcludeParams = []string{"avatarURL"}
	})
	server := r.create("lesson 1/ä")
	link, err := r.Join(t.Context(), about("join", "lesson 1/ä",
		"fullName=Ann%2BB+C", "role=MODERATOR", "guest=false", "avatarURL=https%3A%2F%2Fx", "logoutURL=https%3A%2F%2Fevil", "checksum=abc", "password="), true)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(link, r.sims[server].URL()+"/join?") {
		t.Errorf("the link leads to %q", link)
	}
	resp := follow(t, link)
	if resp.StatusCode != http.StatusFound || strings.Contains(resp.Header.Get("Location"), "errors=") {
		t.Fatalf("the server answered %d, %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	want := map[string][]string{
		"meetingID": {"lesson 1/ä"}, "fullName": {"Ann+B C"}, "role": {"MODERATOR"}, "guest": {"false"}, "password": {""},
		"logoutURL": {"https://school.example/"}, "userdata-layout": {"smart"}, "excludeFromDashboard": {"true"},
	}
	if diff := cmp.Diff(want, sent(last(t, r.sims[server], "join"))); diff != "" {
		t.Errorf("parameters of the join:\n%s", diff)
	}
}

func TestJoinCountsUnlessItIsOnlyALook(t *testing.T) {
	r := newPool(t, 1)
	r.create("lesson-1")
	for i := range 20 {
		if _, err := r.Join(t.Context(), about("join", "lesson-1", "fullName=A"), false); err != nil {
			t.Fatal(i, err)
		}
	}
	if load := *r.info("s1").Load; load != 15 {
		t.Errorf("looks changed the load to %v", load)
	}
	for range 15 {
		_ = r.join("lesson-1")
	}
	if load := *r.info("s1").Load; load != 15 {
		t.Errorf("15 joins of a young meeting make a load of %v, want 15", load)
	}
	for range 5 {
		_ = r.join("lesson-1")
	}
	if load := *r.info("s1").Load; load != 20 {
		t.Errorf("20 joins of a young meeting make a load of %v, want 20", load)
	}
}

func TestCallsAboutAMeetingThatIsNotKnown(t *testing.T) {
	r := newPool(t, 2)
	_, err := r.Join(t.Context(), about("join", "nobody", "fullName=A"), true)
	wantErr(t, err, bbb.ErrNotFound)
	for _, call := range []string{"getMeetingInfo", "insertDocument", "sendChatMessage"} {
		_, err := r.Forward(t.Context(), about(call, "nobody"))
		wantErr(t, err, bbb.ErrNotFound)
	}
	_, err = r.End(t.Context(), about("end", "nobody"))
	wantErr(t, err, bbb.ErrNotFound)
	reply, err := r.IsMeetingRunning(t.Context(), about("isMeetingRunning", "nobody"))
	if err != nil || !reply.OK || reply.Field("running") != "false" {
		t.Errorf("isMeetingRunning: %v %s", err, reply.Body)
	}
	if n := r.calls("") - r.calls("getMeetings") - r.calls("index"); n != 0 {
		t.Errorf("servers were asked %d times about a meeting that none has", n)
	}
}

func TestCallsWithoutMeetingID(t *testing.T) {
	r := newPool(t, 1)
	_, err := r.Join(t.Context(), request("join", "fullName=A&meetingID=+"), true)
	wantErr(t, err, bbb.ErrMissingMeetingID)
	_, err = r.IsMeetingRunning(t.Context(), request("isMeetingRunning", ""))
	wantErr(t, err, bbb.ErrMissingMeetingID)
	_, err = r.Forward(t.Context(), request("getMeetingInfo", "meetingID="))
	wantErr(t, err, bbb.ErrMissingMeetingID)
	_, err = r.End(t.Context(), request("end", "password=x"))
	wantErr(t, err, bbb.ErrMissingMeetingID)
}

func TestIsMeetingRunningIsAskedOfTheServer(t *testing.T) {
	r := newPool(t, 2)
	server := r.create("lesson-1")
	for _, want := range []string{"false", "true"} {
		reply, err := r.IsMeetingRunning(t.Context(), about("isMeetingRunning", "lesson-1"))
		if err != nil || reply.Field("running") != want {
			t.Errorf("got %v %s, want running=%s", err, reply.Body, want)
		}
		r.enter(server, "lesson-1")
	}
	if n := r.sims[server].Count("isMeetingRunning"); n != 2 {
		t.Errorf("the server was asked %d times, want 2", n)
	}
}

func TestForwardedAnswersComeBackByteForByte(t *testing.T) {
	r := newPool(t, 1)
	r.create("lesson-1", "meta_note=%3Cb%3E%22%26ä")
	r.enter("s1", "lesson-1")
	for _, query := range []string{"", "unknown=1&password=x"} {
		reply, err := r.Forward(t.Context(), about("getMeetingInfo", "lesson-1", query))
		if err != nil || !reply.OK {
			t.Fatal(err)
		}
		q := last(t, r.sims["s1"], "getMeetingInfo")
		body, err := io.ReadAll(follow(t, r.sims["s1"].URL()+"/getMeetingInfo?"+q.RawQuery).Body)
		if err != nil || !bytes.Equal(body, reply.Body) {
			t.Errorf("the server answers %s, handed on was %s (%v)", body, reply.Body, err)
		}
	}
	if q := last(t, r.sims["s1"], "getMeetingInfo"); q.Params.Get("unknown") != "1" {
		t.Error("a parameter that we do not know was not sent on")
	}
}

func TestFailedAnswerIsHandedOn(t *testing.T) {
	r := newPool(t, 1)
	r.create("lesson-1")
	r.sims["s1"].Forget("lesson-1")
	reply, err := r.Forward(t.Context(), about("getMeetingInfo", "lesson-1"))
	if err != nil || reply.OK || reply.MessageKey != "notFound" || !bytes.Contains(reply.Body, []byte("A meeting with that ID does not exist")) {
		t.Errorf("got %v %s, want the server's own notFound", err, reply.Body)
	}
}

func TestSendChatMessage(t *testing.T) {
	r := newPool(t, 2)
	server := r.create("lesson-1")
	reply, err := r.Forward(t.Context(), about("sendChatMessage", "lesson-1", "message=Hello+%26+all", "userName=Bell"))
	if err != nil || !reply.OK {
		t.Fatalf("%v %s", err, reply.Body)
	}
	m, _ := r.sims[server].Meeting("lesson-1")
	if diff := cmp.Diff([]bbbtest.ChatMessage{{UserName: "Bell", Message: "Hello & all"}}, m.Chat); diff != "" {
		t.Error(diff)
	}
}

// xmlBody is a body whose bytes no re-encoding would leave alone.
func xmlBody(contentType string, size int) (*bbb.Body, []byte) {
	text := "\ufeff<?xml version='1.0' encoding=\"UTF-8\"?>\r\n<modules>\t<module name=\"presentation\"> <!-- ä -->" +
		"<document name='a.pdf'  >" + strings.Repeat("QUJD", size/4) + "</document></module></modules>\n"
	return &bbb.Body{ContentType: contentType, Length: int64(len(text)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	}}, []byte(text)
}

// T52
func TestXMLBodiesArePassedOnByteForByte(t *testing.T) {
	r := newPool(t, 2, func(c *balancer.Config) { c.ResponseTimeout = 5 * time.Minute }) // parsing takes its time
	for i, c := range []struct {
		contentType string
		size        int
	}{{"application/xml", 12}, {"text/xml; charset=utf-8", 12}, {"application/xml;charset=UTF-8", 8 << 20}} {
		id := fmt.Sprintf("lesson-%d", i)
		create := createOf(id)
		var want []byte
		create.Body, want = xmlBody(c.contentType, c.size)
		reply, err := r.Create(t.Context(), create)
		if err != nil || !reply.OK {
			t.Fatalf("create: %v %s", err, reply.Body)
		}
		server := r.record(id).Server
		insert := about("insertDocument", id)
		insert.Body = create.Body
		if reply, err := r.Forward(t.Context(), insert); err != nil || !reply.OK {
			t.Fatalf("insertDocument: %v %s", err, reply.Body)
		}
		for _, call := range []string{"create", "insertDocument"} {
			q := last(t, r.sims[server], call)
			if q.Method != http.MethodPost || q.ContentType != c.contentType || !bytes.Equal(q.Body, want) {
				t.Errorf("%s arrived as %s %q with %d bytes, want POST %q with %d", call, q.Method, q.ContentType, len(q.Body), c.contentType, len(want))
			}
			if q.Params.Get("meetingID") != id || q.Refused {
				t.Errorf("the parameters of %s did not come in the query", call)
			}
		}
		if m, _ := r.sims[server].Meeting(id); len(m.Documents) != 2 {
			t.Errorf("the meeting has %d documents, want 2", len(m.Documents))
		}
	}
}

// T52: a body goes out again when the first server cannot take it.
func TestXMLBodyReachesTheNextBestServer(t *testing.T) {
	r := newPool(t, 2)
	r.sims["s1"].Misbehave(bbbtest.Misbehaviour{Call: "create", Kind: bbbtest.ServerError})
	create := createOf("lesson-1")
	var want []byte
	create.Body, want = xmlBody("text/xml", 1<<20)
	if reply, err := r.Create(t.Context(), create); err != nil || !reply.OK {
		t.Fatalf("create: %v %s", err, reply.Body)
	}
	if q := last(t, r.sims["s2"], "create"); !bytes.Equal(q.Body, want) {
		t.Errorf("%d of %d bytes arrived", len(q.Body), len(want))
	}
}

// A form's parameters come in Params, whatever their number; they all arrive.
func TestManyParametersArrive(t *testing.T) {
	r := newPool(t, 1)
	var more []string
	for i := range 100 {
		more = append(more, fmt.Sprintf("meta_key-%d=%s", i, url.QueryEscape(strings.Repeat("wörter ", 20))))
	}
	r.create("lesson-1", more...)
	m, _ := r.sims["s1"].Meeting("lesson-1")
	for i := range 100 {
		if got := m.Metadata[fmt.Sprintf("key-%d", i)]; got != strings.TrimSpace(strings.Repeat("wörter ", 20)) {
			t.Fatalf("meta_key-%d arrived as %q", i, got)
		}
	}
}

func TestServerThatFailsOnACallAboutItsMeeting(t *testing.T) {
	r := newPool(t, 2, impatient)
	r.sims["s2"].Misbehave(bbbtest.Misbehaviour{Call: "create", Kind: bbbtest.ServerError})
	r.create("lesson-1")
	sim := r.sims["s1"]
	for _, kind := range []bbbtest.Kind{
		bbbtest.Hang, bbbtest.ServerError, bbbtest.HTML, bbbtest.HalfXML, bbbtest.EmptyBody, bbbtest.EndlessBody, bbbtest.HugeBody,
		bbbtest.Redirect, bbbtest.Trickle, bbbtest.GzipBomb, bbbtest.BadUTF8,
	} {
		sim.Misbehave(bbbtest.Misbehaviour{Kind: kind, Size: 64 << 20})
		_, err := r.Forward(t.Context(), about("getMeetingInfo", "lesson-1"))
		if wantErr(t, err, bbb.ErrAccessFailed); t.Failed() {
			t.Fatalf("with kind %s", kind)
		}
		_, err = r.IsMeetingRunning(t.Context(), about("isMeetingRunning", "lesson-1"))
		wantErr(t, err, bbb.ErrAccessFailed)
		_, err = r.End(t.Context(), about("end", "lesson-1"))
		wantErr(t, err, bbb.ErrAccessFailed)
		if !r.known("lesson-1") {
			t.Fatalf("the meeting was forgotten after %s", kind)
		}
		sim.Behave()
	}
}

// T44: what hangs on one server holds up nothing of another's.
func TestHangingServerSlowsNobodyElse(t *testing.T) {
	r := newPool(t, 2, func(c *balancer.Config) {
		c.ResponseTimeout, c.PollTimeout, c.AggregateTimeout = time.Hour, time.Hour, time.Hour
	})
	there := r.create("a-1")
	hanging := r.create("a-2")
	if there == hanging {
		t.Fatal("both meetings are on one server")
	}
	r.sims[hanging].Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.Hang})
	done := make(chan struct{}, 3)
	go func() { _, _ = r.Poll(t.Context()); done <- struct{}{} }()
	go func() { _, _ = r.Create(t.Context(), createOf("a-2")); done <- struct{}{} }()
	go func() {
		_, _ = r.Forward(t.Context(), about("getMeetingInfo", "a-2"))
		done <- struct{}{}
	}()
	if err := r.sims[hanging].WaitRequests(t.Context(), "getMeetingInfo", 1); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := r.join("a-1"); err != nil {
			t.Fatal(err)
		}
		r.create("a-1")
		if _, err := r.Join(t.Context(), about("join", "a-2", "fullName=x"), true); err != nil { // no call to the server
			t.Fatal(err)
		}
	}
	r.setState(hanging, store.Disabled)
	r.create("a-3")
	if reply, err := r.End(t.Context(), about("end", "a-1")); err != nil || !reply.OK {
		t.Errorf("end: %v", err)
	}
	r.sims[hanging].Behave()
	for range 3 {
		<-done
	}
}

// T45
func TestStateMatrix(t *testing.T) {
	type outcome struct{ createNew, createRunning, createOver, join, running, info, end string }
	const ok = "ok"
	matrix := map[string]outcome{
		// Calls about a meeting go to its server, whatever its state, while it is online.
		"enabled online":  {createNew: "here", createRunning: "here", createOver: "here", join: ok, running: "true", info: ok, end: ok},
		"cordoned online": {createNew: "other", createRunning: "here", createOver: "other", join: ok, running: "true", info: ok, end: ok},
		"disabled online": {createNew: "other", createRunning: "here", createOver: "other", join: "serverUnavailable", running: "true", info: ok, end: ok},

		"enabled offline":  {createNew: "other", createRunning: "other", createOver: "other", join: "serverUnavailable", running: "false", info: "notFound", end: "remembered"},
		"cordoned offline": {createNew: "other", createRunning: "other", createOver: "other", join: "serverUnavailable", running: "false", info: "notFound", end: "remembered"},
		"disabled offline": {createNew: "other", createRunning: "other", createOver: "other", join: "serverUnavailable", running: "false", info: "notFound", end: "remembered"},
	}
	for name, want := range matrix {
		state, health, _ := strings.Cut(name, " ")
		t.Run(name, func(t *testing.T) {
			r := newPool(t, 1, func(c *balancer.Config) { c.UnhealthyThreshold = 1 })
			for _, id := range []string{"a-running", "a-join", "a-over", "a-end"} {
				r.create(id)
				r.enter("s1", id)
			}
			r.sims["s1"].Forget("a-over")
			r.addServer(balancer.NewServer{ID: "s2"}, bbbtest.Options{})
			r.poll()
			r.setState("s1", store.State(state))
			if state == "enabled" {
				// Fill the other one, so that the server itself is the best.
				for i := range 10 {
					r.makeOn("s2", fmt.Sprintf("filler-%d", i))
				}
				r.poll()
			}
			if health == "offline" {
				r.sims["s1"].Stop()
				r.poll()
			}
			var got outcome
			where := map[string]string{"s1": "here", "s2": "other"}
			_, err := r.Join(t.Context(), about("join", "a-join", "fullName=x"), true)
			got.join = keyOrOK(err)
			reply, err := r.IsMeetingRunning(t.Context(), about("isMeetingRunning", "a-running"))
			if err != nil {
				t.Error(err)
			}
			got.running = reply.Field("running")
			_, err = r.Forward(t.Context(), about("getMeetingInfo", "a-running"))
			got.info = keyOrOK(err)
			got.createNew = where[r.create("a-new")]
			got.createRunning = where[r.create("a-running")]
			got.createOver = where[r.create("a-over")]
			reply, err = r.End(t.Context(), about("end", "a-end"))
			if got.end = keyOrOK(err); !reply.OK || r.known("a-end") {
				got.end = "not ended"
			}
			if len(r.on("a-end")) > 0 {
				got.end = "remembered"
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(outcome{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func keyOrOK(err error) string {
	if e, ok := err.(*bbb.Error); ok {
		return e.Key
	}
	if err != nil {
		return err.Error()
	}
	return "ok"
}
