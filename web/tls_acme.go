package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"scalelite/store"
)

// exchangeTimeout bounds one request to the authority.
const exchangeTimeout = 30 * time.Second

// acmeCertificates are those of web.tls = "auto". Its run alone asks for a first
// certificate, so that visitors of a broken setup do not use up what the
// authority allows; autocert renews what there is.
type acmeCertificates struct {
	config    Config
	log       *slog.Logger
	cache     *certificateCache
	transport http.RoundTripper

	host    atomic.Pointer[string] // as certificates have it
	current atomic.Pointer[attempt]
	again   chan struct{} // asks run for another attempt

	mu   sync.Mutex
	said map[failure]time.Time // failures that the log has told
}

// attempt is one try to get the certificate, with the manager that made it. A
// manager that failed remembers it; the next attempt has a new one.
type attempt struct {
	manager *autocert.Manager
	witness *witness
	host    string
	done    chan struct{} // closed when err is known
	err     error
}

func openACME(c Config, s *store.Store, log *slog.Logger) (*acmeCertificates, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if c.ACMECA != "" {
		roots, err := rootsWith(c.ACMECA)
		if err != nil {
			return nil, fmt.Errorf("web.acme_ca: %w", err)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	a := &acmeCertificates{
		config: c, log: log, transport: transport,
		again: make(chan struct{}, 1), said: map[failure]time.Time{},
	}
	a.cache = &certificateCache{
		store: s, issuer: c.ACMEDirectory, host: a.name, log: log,
		got: func() { a.current.Load().witness.forget() },
	}
	a.rename(c)
	a.current.Store(a.attempt())
	return a, nil
}

func rootsWith(file string) (*x509.CertPool, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("%s holds no certificate; give the root of the private ACME directory as PEM", file)
	}
	return roots, nil
}

func (a *acmeCertificates) name() string { return *a.host.Load() }

// rename takes over web.host and reports whether it is another one.
func (a *acmeCertificates) rename(c Config) bool {
	host, err := asciiHost(c.Host)
	if err != nil {
		host = "" // which Validate refuses
	}
	former := a.host.Swap(&host)
	return former == nil || *former != host
}

func (a *acmeCertificates) attempt() *attempt {
	try := &attempt{witness: newWitness(a.transport, a.tell), host: a.name(), done: make(chan struct{})}
	try.manager = &autocert.Manager{
		Prompt: autocert.AcceptTOS,
		Cache:  a.cache,
		Client: &acme.Client{
			DirectoryURL: a.config.ACMEDirectory, UserAgent: "scalelite",
			HTTPClient: &http.Client{Transport: try.witness, Timeout: exchangeTimeout},
		},
		Email:      a.config.ACMEEmail,
		HostPolicy: func(_ context.Context, host string) error { return a.allowed(host) },
	}
	if a.config.HTTPListen != "" {
		try.manager.HTTPHandler(nil) // has it try http-01 too
	}
	return try
}

var errOtherName = errors.New("this name is not served here")

// allowed refuses other names than web.host: nobody may have us ask for
// certificates of theirs.
func (a *acmeCertificates) allowed(host string) error {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if name, err := asciiHost(host); err == nil && name != "" && name == a.name() {
		return nil
	}
	return errOtherName
}

// get waits for an attempt that is under way, as long as the handshake may take.
// Who names no host, as those do who connect to an address, gets the certificate
// of web.host.
func (a *acmeCertificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	current := a.current.Load()
	if asksForToken(hello) {
		return current.manager.GetCertificate(hello)
	}
	if hello.ServerName != "" {
		if err := a.allowed(hello.ServerName); err != nil {
			return nil, err
		}
	}
	select {
	case <-current.done:
	case <-hello.Context().Done():
		return nil, hello.Context().Err()
	}
	if current.err != nil {
		return nil, fmt.Errorf("no certificate yet: %w", current.err)
	}
	return current.certificate()
}

// asksForToken tells the authority that looks by tls-alpn-01 (RFC 8737, section
// 3).
func asksForToken(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acme.ALPNProto
}

// certificate has autocert give the certificate, an ECDSA one: asked on behalf of
// a client that takes RSA alone, it would order a second.
func (try *attempt) certificate() (*tls.Certificate, error) {
	return try.manager.GetCertificate(&tls.ClientHelloInfo{
		ServerName:       try.host,
		CipherSuites:     []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
		SupportedCurves:  []tls.CurveID{tls.CurveP256},
	})
}

// answer answers http-01.
func (a *acmeCertificates) answer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.current.Load().manager.HTTPHandler(next).ServeHTTP(w, r)
	})
}

// reconfigure has run try again if the host changed or the last attempt failed.
func (a *acmeCertificates) reconfigure(c Config) {
	wanted := a.rename(c)
	current := a.current.Load()
	select {
	case <-current.done:
		wanted = wanted || current.err != nil
	default:
	}
	if !wanted {
		return
	}
	select {
	case a.again <- struct{}{}:
	default:
	}
}
