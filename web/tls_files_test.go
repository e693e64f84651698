package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// soon is when certificates of tests end.
func soon() time.Time { return time.Now().Add(100 * 24 * time.Hour) }

// TestSwapUnderLoad: 200 requests a second, over kept and over new connections,
// while the pair is swapped again and again: not one fails (T61).
func TestSwapUnderLoad(t *testing.T) {
	t.Parallel()
	p := newPairFiles(t)
	cert, key := testPair(t, "pair 0", soon(), tlsHost)
	p.write(t, cert, key)
	s, _ := overTLS(t, p, settings{})
	address := strings.TrimPrefix(s.url, "https://")

	var asked, failed atomic.Int64
	ctx, cancel := context.WithCancel(context.Background())
	var load sync.WaitGroup
	for n := range 4 {
		load.Go(func() {
			client := *s.client
			transport := trusting(nil, n%2 == 0)
			transport.TLSClientConfig.InsecureSkipVerify = true
			transport.DisableKeepAlives = n < 2
			client.Transport = transport
			defer client.CloseIdleConnections()
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				asked.Add(1)
				response, err := client.Get(s.link("getMeetings"))
				if err != nil {
					failed.Add(1)
					t.Errorf("request failed: %v", err)
					return
				}
				body, err := io.ReadAll(response.Body)
				_ = response.Body.Close()
				if err != nil || !bytes.Contains(body, []byte("SUCCESS")) {
					failed.Add(1)
					t.Errorf("answer %q, %v", body, err)
					return
				}
			}
		})
	}
	for _, name := range []string{"pair 1", "pair 2", "pair 3", "pair 4", "pair 5"} {
		cert, key := testPair(t, name, soon(), tlsHost)
		p.write(t, cert, key)
		until(t, name+" is shown", func() bool { return mustShow(t, address, tlsHost).Subject.CommonName == name })
	}
	until(t, "600 requests", func() bool { return asked.Load() >= 600 || failed.Load() > 0 })
	cancel()
	load.Wait()
	t.Logf("%d requests, %d failed", asked.Load(), failed.Load())
}

// TestTakenUpWithinAMinute: with the interval that the service runs with (T61),
// through links as certbot makes them.
func TestTakenUpWithinAMinute(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := pairFiles{filepath.Join(dir, "fullchain.pem"), filepath.Join(dir, "privkey.pem")}
	link := func(n string, until time.Time) {
		cert, key := testPair(t, n, until, tlsHost)
		for file, content := range map[string][]byte{p.cert: cert, p.key: key} {
			target := file + "." + n
			writeBytes(t, target, content)
			_ = os.Remove(file)
			if err := os.Symlink(target, file); err != nil {
				t.Fatal(err)
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		link("one", soon())
		c := DefaultConfig()
		p.config(&c)
		f, err := openFiles(c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { f.run(ctx) })
		link("two", soon())
		began := time.Now()
		for name(f) != "two" {
			if time.Since(began) > time.Minute {
				t.Fatal("not taken up within a minute")
			}
			time.Sleep(time.Second)
		}
		cancel()
		running.Wait()
	})
}

func name(f *fileCertificates) string { return f.current.Load().Leaf.Subject.CommonName }

func writeBytes(t testing.TB, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// openPair opens the files with a log.
func openPair(t *testing.T, p pairFiles, host string) (*fileCertificates, *bytes.Buffer, error) {
	t.Helper()
	var log bytes.Buffer
	c := DefaultConfig()
	p.config(&c)
	c.Host = host
	f, err := openFiles(c, slog.New(slog.NewTextHandler(&log, nil)))
	return f, &log, err
}

// TestBadPairKept: what is no pair is told once and changes nothing, until the
// files are good again.
func TestBadPairKept(t *testing.T) {
	t.Parallel()
	p := newPairFiles(t)
	cert, key := testPair(t, "good", soon(), tlsHost)
	p.write(t, cert, key)
	f, log, err := openPair(t, p, tlsHost)
	if err != nil {
		t.Fatal(err)
	}
	otherCert, otherKey := testPair(t, "other", soon(), tlsHost)
	for what, bad := range map[string]func(){
		"half a pair": func() { writeBytes(t, p.cert, otherCert) },
		"no PEM":      func() { writeBytes(t, p.cert, []byte("nonsense")) },
		"cut short":   func() { writeBytes(t, p.cert, cert[:len(cert)/2]) },
		"no key":      func() { _ = os.Remove(p.key) },
		"empty":       func() { writeBytes(t, p.key, nil) },
	} {
		log.Reset()
		bad()
		for range 3 {
			f.look()
		}
		if n := strings.Count(log.String(), "the former one stays"); n != 1 {
			t.Errorf("%s: told %d times:\n%s", what, n, log)
		}
		if !strings.Contains(log.String(), p.cert) || !strings.Contains(log.String(), p.key) {
			t.Errorf("%s: the log does not name both files:\n%s", what, log)
		}
		if name(f) != "good" {
			t.Fatalf("%s: %q is served", what, name(f))
		}
		p.write(t, cert, key)
		f.look()
	}
	p.write(t, otherCert, otherKey)
	f.look()
	if name(f) != "other" {
		t.Errorf("the new pair was not taken up: %q", name(f))
	}
}

// TestOtherFiles: a reload may name other files, and looks at once.
func TestOtherFiles(t *testing.T) {
	t.Parallel()
	p, q := newPairFiles(t), newPairFiles(t)
	cert, key := testPair(t, "first", soon(), tlsHost)
	p.write(t, cert, key)
	f, _, err := openPair(t, p, "")
	if err != nil {
		t.Fatal(err)
	}
	cert, key = testPair(t, "second", soon(), tlsHost)
	q.write(t, cert, key)
	certs := &Certificates{source: f, mode: TLSFiles}
	c := DefaultConfig()
	q.config(&c)
	certs.Reconfigure(c)
	if name(f) != "second" {
		t.Errorf("%q is served", name(f))
	}
	c.TLS, c.TLSCert = TLSOff, ""
	certs.Reconfigure(c) // waits for a restart
	if name(f) != "second" || f.config.TLSCert != q.cert {
		t.Errorf("another web.tls took effect: %q, %q", name(f), f.config.TLSCert)
	}
}

// TestUnusablePairAtStart: the start fails, and tells which files.
func TestUnusablePairAtStart(t *testing.T) {
	t.Parallel()
	cert, key := testPair(t, "one", soon(), tlsHost)
	_, otherKey := testPair(t, "two", soon(), tlsHost)
	for what, test := range map[string]struct {
		cert, key []byte
		want      string
	}{
		"another's key": {cert, otherKey, "are no pair"},
		"swapped":       {key, cert, "are no pair"},
		"missing cert":  {nil, key, "web.tls_cert: open"},
		"missing key":   {cert, nil, "web.tls_key: open"},
	} {
		p := newPairFiles(t)
		if test.cert != nil {
			writeBytes(t, p.cert, test.cert)
		}
		if test.key != nil {
			writeBytes(t, p.key, test.key)
		}
		_, _, err := openPair(t, p, "")
		if err == nil {
			t.Errorf("%s: opened", what)
			continue
		}
		for _, part := range []string{test.want, p.cert, p.key, ";"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v; want %q", what, err, part)
			}
		}
	}
}

// TestDoubtfulCertificates are served, and the log warns.
func TestDoubtfulCertificates(t *testing.T) {
	t.Parallel()
	for want, test := range map[string]struct {
		until time.Time
		host  string
	}{
		"has expired":      {time.Now().Add(-time.Hour), tlsHost},
		"expires soon":     {time.Now().Add(48 * time.Hour), tlsHost},
		"not for web.host": {soon(), "other.example.org"},
		"":                 {soon(), tlsHost},
	} {
		p := newPairFiles(t)
		cert, key := testPair(t, "it", test.until, tlsHost)
		p.write(t, cert, key)
		f, log, err := openPair(t, p, test.host)
		if err != nil {
			t.Fatal(err)
		}
		f.expiring() // says it once
		if got := strings.Count(log.String(), "level=WARN"); got != min(1, len(want)) || !strings.Contains(log.String(), want) {
			t.Errorf("want %q:\n%s", want, log)
		}
		if pair, err := f.get(&tls.ClientHelloInfo{}); err != nil || pair == nil {
			t.Errorf("%q: not served: %v", want, err)
		}
	}
}
