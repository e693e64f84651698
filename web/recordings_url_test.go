package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// TestURLsOfRecordings (T30, T62): links are absolute, with the host of the
// configuration, else that of the request; what a proxy says of host and scheme
// counts if it is one of ours.
func TestURLsOfRecordings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		host    string   // web.host
		strange bool     // the proxy is none of ours
		header  []string // names and values in turn
		want    string   // scheme and host of the links; "" is that of the listener
	}{
		"plain":                     {want: ""},
		"Host of the request":       {header: []string{"Host", "lb.example.org:8080"}, want: "http://lb.example.org:8080"},
		"scheme of the proxy":       {header: []string{"Host", "lb.example.org", "X-Forwarded-Proto", "https"}, want: "https://lb.example.org"},
		"scheme, written oddly":     {header: []string{"Host", "lb.example.org", "X-Forwarded-Proto", " HTTPS "}, want: "https://lb.example.org"},
		"host of the proxy":         {header: []string{"X-Forwarded-Host", "lb.example.org", "X-Forwarded-Proto", "https"}, want: "https://lb.example.org"},
		"proxies in a row":          {header: []string{"X-Forwarded-Host", "lb.example.org, inner", "X-Forwarded-Proto", "https,http"}, want: "https://lb.example.org"},
		"proxies, client in clear":  {header: []string{"Host", "a", "X-Forwarded-Proto", "http, https"}, want: "http://a"},
		"nonsense as a scheme":      {header: []string{"Host", "a", "X-Forwarded-Proto", "javascript"}, want: "http://a"},
		"stranger":                  {strange: true, header: []string{"Host", "a", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https"}, want: "http://a"},
		"web.host":                  {host: "lb.example.org", header: []string{"Host", "lb.example.org:3000"}, want: "http://lb.example.org"},
		"web.host behind a proxy":   {host: "lb.example.org", header: []string{"Host", "inner", "X-Forwarded-Host", "LB.example.org", "X-Forwarded-Proto", "https"}, want: "https://lb.example.org"},
		"web.host, stranger claims": {host: "lb.example.org", strange: true, header: []string{"Host", "lb.example.org", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https"}, want: "http://lb.example.org"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := withRecordings(t, settings{web: func(c *Config) {
				c.Host = test.host
				if test.strange {
					c.TrustedProxies = []string{"192.0.2.0/24"}
				}
			}}, tape{id: tapeA, meeting: "room", name: "Class"})
			header := http.Header{}
			for i := 0; i < len(test.header); i += 2 {
				header[test.header[i]] = []string{test.header[i+1]}
			}
			if test.want == "" {
				test.want = s.url
			}
			f := s.fetch(http.MethodGet, s.link("getRecordings"), header, nil).listing(t).Recordings[0].Formats[0]
			got := []string{f.URL, f.Images[0].URL}
			want := []string{test.want + "/playback/presentation/2.3/" + tapeA, test.want + "/presentation/" + tapeA + "/presentation/thumb-1.png"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("links (-want +got):\n%s", diff)
			}
		})
	}
}

// T30: the host of the configuration changes, and every URL with it.
func TestURLsFollowTheConfiguration(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{web: func(c *Config) { c.Host = "old.example" }}, goldenTape)
	config := s.web.live.Load().Config
	config.Host = "new.example"
	s.web.Reconfigure(config, s.web.recordingsConfig(), s.web.Secrets())
	a := s.fetch(http.MethodGet, s.link("getRecordings"), http.Header{"Host": {"new.example"}}, nil)
	if strings.Contains(a.body, "old.example") || strings.Contains(a.body, "bbb.example.com") || strings.Count(a.body, ">http://new.example/") != 4 {
		t.Errorf("answer %s", a.body)
	}
}

// T32: many IDs in a long query, and in a form.
func TestLongListsOfIDs(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{})
	var all []store.Recording
	var rooms, ids []string
	for n := range 500 {
		r := store.Recording{ID: fmt.Sprintf("%040x-%d", n, 1700000000000+n), MeetingID: fmt.Sprintf("room %d", n), State: store.Published, Start: int64(n)}
		all, rooms, ids = append(all, r), append(rooms, r.MeetingID), append(ids, r.ID)
	}
	s.lay(append(all, store.Recording{ID: "other", MeetingID: "other", State: store.Published})...)
	query := params("meetingID", strings.Join(rooms[:400], ",")+strings.Repeat(",none", 600))
	if len(query.Encode()) < 8<<10 {
		t.Fatalf("the query has %d bytes", len(query.Encode()))
	}
	l := s.fetch(http.MethodGet, s.base+"/getRecordings?"+bbb.Sign(bbb.SHA256, "getRecordings", query.Encode(), testSecret), nil, nil).listing(t)
	if diff := cmp.Diff(wantListed(all[:400], query), l.ids()); diff != "" {
		t.Errorf("GET (-want +got):\n%s", diff)
	}
	for name, form := range map[string]bbb.Params{"meetingID": params("meetingID", strings.Join(rooms, ",")), "recordID": params("recordID", strings.Join(ids, ",")+",")} {
		l := s.post("getRecordings", "", typeForm, bbb.Sign(bbb.SHA1, "getRecordings", form.Encode(), testSecret)).listing(t)
		if diff := cmp.Diff(wantListed(all, form), l.ids()); diff != "" {
			t.Errorf("POST of %s (-want +got):\n%s", name, diff)
		}
		// Signed over the empty query, as BBB 3 does.
		sum := bbb.Sign(bbb.SHA256, "getRecordings", "", testSecret)
		if l := s.post("getRecordings", sum, typeForm, form.Encode()).listing(t); len(l.Recordings) != 500 {
			t.Errorf("POST of %s with a signed query: %d recordings", name, len(l.Recordings))
		}
	}
}

func TestFilteredGetRecordings(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{web: func(c *Config) { c.GetRecordingsFiltered = true }}, tape{id: tapeA, meeting: "room", name: "Class"})
	for _, pairs := range [][]string{
		nil, {"state", "any"}, {"meta_a", "b"}, {"limit", "5"}, {"meetingID", ""}, {"recordID", " "}, {"meetingID", "\t", "recordID", ""},
	} {
		s.get("getRecordings", pairs...).wantFailed(t, "missingParameters", "param meetingID or recordID must be included.")
	}
	for want, pairs := range map[int][]string{1: {"meetingID", "room"}, 0: {"meetingID", ","}} {
		if l := s.list(pairs...); len(l.Recordings) != want {
			t.Errorf("%q: %v", pairs, l.ids())
		}
	}
}
