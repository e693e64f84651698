package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/cmd/config"
	"scalelite/recordings"
	"scalelite/store"
	"scalelite/web/admin"
)

const (
	ourSecret    = "secret-that-front-ends-sign-with"
	serverSecret = "secret-of-the-first-bbb-server"
)

// world is an installation in which everything is as it should be, but for what
// a test changes before look.
type world struct {
	t       *testing.T
	dir     string
	pool    *pool
	options Options
	hosts   hosts            // what answers over the network, by host
	service *httptest.Server // what listens at web.listen
	healthy *string          // what its health check says; "success" with status 200, else 503
	unit    map[string]string
	keys    map[string]string // of the configuration file: "web.host" to TOML
	bbb     *bbbtest.Server
	list    *string // what the BBB server answers getRecordings with
}

// pool is a Pool in memory.
type pool struct {
	info    admin.Info
	servers []balancer.ServerInfo
	files   []recordings.SpoolFile
	exam    admin.Examination
	known   map[string]bool // recordings
	// examError is what Examine returns.
	examError error
}

func (p *pool) Info(context.Context) (admin.Info, error) { return p.info, nil }

func (p *pool) Servers(context.Context) ([]balancer.ServerInfo, error) { return p.servers, nil }

func (p *pool) Secrets(context.Context) (admin.Secrets, error) {
	return admin.Secrets{Secrets: []bbb.Secret{ourSecret}}, nil
}

func (p *pool) SpoolFiles(context.Context) ([]recordings.SpoolFile, error) { return p.files, nil }

func (p *pool) Examine(_ context.Context, q admin.ExamineQuery) (admin.Examination, error) {
	e := p.exam
	for _, id := range q.Records {
		if !p.known[id] {
			e.Unknown = append(e.Unknown, id)
		}
	}
	return e, p.examError
}

// hosts answers requests by their host, without a network.
type hosts map[string]http.Handler

func (h hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	handler, ok := h[r.URL.Scheme+"://"+r.URL.Host]
	if !ok {
		if _, other := h[r.URL.Scheme+"://"+r.URL.Hostname()]; other {
			return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
		}
		return nil, &net.OpError{Op: "dial", Err: refused{}}
	}
	w := httptest.NewRecorder()
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "192.0.2.1:1234"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	handler.ServeHTTP(w, in)
	return w.Result(), nil
}

// at serves the API that a host has at a URL of bbbtest.
func (w *world) front() http.Handler {
	ours := bbbtest.New(bbbtest.Options{Secret: ourSecret})
	w.t.Cleanup(ours.Close)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health_check" {
			if *w.healthy != "success" {
				rw.WriteHeader(http.StatusServiceUnavailable)
			}
			fmt.Fprint(rw, *w.healthy)
			return
		}
		ours.ServeHTTP(rw, r)
	})
}

// dated puts the time of a clock into answers.
func dated(offset time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(offset).UTC().Format(http.TimeFormat))
		next.ServeHTTP(w, r)
	})
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	success, none := "success", "<response><returncode>SUCCESS</returncode><recordings></recordings></response>"
	w := &world{t: t, dir: dir, healthy: &success, list: &none, hosts: hosts{}}
	front := w.front()
	w.service = httptest.NewServer(front)
	t.Cleanup(w.service.Close)
	w.hosts["https://lb.example.org"] = front
	w.bbb = bbbtest.New(bbbtest.Options{Secret: serverSecret})
	t.Cleanup(w.bbb.Close)
	w.hosts["https://bbb1.example.org"] = dated(0, w.withRecordings(w.bbb))
	listen := w.service.Listener.Addr().String()
	w.keys = map[string]string{
		"web.host": `"lb.example.org"`, "web.listen": fmt.Sprintf("%q", listen), "web.admin_socket": fmt.Sprintf("%q", w.path("admin.sock")),
		"store.path": fmt.Sprintf("%q", w.path("db", "scalelite.db")), "recordings.min_free": `"1MB"`,
	}
	for _, name := range []string{"spool", "work", "published", "unpublished", "failed"} {
		w.keys["recordings."+name+"_dir"] = fmt.Sprintf("%q", w.path(name))
		w.mkdir(name)
	}
	w.mkdir("db/backups")
	w.mkdir("systemd")
	w.write("db/scalelite.db", "database")
	w.backup(0)
	w.write("proc/meminfo", "MemTotal:        2048000 kB\nMemAvailable:    1024000 kB\n")
	w.pool = &pool{
		info:    admin.Info{Version: "1.2.3", Daemon: true, Started: time.Now().Add(-3 * time.Hour).Format(time.RFC3339), Listen: listen, Host: "lb.example.org"},
		servers: []balancer.ServerInfo{{ID: "bbb1", URL: "https://bbb1.example.org/bigbluebutton/", Secret: serverSecret, State: store.Enabled, Online: true}},
		known:   map[string]bool{},
		exam: admin.Examination{
			Process: admin.ProcessState{PID: os.Getpid(), UID: os.Getuid(), GID: os.Getgid(), MaxFiles: 65536, OpenFiles: 40},
			Schema:  store.SchemaVersion(), Uploads: map[string]admin.Upload{},
		},
	}
	w.unit = map[string]string{"LoadState": "loaded", "UnitFileState": "enabled", "NRestarts": "0", "NeedDaemonReload": "no", "LimitNOFILE": "65536"}
	w.options = Options{
		Version: "1.2.3", Algorithm: bbb.SHA256, System: w.system(),
		Open: func(context.Context) (Pool, func() error, error) { return w.pool, func() error { return nil }, nil },
	}
	return w
}

// system is a machine with a public address, systemd, and the names that tests
// use.
func (w *world) system() System {
	return System{
		UID: os.Getuid(), Proc: w.path("proc"), Systemd: w.path("systemd"), Servers: w.hosts, Public: w.hosts,
		Lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
			switch host {
			case "lb.example.org":
				return []netip.Addr{netip.MustParseAddr("203.0.113.10")}, nil
			case "bbb1.example.org", "bbb2.example.org", "bbb3.example.org":
				return []netip.Addr{netip.MustParseAddr("203.0.113.21")}, nil
			}
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		},
		Local: func() ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("203.0.113.10")}, nil
		},
		Command: func(_ context.Context, name string, _ ...string) (string, error) {
			if name != "systemctl" {
				return "", exec.ErrNotFound
			}
			var b strings.Builder
			for key, value := range w.unit {
				fmt.Fprintf(&b, "%s=%s\n", key, value)
			}
			return b.String(), nil
		},
		Synchronised: func() (bool, error) { return true, nil },
		Group:        func(string) (int, bool) { return 0, false },
	}
}

// withRecordings lets a simulated server answer getRecordings.
func (w *world) withRecordings(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/getRecordings") {
			fmt.Fprint(rw, *w.list)
			return
		}
		next.ServeHTTP(rw, r)
	})
}

func (w *world) path(elements ...string) string {
	return filepath.Join(append([]string{w.dir}, elements...)...)
}

func (w *world) mkdir(name string) {
	w.t.Helper()
	if err := os.MkdirAll(w.path(name), 0o755); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) write(name, content string) string {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(w.path(name)), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.path(name), []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return w.path(name)
}

// backup writes a backup of some time ago.
func (w *world) backup(ago time.Duration) string {
	w.t.Helper()
	return w.write("db/backups/scalelite-"+time.Now().Add(-ago).UTC().Format("20060102T150405Z")+".tar.gz", "backup")
}

// load writes the configuration and reads it.
func (w *world) load() {
	w.t.Helper()
	sections := map[string]string{}
	for key, value := range w.keys {
		section, name, _ := strings.Cut(key, ".")
		sections[section] += name + " = " + value + "\n"
	}
	var text strings.Builder
	for _, section := range []string{"web", "store", "balancer", "recordings"} {
		text.WriteString("[" + section + "]\n" + sections[section])
	}
	file := w.write("config.toml", text.String())
	w.options.Config, w.options.ConfigError = config.Load(config.Options{File: file, Getenv: func(string) string { return "" }})
	w.options.ConfigFile = file
}

// look makes some of the checks, or all.
func (w *world) look(only ...string) Report {
	w.t.Helper()
	w.load()
	o := w.options
	o.Only = only
	report := Run(w.t.Context(), o)
	text, err := json.Marshal(report)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, secret := range []string{ourSecret, serverSecret} { // T68
		if strings.Contains(string(text), secret) {
			w.t.Errorf("the report holds a secret: %s", text)
		}
	}
	return report
}

// stopped makes the service not run; the database is still there.
func (w *world) stopped() { w.pool.info.Daemon = false }

// only returns the one finding that is not ok.
func only(t *testing.T, r Report) Finding {
	t.Helper()
	var bad []Finding
	for _, f := range r.Findings {
		if f.Result != OK {
			bad = append(bad, f)
		}
	}
	if len(bad) != 1 {
		t.Fatalf("%d findings are not ok, want 1: %+v", len(bad), r.Findings)
	}
	return bad[0]
}

// want checks a finding: its result, and texts in what was found, why, what to do
// and the commands.
func (f Finding) want(t *testing.T, r Result, texts ...string) {
	t.Helper()
	if f.Result != r {
		t.Errorf("result %q, want %q: %+v", f.Result, r, f)
	}
	all := strings.Join(append([]string{f.Subject, f.Found, f.Why, f.Remedy}, f.Commands...), "\n")
	for _, text := range texts {
		if !strings.Contains(all, text) {
			t.Errorf("lacks %q:\n%s", text, all)
		}
	}
	if (r == Warn || r == Fail) && (f.Why == "" || f.Remedy == "") {
		t.Errorf("says not why it matters, or not what to do: %+v", f)
	}
}

// fine checks that everything is.
func fine(t *testing.T, r Report) {
	t.Helper()
	for _, f := range r.Findings {
		if f.Result != OK {
			t.Errorf("%s is not ok: %+v", f.Check, f)
		}
	}
	if len(r.Findings) == 0 {
		t.Error("nothing was looked at")
	}
}

// type runs commands of a remedy as somebody would type them.
func typed(t *testing.T, commands ...string) {
	t.Helper()
	for _, c := range commands {
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", c).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", c, err, out)
		}
	}
}

// asRoot skips a test that needs other users.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can look with another user's eyes")
	}
}
