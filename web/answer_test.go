package web

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"scalelite/balancer/bbb"
)

// post sends a body of a type; query is what stands behind the "?".
func (s *system) post(call, query, contentType, body string) answer {
	s.t.Helper()
	header := http.Header{}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	return s.fetch(http.MethodPost, s.base+"/"+call+"?"+query, header, strings.NewReader(body))
}

// postXML is a signed POST of XML.
func (s *system) postXML(call, body string, pairs ...string) answer {
	s.t.Helper()
	return s.post(call, bbb.Sign(bbb.SHA256, call, params(pairs...).Encode(), testSecret), "application/xml", body)
}

// logBuffer collects log lines of many goroutines.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	bbb.Reply
}

// failedXML is the answer of an error, as the contract spells it.
func failedXML(key, message string) string {
	return "<response><returncode>FAILED</returncode><messageKey>" + key + "</messageKey><message>" + message + "</message></response>"
}

// wantFailed checks the whole of an error answer.
func (a answer) wantFailed(t testing.TB, key, message string) {
	t.Helper()
	if a.status != http.StatusOK || a.body != failedXML(key, message) {
		t.Errorf("answer %d %q, want %s: %s", a.status, a.body, key, message)
	}
	a.wantXMLHeader(t)
}

func (a answer) wantXMLHeader(t testing.TB) {
	t.Helper()
	if got := a.header.Get("Content-Type"); got != "application/xml; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	if got := a.header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("Cache-Control %q", got)
	}
}

const (
	checksumMessage    = "You did not pass the checksum security check"
	unsupportedMessage = "This request is not supported."
	typeMessage        = "POST request Content-Type is missing or unsupported"
	missingIDMessage   = "You must specify a meeting ID for the meeting."
	notFoundMessage    = "We could not find a meeting with that meeting ID - perhaps the meeting is not yet running?"
	accessMessage      = "Unable to access meeting on server."
	createMessage      = "Unable to create meeting on server."
)

// get calls with a signed GET and reads the XML.
func (s *system) get(call string, pairs ...string) answer {
	s.t.Helper()
	return s.fetch(http.MethodGet, s.link(call, pairs...), nil, nil)
}

// fetch sends a request. An XML answer is parsed.
func (s *system) fetch(method, url string, header http.Header, body io.Reader) answer {
	s.t.Helper()
	request, err := http.NewRequest(method, url, body)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
		if name == "Host" {
			request.Host = values[0]
		}
	}
	response, err := s.client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := answer{status: response.StatusCode, header: response.Header, body: string(text)}
	if response.Header.Get("Content-Type") == xmlType && method != http.MethodHead {
		if a.Reply, err = bbb.ParseReply("scalelite", text); err != nil {
			s.t.Fatalf("%s %s: %v", method, url, err)
		}
	}
	return a
}
