package cmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"scalelite/balancer/bbb"
	"scalelite/cmd/config"
	"scalelite/cmd/systemd"
	"scalelite/recordings"
	"scalelite/store/backup"
	"scalelite/web"
	"scalelite/web/admin"
)

// adminGroup may use the admin socket.
const adminGroup = "scalelite"

// stopBudget is how long a stop may take: two minutes for imports, then what
// commands are doing through the admin socket, then the last requests. The unit
// grants more (TimeoutStopSec).
const stopBudget = 150 * time.Second

// service is the running program. Each part registers how it is stopped as soon
// as it runs. A stop goes through the stages backwards, and ends the parts of
// one together.
type service struct {
	log    *slog.Logger
	loaded *config.Loaded
	core   *core
	web    *web.Server
	certs  *web.Certificates // nil without TLS
	admin  *admin.Local
	// backups makes them.
	backups *backup.Keeper
	addr    net.Addr // of the HTTP listener
	watch   *watch
	stages  [][]stop
	// failed gets the error of a part that ended by itself.
	failed chan error
}

// stop is how one part ends.
type stop struct {
	name string
	do   func() error
}

// stage begins a new stage: what is started from here on stands on what was
// started before, and is stopped first.
func (s *service) stage() { s.stages = append(s.stages, nil) }

func (s *service) onStop(name string, do func() error) {
	last := len(s.stages) - 1
	s.stages[last] = append(s.stages[last], stop{name, do})
}

// startService brings everything up, in the order of dependence: database and
// pool, HTTP, admin socket, and the parts that work by themselves. Callers who
// wait at a socket that manager has kept are so answered soon, and at a stop
// until everything else has come to its end. If a part fails, those that run are
// stopped.
func startService(ctx context.Context, l *config.Loaded, manager *systemd.Manager, log *slog.Logger) (s *service, err error) {
	s = &service{log: log, loaded: l, failed: make(chan error, 16), watch: newWatch(manager, l.Config, log)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	metrics := web.NewMetrics(build().Version)
	s.stage()
	if s.core, err = openCore(ctx, l, log, s.watch.hooks(metrics.Hooks())); err != nil {
		return s, err
	}
	s.onStop("database", s.core.close)
	metrics.Watch(s.core.pool)
	if err := s.core.openRecordings(ctx, l, log, s.frontendSecrets, metrics.CountImports); err != nil {
		return s, err
	}
	if s.certs, err = web.OpenCertificates(l.Config.Web, s.core.store, log.With("component", "tls")); err != nil {
		return s, err
	}
	player, err := openPlayer(l.Config.Recordings)
	if err != nil {
		return s, err
	}
	s.onStop("player", player.Close)
	s.web = web.New(web.Options{
		Certificates: s.certs,
		Config:       l.Config.Web, Version: build().Version, Pool: s.core.pool, Secrets: s.core.secrets,
		Health: s.healthy, Metrics: metrics, Log: log.With("component", "web"),
		Store: s.core.store, Library: s.core.library, Spool: s.core.spool, Recordings: l.Config.Recordings,
		Player: player,
	})
	doors, err := openDoors(ctx, l.Config.Web, manager, log)
	if err != nil {
		return s, err
	}
	s.addr = doors.main.Addr()
	s.startHTTP(ctx, doors)
	s.stage()
	if err := s.startBackups(ctx, metrics); err != nil {
		return s, err
	}
	s.stage()
	if err := s.startAdmin(ctx, metrics); err != nil {
		return s, err
	}
	s.stage()
	if err := s.startWork(ctx); err != nil {
		return s, err
	}
	log.Info("listening", "address", s.addr.String(), "tls", l.Config.Web.TLS, "version", build().Version, "database", l.Config.Store.Path)
	return s, nil
}

// openPlayer opens the player that the operator installed, if there is one.
func openPlayer(c recordings.Config) (*web.InstalledPlayer, error) {
	if !c.Enabled {
		return nil, nil
	}
	return web.OpenPlayer(c.PlayerDir)
}

// startHTTP serves, and watches that it does.
func (s *service) startHTTP(ctx context.Context, d doors) {
	s.stage()
	s.watch.probe = s.vitals
	s.run(ctx, "watch", s.watch.run)
	s.stage()
	s.run(ctx, "http", func(ctx context.Context) error { return s.web.Serve(ctx, d.main) })
	if d.plain != nil {
		s.run(ctx, "plain http", func(ctx context.Context) error { return s.web.ServePlain(ctx, d.plain) })
		s.log.Info("listening for plain HTTP", "address", d.plain.Addr().String())
	}
}

// startWork starts what works by itself: on the certificates, for which the
// authority knocks at our door, on the recordings, and on the pool.
func (s *service) startWork(ctx context.Context) error {
	if s.certs != nil {
		s.run(ctx, "certificates", func(ctx context.Context) error { s.certs.Run(ctx); return nil })
	}
	if err := s.startRecordings(ctx); err != nil {
		return err
	}
	s.run(ctx, "polls", func(ctx context.Context) error { s.core.pool.Run(ctx); return nil })
	return nil
}

// frontendSecrets are the secrets that count now.
func (s *service) frontendSecrets() []bbb.Secret { return s.web.Secrets() }

// healthy reports why the service is not: the database, or the spool.
func (s *service) healthy(ctx context.Context) error {
	if err := s.core.store.Healthy(ctx); err != nil {
		return err
	}
	if s.core.spool == nil {
		return nil
	}
	return s.core.spool.Writable()
}

// startRecordings starts the spool, the callbacks and the daily jobs.
func (s *service) startRecordings(ctx context.Context) error {
	if s.core.library == nil {
		return nil
	}
	jobs, err := newJobs(s.loaded.Config.Recordings.RetentionSchedule, s.log.With("component", "jobs"), s.core, s.web)
	if err != nil {
		return err
	}
	s.run(ctx, "callbacks", func(ctx context.Context) error { s.core.outbox.Run(ctx); return nil })
	s.run(ctx, "spool", func(ctx context.Context) error { s.core.spool.Run(ctx); return nil })
	s.run(ctx, "jobs", jobs.run)
	return nil
}

func (s *service) startAdmin(ctx context.Context, metrics *web.Metrics) error {
	socket := s.loaded.Config.Web.AdminSocket
	ln, err := admin.Listen(socket, adminGroup)
	if err != nil {
		return fmt.Errorf("web.admin_socket: %w", err)
	}
	s.admin = admin.NewLocal(admin.LocalOptions{
		Pool: s.core.pool, Store: s.core.store,
		Library: s.core.library, Spool: s.core.spool, Outbox: s.core.outbox,
		Info: admin.Info{
			Version: build().Version, Daemon: true, Started: time.Now().UTC().Format(time.RFC3339),
			Listen: s.addr.String(), Host: s.loaded.Config.Web.Host,
		},
		Backup:            s.backupInfo,
		ConfiguredSecrets: s.loaded.Config.Web.Secrets,
		OnSecrets:         s.web.SetSecrets,
		Certificate:       s.certificateState(),
		Calls:             s.serverCalls,
	})
	metrics.WatchRecordings(s.admin)
	handler := admin.NewHandler(s.admin, admin.HandlerOptions{
		Log: s.log.With("component", "admin"), Metrics: metrics.Handler(), Version: build().Version,
	})
	s.run(ctx, "admin socket", func(ctx context.Context) error { return admin.Serve(ctx, ln, handler) })
	return nil
}

// run starts a part that works until its context ends, and has the stop end it
// and wait for it.
func (s *service) run(ctx context.Context, name string, part func(ctx context.Context) error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() {
		err := part(ctx)
		if ctx.Err() == nil {
			s.failed <- fmt.Errorf("%s: ended by itself: %w", name, err)
		}
		ended <- err
	}()
	s.onStop(name, func() error {
		cancel()
		return <-ended
	})
}

// stop ends the stages, the last one first, and returns what went wrong. Until
// HTTP's turn comes everybody is answered.
func (s *service) stop() error {
	s.watch.stopping.Store(true)
	if s.web != nil {
		s.web.Retire()
	}
	var errs []error
	for _, parts := range slices.Backward(s.stages) {
		errs = append(errs, stopTogether(parts))
	}
	s.stages = nil
	return errors.Join(errs...)
}

func stopTogether(parts []stop) error {
	errs := make([]error, len(parts))
	var ending sync.WaitGroup
	for i, part := range parts {
		ending.Go(func() {
			if err := part.do(); err != nil {
				errs[i] = fmt.Errorf("stop %s: %w", part.name, err)
			}
		})
	}
	ending.Wait()
	return errors.Join(errs...)
}

// settled are the keys that are read at start only.
var settled = []string{
	"log.format", "store.path", "store.backup_dir", "store.backup_schedule", "store.backup_keep", "web.listen", "web.admin_socket",
	"web.tls", "web.acme_email", "web.acme_directory", "web.acme_ca", "web.host_aliases", "web.http_listen", "web.trusted_proxies",
	"web.metrics", "web.metrics_token", "web.callback_allow_private", "web.checksum_algorithms",
	"balancer.connect_timeout", "balancer.response_timeout",
	"recordings.enabled", "recordings.spool_dir", "recordings.work_dir", "recordings.published_dir",
	"recordings.unpublished_dir", "recordings.failed_dir", "recordings.formats", "recordings.rescan", "recordings.tries",
	"recordings.retention_schedule", "recordings.player_dir",
}

// reload reads the configuration again and takes over what may change while
// running. A configuration that is no good changes nothing.
func (s *service) reload(ctx context.Context, level *slog.LevelVar) {
	next, changed, err := s.loaded.Reload()
	if err != nil {
		s.log.Error("configuration not reloaded: it has problems, the former one stays", "cause", err)
		return
	}
	var waiting []string
	for _, key := range changed {
		if slices.Contains(settled, key) {
			waiting = append(waiting, key)
		}
	}
	secrets, err := frontendSecrets(ctx, s.core.store, next.Config.Web.Secrets)
	if err != nil {
		s.log.Error("configuration not reloaded: the former one stays", "cause", err)
		return
	}
	level.Set(logLevel(next.Config.Log.Level))
	s.core.pool.Reconfigure(next.Config.Balancer)
	s.watch.polls.configure(next.Config.Balancer)
	s.web.Reconfigure(next.Config.Web, next.Config.Recordings, secrets)
	if s.certs != nil {
		s.certs.Reconfigure(next.Config.Web)
	}
	if s.core.library != nil {
		s.core.library.Reconfigure(next.Config.Recordings)
	}
	s.admin.SetConfiguredSecrets(next.Config.Web.Secrets)
	s.loaded = next
	s.log.Info("configuration reloaded", "changed", strings.Join(changed, " "))
	if len(waiting) > 0 {
		s.log.Warn("some changes need a restart", "keys", strings.Join(waiting, " "))
	}
}
