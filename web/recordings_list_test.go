package web

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/recordings"
	"scalelite/store"
)

// goldenRecording is every element that a recording can have, in the order of
// the contract.
const goldenRecording = `
<response><returncode>SUCCESS</returncode><recordings>
 <recording>
  <recordID>183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000</recordID>
  <meetingID>room/7 é</meetingID>
  <internalMeetingID>183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000</internalMeetingID>
  <name>Fred &amp; Co &lt;live&gt;</name>
  <isBreakout>false</isBreakout>
  <published>true</published>
  <state>published</state>
  <startTime>1700000000000</startTime>
  <endTime>1700000000000</endTime>
  <participants>3</participants>
  <rawSize>5319873</rawSize>
  <metadata>
   <bbb-origin>moodle</bbb-origin>
   <empty><![CDATA[]]></empty>
   <gl-listed>false</gl-listed>
  </metadata>
  <breakout><parentId>abc-1</parentId><sequence>2</sequence><freeJoin>true</freeJoin></breakout>
  <breakoutRooms><breakoutRoom>r-1</breakoutRoom><breakoutRoom>r-2</breakoutRoom></breakoutRooms>
  <playback>
   <format>
    <type>presentation</type>
    <url>BASE/playback/presentation/2.3/183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000</url>
    <length>1</length>
    <processingTime>7177</processingTime>
    <size>1893482</size>
    <preview><images>
     <image width="176" height="136" alt="Welcome &amp; go">BASE/presentation/183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000/presentation/thumb-1.png</image>
    </images></preview>
   </format>
   <format>
    <type>video</type>
    <url>BASE/playback/video/183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000/</url>
    <length>1</length>
    <processingTime>7177</processingTime>
    <size>1893482</size>
    <preview><images>
     <image width="176" height="136" alt="Welcome &amp; go">BASE/video/183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000/presentation/thumb-1.png</image>
    </images></preview>
   </format>
  </playback>
 </recording>
</recordings></response>`

var goldenTape = tape{
	id: tapeA, meeting: "room/7 é", name: "Fred & Co <live>", formats: []string{"video", "presentation"},
	meta: []string{"gl-listed", "false", "empty", "", "bbb-origin", "moodle"},
	extra: `<breakout parentMeetingId="abc-1" meetingId="m" sequence="2" freeJoin="true"/>
		<breakoutRooms><breakoutRoom>r-1</breakoutRoom><breakoutRoom>r-2</breakoutRoom></breakoutRooms>`,
}

func TestGetRecordingsHasEveryElementInItsOrder(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{}, goldenTape)
	a := s.get("getRecordings")
	want := strings.ReplaceAll(flat(goldenRecording), "BASE", s.url)
	if diff := cmp.Diff(want, a.body); diff != "" || a.status != http.StatusOK {
		t.Errorf("answer %d (-want +got):\n%s", a.status, diff)
	}
	a.wantXMLHeader(t)
}

// T18: the element is there only with the feature; without it, a protected
// recording stays protected.
func TestGetRecordingsOfProtectedOnes(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{recordings: func(c *recordings.Config) { c.Protected = true }}, goldenTape)
	a := s.get("getRecordings")
	if !strings.Contains(a.body, "<published>true</published><protected>true</protected><state>published</state>") {
		t.Errorf("no or misplaced element: %s", a.body)
	}
	seen := map[string]bool{}
	check := func(l listing) {
		t.Helper()
		for _, f := range l.Recordings[0].Formats {
			prefix := s.url + "/recording/" + tapeA + "/" + f.Type + "?token="
			token, ok := strings.CutPrefix(f.URL, prefix)
			if !ok || len(token) != tokenLength || seen[token] {
				t.Errorf("link %s, want %s and 64 digits that never came before", f.URL, prefix)
			}
			seen[token] = true
			if len(f.Images) > 0 {
				t.Errorf("protected thumbnails %v", f.Images)
			}
		}
	}
	check(a.listing(t))
	check(s.list())
	config := s.web.recordingsConfig()
	config.Protected = false
	s.web.Reconfigure(s.web.live.Load().Config, config, s.web.Secrets())
	l := s.list()
	check(l)
	if l.Recordings[0].Protected != "" || strings.Contains(s.get("getRecordings").body, "<protected>") {
		t.Error("the element is there without the feature")
	}
	if got := s.get("updateRecordings", "recordID", tapeA, "protect", "false"); !strings.Contains(got.body, "<updated>true<") {
		t.Errorf("unprotect: %s", got.body)
	}
	f := s.list().Recordings[0].Formats[0]
	if f.URL != s.url+"/playback/presentation/2.3/"+tapeA || len(f.Images) != 1 {
		t.Errorf("unprotected: %+v", f)
	}
}

func TestNoRecordingsIsExact(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{}, tape{id: tapeA, meeting: "room", name: "Class"})
	const empty = "<response><returncode>SUCCESS</returncode><recordings></recordings>" +
		"<messageKey>noRecordings</messageKey><message>There are not recordings for the meetings</message></response>"
	for _, pairs := range [][]string{
		{"meetingID", "other"}, {"recordID", "zz"}, {"state", "processing"}, {"state", "processed"}, {"state", "deleted"}, {"meta_x", "y"},
		// Given, but empty or malformed: nothing, never everything (S10).
		{"meetingID", ""}, {"meetingID", " , ,"}, {"recordID", ""}, {"recordID", ","}, {"state", ""}, {"state", "Published"}, {"state", "published,bogus"},
		{"meta_bbb-origin", ""}, {"meta_", "x"}, {"meta_a b", "x"}, {"meta_1", "x"}, {"meta_ä", "x"}, {"recordID", strings.Repeat("1", 5000)},
		{"recordID", "", "meetingID", "room"}, {"meetingID", strings.Repeat("room", 2000)}, {"recordID", tapeA + "0"}, {"meetingID", "roo"},
	} {
		if a := s.get("getRecordings", pairs...); a.body != empty {
			t.Errorf("%q: %s", pairs, a.body)
		}
	}
	if l := s.list(); len(l.Recordings) != 1 {
		t.Errorf("without a filter: %v", l.ids())
	}
}

// TestGetRecordingsIsWellFormedWhateverIsInIt (S16).
func TestGetRecordingsIsWellFormedWhateverIsInIt(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{})
	nasty := "]]> <b>&amp;\"' \x00\x01\x0b\x7f\u0085\ufffe\uffff \xff\xfe é😀 \t\r\n"
	clean := "]]> <b>&amp;\"' \ufffd\ufffd\ufffd\x7f\u0085\ufffd\ufffd \ufffd\ufffd é😀 \t\r\n"
	keys := map[string]string{
		"plain": nasty, "empty": "", "_x.y-1": nasty, "1digit": "no", "a b": "no", "a<b": "no", "": "no", "a:b": "no", "é": "no", "a/": "no", "-a": "no", "x\x00": "no",
	}
	s.lay(store.Recording{
		ID: tapeA, MeetingID: nasty, Name: nasty, State: store.Published, Imported: keys,
		Breakout: &store.Breakout{ParentID: nasty}, BreakoutRooms: []string{nasty},
		Formats: []store.Format{{Type: "presentation", URL: "/p?a=1&b=<>\"", Images: []store.Image{{Alt: nasty, Path: "/x?a&b"}}}},
	})
	a := s.get("getRecordings")
	l := a.listing(t)
	if len(l.Recordings) != 1 {
		t.Fatalf("answer %s", a.body)
	}
	r := l.Recordings[0]
	if diff := cmp.Diff(map[string]string{"plain": clean, "empty": "", "_x.y-1": clean}, r.meta()); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if !strings.Contains(a.body, "<empty><![CDATA[]]></empty>") {
		t.Error("an empty value is no CDATA section")
	}
	for what, got := range map[string]string{"name": r.Name, "meeting": r.Meeting, "alt": r.Formats[0].Images[0].Alt} {
		if got != clean {
			t.Errorf("%s %q, want %q", what, got, clean)
		}
	}
	if f := r.Formats[0]; f.URL != s.url+"/p?a=1&b=<>\"" || f.Images[0].URL != s.url+"/x?a&b" {
		t.Errorf("format %+v", f)
	}
}

// A deleted recording is seen by who asks for it, and by nobody else (FIELD F).
func TestDeletedRecordingsAreListedForAny(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{}, goldenTape, tape{id: tapeB, meeting: "b", name: "B"})
	if a := s.get("deleteRecordings", "recordID", tapeA); !a.OK {
		t.Fatal(a.body)
	}
	for state, want := range map[string][]string{
		"any": {tapeB, tapeA}, "deleted": {tapeA}, "published,deleted": {tapeB, tapeA}, "published": {tapeB}, "unpublished": nil, "any,unpublished,": {tapeB, tapeA},
	} {
		if diff := cmp.Diff(want, s.list("state", state).ids()); diff != "" {
			t.Errorf("state %s (-want +got):\n%s", state, diff)
		}
	}
	if diff := cmp.Diff([]string{tapeB}, s.list().ids()); diff != "" {
		t.Errorf("without a state (-want +got):\n%s", diff)
	}
	const want = "<recording><recordID>" + tapeA + "</recordID><meetingID>room/7 é</meetingID><internalMeetingID>" + tapeA + "</internalMeetingID><name></name>" +
		"<isBreakout>false</isBreakout><published>false</published><state>deleted</state><startTime>1700000000000</startTime><endTime>1700000000000</endTime>" +
		"<participants>0</participants><rawSize>0</rawSize><metadata></metadata><playback></playback></recording>"
	if a := s.get("getRecordings", "recordID", tapeA, "state", "any"); !strings.Contains(a.body, want) {
		t.Errorf("answer %s\nwant %s", a.body, want)
	}
}

func TestPagination(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{})
	var all []store.Recording
	var want []string
	for n := range 130 {
		id := fmt.Sprintf("%040x-%d", n, 1700000000000+n)
		all = append(all, store.Recording{ID: id, MeetingID: "room", State: store.Published, Start: int64(1700000000000 + n)})
		want = append([]string{id}, want...)
	}
	s.lay(all...)
	for _, test := range []struct {
		offset, limit string
		from, to      int // of want
		at, size      int64
	}{
		{"", "25", 0, 25, 0, 25}, {"0", "1", 0, 1, 0, 1}, {"120", "25", 120, 130, 120, 25}, {"129", "1", 129, 130, 129, 1}, {" 5 ", " 10 ", 5, 15, 5, 10},
		// Out of range: as BBB, the nearest.
		{"", "100", 0, 100, 0, 100}, {"", "101", 0, 100, 0, 100}, {"", "500", 0, 100, 0, 100}, {"", "0", 0, 1, 0, 1}, {"", "-7", 0, 1, 0, 1},
		{"", "99999999999999999999", 0, 100, 0, 100}, {"-3", "2", 0, 2, 0, 2}, {"x", "2", 0, 2, 0, 2}, {"99999999999999999999", "2", 0, 2, 0, 2},
		{"130", "25", 130, 130, 130, 25}, {"9000000000000000000", "25", 130, 130, 9000000000000000000, 25},
	} {
		for _, filter := range [][]string{nil, {"meetingID", "room,none"}, {"recordID", "0"}} {
			l := s.list(append([]string{"offset", test.offset, "limit", test.limit}, filter...)...)
			var page []string
			page = append(page, want[test.from:test.to]...)
			if diff := cmp.Diff(page, l.ids()); diff != "" {
				t.Errorf("offset %q, limit %q (-want +got):\n%s", test.offset, test.limit, diff)
			}
			if l.Total == nil || *l.Total != 130 || *l.Offset != test.at || *l.Limit != test.size || *l.Empty != (len(page) == 0) {
				t.Errorf("offset %q, limit %q: pagination %v", test.offset, test.limit, s.get("getRecordings", "offset", test.offset, "limit", test.limit).body)
			}
		}
	}
	// Without a limit that is a number there are no pages.
	for _, pairs := range [][]string{{"offset", "5"}, {"limit", ""}, {"limit", "x"}, {"limit", "2.5", "offset", "1"}} {
		if l := s.list(pairs...); len(l.Recordings) != 130 || l.Total != nil {
			t.Errorf("%q: %d recordings, total %v", pairs, len(l.Recordings), l.Total)
		}
	}
	const page = "<recordings></recordings><messageKey>noRecordings</messageKey><message>There are not recordings for the meetings</message>" +
		"<pagination><pageable><offset>3</offset><limit>2</limit><paged>true</paged><unpaged>false</unpaged></pageable>" +
		"<totalElements>0</totalElements><empty>true</empty></pagination></response>"
	if a := s.get("getRecordings", "offset", "3", "limit", "2", "meetingID", "none"); !strings.HasSuffix(a.body, page) {
		t.Errorf("an empty page: %s", a.body)
	}
	one := s.get("getRecordings", "limit", "1")
	if err := xml.Unmarshal([]byte(one.body), new(listing)); err != nil || !strings.HasSuffix(one.body, "</recordings><pagination><pageable><offset>0</offset><limit>1</limit>"+
		"<paged>true</paged><unpaged>false</unpaged></pageable><totalElements>130</totalElements><empty>false</empty></pagination></response>") {
		t.Errorf("a page: %s %v", one.body, err)
	}
}
