package bbbtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// client is a front-end that follows no redirects and keeps no connections.
func client(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		Timeout:       time.Minute, // only so that a broken test ends
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// signed is the URL of a call with a SHA-256 checksum. It shares no code with
// the server.
func signed(s *Server, call, query string) string {
	sum := sha256.Sum256([]byte(call + query + s.Secret()))
	if query != "" {
		query += "&"
	}
	return s.URL() + "/" + call + "?" + query + "checksum=" + hex.EncodeToString(sum[:])
}

// reply is what came back, with the elements directly below <response>.
type reply struct {
	status int
	header http.Header
	body   string
	names  []string
	fields map[string]string
}

func (r reply) key() string { return r.fields["messageKey"] }

func parse(t *testing.T, resp *http.Response) reply {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	r := reply{status: resp.StatusCode, header: resp.Header, body: string(body), fields: map[string]string{}}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/xml") && len(body) > 0 {
		r.names = children(t, string(body), "response", r.fields)
	}
	return r
}

// children are the names of the elements directly below the first element of
// that name, in order; their text is put into fields.
func children(t *testing.T, text, parent string, fields map[string]string) []string {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(text))
	var names, path []string
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatalf("answer is no XML: %v\n%s", err, text)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if len(path) > 0 && path[len(path)-1] == parent {
				names = append(names, token.Name.Local)
			}
			path = append(path, token.Name.Local)
		case xml.EndElement:
			path = path[:len(path)-1]
			if token.Name.Local == parent {
				return names
			}
		case xml.CharData:
			if len(path) > 1 && path[len(path)-2] == parent {
				fields[path[len(path)-1]] += string(token)
			}
		}
	}
}

func get(t *testing.T, s *Server, call, query string) reply {
	t.Helper()
	resp, err := client(t).Get(signed(s, call, query))
	if err != nil {
		t.Fatalf("%s: %v", call, err)
	}
	return parse(t, resp)
}

func post(t *testing.T, s *Server, call, query, contentType, body string) reply {
	t.Helper()
	resp, err := client(t).Post(signed(s, call, query), contentType, strings.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", call, err)
	}
	return parse(t, resp)
}

// wantKey fails unless the answer is FAILED, with status 200, with that key.
func wantKey(t *testing.T, r reply, key string) {
	t.Helper()
	if r.status != http.StatusOK || r.fields["returncode"] != "FAILED" || r.key() != key {
		t.Errorf("got %d %s, want FAILED with key %q", r.status, r.body, key)
	}
}

func wantSuccess(t *testing.T, r reply) {
	t.Helper()
	if r.status != http.StatusOK || r.fields["returncode"] != "SUCCESS" {
		t.Fatalf("got %d %s, want SUCCESS", r.status, r.body)
	}
}

// joinError is the key in the errors parameter of a redirect.
func joinError(t *testing.T, r reply) (target, errorsParam string) {
	t.Helper()
	if r.status != http.StatusFound {
		t.Fatalf("got %d %s, want a redirect", r.status, r.body)
	}
	u, err := url.Parse(r.header.Get("Location"))
	if err != nil {
		t.Fatalf("Location: %v", err)
	}
	return u.Scheme + "://" + u.Host + u.Path, u.Query().Get("errors")
}

func mustCreate(t *testing.T, s *Server, params map[string]string) Meeting {
	t.Helper()
	m, err := s.Create(params)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return m
}

func mustJoin(t *testing.T, s *Server, meetingID, name string, moderator bool) string {
	t.Helper()
	id, err := s.Join(meetingID, name, moderator)
	if err != nil {
		t.Fatalf("join: %v", err)
	}
	return id
}

// waitFor waits for a number of requests, however long that takes.
func waitFor(t *testing.T, s *Server, call string, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.WaitRequests(ctx, call, n); err != nil {
		t.Fatal(err)
	}
}
