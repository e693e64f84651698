package bbbtest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestIndex(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{Version: "3.0.4"})
	root := strings.TrimSuffix(s.URL(), "/api")
	for _, u := range []string{root, root + "/", root + "/api", root + "/api/", root + "/api/?&checksum=nobody-checks"} {
		resp, err := client(t).Get(u)
		if err != nil {
			t.Fatal(err)
		}
		r := parse(t, resp)
		wantSuccess(t, r)
		want := []string{"returncode", "version", "apiVersion", "bbbVersion", "html5PluginSdkVersion", "graphqlWebsocketUrl", "graphqlApiUrl"}
		if d := cmp.Diff(want, r.names); d != "" || r.fields["version"] != "2.0" || r.fields["bbbVersion"] != "3.0.4" {
			t.Errorf("%s: %s %s", u, d, r.body)
		}
	}
	if s.Count("index") != 5 {
		t.Errorf("index was counted %d times", s.Count("index"))
	}
}

func TestIndexAsJSON(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{HideVersion: true})
	r := ask(t, s, "GET", "", "", "application/json", "")
	var got map[string]map[string]string
	if err := json.Unmarshal([]byte(r.body), &got); err != nil {
		t.Fatal(err)
	}
	if v := got["response"]; v["returncode"] != "SUCCESS" || v["version"] != "2.0" || v["bbbVersion"] != "" {
		t.Errorf("got %s", r.body)
	}
}

func TestUnknownCalls(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	for _, call := range []string{"Create", "create/", "getRecordings", "x"} {
		r := get(t, s, call, "meetingID=ab&name=ab")
		if r.status != http.StatusNotFound || !strings.Contains(r.body, "HTTP Status 404") {
			t.Errorf("%s: %d %s", call, r.status, r.body)
		}
	}
}

// infoNames are the elements of a meeting in the order of a real server.
var infoNames = strings.Fields(`meetingName meetingID internalMeetingID createTime createDate voiceBridge dialNumber
	attendeePW moderatorPW running duration hasUserJoined recording hasBeenForciblyEnded startTime endTime
	participantCount listenerCount voiceParticipantCount videoCount maxUsers moderatorCount attendees metadata isBreakout`)

func TestGetMeetingInfo(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	m := mustCreate(t, s, map[string]string{"meetingID": "ab", "name": "a & <b>", "attendeePW": "aa", "moderatorPW": "mm",
		"record": "true", "maxParticipants": "20", "meta_Key": "]]> & \x01<"})
	get(t, s, "join", "meetingID=ab&fullName=Ann&role=MODERATOR&userID=u1&userdata-x_y=1&userdata-%3Cz=2")
	bob := mustJoin(t, s, "ab", "Bob", false)
	cid := mustJoin(t, s, "ab", "Cid", true)
	for _, err := range []error{s.SetVideo("ab", bob, true), s.SetVoice("ab", bob, true, false), s.SetVoice("ab", cid, true, true)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	room, err := s.AddBreakout("ab", 2)
	if err != nil {
		t.Fatal(err)
	}
	r := get(t, s, "getMeetingInfo", "meetingID=ab")
	wantSuccess(t, r)
	want := append(append([]string{"returncode"}, infoNames...), "breakoutRooms")
	if d := cmp.Diff(want, r.names); d != "" {
		t.Error(d)
	}
	for name, value := range map[string]string{
		"meetingName": "a & <b>", "running": "true", "recording": "true", "participantCount": "3", "moderatorCount": "2",
		"videoCount": "1", "voiceParticipantCount": "1", "listenerCount": "1", "maxUsers": "20", "endTime": "0", "isBreakout": "false",
	} {
		if r.fields[name] != value {
			t.Errorf("%s = %q, want %q", name, r.fields[name], value)
		}
	}
	fields := map[string]string{}
	children(t, r.body, "metadata", fields)
	if fields["key"] != "]]> & �<" {
		t.Errorf("metadata: %q", fields)
	}
	fields = map[string]string{}
	names := children(t, r.body, "attendee", fields)
	if d := cmp.Diff(strings.Fields("userID fullName role isPresenter isListeningOnly hasJoinedVoice hasVideo clientType customdata"), names); d != "" {
		t.Error(d)
	}
	if fields["userID"] != "u1" || fields["isPresenter"] != "true" || fields["role"] != "MODERATOR" ||
		!strings.Contains(r.body, "<customdata><x_y>1</x_y></customdata>") {
		t.Errorf("attendee: %s", r.body)
	}
	r = get(t, s, "getMeetingInfo", "meetingID="+room)
	wantSuccess(t, r)
	if got := strings.Join(r.names[len(r.names)-4:], " "); got != "isBreakout parentMeetingID sequence freeJoin" ||
		r.fields["parentMeetingID"] != m.InternalID || r.fields["participantCount"] != "2" {
		t.Errorf("breakout: %s", r.body)
	}
}

func TestCallsAboutOneMeeting(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	for _, call := range []string{"getMeetingInfo", "end", "isMeetingRunning", "sendChatMessage"} {
		wantKey(t, get(t, s, call, ""), "missingParamMeetingID")
		wantKey(t, get(t, s, call, "meetingID=a,b"), "validationError")
		if r := get(t, s, call, "meetingID=nn&message=x"); call == "isMeetingRunning" {
			if r.body != "<response><returncode>SUCCESS</returncode><running>false</running></response>" {
				t.Errorf("%s", r.body)
			}
		} else {
			wantKey(t, r, "notFound")
		}
	}
	mustCreate(t, s, map[string]string{"meetingID": "ab", "name": "ab"})
	if r := post(t, s, "isMeetingRunning", "", mediaForm, "meetingID=ab"); r.fields["running"] != "false" {
		t.Errorf("nobody has joined: %s", r.body)
	}
	id := mustJoin(t, s, "ab", "Ann", false)
	if err := s.Leave("ab", id); err != nil {
		t.Fatal(err)
	}
	if r := get(t, s, "isMeetingRunning", "meetingID=ab"); r.fields["running"] != "true" {
		t.Errorf("somebody had joined: %s", r.body)
	}
}

func TestGetMeetings(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	r := get(t, s, "getMeetings", "")
	if r.body != "<response><returncode>SUCCESS</returncode><meetings/><messageKey>noMeetings</messageKey>"+
		"<message>no meetings were found on this server</message></response>" {
		t.Errorf("empty: %s", r.body)
	}
	mustCreate(t, s, map[string]string{"meetingID": "m1", "name": "ab", "attendeePW": "aa", "moderatorPW": "mm"})
	mustCreate(t, s, map[string]string{"meetingID": "m2", "name": "ab"})
	room, err := s.AddBreakout("m1", 1)
	if err != nil {
		t.Fatal(err)
	}
	r = get(t, s, "getMeetings", "")
	wantSuccess(t, r)
	if d := cmp.Diff([]string{"returncode", "meetings"}, r.names); d != "" {
		t.Error(d)
	}
	if got := children(t, r.body, "meetings", map[string]string{}); len(got) != 3 {
		t.Errorf("%d meetings, want 3", len(got))
	}
	want := append(infoNames[:len(infoNames):len(infoNames)], "breakoutRooms")
	if d := cmp.Diff(want, children(t, r.body, "meeting", map[string]string{})); d != "" {
		t.Error(d)
	}
	wantSuccess(t, get(t, s, "end", "meetingID=m1"))
	if m := s.Meetings(); len(m) != 1 || m[0].MeetingID != "m2" {
		t.Errorf("the breakout room %s outlived its parent: %+v", room, m)
	}
}

func TestGetSessions(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	if r := get(t, s, "getSessions", ""); r.key() != "noSessions" || !strings.Contains(r.body, "<sessions/>") {
		t.Errorf("empty: %s", r.body)
	}
	m := mustCreate(t, s, map[string]string{"meetingID": "ab", "name": "ab"})
	mustJoin(t, s, "ab", "Ann", false)
	r := get(t, s, "getSessions", "")
	if !strings.Contains(r.body, "<sessions><meeting><meetingID>"+m.InternalID+"</meetingID><meetingName>ab</meetingName><userName>Ann</userName></meeting></sessions>") {
		t.Errorf("got %s", r.body)
	}
}

func TestEnd(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	mustCreate(t, s, map[string]string{"meetingID": "ab", "name": "ab", "moderatorPW": "mm"})
	wantKey(t, get(t, s, "end", "meetingID=ab&password=xx"), "invalidPassword")
	r := get(t, s, "end", "meetingID=ab&password=mm")
	wantSuccess(t, r)
	if r.key() != "sentEndMeetingRequest" || !strings.Contains(r.body, "was sent.  Please wait") {
		t.Errorf("got %s", r.body)
	}
	wantKey(t, get(t, s, "getMeetingInfo", "meetingID=ab"), "notFound")
	wantKey(t, get(t, s, "end", "meetingID=ab"), "notFound")
}

func TestEndTakesItsTime(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := Start(t, Options{EndDelay: 3 * time.Second, Now: clock.Now})
	mustCreate(t, s, map[string]string{"meetingID": "ab", "name": "ab", "voiceBridge": "70001"})
	mustJoin(t, s, "ab", "Ann", true)
	wantSuccess(t, get(t, s, "end", "meetingID=ab"))
	r := get(t, s, "getMeetingInfo", "meetingID=ab")
	if r.fields["hasBeenForciblyEnded"] != "true" || r.fields["running"] != "false" || r.fields["endTime"] == "0" || r.fields["participantCount"] != "0" {
		t.Errorf("right after the end: %s", r.body)
	}
	wantSuccess(t, get(t, s, "end", "meetingID=ab"))
	again := get(t, s, "create", "meetingID=ab&name=ab&voiceBridge=70001")
	if again.fields["returncode"] != "SUCCESS" || again.key() != "" || len(s.Meetings()) != 2 {
		t.Errorf("create beside the ended one: %s", again.body)
	}
	clock.Advance(3 * time.Second)
	if m := s.Meetings(); len(m) != 1 || m[0].InternalID != again.fields["internalMeetingID"] {
		t.Errorf("after the delay: %+v", m)
	}
}

func TestInsertDocument(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	mustCreate(t, s, map[string]string{"meetingID": "ab", "name": "ab"})
	mustCreate(t, s, map[string]string{"meetingID": "no", "name": "ab", "disabledFeatures": "chat, presentation"})
	const body = `<modules><module name="presentation"><document name="x.txt">eHl6</document></module></modules>`
	for meeting, want := range map[string]string{
		"ab": "<response><returncode>SUCCESS</returncode><message>Presentation is being uploaded</message></response>",
		"no": "<response><returncode>FAILED</returncode><message>Presentation feature is disabled, ignoring.</message></response>",
		"zz": "<response><returncode>FAILED</returncode><message>Meeting with id [zz] not found.</message></response>",
	} {
		if r := post(t, s, "insertDocument", "meetingID="+meeting, "application/xml", body); r.body != want {
			t.Errorf("%s: %s", meeting, r.body)
		}
	}
	if m, _ := s.Meeting("ab"); len(m.Documents) != 1 || string(m.Documents[0].Bytes) != "xyz" {
		t.Errorf("documents: %+v", m.Documents)
	}
	if r := post(t, s, "insertDocument", "meetingID=ab", "application/xml", ""); r.status != http.StatusOK || r.body != "" {
		t.Errorf("without a body: %d %q", r.status, r.body)
	}
	if r := get(t, s, "insertDocument", "meetingID=ab"); r.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", r.status)
	}
}

func TestSendChatMessage(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	mustCreate(t, s, map[string]string{"meetingID": "ab", "name": "ab"})
	wantKey(t, get(t, s, "sendChatMessage", "meetingID=ab"), "validationError")
	r := get(t, s, "sendChatMessage", "meetingID=ab&message=hi+there")
	wantSuccess(t, r)
	if strings.Join(r.names, " ") != "returncode messageKey message" {
		t.Errorf("got %s", r.body)
	}
	wantSuccess(t, get(t, s, "sendChatMessage", "meetingID=ab&message=x&userName="+url.QueryEscape("Ann & Bob")))
	m, _ := s.Meeting("ab")
	if d := cmp.Diff([]ChatMessage{{"System", "hi there"}, {"Ann & Bob", "x"}}, m.Chat); d != "" {
		t.Error(d)
	}
}
