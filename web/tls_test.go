package web

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"scalelite/recordings"
)

const tlsHost = "lb.example.org"

// testPair makes a self-signed certificate for names; name is its common name,
// by which tests tell it from others.
func testPair(t testing.TB, name string, until time.Time, names ...string) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: until, DNSNames: names,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:        true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: bytes})
}

// pairFiles are a certificate and a key on disk.
type pairFiles struct{ cert, key string }

func newPairFiles(t testing.TB) pairFiles {
	dir := t.TempDir()
	return pairFiles{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
}

// write puts a new pair in place as acme clients do: file by file, by renaming.
func (p pairFiles) write(t testing.TB, cert, key []byte) {
	t.Helper()
	for file, content := range map[string][]byte{p.cert: cert, p.key: key} {
		if err := os.WriteFile(file+".new", content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
}

func (p pairFiles) config(c *Config) {
	c.TLS, c.TLSCert, c.TLSKey = TLSFiles, p.cert, p.key
}

// overTLS serves on certificates from files and returns the system and them. The
// client of the system trusts nothing but what dial finds out.
func overTLS(t testing.TB, p pairFiles, o settings) (*system, *fileCertificates) {
	t.Helper()
	extra := o.web
	o.noSync = true
	o.web = func(c *Config) {
		p.config(c)
		if extra != nil {
			extra(c)
		}
	}
	o.certificates = func(c Config, log *slog.Logger) *Certificates {
		certs, err := OpenCertificates(c, nil, log)
		if err != nil {
			t.Fatal(err)
		}
		certs.source.(*fileCertificates).every = 20 * time.Millisecond
		return certs
	}
	s := newSystem(t, o)
	return s, s.web.options.Certificates.source.(*fileCertificates)
}

// shown returns the certificate that a new connection gets.
func shown(t testing.TB, address, name string) (*x509.Certificate, error) {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, ServerName: name})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}

func mustShow(t testing.TB, address, name string) *x509.Certificate {
	t.Helper()
	cert, err := shown(t, address, name)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// until waits for a condition.
func until(t testing.TB, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// plainURL serves what web.http_listen does and returns its URL.
func plainURL(t testing.TB, s *Server) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ln, err := ListenPlain(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.ServePlain(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + ln.Addr().String()
}

// TestSpeaksModernTLS: 1.2 and above, HTTP/2 and 1.1, links with https; the
// answers of HTTP/2 are those of HTTP/1.1.
func TestSpeaksModernTLS(t *testing.T) {
	t.Parallel()
	p := newPairFiles(t)
	cert, key := testPair(t, "first", time.Now().Add(100*24*time.Hour), tlsHost)
	p.write(t, cert, key)
	s, _ := overTLS(t, p, settings{servers: 1})
	address := strings.TrimPrefix(s.url, "https://")
	for version, fine := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
		if (err == nil) != fine {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
	for _, h2 := range []bool{false, true} {
		s.client.Transport = trusting(cert, h2)
		response, err := s.client.Get(s.link("getMeetings"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || !strings.Contains(string(body), "SUCCESS") {
			t.Errorf("HTTP/2 %v: %s, %v", h2, body, err)
		}
		_ = response.Body.Close()
		if got := response.ProtoMajor == 2; got != h2 {
			t.Errorf("protocol %s, HTTP/2 wanted: %v", response.Proto, h2)
		}
		if got := response.Header.Get("Strict-Transport-Security"); got != "" {
			t.Errorf("HSTS without web.hsts: %q", got)
		}
		s.client.CloseIdleConnections()
	}
}

// trusting is a transport for our own certificate alone.
func trusting(cert []byte, h2 bool) *http.Transport {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	return &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: h2, MaxIdleConnsPerHost: 64,
	}
}

// TestHTTP2: what sets deadlines of its own works there too: large files, whole
// and in part, and large bodies.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	p := newPairFiles(t)
	cert, key := testPair(t, "first", time.Now().Add(100*24*time.Hour), tlsHost)
	p.write(t, cert, key)
	s, _ := overTLS(t, p, settings{servers: 1, recordings: func(*recordings.Config) {}})
	transport := trusting(cert, true)
	transport.DisableCompression = true
	s.client.Transport = transport
	film := strings.Repeat("0123456789abcdef", 1<<18) // 4 MiB
	s.keep(recordingID, map[string]string{"video/film.webm": film}, nil)
	path := "/video/" + recordingID + "/film.webm"
	if a := s.play("GET", path); a.status != 200 || string(a.body) != film {
		t.Errorf("whole file: %d, %d bytes", a.status, len(a.body))
	}
	if a := s.play("GET", path, "Range", "bytes=1000000-2999999"); a.status != 206 || string(a.body) != film[1000000:3000000] {
		t.Errorf("range: %d, %d bytes", a.status, len(a.body))
	}
	slides := "<modules><module name=\"presentation\"><document name=\"a.txt\">" + strings.Repeat("QUJD", 1<<18) + "</document></module></modules>"
	link := s.link("create", "meetingID", "class", "name", "Algebra", "attendeePW", "apw", "moderatorPW", "mpw")
	response, err := s.client.Post(link, "application/xml", strings.NewReader(slides))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || !strings.Contains(string(body), "SUCCESS") || response.ProtoMajor != 2 {
		t.Errorf("create with slides: %s %.200s, %v", response.Proto, body, err)
	}
	if got := len(s.asked(0, "create").Body); got != len(slides) {
		t.Errorf("the server got %d bytes of slides, want %d", got, len(slides))
	}
}

// TestHSTS: the header comes over TLS alone, on every answer, when it is asked
// for.
func TestHSTS(t *testing.T) {
	t.Parallel()
	p := newPairFiles(t)
	cert, key := testPair(t, "first", time.Now().Add(100*24*time.Hour), tlsHost)
	p.write(t, cert, key)
	s, _ := overTLS(t, p, settings{web: func(c *Config) { c.HSTS = true }})
	s.client.Transport = trusting(cert, false)
	plain := plainURL(t, s.web)
	for url, want := range map[string]string{
		s.url + "/health_check":         hstsForAYear,
		s.url + "/bigbluebutton/api/no": hstsForAYear,
		plain + "/health_check":         "",
		plain + "/bigbluebutton/api":    "",
	} {
		response, err := s.client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if got := response.Header.Get("Strict-Transport-Security"); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
	off := newSystem(t, settings{noSync: true, web: func(c *Config) { c.HSTS = true }})
	if got := off.fetch("GET", off.url+"/health_check", nil, nil).header.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("without TLS: %q", got)
	}
}

// TestPlainLeadsToTLS: everything but the health check is led to https, with its
// path, query and method, and never to a host that somebody made up (T62).
func TestPlainLeadsToTLS(t *testing.T) {
	t.Parallel()
	p := newPairFiles(t)
	cert, key := testPair(t, "first", time.Now().Add(100*24*time.Hour), tlsHost)
	p.write(t, cert, key)
	named, _ := overTLS(t, p, settings{web: func(c *Config) { c.Host, c.Listen, c.TrustedProxies = tlsHost, ":3000", nil }})
	anyName, _ := overTLS(t, p, settings{web: func(c *Config) { c.Listen = ":8443" }})
	usual, _ := overTLS(t, p, settings{web: func(c *Config) { c.Listen = "[::]:443" }})
	for name, test := range map[string]struct {
		s                         *system
		method, path, host, spoof string
		status                    int
		location                  string
	}{
		"get":         {named, "GET", "/playback/presentation/2.3/x?a=b%20c&d", tlsHost, "", 301, "https://lb.example.org/playback/presentation/2.3/x?a=b%20c&d"},
		"head":        {named, "HEAD", "/", "LB.example.org.:80", "", 301, "https://lb.example.org/"},
		"post":        {named, "POST", "/bigbluebutton/api/create?x=1", tlsHost, "", 308, "https://lb.example.org/bigbluebutton/api/create?x=1"},
		"put":         {named, "PUT", "/scalelite/api/x", tlsHost, "", 308, "https://lb.example.org/scalelite/api/x"},
		"two slashes": {named, "GET", "//evil.test/x", tlsHost, "", 301, "https://lb.example.org//evil.test/x"},
		"other host":  {named, "GET", "/x", "evil.test", "", 403, ""},
		"spoofed":     {named, "GET", "/x", tlsHost, "evil.test", 301, "https://lb.example.org/x"},
		"no health":   {named, "GET", "/health_check/x", tlsHost, "", 301, "https://lb.example.org/health_check/x"},
		"health":      {named, "GET", "/health_check", "10.0.0.1", "", 200, ""},
		"own port":    {anyName, "GET", "/x", "other.test:80", "", 301, "https://other.test:8443/x"},
		"own port 6":  {anyName, "GET", "/x", "[2001:db8::1]", "", 301, "https://[2001:db8::1]:8443/x"},
		"443":         {usual, "GET", "/x", "other.test:80", "", 301, "https://other.test/x"},
		"443 and 6":   {usual, "GET", "/x", "[2001:db8::1]:80", "", 301, "https://[2001:db8::1]/x"},
	} {
		base := plainURL(t, test.s.web)
		request, err := http.NewRequest(test.method, base+test.path, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		request.Host = test.host
		if test.spoof != "" {
			request.Header.Set("X-Forwarded-Host", test.spoof)
		}
		response, err := test.s.client.Do(request)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != test.status || response.Header.Get("Location") != test.location {
			t.Errorf("%s: %d to %q, want %d to %q", name, response.StatusCode, response.Header.Get("Location"), test.status, test.location)
		}
		if name == "health" && string(body) != "success" {
			t.Errorf("health: %q", body)
		}
	}
}

// TestTLSKeys: each problem names its key and what would be right.
func TestTLSKeys(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Config)
		want   []string // "key: part of the text"
	}{
		"default":        {func(*Config) {}, nil},
		"unknown":        {func(c *Config) { c.TLS = "on" }, []string{`web.tls: "on" is not known; use "off", "auto" or "files"`}},
		"no files":       {func(c *Config) { c.TLS = TLSFiles }, []string{"web.tls_cert: is empty", "web.tls_key: is empty"}},
		"no key":         {func(c *Config) { c.TLS, c.TLSCert = TLSFiles, "c" }, []string{"web.tls_key: is empty; web.tls = \"files\" needs both"}},
		"files":          {func(c *Config) { c.TLS, c.TLSCert, c.TLSKey = TLSFiles, "c", "k" }, nil},
		"no host":        {func(c *Config) { c.TLS = TLSAuto }, []string{"web.host: is empty; web.tls = \"auto\" needs"}},
		"address":        {func(c *Config) { c.TLS, c.Host = TLSAuto, "10.0.0.1" }, []string{"web.host: \"10.0.0.1\" gets no certificate"}},
		"one word":       {func(c *Config) { c.TLS, c.Host = TLSAuto, "lb" }, []string{"web.host: \"lb\" gets no certificate"}},
		"no name":        {func(c *Config) { c.TLS, c.Host = TLSAuto, "a_b.test" }, []string{"web.host: \"a_b.test\" is no name"}},
		"auto":           {func(c *Config) { c.TLS, c.Host, c.ACMEEmail = TLSAuto, tlsHost, "a@example.org" }, nil},
		"umlaut":         {func(c *Config) { c.TLS, c.Host = TLSAuto, "bücher.example.org" }, nil},
		"email":          {func(c *Config) { c.TLS, c.Host, c.ACMEEmail = TLSAuto, tlsHost, "A <a@b>" }, []string{"web.acme_email: is no mail address"}},
		"directory":      {func(c *Config) { c.TLS, c.Host, c.ACMEDirectory = TLSAuto, tlsHost, "http://x/" }, []string{"web.acme_directory: \"http://x/\" is no https address"}},
		"socket":         {func(c *Config) { c.TLS, c.TLSCert, c.TLSKey, c.Listen = TLSFiles, "c", "k", "unix:/s" }, []string{"web.listen: is a socket"}},
		"no plain":       {func(c *Config) { c.TLS, c.TLSCert, c.TLSKey, c.HTTPListen = TLSFiles, "c", "k", "" }, nil},
		"bad plain":      {func(c *Config) { c.TLS, c.TLSCert, c.TLSKey, c.HTTPListen = TLSFiles, "c", "k", "80" }, []string{"web.http_listen: \"80\" is no address"}},
		"one port":       {func(c *Config) { c.TLS, c.TLSCert, c.TLSKey, c.Listen = TLSFiles, "c", "k", ":80" }, []string{"web.http_listen: is the same as web.listen"}},
		"hsts alone":     {func(c *Config) { c.HSTS = true }, []string{"web.hsts: has no effect"}},
		"hsts and files": {func(c *Config) { c.TLS, c.TLSCert, c.TLSKey, c.HSTS = TLSFiles, "c", "k", true }, nil},
	} {
		c := DefaultConfig()
		test.change(&c)
		err := c.Validate()
		if (err == nil) != (test.want == nil) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
			continue
		}
		for _, part := range test.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v, want %q", name, err, part)
			}
		}
		if err != nil && strings.Count(err.Error(), "\n") != len(test.want)-1 {
			t.Errorf("%s: more than %q: %v", name, test.want, err)
		}
	}
}
