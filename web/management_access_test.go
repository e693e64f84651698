package web

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
)

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
