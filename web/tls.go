package web

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
	"golang.org/x/crypto/acme"
	"golang.org/x/net/idna"

	"scalelite/store"
)

// certificateSource is where the certificates of the listener come from.
type certificateSource interface {
	// get returns the certificate for one handshake.
	get(hello *tls.ClientHelloInfo) (*tls.Certificate, error)
	// run keeps the certificates fresh until ctx ends.
	run(ctx context.Context)
	// reconfigure takes over what may change while running, and looks again.
	reconfigure(c Config)
	// answer puts what the source itself has to answer over plain HTTP in front
	// of next.
	answer(next http.Handler) http.Handler
}

// Certificates are what the listener shows to those who connect over TLS.
type Certificates struct {
	source certificateSource
	mode   string   // web.tls
	protos []string // that the listener speaks, for ALPN
}

// OpenCertificates prepares what web.tls asks for, or returns nil if that is
// "off". With "files" the pair must be there and belong together; with "auto"
// nothing is asked of the authority before Run.
func OpenCertificates(c Config, s *store.Store, log *slog.Logger) (*Certificates, error) {
	switch c.TLS {
	case TLSFiles:
		source, err := openFiles(c, log)
		if err != nil {
			return nil, err
		}
		return &Certificates{source, c.TLS, []string{"h2", "http/1.1"}}, nil
	case TLSAuto:
		source, err := openACMENames(c, s, log)
		if err != nil {
			return nil, err
		}
		return &Certificates{source, c.TLS, []string{"h2", "http/1.1", acme.ALPNProto}}, nil
	}
	return nil, nil
}

// Run keeps the certificates fresh until ctx ends: it watches the files, or
// obtains and renews by ACME.
func (c *Certificates) Run(ctx context.Context) { c.source.run(ctx) }

// Reconfigure takes over another web.host, web.tls_cert and web.tls_key, and
// looks for new certificates at once. Handshakes go on meanwhile. Another web.tls
// is for the next start.
func (c *Certificates) Reconfigure(config Config) {
	if config.TLS == c.mode {
		c.source.reconfigure(config)
	}
}

// config is that of the listener. Curves and ciphers are the standard
// library's, which change with the state of the art.
func (c *Certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: c.source.get,
		NextProtos:     c.protos,
	}
}

// asciiHost is the name as certificates have it.
func asciiHost(name string) (string, error) {
	return idna.Lookup.ToASCII(strings.TrimSuffix(name, "."))
}

// hstsForAYear is sent over TLS alone (RFC 6797, section 7.2).
const hstsForAYear = "max-age=31536000"

func (s *Server) strictTransport(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().TLS != nil && s.live.Load().HSTS {
			c.Response().Header().Set("Strict-Transport-Security", hstsForAYear)
		}
		return next(c)
	}
}

// ListenPlain opens the address of web.http_listen.
func ListenPlain(ctx context.Context, addr string) (net.Listener, error) {
	var config net.ListenConfig
	ln, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("web.http_listen: %w; free the port, name another one, or set it to \"\" for none", err)
	}
	return ln, nil
}

// ServePlain answers on ln, the listener of web.http_listen, until ctx ends: the
// authority's questions, the health check, and that everything else is to be had
// over TLS. It closes ln.
func (s *Server) ServePlain(ctx context.Context, ln net.Listener) error {
	return s.serveOn(ctx, ln, &http.Server{Handler: s.plain()})
}

// plain is what web.http_listen answers.
func (s *Server) plain() http.Handler {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.onError
	e.IPExtractor = s.echo.IPExtractor
	e.Use(s.recovered, s.hostChecked)
	e.Match([]string{http.MethodGet, http.MethodHead}, "/health_check", s.health)
	e.RouteNotFound("/*", s.toTLS)
	if s.options.Certificates == nil {
		return e
	}
	return s.options.Certificates.source.answer(e)
}

// toTLS leads to the same place over TLS. GET and HEAD get the redirect that
// every client knows; what has a body gets 308, which keeps method and body.
func (s *Server) toTLS(c echo.Context) error {
	request := c.Request()
	status := http.StatusPermanentRedirect
	if request.Method == http.MethodGet || request.Method == http.MethodHead {
		status = http.StatusMovedPermanently
	}
	// Browsers would remember it for ever, also when TLS is switched off again.
	c.Response().Header().Set("Cache-Control", "max-age=3600")
	return c.Redirect(status, "https://"+s.authority(c)+request.URL.RequestURI())
}

// authority is where TLS is served: web.host, at the port that all links of
// answers lead to; without one, the host that was asked at our own port.
func (s *Server) authority(c echo.Context) string {
	if host := s.live.Load().Host; host != "" {
		return strings.TrimSuffix(host, ".")
	}
	host := s.host(c)
	_, port, err := net.SplitHostPort(s.options.Config.Listen)
	switch {
	case err == nil && port != "443":
		return net.JoinHostPort(host, port)
	case strings.Contains(host, ":"):
		return "[" + host + "]"
	}
	return host
}
