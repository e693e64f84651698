package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"scalelite/balancer/bbb"
	"scalelite/store"
	"scalelite/store/storetest"
)

const acmeHost = "lb.scalelite.test"

// acmeSystem is a server with web.tls = "auto".
type acmeSystem struct {
	t       *testing.T
	server  *Server
	certs   *Certificates
	config  Config
	address string // of the TLS listener
	log     *lockedLog
	stop    func() // waits
}

// visit comes while the order is under way and is let in with its certificate;
// one that waits longer than a handshake may take has to come again.
func (a *acmeSystem) visit(roots *x509.CertPool) (cert *x509.Certificate) {
	a.t.Helper()
	until(a.t, "a visitor is let in", func() (ok bool) {
		var err error
		cert, err = handshake(a.address, acmeHost, roots)
		return err == nil
	})
	return cert
}

// startACME serves TLS on ln and plain HTTP on plain, which may be nil.
func startACME(t *testing.T, s *store.Store, p *pebble, ln, plain net.Listener, aliases ...string) *acmeSystem {
	t.Helper()
	c := DefaultConfig()
	c.TLS, c.Host, c.Listen, c.HTTPListen = TLSAuto, acmeHost, ln.Addr().String(), ""
	c.HostAliases = aliases
	c.ACMEDirectory, c.ACMECA, c.ACMEEmail = p.directory, p.ca, "admin@scalelite.test"
	if plain != nil {
		c.HTTPListen = plain.Addr().String()
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	a := &acmeSystem{t: t, config: c, address: ln.Addr().String(), log: &lockedLog{}}
	log := slog.New(slog.NewTextHandler(a.log, nil))
	var err error
	if a.certs, err = OpenCertificates(c, s, log); err != nil {
		t.Fatal(err)
	}
	a.server = New(Options{
		Config: c, Version: "test", Secrets: []bbb.Secret{testSecret}, Certificates: a.certs,
		Health: func(context.Context) error { return nil }, Log: log,
	})
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	serve := func(part func() error) {
		parts.Go(func() {
			if err := part(); err != nil {
				t.Error(err)
			}
		})
	}
	serve(func() error { return a.server.Serve(ctx, ln) })
	if plain != nil {
		serve(func() error { return a.server.ServePlain(ctx, plain) })
	}
	serve(func() error { a.certs.Run(ctx); return nil })
	a.stop = sync.OnceFunc(func() {
		cancel()
		parts.Wait()
	})
	t.Cleanup(func() {
		a.stop()
		if t.Failed() {
			t.Logf("log:\n%s", a.log)
		}
	})
	return a
}

// TestACMEChallenges: Pebble reaches one of the two ports alone, and a
// certificate comes by it, before anybody asks for one.
func TestACMEChallenges(t *testing.T) {
	t.Parallel()
	for _, challenge := range []string{"tls-alpn-01", "http-01"} {
		t.Run(challenge, func(t *testing.T) {
			t.Parallel()
			ln, plain := listenLocal(t), listenLocal(t)
			http01, alpn01 := port(plain), freePort(t)
			if challenge == "tls-alpn-01" {
				http01, alpn01 = freePort(t), port(ln)
			}
			p := startPebble(t, http01, alpn01, 7776000)
			a := startACME(t, storetest.Open(t), p, ln, plain)
			until(t, "a certificate is obtained", func() bool { return a.log.count("certificate obtained") > 0 })
			if _, err := handshake(a.address, acmeHost, p.issued(t)); err != nil {
				t.Error(err)
			}
			if n := p.orders(); challenge == "tls-alpn-01" && n != 1 {
				t.Errorf("%d orders", n)
			}
			if a.log.count("level=ERROR") > 0 {
				t.Error("errors in the log")
			}
			// The failed first way is told, with what helps.
			if challenge == "http-01" && a.log.count("challenge=tls-alpn-01") != 1 {
				t.Error("the log does not tell that tls-alpn-01 failed")
			}
		})
	}
}

// TestACMESurvivesRestart: a certificate and the account outlive the process; no
// second order is placed, and the authority need not be there.
func TestACMESurvivesRestart(t *testing.T) {
	t.Parallel()
	ln, plain := listenLocal(t), listenLocal(t)
	p := startPebble(t, port(plain), port(ln), 7776000)
	path := filepath.Join(t.TempDir(), "test.db")
	file := storetest.OpenFile(t, path, nil)
	a := startACME(t, file.Store, p, ln, plain)
	roots := p.issued(t)
	first := a.visit(roots)
	a.stop()
	p.stop()
	b := startACME(t, file.Store, p, listenLocal(t), listenLocal(t))
	second, err := handshake(b.address, acmeHost, roots)
	if err != nil {
		t.Fatal(err)
	}
	if !first.Equal(second) {
		t.Error("another certificate after the restart")
	}
	if n := p.orders(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}

	// Another directory has nothing of this one's.
	p.directory += "?other"
	c := startACME(t, file.Store, p, listenLocal(t), nil)
	until(t, "the other directory is asked", func() bool { return c.log.count("problem=unreachable") > 0 })
}

// TestACMERenews: what ends soon is replaced while requests go on, without one
// that fails.
func TestACMERenews(t *testing.T) {
	t.Parallel()
	ln, plain := listenLocal(t), listenLocal(t)
	p := startPebble(t, port(plain), port(ln), 36) // renewed after 24 seconds
	a := startACME(t, storetest.Open(t), p, ln, plain)
	roots := p.issued(t)
	seen := map[string]bool{a.visit(roots).SerialNumber.String(): true}
	until(t, "a second certificate", func() bool {
		cert, err := handshake(a.address, acmeHost, roots)
		if err != nil {
			t.Fatal(err)
		}
		seen[cert.SerialNumber.String()] = true
		return len(seen) == 2
	})
	if n := a.log.count("certificate obtained"); n < 2 {
		t.Errorf("%d certificates in the log", n)
	}
}

// TestACMEUnreachable: when the authority cannot reach us, the log says so, once
// for each way, and what to do; visitors neither wait nor have it asked again. A
// reload after the repair gets the certificate.
func TestACMEUnreachable(t *testing.T) {
	t.Parallel()
	ln, plain, public := listenLocal(t), listenLocal(t), freePort(t)
	p := startPebble(t, freePort(t), public, 7776000)
	a := startACME(t, storetest.Open(t), p, ln, plain)
	until(t, "the failure is told", func() bool {
		return a.log.count(`"no certificate: nobody can connect to this name over TLS" host=`+acmeHost) == 1
	})
	for _, part := range []string{
		"challenge=tls-alpn-01 problem=unauthorized", "challenge=http-01 problem=connection",
		"web.listen (443)", "web.http_listen (80)", "next_try_in=10m0s", "refused",
	} {
		if !strings.Contains(a.log.String(), part) {
			t.Errorf("the log lacks %q", part)
		}
	}
	orders := p.orders()
	for range 20 {
		if _, err := handshake(a.address, acmeHost, nil); err == nil {
			t.Fatal("a handshake without a certificate")
		}
	}
	if n := p.orders(); n != orders {
		t.Errorf("visitors had %d more orders placed", n-orders)
	}
	if n := a.log.count("level=ERROR") + a.log.count("level=WARN"); n != 3 {
		t.Errorf("%d lines in the log, want 3", n)
	}

	forward(t, public, a.address)
	a.certs.Reconfigure(a.config)
	until(t, "a certificate is obtained", func() bool { return a.log.count("certificate obtained") > 0 })
	if _, err := handshake(a.address, acmeHost, p.issued(t)); err != nil {
		t.Error(err)
	}
}

// forward passes connections to a port on.
func forward(t *testing.T, from int, to string) {
	t.Helper()
	ln, err := net.Listen("tcp", (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: from}).String())
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			running.Go(func() { _, _ = io.Copy(out, in); _ = out.Close() })
			running.Go(func() { _, _ = io.Copy(in, out); _ = in.Close() })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		running.Wait()
	})
}

// TestACMEHostPolicy: only web.host gets a certificate; nobody else has one
// ordered. Who names nobody gets that of web.host.
func TestACMEHostPolicy(t *testing.T) {
	t.Parallel()
	ln, plain := listenLocal(t), listenLocal(t)
	p := startPebble(t, port(plain), port(ln), 7776000)
	a := startACME(t, storetest.Open(t), p, ln, plain)
	a.visit(p.issued(t))
	for _, name := range []string{"LB.Scalelite.test", acmeHost, ""} {
		if got := mustShow(t, a.address, name).DNSNames; len(got) != 1 || got[0] != acmeHost {
			t.Errorf("%q: certificate for %q", name, got)
		}
	}
	for _, name := range []string{"evil.test", "x." + acmeHost, "localhost", "scalelite.test"} {
		if cert, err := shown(t, a.address, name); err == nil {
			t.Errorf("%q: certificate for %q", name, cert.DNSNames)
		}
	}
	// Clients that take no ECDSA do not have a second one ordered.
	_, err := tls.Dial("tcp", a.address, &tls.Config{
		ServerName: acmeHost, InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12,
		CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
	})
	if err == nil {
		t.Error("a connection with an RSA certificate")
	}
	if n := p.orders(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
	client := &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	for host, want := range map[string]int{"evil.test": 403, acmeHost: 404} {
		request, err := http.NewRequest("GET", "http://"+plain.Addr().String()+"/.well-known/acme-challenge/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("challenge for %s: %d, want %d", host, response.StatusCode, want)
		}
	}
}

// TestACMENewName: another web.host gets its certificate on a reload.
func TestACMENewName(t *testing.T) {
	t.Parallel()
	ln, plain := listenLocal(t), listenLocal(t)
	p := startPebble(t, port(plain), port(ln), 7776000)
	a := startACME(t, storetest.Open(t), p, ln, plain)
	roots := p.issued(t)
	a.visit(roots)
	const moved = "bücher.scalelite.test"
	a.config.Host = moved
	a.certs.Reconfigure(a.config)
	until(t, "the new name has a certificate", func() bool {
		_, err := handshake(a.address, "xn--bcher-kva.scalelite.test", roots)
		return err == nil
	})
	if _, err := handshake(a.address, acmeHost, roots); err == nil {
		t.Error("the former name is still served")
	}
}

// TestACMEAliases: each name has a certificate, by either challenge, and all by
// one account. A name that is not ours gets none.
func TestACMEAliases(t *testing.T) {
	t.Parallel()
	for _, challenge := range []string{"tls-alpn-01", "http-01"} {
		t.Run(challenge, func(t *testing.T) {
			t.Parallel()
			ln, plain := listenLocal(t), listenLocal(t)
			http01, alpn01 := port(plain), freePort(t)
			if challenge == "tls-alpn-01" {
				http01, alpn01 = freePort(t), port(ln)
			}
			p := startPebble(t, http01, alpn01, 7776000)
			a := startACME(t, storetest.Open(t), p, ln, plain, "former.scalelite.test", "bücher.scalelite.test")
			roots := p.issued(t)
			for _, name := range []string{acmeHost, "former.scalelite.test", "xn--bcher-kva.scalelite.test"} {
				until(t, name+" has a certificate", func() bool {
					_, err := handshake(a.address, name, roots)
					return err == nil
				})
			}
			if leaf, err := handshake(a.address, "other.scalelite.test", roots); err == nil {
				t.Errorf("a name that is not ours gets %v", leaf.DNSNames)
			}
			status, _, err := a.certs.ACME(t.Context())
			if err != nil || len(status.Names) != 3 || status.Failure != "" || status.NotAfter.IsZero() {
				t.Errorf("status %+v, %v", status, err)
			}
			if one, more := p.out.count("There are now 1 accounts in memory"), p.out.count("There are now 2 accounts"); one != 1 || more > 0 {
				t.Errorf("%d times one account, %d times two", one, more)
			}
		})
	}
}

// TestACMEAliasDoesNotWait: one whose certificate is in the store is served at
// once, while the authority lets web.host, a new name, wait.
func TestACMEAliasDoesNotWait(t *testing.T) {
	t.Parallel()
	const former = "former.scalelite.test"
	authority := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable) // for which it is asked again for minutes
	}))
	t.Cleanup(authority.Close)
	p := &pebble{directory: authority.URL + "/dir", ca: filepath.Join(t.TempDir(), "ca.pem")}
	writeBytes(t, p.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Certificate().Raw}))
	s := storetest.Open(t)
	cert, key := testPair(t, "kept", time.Now().Add(60*24*time.Hour), former)
	keepCertificate(t, s, p.directory, former, slices.Concat(key, cert))
	a := startACME(t, s, p, listenLocal(t), nil, former)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	until(t, "the alias is served", func() bool {
		_, err := handshake(a.address, former, roots)
		return err == nil
	})
	select {
	case <-a.certs.source.(acmeNames)[0].current.Load().done:
		t.Error("the attempt for web.host is over: nothing was waited for")
	default:
	}
}

// TestACMEKept: which certificate of the store does without the authority.
func TestACMEKept(t *testing.T) {
	t.Parallel()
	s, c := storetest.Open(t), DefaultConfig()
	c.Host = "bücher.scalelite.test"
	names, err := openACMENames(c, s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	const host = "xn--bcher-kva.scalelite.test"
	for _, test := range []struct {
		what, name string
		until      time.Time
		want       bool
	}{
		{"none", "", soon(), false},
		{"one of another name", acmeHost, soon(), false},
		{"one that has ended", host, time.Now().Add(-time.Minute), false},
		{"a good one", host, soon(), true},
	} {
		if test.name != "" {
			cert, key := testPair(t, test.what, test.until, test.name)
			keepCertificate(t, s, c.ACMEDirectory, host, slices.Concat(key, cert))
		}
		if got := names[0].kept(t.Context()); got != test.want {
			t.Errorf("%s: %v", test.what, got)
		}
	}
}

func keepCertificate(t *testing.T, s *store.Store, directory, name string, data []byte) {
	t.Helper()
	err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.PutCertificate(directory, name, data) })
	if err != nil {
		t.Fatal(err)
	}
}

// TestACMEStopsAtOnce: a stop does not wait for an authority that does not
// answer.
func TestACMEStopsAtOnce(t *testing.T) {
	t.Parallel()
	silent := listenLocal(t)
	defer silent.Close()
	asked := make(chan struct{})
	go func() {
		conn, err := silent.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		close(asked)
		_, _ = io.Copy(io.Discard, conn)
	}()
	file := newPairFiles(t)
	cert, key := testPair(t, "root", soon(), "localhost")
	file.write(t, cert, key)
	a := startACME(t, storetest.Open(t), &pebble{directory: "https://" + silent.Addr().String() + "/dir", ca: file.cert}, listenLocal(t), nil)
	<-asked
	began := time.Now()
	a.stop()
	if took := time.Since(began); took >= exchangeTimeout {
		t.Errorf("the stop took %s", took)
	}
	if a.log.count("level=ERROR")+a.log.count("level=WARN") > 0 {
		t.Error("a stop is no failure")
	}
}

// TestRetryWait: a refusal is not repeated soon, an absence is.
func TestRetryWait(t *testing.T) {
	t.Parallel()
	for refused, want := range map[bool][]time.Duration{
		true:  {10 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour, time.Hour},
		false: {30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute},
	} {
		var wait time.Duration
		for _, w := range want {
			if wait = retryWait(wait, refused); wait != w {
				t.Errorf("refused %v: %s, want %s", refused, wait, w)
			}
		}
	}
}
