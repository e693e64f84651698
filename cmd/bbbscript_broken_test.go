package cmd

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// newPartBroken is the address of a load balancer that passes everything to p,
// but answers status when it is asked about one recording.
func newPartBroken(t testing.TB, p *process, id string, status int) string {
	t.Helper()
	to, err := url.Parse(p.base)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/"+id) {
			proxy.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"error":"Internal error"}`)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// T28: a recording that the load balancer cannot tell about waits, is named, and
// is kept; the others are sent, and pruned.
func TestOneRecordingThatTheBalancerCannotTellAbout(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	hurt := made{id: id("hurt"), meeting: "room", version: 1, formats: []string{"podcast"}}
	good := made{id: id("good"), meeting: "room", version: 1, formats: []string{"podcast"}}
	m.mustSetup([]string{"--url", newPartBroken(t, p, hurt.id, http.StatusInternalServerError)})
	m.publish(hurt)
	m.publish(good)
	m.must("scalelite-send", "existing", "--background")
	m.sendNow()
	if got := m.waiting(); !slices.Equal(got, []string{hurt.id}) {
		t.Errorf("waiting: %q\n%s", got, m.log())
	}
	out := m.must("scalelite-send", "status")
	if want := hurt.id + "  the load balancer cannot tell about it: Internal error; tried 1 times"; strings.Contains(out, "Nothing can be sent") || !strings.Contains(out, want) {
		t.Errorf("status does not say %q:\n%s", want, out)
	}

	m.must("rm", bbbState+"/queue/"+hurt.id)
	out = m.must("scalelite-send", "prune", "--keep-days", "0")
	for _, want := range []string{hurt.id + "  kept: the load balancer cannot tell about it: Internal error", good.id + "  deleted", "1 deleted,", "1 kept."} {
		if !strings.Contains(out, want) {
			t.Errorf("prune does not say %q:\n%s", want, out)
		}
	}
	if _, err := os.Stat(filepath.Join(m.root, "var/bigbluebutton/published/podcast", hurt.id)); err != nil {
		t.Error(err)
	}
}

// An answer of what stands before the load balancer, while that is away, holds
// for everything.
func TestTheBalancerIsAwayBehindAProxy(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	r := made{id: id("away"), meeting: "room", version: 1, formats: []string{"podcast"}}
	m.mustSetup([]string{"--url", newPartBroken(t, p, r.id, http.StatusBadGateway)})
	m.publish(r)
	m.must("scalelite-send", "existing", "--background")
	m.sendNow()
	if out := m.must("scalelite-send", "status"); !strings.Contains(out, "Nothing can be sent: Internal error") || !strings.Contains(out, r.id+"  is next") {
		t.Errorf("status: %s", out)
	}
	if out, err := m.run("scalelite-send", "prune", "--keep-days", "0"); err != nil || !strings.Contains(out, r.id+"  kept: waits to be sent") {
		t.Errorf("prune: %v %s", err, out)
	}
}
