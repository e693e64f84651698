package cmd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// writePair puts a certificate with this common name, and its key, in place.
func writePair(t *testing.T, cert, key, name string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour), DNSNames: []string{name},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// tlsProcess is a process with certificates from files, which p.base reaches
// over plain HTTP.
func tlsProcess(t *testing.T) (p *process, address, cert, key string) {
	t.Helper()
	p = newProcess(t, patientPool)
	address, plain := strings.TrimPrefix(p.base, "http://"), freeLoopback(t)
	p.base = "http://" + plain
	cert, key = filepath.Join(p.dir, "cert.pem"), filepath.Join(p.dir, "key.pem")
	writePair(t, cert, key, "first.test")
	content, err := os.ReadFile(p.config)
	if err != nil {
		t.Fatal(err)
	}
	keys := fmt.Sprintf("[web]\ntls = \"files\"\ntls_cert = %q\ntls_key = %q\nhttp_listen = %q\n", cert, key, plain)
	if err := os.WriteFile(p.config, []byte(strings.Replace(string(content), "[web]\n", keys, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return p, address, cert, key
}

// TestServesTLSFromFiles: the whole program, with a reload that finds a broken
// pair and one that finds a new one.
func TestServesTLSFromFiles(t *testing.T) {
	t.Parallel()
	p, address, cert, key := tlsProcess(t)
	p.start()
	shown := func() string {
		conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	if got := shown(); got != "first.test" {
		t.Errorf("certificate of %q", got)
	}
	response, err := p.client.Get(p.base + "/bigbluebutton/api?x=1")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if got, want := response.Header.Get("Location"), "https://"+address+"/bigbluebutton/api?x=1"; response.StatusCode != http.StatusMovedPermanently || got != want {
		t.Errorf("plain HTTP: %d to %q, want 301 to %q", response.StatusCode, got, want)
	}
	hangUp := func(told string) {
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, told, func() bool { return strings.Contains(p.out.tail(), told) })
	}
	if err := os.WriteFile(key, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	hangUp("certificate not taken up: the former one stays")
	if got := shown(); got != "first.test" {
		t.Errorf("after a broken pair: certificate of %q", got)
	}
	writePair(t, cert, key, "second.test")
	hangUp("certificate taken up")
	if got := shown(); got != "second.test" {
		t.Errorf("after a new pair: certificate of %q", got)
	}
	if err := p.stop(); err != nil {
		t.Errorf("the process ended with %v", err)
	}
}

// TestStartFailsOnTLS: what keeps the service from starting is told with its key
// and with what helps.
func TestStartFailsOnTLS(t *testing.T) {
	t.Parallel()
	t.Run("no pair", func(t *testing.T) {
		t.Parallel()
		p, _, cert, key := tlsProcess(t)
		writePair(t, cert, filepath.Join(p.dir, "other.pem"), "other.test")
		_, out, err := p.run("serve")
		if exitCode(err) != 1 {
			t.Errorf("ended with %v, want status 1", err)
		}
		for _, part := range []string{"web.tls_cert " + cert, "web.tls_key " + key, "are no pair", "; give the certificate"} {
			if !strings.Contains(out, part) {
				t.Errorf("output lacks %q:\n%s", part, out)
			}
		}
	})
	t.Run("port taken", func(t *testing.T) {
		t.Parallel()
		p, _, _, _ := tlsProcess(t)
		ln, err := net.Listen("tcp", strings.TrimPrefix(p.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		_, out, err := p.run("serve")
		if exitCode(err) != 1 || !strings.Contains(out, "web.http_listen: ") || !strings.Contains(out, "; free the port") {
			t.Errorf("ended with %v:\n%s", err, out)
		}
	})
}
