package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// filesEvery is how often the files are looked at. A look costs two stats,
	// and unlike events it sees through links and works on every file system.
	filesEvery = 10 * time.Second
	// expiryNotice is how long before its end the log begins to warn, once in
	// expiryAgain.
	expiryNotice = 14 * 24 * time.Hour
	expiryAgain  = 24 * time.Hour
)

// fileCertificates are those of web.tls = "files".
type fileCertificates struct {
	log     *slog.Logger
	every   time.Duration
	current atomic.Pointer[tls.Certificate]

	mu     sync.Mutex
	config Config
	seen   [2]fileState // of certificate and key when they were last read
	warned time.Time
}

// fileState tells one content of a file from the next; the zero value stands for
// one that cannot be seen.
type fileState struct {
	size  int64
	mtime time.Time
	info  fs.FileInfo
}

func fileStateOf(file string) fileState {
	info, err := os.Stat(file)
	if err != nil {
		return fileState{}
	}
	return fileState{size: info.Size(), mtime: info.ModTime(), info: info}
}

func (a fileState) same(b fileState) bool {
	if a.info == nil || b.info == nil {
		return a.info == nil && b.info == nil
	}
	return a.size == b.size && a.mtime.Equal(b.mtime) && os.SameFile(a.info, b.info)
}

func openFiles(c Config, log *slog.Logger) (*fileCertificates, error) {
	f := &fileCertificates{log: log, every: filesEvery, config: c}
	if err := f.load(); err != nil {
		return nil, err
	}
	f.expiring()
	return f, nil
}

func (f *fileCertificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return f.current.Load(), nil
}

func (f *fileCertificates) answer(next http.Handler) http.Handler { return next }

func (f *fileCertificates) run(ctx context.Context) {
	tick := time.NewTicker(f.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		f.mu.Lock()
		f.look()
		f.expiring()
		f.mu.Unlock()
	}
}

func (f *fileCertificates) reconfigure(c Config) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.TLSCert != f.config.TLSCert || c.TLSKey != f.config.TLSKey {
		f.seen = [2]fileState{}
	}
	f.config = c
	f.look()
}

// look takes up a pair that has changed. One that is no good is told once, and
// the former one stays.
func (f *fileCertificates) look() {
	if f.seen[0].same(fileStateOf(f.config.TLSCert)) && f.seen[1].same(fileStateOf(f.config.TLSKey)) {
		return
	}
	if err := f.load(); err != nil {
		f.log.Error("certificate not taken up: the former one stays", "cause", err)
		return
	}
	leaf := f.current.Load().Leaf
	f.log.Info("certificate taken up", "file", f.config.TLSCert, "expires", leaf.NotAfter.UTC().Format(time.RFC3339))
	f.warned = time.Time{}
	f.expiring()
}

// load reads the pair. What changes while it is read is seen by the next look.
func (f *fileCertificates) load() error {
	certFile, keyFile := f.config.TLSCert, f.config.TLSKey
	f.seen = [2]fileState{fileStateOf(certFile), fileStateOf(keyFile)}
	chain, err := os.ReadFile(certFile)
	if err != nil {
		return fmt.Errorf("web.tls_cert: %w; the service's user must be able to read it (the key is web.tls_key, %s)", err, keyFile)
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return fmt.Errorf("web.tls_key: %w; the service's user must be able to read it (the certificate is web.tls_cert, %s)", err, certFile)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return fmt.Errorf("web.tls_cert %s and web.tls_key %s are no pair: %s; "+
			"give the certificate with its chain, and the key that it was made with, unencrypted, both as PEM",
			certFile, keyFile, strings.TrimPrefix(err.Error(), "tls: "))
	}
	f.current.Store(&pair)
	return nil
}

// expiring warns of a certificate that is of no use to those who connect.
func (f *fileCertificates) expiring() {
	if !f.warned.IsZero() && time.Since(f.warned) < expiryAgain {
		return
	}
	if warnOf(f.log, f.current.Load().Leaf, f.config.Host, expiryNotice) {
		f.warned = time.Now()
	}
}

// warnOf logs what is wrong with a certificate, and reports whether anything is.
func warnOf(log *slog.Logger, leaf *x509.Certificate, host string, notice time.Duration) bool {
	left, until := time.Until(leaf.NotAfter), leaf.NotAfter.UTC().Format(time.RFC3339)
	switch {
	case left <= 0:
		log.Warn("the certificate has expired: nobody can connect without a warning; put a new one in its place", "expired", until)
	case time.Until(leaf.NotBefore) > 0:
		log.Warn("the certificate is not valid yet: check the clock of this machine", "valid_from", leaf.NotBefore.UTC().Format(time.RFC3339))
	case left < notice:
		log.Warn("the certificate expires soon", "expires", until)
	case host != "" && leaf.VerifyHostname(host) != nil:
		log.Warn("the certificate is not for web.host", "host", host, "names", strings.Join(leaf.DNSNames, " "))
	default:
		return false
	}
	return true
}
