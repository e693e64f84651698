package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// pebbleEnv names the binary of Pebble, Let's Encrypt's ACME server for tests.
// Without it the one of pebble.mod is built.
const pebbleEnv = "SCALELITE_PEBBLE"

// pebbleBinary returns the path of Pebble, or skips the test.
var pebbleBinary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(pebbleEnv); path != "" {
		return path, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "go", "tool", "-modfile=pebble.mod", "-n", "pebble")
	command.Dir = ".."
	out, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build pebble: %w: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1], nil
})

// pebble is a running ACME server, which looks at ports of this machine.
type pebble struct {
	directory string
	ca        string // file with the root of its own TLS
	roots     string // URL of the root of what it issues
	client    *http.Client
	out       *lockedLog
	stop      func()
}

// lockedLog is a log that is read while it is written.
type lockedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lockedLog) count(text string) int { return strings.Count(l.String(), text) }

// startPebble runs Pebble with certificates that live for so many seconds.
func startPebble(t *testing.T, http01, alpn01, seconds int) *pebble {
	t.Helper()
	path, err := pebbleBinary()
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("no ACME server to test against: %v", err)
	} else if err != nil {
		t.Skipf("no ACME server to test against: %v", err)
	}
	dir, out := t.TempDir(), &lockedLog{}
	files := pairFiles{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	cert, key := testPair(t, "the authority itself", soon(), "localhost")
	files.write(t, cert, key)
	names := startDNS(t) // before the free ports, of which it might take one
	listen, manage := "127.0.0.1:"+strconv.Itoa(freePort(t)), "127.0.0.1:"+strconv.Itoa(freePort(t))
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": manage,
		"certificate": files.cert, "privateKey": files.key,
		"httpPort": http01, "tlsPort": alpn01, "keyAlgorithm": "ecdsa",
		"retryAfter": map[string]int{"authz": 1, "order": 1},
		"profiles":   map[string]any{"default": map[string]any{"description": "the one", "validityPeriod": seconds}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	writeBytes(t, filepath.Join(dir, "pebble.json"), config)
	command := exec.Command(path, "-config", filepath.Join(dir, "pebble.json"), "-dnsserver", names)
	command.Stdout, command.Stderr = out, out
	command.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=5")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p := &pebble{
		directory: "https://" + listen + "/dir", ca: files.cert, roots: "https://" + manage + "/roots/0",
		client: &http.Client{Transport: trusting(cert, false), Timeout: 2 * time.Minute}, out: out,
	}
	p.stop = sync.OnceFunc(func() {
		p.client.CloseIdleConnections()
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("pebble:\n%s", out)
		}
	})
	until(t, "pebble answers", func() bool {
		for _, url := range []string{p.directory, p.roots} {
			response, err := p.client.Get(url)
			if err != nil {
				return false
			}
			_ = response.Body.Close()
		}
		return true
	})
	return p
}

// issued is the pool with the root that Pebble issues from.
func (p *pebble) issued(t *testing.T) *x509.CertPool {
	t.Helper()
	response, err := p.client.Get(p.roots)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(content) {
		t.Fatalf("root %q, %v", content, err)
	}
	return roots
}

// orders counts the orders that were placed.
func (p *pebble) orders() int { return p.out.count("Added order ") }

// freePort is one that nobody listens on, and that the kernel gives to no
// outgoing connection.
func freePort(t *testing.T) int {
	t.Helper()
	for {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		return port(ln)
	}
}

func listenLocal(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func port(ln net.Listener) int { return ln.Addr().(*net.TCPAddr).Port }

// startDNS answers over TCP, as Pebble asks, that every name is at 127.0.0.1,
// and returns its address.
func startDNS(t *testing.T) string {
	t.Helper()
	ln := listenLocal(t)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { serveDNS(conn) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		serving.Wait()
	})
	return ln.Addr().String()
}

// serveDNS answers the one query of a connection, which has its length in front
// (RFC 1035, section 4.2.2).
func serveDNS(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return
	}
	query := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, query); err != nil {
		return
	}
	answer := answerDNS(query)
	_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
}

func answerDNS(query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	m.Response, m.Additionals = true, nil
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
			Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
		}}
	}
	answer, err := m.Pack()
	if err != nil {
		return nil
	}
	return answer
}

// handshake connects and verifies as a browser would.
func handshake(address, host string, roots *x509.CertPool) (*x509.Certificate, error) {
	dialer := &tls.Dialer{
		NetDialer: &net.Dialer{Timeout: 2 * time.Minute},
		Config:    &tls.Config{ServerName: host, RootCAs: roots},
	}
	conn, err := dialer.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}
