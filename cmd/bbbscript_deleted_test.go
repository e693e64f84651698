package cmd

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// What is deleted on the load balancer while it is about to be sent again is
// refused by it, and the server is done with it.
func TestUploadOfWhatIsBeingDeleted(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	base, err := url.Parse(p.base)
	if err != nil {
		t.Fatal(err)
	}
	r := made{id: id("deleted"), meeting: "room", version: 1, formats: []string{"presentation"}}
	var again atomic.Bool
	forward := httputil.NewSingleHostReverseProxy(base)
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if again.Load() && q.Method == http.MethodPost {
			if _, text, err := p.run("recordings", "delete", r.id, "--yes"); err != nil {
				t.Errorf("delete: %v: %s", err, text)
			}
		}
		forward.ServeHTTP(w, q)
	}))
	t.Cleanup(between.Close)
	m := newMachine(t, p)
	m.joinPool()
	m.mustSetup([]string{"--url", between.URL})
	m.publish(r)
	m.hook(r.id)
	m.sent()
	again.Store(true)
	r.version = 2
	m.publish(r)
	m.hook(r.id)
	m.sent()
	if log := m.log(); !strings.Contains(log, r.id+": was deleted on the load balancer") {
		t.Errorf("the log says:\n%s", log)
	}
	if out := p.mustRun("recordings", "spool"); !strings.Contains(out, "The spool is empty") {
		t.Errorf("the spool:\n%s", out)
	}
	if all, text := p.recordings(); len(all) != 0 {
		t.Errorf("it is listed: %s", text)
	}
}
