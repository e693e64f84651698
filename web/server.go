package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/recordings"
	"scalelite/store"
)

// Limits of the listener. A create may ask three servers in turn, each of which
// may take its time: the answer's limit leaves room for that.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 60 * time.Second
	writeTimeout      = 3 * time.Minute
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// drainTimeout is how long a stop waits for running requests. A create that tries
// three servers may take most of it.
const drainTimeout = 110 * time.Second

// Options of New. Metrics may be nil.
type Options struct {
	Config  Config
	Version string
	Pool    *balancer.Balancer
	Store   *store.Store
	// Library and Spool are nil while recordings are switched off.
	Library    *recordings.Library
	Spool      *recordings.Spool
	Recordings recordings.Config
	// Player takes the place of ours; nil: ours.
	Player *InstalledPlayer
	// Certificates switch TLS on for Serve; nil: plain HTTP.
	Certificates *Certificates
	// Secrets are those that the front-ends sign with: Config.Secrets, or the
	// generated one.
	Secrets []bbb.Secret
	// Health reports why the service is not healthy.
	Health  func(ctx context.Context) error
	Metrics *Metrics
	Log     *slog.Logger
}

// Server answers everything that comes over HTTP.
type Server struct {
	options Options
	pool    *balancer.Balancer
	store   *store.Store
	library *recordings.Library
	spool   *recordings.Spool
	log     *slog.Logger
	metrics *Metrics
	limiter *failureLimiter
	trusted []*net.IPNet
	echo    *echo.Echo

	played    store.RecordingCache
	cookies   cookieKey
	deflaters deflaters
	player    *playerAssets
	uploads   uploads
	patience  time.Duration // see pacedWriter

	changing sync.Mutex // orders changes of live
	live     atomic.Pointer[liveConfig]
}

// liveConfig is what may change while requests are served.
type liveConfig struct {
	Config
	recordings recordings.Config
	languages  *languages
	frontends  bbb.Verifier
	management bbb.Verifier
	// fingerprints are those of the front-ends' secrets.
	fingerprints map[bbb.Secret]string
}

// fingerprint is that of a secret which has just verified, perhaps against the
// configuration before this one.
func (l *liveConfig) fingerprint(secret bbb.Secret) string {
	if known, ok := l.fingerprints[secret]; ok {
		return known
	}
	return secret.Fingerprint()
}

// New returns the server; Handler or Serve make it answer.
func New(o Options) *Server {
	s := &Server{
		options: o, pool: o.Pool, store: o.Store, library: o.Library, spool: o.Spool, log: o.Log, metrics: o.Metrics,
		limiter: newFailureLimiter(), trusted: networks(o.Config.TrustedProxies), echo: echo.New(),
		deflaters: newDeflaters(), player: newPlayerAssets(), patience: stallTimeout,
	}
	s.configure(o.Config, o.Recordings, o.Secrets)
	s.routes()
	return s
}

// SetSecrets replaces the secrets of the front-ends for the requests to come.
func (s *Server) SetSecrets(secrets []bbb.Secret) {
	s.changing.Lock()
	defer s.changing.Unlock()
	live := s.live.Load()
	s.configure(live.Config, live.recordings, secrets)
}

// Secrets returns those of the front-ends that count now.
func (s *Server) Secrets() []bbb.Secret { return s.live.Load().frontends.Secrets }

// Reconfigure takes over what may change while running; secrets are those of
// the front-ends. The listener's address, trusted_proxies, the admin socket, and
// recordings.formats and player_dir stay as they are.
func (s *Server) Reconfigure(c Config, r recordings.Config, secrets []bbb.Secret) {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.configure(c, r, secrets)
}

// recordingsConfig is what holds for recordings now.
func (s *Server) recordingsConfig() recordings.Config { return s.live.Load().recordings }

func (s *Server) configure(c Config, r recordings.Config, secrets []bbb.Secret) {
	live := &liveConfig{Config: c, recordings: r, languages: s.loadLanguages(c)}
	live.fingerprints = map[bbb.Secret]string{}
	for _, secret := range secrets {
		live.fingerprints[secret] = secret.Fingerprint()
	}
	live.frontends = bbb.Verifier{Secrets: secrets, Algorithms: c.Algorithms(), UnsignedBodies: c.UnsignedBodies}
	live.management = live.frontends
	if len(c.ManagementSecrets) > 0 {
		live.management.Secrets = c.ManagementSecrets
	}
	s.live.Store(live)
}

// Handler returns everything as one handler.
func (s *Server) Handler() http.Handler { return s.echo }

// Serve answers on ln until ctx ends, then lets running requests finish and
// returns. It closes ln. With Options.Certificates it speaks TLS.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	s.sweepUploads()
	server := &http.Server{Handler: s.echo, ConnContext: withConn}
	if s.options.Certificates != nil {
		server.TLSConfig = s.options.Certificates.config()
	}
	return s.serveOn(ctx, ln, server)
}

// serveOn is Serve for one server, whose limits it sets.
func (s *Server) serveOn(ctx context.Context, ln net.Listener, server *http.Server) error {
	server.ReadHeaderTimeout = readHeaderTimeout
	server.ReadTimeout = readTimeout
	server.WriteTimeout = writeTimeout
	server.IdleTimeout = idleTimeout
	server.MaxHeaderBytes = maxHeaderBytes
	server.ErrorLog = slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)
	serve := server.Serve
	if server.TLSConfig != nil {
		serve = func(ln net.Listener) error { return server.ServeTLS(ln, "", "") }
	}
	served := make(chan error, 1)
	go func() { served <- serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		// A client that dawdles is no failure of the stop.
		s.log.Warn("requests still ran and were cut", "after", drainTimeout.String())
		err = nil
	}
	return errors.Join(err, server.Close(), ignoreClosed(<-served))
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

const unixPrefix = "unix:"

// checkListen explains what is wrong with an address of web.listen.
func checkListen(addr string) error {
	if path, ok := strings.CutPrefix(addr, unixPrefix); ok {
		if path == "" {
			return errors.New("names no socket; write unix:/run/scalelite/web.sock")
		}
		return nil
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return fmt.Errorf("%q is no address; write \":3000\", \"127.0.0.1:3000\" or \"unix:/path\"", addr)
	}
	return nil
}

// Listen opens the address of web.listen. A socket that a dead process left is
// replaced, one that somebody answers on is not.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	var config net.ListenConfig
	path, ok := strings.CutPrefix(addr, unixPrefix)
	if !ok {
		ln, err := config.Listen(ctx, "tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("web.listen: %w", err)
		}
		return ln, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("web.listen: %w", err)
	}
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = conn.Close()
		return nil, fmt.Errorf("web.listen: %s is in use by a running process", path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("web.listen: remove a dead socket: %w", err)
		}
	}
	ln, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("web.listen: %w", err)
	}
	// The front proxy that connects to it runs as another user.
	if err := os.Chmod(path, 0o666); err != nil {
		return nil, errors.Join(fmt.Errorf("web.listen: %w", err), ln.Close())
	}
	return ln, nil
}

func networks(cidrs []string) []*net.IPNet {
	var all []*net.IPNet
	for _, cidr := range cidrs {
		if _, network, err := net.ParseCIDR(cidr); err == nil {
			all = append(all, network)
		}
	}
	return all
}
