package bbb

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

const indexReply = "<response><returncode>SUCCESS</returncode><version>2.0</version><bbbVersion>3.0.19</bbbVersion></response>"

// fakeBBB answers index and getMeetings, and checks checksums.
func fakeBBB(accepts ...Algorithm) http.Handler {
	v := Verifier{Secrets: []Secret{testSecret}, Algorithms: accepts}
	mux := http.NewServeMux()
	mux.HandleFunc(apiPath, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, indexReply) })
	mux.HandleFunc(apiPath+"/getMeetings", func(w http.ResponseWriter, r *http.Request) {
		if _, err := v.VerifyQuery("getMeetings", r.URL.RawQuery); err != nil {
			_, _ = w.Write(ErrChecksum.XML())
			return
		}
		_, _ = io.WriteString(w, meetingsReply)
	})
	return mux
}

func TestProbe(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(fakeBBB(SHA1, SHA256))
	defer server.Close()
	got, err := testClient(t, ClientConfig{}).Probe(t.Context(), endpointOf(server.URL))
	if err != nil || got.Version != "3.0.19" || got.Algorithm != SHA256 || got.Meetings != 3 || !slices.Equal(got.Accepted, []Algorithm{SHA256}) {
		t.Errorf("%+v, %v", got, err)
	}
}

// T51: a wrong secret is told apart from an algorithm that is not accepted.
func TestProbeRefused(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(fakeBBB(SHA1, SHA512))
	defer server.Close()
	c := testClient(t, ClientConfig{})
	e := endpointOf(server.URL)
	got, err := c.Probe(t.Context(), e)
	checkProbeError(t, err, FaultAlgorithm, "takes the secret with sha512, sha1, but not with sha256")
	if !slices.Equal(got.Accepted, []Algorithm{SHA512, SHA1}) || got.Version != "3.0.19" {
		t.Errorf("%+v", got)
	}
	e.Secret = "a wrong one"
	got, err = c.Probe(t.Context(), e)
	checkProbeError(t, err, FaultSecret, "secret refused")
	if len(got.Accepted) != 0 {
		t.Errorf("%+v", got)
	}
}

func checkProbeError(t *testing.T, err error, fault Fault, text string) {
	t.Helper()
	e, ok := errors.AsType[*ProbeError](err)
	if !ok || e.Fault != fault || !strings.Contains(e.Message, text) {
		t.Errorf("error %v, want %s with %q in it", err, fault, text)
	}
	if err != nil && (strings.Contains(err.Error(), testSecret) || !strings.Contains(err.Error(), ": ")) {
		t.Errorf("no remedy, or the secret in it: %v", err)
	}
}

// Each thing that can be wrong with an address has its own message and remedy.
func TestProbeFaults(t *testing.T) {
	t.Parallel()
	page := func(status int, body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://bbb.example.org/bigbluebutton/?secret=1")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	plain, secure := page(200, indexReply), tlsServer(t, nil)
	rows := []struct {
		name, url string
		fault     Fault
		text      string
	}{
		{"refused", "http://" + refusingAddr(t), FaultRefused, "nothing listens there"},
		{"404", page(404, ""), FaultPath, "bbb-conf --secret"},
		{"HTML", page(200, "<html><title>Welcome to nginx!</title>"), FaultNotBBB, `"<title>Welcome to nginx!"`},
		{"other XML", page(200, "<a/>"), FaultNotBBB, "no BBB API"},
		{"XML without a version", page(200, okReply), FaultNotBBB, "no BBB API"},
		{"redirect", page(301, ""), FaultRedirect, "https://bbb.example.org: give the address"},
		{"bad gateway", page(502, ""), FaultStatus, "bbb-web"},
		{"forbidden", page(403, ""), FaultStatus, "allow its address"},
		{"no TLS", "https" + strings.TrimPrefix(plain, "http"), FaultNotTLS, "http://"},
		{"TLS", "http" + strings.TrimPrefix(secure, "https"), FaultStatus, "https://"},
		{"unknown authority", secure, FaultAuthority, "whole chain"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := testClient(t, ClientConfig{}).Probe(t.Context(), endpointOf(row.url))
			checkProbeError(t, err, row.fault, row.text)
		})
	}
}

// tlsServer serves BBB's index with a certificate, that of httptest if nil.
func tlsServer(t *testing.T, cert *tls.Certificate) string {
	t.Helper()
	server := httptest.NewUnstartedServer(fakeBBB(SHA256))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if cert != nil {
		server.TLS = &tls.Config{Certificates: []tls.Certificate{*cert}}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

func TestProbeCertificates(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name, host string
		end        time.Time
		fault      Fault
		text       string
	}{
		{"good", "127.0.0.1", time.Now().Add(time.Hour), "", ""},
		{"expired", "127.0.0.1", time.Now().Add(-time.Hour), FaultExpired, "renew"},
		{"other host", "other.example.org", time.Now().Add(time.Hour), FaultHostname, "other.example.org"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cert, roots := certificate(t, row.host, row.end)
			transport := NewTransport(ClientConfig{})
			transport.TLSClientConfig = &tls.Config{RootCAs: roots}
			t.Cleanup(transport.CloseIdleConnections)
			c := NewClient(transport, ClientConfig{})
			_, err := c.Probe(t.Context(), endpointOf(tlsServer(t, cert)))
			if row.fault == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			checkProbeError(t, err, row.fault, row.text)
			if kind, ok := KindOf(err); !ok || kind != NotSent {
				t.Errorf("%v is %v", err, kind)
			}
		})
	}
}

// certificate makes a self-signed certificate for a host.
func certificate(t *testing.T, host string, end time.Time) (*tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host},
		NotBefore: end.Add(-24 * time.Hour), NotAfter: end,
		IsCA: true, BasicConstraintsValid: true, DNSNames: []string{host},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

func TestProbeNameAndTimeout(t *testing.T) {
	t.Parallel()
	config := ClientConfig{ConnectTimeout: quick}
	transport := NewTransport(config)
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	_, err := NewClient(transport, config).Probe(t.Context(), endpointOf("https://bbb.example.org"))
	checkProbeError(t, err, FaultName, "bbb.example.org does not resolve: check the spelling")
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	_, err = NewClient(transport, config).Probe(t.Context(), endpointOf("https://bbb.example.org"))
	checkProbeError(t, err, FaultTimeout, "firewall")
}

// TLS that hangs in the handshake is not sent either.
func TestCallHangingHandshake(t *testing.T) {
	t.Parallel()
	url := rawServer(t, func(c net.Conn, _ string) { untilClosed(c) })
	c := testClient(t, ClientConfig{ConnectTimeout: quick})
	_, err := c.Call(t.Context(), endpointOf("https"+strings.TrimPrefix(url, "http")), "create", ParseQuery("fullName="+shown), nil)
	checkCallError(t, err, "create", NotSent, "150ms")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is no timeout", err)
	}
}

// A handshake that is answered with nonsense, or cut, is not sent.
func TestCallBrokenHandshake(t *testing.T) {
	t.Parallel()
	for _, nonsense := range []string{"", "\x15\x03\x01\x00\x02\x02\x28", "nonsense nonsense"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		done := make(chan struct{})
		go func() {
			defer close(done)
			if c, err := l.Accept(); err == nil {
				_, _ = io.ReadFull(c, make([]byte, 16))
				_, _ = io.WriteString(c, nonsense)
				c.Close()
			}
		}()
		_, err = testClient(t, ClientConfig{}).Call(t.Context(), endpointOf("https://"+l.Addr().String()), "create", ParseQuery("fullName="+shown), nil)
		checkCallError(t, err, "create", NotSent, "")
		<-done
	}
}
