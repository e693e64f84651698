package web

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/recordings"
	"scalelite/store"
)

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
	insecure  sync.Once // see tellInsecure
	deflaters deflaters
	buffers   sync.Pool // see pacedWriter
	player    *playerAssets
	uploads   uploads
	callers   serverCalls
	retired   retirement
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

// Serve answers on ln until ctx ends, then lets running requests finish, see
// Retire, and returns. It closes ln. With Options.Certificates it speaks TLS.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	s.sweepUploads()
	server := &http.Server{Handler: s.echo, ConnContext: withConn}
	if s.options.Certificates != nil {
		server.TLSConfig = s.options.Certificates.config()
	}
	return s.serveOn(ctx, ln, server)
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
