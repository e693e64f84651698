package web

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// TestWitness: what an authority answers is passed on as it is, and told if it is
// a failure.
func TestWitness(t *testing.T) {
	t.Parallel()
	const asProblem, asJSON = "application/problem+json; charset=utf-8", "application/json"
	for name, test := range map[string]struct {
		kind, body string
		want       failure
		remedy     string
	}{
		"rate limit": {asProblem, `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many certificates, retry after tomorrow","status":429}`,
			failure{kind: "rateLimited", detail: "too many certificates, retry after tomorrow"}, "staging"},
		"contact": {asProblem, `{"type":"urn:ietf:params:acme:error:invalidContact","detail":"no such domain","status":400}`,
			failure{kind: "invalidContact", detail: "no such domain"}, "web.acme_email"},
		"name": {asProblem, `{"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"forbidden by policy","status":400}`,
			failure{kind: "rejectedIdentifier", detail: "forbidden by policy"}, "public name"},
		"dns": {asJSON, `{"status":"invalid","challenges":[{"type":"dns-01","status":"pending"},{"type":"http-01","status":"invalid","error":{"type":"urn:ietf:params:acme:error:dns","detail":"NXDOMAIN looking up A"}}]}`,
			failure{"http-01", "dns", "NXDOMAIN looking up A"}, "DNS entries"},
		"order": {asJSON, `{"status":"invalid","error":{"type":"urn:ietf:params:acme:error:caa","detail":"CAA forbids"}}`,
			failure{kind: "caa", detail: "CAA forbids"}, "CAA"},
		"long": {asProblem, `{"type":"urn:x:serverInternal","detail":"` + strings.Repeat("x", 5000) + `"}`,
			failure{kind: "serverInternal", detail: strings.Repeat("x", maxDetail) + "..."}, "words"},
		"nonce":   {asProblem, `{"type":"urn:ietf:params:acme:error:badNonce","detail":"stale","status":400}`, failure{}, ""},
		"fine":    {asJSON, `{"status":"valid","challenges":[{"type":"http-01","status":"valid"}]}`, failure{}, ""},
		"no JSON": {"application/pem-certificate-chain", `{"type":"urn:x:connection"}`, failure{}, ""},
		"broken":  {asJSON, `{"type":`, failure{}, ""},
		"list":    {asJSON, `[1]`, failure{}, ""},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", test.kind)
			_, _ = io.WriteString(w, test.body)
		}))
		var told []failure
		w := newWitness(http.DefaultTransport, func(f failure) { told = append(told, f) })
		client := http.Client{Transport: w}
		for range 2 {
			response, err := client.Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(response.Body); err != nil || string(body) != test.body {
				t.Errorf("%s: passed on %q, %v", name, body, err)
			}
			_ = response.Body.Close()
		}
		server.Close()
		if test.want == (failure{}) {
			if len(told) > 0 || w.cause() != nil || w.refused() {
				t.Errorf("%s: told %v", name, told)
			}
			continue
		}
		want := []failure{test.want, test.want}
		if test.want.challenge != "" { // an authorization stays as it is
			want = want[:1]
		}
		if !slices.Equal(told, want) || !w.refused() {
			t.Errorf("%s: told %v, want %v", name, told, want)
		}
		if err := w.cause(); err == nil || err.Error() != test.want.String() {
			t.Errorf("%s: cause %v, want it once", name, err)
		}
		if got := test.want.remedy(); !strings.Contains(got, test.remedy) {
			t.Errorf("%s: remedy %q", name, got)
		}
	}
}

// TestWitnessForgets: what failed before a certificate came is not told again when
// autocert looks at its authorizations afterwards.
func TestWitnessForgets(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"status":"invalid","challenges":[{"type":"http-01","error":{"type":"urn:ietf:params:acme:error:dns","detail":"none"}}]}`)
	}))
	defer server.Close()
	w := newWitness(http.DefaultTransport, func(failure) {})
	ask := func(path string) error {
		response, err := (&http.Client{Transport: w}).Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return w.cause()
	}
	if ask("/1") == nil {
		t.Error("the failure is not told")
	}
	w.forget()
	if err := ask("/1"); err != nil {
		t.Errorf("told again: %v", err)
	}
	if ask("/2") == nil {
		t.Error("the failure of another is not told")
	}
	for n := range 3 * maxOrders {
		_ = ask(fmt.Sprint("/more/", n))
	}
	if len(w.failed) > maxOrders {
		t.Errorf("%d are remembered", len(w.failed))
	}
}

// TestWitnessOfAbsence: an authority that is not there is told, and has refused
// nothing. After the end nothing is asked, and nothing told.
func TestWitnessOfAbsence(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	var told []failure
	w := newWitness(&http.Transport{}, func(f failure) { told = append(told, f) })
	client := http.Client{Transport: w}
	if _, err := client.Get(server.URL); err == nil {
		t.Fatal("an answer from nobody")
	}
	if len(told) != 1 || told[0].kind != unreachable || w.refused() {
		t.Errorf("told %v, refused %v", told, w.refused())
	}
	w.cut()
	w.cut()
	if _, err := client.Get(server.URL); !errors.Is(err, errStopped) {
		t.Errorf("after the end: %v", err)
	}
	if len(told) != 1 {
		t.Errorf("after the end told %v", told)
	}
}

// TestTellsOnce: the same trouble does not fill the log.
func TestTellsOnce(t *testing.T) {
	t.Parallel()
	log := &lockedLog{}
	c := DefaultConfig()
	c.TLS, c.Host = TLSAuto, acmeHost
	a, err := openACME(c, nil, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 500 {
		a.tell(failure{"http-01", "connection", strings.Repeat("x", n)})
		a.tell(failure{"http-01", "dns", strings.Repeat("x", n)})
	}
	if n := log.count("\n"); n != 2 {
		t.Errorf("%d lines, want 2:\n%s", n, log)
	}
}

// TestPrivateAuthority: its root must be one.
func TestPrivateAuthority(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	c.TLS, c.Host = TLSAuto, acmeHost
	p := newPairFiles(t)
	writeBytes(t, p.cert, []byte("nonsense"))
	for _, file := range []string{p.cert, p.key} {
		c.ACMECA = file
		_, err := OpenCertificates(c, nil, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "web.acme_ca: ") || !strings.Contains(err.Error(), file) {
			t.Errorf("%v; want web.acme_ca and %s", err, file)
		}
	}
}
