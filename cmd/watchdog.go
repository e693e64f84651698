package cmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"scalelite/balancer"
	"scalelite/cmd/config"
	"scalelite/cmd/systemd"
	"scalelite/store"
)

const (
	// statusEvery is how often the service manager learns what the service does,
	// if it does not watch over it.
	statusEvery = 15 * time.Second
	// pollGrace is how much longer than it should take a round of polls may take.
	pollGrace = time.Minute
)

// watch tells the service manager what the service does, and that it works: that
// every part which could hang in itself has just answered. The manager ends a
// process that is silent and starts it anew. So what a new process would suffer
// from just as well does not count: a full disk, a database that cannot be
// written, a spool that is gone, a disk that does not answer. The health check
// tells of those.
type watch struct {
	log *slog.Logger
	// tell speaks to the manager; nil if there is none.
	tell func(assignments ...string) error
	// timeout is when the manager gives the process up; 0: never.
	timeout time.Duration
	// probe has every part answer; the error is that of one which did not.
	probe func(ctx context.Context) (vitals, error)
	// disk returns when the disk has answered, in whatever way.
	disk func()

	polls    pollWatch
	stopping atomic.Bool // the polls have ended
	asking   atomic.Bool // disk runs
	told     string      // last status
}

// vitals are what the status line tells.
type vitals struct {
	servers, online, meetings int
	unhealthy                 error // of the database
}

func (v vitals) String() string {
	text := fmt.Sprintf("%d of %d servers online, %d meetings", v.online, v.servers, v.meetings)
	if v.unhealthy != nil {
		text += "; not healthy: " + v.unhealthy.Error()
	}
	return text
}

func newWatch(manager *systemd.Manager, c config.Config, log *slog.Logger) *watch {
	w := &watch{log: log.With("component", "watch"), timeout: manager.Watchdog(), disk: func() { askDisk(c.Store.Path) }}
	if manager.Present() {
		w.tell = manager.Notify
	}
	w.polls.configure(c.Balancer)
	return w
}

// hooks has the watch hear of polls, too.
func (w *watch) hooks(h balancer.Hooks) balancer.Hooks {
	polled := h.Polled
	h.Polled = func(server string, took time.Duration, err error) {
		w.polls.heard()
		polled(server, took, err)
	}
	return h
}

// run tells until ctx ends.
func (w *watch) run(ctx context.Context) error {
	if w.tell == nil {
		<-ctx.Done()
		return nil
	}
	for ctx.Err() == nil {
		wait := statusEvery
		if w.timeout > 0 {
			wait = w.timeout / 2
		}
		if err := w.round(ctx, wait/4); err != nil && ctx.Err() == nil {
			w.log.Error("a part of the service does not work", "cause", err)
			wait /= 4
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	return nil
}

// round probes once and tells. While the probe does not come to its end nothing
// is told, unless it is the disk that keeps it.
func (w *watch) round(ctx context.Context, patience time.Duration) error {
	type result struct {
		vitals
		err error
	}
	done := make(chan result, 1) // one that hangs is left behind
	go func() {
		v, err := w.probe(ctx)
		done <- result{v, err}
	}()
	late := time.NewTicker(patience)
	defer late.Stop()
	for said := false; ; {
		select {
		case r := <-done:
			if r.err == nil {
				w.feed("STATUS=" + r.String())
			}
			return r.err
		case <-late.C:
			if w.diskHangs(patience) {
				w.polls.heard() // its results could not be stored
				w.feed("STATUS=the disk does not answer")
				continue
			}
			if !said {
				w.log.Error("a part of the service does not answer")
				said = true
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// feed tells that the service works, and its status if that is another one.
func (w *watch) feed(status string) {
	state := []string{"WATCHDOG=1"}
	if status != w.told {
		state = append(state, status)
	}
	if err := w.tell(state...); err != nil {
		w.log.Warn("systemd could not be told", "cause", err)
		return
	}
	w.told = status
}

// diskHangs reports whether the disk gives no answer at all, not even an error.
func (w *watch) diskHangs(patience time.Duration) bool {
	if !w.asking.CompareAndSwap(false, true) {
		return true // it has been asked before
	}
	answered := make(chan struct{})
	go func() {
		w.disk()
		w.asking.Store(false)
		close(answered)
	}()
	select {
	case <-answered:
		return false
	case <-time.After(patience):
		return true
	}
}

// askDisk writes a file beside the database and removes it again.
func askDisk(database string) {
	f, err := os.CreateTemp(filepath.Dir(database), ".alive-*")
	if err != nil {
		return
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.WriteString("x"); err == nil {
		_ = f.Sync()
	}
}

// pollWatch knows when a poll has ended last. It counts time that this machine
// slept for no more than the poller does.
type pollWatch struct {
	mu      sync.Mutex
	last    time.Time
	allowed time.Duration // until the next one
	config  balancer.Config
}

// configure takes over the configuration for the rounds after the present one.
func (p *pollWatch) configure(c balancer.Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.config = c
}

func (p *pollWatch) heard() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last, p.allowed = time.Now(), 0
}

// silent returns for how long nothing has been heard of the polls of so many
// servers, if that is longer than it may be.
func (p *pollWatch) silent(servers int) (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if servers == 0 || p.last.IsZero() {
		p.last = time.Now()
	}
	rounds := time.Duration(servers/max(p.config.PollConcurrency, 1) + 1)
	// The poller may still wait as a former configuration had it.
	p.allowed = max(p.allowed, p.config.PollInterval+rounds*p.config.PollTimeout+pollGrace)
	age := time.Since(p.last)
	return age, age > p.allowed
}

// errProbe keeps what the probe's transaction did from being stored: nothing.
var errProbe = errors.New("only a probe")

// vitals has every part answer that a new process would mend.
func (s *service) vitals(ctx context.Context) (v vitals, err error) {
	if err := s.web.Alive(ctx); err != nil {
		return v, fmt.Errorf("http: %w", err)
	}
	// That they answer is enough, see watch.
	v.unhealthy = s.core.store.Healthy(ctx)
	_ = s.core.store.Update(ctx, func(*store.Tx) error { return errProbe })
	pool := s.core.pool.Pool()
	for _, server := range pool.Servers() {
		_, status, _ := pool.Server(server.ID)
		v.servers++
		v.meetings += status.Meetings
		if status.Online {
			v.online++
		}
	}
	if age, silent := s.watch.polls.silent(v.servers); silent && !s.watch.stopping.Load() {
		return v, fmt.Errorf("polls: no server was asked for %s", age.Round(time.Second))
	}
	f, err := os.Open(os.DevNull)
	if err != nil { // nor can anybody connect
		return v, fmt.Errorf("descriptors: %w", err)
	}
	return v, f.Close()
}
