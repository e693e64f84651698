package web

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/recordings"
	"scalelite/store"
)

// TestErrors holds every row of the table of errors against its key and its
// words.
func TestErrors(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	s.create("room")
	none := newSystem(t, settings{noSync: true})
	disabled := newSystem(t, settings{servers: 1, noSync: true})
	disabled.create("room")
	disabled.setState("bbb1", store.Disabled)
	offline := newSystem(t, settings{servers: 1, noSync: true})
	offline.create("room")
	offline.servers[0].Stop()
	offline.poll()
	offline.poll()
	failing := newSystem(t, settings{servers: 1, noSync: true})
	failing.create("room")
	failing.servers[0].Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.ServerError})

	wrong := strings.Repeat("0", 64)
	for name, test := range map[string]struct {
		got          answer
		key, message string
	}{
		"no checksum":        {s.fetch("GET", s.base+"/create?meetingID=a", nil, nil), "checksumError", checksumMessage},
		"empty checksum":     {s.fetch("GET", s.base+"/create?meetingID=a&checksum=", nil, nil), "checksumError", checksumMessage},
		"wrong checksum":     {s.fetch("GET", s.base+"/create?meetingID=a&checksum="+wrong, nil, nil), "checksumError", checksumMessage},
		"odd length":         {s.fetch("GET", s.base+"/create?meetingID=a&checksum="+wrong[:50], nil, nil), "checksumError", checksumMessage},
		"no meetingID":       {s.get("getMeetingInfo"), "missingParamMeetingID", missingIDMessage},
		"blank meetingID":    {s.get("getMeetingInfo", "meetingID", "  \t"), "missingParamMeetingID", missingIDMessage},
		"create, no ID":      {s.get("create", "name", "x"), "missingParamMeetingID", missingIDMessage},
		"join, no ID":        {s.get("join", "fullName", "x"), "missingParamMeetingID", missingIDMessage},
		"isMeetingRunning":   {s.get("isMeetingRunning"), "missingParamMeetingID", missingIDMessage},
		"end, no ID":         {s.get("end"), "missingParamMeetingID", missingIDMessage},
		"getMeetingInfo":     {s.get("getMeetingInfo", "meetingID", "no"), "notFound", notFoundMessage},
		"end":                {s.get("end", "meetingID", "no"), "notFound", notFoundMessage},
		"join":               {s.get("join", "meetingID", "no", "fullName", "x"), "notFound", notFoundMessage},
		"sendChatMessage":    {s.get("sendChatMessage", "meetingID", "no", "message", "x"), "notFound", notFoundMessage},
		"insertDocument":     {s.postXML("insertDocument", "<modules/>", "meetingID", "no"), "notFound", notFoundMessage},
		"unknown call":       {s.get("getSessions"), "unsupportedRequest", unsupportedMessage},
		"content type":       {s.post("create", "meetingID=a", "text/plain", "x"), "unsupportedContentType", typeMessage},
		"join, disabled":     {disabled.get("join", "meetingID", "room", "fullName", "x"), "serverUnavailable", "The server for this meeting is disabled/offline."},
		"join, offline":      {offline.get("join", "meetingID", "room", "fullName", "x"), "serverUnavailable", "The server for this meeting is disabled/offline."},
		"info, offline":      {offline.get("getMeetingInfo", "meetingID", "room"), "notFound", notFoundMessage},
		"required tag":       {s.get("create", "meetingID", "tagged", "name", "x", "meta_server-tag", "gpu!"), "serverTagUnavailable", "There is no available server with the required tag=gpu."},
		"required tag, odd":  {s.get("create", "meetingID", "tagged", "name", "x", "meta_server-tag", "<g&p>!"), "serverTagUnavailable", "There is no available server with the required tag=&lt;g&amp;p&gt;."},
		"no server":          {none.get("create", "meetingID", "any", "name", "x"), "internalError", "Could not find any available servers."},
		"create fails":       {failing.get("create", "meetingID", "other", "name", "x"), "internalError", createMessage},
		"info fails":         {failing.get("getMeetingInfo", "meetingID", "room"), "internalError", accessMessage},
		"running fails":      {failing.get("isMeetingRunning", "meetingID", "room"), "internalError", accessMessage},
		"end fails":          {failing.get("end", "meetingID", "room", "password", "mpw"), "internalError", accessMessage},
		"chat fails":         {failing.get("sendChatMessage", "meetingID", "room", "message", "x"), "internalError", accessMessage},
		"insert fails":       {failing.postXML("insertDocument", "<modules/>", "meetingID", "room"), "internalError", accessMessage},
		"join after failure": {failing.get("join", "meetingID", " ", "fullName", "x"), "missingParamMeetingID", missingIDMessage},
	} {
		t.Run(name, func(t *testing.T) { test.got.wantFailed(t, test.key, test.message) })
	}
}

// TestOrderOfChecks: content type, checksum, parameters.
func TestOrderOfChecks(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	bad := "checksum=" + strings.Repeat("0", 40)
	s.post("getMeetingInfo", bad, "text/plain", "x").wantFailed(t, "unsupportedContentType", typeMessage)
	s.fetch("GET", s.base+"/getMeetingInfo?"+bad, nil, nil).wantFailed(t, "checksumError", checksumMessage)
	s.get("getMeetingInfo").wantFailed(t, "missingParamMeetingID", missingIDMessage)
}

// TestCalls is the table of the calls, on a meeting that runs.
func TestCalls(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 2, noSync: true})
	s.create("room")

	if a := s.get("isMeetingRunning", "meetingID", "never seen"); !a.OK || a.Field("running") != "false" {
		t.Errorf("isMeetingRunning of an unknown meeting: %s", a.body)
	}
	if a := s.get("isMeetingRunning", "meetingID", "room"); !a.OK || a.Field("running") != "false" {
		t.Errorf("isMeetingRunning of an empty meeting: %s", a.body)
	}
	host := s.hostOf("room")
	if _, err := host.Join("room", "somebody", true); err != nil {
		t.Fatal(err)
	}
	if a := s.get("isMeetingRunning", "meetingID", "room"); !a.OK || a.Field("running") != "true" {
		t.Errorf("isMeetingRunning: %s", a.body)
	}
	if a := s.get("getMeetingInfo", "meetingID", "room"); !a.OK || a.Field("meetingName") != "Algebra" {
		t.Errorf("getMeetingInfo: %s", a.body)
	}
	if a := s.get("sendChatMessage", "meetingID", "room", "message", "hello"); !a.OK {
		t.Errorf("sendChatMessage: %s", a.body)
	}
	if a := s.postXML("insertDocument", `<modules><module name="presentation"><document url="https://a.example/b.pdf"/></module></modules>`, "meetingID", "room"); !a.OK {
		t.Errorf("insertDocument: %s", a.body)
	}
	if a := s.get("getMeetings"); !a.OK || len(a.Meetings()) != 1 || a.Meetings()[0].MeetingID != "room" {
		t.Errorf("getMeetings: %s", a.body)
	}
	if a := s.get("end", "meetingID", "room", "password", "not it"); a.OK || a.MessageKey != "invalidPassword" {
		t.Errorf("end with a wrong password: %s", a.body)
	}
	if a := s.get("getMeetingInfo", "meetingID", "room"); !a.OK {
		t.Errorf("a wrong password made the meeting unreachable: %s", a.body)
	}
	if a := s.get("end", "meetingID", "room", "password", "mpw"); !a.OK || a.MessageKey != "sentEndMeetingRequest" {
		t.Errorf("end: %s", a.body)
	}
	s.get("getMeetingInfo", "meetingID", "room").wantFailed(t, "notFound", notFoundMessage)
}

// TestIndex asks for the index in every way it is asked for.
func TestIndex(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 2, noSync: true, web: func(c *Config) { c.BuildNumber = "b<42>" }})
	want := "<response><returncode>SUCCESS</returncode><version>2.0</version><apiVersion>2.0</apiVersion><bbbVersion>3.0.19</bbbVersion><build>b&lt;42&gt;</build></response>"
	for _, path := range []string{
		"/bigbluebutton", "/bigbluebutton/", "/bigbluebutton/api", "/bigbluebutton/api/",
		"//bigbluebutton///api//", "/bigbluebutton/api?checksum=nobody-checks", "/bigbluebutton/api/?&checksum=" + strings.Repeat("a", 64),
	} {
		for _, method := range []string{"GET", "POST"} {
			a := s.fetch(method, s.url+path, nil, nil)
			if a.status != http.StatusOK || a.body != want {
				t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
			}
			a.wantXMLHeader(t)
		}
		if a := s.fetch("HEAD", s.url+path, nil, nil); a.status != http.StatusOK || a.body != "" {
			t.Errorf("HEAD %s: %d %q", path, a.status, a.body)
		}
	}
	mixed := newSystem(t, settings{noSync: true})
	mixed.startServer("bbb1", bbbtest.Options{Version: "3.0.19"})
	mixed.startServer("bbb2", bbbtest.Options{Version: "2.7.3"})
	if a := mixed.fetch("GET", mixed.base, nil, nil); strings.Contains(a.body, "bbbVersion") || !strings.Contains(a.body, "<build>test</build>") {
		t.Errorf("index of servers that differ: %s", a.body)
	}
}

// TestUnsupported: no path, no method leads anywhere but to XML.
func TestUnsupported(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	for _, path := range []string{
		"/bigbluebutton/api/getSessions", "/bigbluebutton/api/Create", "/bigbluebutton/api/create/", "/bigbluebutton/api/create/x",
		"/bigbluebutton/api/%63reate", "/bigbluebutton%2Fapi", "/bigbluebutton/api/..", "/bigbluebutton/api/hooks/create", "/bigbluebutton/api/getJoinUrl",
		"/bigbluebutton/other", "/nothing", "/favicon.ico", "/scalelite/api", "/scalelite/api/nothing",
	} {
		s.fetch("GET", s.url+path, nil, nil).wantFailed(t, "unsupportedRequest", unsupportedMessage)
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "BREW"} {
		for _, path := range []string{"/bigbluebutton", "/bigbluebutton/api", "/bigbluebutton/api/create", "/bigbluebutton/api/join", "/bigbluebutton/api/unknown"} {
			s.fetch(method, s.url+path, nil, nil).wantFailed(t, "unsupportedRequest", unsupportedMessage)
		}
	}
	query := bbb.Sign(bbb.SHA256, "join", "meetingID=a&fullName=b", testSecret)
	s.post("join", query, typeForm, "").wantFailed(t, "unsupportedRequest", unsupportedMessage)
	s.get("insertDocument", "meetingID", "a").wantFailed(t, "unsupportedRequest", unsupportedMessage)
	if n := s.servers[0].Count("join") + s.servers[0].Count("create") + s.servers[0].Count("insertDocument"); n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
}

// TestDoubledSlashes: they count as one in every path.
func TestDoubledSlashes(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	query := bbb.Sign(bbb.SHA256, "create", "meetingID=room&name=a%2F%2Fb", testSecret)
	if a := s.fetch("GET", s.url+"//bigbluebutton//api///create?"+query, nil, nil); !a.OK {
		t.Fatalf("create: %s", a.body)
	}
	if got := s.asked(0, "create").Params.Get("name"); got != "a//b" {
		t.Errorf("name %q", got)
	}
	if a := s.fetch("GET", s.url+"//health_check", nil, nil); a.status != http.StatusOK {
		t.Errorf("health: %d", a.status)
	}
}

// TestSwitchedOff: getMeetings that is switched off looks at nothing.
func TestSwitchedOff(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true, web: func(c *Config) { c.GetMeetingsDisabled = true }})
	s.create("room")
	want := "<response><returncode>SUCCESS</returncode><meetings/><messageKey>noMeetings</messageKey><message>no meetings were found on this server</message></response>"
	for _, a := range []answer{
		s.fetch("GET", s.base+"/getMeetings", nil, nil),
		s.get("getMeetings"),
		s.fetch("GET", s.base+"/getMeetings?checksum=wrong", nil, nil),
		s.post("getMeetings", "", "text/plain", "x"),
	} {
		if a.body != want || !a.OK {
			t.Errorf("getMeetings: %s", a.body)
		}
		a.wantXMLHeader(t)
	}
	s.web.Reconfigure(DefaultConfig(), recordings.DefaultConfig(), []bbb.Secret{testSecret})
	if a := s.get("getMeetings"); len(a.Meetings()) != 1 {
		t.Errorf("getMeetings switched on again: %s", a.body)
	}
}

// TestHeadOfCalls: the header is that of the GET, and nothing else comes.
func TestHeadOfCalls(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	s.create("room")
	for _, call := range []string{"getMeetingInfo", "isMeetingRunning", "getMeetings"} {
		a := s.fetch("HEAD", s.link(call, "meetingID", "room"), nil, nil)
		if a.status != http.StatusOK || a.body != "" {
			t.Errorf("HEAD %s: %d %q", call, a.status, a.body)
		}
		a.wantXMLHeader(t)
	}
}

// hostOf returns the simulated server that a meeting is on.
func (s *system) hostOf(meeting string) *bbbtest.Server {
	s.t.Helper()
	for _, server := range s.servers {
		if _, ok := server.Meeting(meeting); ok {
			return server
		}
	}
	s.t.Fatalf("meeting %s is on no server", meeting)
	return nil
}

func (s *system) setState(id string, state store.State) {
	s.t.Helper()
	if _, err := s.pool.UpdateServer(context.Background(), id, balancer.ServerChange{State: &state}); err != nil {
		s.t.Fatal(err)
	}
}
