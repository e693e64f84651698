package bbbtest

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// misbehaving starts a server with one rule and a meeting "ab".
func misbehaving(t *testing.T, m Misbehaviour) *Server {
	t.Helper()
	s := Start(t, Options{})
	mustCreate(t, s, map[string]string{"meetingID": "ab", "name": "ab"})
	s.Misbehave(m)
	return s
}

// fetch is one GET of a create for "new", with the error of the request or of
// reading its body.
func fetch(ctx context.Context, t *testing.T, s *Server) (resp *http.Response, body []byte, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", signed(s, "create", "meetingID=new&name=ab"), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err = client(t).Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, 2<<20))
	return resp, body, err
}

// carriedOut tells whether the create of fetch has had an effect.
func carriedOut(s *Server) bool {
	_, ok := s.Meeting("new")
	return ok
}

func TestCannedAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule        Misbehaviour
		status      int
		contentType string
		body        string
	}{
		{Misbehaviour{Kind: ServerError}, 502, "text/html;charset=utf-8", "HTTP Status 502"},
		{Misbehaviour{Kind: ServerError, Status: 503}, 503, "text/html;charset=utf-8", "HTTP Status 503"},
		{Misbehaviour{Kind: HTML}, 200, "text/html;charset=utf-8", "<!doctype html>"},
		{Misbehaviour{Kind: WrongSecret}, 200, "text/xml;charset=utf-8", "<messageKey>checksumError</messageKey>"},
		{Misbehaviour{Kind: EmptyBody}, 200, "text/xml;charset=utf-8", ""},
		{Misbehaviour{Kind: Redirect}, 302, "", ""},
		{Misbehaviour{Kind: Redirect, Status: 307, Location: "http://x.example/"}, 307, "", ""},
	} {
		s := misbehaving(t, c.rule)
		resp, body, err := fetch(t.Context(), t, s)
		if err != nil {
			t.Fatalf("%s: %v", c.rule.Kind, err)
		}
		if resp.StatusCode != c.status || resp.Header.Get("Content-Type") != c.contentType || !strings.Contains(string(body), c.body) {
			t.Errorf("%s: %d %v %s", c.rule.Kind, resp.StatusCode, resp.Header, body)
		}
		if c.rule.Kind == Redirect && resp.Header.Get("Location") != cmp.Or(c.rule.Location, nowhere) {
			t.Errorf("redirect to %q", resp.Header.Get("Location"))
		}
		if c.body == "" && len(body) != 0 {
			t.Errorf("%s: body %q", c.rule.Kind, body)
		}
		if carriedOut(s) {
			t.Errorf("%s: the call was carried out", c.rule.Kind)
		}
	}
}

func TestSlow(t *testing.T) {
	t.Parallel()
	for kind, early := range map[Kind]bool{Slow: false, SlowAfter: true} {
		s := misbehaving(t, Misbehaviour{Call: "create", Kind: kind, Delay: time.Hour})
		done := make(chan error, 1)
		go func() {
			_, _, err := fetch(t.Context(), t, s)
			done <- err
		}()
		waitFor(t, s, "create", 1)
		for early && !carriedOut(s) {
			time.Sleep(time.Millisecond) // until it is; the answer is an hour away
		}
		if !early && carriedOut(s) {
			t.Errorf("%s: carried out before the delay", kind)
		}
		s.Behave()
		if err := <-done; err != nil || !carriedOut(s) {
			t.Errorf("%s: after Behave: %v", kind, err)
		}
	}
	s := misbehaving(t, Misbehaviour{Kind: Slow, Delay: 10 * time.Millisecond})
	begin := time.Now()
	if _, _, err := fetch(t.Context(), t, s); err != nil || time.Since(begin) < 10*time.Millisecond || !carriedOut(s) {
		t.Errorf("answered after %s: %v", time.Since(begin), err)
	}
}

// T49: a server that takes the connection and never answers, until something
// ends it.
func TestHang(t *testing.T) {
	t.Parallel()
	for kind, early := range map[Kind]bool{Hang: false, HangAfter: true} {
		for name, end := range map[string]func(*Server, context.CancelFunc){
			"client goes away": func(_ *Server, cancel context.CancelFunc) { cancel() },
			"behave":           func(s *Server, _ context.CancelFunc) { s.Behave() },
			"close":            func(s *Server, _ context.CancelFunc) { s.Close() },
		} {
			s := misbehaving(t, Misbehaviour{Kind: kind})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				_, _, err := fetch(ctx, t, s)
				done <- err
			}()
			waitFor(t, s, "create", 1)
			for early && !carriedOut(s) {
				time.Sleep(time.Millisecond)
			}
			end(s, cancel)
			if err := <-done; err == nil {
				t.Errorf("%s, %s: answered", kind, name)
			}
			s.Close() // returns only when the handler has ended
			cancel()
			if carriedOut(s) != early {
				t.Errorf("%s, %s: carried out is %v", kind, name, !early)
			}
		}
	}
}

func TestTrickle(t *testing.T) {
	t.Parallel()
	s := misbehaving(t, Misbehaviour{Kind: Trickle, Delay: time.Hour, Times: 1})
	resp, err := client(t).Get(signed(s, "create", "meetingID=new&name=ab"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	s.Behave()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.HasSuffix(body, []byte("</response>")) || resp.ContentLength != int64(len(body)) {
		t.Errorf("got %v %s", err, body)
	}
	s.Misbehave(Misbehaviour{Kind: Trickle, Delay: 10 * time.Millisecond})
	begin := time.Now()
	resp, err = client(t).Get(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 5)); err != nil || time.Since(begin) < 50*time.Millisecond {
		t.Errorf("five bytes after %s: %v", time.Since(begin), err)
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	for kind, early := range map[Kind]bool{Reset: false, ResetAfter: true} {
		s := misbehaving(t, Misbehaviour{Kind: kind})
		_, _, err := fetch(t.Context(), t, s)
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: got %v", kind, err)
		}
		if carriedOut(s) != early {
			t.Errorf("%s: carried out is %v", kind, !early)
		}
	}
}

func TestHalfXML(t *testing.T) {
	t.Parallel()
	for kind, whole := range map[Kind]bool{HalfXML: true, HalfXMLCut: false} {
		s := misbehaving(t, Misbehaviour{Kind: kind})
		_, body, err := fetch(t.Context(), t, s)
		if (err == nil) != whole || !whole && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: got %v", kind, err)
		}
		var v struct{}
		if !bytes.HasPrefix(body, []byte("<response>")) || xml.Unmarshal(body, &v) == nil || !carriedOut(s) {
			t.Errorf("%s: %s", kind, body)
		}
	}
}

func TestBadUTF8(t *testing.T) {
	t.Parallel()
	s := misbehaving(t, Misbehaviour{Kind: BadUTF8})
	_, body, err := fetch(t.Context(), t, s)
	if err != nil || utf8.Valid(body) || !bytes.HasSuffix(body, []byte("</response>")) || !carriedOut(s) {
		t.Errorf("got %v %q", err, body)
	}
}

// S20, T49: bodies without an end, or with one that is far away.
func TestBodiesTooLarge(t *testing.T) {
	t.Parallel()
	s := misbehaving(t, Misbehaviour{Kind: EndlessBody})
	_, body, err := fetch(t.Context(), t, s)
	if err != nil || len(body) != 2<<20 {
		t.Errorf("endless: %d bytes, %v", len(body), err)
	}
	s = misbehaving(t, Misbehaviour{Kind: HugeBody, Size: 100_001})
	resp, body, err := fetch(t.Context(), t, s)
	var v struct {
		Returncode string `xml:"returncode"`
	}
	if err != nil || resp.ContentLength != 100_001 || len(body) != 100_001 || xml.Unmarshal(body, &v) != nil || v.Returncode != "SUCCESS" {
		t.Errorf("huge: %d bytes, %v", len(body), err)
	}
	s = misbehaving(t, Misbehaviour{Kind: GzipBomb, Size: 1 << 20})
	req, _ := http.NewRequestWithContext(t.Context(), "GET", s.URL(), nil)
	req.Header.Set("Accept-Encoding", "identity") // so that net/http does not unpack
	resp, err = client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	packed, err := io.ReadAll(resp.Body)
	if err != nil || len(packed) > 1<<15 {
		t.Fatalf("bomb of %d bytes: %v", len(packed), err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if unpacked, err := io.ReadAll(z); err != nil || len(unpacked) != 1<<20 || xml.Unmarshal(unpacked, &v) != nil {
		t.Errorf("bomb: unpacks to %d bytes, %v", len(unpacked), err)
	}
}

func TestEndlessBodyEndsWithTheServer(t *testing.T) {
	t.Parallel()
	s := misbehaving(t, Misbehaviour{Kind: EndlessBody})
	resp, err := client(t).Get(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	s.Close() // while the client does not read
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("the endless body came to a proper end")
	}
}

func TestDropMeeting(t *testing.T) {
	t.Parallel()
	s := misbehaving(t, Misbehaviour{Call: "getMeetingInfo", Kind: DropMeeting, Times: 1})
	if r := get(t, s, "isMeetingRunning", "meetingID=ab"); s.Requests()[0].Kind != "" || len(s.Meetings()) != 1 {
		t.Errorf("another call was concerned: %s", r.body)
	}
	wantKey(t, get(t, s, "getMeetingInfo", "meetingID=ab"), "notFound")
	if len(s.Meetings()) != 0 || s.Requests()[1].Kind != DropMeeting {
		t.Errorf("record: %+v", s.Requests())
	}
}

func TestJoinToForeignLocation(t *testing.T) {
	t.Parallel()
	s := misbehaving(t, Misbehaviour{Kind: JoinToForeignLocation, Location: "https://evil.example/"})
	wantSuccess(t, get(t, s, "getMeetingInfo", "meetingID=ab"))
	r := get(t, s, "join", "meetingID=ab&fullName=A&role=VIEWER&redirect=false")
	if r.status != http.StatusFound || r.header.Get("Location") != "https://evil.example/" {
		t.Errorf("got %d %v", r.status, r.header)
	}
}

func TestRulesAreUsedUp(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	s.Misbehave(Misbehaviour{Call: "index", Kind: ServerError, Skip: 1, Times: 2})
	s.Misbehave(Misbehaviour{Call: "index", Kind: HTML, Times: 1})
	s.Misbehave(Misbehaviour{Call: "getMeetings", Kind: EmptyBody})
	var kinds []Kind
	for range 5 {
		resp, err := client(t).Get(s.URL())
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	for _, q := range s.Requests() {
		kinds = append(kinds, q.Kind)
	}
	if got := [5]Kind(kinds); got != [5]Kind{"", ServerError, ServerError, HTML, ""} {
		t.Errorf("got %q", got)
	}
	s.Behave()
	wantSuccess(t, get(t, s, "getMeetings", ""))
}
