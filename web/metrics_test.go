package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/store"
)

// scrape returns the lines of the metrics that begin with a prefix, without the
// comments.
func scrape(t *testing.T, m *Metrics, prefix string) []string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Fatalf("%d %s", w.Code, w.Header().Get("Content-Type"))
	}
	lines := []string{}
	for line := range strings.Lines(w.Body.String()) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, prefix) {
			lines = append(lines, line)
		}
	}
	return lines
}

func wantLines(t *testing.T, m *Metrics, prefix string, want ...string) {
	t.Helper()
	if d := cmp.Diff(append([]string{}, want...), scrape(t, m, prefix)); d != "" {
		t.Errorf("%s (-want +got):\n%s", prefix, d)
	}
}

// watched returns metrics that watch a pool, at a time that stands still.
func watched(t *testing.T) (*Metrics, *balancer.Balancer, *store.Store) {
	t.Helper()
	m := NewMetrics("1.2.3")
	pool, db := newPool(t, m.Hooks())
	m.Watch(pool)
	return m, pool, db
}

func TestMetricsOfTheServers(t *testing.T) {
	t.Parallel()
	m, pool, _ := watched(t)
	b := bbbtest.Start(t, bbbtest.Options{Version: "3.0.4"})
	for _, n := range []balancer.NewServer{
		{ID: "a", URL: "https://a.example.org:8443/bigbluebutton/", Secret: "geheim1234"},
		{ID: "b", URL: b.URL(), Secret: bbb.Secret(b.Secret()), Tag: "uni", LoadMultiplier: 2, Enable: true},
	} {
		if _, err := pool.AddServer(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	b.Misbehave(bbbtest.Misbehaviour{Call: "getMeetings", Kind: bbbtest.ServerError, Times: 1})
	for range 2 {
		if _, err := pool.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	placeMeeting(t, pool, "m1", "uni")
	placeMeeting(t, pool, "m2", "uni")
	polled, err := pool.Server(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	m.servers.now = func() time.Time { return polled.Polled.Add(90 * time.Second) }

	wantLines(t, m, "scalelite_server_info",
		`scalelite_server_info{bbb_version="",host="a.example.org:8443",server="a",tag=""} 1`,
		`scalelite_server_info{bbb_version="3.0.4",host="`+strings.TrimPrefix(strings.TrimSuffix(b.URL(), "/bigbluebutton/api"), "http://")+`",server="b",tag="uni"} 1`)
	wantLines(t, m, "scalelite_server_state",
		`scalelite_server_state{server="a",state="cordoned"} 0`, `scalelite_server_state{server="a",state="disabled"} 1`, `scalelite_server_state{server="a",state="enabled"} 0`,
		`scalelite_server_state{server="b",state="cordoned"} 0`, `scalelite_server_state{server="b",state="disabled"} 0`, `scalelite_server_state{server="b",state="enabled"} 1`)
	wantLines(t, m, "scalelite_server_load", `scalelite_server_load{server="b"} 60`)
	wantLines(t, m, "scalelite_server_online", `scalelite_server_online{server="a"} 0`, `scalelite_server_online{server="b"} 1`)
	wantLines(t, m, "scalelite_server_poll_age_seconds", `scalelite_server_poll_age_seconds{server="b"} 90`)
	wantLines(t, m, "scalelite_server_poll_failures_total{server=\"b", `scalelite_server_poll_failures_total{server="b"} 1`)
	wantLines(t, m, "scalelite_placements_total", `scalelite_placements_total{server="a"} 0`, `scalelite_placements_total{server="b"} 2`)
	wantLines(t, m, "scalelite_pool_readable", `scalelite_pool_readable 1`)

	if _, err := pool.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`scalelite_server_meetings{server="b"} 2`, `scalelite_server_users{server="b"} 0`, `scalelite_server_videos{server="b"} 0`} {
		name, _, _ := strings.Cut(line, "{")
		wantLines(t, m, name+`{server="b`, line)
	}
	for _, line := range scrape(t, m, "") {
		for _, never := range []string{"geheim1234", b.Secret(), "bigbluebutton/"} {
			if strings.Contains(line, never) {
				t.Errorf("the metrics show %q: %s", never, line)
			}
		}
	}
}

func TestMetricsOfARemovedServerVanish(t *testing.T) {
	t.Parallel()
	m, pool, _ := watched(t)
	for _, id := range []string{"a", "b"} {
		if _, err := pool.AddServer(t.Context(), balancer.NewServer{ID: id, URL: "h", Secret: "s"}); err != nil {
			t.Fatal(err)
		}
		m.Hooks().Placed(id, 1)
		m.Hooks().Polled(id, time.Second, errors.New("down"))
	}
	wantLines(t, m, "scalelite_placements_total", `scalelite_placements_total{server="a"} 1`, `scalelite_placements_total{server="b"} 1`)
	if err := pool.RemoveServer(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	for _, line := range scrape(t, m, "scalelite_") {
		if strings.Contains(line, `server="a"`) {
			t.Errorf("still there: %s", line)
		}
	}
	wantLines(t, m, "scalelite_placements_total", `scalelite_placements_total{server="b"} 1`)
}

// Servers that come and go leave nothing behind, though nobody reads the
// metrics.
func TestMetricsAreBounded(t *testing.T) {
	t.Parallel()
	m, pool, _ := watched(t)
	hooks := m.Hooks()
	for range 50 {
		s, err := pool.AddServer(t.Context(), balancer.NewServer{URL: "h", Secret: "s"})
		if err != nil {
			t.Fatal(err)
		}
		hooks.Placed(s.ID, 1)
		if err := pool.RemoveServer(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(m.servers.counts); n > 1 {
		t.Errorf("%d servers are counted", n)
	}
	for range 100 {
		m.Call("x"+time.Now().String(), "y"+time.Now().String(), 0)
	}
	wantLines(t, m, "scalelite_call_duration_seconds_count", `scalelite_call_duration_seconds_count{call="other",outcome="error"} 100`)
}

func TestMetricsWhenTheDatabaseFails(t *testing.T) {
	t.Parallel()
	m, _, db := watched(t)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wantLines(t, m, "scalelite_pool_readable", `scalelite_pool_readable 0`)
	wantLines(t, m, "scalelite_checksum_failures_total", `scalelite_checksum_failures_total 0`)
}

func TestMetricsOfCalls(t *testing.T) {
	t.Parallel()
	m := NewMetrics("1.2.3")
	m.Call("join", "ok", 3*time.Millisecond)
	m.Call("join", "ok", 2*time.Second)
	m.Call("join", "refused", 0)
	m.Call("", "ok", 0)
	m.ChecksumFailure()
	m.ChecksumFailure()
	m.RateLimited()
	m.Hooks().Placed("a", 1)
	m.Hooks().Placed("a", 3)
	wantLines(t, m, "scalelite_call_duration_seconds_count",
		`scalelite_call_duration_seconds_count{call="index",outcome="ok"} 1`,
		`scalelite_call_duration_seconds_count{call="join",outcome="ok"} 2`,
		`scalelite_call_duration_seconds_count{call="join",outcome="refused"} 1`)
	wantLines(t, m, `scalelite_call_duration_seconds_bucket{call="join",outcome="ok",le="0.005"}`,
		`scalelite_call_duration_seconds_bucket{call="join",outcome="ok",le="0.005"} 1`)
	wantLines(t, m, `scalelite_call_duration_seconds_sum{call="join",outcome="ok"}`,
		`scalelite_call_duration_seconds_sum{call="join",outcome="ok"} 2.003`)
	wantLines(t, m, "scalelite_checksum_failures_total", `scalelite_checksum_failures_total 2`)
	wantLines(t, m, "scalelite_rate_limited_total", `scalelite_rate_limited_total 1`)
	wantLines(t, m, "scalelite_placement_retries_total", `scalelite_placement_retries_total 1`)
	if build := scrape(t, m, "scalelite_build_info"); len(build) != 1 || !strings.Contains(build[0], `version="1.2.3"`) {
		t.Errorf("build info: %v", build)
	}
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes"} {
		if len(scrape(t, m, name)) == 0 {
			t.Errorf("no %s", name)
		}
	}
}

// Metrics are for this machine, and for who has the token (S19).
func TestMetricsGuard(t *testing.T) {
	t.Parallel()
	const token = bbb.Secret("t0ken")
	for _, c := range []struct {
		name   string
		remote string
		header []string
		token  bbb.Secret
		open   bool
	}{
		{"loopback", "127.0.0.1:4711", nil, "", true},
		{"other loopback", "127.1.2.3:4711", nil, "", true},
		{"IPv6 loopback", "[::1]:4711", nil, "", true},
		{"mapped loopback", "[::ffff:127.0.0.1]:4711", nil, "", true},
		{"loopback with a token set", "127.0.0.1:4711", nil, token, true},
		{"private network", "10.0.0.1:4711", nil, "", false},
		{"from afar", "203.0.113.5:4711", nil, token, false},
		{"claims to be loopback", "203.0.113.5:4711", []string{"X-Forwarded-For", "127.0.0.1"}, "", false},
		{"proxy on this machine", "127.0.0.1:4711", []string{"X-Forwarded-For", "127.0.0.1"}, "", false},
		{"proxy with an empty header", "127.0.0.1:4711", []string{"X-Forwarded-For", ""}, "", false},
		{"proxy with a standard header", "127.0.0.1:4711", []string{"Forwarded", "for=203.0.113.5"}, "", false},
		{"proxy with nginx's header", "127.0.0.1:4711", []string{"X-Real-IP", "203.0.113.5"}, "", false},
		{"proxy and token", "127.0.0.1:4711", []string{"X-Forwarded-For", "1.2.3.4", "Authorization", "Bearer t0ken"}, token, true},
		{"unix socket", "@", nil, "", false},
		{"no address", "", nil, "", false},
		{"token", "203.0.113.5:4711", []string{"Authorization", "Bearer t0ken"}, token, true},
		{"token, other case", "203.0.113.5:4711", []string{"Authorization", "bearer t0ken"}, token, true},
		{"wrong token", "203.0.113.5:4711", []string{"Authorization", "Bearer t0ke"}, token, false},
		{"longer token", "203.0.113.5:4711", []string{"Authorization", "Bearer t0kent0ken"}, token, false},
		{"token of no token", "203.0.113.5:4711", []string{"Authorization", "Bearer "}, "", false},
		{"password", "203.0.113.5:4711", []string{"Authorization", "Basic t0ken"}, token, false},
		{"token alone", "203.0.113.5:4711", []string{"Authorization", "t0ken"}, token, false},
	} {
		r := httptest.NewRequestWithContext(context.Background(), "GET", "/metrics", nil)
		r.RemoteAddr = c.remote
		for i := 0; i < len(c.header); i += 2 {
			r.Header.Set(c.header[i], c.header[i+1])
		}
		w := httptest.NewRecorder()
		metricsGuard(c.token, NewMetrics("1.2.3").Handler()).ServeHTTP(w, r)
		got := w.Body.String()
		if c.open != (w.Code == 200) || c.open != strings.Contains(got, "scalelite_build_info") || !c.open && w.Code != 403 {
			t.Errorf("%s: %d %.80s", c.name, w.Code, got)
		}
	}
}

// What is no call of the BBB API's table is counted too: the index and the
// management API, whatever the answer.
func TestMetricsOfOtherRoutes(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{noSync: true})
	get := func(path string) { s.fetch("GET", s.url+path, nil, nil) }
	get("/bigbluebutton")
	get("/bigbluebutton/api/")
	get(managementPath + "/getServers?" + bbb.Sign(bbb.SHA256, "getServers", "", testSecret)) // 404: there are none
	get(managementPath + "/getServers?checksum=1234")
	get(managementPath + "/getTenants?" + bbb.Sign(bbb.SHA256, "getTenants", "", testSecret)) // 412
	get(managementPath + "/getNothing")
	wantLines(t, s.web.metrics, "scalelite_call_duration_seconds_count",
		`scalelite_call_duration_seconds_count{call="getServers",outcome="refused"} 2`,
		`scalelite_call_duration_seconds_count{call="getTenants",outcome="refused"} 1`,
		`scalelite_call_duration_seconds_count{call="index",outcome="ok"} 2`,
		`scalelite_call_duration_seconds_count{call="other",outcome="refused"} 1`)
	for _, broken := range []echo.HandlerFunc{
		func(echo.Context) error { return errors.New("broken") },
		func(c echo.Context) error { return c.NoContent(http.StatusInternalServerError) },
	} {
		w := httptest.NewRecorder()
		_ = s.web.counted("getServers", broken)(echo.New().NewContext(httptest.NewRequest("GET", "/", nil), w))
	}
	wantLines(t, s.web.metrics, `scalelite_call_duration_seconds_count{call="getServers",outcome="error"}`,
		`scalelite_call_duration_seconds_count{call="getServers",outcome="error"} 2`)
}

// docs/api.md names every metric of ours, and none that is not there.
func TestMetricsAreInTheReference(t *testing.T) {
	t.Parallel()
	m, pool, _ := watched(t)
	if _, err := pool.AddServer(t.Context(), balancer.NewServer{ID: "a", URL: "a.example.org", Secret: "s", Enable: true}); err != nil {
		t.Fatal(err)
	}
	m.Call("create", "ok", time.Second)
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, name := range regexp.MustCompile("`(scalelite_[a-z_]+)").FindAllStringSubmatch(string(text), -1) {
		documented[name[1]] = true
	}
	// What is absent until a server was polled or took load.
	present := map[string]bool{"scalelite_server_load": true, "scalelite_server_poll_age_seconds": true}
	for _, line := range scrape(t, m, "# TYPE scalelite_") {
		present[strings.Fields(line)[2]] = true
	}
	if d := cmp.Diff(present, documented); d != "" {
		t.Errorf("(-there +in docs/api.md):\n%s", d)
	}
}
