package bbbtest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const (
	docSecret = "639259d4-9dd8-4b25-bf01-95f9567eaf4b"
	docQuery  = "name=Test+Meeting&meetingID=abc123&attendeePW=111222&moderatorPW=333444"
	docSHA1   = "1fcbb0c4fc1f039f73aa6d697d2db9ba7f803f17"
	docSHA256 = "da9185f7f333cfdfcd6eeac32dca3777510c4c436020d8b887ba5515bd1d189e"
)

// ask sends a raw query to a call, byte for byte.
func ask(t *testing.T, s *Server, method, call, rawQuery, contentType, body string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+"/"+call, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.URL.RawQuery = rawQuery
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, resp)
}

func TestDocumentedChecksums(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{Secret: docSecret})
	for _, sum := range []string{docSHA1, docSHA256, strings.ToUpper(docSHA1)} {
		wantSuccess(t, ask(t, s, "GET", "create", docQuery+"&checksum="+sum, "", ""))
	}
	wantKey(t, ask(t, s, "GET", "create", docQuery+"&checksum="+docSHA1[:39]+"8", "", ""), "checksumError")
	got := s.Requests()
	if got[0].Algorithm != "sha1" || got[1].Algorithm != "sha256" || got[0].Refused || !got[3].Refused {
		t.Errorf("record: %+v", got)
	}
}

// T50: what clients send differs in every way that leaves the signed bytes the
// same.
func TestChecksumCoversTheRawQuery(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	sum := func(call, query string) string { return digest("sha1", call+query+s.Secret()) }
	for _, query := range []string{
		"meetingID=ab&name=a+b", "meetingID=ab&name=a%20b", "meetingID=ab&name=%c3%a4b", "meetingID=ab&name=äb",
		"&meetingID=ab&name=ab", "meetingID=ab&name=ab&password=", "name=ab&meetingID=ab&meetingID=cd",
		"meetingID=ab&name=a;b=c", "meetingID=ab&name=a%2Bb&&",
	} {
		for _, whole := range []string{query + "&checksum=" + sum("create", query), "checksum=" + sum("create", query) + "&" + query} {
			if r := ask(t, s, "GET", "create", whole, "", ""); r.fields["returncode"] != "SUCCESS" {
				t.Errorf("%s: %s", whole, r.body)
			}
		}
	}
	middle := "meetingID=ab&checksum=" + sum("create", "meetingID=ab&name=ab") + "&name=ab"
	wantSuccess(t, ask(t, s, "GET", "create", middle, "", ""))
	wantSuccess(t, ask(t, s, "GET", "getMeetings", "&checksum="+sum("getMeetings", ""), "", ""))
	wantSuccess(t, ask(t, s, "GET", "getMeetings", "checksum="+sum("getMeetings", ""), "", ""))
}

func TestChecksumIsRefused(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{Algorithms: []string{"SHA-256", "sha384"}})
	q := "meetingID=ab"
	text := "isMeetingRunning" + q + s.Secret()
	good := q + "&checksum=" + digest("sha256", text)
	wantSuccess(t, ask(t, s, "GET", "isMeetingRunning", good, "", ""))
	wantSuccess(t, ask(t, s, "GET", "isMeetingRunning", q+"&checksum="+digest("sha384", text), "", ""))
	for name, query := range map[string]string{
		"none":               q,
		"empty":              q + "&checksum=",
		"twice":              good + "&checksum=" + digest("sha256", text),
		"not accepted":       q + "&checksum=" + digest("sha1", text),
		"no such length":     q + "&checksum=" + digest("sha256", text)[:50],
		"other query":        q + "&a=b&checksum=" + digest("sha256", text),
		"re-encoded":         "meetingID=%61b&checksum=" + digest("sha256", text),
		"of another call":    q + "&checksum=" + digest("sha256", "end"+q+s.Secret()),
		"of another secret":  q + "&checksum=" + digest("sha256", "isMeetingRunning"+q+"x"),
		"in upper-case name": q + "&Checksum=" + digest("sha256", text),
	} {
		r := ask(t, s, "GET", "isMeetingRunning", query, "", "")
		if r.key() != "checksumError" || r.fields["message"] != "Checksums do not match" {
			t.Errorf("%s: %s", name, r.body)
		}
	}
	s.SetSecret("changed")
	wantKey(t, ask(t, s, "GET", "isMeetingRunning", good, "", ""), "checksumError")
}

// S1: the checksum covers the query; what the body may be is a rule of its own.
func TestChecksumOfPost(t *testing.T) {
	t.Parallel()
	form := url.Values{"meetingID": {"a b*~"}, "name": {"ab"}}
	for _, legacy := range []bool{false, true} {
		s := Start(t, Options{Legacy: legacy})
		overNothing := digest("sha1", "create"+s.Secret())
		overBody := digest("sha1", "create"+"meetingID=a+b*%7E&name=ab"+s.Secret())
		body := func(sum string) string {
			v := url.Values{"checksum": {sum}}
			v.Set("meetingID", form.Get("meetingID"))
			v.Set("name", form.Get("name"))
			return v.Encode()
		}
		accepted, refused := overNothing, overBody
		if legacy {
			accepted, refused = overBody, overNothing
		}
		wantSuccess(t, ask(t, s, "POST", "create", "", mediaForm, body(accepted)))
		wantKey(t, ask(t, s, "POST", "create", "", mediaForm, body(refused)), "checksumError")
		wantSuccess(t, ask(t, s, "POST", "create", "checksum="+overNothing, mediaForm, form.Encode()))
		both := "checksum=" + overNothing
		wantKey(t, ask(t, s, "POST", "create", both, mediaForm, form.Encode()+"&"+both), "checksumError")
	}
}

func TestContentType(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	q := "meetingID=ab&name=ab"
	const empty = "<modules/>"
	for _, c := range []struct {
		call, contentType, body string
		refused                 bool
	}{
		{"create", "application/xml; charset=utf-8", empty, false},
		{"create", "text/xml", empty, false},
		{"create", mediaForm, empty, false}, // XML that a library labels as a form
		{"create", mediaMultipart + "; boundary=x", "--x--\r\n", false},
		{"create", "application/json", "{}", true},
		{"create", "", "x=y", true},
		{"create", "application/json", "", false}, // no body, no matter
		{"isMeetingRunning", mediaForm, "x=y", false},
		{"isMeetingRunning", "text/xml", empty, true},
		{"insertDocument", "text/xml", empty, false},
		{"insertDocument", mediaForm, "x=y", true},
	} {
		r := post(t, s, c.call, q, c.contentType, c.body)
		if refused := r.key() == "unsupportedContentType"; refused != c.refused {
			t.Errorf("%s %q: %s", c.call, c.contentType, r.body)
		}
	}
}
