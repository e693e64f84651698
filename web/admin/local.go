package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/recordings"
	"scalelite/store"
)

// LocalOptions of NewLocal. Pool and Store are needed.
type LocalOptions struct {
	Pool  *balancer.Balancer
	Store *store.Store
	// Info is handed out as it is.
	Info Info
	// Backup tells how it stands with the backups, for Info; nil: none are made.
	Backup func() BackupInfo
	// ConfiguredSecrets are those of web.secrets; none: the generated secret of
	// the store is the one, and is made when it is first asked for.
	ConfiguredSecrets []bbb.Secret
	// OnSecrets is told the secrets after a rotation, so that a running server
	// takes them; nil: nobody is told. Calls do not overlap, and it must not
	// call the Service.
	OnSecrets func([]bbb.Secret)
	// Library, Spool and Outbox are the recordings. Where recordings are switched
	// off they are nil, and the calls about them say so.
	Library *recordings.Library
	Spool   *recordings.Spool
	Outbox  *balancer.Outbox
	// OpenRecordings returns them instead, when they are first asked for, so that
	// what is not about recordings touches none of their directories; nil: they
	// are those above. After an error it is called again.
	OpenRecordings func(context.Context) (Recordings, error)
	// Certificate tells of the certificate that comes by ACME; nil: none does.
	Certificate func(context.Context) (*CertificateState, error)
	// Calls tells by server's ID of its last call about recordings; nil: there are
	// none where no service runs.
	Calls func() map[string]Call
}

// Recordings are the parts of the program that recordings need; all nil where
// they are switched off.
type Recordings struct {
	Library *recordings.Library
	Spool   *recordings.Spool
	Outbox  *balancer.Outbox
}

// Local is the Service in the process that has the database.
type Local struct {
	pool      *balancer.Balancer
	store     *store.Store
	info      Info
	backup    func() BackupInfo
	onSecrets func([]bbb.Secret)
	// certificate is LocalOptions.Certificate.
	certificate func(context.Context) (*CertificateState, error)
	calls       func() map[string]Call // LocalOptions.Calls
	placing     sync.Mutex             // held while a tarball gets its name in the spool
	coming      arrivals               // into the spool

	opening        sync.Mutex // guards what follows
	openRecordings func(context.Context) (Recordings, error)
	recordings     Recordings

	mu         sync.Mutex // guards what follows, and orders rotations
	configured []bbb.Secret
}

var _ Service = (*Local)(nil)

// NewLocal returns the Service on a pool and its store.
func NewLocal(o LocalOptions) *Local {
	return &Local{
		pool: o.Pool, store: o.Store, info: o.Info, backup: o.Backup, onSecrets: o.OnSecrets,
		openRecordings: o.OpenRecordings, recordings: Recordings{o.Library, o.Spool, o.Outbox},
		configured: slices.Clone(o.ConfiguredSecrets), certificate: o.Certificate, calls: o.Calls,
	}
}

// SetConfiguredSecrets replaces the secrets of web.secrets after the
// configuration was read again.
func (l *Local) SetConfiguredSecrets(secrets []bbb.Secret) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.configured = slices.Clone(secrets)
}

// Info returns LocalOptions.Info.
func (l *Local) Info(context.Context) (Info, error) {
	info := l.info
	if l.backup != nil {
		b := l.backup()
		info.Backup = &b
	}
	return info, nil
}

// Servers lists all servers by ID.
func (l *Local) Servers(ctx context.Context) ([]balancer.ServerInfo, error) {
	all, err := l.pool.Servers(ctx)
	return list(all), explain(ctx, err)
}

// Server returns one server; NotFound if there is none.
func (l *Local) Server(ctx context.Context, id string) (balancer.ServerInfo, error) {
	s, err := l.pool.Server(ctx, id)
	return s, explainServer(ctx, err, id)
}

// ProbeServer asks a server before it is added: Invalid if the URL makes no
// sense, Refused if the server cannot be used. Beside Refused the result has
// what was found until then.
func (l *Local) ProbeServer(ctx context.Context, url string, secret bbb.Secret) (bbb.ProbeResult, error) {
	found, err := l.pool.ProbeServer(ctx, url, secret)
	return found, explain(ctx, err)
}

// AddServer adds a server: Invalid if it makes no sense, Conflict if its ID is
// taken.
func (l *Local) AddServer(ctx context.Context, n balancer.NewServer) (balancer.ServerInfo, error) {
	s, err := l.pool.AddServer(ctx, n)
	return s, explain(ctx, err)
}

// UpdateServer changes a server, all of c or nothing.
func (l *Local) UpdateServer(ctx context.Context, id string, c balancer.ServerChange) (balancer.ServerInfo, error) {
	s, err := l.pool.UpdateServer(ctx, id, c)
	return s, explainServer(ctx, err, id)
}

// RemoveServer removes a server and forgets its meetings.
func (l *Local) RemoveServer(ctx context.Context, id string) error {
	return explainServer(ctx, l.pool.RemoveServer(ctx, id), id)
}

// PanicServer ends all meetings of a server, forgets them and disables it.
func (l *Local) PanicServer(ctx context.Context, id string, o balancer.PanicOptions) (balancer.PanicResult, error) {
	result, err := l.pool.PanicServer(ctx, id, o)
	return result, explainServer(ctx, err, id)
}

// SyncServers makes the pool what specs say. Beside an error it returns the
// steps that were taken before.
func (l *Local) SyncServers(ctx context.Context, specs []balancer.ServerSpec, mode balancer.SyncMode, dryRun bool) ([]balancer.SyncAction, error) {
	actions, err := l.pool.SyncServers(ctx, specs, mode, dryRun)
	return list(actions), explain(ctx, err)
}

// Meetings lists all known meetings, by tenant and ID.
func (l *Local) Meetings(ctx context.Context) ([]balancer.MeetingInfo, error) {
	all, err := l.pool.Meetings(ctx)
	return list(all), explain(ctx, err)
}

// EndMeetings ends the meetings with these IDs, or all; NotFound if one is not
// known.
func (l *Local) EndMeetings(ctx context.Context, ids []string) ([]balancer.EndResult, error) {
	ended, err := l.pool.EndMeetings(ctx, ids)
	return list(ended), explain(ctx, err)
}

// Poll polls every server now. Beside an error, which is about storing what was
// found, it returns the report.
func (l *Local) Poll(ctx context.Context) (balancer.PollReport, error) {
	report, err := l.pool.Poll(ctx)
	report.Servers = list(report.Servers)
	return report, explain(ctx, err)
}

// Secrets returns those that the front-ends sign with, and makes one if there is
// none yet.
func (l *Local) Secrets(ctx context.Context) (Secrets, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.configured) > 0 {
		return Secrets{Secrets: slices.Clone(l.configured)}, nil
	}
	var s bbb.Secret
	err := l.store.View(ctx, func(tx *store.Tx) (err error) {
		s, err = tx.Secret()
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = l.store.Update(ctx, func(tx *store.Tx) (err error) {
			s, err = tx.EnsureSecret()
			return err
		})
	}
	return generated(ctx, s, err)
}

// RotateSecret replaces the generated secret; Conflict if web.secrets is set.
func (l *Local) RotateSecret(ctx context.Context) (Secrets, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.configured) > 0 {
		return Secrets{}, &Error{Conflict, "the secrets are those of web.secrets (or LOADBALANCER_SECRET): change them there and restart"}
	}
	var s bbb.Secret
	err := l.store.Update(ctx, func(tx *store.Tx) (err error) {
		s, err = tx.RotateSecret()
		return err
	})
	if err == nil && l.onSecrets != nil {
		l.onSecrets([]bbb.Secret{s})
	}
	return generated(ctx, s, err)
}

func generated(ctx context.Context, s bbb.Secret, err error) (Secrets, error) {
	if err != nil {
		return Secrets{}, explain(ctx, fmt.Errorf("secret of the front-ends: %w", err))
	}
	return Secrets{Secrets: []bbb.Secret{s}, Generated: true}, nil
}

// Backup writes a consistent copy of the database to w. After an error, what w
// has got is not a copy.
func (l *Local) Backup(ctx context.Context, w io.Writer) error {
	return explain(ctx, l.store.Snapshot(ctx, w))
}

// list is never nil, so that its JSON is a list.
func list[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}
