package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"scalelite/balancer"
)

// watching is a watch in a bubble, with what it told.
type watching struct {
	*watch
	t       *testing.T
	log     *bytes.Buffer
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu   sync.Mutex
	said []string
}

// inWatch runs a watch that is to be fed every 60 seconds.
func inWatch(t *testing.T, prepare func(*watch), test func(*watching)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log := &bytes.Buffer{}
		w := &watching{t: t, log: log}
		w.watch = &watch{
			log: slog.New(slog.NewTextHandler(log, nil)), tell: w.hear, timeout: time.Minute, disk: func() {},
		}
		prepare(w.watch)
		ctx, cancel := context.WithCancel(context.Background())
		w.cancel = cancel
		w.running.Go(func() {
			if err := w.run(ctx); err != nil {
				t.Error(err)
			}
		})
		test(w)
		cancel()
		w.running.Wait()
	})
}

func (w *watching) hear(assignments ...string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, strings.Join(assignments, " "))
	return nil
}

// told returns what was told since the last time.
func (w *watching) told() []string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	said := w.said
	w.said = nil
	return said
}

func (w *watching) fed() int {
	n := 0
	for _, message := range w.told() {
		if strings.Contains(message, "WATCHDOG=1") {
			n++
		}
	}
	return n
}

func well(context.Context) (vitals, error) { return vitals{servers: 2, online: 1}, nil }

// TestFedWhileAllAnswer: twice as often as asked for, the status once.
func TestFedWhileAllAnswer(t *testing.T) {
	t.Parallel()
	inWatch(t, func(w *watch) { w.probe = well }, func(w *watching) {
		time.Sleep(2*time.Minute + time.Second)
		want := []string{"WATCHDOG=1 STATUS=1 of 2 servers online, 0 meetings", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"}
		if got := w.told(); !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

// TestNotFedWhileSomethingHangs: neither while the probe hangs, nor while it
// finds a part that does not work; and again as soon as all answer.
func TestNotFedWhileSomethingHangs(t *testing.T) {
	t.Parallel()
	var release chan struct{}
	var broken error
	for name, begin := range map[string]func() (end func()){
		"hangs": func() func() {
			release = make(chan struct{})
			return func() { close(release) }
		},
		"broken": func() func() {
			broken = errors.New("polls: gone")
			return func() { broken = nil }
		},
	} {
		release, broken = nil, nil
		var mu sync.Mutex
		prepare := func(w *watch) {
			w.probe = func(ctx context.Context) (vitals, error) {
				mu.Lock()
				wait, err := release, broken
				mu.Unlock()
				if wait != nil {
					<-wait
				}
				return vitals{}, err
			}
		}
		inWatch(t, prepare, func(w *watching) {
			time.Sleep(time.Second)
			if w.fed() != 1 {
				t.Errorf("%s: not fed at first", name)
			}
			mu.Lock()
			end := begin()
			mu.Unlock()
			time.Sleep(10 * time.Minute)
			if n := w.fed(); n > 0 {
				t.Errorf("%s: fed %d times", name, n)
			}
			if !strings.Contains(w.log.String(), "a part of the service does not") {
				t.Errorf("%s: the log says %q", name, w.log)
			}
			mu.Lock()
			end()
			mu.Unlock()
			time.Sleep(30 * time.Second)
			if w.fed() == 0 {
				t.Errorf("%s: not fed after it was over", name)
			}
		})
	}
}

// TestFedWhileTheDiskHangs: a new process would wait for it as well. When the
// disk answers and the probe still hangs, it is the process.
func TestFedWhileTheDiskHangs(t *testing.T) {
	t.Parallel()
	var disk, store chan struct{}
	prepare := func(w *watch) {
		disk, store = make(chan struct{}), make(chan struct{})
		w.probe = func(context.Context) (vitals, error) { <-store; return vitals{}, nil }
		w.disk = func() { <-disk }
	}
	inWatch(t, prepare, func(w *watching) {
		time.Sleep(10 * time.Minute)
		told := w.told()
		if len(told) < 20 || !strings.Contains(strings.Join(told, " "), "the disk does not answer") {
			t.Errorf("told %q", told)
		}
		close(disk)
		time.Sleep(10 * time.Second)
		w.told()
		time.Sleep(10 * time.Minute)
		if n := w.fed(); n > 0 {
			t.Errorf("fed %d times though the disk answers", n)
		}
		close(store)
		time.Sleep(time.Minute)
		if w.fed() == 0 {
			t.Error("not fed after it was over")
		}
	})
}

// TestSilentPolls: only what the configuration does not explain is silence.
func TestSilentPolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var p pollWatch
		c := balancer.DefaultConfig() // every minute, 16 at once, 10 s each
		p.configure(c)
		check := func(what string, servers int, want bool) {
			t.Helper()
			if age, got := p.silent(servers); got != want {
				t.Errorf("%s: after %s: %v, want %v", what, age, got, want)
			}
		}
		check("start", 3, false)
		time.Sleep(130 * time.Second)
		check("one round late", 3, false)
		time.Sleep(time.Second)
		check("no round", 3, true)
		check("many servers take longer", 200, false)
		p.heard()
		check("polled", 3, false)
		time.Sleep(time.Hour)
		check("no servers", 0, false)
		check("the first server", 1, false)

		p.heard()
		c.PollInterval = time.Hour
		p.configure(c)
		p.silent(3)
		c.PollInterval = time.Minute
		p.configure(c) // while the poller waits for an hour
		time.Sleep(time.Hour)
		check("shortened while it waits", 3, false)
		p.heard()
		time.Sleep(3 * time.Minute)
		check("the shorter one holds", 3, true)
	})
}

// TestFullDiskIsNoHang: the vitals of a service whose database cannot be written
// are told, and are no reason to start it anew.
func TestFullDiskIsNoHang(t *testing.T) {
	t.Parallel()
	v := vitals{servers: 1, online: 1, unhealthy: fmt.Errorf("write the database: %w", errors.New("no space left on device"))}
	inWatch(t, func(w *watch) { w.probe = func(context.Context) (vitals, error) { return v, nil } }, func(w *watching) {
		time.Sleep(time.Second)
		want := []string{"WATCHDOG=1 STATUS=1 of 1 servers online, 0 meetings; not healthy: write the database: no space left on device"}
		if got := w.told(); !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

// TestEndOfTheWatch: it ends though the probe hangs.
func TestEndOfTheWatch(t *testing.T) {
	t.Parallel()
	var hang chan struct{}
	prepare := func(w *watch) {
		hang = make(chan struct{})
		w.probe = func(context.Context) (vitals, error) { <-hang; return vitals{}, nil }
	}
	inWatch(t, prepare, func(w *watching) {
		synctest.Wait()
		w.cancel()
		w.running.Wait()
		close(hang)
	})
}
