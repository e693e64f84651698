package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer"
	"scalelite/web/admin"
)

// odd is a Service of which a test sets what it needs.
type odd struct {
	admin.Service
	add    func(balancer.NewServer) (balancer.ServerInfo, error)
	sync   func() ([]balancer.SyncAction, error)
	end    func(ids []string) ([]balancer.EndResult, error)
	backup func(io.Writer) error
	info   func(context.Context) (admin.Info, error)
}

func (o odd) Info(ctx context.Context) (admin.Info, error) { return o.info(ctx) }

func (o odd) AddServer(_ context.Context, n balancer.NewServer) (balancer.ServerInfo, error) {
	return o.add(n)
}

func (o odd) SyncServers(context.Context, []balancer.ServerSpec, balancer.SyncMode, bool) ([]balancer.SyncAction, error) {
	return o.sync()
}

func (o odd) EndMeetings(_ context.Context, ids []string) ([]balancer.EndResult, error) {
	return o.end(ids)
}

func (o odd) Backup(_ context.Context, w io.Writer) error { return o.backup(w) }

func request(t *testing.T, h http.Handler, method, path, body string, header ...string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func newHandler(s admin.Service, log io.Writer) http.Handler {
	return admin.NewHandler(s, admin.HandlerOptions{Log: slog.New(slog.NewTextHandler(log, nil)), Version: "1.2.3"})
}

func TestHandlerRefuses(t *testing.T) {
	t.Parallel()
	h := newHandler(odd{
		add: func(balancer.NewServer) (balancer.ServerInfo, error) {
			t.Error("the call went through")
			return balancer.ServerInfo{}, nil
		},
		end: func([]string) ([]balancer.EndResult, error) {
			t.Error("meetings were ended")
			return nil, nil
		},
	}, io.Discard)
	const add = "/v1/servers/add"
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		tells                    string
	}{
		{"a field that is not known", "POST", add, `{"url":"h","secert":"x"}`, nil, 400, `unknown field \"secert\"`},
		{"no JSON", "POST", add, `url=h`, nil, 400, "makes no sense"},
		{"no body", "POST", add, ``, nil, 400, "EOF"},
		{"a list", "POST", add, `[]`, nil, 400, "makes no sense"},
		{"two values", "POST", add, `{} {}`, nil, 400, "behind the JSON"},
		{"a wrong type", "POST", add, `{"url":5}`, nil, 400, "makes no sense"},
		{"too much", "POST", add, `{"url":"` + strings.Repeat("x", 8<<20) + `"}`, nil, 413, "too large"},
		{"Origin", "POST", add, `{}`, []string{"Origin", "http://evil.example"}, 403, "browser"},
		{"Referer", "POST", add, `{}`, []string{"Referer", "http://evil.example/x"}, 403, "browser"},
		{"Origin on a backup", "GET", "/v1/backup", ``, []string{"Origin", "null"}, 403, "browser"},
		{"wrong method", "GET", add, ``, nil, 405, "takes POST"},
		{"wrong method on a backup", "POST", "/v1/backup", ``, nil, 405, "takes GET"},
		{"unknown path", "GET", "/v1/nothing", ``, nil, 404, "version 1.2.3"},
		{"unknown path of another version", "GET", "/v1/nothing", ``, []string{"Scalelite-Version", "9"}, 404, "restart the daemon"},
		{"no metrics here", "GET", "/metrics", ``, nil, 404, "/metrics"},
		{"end of nothing in particular", "POST", "/v1/meetings/end", `{}`, nil, 400, "all"},
		{"end of some and all", "POST", "/v1/meetings/end", `{"ids":["a"],"all":true}`, nil, 400, "all"},
	} {
		status, body := request(t, h, c.method, c.path, c.body, c.header...)
		var e struct{ Code, Error string }
		if err := json.Unmarshal([]byte(body), &e); err != nil || e.Code != "invalid" {
			t.Errorf("%s: answered %q", c.name, body)
		}
		if status != c.status || !strings.Contains(body, c.tells) {
			t.Errorf("%s: %d %s", c.name, status, body)
		}
	}
}

func TestHandlerStatusOfCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[admin.Code]int{
		admin.NotFound: 404, admin.Invalid: 400, admin.Conflict: 409, admin.Refused: 502, admin.Internal: 500,
	} {
		h := newHandler(odd{add: func(balancer.NewServer) (balancer.ServerInfo, error) {
			return balancer.ServerInfo{}, &admin.Error{Code: code, Message: "so it is"}
		}}, io.Discard)
		status, body := request(t, h, "POST", "/v1/servers/add", `{}`)
		if status != want || body != fmt.Sprintf(`{"code":%q,"error":"so it is"}`, code) {
			t.Errorf("%s: %d %s", code, status, body)
		}
	}
}

func TestHandlerSurvivesAPanic(t *testing.T) {
	t.Parallel()
	var log logBuffer
	h := newHandler(odd{add: func(balancer.NewServer) (balancer.ServerInfo, error) { panic("boom") }}, &log)
	status, body := request(t, h, "POST", "/v1/servers/add", `{}`)
	if status != 500 || !strings.HasPrefix(body, `{"code":"internal"`) || strings.Contains(body, "boom") {
		t.Errorf("%d %s", status, body)
	}
	if !strings.Contains(log.String(), "boom") {
		t.Errorf("the log does not tell why: %s", log.String())
	}
}

// An error that the context of the daemon's end makes is no news of the caller's
// own context.
func TestHandlerStops(t *testing.T) {
	t.Parallel()
	h := newHandler(odd{info: func(ctx context.Context) (admin.Info, error) { return admin.Info{}, ctx.Err() }}, io.Discard)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/v1/info", nil))
	if w.Code != 500 || !strings.Contains(w.Body.String(), "daemon stopped") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// The log says who changed what, and no secret (S9).
func TestHandlerLogsChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.overSocket(w.local)
	ctx := t.Context()
	if _, err := c.AddServer(ctx, balancer.NewServer{ID: "bbb1", URL: "h.example.org", Secret: "geheim1234"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Servers(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.RemoveServer(ctx, "other"); err == nil {
		t.Fatal("no error")
	}
	rotated, err := c.RotateSecret(ctx)
	if err != nil {
		t.Fatal(err)
	}
	who := fmt.Sprintf("uid=%d pid=%d ", os.Getuid(), os.Getpid())
	log := w.log.String()
	for _, want := range []string{
		who + "call=servers/add about=bbb1",
		who + "call=servers/remove code=not_found",
		who + "call=secrets/rotate",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	for _, never := range []string{"geheim1234", rotated.Secrets[0].Reveal(), "call=servers "} {
		if strings.Contains(log, never) {
			t.Errorf("the log has %q:\n%s", never, log)
		}
	}
}

func TestHandlerServesMetrics(t *testing.T) {
	t.Parallel()
	h := admin.NewHandler(odd{}, admin.HandlerOptions{
		Log: slog.New(slog.DiscardHandler), Version: "1.2.3",
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") }),
	})
	if status, body := request(t, h, "GET", "/metrics", ""); status != 200 || body != "up 1" {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := request(t, h, "POST", "/metrics", ""); status != 405 {
		t.Errorf("POST: %d", status)
	}
}

// What a call did before it failed gets to the operator over the socket, too.
func TestPartialResultOverSocket(t *testing.T) {
	t.Parallel()
	done := []balancer.SyncAction{{ID: "a", Action: "add"}}
	w := newWorld(t)
	c := w.overSocket(odd{sync: func() ([]balancer.SyncAction, error) {
		return done, &admin.Error{Code: admin.Conflict, Message: "add server b: is there"}
	}})
	got, err := c.SyncServers(t.Context(), nil, balancer.SyncKeep, false)
	wantCode(t, err, admin.Conflict, "add server b")
	if d := cmp.Diff(done, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A backup that is cut in the middle is never taken for a whole one.
func TestBackupThatFailsMidway(t *testing.T) {
	t.Parallel()
	part := bytes.Repeat([]byte("x"), 3<<20)
	for name, c := range map[string]struct {
		then func() error
		want string
	}{
		"an error":           {func() error { return errors.New("disk\nbroke ü") }, "disk\nbroke ü"},
		"an error with code": {func() error { return &admin.Error{Code: admin.Internal, Message: "page 7"} }, "page 7"},
		"a panic":            {func() error { panic("boom") }, "not complete"},
	} {
		w := newWorld(t)
		client := w.overSocket(odd{backup: func(to io.Writer) error {
			if _, err := to.Write(part); err != nil {
				return err
			}
			return c.then()
		}})
		var got bytes.Buffer
		err := client.Backup(t.Context(), &got)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v after %d bytes", name, err, got.Len())
		}
	}
}

func TestBackupThatIsWholeComesAsItIs(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 5 << 20} {
		content := bytes.Repeat([]byte("x"), size)
		w := newWorld(t)
		c := w.overSocket(odd{backup: func(to io.Writer) error {
			_, err := io.Copy(to, struct{ io.Reader }{bytes.NewReader(content)})
			return err
		}})
		var got bytes.Buffer
		if err := c.Backup(t.Context(), &got); err != nil || !bytes.Equal(content, got.Bytes()) {
			t.Errorf("%d bytes: got %d, %v", size, got.Len(), err)
		}
	}
}

// A server that sends no trailer, as a proxy that drops it does.
func TestBackupWithoutTrailer(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Scalelite-Version", "1")
		_, _ = io.WriteString(w, "half a database")
	})}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { _ = server.Close() })
	if err := admin.NewClient(path).Backup(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), "not complete") {
		t.Errorf("got %v", err)
	}
}

// Whatever is sent, the answer is JSON with a fitting status, and nothing
// panics.
func FuzzHandler(f *testing.F) {
	f.Add("/v1/servers/add", []byte(`{"id":"x","url":"h","secret":"s","load_multiplier":2}`))
	f.Add("/v1/servers/update", []byte(`{"id":"x","change":{"state":"enabled","tag":null}}`))
	f.Add("/v1/servers/sync", []byte(`{"servers":[{"id":"a","enabled":true}],"mode":"force"}`))
	f.Add("/v1/meetings/end", []byte(`{"ids":["a"]}`))
	f.Add("/v1/nothing", []byte(`{`))
	good := odd{
		add:  func(n balancer.NewServer) (balancer.ServerInfo, error) { return balancer.ServerInfo{ID: n.ID}, nil },
		sync: func() ([]balancer.SyncAction, error) { return nil, nil },
		end:  func([]string) ([]balancer.EndResult, error) { return nil, nil },
	}
	h := newHandler(good, io.Discard)
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		r.URL.Path = path
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("answered %q", w.Body)
		}
		mistake := strings.Contains(w.Body.String(), "its log says which")
		called := path == "/v1/servers/add" || path == "/v1/servers/sync" || path == "/v1/meetings/end"
		if mistake && called {
			t.Errorf("panicked")
		}
	})
}
