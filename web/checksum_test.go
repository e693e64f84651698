package web

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// sum is the checksum of a call as the documentation words it, made without the
// code that is tested.
func sum(digest func() hash.Hash, call, query string) string {
	h := digest()
	h.Write([]byte(call + query + string(testSecret)))
	return hex.EncodeToString(h.Sum(nil))
}

// TestSignedQueries (T50): the bytes of the query are signed as they were sent,
// and their meaning goes on to the server.
func TestSignedQueries(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	for name, test := range map[string]struct {
		query string // with C where the checksum is to stand
		sign  string // what is signed
		want  map[string]string
	}{
		"plus":              {"meetingID=a1&name=Test+Meeting&checksum=C", "meetingID=a1&name=Test+Meeting", map[string]string{"name": "Test Meeting"}},
		"%20":               {"meetingID=a2&name=Test%20Meeting&checksum=C", "meetingID=a2&name=Test%20Meeting", map[string]string{"name": "Test Meeting"}},
		"%2B":               {"meetingID=a3&name=1%2B1&checksum=C", "meetingID=a3&name=1%2B1", map[string]string{"name": "1+1"}},
		"lower-case hex":    {"meetingID=a4&name=a%c3%a4%2f&checksum=C", "meetingID=a4&name=a%c3%a4%2f", map[string]string{"name": "aä/"}},
		"raw UTF-8":         {"meetingID=a5&name=Übung\u0301&checksum=C", "meetingID=a5&name=Übung\u0301", map[string]string{"name": "Übung\u0301"}},
		"emoji":             {"meetingID=a6&name=%F0%9F%98%80%F0%9F%98%80&checksum=C", "meetingID=a6&name=%F0%9F%98%80%F0%9F%98%80", map[string]string{"name": "😀😀"}},
		"semicolon":         {"meetingID=a7&name=a;b=c&checksum=C", "meetingID=a7&name=a;b=c", map[string]string{"name": "a;b=c"}},
		"leading &":         {"&meetingID=a8&name=xx&checksum=C", "&meetingID=a8&name=xx", map[string]string{"name": "xx"}},
		"first":             {"checksum=C&meetingID=a9&name=xx", "meetingID=a9&name=xx", map[string]string{"name": "xx"}},
		"middle":            {"meetingID=b1&checksum=C&name=xx", "meetingID=b1&name=xx", map[string]string{"name": "xx"}},
		"empty value":       {"meetingID=b2&name=xx&attendeePW=&checksum=C", "meetingID=b2&name=xx&attendeePW=", map[string]string{"attendeePW": ""}},
		"last one counts":   {"name=no&meetingID=no&meetingID=b3&name=yes&checksum=C", "name=no&meetingID=no&meetingID=b3&name=yes", map[string]string{"name": "yes", "meetingID": "b3"}},
		"blank in the name": {"+meetingID+=b4&name=xx&checksum=C", "+meetingID+=b4&name=xx", map[string]string{"meetingID": "b4"}},
		"odd ID":            {"meetingID=hash-12-7%5B0%5D%2F%C3%A9%20x&name=xx&checksum=C", "meetingID=hash-12-7%5B0%5D%2F%C3%A9%20x&name=xx", map[string]string{"meetingID": "hash-12-7[0]/é x"}},
		"trailing comma":    {"meetingID=b5&name=xx&meta_list=a,b,&checksum=C", "meetingID=b5&name=xx&meta_list=a,b,", map[string]string{"meta_list": "a,b,"}},
		"stray &&":          {"meetingID=b6&&name=xx&checksum=C", "meetingID=b6&&name=xx", map[string]string{"name": "xx"}},
		"+ in checksum=":    {"meetingID=b7&name=xx&%63hecksum=C", "meetingID=b7&name=xx", map[string]string{"name": "xx"}},
	} {
		for algorithm, digest := range map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New} {
			t.Run(name+"/"+algorithm, func(t *testing.T) {
				checksum := sum(digest, "create", test.sign)
				if algorithm == "sha384" {
					checksum = strings.ToUpper(checksum)
				}
				a := s.fetchRaw(t, "/bigbluebutton/api/create?"+strings.Replace(test.query, "=C", "="+checksum, 1))
				if !strings.Contains(a, "<returncode>SUCCESS</returncode>") {
					t.Fatalf("answer %s", a)
				}
				asked := s.asked(0, "create").Params
				for key, value := range test.want {
					if got := asked[key]; len(got) != 1 || got[0] != value {
						t.Errorf("the server got %s = %q, want %q", key, got, value)
					}
				}
				flipped := strings.Replace(test.query, "xx", "xy", 1)
				if flipped == test.query {
					flipped = strings.Replace(test.query, "&name", "&nome", 1)
				}
				if a := s.fetchRaw(t, "/bigbluebutton/api/create?"+strings.Replace(flipped, "=C", "="+checksum, 1)); !strings.Contains(a, checksumMessage) {
					t.Errorf("a changed query passes: %s", a)
				}
			})
		}
	}
}

// fetchRaw sends a GET without looking at its target, which clients that encode
// anew would change.
func (s *system) fetchRaw(t *testing.T, target string) string {
	t.Helper()
	return s.raw(t, "GET "+target+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
}

// TestChecksums that must not pass.
func TestChecksums(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{noSync: true, web: func(c *Config) { c.ChecksumAlgorithms = []string{"sha256", "sha512"} }})
	good := sum(sha256.New, "getMeetings", "a=b")
	for name, query := range map[string]string{
		"twice":              "a=b&checksum=" + good + "&checksum=" + good,
		"twice, one encoded": "a=b&checksum=" + good + "&check%73um=" + good,
		"twice, a blank":     "a=b&checksum=" + good + "&+checksum=" + good,
		"sha1":               "a=b&checksum=" + sum(sha1.New, "getMeetings", "a=b"),
		"sha384":             "a=b&checksum=" + sum(sha512.New384, "getMeetings", "a=b"),
		"of another call":    "a=b&checksum=" + sum(sha256.New, "getMeetingInfo", "a=b"),
		"parameter added":    "a=b&c=d&checksum=" + good,
		"parameter removed":  "checksum=" + good,
		"encoded anew":       "a=%62&checksum=" + good,
		"cut":                "a=b&checksum=" + good[:63],
		"no hex":             "a=b&checksum=" + strings.Repeat("g", 64),
		"other case of name": "a=b&Checksum=" + good,
	} {
		t.Run(name, func(t *testing.T) {
			s.fetch("GET", s.base+"/getMeetings?"+query, nil, nil).wantFailed(t, "checksumError", checksumMessage)
		})
	}
	if a := s.fetch("GET", s.base+"/getMeetings?a=b&checksum="+good, nil, nil); !a.OK {
		t.Errorf("the good one: %s", a.body)
	}
}

// TestSecrets: any of several passes, none that was taken away.
func TestSecrets(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	odd := bbb.Secret(`, ; : " $ %s space`) // T64
	s.web.SetSecrets([]bbb.Secret{"first", odd})
	for secret, want := range map[bbb.Secret]bool{"first": true, odd: true, testSecret: false, "": false} {
		a := s.fetch("GET", s.base+"/create?"+bbb.Sign(bbb.SHA512, "create", "meetingID=of-"+secret.Fingerprint()+"&name=Algebra", secret), nil, nil)
		if a.OK != want {
			t.Errorf("secret %q: %s", secret.Reveal(), a.body)
		}
		if !want {
			continue
		}
		if m := s.meeting("of-" + secret.Fingerprint()); m.SignedBy != secret.Fingerprint() {
			t.Errorf("signed by %s, want %s", m.SignedBy, secret.Fingerprint())
		}
	}
}

// TestUnsignedBodies (S1): what a body may add to a signature, and what not.
func TestUnsignedBodies(t *testing.T) {
	t.Parallel()
	lax := newSystem(t, settings{servers: 1, noSync: true})
	strict := newSystem(t, settings{servers: 1, noSync: true, web: func(c *Config) { c.UnsignedBodies = false }})
	body := "name=Two+words&meetingID=room&welcome=%C3%A4%2B"
	sorted := "meetingID=room&name=Two+words&welcome=%C3%A4%2B"
	in := func(text, signed string) string { return text + "&checksum=" + sum(sha256.New, "create", signed) }
	only := func(signed string) string { return "checksum=" + sum(sha256.New, "create", signed) }
	for name, test := range map[string]struct {
		query, body     string
		lax, strict     bool
		contentType, id string
	}{
		"raw body, checksum in the query":     {query: only(body), body: body, lax: true, strict: true},
		"raw body, checksum in the body":      {body: in(body, body), lax: true, strict: true},
		"raw body, checksum first":            {body: only(body) + "&" + body, lax: true, strict: true},
		"raw body, query ?&checksum=":         {query: "&" + only(body), body: body, lax: true, strict: true},
		"sorted body":                         {query: only(sorted), body: body, lax: true, strict: true},
		"sorted body, checksum in it":         {body: in(body, sorted), lax: true, strict: true},
		"empty query":                         {query: only(""), body: body, lax: true},
		"empty query, checksum in the body":   {body: in(body, ""), lax: true},
		"flipped byte":                        {query: only(body), body: strings.Replace(body, "Two", "Twp", 1)},
		"byte added":                          {query: only(body), body: body + "&x=y"},
		"two checksums":                       {query: only(body), body: in(body, body)},
		"two checksums in the body":           {body: in(in(body, body), body)},
		"no checksum":                         {body: body},
		"parameters in the query":             {query: in(body, body), body: "record=true&meetingID=evil", lax: true, strict: true},
		"parameters in the query, other body": {query: in("x=y", "x=y"), body: body, lax: true, strict: true, id: "-"},
		"checksum of the body for the query":  {query: "x=y&" + only(body), body: body},
		"multipart, sorted":                   {query: only(sorted), contentType: "multipart/form-data; boundary=b", body: multipartOf("name", "Two words", "meetingID", "room", "welcome", "ä+"), lax: true, strict: true},
		"multipart, empty query":              {query: only(""), contentType: "multipart/form-data; boundary=b", body: multipartOf("name", "Two words", "meetingID", "room", "welcome", "ä+"), lax: true},
		"multipart, checksum in it":           {contentType: "multipart/form-data; boundary=b", body: multipartOf("checksum", sum(sha256.New, "create", sorted), "name", "Two words", "meetingID", "room", "welcome", "ä+"), lax: true, strict: true},
		"multipart, two checksums":            {contentType: "multipart/form-data; boundary=b", body: multipartOf("checksum", sum(sha256.New, "create", ""), "checksum", sum(sha256.New, "create", ""), "meetingID", "room")},
		"multipart, two, one with a blank":    {contentType: "multipart/form-data; boundary=b", body: multipartOf(" checksum", sum(sha256.New, "create", ""), "checksum ", sum(sha256.New, "create", ""), "meetingID", "room")},
		"multipart, flipped":                  {query: only(sorted), contentType: "multipart/form-data; boundary=b", body: multipartOf("name", "Two wordz", "meetingID", "room", "welcome", "ä+")},
	} {
		for s, passes := range map[*system]bool{lax: test.lax, strict: test.strict} {
			t.Run(name+"/unsigned_bodies="+map[bool]string{true: "true", false: "false"}[s == lax], func(t *testing.T) {
				s.servers[0].ResetRequests()
				contentType := test.contentType
				if contentType == "" {
					contentType = typeForm
				}
				a := s.post("create", test.query, contentType, test.body)
				if !passes {
					a.wantFailed(t, "checksumError", checksumMessage)
					if n := s.servers[0].Count("create"); n != 0 {
						t.Errorf("the server was asked %d times", n)
					}
					return
				}
				if test.id == "-" {
					a.wantFailed(t, "missingParamMeetingID", missingIDMessage)
					return
				}
				if !a.OK {
					t.Fatalf("answer %s", a.body)
				}
				got := s.asked(0, "create")
				for name, want := range map[string]string{"meetingID": "room", "name": "Two words", "welcome": "ä+", "record": ""} {
					if got.Params.Get(name) != want {
						t.Errorf("the server got %s = %q, want %q", name, got.Params.Get(name), want)
					}
				}
				if got.BodySize != 0 {
					t.Errorf("a body of %d bytes was sent on", got.BodySize)
				}
			})
		}
	}
}

// multipartOf returns fields as multipart/form-data with the boundary b.
func multipartOf(pairs ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		b.WriteString("--b\r\nContent-Disposition: form-data; name=\"" + pairs[i] + "\"\r\n\r\n" + pairs[i+1] + "\r\n")
	}
	return b.String() + "--b--\r\n"
}

// TestForwardedIsSigned (S1): the server gets what was signed and what we set,
// and nothing else, in whatever way it came.
func TestForwardedIsSigned(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	s.create("room")
	signed := "meetingID=room&password=mpw&extra=a%26b%3Dc&empty="
	s.post("end", signed+"&checksum="+sum(sha1.New, "end", signed), typeForm, "meetingID=other&forced=true&checksum=x")
	want := url.Values{"meetingID": {"room"}, "password": {"mpw"}, "extra": {"a&b=c"}, "empty": {""}}
	got := s.asked(0, "end")
	checksum := got.Params.Get("checksum")
	for name, values := range got.Params {
		if name != "checksum" && (len(values) != 1 || len(want[name]) != 1 || values[0] != want[name][0]) {
			t.Errorf("the server got %s = %q", name, values)
		}
	}
	if len(got.Params) != len(want)+1 || got.Method != http.MethodGet || got.Refused || checksum == sum(sha1.New, "end", signed) {
		t.Errorf("the server got %s %s", got.Method, got.RawQuery)
	}
}

func (s *system) meeting(id string) (m store.Meeting) {
	s.t.Helper()
	err := s.store.View(s.t.Context(), func(tx *store.Tx) (err error) {
		m, err = tx.Meeting(store.MeetingKey{ID: id})
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}
