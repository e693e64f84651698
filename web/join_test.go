package web

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/store"
)

// Accept headers as they are sent.
const (
	acceptChrome  = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"
	acceptFirefox = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	acceptSafari  = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	acceptCurl    = "*/*"
	acceptRuby    = "*/*;q=0.5, application/xml"
)

// TestJoin holds the redirect against the whole of what it must be.
func TestJoin(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true, balancer: func(c *balancer.Config) {
		c.JoinDefaults = map[string]string{"userdata-a": "default", "role": "VIEWER"}
		c.JoinOverrides = map[string]string{"logoutURL": "https://school.example/?a=b&c=d"}
		c.JoinExcludeParams = []string{"avatarURL"}
	}})
	s.create("Klasse 7a/2")
	server := s.servers[0]
	for _, password := range []string{"", "pä ss+"} {
		a := s.get("join", "meetingID", "Klasse 7a/2", "fullName", "Zoë O'Neil & Söhne", "password", password,
			"role", "MODERATOR", "avatarURL", "https://evil.example/a.png", "logoutURL", "https://evil.example/", "createTime", "1")
		if a.status != http.StatusFound || a.body != "" {
			t.Fatalf("join: %d %s", a.status, a.body)
		}
		if got := a.header.Get("Cache-Control"); got != "no-cache" {
			t.Errorf("Cache-Control %q", got)
		}
		query := url.Values{}
		at, err := url.Parse(a.header.Get("Location"))
		if err == nil {
			query, err = url.ParseQuery(at.RawQuery)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := at.Scheme + "://" + at.Host + at.Path; got != strings.TrimSuffix(server.URL(), "/")+"/join" {
			t.Errorf("sent to %s, want %s/join", got, server.URL())
		}
		want := url.Values{
			"meetingID": {"Klasse 7a/2"}, "fullName": {"Zoë O'Neil & Söhne"}, "password": {password}, "role": {"MODERATOR"},
			"createTime": {"1"}, "userdata-a": {"default"}, "logoutURL": {"https://school.example/?a=b&c=d"},
		}
		signed, checksum, _ := strings.Cut(at.RawQuery, "&checksum=")
		if want := sha256.Sum256([]byte("join" + signed + server.Secret())); checksum != hex.EncodeToString(want[:]) {
			t.Errorf("checksum %s, want %x", checksum, want)
		}
		query.Del("checksum")
		if got, want := query.Encode(), want.Encode(); got != want {
			t.Errorf("sent with\n%s, want\n%s", got, want)
		}
	}
}

// TestJoinLeadsIn: the server takes the link.
func TestJoinLeadsIn(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	s.create("room")
	at := s.get("join", "meetingID", "room", "fullName", "Zoë", "role", "VIEWER").header.Get("Location")
	if a := s.fetch("GET", at, nil, nil); a.status != http.StatusFound || !strings.Contains(a.header.Get("Location"), "sessionToken=") {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if m, _ := s.servers[0].Meeting("room"); m.Users != 1 {
		t.Errorf("nobody is in the meeting")
	}
}

// TestHeadOfJoin: a fetcher that only looks at the link does not weigh.
func TestHeadOfJoin(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true, balancer: func(c *balancer.Config) { c.LoadMinUserCount = 0 }})
	s.create("room")
	before := s.load("bbb1")
	link := s.link("join", "meetingID", "room", "fullName", "a")
	for range 5 {
		if a := s.fetch("HEAD", link, nil, nil); a.status != http.StatusFound || a.header.Get("Location") == "" {
			t.Fatalf("HEAD: %d", a.status)
		}
	}
	if after := s.load("bbb1"); after != before {
		t.Errorf("the load went from %g to %g", before, after)
	}
	s.fetch("GET", link, nil, nil)
	if after := s.load("bbb1"); after <= before {
		t.Errorf("a join did not count: %g, %g", before, after)
	}
}

func (s *system) load(id string) float64 {
	s.t.Helper()
	info, err := s.pool.Server(context.Background(), id)
	if err != nil || info.Load == nil {
		s.t.Fatalf("load of %s: %v, %v", id, info.Load, err)
	}
	return *info.Load
}

// TestRedirects (S12): a link that is not signed leads nowhere, neither by its
// status nor by anything in its answer.
func TestRedirects(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	s.create("room")
	evil := "&redirect=true&errorRedirectUrl=https%3A%2F%2Fevil.example%2F&logoutURL=https%3A%2F%2Fevil.example%2F&redirectErrorUrl=//evil.example"
	good := "meetingID=room&fullName=a"
	checksum := "&checksum=" + bbb.Checksum(bbb.SHA256, "join", good, testSecret)
	for _, query := range []string{
		good + evil, good + evil + checksum, good + checksum + evil, good + checksum + checksum, "meetingID=room" + checksum,
		good + evil + "&checksum=", "meetingID=none" + evil + "&checksum=" + bbb.Checksum(bbb.SHA256, "join", "meetingID=none"+evil, testSecret),
	} {
		for _, accept := range []string{"", acceptChrome} {
			for _, method := range []string{"GET", "HEAD", "POST"} {
				header := http.Header{"Accept": {accept}, "Referer": {"https://evil.example/"}, "X-Forwarded-Host": {"evil.example"}, "Origin": {"https://evil.example"}}
				a := s.fetch(method, s.base+"/join?"+query, header, nil)
				if a.status != http.StatusOK || a.header.Get("Location") != "" || strings.Contains(a.body, "evil") {
					t.Errorf("%s %s: %d %v %s", method, query, a.status, a.header, a.body)
				}
				for name, values := range a.header {
					if strings.Contains(strings.Join(values, ","), "evil") {
						t.Errorf("%s %s: header %s: %v", method, query, name, values)
					}
				}
			}
		}
	}
}

// TestJoinPage: a person sees a page, a program XML.
func TestJoinPage(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	s.create("room")
	s.setState("bbb1", store.Disabled)
	none := newSystem(t, settings{noSync: true})
	const limit = "203.0.113.9"
	hopeless := map[string]bool{"checksumError": true, "missingParamMeetingID": true}
	for name, test := range map[string]struct {
		link, title, key string
		retry            bool
	}{
		"server is away":   {s.link("join", "meetingID", "room", "fullName", "a"), "The meeting is not reachable right now", "serverUnavailable", true},
		"not running":      {none.link("join", "meetingID", "room", "fullName", "a"), "This meeting is not running", "notFound", false},
		"bad link":         {s.base + "/join?meetingID=room&fullName=%3Cscript%3Ealert(1)%3C/script%3E", "This link is not valid", "checksumError", false},
		"link without ID":  {s.link("join", "fullName", "<script>alert(1)</script>"), "This link is incomplete", "missingParamMeetingID", false},
		"odd content type": {s.link("join", "meetingID", "room"), "The meeting could not be opened", "unsupportedContentType", false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, accept := range []string{acceptChrome, acceptFirefox, acceptSafari, "TEXT/HTML"} {
				header := http.Header{"Accept": {accept}, "X-Forwarded-For": {limit}}
				var a answer
				if name == "odd content type" {
					header.Set("Content-Type", "text/plain")
					a = s.fetch("GET", test.link, header, strings.NewReader("x"))
				} else {
					a = s.fetch("GET", test.link, header, nil)
				}
				if a.status != http.StatusOK || a.header.Get("Content-Type") != "text/html; charset=UTF-8" {
					t.Fatalf("%s: %d %v", accept, a.status, a.header)
				}
				for _, want := range []string{"<h1>" + test.title + "</h1>", test.key, "<html lang=\"en\" dir=\"ltr\">"} {
					if !strings.Contains(a.body, want) {
						t.Errorf("the page lacks %q: %s", want, a.body)
					}
				}
				if strings.Contains(a.body, "alert") || strings.Contains(a.body, "checksum=") || strings.Contains(a.body, "room") {
					t.Errorf("the page repeats the request: %s", a.body)
				}
				if got := strings.Contains(a.body, `<a href="">Try again</a>`); got == hopeless[test.key] {
					t.Errorf("offers to try again: %t", got)
				}
				if got := a.header.Get("Refresh") != ""; got != test.retry || strings.Contains(a.body, "every 10 seconds") != test.retry {
					t.Errorf("tries again by itself: %t, want %t", got, test.retry)
				}
				checkPolicy(t, a)
			}
			for _, accept := range []string{"", acceptCurl, acceptRuby, "application/xml", "text/xml, text/html;q=0.5", "text/html;q=0", "application/json", "image/*", "text/html;q=x", "text/html;q=NaN"} {
				header := http.Header{"Accept": {accept}}
				if name == "odd content type" {
					continue
				}
				if a := s.fetch("GET", test.link, header, nil); a.MessageKey != test.key || a.header.Get("Refresh") != "" {
					t.Errorf("Accept %q: %v %s", accept, a.header, a.body)
				} else {
					a.wantXMLHeader(t)
				}
			}
		})
	}
	if a := s.fetch("GET", s.link("getMeetingInfo", "meetingID", "no"), http.Header{"Accept": {acceptChrome}}, nil); a.MessageKey != "notFound" {
		t.Errorf("another call answers a browser: %s", a.body)
	}
}

// checkPolicy: the page's own style is allowed by its digest, nothing else is.
func checkPolicy(t *testing.T, a answer) {
	t.Helper()
	_, style, _ := strings.Cut(a.body, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	digest := sha256.Sum256([]byte(style))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'; base-uri 'none'; form-action 'none'"
	if got := a.header.Get("Content-Security-Policy"); got != want || style == "" {
		t.Errorf("policy %q, want %q", got, want)
	}
	for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s %q, want %q", name, got, want)
		}
	}
	if strings.Contains(a.body, "<script") || strings.Contains(a.body, "http:") || strings.Contains(a.body, "https:") || strings.Contains(a.body, " style=") {
		t.Errorf("the page needs what its policy forbids: %s", a.body)
	}
}

// TestPageLetsIn: the page leads into the meeting once the server is back.
func TestPageLetsIn(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true, balancer: func(c *balancer.Config) { c.UnhealthyThreshold = 1 }})
	s.create("room")
	link, header := s.link("join", "meetingID", "room", "fullName", "a"), http.Header{"Accept": {acceptFirefox}}
	s.servers[0].Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.Reset})
	s.poll()
	if a := s.fetch("GET", link, header, nil); a.header.Get("Refresh") != "10" {
		t.Fatalf("while the server is away: %d %v", a.status, a.header)
	}
	s.servers[0].Behave()
	s.poll()
	if a := s.fetch("GET", link, header, nil); a.status != http.StatusFound {
		t.Errorf("once it is back: %d %s", a.status, a.body)
	}
}
