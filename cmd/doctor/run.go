package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Progress is told so often.
const progressEvery = 200 * time.Millisecond

// Run makes the checks, those that wait side by side, and returns what they have
// found. A check that does not come back in its time is told of and left behind:
// nothing ends a look at a network file system whose server is gone, but the end
// of the process.
func Run(ctx context.Context, o Options) Report {
	var wanted []check
	for _, c := range table() {
		if len(o.Only) == 0 || slices.Contains(o.Only, c.Name) {
			wanted = append(wanted, c)
		}
	}
	p := newPatient(o)
	watch := newWatch(wanted, o.Progress)
	defer watch.stop()
	p.admit(ctx)
	results := make([][]Finding, len(wanted))
	var rest sync.WaitGroup
	for i, c := range wanted {
		rest.Go(func() {
			results[i] = p.make(ctx, c)
			watch.done(c.Name)
		})
	}
	rest.Wait()
	p.discharge()
	report := Report{Version: o.Version, Result: OK, Counts: map[Result]int{OK: 0, Skipped: 0, Warn: 0, Fail: 0}, Findings: []Finding{}}
	for i, c := range wanted {
		for _, f := range results[i] {
			f.Check = c.Name
			report.add(p.clean(f))
		}
	}
	return report
}

func (r *Report) add(f Finding) {
	r.Findings = append(r.Findings, f)
	r.Counts[f.Result]++
	if f.Result == Fail || f.Result == Warn && r.Result == OK {
		r.Result = f.Result
	}
}

// make makes one check within its time.
func (p *patient) make(ctx context.Context, c check) []Finding {
	switch {
	case p.o.Config == nil && !c.unconfigured && p.unreadable():
		return []Finding{skip("", "the configuration is not for you to read")}
	case p.o.Config == nil && !c.unconfigured:
		return []Finding{skip("", "the configuration has problems; mend them first")}
	case c.data && p.poolError != nil:
		return []Finding{p.noData()}
	}
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	done := make(chan []Finding, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- []Finding{fail("", "this check is mistaken itself, please report it: %v", r)}
			}
		}()
		done <- c.run(p, ctx)
	}()
	// One that heeds its context ends a moment after it, and can say more.
	const moment = 500 * time.Millisecond
	grace := time.NewTimer(c.limit + moment)
	defer grace.Stop()
	select {
	case found := <-done:
		return found
	case <-grace.C:
		return []Finding{fail("", "did not come to an end within %s", c.limit).
			because("A file system or a service does not answer; whatever else needs it hangs as well.").
			do("look which file systems are mounted from elsewhere, and whether their servers answer", "findmnt --types nfs,nfs4,cifs,fuse.sshfs")}
	}
}

// clean takes out what must not be shown. The checks put no secret into a text;
// this holds even where others quote one.
func (p *patient) clean(f Finding) Finding {
	scrub := func(s string) string {
		for _, secret := range p.hidden {
			s = strings.ReplaceAll(s, secret, "[...]")
		}
		return s
	}
	f.Found, f.Why, f.Remedy = scrub(f.Found), scrub(f.Why), scrub(f.Remedy)
	for i := range f.Commands {
		f.Commands[i] = scrub(f.Commands[i])
	}
	return f
}

// watch tells how far the checks are.
type watch struct {
	mu      sync.Mutex
	total   int
	running []string
	end     chan struct{}
	ended   sync.WaitGroup
}

func newWatch(wanted []check, tell func(done, total int, running []string)) *watch {
	w := &watch{total: len(wanted), end: make(chan struct{})}
	for _, c := range wanted {
		w.running = append(w.running, c.Name)
	}
	if tell == nil {
		return w
	}
	w.ended.Go(func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-w.end:
				return
			case <-tick.C:
			}
			w.mu.Lock()
			running := slices.Clone(w.running)
			w.mu.Unlock()
			tell(w.total-len(running), w.total, running)
		}
	})
	return w
}

func (w *watch) done(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = slices.DeleteFunc(w.running, func(n string) bool { return n == name })
}

func (w *watch) stop() {
	close(w.end)
	w.ended.Wait()
}

// The ways to begin a finding.

func good(subject, format string, args ...any) Finding { return finding(OK, subject, format, args) }
func skip(subject, format string, args ...any) Finding {
	return finding(Skipped, subject, format, args)
}
func warn(subject, format string, args ...any) Finding { return finding(Warn, subject, format, args) }
func fail(subject, format string, args ...any) Finding { return finding(Fail, subject, format, args) }

func finding(r Result, subject, format string, args []any) Finding {
	return Finding{Subject: subject, Result: r, Found: fmt.Sprintf(format, args...)}
}

// because says why it matters.
func (f Finding) because(why string) Finding {
	f.Why = why
	return f
}

// do says what to do, and the commands for it.
func (f Finding) do(remedy string, commands ...string) Finding {
	f.Remedy, f.Commands = remedy, commands
	return f
}

// rated gives a finding another result.
func (f Finding) rated(r Result) Finding {
	f.Result = r
	return f
}
