package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"scalelite/store/kv"
)

// failingEngine is a database whose disk can be full.
type failingEngine struct {
	kv.Engine
	full *atomic.Bool
}

func (e failingEngine) Update(ctx context.Context, fn func(kv.Tx) error) error {
	if e.full.Load() {
		return errors.New("no space left on device")
	}
	return e.Engine.Update(ctx, fn)
}

// TestHealth: "success" while all is well, else 503 and why.
func TestHealth(t *testing.T) {
	t.Parallel()
	var cause atomic.Pointer[string]
	s := newSystem(t, settings{noSync: true, health: func(context.Context) error {
		if text := cause.Load(); text != nil {
			return errors.New(*text)
		}
		return nil
	}})
	for _, path := range []string{"/", "/health_check"} {
		a := s.fetch("GET", s.url+path, nil, nil)
		if a.status != http.StatusOK || a.body != "success" || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %q %v", path, a.status, a.body, a.header)
		}
		if a := s.fetch("HEAD", s.url+path, nil, nil); a.status != http.StatusOK {
			t.Errorf("HEAD %s: %d", path, a.status)
		}
	}
	why := "the spool is not writable"
	cause.Store(&why)
	for _, path := range []string{"/", "/health_check"} {
		a := s.fetch("GET", s.url+path, nil, nil)
		if a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, why) || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s: %d %q", path, a.status, a.body)
		}
	}
}

// TestRobots: nobody is to index anything.
func TestRobots(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{noSync: true})
	if a := s.fetch("GET", s.url+"/robots.txt", nil, nil); a.status != http.StatusOK || a.body != "User-agent: *\nDisallow: /\n" {
		t.Errorf("%d %q", a.status, a.body)
	}
}

// TestFullDisk (T58): what is known goes on, what would be lost is refused, and
// the health check says so until it is over.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	var full atomic.Bool
	log := &logBuffer{}
	s := newSystem(t, settings{servers: 2, noSync: true, log: log, engine: func(e kv.Engine) kv.Engine { return failingEngine{e, &full} }})
	s.create("room")
	full.Store(true)
	created := s.servers[0].Count("create") + s.servers[1].Count("create")

	s.get("create", "meetingID", "new", "name", "Algebra").wantFailed(t, "internalError", createMessage)
	if n := s.servers[0].Count("create") + s.servers[1].Count("create"); n != created {
		t.Error("a server was asked for a meeting that would be forgotten")
	}
	if a := s.get("join", "meetingID", "room", "fullName", "a"); a.status != http.StatusFound {
		t.Errorf("join: %d %s", a.status, a.body)
	}
	for _, call := range []string{"getMeetingInfo", "isMeetingRunning", "getMeetings"} {
		if a := s.get(call, "meetingID", "room"); !a.OK {
			t.Errorf("%s: %s", call, a.body)
		}
	}
	if a := s.fetch("GET", s.url+"/health_check", nil, nil); a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "no space left on device") {
		t.Errorf("health: %d %s", a.status, a.body)
	}
	if !strings.Contains(log.String(), "no space left on device") {
		t.Errorf("the log does not say why:\n%s", log)
	}
	full.Store(false)
	if a := s.fetch("GET", s.url+"/health_check", nil, nil); a.status != http.StatusOK {
		t.Errorf("health afterwards: %d %s", a.status, a.body)
	}
	if a := s.get("create", "meetingID", "new", "name", "Algebra"); !a.OK {
		t.Errorf("create afterwards: %s", a.body)
	}
}

// TestPanic: a handler that panics is an error like any other.
func TestPanic(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	s := newSystem(t, settings{noSync: true, log: log, health: func(context.Context) error { panic("health is gone") }})
	a := s.fetch("GET", s.url+"/health_check", nil, nil)
	a.wantFailed(t, "internalError", "An internal error occurred.")
	if !strings.Contains(log.String(), "health is gone") || strings.Contains(a.body, "gone") {
		t.Errorf("answer %s, log:\n%s", a.body, log)
	}
	if a := s.fetch("GET", s.base, nil, nil); !a.OK {
		t.Errorf("afterwards: %s", a.body)
	}
}
