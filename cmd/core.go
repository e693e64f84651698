package cmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/cmd/config"
	"scalelite/recordings"
	"scalelite/store"
	"scalelite/store/kv/boltkv"
	"scalelite/web/admin"
)

// core is the part of the program that needs no listener: the database, the
// store on it and the pool.
type core struct {
	engine *boltkv.Engine
	store  *store.Store
	pool   *balancer.Balancer
	client *bbb.Client
	// library, spool and outbox are nil while recordings are switched off.
	library *recordings.Library
	spool   *recordings.Spool
	outbox  *balancer.Outbox
	// secrets are those that the front-ends sign with.
	secrets []bbb.Secret
}

// openCore opens the database, brings its schema up to date and restores the
// pool. The error is kv.ErrLocked if another process has the database.
func openCore(ctx context.Context, l *config.Loaded, log *slog.Logger, hooks balancer.Hooks) (c *core, err error) {
	c = &core{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	path := l.Config.Store.Path
	if c.engine, err = boltkv.Open(ctx, path, boltkv.Options{}); err != nil {
		return c, err
	}
	copyFirst := func(ctx context.Context, from, to int) error { return keepFormer(ctx, c.engine, log, from, to) }
	if c.store, err = store.New(ctx, c.engine, store.Options{BeforeMigration: copyFirst}); err != nil {
		return c, fmt.Errorf("database %s: %w%s", path, err, downgradeHint(err, path))
	}
	if c.secrets, err = frontendSecrets(ctx, c.store, l.Config.Web.Secrets); err != nil {
		return c, err
	}
	limits := bbb.ClientConfig{
		ConnectTimeout:  l.Config.Balancer.ConnectTimeout,
		ResponseTimeout: l.Config.Balancer.ResponseTimeout,
		UserAgent:       "scalelite/" + build().Version,
	}
	c.client = bbb.NewClient(bbb.NewTransport(limits), limits)
	c.pool, err = balancer.New(ctx, balancer.Options{
		Store: c.store, Client: c.client, Config: l.Config.Balancer,
		Algorithm: towardsServers(l), Log: log.With("component", "balancer"), Hooks: hooks,
		Recordings: l.Config.Recordings.Enabled,
	})
	return c, err
}

// openRecordings opens what concerns recordings, if they are switched on.
// secrets returns those of the front-ends; the spool imports with what counted
// makes of the library.
func (c *core) openRecordings(ctx context.Context, l *config.Loaded, log *slog.Logger, secrets func() []bbb.Secret,
	counted func(recordings.Importer) recordings.Importer) (err error) {
	if !l.Config.Recordings.Enabled {
		return nil
	}
	log = log.With("component", "recordings")
	c.library, err = recordings.Open(ctx, recordings.Options{Store: c.store, Config: l.Config.Recordings, Log: log})
	if err != nil {
		return err
	}
	c.outbox = balancer.NewOutbox(balancer.OutboxOptions{
		Store: c.store, Secrets: secrets, AllowPrivate: l.Config.Web.CallbackAllowPrivate,
		HS512:     slices.Equal(l.Config.Web.Algorithms(), []bbb.Algorithm{bbb.SHA512}),
		UserAgent: "scalelite/" + build().Version, Log: log,
	})
	c.spool, err = recordings.NewSpool(recordings.SpoolOptions{
		Place:  c.library.Place,
		Config: l.Config.Recordings, Importer: counted(c.library), Store: c.store, Log: log, Imported: c.outbox.Wake,
	})
	return err
}

// frontendSecrets are the configured ones, or the generated one.
func frontendSecrets(ctx context.Context, s *store.Store, configured []bbb.Secret) ([]bbb.Secret, error) {
	if len(configured) > 0 {
		return configured, nil
	}
	var secret bbb.Secret
	read := func(tx *store.Tx) (err error) {
		secret, err = tx.Secret()
		return err
	}
	err := s.View(ctx, read)
	if errors.Is(err, store.ErrNotFound) {
		err = s.Update(ctx, func(tx *store.Tx) (err error) {
			secret, err = tx.EnsureSecret()
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("the front-ends' secret: %w", err)
	}
	return []bbb.Secret{secret}, nil
}

// towardsServers is the algorithm that signs calls to the servers.
func towardsServers(l *config.Loaded) bbb.Algorithm {
	if l.IsSet("web.checksum_algorithms") {
		return bbb.Strongest(l.Config.Web.Algorithms())
	}
	return bbb.SHA256
}

func (c *core) close() error {
	var err error
	if c.library != nil {
		err = c.library.Close()
	}
	if c.pool != nil {
		c.pool.Close()
	}
	switch {
	case c.store != nil:
		err = errors.Join(err, c.store.Close())
	case c.engine != nil:
		err = errors.Join(err, c.engine.Close())
	}
	return err
}

// openLocal gives a command the pool in this process, for when no service runs.
func openLocal(ctx context.Context, l *config.Loaded) (admin.Service, func() error, error) {
	c, err := openCore(ctx, l, upgradeLog(), balancer.Hooks{})
	if err != nil {
		return nil, nil, err
	}
	local := admin.NewLocal(admin.LocalOptions{
		Pool: c.pool, Store: c.store,
		Info:              admin.Info{Version: build().Version, Host: l.Config.Web.Host, Listen: l.Config.Web.Listen},
		ConfiguredSecrets: l.Config.Web.Secrets,
		OpenRecordings:    c.recordingsOnDemand(l),
		Certificate:       c.storedCertificate(l.Config.Web),
	})
	return local, c.close, nil
}
