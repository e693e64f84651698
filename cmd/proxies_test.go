package cmd

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"scalelite/balancer/bbb"
)

// proxyName is the public name in docs/proxies.md.
const proxyName = "lb.example.org"

// proxyPeer is the address that the clients of a proxy have: another one than
// the proxy's.
const proxyPeer = "127.0.0.9"

// proxies are those of docs/proxies.md: how each runs on a snippet, in the
// foreground, with its files in dir.
var proxies = map[string]struct {
	binary string
	config func(dir, snippet string) (file, text string)
	args   func(file string) []string
}{
	"nginx": {
		"nginx",
		func(dir, snippet string) (string, string) {
			temp := ""
			for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
				temp += fmt.Sprintf("%s_temp_path %s/%s;\n", what, dir, what)
			}
			return "nginx.conf", fmt.Sprintf("daemon off; pid %s/pid; error_log stderr;\nevents {}\nhttp {\naccess_log off;\n%s%s\n}\n", dir, temp, snippet)
		},
		func(file string) []string { return []string{"-c", file, "-e", "stderr"} },
	},
	"caddy": {
		"caddy",
		func(dir, snippet string) (string, string) {
			options := fmt.Sprintf("{\n\tadmin off\n\tauto_https disable_redirects\n\tstorage file_system %s/storage\n}\n", dir)
			return "Caddyfile", options + strings.Replace(snippet, proxyName+" {", proxyName+":443 {", 1)
		},
		func(file string) []string { return []string{"run", "--adapter", "caddyfile", "--config", file} },
	},
	"apache": {
		"apache2",
		func(dir, snippet string) (string, string) {
			var modules string
			for _, m := range []string{"mpm_event", "ssl", "proxy", "proxy_http", "headers", "alias", "authz_core", "socache_shmcb"} {
				modules += fmt.Sprintf("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", m, m)
			}
			return "apache.conf", fmt.Sprintf("ServerRoot %s\nServerName %s\nUser www-data\nGroup www-data\nPidFile %s/pid\nErrorLog /dev/stderr\nListen 127.0.0.1:80\nListen 127.0.0.1:443\n%s%s", dir, proxyName, dir, modules, snippet)
		},
		func(file string) []string { return []string{"-f", file, "-DFOREGROUND"} },
	},
}

// TestProxiesOfTheDocs runs what docs/proxies.md says with the proxies that are
// installed.
func TestProxiesOfTheDocs(t *testing.T) {
	t.Parallel()
	for name, proxy := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			binary, err := exec.LookPath(proxy.binary)
			if err != nil && os.Getenv("CI") == "true" {
				t.Fatal(proxy.binary + " is not installed")
			}
			if err != nil {
				t.Skip(proxy.binary + " is not installed")
			}
			p := newProcessWith(t, sections{web: fmt.Sprintf("host = %q", proxyName)})
			p.start()
			p.mustRun("recordings", "import", p.sampleTar())
			dir := p.path("proxy")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			file, text := proxy.config(dir, snippetOf(t, "../docs/proxies.md", name))
			public, plain := freeLoopback(t), freeLoopback(t)
			file = filepath.Join(dir, file)
			text = onThisMachine(t, text, dir, public, plain, strings.TrimPrefix(p.base, "http://"))
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			runProxy(t, binary, proxy.args(file), public)
			p.behindProxy(public)
			if name != "caddy" { // whose redirects need no line, and are switched off here
				leadsToHTTPS(t, plain)
			}
		})
	}
}

// snippetOf is the fenced block of a language in a document.
func snippetOf(t *testing.T, document, language string) string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "```"+language+"\n")
	snippet, _, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatalf("%s has no snippet for %s", document, language)
	}
	return snippet
}

// onThisMachine puts in what a snippet has to be told: where the service is, on
// which ports to listen, and a certificate.
func onThisMachine(t *testing.T, text, dir, public, plain, service string) string {
	t.Helper()
	_, port, _ := net.SplitHostPort(public)
	_, plain, _ = net.SplitHostPort(plain)
	certificate, key := proxyCertificate(t, dir)
	return strings.NewReplacer(
		"127.0.0.1:3000", service, "/etc/ssl/"+proxyName+".pem", certificate, "/etc/ssl/"+proxyName+".key", key,
		":443", ":"+port, "listen 443", "listen 127.0.0.1:"+port, "listen 80;", "listen 127.0.0.1:"+plain+";",
		"*:80>", "*:"+plain+">", "Listen 127.0.0.1:80\n", "Listen 127.0.0.1:"+plain+"\n",
	).Replace(text)
}

func proxyCertificate(t *testing.T, dir string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{proxyName}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}

// runProxy runs a proxy until the test ends, and returns when it listens.
func runProxy(t *testing.T, binary string, args []string, public string) {
	t.Helper()
	out := &lockedBuffer{}
	c := exec.Command(binary, args...)
	c.Stdout, c.Stderr = out, out
	c.Env = append(os.Environ(), "HOME="+t.TempDir())
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = c.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		<-ended
		if t.Failed() {
			t.Logf("output of the proxy:\n%s", out.tail())
		}
	})
	for deadline := time.Now().Add(time.Minute); ; {
		conn, err := net.Dial("tcp", public)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("the proxy ended:\n%s", out.tail())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("the proxy does not listen:\n%s", out.tail())
		}
	}
}

// leadsToHTTPS checks that plain HTTP is redirected, with path, query and method.
func leadsToHTTPS(t *testing.T, plain string) {
	t.Helper()
	const call = "/bigbluebutton/api/getMeetings?a=%2f%2F+%20&checksum=x"
	request, err := http.NewRequest("GET", "http://"+plain+call, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = proxyName
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if to := response.Header.Get("Location"); response.StatusCode != http.StatusPermanentRedirect || to != "https://"+proxyName+call {
		t.Errorf("plain HTTP: %s to %q", response.Status, to)
	}
}

// behindProxy checks that nothing is lost on the way through a proxy.
func (p *process) behindProxy(public string) {
	p.t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(proxyPeer)}}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: proxyName},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, public)
		},
	}}
	defer client.CloseIdleConnections()
	send := func(method, path string, body io.Reader, header http.Header) (int, string) {
		p.t.Helper()
		request, err := http.NewRequest(method, "https://"+proxyName+path, body)
		if err != nil {
			p.t.Fatal(err)
		}
		request.Header = header
		response, err := client.Do(request)
		if err != nil {
			p.t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			p.t.Fatal(err)
		}
		return response.StatusCode, string(text)
	}
	signed := func(call, query string) string {
		return "/bigbluebutton/api/" + call + "?" + bbb.Sign(bbb.SHA256, call, query, processSecret)
	}

	many := strings.TrimSuffix(strings.Repeat(sampleID+",", 500), ",")
	for _, query := range []string{"recordID=" + many, "recordID=" + sampleID + "&meta_x=", "recordID=" + sampleID + "&a=%2f%2F+%20;é&&b=%C3%A9~*'()"} {
		status, text := send("GET", signed("getRecordings", query), nil, nil)
		if found := strings.Contains(text, "https://"+proxyName+"/playback/"); status != http.StatusOK || !strings.Contains(text, "SUCCESS") || found == strings.Contains(query, "meta_x") {
			p.t.Errorf("getRecordings with %d bytes of query: %d %.300s", len(query), status, text)
		}
	}
	slides := `<?xml version="1.0"?><modules><module name="presentation"><document name="a.pdf">` + strings.Repeat("QUJD", 1<<20) + `</document></module></modules>`
	status, text := send("POST", signed("create", "meetingID=room"), strings.NewReader(slides), http.Header{"Content-Type": {"application/xml"}})
	if status != http.StatusOK || !strings.Contains(text, "Could not find any available servers.") {
		p.t.Errorf("create with slides: %d %.300s", status, text)
	}
	if status, text := send("GET", "/presentation/"+sampleID+"/metadata.xml", nil, http.Header{"Range": {"bytes=0-9"}}); status != http.StatusPartialContent || len(text) != 10 {
		p.t.Errorf("a range: %d %q", status, text)
	}
	send("GET", "/bigbluebutton/api/getMeetings?checksum=0123456789012345678901234567890123456789", nil, nil)
	if log := p.out.tail(); !strings.Contains(log, "addr="+proxyPeer) {
		p.t.Errorf("the log does not tell who called:\n%s", log)
	}
}
