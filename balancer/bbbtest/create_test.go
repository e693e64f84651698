package bbbtest

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCreate(t *testing.T) {
	t.Parallel()
	at := time.Date(2018, 7, 9, 17, 3, 29, 123e6, time.UTC)
	s := Start(t, Options{Now: func() time.Time { return at }})
	r := get(t, s, "create", "name=a%26b&meetingID=x+%5B0%5D&attendeePW=aa&moderatorPW=mm&duration=30&voiceBridge=71234"+
		"&meta_Tenant-Id=T1&meta_bad_key=no&meta_=no&meta_1=no&meta_empty=")
	wantSuccess(t, r)
	want := []string{"returncode", "meetingID", "internalMeetingID", "parentMeetingID", "attendeePW", "moderatorPW",
		"createTime", "voiceBridge", "dialNumber", "createDate", "hasUserJoined", "duration", "hasBeenForciblyEnded",
		"messageKey", "message"}
	if d := cmp.Diff(want, r.names); d != "" {
		t.Error(d)
	}
	sum := sha1.Sum([]byte("x [0]"))
	for name, value := range map[string]string{
		"meetingID": "x [0]", "parentMeetingID": "bbb-none", "createTime": "1531155809123", "voiceBridge": "71234",
		"createDate": "Mon Jul 09 17:03:29 UTC 2018", "duration": "30", "hasUserJoined": "false", "messageKey": "",
		"internalMeetingID": hex.EncodeToString(sum[:]) + "-1531155809123",
	} {
		if r.fields[name] != value {
			t.Errorf("%s = %q, want %q", name, r.fields[name], value)
		}
	}
	if got := r.header.Get("Content-Type"); got != "text/xml;charset=utf-8" || r.header.Get("Cache-Control") != "no-cache" {
		t.Errorf("header: %v", r.header)
	}
	m := s.Meetings()[0]
	if d := cmp.Diff(map[string]string{"tenant-id": "T1", "empty": ""}, m.Metadata); d != "" {
		t.Error(d)
	}
	if m.Name != "a&b" || m.Params.Get("attendeePW") != "aa" || m.Params.Has("checksum") {
		t.Errorf("meeting: %+v", m)
	}
}

func TestCreateRefusals(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	long := strings.Repeat("x", 257)
	for query, want := range map[string]string{
		"name=ab":                                                 "missingParamMeetingID: You must provide a meeting ID",
		"name=ab&meetingID=+%01":                                  "missingParamMeetingID: You must provide a meeting ID",
		"name=ab&meetingID=x":                                     "validationError: Meeting ID must be between 2 and 256 characters",
		"name=ab&meetingID=" + long:                               "validationError: Meeting ID must be between 2 and 256 characters",
		"name=ab&meetingID=a,b":                                   "validationError: Meeting ID cannot contain ','",
		"meetingID=ab":                                            "validationError: You must provide a meeting name",
		"meetingID=ab&name=x":                                     "validationError: Meeting name must be between 2 and 256 characters",
		"meetingID=ab&name=x,y":                                   "validationError: Meeting name cannot contain ','",
		"meetingID=ab&name=ab&voiceBridge=7x":                     "validationError: Voice bridge must be an integral value",
		"meetingID=ab&name=ab&record=yes":                         "validationError: Record must be a boolean value (true or false)",
		"meetingID=ab&name=ab&attendeePW=x":                       "invalidPassword: Invalid password",
		"meetingID=ab&name=ab&moderatorPW=" + long:                "invalidPassword: Invalid password",
		"meetingID=ab&name=ab&presentationUploadExternalUrl=x":    "validationError: Param 'presentationUploadExternalUrl' is not a valid URL",
		"meetingID=ab&name=ab&isBreakout=true":                    "parentMeetingIDMissing: No parent meeting ID was provided for the breakout room",
		"meetingID=ab&name=ab&isBreakout=true&parentMeetingID=zz": "parentMeetingDoesNotExist: No parent meeting exists for the breakout room",
	} {
		r := get(t, s, "create", query)
		if got := r.key() + ": " + r.fields["message"]; r.fields["returncode"] != "FAILED" || got != want {
			t.Errorf("%.60s: got %s", query, r.body)
		}
	}
	if n := len(s.Meetings()); n != 0 {
		t.Errorf("%d meetings after refusals only", n)
	}
	wantSuccess(t, get(t, s, "create", "name=%F0%9F%98%80&meetingID="+strings.Repeat("%F0%9F%98%80", 128))) // 256 Java characters
}

func TestCreateAgain(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	const q = "name=ab&meetingID=ab"
	first := get(t, s, "create", q+"&attendeePW=aa&moderatorPW=mm")
	for _, same := range []string{"", "&attendeePW=aa&moderatorPW=mm"} {
		r := post(t, s, "create", q+same, "text/xml", `<modules><module name="presentation"><document name="x">QQ==</document></module></modules>`)
		wantSuccess(t, r)
		if r.key() != "duplicateWarning" || r.fields["internalMeetingID"] != first.fields["internalMeetingID"] ||
			r.fields["message"] != "This conference was already in existence and may currently be in progress." {
			t.Errorf("repeat with %q: %s", same, r.body)
		}
	}
	for _, other := range []string{"&attendeePW=aa", "&moderatorPW=mm", "&attendeePW=aa&moderatorPW=xx"} {
		r := get(t, s, "create", q+other)
		wantKey(t, r, "idNotUnique")
		if !strings.Contains(r.body, "meeting ID.  Please use") {
			t.Errorf("message: %s", r.body)
		}
	}
	if m := s.Meetings(); len(m) != 1 || len(m[0].Documents) != 0 {
		t.Errorf("meetings: %+v", m)
	}
	wantSuccess(t, get(t, s, "end", "meetingID=ab"))
	again := get(t, s, "create", q)
	if again.key() != "" || again.fields["createTime"] <= first.fields["createTime"] {
		t.Errorf("create after the end: %s", again.body)
	}
}

func TestVoiceBridges(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	wantSuccess(t, get(t, s, "create", "name=ab&meetingID=m1&voiceBridge=70001"))
	r := get(t, s, "create", "name=ab&meetingID=m2&voiceBridge=70001")
	const want = "<response><returncode>FAILED</returncode><errors><error><key>nonUniqueVoiceBridge</key>" +
		"<message>The selected voice bridge is already in use.</message></error></errors></response>"
	if r.body != want {
		t.Errorf("got %s", r.body)
	}
	wantSuccess(t, get(t, s, "end", "meetingID=m1"))
	wantSuccess(t, get(t, s, "create", "name=ab&meetingID=m2&voiceBridge=70001"))
	seen := map[string]bool{}
	for i := range 50 {
		r := get(t, s, "create", fmt.Sprintf("name=ab&meetingID=auto%d", i))
		if b := r.fields["voiceBridge"]; len(b) != 5 || seen[b] {
			t.Fatalf("voice bridge %q: not five digits or used before", b)
		}
		seen[r.fields["voiceBridge"]] = true
	}
}

// T47: however many ask for one meeting at once, there is one, and no two
// meetings share a creation time.
func TestCreateAtOnce(t *testing.T) {
	t.Parallel()
	at := time.Now()
	s := Start(t, Options{Now: func() time.Time { return at }})
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			resp, err := client(t).Get(signed(s, "create", fmt.Sprintf("name=ab&meetingID=m%d", i%20)))
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
		})
	}
	wg.Wait()
	times := map[int64]bool{}
	for _, m := range s.Meetings() {
		times[m.CreateTime] = true
	}
	if len(times) != 20 || len(s.Meetings()) != 20 {
		t.Errorf("%d meetings with %d creation times, want 20 each", len(s.Meetings()), len(times))
	}
}

// T52: documents as XML, parameters as a form and as a multipart form.
func TestCreateBodies(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	pdf := strings.Repeat("%PDF-1.7\x00\xff", 1000)
	body := `<?xml version="1.0" encoding="UTF-8"?><modules><module name="presentation">` +
		`<document url="https://a.example/s.pdf?x=1&amp;y=2" filename="s.pdf" current="true"/>` +
		`<document name="x.pdf">` + "\n" + base64.StdEncoding.EncodeToString([]byte(pdf)) + "\n" + `</document></module>` +
		`<module name="clientSettingsOverride"><![CDATA[{"a":"<document/>"}]]></module></modules>`
	wantSuccess(t, post(t, s, "create", "name=ab&meetingID=xml", "application/xml", body))
	m, _ := s.Meeting("xml")
	want := []Document{
		{URL: "https://a.example/s.pdf?x=1&y=2", Filename: "s.pdf", Current: "true"},
		{Name: "x.pdf", Bytes: []byte(pdf)},
	}
	if d := cmp.Diff(want, m.Documents); d != "" || m.DocumentError != "" {
		t.Errorf("%s %s", d, m.DocumentError)
	}
	if got := s.Requests()[0]; string(got.Body) != body || got.BodySize != len(body) || got.ContentType != "application/xml" {
		t.Errorf("record: %d bytes, %s", got.BodySize, got.ContentType)
	}
	wantSuccess(t, post(t, s, "create", "name=ab&meetingID=broken", "text/xml", body[:len(body)-20]))
	if m, _ := s.Meeting("broken"); m.DocumentError == "" || len(m.Documents) != 2 {
		t.Errorf("broken body: %d documents, error %q", len(m.Documents), m.DocumentError)
	}
	wantSuccess(t, post(t, s, "create", "name=ab", mediaForm, url.Values{"meetingID": {"form"}, "name": {"zz"}}.Encode()))
	if m, _ := s.Meeting("form"); m.Name != "ab" {
		t.Errorf("name %q: the query comes before the form", m.Name)
	}
	multi := "--x\r\nContent-Disposition: form-data; name=\"meetingID\"\r\n\r\nmulti\r\n--x--\r\n"
	wantSuccess(t, post(t, s, "create", "name=ab", mediaMultipart+"; boundary=x", multi))
	if _, ok := s.Meeting("multi"); !ok {
		t.Error("no meeting from the multipart form")
	}
}

func TestBodyTooLarge(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{MaxBody: 1000})
	r := post(t, s, "create", "name=ab&meetingID=ab", "text/xml", "<modules>"+strings.Repeat(" ", 1000)+"</modules>")
	if r.status != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d %s", r.status, r.body)
	}
}
