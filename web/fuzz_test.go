package web

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"scalelite/balancer/bbb"
)

// FuzzRequest sends what it likes: below /bigbluebutton the answer is XML of the
// protocol with status 200, a page for a browser's join or the redirect of a
// good one, and elsewhere it is never empty nor a failure of ours.
func FuzzRequest(f *testing.F) {
	s := newSystem(f, settings{servers: 1, noSync: true, web: func(c *Config) { c.ChecksumFailuresPerMinute = 0 }})
	s.create("room")
	for _, seed := range []struct {
		method, path, query, contentType, body string
		signed, browser                        bool
	}{
		{"GET", "/bigbluebutton/api/join", "meetingID=room&fullName=a", "", "", true, true},
		{"GET", "/bigbluebutton/api/join", "meetingID=room&fullName=a", "", "", false, true},
		{"POST", "/bigbluebutton/api/create", "meetingID=x&name=y", "application/xml", "<modules/>", true, false},
		{"POST", "/bigbluebutton/api/create", "", typeForm, "meetingID=x&name=y", true, false},
		{"POST", "/bigbluebutton/api/end", "", "multipart/form-data; boundary=b", multipartOf("meetingID", "x"), true, false},
		{"OPTIONS", "/bigbluebutton/api/getMeetings", "", "", "", true, false},
		{"GET", "//bigbluebutton//api//isMeetingRunning", "&meetingID=%zz", "", "", true, true},
		{"BREW", "/%2e%2e/bigbluebutton/%00", "a;b&&=", "text/plain", "x", false, false},
		{"GET", "/scalelite/api/getServers", "", "", "", true, false},
		{"GET", "/health_check", "", "", "", false, false},
	} {
		f.Add(seed.method, seed.path, seed.query, seed.contentType, seed.body, seed.signed, seed.browser)
	}
	f.Fuzz(func(t *testing.T, method, path, query, contentType, body string, signed, browser bool) {
		call := path[strings.LastIndex(path, "/")+1:]
		if signed {
			query = bbb.Sign(bbb.SHA256, call, query, testSecret)
		}
		var head strings.Builder
		head.WriteString(method + " " + path + "?" + query + " HTTP/1.1\r\nHost: h\r\n")
		if contentType != "" {
			head.WriteString("Content-Type: " + contentType + "\r\n")
		}
		if browser {
			head.WriteString("Accept: " + acceptChrome + "\r\n")
		}
		request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head.String() + "\r\n")))
		if err != nil {
			t.Skip("the listener refuses it")
		}
		request.Body, request.ContentLength = http.NoBody, 0
		if body != "" {
			with := httptest.NewRequest("POST", "/", strings.NewReader(body))
			request.Body, request.ContentLength = with.Body, with.ContentLength
		}
		request.RemoteAddr = "203.0.113.1:1234"
		response := httptest.NewRecorder()
		s.web.Handler().ServeHTTP(response, request)
		judge(t, request, response, call, signed)
	})
}

func judge(t *testing.T, request *http.Request, response *httptest.ResponseRecorder, call string, signed bool) {
	text, kind := response.Body.Bytes(), response.Header().Get("Content-Type")
	if !strings.HasPrefix(request.URL.Path, "/bigbluebutton") {
		if response.Code >= http.StatusInternalServerError || len(text) == 0 {
			t.Errorf("%d %q", response.Code, text)
		}
		return
	}
	switch {
	case response.Code == http.StatusFound:
		if !signed || call != "join" {
			t.Errorf("a redirect to %s", response.Header().Get("Location"))
		}
	case response.Code != http.StatusOK:
		t.Errorf("status %d: %q", response.Code, text)
	case strings.HasPrefix(kind, "text/html"):
		if call != "join" || !strings.HasPrefix(string(text), "<!DOCTYPE html>") {
			t.Errorf("a page: %q", text)
		}
	case kind != xmlType:
		t.Errorf("type %q: %q", kind, text)
	default:
		if _, err := bbb.ParseReply("scalelite", text); err != nil {
			t.Errorf("%v: %q", err, text)
		}
	}
	if got := response.Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("Cache-Control %q", got)
	}
}
