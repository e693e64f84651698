package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/store"
	"scalelite/store/kv/boltkv"
)

const managementSecret = bbb.Secret("management-secret")

// managementAPI is the management API on a real pool and store.
type managementAPI struct {
	t     *testing.T
	echo  *echo.Echo
	pool  *balancer.Balancer
	store *store.Store
	log   bytes.Buffer
}

func newManagementAPI(t *testing.T) *managementAPI {
	t.Helper()
	a := &managementAPI{t: t, echo: echo.New()}
	a.pool, a.store = newPool(t, balancer.Hooks{})
	m := management{
		pool: a.pool,
		log:  slog.New(slog.NewTextHandler(&a.log, nil)),
		verify: func() bbb.Verifier {
			return bbb.Verifier{Secrets: []bbb.Secret{managementSecret}, Algorithms: DefaultConfig().Algorithms(), UnsignedBodies: true}
		},
		refuse: func(c echo.Context, _ string, _ error) error {
			return c.Blob(http.StatusOK, xmlType, bbb.ErrChecksum.XML())
		},
	}
	m.register(a.echo.Group(managementPath))
	return a
}

// newPool returns a pool on a database on disk.
func newPool(t *testing.T, hooks balancer.Hooks) (*balancer.Balancer, *store.Store) {
	t.Helper()
	engine, err := boltkv.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), boltkv.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.New(t.Context(), engine, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	limits := bbb.ClientConfig{ConnectTimeout: 10 * time.Second, ResponseTimeout: 10 * time.Second}
	transport := bbb.NewTransport(limits)
	pool, err := balancer.New(t.Context(), balancer.Options{
		Store: db, Client: bbb.NewClient(transport, limits), Config: balancer.DefaultConfig(),
		Algorithm: bbb.SHA256, Log: slog.New(slog.DiscardHandler), Hooks: hooks,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		pool.Close()
		transport.CloseIdleConnections()
		_ = db.Close()
	})
	return pool, db
}

// add adds a server to the pool behind the API's back.
func (a *managementAPI) add(n balancer.NewServer) balancer.ServerInfo {
	a.t.Helper()
	s, err := a.pool.AddServer(a.t.Context(), n)
	if err != nil {
		a.t.Fatal(err)
	}
	return s
}

// placeMeeting creates a meeting on a server with this tag.
func placeMeeting(t *testing.T, pool *balancer.Balancer, id, tag string) {
	t.Helper()
	var p bbb.Params
	p.Set("meetingID", id)
	p.Set("name", "Lesson")
	p.Set("meta_server-tag", tag)
	reply, err := pool.Create(t.Context(), balancer.Request{Call: "create", Params: p})
	if err != nil || !reply.OK {
		t.Fatalf("create %s: %v %s", id, err, reply.Body)
	}
}

// send sends a request as it is.
func (a *managementAPI) send(method, target, contentType, body string) *http.Response {
	a.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	a.echo.ServeHTTP(w, r)
	return w.Result()
}

// signed is the path of a call with its query signed.
func signedCall(call, query string) string {
	return managementPath + "/" + call + "?" + bbb.Sign(bbb.SHA256, call, query, managementSecret)
}

// call makes a signed call: a POST if there is a body.
func (a *managementAPI) call(call, query, body string) (int, string) {
	a.t.Helper()
	method, contentType := http.MethodGet, ""
	if body != "" {
		method, contentType = http.MethodPost, "application/json"
	}
	resp := a.send(method, signedCall(call, query), contentType, body)
	if got := resp.Header.Get("Content-Type"); got != "application/json; charset=utf-8" {
		a.t.Errorf("%s: Content-Type %q", call, got)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (a *managementAPI) want(status int, want string, call, query, body string) {
	a.t.Helper()
	if gotStatus, got := a.call(call, query, body); gotStatus != status || got != want {
		a.t.Errorf("%s %s %s:\ngot  %d %s\nwant %d %s", call, query, body, gotStatus, got, status, want)
	}
}

const disabledServer = `{"id":"bbb1","url":"https://bbb1.example.org/bigbluebutton/","secret":"s&<>","tag":"","bbb_version":"","state":"disabled","load":"unavailable","load_multiplier":"1.0","online":"offline"}`

func oneServer(t *testing.T) *managementAPI {
	t.Helper()
	a := newManagementAPI(t)
	a.add(balancer.NewServer{ID: "bbb1", URL: "https://bbb1.example.org/bigbluebutton/", Secret: "s&<>"})
	return a
}

func TestGetServers(t *testing.T) {
	t.Parallel()
	a := newManagementAPI(t)
	a.want(404, `{"error":"No servers are configured"}`, "getServers", "", "")
	a.add(balancer.NewServer{ID: "bbb1", URL: "https://bbb1.example.org/bigbluebutton/", Secret: "s&<>"})
	a.want(200, `[`+disabledServer+`]`, "getServers", "", "")
	a.want(200, `[`+disabledServer+`]`, "getServers", "pretty=true", "")
}

// The numbers and the versions come with the first poll.
func TestGetServersOfAPolledServer(t *testing.T) {
	t.Parallel()
	a := newManagementAPI(t)
	b := bbbtest.Start(t, bbbtest.Options{Version: "3.0.4"})
	a.add(balancer.NewServer{ID: "bbb1", URL: b.URL(), Secret: bbb.Secret(b.Secret()), Tag: "uni", LoadMultiplier: 2.5, Enable: true})
	if _, err := a.pool.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	object := func(load string) string {
		return fmt.Sprintf(`{"id":"bbb1","url":%q,"secret":%q,"tag":"uni","bbb_version":"3.0.4","state":"enabled","load":%s,"load_multiplier":"2.5","online":"online"}`,
			b.URL(), b.Secret(), load)
	}
	a.want(200, object("0"), "getServerInfo", "id=bbb1", "")
	placeMeeting(t, a.pool, "m1", "uni")
	a.want(200, object("37.5"), "getServerInfo", "id=bbb1", "") // 15 users of a young meeting
}

func TestGetServerInfo(t *testing.T) {
	t.Parallel()
	a := oneServer(t)
	a.want(200, disabledServer, "getServerInfo", "id=bbb1", "")
	a.want(404, `{"error":"Couldn't find server with id=no&pe"}`, "getServerInfo", "id=no%26pe", "")
	a.want(404, `{"error":"Couldn't find server with id="}`, "getServerInfo", "", "")
}

func TestAddServer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, tag, multiplier string }{
		"all":                 {`{"server":{"url":"https://h.example.org/bigbluebutton/api","secret":"geheim","load_multiplier":2,"tag":"uni"}}`, "uni", "2.0"},
		"without wrapper":     {`{"url":"https://h.example.org/bigbluebutton/api","secret":"geheim","load_multiplier":"0.5","tag":"uni"}`, "uni", "0.5"},
		"least":               {`{"server":{"url":"https://h.example.org/bigbluebutton/api","secret":"geheim"}}`, "", "1.0"},
		"multiplier 0":        {`{"server":{"url":"https://h.example.org/bigbluebutton/api","secret":"geheim","load_multiplier":0}}`, "", "1.0"},
		"multiplier text 0.0": {`{"server":{"url":"https://h.example.org/bigbluebutton/api","secret":"geheim","load_multiplier":"0.0"}}`, "", "1.0"},
		"multiplier blank":    {`{"server":{"url":"https://h.example.org/bigbluebutton/api","secret":"geheim","load_multiplier":""}}`, "", "1.0"},
		"nulls":               {`{"server":{"url":"https://h.example.org/bigbluebutton/api","secret":"geheim","load_multiplier":null,"tag":null}}`, "", "1.0"},
		"what may not be set": {`{"server":{"url":"https://h.example.org/bigbluebutton/api","secret":"geheim","id":"mine","state":"enabled","load":5,"online":"online","bbb_version":"9","max_users":1}}`, "", "1.0"},
		"last of a duplicate": {`{"server":{"secret":"no","url":"https://h.example.org/bigbluebutton/api","secret":"geheim"}}`, "", "1.0"},
	} {
		a := newManagementAPI(t)
		status, body := a.call("addServer", "", c.body)
		var got struct{ ID string }
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != 201 || got.ID == "" || got.ID == "mine" {
			t.Errorf("%s: %d %s", name, status, body)
			continue
		}
		want := fmt.Sprintf(`{"id":%q,"url":"https://h.example.org/bigbluebutton/api","secret":"geheim","tag":%q,"bbb_version":"","state":"disabled","load":"unavailable","load_multiplier":%q,"online":"offline"}`,
			got.ID, c.tag, c.multiplier)
		if body != want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, body, want)
		}
		if s, err := a.pool.Server(t.Context(), got.ID); err != nil || s.MaxUsers != 0 {
			t.Errorf("%s: stored %+v, %v", name, s, err)
		}
	}
}

func TestAddServerTwice(t *testing.T) {
	t.Parallel()
	a := newManagementAPI(t)
	body := `{"server":{"url":"https://h.example.org","secret":"s"}}`
	for range 2 {
		if status, text := a.call("addServer", "", body); status != 201 {
			t.Errorf("%d %s", status, text)
		}
	}
	if all, err := a.pool.Servers(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("%d servers, %v", len(all), err)
	}
}

func TestAddServerRefuses(t *testing.T) {
	t.Parallel()
	a := newManagementAPI(t)
	const needs = `{"error":"Server needs a URL and a secret"}`
	const multiplier = `{"error":"Load-multiplier must be a non-zero number"}`
	const object = `{"error":"The request body must be a JSON object"}`
	for body, want := range map[string]string{
		`{}`:                                     needs,
		` `:                                      needs,
		`{"server":{}}`:                          needs,
		`{"server":null}`:                        needs,
		`{"server":{"url":"h"}}`:                 needs,
		`{"server":{"secret":"s"}}`:              needs,
		`{"server":{"url":" ","secret":"s"}}`:    needs,
		`{"server":{"url":"h","secret":""}}`:     needs,
		`{"server":{"url":["h"],"secret":"s"}}`:  needs,
		`{"URL":"h","Secret":"s"}`:               needs,
		`{"server":"h"}`:                         `{"error":"server must be a JSON object"}`,
		`{"server":{"url":"h","secret":"s"}} {}`: object,
		`[]`:                                     object,
		`null`:                                   object,
		`"x"`:                                    object,
		`url=h&secret=s`:                         object,
		`{"url":"h"`:                             object,
		`{"server":{"url":"h","secret":"s","load_multiplier":"fast"}}`: multiplier,
		`{"server":{"url":"h","secret":"s","load_multiplier":"NaN"}}`:  multiplier,
		`{"server":{"url":"h","secret":"s","load_multiplier":[2]}}`:    multiplier,
		`{"server":{"url":"h","secret":"s","tag":{"a":1}}}`:            `{"error":"tag must be a string"}`,
		`{"server":{"url":"h","secret":"s","load_multiplier":-1}}`:     `{"error":"the load multiplier must be a number above 0"}`,
	} {
		a.want(400, want, "addServer", "", body)
	}
	if status, body := a.call("addServer", "", `{"server":{"url":"ftp://h","secret":"s"}}`); status != 400 || !strings.HasPrefix(body, `{"error":"server URL`) {
		t.Errorf("a URL that is none: %d %s", status, body)
	}
	if all, err := a.pool.Servers(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%d servers were added, %v", len(all), err)
	}
}

func TestTenantsAreOff(t *testing.T) {
	t.Parallel()
	a := newManagementAPI(t)
	for call, body := range map[string]string{
		"getTenants": "", "getTenantInfo": "",
		"addTenant":    `{"tenant":{"name":"a","secrets":"b"}}`,
		"updateTenant": `{"id":"a","tenant":{}}`,
		"deleteTenant": `{`,
	} {
		a.want(412, `{"message":"Multitenancy is disabled"}`, call, "id=a", body)
	}
}
