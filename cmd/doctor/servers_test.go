package doctor

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/store"
	"scalelite/web/admin"
)

// overNetwork lets the only server be a simulated one that really listens.
func (w *world) overNetwork(o bbbtest.Options) *bbbtest.Server {
	w.t.Helper()
	o.Secret = serverSecret
	s := bbbtest.Start(w.t, o)
	w.pool.servers[0].URL = s.URL()
	w.options.System.Servers = bbb.NewTransport(bbb.ClientConfig{})
	return s
}

// TestServerFaults (T51): each fault of a server has its own words and its own
// remedy.
func TestServerFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set    func(w *world)
		result Result
		texts  []string
	}{
		"wrong secret": {func(w *world) { w.overNetwork(bbbtest.Options{}).SetSecret("another") }, Fail,
			[]string{"secret refused", "servers update bbb1 --secret -", "bbb-conf --secret"}},
		"wrong path": {func(w *world) {
			w.overNetwork(bbbtest.Options{})
			w.pool.servers[0].URL = strings.Replace(w.pool.servers[0].URL, "/bigbluebutton/api", "/moved/bigbluebutton/api", 1)
		}, Fail, []string{"404", "give the address that `bbb-conf --secret` prints", "servers remove bbb1", "servers add URL - --id bbb1 --enable"}},
		"sha1 only": {func(w *world) { w.overNetwork(bbbtest.Options{Algorithms: []string{"sha1"}}) }, Fail,
			[]string{"takes the secret with sha1, but not with sha256", "checksum_algorithms", "supportedChecksumAlgorithms"}},
		"dead": {func(w *world) { w.overNetwork(bbbtest.Options{}).Stop() }, Fail, []string{"refused the connection", "bbb-conf --status"}},
		"a web page": {func(w *world) { w.overNetwork(bbbtest.Options{}).Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.HTML}) }, Fail,
			[]string{"HTML page"}},
		"nginx without bbb-web": {func(w *world) {
			w.overNetwork(bbbtest.Options{}).Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.ServerError})
		}, Fail,
			[]string{"502", "bbb-conf --status"}},
		"redirect to https": {func(w *world) {
			w.overNetwork(bbbtest.Options{}).Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.Redirect, Status: 301, Location: "https://bbb1.example.org/bigbluebutton/api"})
		}, Fail, []string{"a redirect to https://bbb1.example.org", "servers cordon bbb1 --wait", "servers remove bbb1",
			"servers add https://bbb1.example.org/bigbluebutton/api - --id bbb1 --enable"}},
		"a URL that makes no sense": {func(w *world) { w.pool.servers[0].URL = "ftp://bbb1.example.org" }, Fail, []string{"ftp", "bbb-conf --secret"}},
		"dead, but disabled": {func(w *world) {
			w.overNetwork(bbbtest.Options{}).Stop()
			w.pool.servers = append(w.pool.servers, balancer.ServerInfo{ID: "bbb2", URL: "bbb1.example.org", State: store.Enabled, Online: true, Secret: serverSecret})
			w.pool.servers[0].State = store.Disabled
			at := w.pool.servers[0].URL
			w.options.System.Servers = hosts{"https://bbb1.example.org": w.bbb, strings.TrimSuffix(at, "/bigbluebutton/api"): http.NotFoundHandler()}
		}, Warn, []string{"404"}},
		"counts as offline": {func(w *world) {
			w.pool.servers[0].Online, w.pool.servers[0].Error = false, "did not answer within 10s"
		}, Warn, []string{"answers now, but counts as offline: did not answer within 10s", "poll"}},
		"a certificate of nobody": {func(w *world) {
			secure := httptest.NewTLSServer(w.bbb)
			w.t.Cleanup(secure.Close)
			secure.Config.ErrorLog = log.New(io.Discard, "", 0)
			w.pool.servers[0].URL = secure.URL
			w.options.System.Servers = bbb.NewTransport(bbb.ClientConfig{})
		}, Fail, []string{"signed by an unknown authority", "openssl s_client -connect 127.0.0.1:"}},
		"none":         {func(w *world) { w.pool.servers = nil }, Warn, []string{"there are no servers", "servers add URL SECRET --enable"}},
		"none enabled": {func(w *world) { w.pool.servers[0].State = store.Cordoned }, Fail, []string{"no server is enabled", "servers enable bbb1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.set(w)
			only(t, w.look("servers")).want(t, c.result, c.texts...)
		})
	}
}

// TestAlgorithmsOfAServer: what it takes is told beside what we sign with.
func TestAlgorithmsOfAServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.overNetwork(bbbtest.Options{Algorithms: []string{"sha256", "sha512"}, HideVersion: true})
	report := w.look("servers")
	fine(t, report)
	report.Findings[0].want(t, OK, "it takes sha256, sha512, we sign with sha256", "hides its version")
}

func TestClocks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		off    time.Duration
		result Result
		text   string
	}{
		{0, OK, ""}, {20 * time.Second, OK, ""}, {-20 * time.Second, OK, ""},
		{90 * time.Second, Warn, "1 min ahead of ours"}, {-90 * time.Second, Warn, "1 min behind ours"},
		{time.Hour, Fail, "ahead of ours"}, {-10 * time.Minute, Fail, "behind ours"},
	} {
		t.Run(c.off.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.hosts["https://bbb1.example.org"] = dated(c.off, w.bbb)
			report := w.look("clocks")
			if len(report.Findings) != 1 {
				t.Fatalf("findings %+v", report.Findings)
			}
			report.Findings[0].want(t, c.result, c.text)
			if c.result != OK {
				report.Findings[0].want(t, c.result, "ssh bbb1.example.org 'sudo timedatectl set-ntp true")
			}
		})
	}
	t.Run("no Date", func(t *testing.T) {
		w := newWorld(t)
		w.hosts["https://bbb1.example.org"] = w.bbb
		only(t, w.look("clocks")).want(t, Skipped, "no Date")
	})
}

// TestOwnClockIsWrong: where all servers agree it is not theirs that is wrong.
func TestOwnClockIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, off := range []time.Duration{10 * time.Minute, 10*time.Minute + 3*time.Second, 0} {
		host := fmt.Sprintf("bbb%d.example.org", i+1)
		w.hosts["https://"+host] = dated(off, w.bbb)
		if i > 0 {
			w.pool.servers = append(w.pool.servers, balancer.ServerInfo{ID: host, URL: host, State: store.Enabled})
		}
	}
	report := w.look("clocks")
	f := report.Findings[0]
	f.want(t, Fail, "behind that of 2 of 3 servers", "timedatectl set-ntp true")
	if f.Subject != "this machine" || len(report.Findings) != 4 {
		t.Errorf("findings %+v", report.Findings)
	}
}

func TestJoinAddress(t *testing.T) {
	t.Parallel()
	t.Run("without TLS, private", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.overNetwork(bbbtest.Options{})
		report := w.look("join")
		if len(report.Findings) != 2 {
			t.Fatalf("findings %+v", report.Findings)
		}
		report.Findings[0].want(t, Warn, "without TLS", "microphone", "servers add https://127.0.0.1")
		report.Findings[1].want(t, Warn, "private address")
	})
	t.Run("no such name", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.pool.servers[0].URL = "https://nowhere.example.org"
		only(t, w.look("join")).want(t, Fail, "does not resolve", "getent ahosts nowhere.example.org")
	})
	t.Run("nobody answers", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		delete(w.hosts, "https://bbb1.example.org")
		only(t, w.look("join")).want(t, Fail, "the connection is refused", "curl")
	})
	t.Run("a broken server", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.hosts["https://bbb1.example.org"] = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(502) })
		only(t, w.look("join")).want(t, Fail, "status 502")
	})
}

// recordingsOf is an answer to getRecordings; each ended so long ago.
func recordingsOf(ended map[string]time.Duration) string {
	var b strings.Builder
	for id, ago := range ended {
		fmt.Fprintf(&b, "<recording><recordID>%s</recordID><endTime>%d</endTime></recording>", id, time.Now().Add(-ago).UnixMilli())
	}
	return "<response><returncode>SUCCESS</returncode><recordings>" + b.String() + "</recordings></response>"
}

func TestArrivals(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	t.Run("all came", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		*w.list = recordingsOf(map[string]time.Duration{"a-1": 3 * day, "b-2": 5 * day})
		w.pool.known = map[string]bool{"a-1": true, "b-2": true}
		w.pool.exam.Uploads["bbb1"] = admin.Upload{Time: time.Now().Add(-2 * time.Hour), State: store.ImportImported}
		report := w.look("arrivals")
		fine(t, report)
		report.Findings[0].want(t, OK, "2 recordings", "its hook is ours, the last upload came 2 h ago and is imported")
	})
	t.Run("through the spool", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		*w.list = recordingsOf(map[string]time.Duration{"a-1": 3 * day})
		w.pool.known = map[string]bool{"a-1": true}
		w.pool.exam.Calls = map[string]admin.Call{"bbb1": {Time: time.Now().Add(-2 * time.Hour), Ours: true}}
		w.look("arrivals").Findings[0].want(t, OK, "1 recording", "its hook is ours, and asked for its recordings last 2 h ago")
		w.pool.exam.Calls = map[string]admin.Call{"bbb1": {Time: time.Now().Add(-2 * time.Hour)}}
		w.look("arrivals").Findings[0].want(t, OK, "what asked for its recordings last, 2 h ago, is not our hook")
	})
	t.Run("some did not", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		*w.list = recordingsOf(map[string]time.Duration{"a-1": 3 * day, "b-2": 8 * day, "c-3": 9 * day, "new-4": time.Hour, "old-5": 300 * day, "../evil": 3 * day})
		w.pool.known = map[string]bool{"a-1": true}
		only(t, w.look("arrivals")).want(t, Warn, "2 of 3 recordings", "the oldest is c-3", "whether its hook is ours cannot be told from here",
			"recordings spool", "bbb-script --server bbb1")
	})
	t.Run("it cannot be asked", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		*w.list = "<html>busy</html>"
		only(t, w.look("arrivals")).want(t, Skipped, "does not tell what it has recorded")
	})
	t.Run("the service does not run", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.stopped()
		only(t, w.look("arrivals")).want(t, Skipped, "while the service does not run")
	})
}
