package bbbtest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestJoin(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	m := mustCreate(t, s, map[string]string{"meetingID": "ab", "name": "ab", "attendeePW": "aa", "moderatorPW": "mm"})
	base := strings.TrimSuffix(s.URL(), "/bigbluebutton/api")

	r := get(t, s, "join", "meetingID=ab&fullName=Ann&role=Moderator&userID=u1&password=aa")
	if r.status != http.StatusFound || !strings.HasPrefix(r.header.Get("Location"), base+"/html5client/?sessionToken=") {
		t.Fatalf("got %d to %q", r.status, r.header.Get("Location"))
	}
	if !strings.HasPrefix(r.header.Get("Set-Cookie"), "JSESSIONID=") {
		t.Errorf("no session cookie: %v", r.header)
	}
	r = get(t, s, "join", "meetingID=ab&fullName=Bob&password=aa&enforceLayout=x")
	if !strings.HasPrefix(r.header.Get("Location"), base+"/html5client/?waitLayout=1&sessionToken=") {
		t.Errorf("layout: %q", r.header.Get("Location"))
	}
	r = get(t, s, "join", fmt.Sprintf("meetingID=ab&fullName=Cid&password=mm&redirect=false&createTime=%d", m.CreateTime))
	wantSuccess(t, r)
	want := "returncode messageKey message meeting_id user_id auth_token session_token guestStatus url"
	if got := strings.Join(r.names, " "); got != want || r.key() != "successfullyJoined" ||
		r.fields["meeting_id"] != m.InternalID || r.fields["guestStatus"] != "ALLOW" ||
		!strings.HasSuffix(r.fields["url"], "sessionToken="+r.fields["session_token"]) {
		t.Errorf("redirect=false: %s", r.body)
	}
	m, _ = s.Meeting("ab")
	if m.Users != 3 || m.Moderators != 2 || !m.Running || m.Attendees[0].ExternalID != "u1" || m.Attendees[1].Moderator {
		t.Errorf("meeting: %+v", m)
	}
	wantSuccess(t, get(t, s, "join", "meetingID=ab&fullName=Cid&role=VIEWER&redirect=false&existingUserID="+r.fields["user_id"]))
	get(t, s, "join", "meetingID=ab&fullName=Ann&role=MODERATOR&userID=u1")
	if m, _ = s.Meeting("ab"); m.Users != 4 {
		t.Errorf("%d users: an existing user must not count twice, the same userID must", m.Users)
	}
}

func TestJoinRefusals(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	mustCreate(t, s, map[string]string{"meetingID": "ab", "name": "ab", "moderatorPW": "mm", "attendeePW": "aa", "guestPolicy": "ALWAYS_DENY"})
	mustCreate(t, s, map[string]string{"meetingID": "open", "name": "ab"})
	mustCreate(t, s, map[string]string{"meetingID": "full", "name": "ab", "maxParticipants": "1"})
	mustJoin(t, s, "full", "Ann", false)
	base := strings.TrimSuffix(s.URL(), "/bigbluebutton/api")
	for query, want := range map[string]string{
		"fullName=A&role=VIEWER":                             `[{"key":"missingParamMeetingID","message":"You must provide a meeting ID"}]`,
		"meetingID=ab&role=VIEWER":                           `[{"key":"validationError","message":"You must provide your name"}]`,
		"meetingID=ab&role=VIEWER&fullName=A&guest=x":        `[{"key":"validationError","message":"Guest must be a boolean value (true or false)"}]`,
		"meetingID=nn&role=VIEWER&fullName=A&redirect=false": `[{"key":"notFound","message":"A meeting with that ID does not exist"}]`,
		"meetingID=ab&role=VIEWER&fullName=A&createTime=1":   `[{"key":"mismatchCreateTimeParam","message":"The createTime parameter submitted mismatches with the current meeting."}]`,
		"meetingID=full&role=VIEWER&fullName=A":              `[{"key":"maxParticipantsReached","message":"The number of participants allowed for this meeting has been reached."}]`,
		"meetingID=ab&role=VIEWER&fullName=A&guest=true":     `[{"key":"guestDeniedAccess","message":"You have been denied access to this meeting based on the meeting's guest policy"}]`,
	} {
		target, got := joinError(t, get(t, s, "join", query))
		if target != base+"/" || got != want {
			t.Errorf("%s: got %s %s", query, target, got)
		}
	}
	for query, want := range map[string]string{
		"meetingID=ab&fullName=A":                       "You must either send the valid role of the user, or the password, sould the meeting has one.",
		"meetingID=ab&fullName=A&password=":             "You must either send the valid role of the user, or the password, sould the meeting has one.",
		"meetingID=ab&fullName=A&role=king&password=zz": "You must enter a valid password",
		"meetingID=open&fullName=A&password=aa":         "You must send the 'role' parameter, since this meeting doesn't have any password.",
	} {
		r := get(t, s, "join", query)
		wantKey(t, r, "Params required")
		if r.fields["message"] != want {
			t.Errorf("%s: %s", query, r.body)
		}
	}
	if m, _ := s.Meeting("ab"); m.Users != 0 {
		t.Errorf("%d users after refusals only", m.Users)
	}
}

func TestJoinErrorTarget(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	base := strings.TrimSuffix(s.URL(), "/bigbluebutton/api")
	lms := url.QueryEscape("https://lms.example/x?a=b")
	for query, want := range map[string]string{
		"meetingID=nn&fullName=A&logoutURL=" + lms:                                         "https://lms.example/x",
		"meetingID=nn&fullName=A&logoutURL=https://other.example/&errorRedirectUrl=" + lms: "https://lms.example/x",
		"meetingID=nn&fullName=A&logoutURL=javascript:alert(1)":                            base + "/",
	} {
		r := get(t, s, "join", query)
		if target, _ := joinError(t, r); target != want {
			t.Errorf("%s: to %s", query, target)
		}
		if strings.HasPrefix(want, "https") && !strings.Contains(r.header.Get("Location"), "?a=b&errors=") {
			t.Errorf("existing query not kept: %s", r.header.Get("Location"))
		}
	}
	r := ask(t, s, "GET", "join", "meetingID=nn&fullName=A&checksum=0", "", "")
	if _, got := joinError(t, r); !strings.Contains(got, "checksumError") {
		t.Errorf("wrong checksum: %s", got)
	}
}

func TestJoinIsGetOnly(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	mustCreate(t, s, map[string]string{"meetingID": "ab", "name": "ab"})
	for _, method := range []string{"POST", "HEAD", "PUT"} {
		req, err := http.NewRequestWithContext(t.Context(), method, signed(s, "join", "meetingID=ab&fullName=A&role=VIEWER"), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if r := parse(t, resp); r.status != http.StatusMethodNotAllowed || r.header.Get("Allow") != "GET" {
			t.Errorf("%s: %d, Allow %q", method, r.status, r.header.Get("Allow"))
		}
	}
	if m, _ := s.Meeting("ab"); m.Users != 0 {
		t.Errorf("%d users came in without a GET", m.Users)
	}
}

func TestJoinAfterTheEnd(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{EndDelay: 1 << 40})
	mustCreate(t, s, map[string]string{"meetingID": "ab", "name": "ab"})
	wantSuccess(t, get(t, s, "end", "meetingID=ab"))
	_, got := joinError(t, get(t, s, "join", "meetingID=ab&fullName=A&role=VIEWER"))
	if got != `[{"key":"meetingForciblyEnded","message":"You can not join a meeting that has already been forcibly ended"}]` {
		t.Errorf("got %s", got)
	}
}

func TestGuestsWait(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	mustCreate(t, s, map[string]string{"meetingID": "ab", "name": "ab", "guestPolicy": "ASK_MODERATOR"})
	r := get(t, s, "join", "meetingID=ab&fullName=Guest&role=VIEWER&guest=true&redirect=false")
	wantSuccess(t, r)
	if m, _ := s.Meeting("ab"); r.fields["guestStatus"] != "WAIT" || m.Users != 0 || m.Running {
		t.Errorf("%s: %+v", r.body, m)
	}
	if err := s.Admit("ab", r.fields["user_id"]); err != nil {
		t.Fatal(err)
	}
	if m, _ := s.Meeting("ab"); m.Users != 1 || !m.Running {
		t.Errorf("after being let in: %+v", m)
	}
	r = get(t, s, "join", "meetingID=ab&fullName=Mod&role=MODERATOR&guest=true&redirect=false")
	if r.fields["guestStatus"] != "ALLOW" {
		t.Errorf("moderator: %s", r.body)
	}
}

// page follows a join link to its page.
func page(t *testing.T, s *Server, query string) (target, text string) {
	t.Helper()
	target = get(t, s, "join", query).header.Get("Location")
	resp, err := client(t).Get(target)
	if err != nil {
		t.Fatal(err)
	}
	r := parse(t, resp)
	if r.status != http.StatusOK || !strings.Contains(r.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Fatalf("page: %d %v", r.status, r.header)
	}
	return target, r.body
}

func TestPage(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{Name: "bbb<7>"})
	m := mustCreate(t, s, map[string]string{"meetingID": `<id>"&`, "name": "<script>alert(1)</script>", "logoutURL": "https://lms.example/?a=b&c=d"})
	mustJoin(t, s, m.MeetingID, "Zoë <b>", false)
	target, text := page(t, s, "fullName=%3Ci%3EAnn&role=MODERATOR&meetingID="+url.QueryEscape(m.MeetingID))
	for _, want := range []string{"bbb&lt;7&gt;", "&lt;script&gt;alert(1)&lt;/script&gt;", "&lt;id&gt;&#34;&amp;", m.InternalID,
		"&lt;i&gt;Ann, moderator", "&lt;i&gt;Ann (you)", "Zoë &lt;b&gt;", "2 people in the meeting"} {
		if !strings.Contains(text, want) {
			t.Errorf("page lacks %q", want)
		}
	}
	for _, bad := range []string{"<script", "<i>", "<b>", "<id>"} {
		if strings.Contains(text, bad) {
			t.Errorf("page has %q unescaped", bad)
		}
	}
	token := target[strings.Index(target, "=")+1:]
	base := strings.TrimSuffix(s.URL(), "/bigbluebutton/api")
	resp, err := client(t).PostForm(base+"/html5client/leave", url.Values{"sessionToken": {token}})
	if err != nil {
		t.Fatal(err)
	}
	if r := parse(t, resp); r.status != http.StatusOK || !strings.Contains(r.body, `href="https://lms.example/?a=b&amp;c=d"`) {
		t.Errorf("leave: %d %s", r.status, r.body)
	}
	if m, _ := s.Meeting(m.MeetingID); m.Users != 1 {
		t.Errorf("%d users after leaving, want 1", m.Users)
	}
	resp, err = client(t).Get(target)
	if err != nil {
		t.Fatal(err)
	}
	if r := parse(t, resp); r.status != http.StatusNotFound {
		t.Errorf("the token still works: %d", r.status)
	}
}

func TestPageLetsGuestsIn(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	mustCreate(t, s, map[string]string{"meetingID": "ab", "name": "ab", "guestPolicy": "ASK_MODERATOR"})
	_, text := page(t, s, "meetingID=ab&fullName=Gus&role=VIEWER&guest=true")
	if !strings.Contains(text, "Please wait") || strings.Contains(text, "Let in") {
		t.Errorf("guest's page: %s", text)
	}
	guest := get(t, s, "join", "meetingID=ab&fullName=Gil&role=VIEWER&guest=true&redirect=false").fields
	target, text := page(t, s, "meetingID=ab&fullName=Mod&role=MODERATOR")
	if strings.Count(text, "Let in") != 2 {
		t.Errorf("moderator's page: %s", text)
	}
	admit := func(token string) {
		resp, err := client(t).PostForm(target[:strings.Index(target, "?")]+"admit", url.Values{"sessionToken": {token}, "user": {guest["user_id"]}})
		if err != nil {
			t.Fatal(err)
		}
		if r := parse(t, resp); r.status != http.StatusSeeOther {
			t.Errorf("admit: %d", r.status)
		}
	}
	admit(guest["session_token"])
	if m, _ := s.Meeting("ab"); m.Users != 1 {
		t.Errorf("a guest let somebody in: %d users", m.Users)
	}
	admit(target[strings.Index(target, "=")+1:])
	if m, _ := s.Meeting("ab"); m.Users != 2 {
		t.Errorf("%d users, want moderator and guest", m.Users)
	}
}

func TestRootPageShowsErrors(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	r := get(t, s, "join", "meetingID=nn&fullName=A&role=VIEWER")
	resp, err := client(t).Get(r.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if r := parse(t, resp); r.status != http.StatusOK || !strings.Contains(r.body, "A meeting with that ID does not exist") {
		t.Errorf("root: %d %s", r.status, r.body)
	}
}
