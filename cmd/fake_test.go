package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/cmd/config"
	"scalelite/store"
	"scalelite/web/admin"
)

// pool is an admin.Service in memory. calls has what was changed through it.
type pool struct {
	daemon   bool
	servers  []balancer.ServerInfo
	meetings []balancer.MeetingInfo
	secrets  admin.Secrets
	probe    func(url string, secret bbb.Secret) (bbb.ProbeResult, error)
	actions  []balancer.SyncAction
	ends     []balancer.EndResult
	report   balancer.PollReport
	backup   string
	fail     error // what every call returns, if set

	calls     []string
	specs     []balancer.ServerSpec
	added     balancer.NewServer
	change    balancer.ServerChange
	onServer  func(*balancer.ServerInfo) // before each Server
	noService bool                       // nobody listens on the admin socket

	failBackup  error // in the middle of a Backup
	examination admin.Examination

	library
}

func (p *pool) called(format string, args ...any) {
	p.calls = append(p.calls, fmt.Sprintf(format, args...))
}

func (p *pool) Info(context.Context) (admin.Info, error) {
	if p.noService {
		return admin.Info{}, fmt.Errorf("dial: %w", admin.ErrNoDaemon)
	}
	return admin.Info{Daemon: p.daemon}, p.fail
}

func (p *pool) Examine(context.Context, admin.ExamineQuery) (admin.Examination, error) {
	return p.examination, p.fail
}

func (p *pool) Servers(context.Context) ([]balancer.ServerInfo, error) {
	if p.noService {
		return nil, admin.ErrNoDaemon
	}
	return slices.Clone(p.servers), p.fail
}

func (p *pool) Server(_ context.Context, id string) (balancer.ServerInfo, error) {
	for i := range p.servers {
		if p.servers[i].ID == id {
			if p.onServer != nil {
				p.onServer(&p.servers[i])
			}
			return p.servers[i], nil
		}
	}
	return balancer.ServerInfo{}, &admin.Error{Code: admin.NotFound, Message: "no server " + id}
}

func (p *pool) ProbeServer(_ context.Context, url string, s bbb.Secret) (bbb.ProbeResult, error) {
	p.called("probe %s", url)
	if p.probe == nil {
		return bbb.ProbeResult{Version: "3.0.4", Algorithm: bbb.SHA256}, nil
	}
	return p.probe(url, s)
}

func (p *pool) AddServer(_ context.Context, s balancer.NewServer) (balancer.ServerInfo, error) {
	p.called("add %s", s.URL)
	p.added = s
	id := s.ID
	if id == "" {
		id = "new-id"
	}
	return balancer.ServerInfo{ID: id, URL: s.URL, Secret: s.Secret, State: store.Disabled}, p.fail
}

func (p *pool) UpdateServer(_ context.Context, id string, c balancer.ServerChange) (balancer.ServerInfo, error) {
	p.change = c
	i := slices.IndexFunc(p.servers, func(s balancer.ServerInfo) bool { return s.ID == id })
	if c.State != nil {
		p.called("state %s %s", id, *c.State)
		p.servers[i].State = *c.State
	} else {
		p.called("update %s", id)
	}
	return p.servers[i], p.fail
}

func (p *pool) RemoveServer(_ context.Context, id string) error {
	p.called("remove %s", id)
	return p.fail
}

func (p *pool) PanicServer(_ context.Context, id string, o balancer.PanicOptions) (balancer.PanicResult, error) {
	p.called("panic %s %+v", id, o)
	return balancer.PanicResult{Ended: 2, Unreached: 1}, p.fail
}

func (p *pool) SyncServers(_ context.Context, specs []balancer.ServerSpec, m balancer.SyncMode, dry bool) ([]balancer.SyncAction, error) {
	p.specs = specs
	if !dry {
		p.called("sync %d %s", len(specs), m)
	}
	return p.actions, p.fail
}

func (p *pool) Meetings(context.Context) ([]balancer.MeetingInfo, error) { return p.meetings, p.fail }

func (p *pool) EndMeetings(_ context.Context, ids []string) ([]balancer.EndResult, error) {
	p.called("end %q", ids)
	return p.ends, p.fail
}

func (p *pool) Poll(context.Context) (balancer.PollReport, error) { return p.report, p.fail }

func (p *pool) Secrets(context.Context) (admin.Secrets, error) { return p.secrets, p.fail }

func (p *pool) RotateSecret(context.Context) (admin.Secrets, error) {
	p.called("rotate")
	return admin.Secrets{Secrets: []bbb.Secret{"rotated"}, Generated: true}, p.fail
}

func (p *pool) Backup(_ context.Context, w io.Writer) error {
	if _, err := io.WriteString(w, p.backup); err != nil {
		return err
	}
	return errors.Join(p.fail, p.failBackup)
}

// result is what a run of the program left.
type result struct {
	code     int
	out, err string
}

// session runs commands in a directory of its own, where the service of p
// listens.
type session struct {
	t    *testing.T
	deps deps
	dir  string
}

func newSession(t *testing.T, p *pool) *session {
	t.Helper()
	dir := t.TempDir()
	return &session{t: t, dir: dir, deps: deps{
		getenv:       func(string) string { return "" },
		systemFile:   filepath.Join(dir, "config.toml"),
		readPassword: func(context.Context) (string, error) { return "typed secret", nil },
		dial:         func(string) admin.Service { return p },
		open: func(context.Context, *config.Loaded) (admin.Service, func() error, error) {
			t.Error("the database was opened")
			return nil, nil, io.EOF
		},
		verify: func(context.Context, string) error { return nil },
		now:    func() time.Time { return time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC) },
		tick:   time.Millisecond,
	}}
}

// interactive makes somebody sit there.
func (s *session) interactive() *session {
	s.deps.interactive = true
	return s
}

// run runs one command; the environment is that of tests, without ./data.
func (s *session) run(stdin string, args ...string) result {
	s.t.Helper()
	return s.runContext(context.Background(), stdin, args...)
}

func (s *session) runContext(ctx context.Context, stdin string, args ...string) result {
	var out, err bytes.Buffer
	d := s.deps
	d.stdin, d.stdout, d.stderr = strings.NewReader(stdin), &out, &err
	code := run(ctx, d, args)
	return result{code, out.String(), err.String()}
}

// ok runs a command that must succeed and returns its output.
func (s *session) ok(args ...string) string {
	s.t.Helper()
	r := s.run("", args...)
	if r.code != 0 {
		s.t.Fatalf("%q: exit status %d: %s", args, r.code, r.err)
	}
	return r.out
}

// wantFail checks exit status and that stderr has these texts.
func (r result) wantFail(t *testing.T, code int, texts ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit status %d, want %d; stderr: %s", r.code, code, r.err)
	}
	if !strings.HasPrefix(r.err, "scalelite: ") && !strings.Contains(r.err, "\nscalelite: ") && !strings.Contains(r.err, "[y/N] scalelite: ") {
		t.Errorf("stderr does not have scalelite: before the error: %s", r.err)
	}
	for _, text := range texts {
		if !strings.Contains(r.err, text) {
			t.Errorf("stderr has no %q: %s", text, r.err)
		}
	}
}

func load(f float64) *float64 { return &f }

// twoServers is a pool with two servers, the first with meetings.
func twoServers() *pool {
	return &pool{daemon: true, servers: []balancer.ServerInfo{
		{ID: "id-1", URL: "https://bbb1.example.com/bigbluebutton/api", Secret: "swordfish", State: store.Enabled, Online: true,
			Load: load(42.5), LoadMultiplier: 1, Meetings: 3, Users: 40, LargestMeeting: 30, Videos: 5, BBBVersion: "3.0.4", Tag: "exams"},
		{ID: "id-2", URL: "bbb2.example.com", Secret: "swordfish", State: store.Disabled, LoadMultiplier: 2, Error: "connection refused"},
	}}
}
