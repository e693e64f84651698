package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
	limits := bbb.ClientConfig{ConnectTimeout: 2 * time.Second, ResponseTimeout: 2 * time.Second}
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

func TestUpdateServer(t *testing.T) {
	t.Parallel()
	a := oneServer(t)
	object := func(secret, tag, state, multiplier string) string {
		return fmt.Sprintf(`{"id":"bbb1","url":"https://bbb1.example.org/bigbluebutton/","secret":%q,"tag":%q,"bbb_version":"","state":%q,"load":"unavailable","load_multiplier":%q,"online":"offline"}`,
			secret, tag, state, multiplier)
	}
	for _, step := range []struct{ query, body, want string }{
		{"", `{"id":"bbb1","server":{"state":"enable","load_multiplier":"1.5","secret":"new","tag":"uni"}}`, object("new", "uni", "enabled", "1.5")},
		{"", `{"id":"bbb1","server":{"state":"cordon"}}`, object("new", "uni", "cordoned", "1.5")},
		{"", `{"id":"bbb1","state":"disable","load_multiplier":3}`, object("new", "uni", "disabled", "3.0")},
		{"id=bbb1", `{"server":{"tag":""}}`, object("new", "", "disabled", "3.0")},
		{"", `{"server":{"id":"bbb1","tag":"a"}}`, object("new", "a", "disabled", "3.0")},
		{"", `{"id":"bbb1","server":{"tag":null,"secret":null,"url":"https://other.example.org","online":"online"}}`, object("new", "a", "disabled", "3.0")},
		{"", `{"id":"bbb1"}`, object("new", "a", "disabled", "3.0")},
		{"id=bbb1", `{"id":"other","server":{"tag":"b"}}`, object("new", "b", "disabled", "3.0")}, // the signed id counts
	} {
		a.want(200, step.want, "updateServer", step.query, step.body)
	}
}

func TestUpdateServerRefuses(t *testing.T) {
	t.Parallel()
	a := oneServer(t)
	const multiplier = `{"error":"Load-multiplier must be a non-zero number"}`
	for attributes, want := range map[string]string{
		`"state":"enabled"`:                           `{"error":"Invalid state parameter: enabled"}`,
		`"state":""`:                                  `{"error":"Invalid state parameter: "}`,
		`"state":7`:                                   `{"error":"Invalid state parameter: 7"}`,
		`"state":["enable"]`:                          `{"error":"Invalid state parameter: [\"enable\"]"}`,
		`"load_multiplier":0`:                         multiplier,
		`"load_multiplier":"0.0"`:                     multiplier,
		`"load_multiplier":""`:                        multiplier,
		`"load_multiplier":"two"`:                     multiplier,
		`"load_multiplier":"inf"`:                     multiplier,
		`"load_multiplier":1e999`:                     multiplier,
		`"load_multiplier":true`:                      multiplier,
		`"load_multiplier":{}`:                        multiplier,
		`"secret":[]`:                                 `{"error":"secret must be a string"}`,
		`"tag":[]`:                                    `{"error":"tag must be a string"}`,
		`"tag":"a;b"`:                                 `{"error":"a tag has neither ';' nor '!' nor control characters"}`,
		`"secret":""`:                                 `{"error":"a server needs its secret; 'bbb-conf --secret' shows it on the BBB server"}`,
		`"state":"enable","load_multiplier":"x"`:      multiplier,
		`"state":"x","load_multiplier":2,"tag":"new"`: `{"error":"Invalid state parameter: x"}`,
	} {
		a.want(400, want, "updateServer", "", `{"id":"bbb1","server":{"secret":"changed","tag":"changed",`+attributes+`}}`)
	}
	a.want(400, `{"error":"The request needs an id"}`, "updateServer", "", `{"server":{"tag":"x"}}`)
	a.want(404, `{"error":"Couldn't find server with id=nope"}`, "updateServer", "", `{"id":"nope","server":{"state":"x"}}`)
	a.want(200, disabledServer, "getServerInfo", "id=bbb1", "") // all or nothing
}

func TestDeleteServer(t *testing.T) {
	t.Parallel()
	a := oneServer(t)
	a.want(400, `{"error":"The request needs an id"}`, "deleteServer", "", `{}`)
	a.want(404, `{"error":"Couldn't find server with id=nope"}`, "deleteServer", "", `{"id":"nope"}`)
	a.want(200, `{"success":"Server id=bbb1 was destroyed"}`, "deleteServer", "", `{"id":"bbb1"}`)
	a.want(404, `{"error":"Couldn't find server with id=bbb1"}`, "deleteServer", "", `{"id":"bbb1"}`)
	a.add(balancer.NewServer{ID: "5", URL: "h", Secret: "s"})
	a.want(200, `{"success":"Server id=5 was destroyed"}`, "deleteServer", "", `{"id":5}`)
	a.add(balancer.NewServer{ID: "bbb1", URL: "h", Secret: "s"})
	if resp := a.send("POST", signedCall("deleteServer", "id=bbb1"), "", ""); resp.StatusCode != 200 {
		t.Errorf("id in the query, no body: %d", resp.StatusCode)
	}
}

func TestPanicServer(t *testing.T) {
	t.Parallel()
	const done = `{"success":"Server id=bbb1 has been disabled and the meetings have been destroyed"}`
	for _, c := range []struct {
		query, body string
		state       store.State
	}{
		{"", `{"id":"bbb1"}`, store.Disabled},
		{"", `{"server":{"id":"bbb1"}}`, store.Disabled},
		{"id=bbb1", `{}`, store.Disabled},
		{"", `{"id":"bbb1","keep_state":false}`, store.Disabled},
		{"", `{"id":"bbb1","keep_state":true}`, store.Enabled},
		{"", `{"id":"bbb1","keep_state":"true"}`, store.Enabled},
		{"", `{"id":"bbb1","server":{"keep_state":true}}`, store.Enabled},
		{"", `{"server":{"id":"bbb1","keep_state":1}}`, store.Enabled},
	} {
		a := newManagementAPI(t)
		b := bbbtest.Start(t, bbbtest.Options{})
		a.add(balancer.NewServer{ID: "bbb1", URL: b.URL(), Secret: bbb.Secret(b.Secret()), Enable: true})
		if _, err := a.pool.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		placeMeeting(t, a.pool, "m1", "")
		b.Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.ServerError}) // it goes on whatever the server answers
		a.want(200, done, "panicServer", c.query, c.body)
		s, err := a.pool.Server(t.Context(), "bbb1")
		if err != nil || s.State != c.state {
			t.Errorf("%s %s: state %s, %v", c.query, c.body, s.State, err)
		}
		if left, err := a.pool.Meetings(t.Context()); err != nil || len(left) != 0 || b.Count("end") == 0 {
			t.Errorf("%s %s: %d ends, left %v, %v", c.query, c.body, b.Count("end"), left, err)
		}
	}
}

func TestPanicServerRefuses(t *testing.T) {
	t.Parallel()
	a := oneServer(t)
	a.want(404, `{"error":"Couldn't find server with id=nope"}`, "panicServer", "", `{"id":"nope"}`)
	a.want(404, `{"error":"Couldn't find server with id=nope"}`, "panicServer", "", `{"id":"nope","keep_state":true}`)
	a.want(400, `{"error":"The request needs an id"}`, "panicServer", "", `{"keep_state":true}`)
	a.want(400, `{"error":"keep_state must be true or false"}`, "panicServer", "", `{"id":"bbb1","keep_state":"maybe"}`)
	if err := a.store.Close(); err != nil {
		t.Fatal(err)
	}
	a.want(400, `{"error":"Couldn't disable server id=bbb1"}`, "panicServer", "", `{"id":"bbb1"}`)
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

var (
	managementGets  = []string{"getServers", "getServerInfo", "getTenants", "getTenantInfo"}
	managementPosts = []string{"addServer", "updateServer", "deleteServer", "panicServer", "addTenant", "updateTenant", "deleteTenant"}
)

// Without a valid checksum there is the XML of the BBB API, and nothing happens
// (S13).
func TestManagementNeedsAChecksum(t *testing.T) {
	t.Parallel()
	a := oneServer(t)
	try := func(method, call, query string) {
		t.Helper()
		resp := a.send(method, managementPath+"/"+call+"?"+query, "application/json", `{"id":"bbb1","server":{"url":"h","secret":"s"}}`)
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != xmlType || !bytes.Equal(body, bbb.ErrChecksum.XML()) {
			t.Errorf("%s %s?%s: %d %s", method, call, query, resp.StatusCode, body)
		}
	}
	for method, calls := range map[string][]string{"GET": managementGets, "POST": managementPosts} {
		for _, call := range calls {
			good := bbb.Sign(bbb.SHA256, call, "id=bbb1", managementSecret)
			for _, query := range []string{
				"", "id=bbb1", "checksum=", "checksum=1234",
				bbb.Sign(bbb.SHA256, call, "id=bbb1", "front-end's secret"),
				bbb.Sign(bbb.SHA256, "otherCall", "id=bbb1", managementSecret),
				"x=y&" + good, good + "&" + good[strings.Index(good, "checksum="):],
			} {
				try(method, call, query)
			}
		}
	}
	if all, err := a.pool.Servers(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%d servers, %v", len(all), err)
	}
}

func TestManagementAlgorithms(t *testing.T) {
	t.Parallel()
	a := oneServer(t)
	for _, algorithm := range []bbb.Algorithm{bbb.SHA1, bbb.SHA256, bbb.SHA384, bbb.SHA512} {
		target := managementPath + "/getServers?" + bbb.Sign(algorithm, "getServers", "", managementSecret)
		if resp := a.send("GET", target, "", ""); resp.Header.Get("Content-Type") == xmlType {
			t.Errorf("%s is refused", algorithm)
		}
	}
}

func TestManagementMethods(t *testing.T) {
	t.Parallel()
	a := oneServer(t)
	for method, calls := range map[string][]string{"GET": managementGets, "POST": managementPosts} {
		for _, call := range calls {
			for _, other := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
				taken := other == method || method == "GET" && other == "HEAD"
				resp := a.send(other, signedCall(call, ""), "application/json", `{}`)
				if (resp.StatusCode == http.StatusMethodNotAllowed) == taken {
					t.Errorf("%s %s: %d", other, call, resp.StatusCode)
				}
			}
		}
	}
	resp := a.send("HEAD", signedCall("getServers", ""), "", "")
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("HEAD: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestManagementContentTypes(t *testing.T) {
	t.Parallel()
	a := oneServer(t)
	for contentType, taken := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, "Application/JSON": true,
		"": false, "text/plain": false, "application/x-www-form-urlencoded": false, "application/xml": false, "json": false, ";": false,
	} {
		for _, call := range managementPosts {
			resp := a.send("POST", signedCall(call, ""), contentType, `{"id":"nope"}`)
			body, _ := io.ReadAll(resp.Body)
			refusal := string(body) == `{"error":"POST request Content-Type must be application/json"}`
			if refusal == taken || refusal && resp.StatusCode != 400 {
				t.Errorf("%s of type %q: %d %s", call, contentType, resp.StatusCode, body)
			}
		}
	}
}

func TestManagementBodyLimit(t *testing.T) {
	t.Parallel()
	a := newManagementAPI(t)
	fill := func(n int) string {
		const head, tail = `{"url":"h","secret":"s","x":"`, `"}`
		return head + strings.Repeat("x", n-len(head)-len(tail)) + tail
	}
	a.want(413, `{"error":"The request body is too large"}`, "addServer", "", fill(2<<20+1))
	if status, body := a.call("addServer", "", fill(2<<20)); status != 201 {
		t.Errorf("2 MiB: %d %.100s", status, body)
	}
}

func TestManagementStoreFails(t *testing.T) {
	t.Parallel()
	a := oneServer(t)
	if err := a.store.Close(); err != nil {
		t.Fatal(err)
	}
	a.want(500, `{"error":"Internal error"}`, "getServers", "", "")
	a.want(500, `{"error":"Internal error"}`, "addServer", "", `{"url":"h","secret":"s"}`)
	a.want(500, `{"error":"Internal error"}`, "deleteServer", "", `{"id":"bbb1"}`)
}

// One line for each change and each failure, with who and what, without secrets
// (S9) and without the length that a caller gives it.
func TestManagementLog(t *testing.T) {
	t.Parallel()
	a := newManagementAPI(t)
	a.call("addServer", "", `{"url":"h.example.org","secret":"geheim1234"}`)
	a.call("deleteServer", "", `{"id":"`+strings.Repeat("x", 10_000)+`"}`)
	a.call("getServers", "", "")
	lines := strings.Split(strings.TrimSpace(a.log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "call=addServer server=") || !strings.Contains(lines[0], "addr=192.0.2.1") ||
		!strings.Contains(lines[1], "call=deleteServer") || !strings.Contains(lines[1], "status=404") {
		t.Errorf("log:\n%.2000s", a.log.String())
	}
	for _, never := range []string{"geheim1234", "checksum=", managementSecret.Reveal(), strings.Repeat("x", 1000)} {
		if strings.Contains(a.log.String(), never) {
			t.Errorf("the log has %.100q", never)
		}
	}
}

// A client that signs as the BBB API wants it, encoded queries and all.
func TestManagementIDs(t *testing.T) {
	t.Parallel()
	a := newManagementAPI(t)
	for _, id := range []string{"bbb 1", "ü", "a+b", "a&b=c", "100%"} {
		a.add(balancer.NewServer{ID: id, URL: "h", Secret: "s"})
		status, body := a.call("getServerInfo", "id="+url.QueryEscape(id), "")
		var got serverObject
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 || got.ID != id {
			t.Errorf("%q: %d %s", id, status, body)
		}
	}
}

// Whatever the body is: no panic, the wrapper makes no difference, and a change
// is read in full or refused.
func FuzzManagementBody(f *testing.F) {
	for _, body := range []string{
		``, `{}`, `null`, `{"server":{"url":"h","secret":"s","load_multiplier":"1.5","tag":null}}`,
		`{"id":"x","server":{"state":"enable"}}`, `{"id":5,"keep_state":"on"}`, `{"server":{"server":{}}}`,
		`{"state":[],"load_multiplier":1e400}`, `{"tenant":{"name":"a"}}`, `{"a":"\ud800"}`, `{"id":"x","id":null}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		bare, err := decodeManagement(body)
		if err != nil {
			return
		}
		c, err := changeOf(bare)
		if err == nil && c.LoadMultiplier != nil && (*c.LoadMultiplier == 0 || *c.LoadMultiplier-*c.LoadMultiplier != 0) {
			t.Errorf("multiplier %v", *c.LoadMultiplier)
		}
		_, _ = bare.flag("keep_state")
		_ = bare.id()
		var raw map[string]json.RawMessage
		if json.Unmarshal(body, &raw) != nil || raw["server"] != nil || raw["tenant"] != nil {
			return
		}
		wrapped, err := decodeManagement([]byte(`{"server":` + string(body) + `}`))
		if err != nil {
			return // twice as deep, or there was a wrapper in it
		}
		for name := range bare {
			plain, was := bare.lookup(name)
			inside, is := wrapped.lookup(name)
			if was != is || plain != inside {
				t.Errorf("%q: %q bare, %q wrapped", name, plain, inside)
			}
		}
		again, err := decodeManagement(body)
		if err != nil || !cmp.Equal(bare, again) {
			t.Errorf("read differently the second time: %v", err)
		}
	})
}
