package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/user"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/store/kv"
)

var update = flag.Bool("update", false, "write the golden file anew instead of comparing it")

// refused is a connection that nobody takes.
type refused struct{}

func (refused) Error() string        { return "connection refused" }
func (refused) Is(target error) bool { return target == syscall.ECONNREFUSED }

// TestEverythingFine: where nothing is wrong nothing is told of but what was
// looked at; the golden file holds the shape of the JSON.
func TestEverythingFine(t *testing.T) {
	w := newWorld(t)
	report := w.look()
	fine(t, report)
	if report.Result != OK || report.Counts[OK] != len(report.Findings) || report.Counts[Fail] != 0 {
		t.Errorf("result %s, counts %v", report.Result, report.Counts)
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(string(text), w.dir, "DIR")
	for _, change := range [][2]string{
		{regexp.QuoteMeta(w.service.Listener.Addr().String()), "LISTEN"},
		{`\b` + regexp.QuoteMeta(me.Username) + `\b`, "USER"}, {`USER:[\w-]+, mode`, "USER:GROUP, mode"},
		{`[0-9.]+ [KMGT]iB of [0-9.]+ [KMGT]iB free`, "SOME of ALL free"},
		{`schema \d+`, "schema N"}, {`scalelite-\w+\.tar`, "scalelite-TIME.tar"}, {`\d s old`, "N s old"},
	} {
		got = regexp.MustCompile(change[0]).ReplaceAllString(got, change[1])
	}
	const golden = "testdata/fine.json"
	if *update {
		if err := os.WriteFile(golden, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got+"\n"); d != "" {
		t.Errorf("report (-want +got):\n%s", d)
	}
}

func TestOnlySomeChecks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	report := w.look("memory", "disk")
	var names []string
	for _, f := range report.Findings {
		names = append(names, f.Check)
	}
	if got := slices.Compact(names); !slices.Equal(got, []string{"disk", "memory"}) {
		t.Errorf("checks %v, want disk and memory in the order of the table", got)
	}
}

func TestConfigurationProblems(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keys["web.lisen"], w.keys["balancer.poll_interval"] = `":80"`, `"-1s"`
	w.keys["web.secrets"] = fmt.Sprintf("[%q]", ourSecret)
	report := w.look()
	var problems []Finding
	for _, f := range report.Findings {
		switch {
		case f.Check == "configuration":
			problems = append(problems, f)
		case f.Check == "memory" || f.Check == "clock" || f.Check == "unit" || f.Check == "limits":
		case f.Result != Skipped:
			t.Errorf("%s was judged without a configuration: %+v", f.Check, f)
		}
	}
	if len(problems) != 2 {
		t.Fatalf("problems %+v, want 2", problems)
	}
	line := regexp.MustCompile(`config\.toml:\d+: `)
	for _, f := range problems {
		f.want(t, Fail, "config check", "editor +")
		if !line.MatchString(f.Found) {
			t.Errorf("no line in %q", f.Found)
		}
	}
	problems[0].want(t, Fail, "web.lisen")
	problems[1].want(t, Fail, "balancer.poll_interval", "at least 1s")
}

// TestSecretsInTheOpen: a readable file with secrets is told of, and the remedy
// takes the right away.
func TestSecretsInTheOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keys["web.secrets"] = fmt.Sprintf("[%q]", ourSecret)
	w.load()
	file := w.path("config.toml")
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	f := only(t, w.look("configuration"))
	f.want(t, Warn, "mode 0644")
	if os.Getuid() == 0 {
		typed(t, f.Commands...)
		fine(t, w.look("configuration"))
	}
}

func TestServiceThatDoesNotRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		result Result
		texts  []string
	}{
		"no service":        {errors.New("there is no database yet"), Fail, []string{"does not run", "systemctl start scalelite", "journalctl"}},
		"no answer":         {fmt.Errorf("%w: no time", ErrUnreachable), Fail, []string{"does not answer as it should", "systemctl restart scalelite"}},
		"not allowed":       {fmt.Errorf("socket: %w", os.ErrPermission), Skipped, []string{"you may not use"}},
		"another process":   {fmt.Errorf("open: %w", kv.ErrLocked), Fail, []string{"another process has the database", "fuser -v"}},
		"no whole database": {errors.New("is damaged; restore a backup"), Fail, []string{"does not run"}},
	} {
		w := newWorld(t)
		w.options.Open = func(context.Context) (Pool, func() error, error) { return nil, nil, c.err }
		t.Run(name, func(t *testing.T) { only(t, w.look("service")).want(t, c.result, c.texts...) })
	}
	t.Run("the database alone", func(t *testing.T) {
		w := newWorld(t)
		w.stopped()
		only(t, w.look("service")).want(t, Fail, "nobody answers on "+w.path("admin.sock"))
	})
	t.Run("without systemd", func(t *testing.T) {
		w := newWorld(t)
		w.stopped()
		w.unit, w.options.System.Systemd = nil, w.path("nothing")
		f := only(t, w.look("service"))
		f.want(t, Fail, "scalelite --config "+w.path("config.toml")+" serve")
		if strings.Contains(strings.Join(f.Commands, " "), "systemctl") {
			t.Errorf("systemctl where there is none: %v", f.Commands)
		}
	})
}

func TestOtherVersionRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pool.info.Version = "1.2.2"
	w.pool.exam.Schema--
	only(t, w.look("service")).want(t, Warn, "version 1.2.2 runs", "1.2.3 is installed", "systemctl restart scalelite")
	only(t, w.look("database")).want(t, Warn, "its schema is", "restart")
}

// TestOlderVersionRuns: it does not know what it is asked. Nobody is told to
// restore a backup for that.
func TestOlderVersionRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pool.info.Version, w.pool.examError = "1.0.0", errors.New("there is no /v1/examine in version 1.0.0 of the daemon")
	only(t, w.look("service")).want(t, Warn, "version 1.0.0 runs", "systemctl restart scalelite")
	only(t, w.look("database")).want(t, Skipped, "see the check 'service'")
	only(t, w.look("servers")).want(t, Skipped, "see the checks")
	w.pool.info.Version = "1.2.3"
	only(t, w.look("service")).want(t, Fail, "there is no /v1/examine", "restart")
}

func TestUnit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key, value string
		result     Result
		text       string
	}{
		"disabled":   {"UnitFileState", "disabled", Warn, "systemctl enable scalelite"},
		"masked":     {"UnitFileState", "masked", Fail, "systemctl unmask scalelite"},
		"missing":    {"LoadState", "not-found", Skipped, "not installed by its package"},
		"bad":        {"LoadState", "bad-setting", Fail, "bad-setting"},
		"restarting": {"NRestarts", "12", Warn, "12 times"},
		"changed":    {"NeedDaemonReload", "yes", Warn, "systemctl daemon-reload"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.unit[c.key] = c.value
			only(t, w.look("unit")).want(t, c.result, c.text)
		})
	}
}

func TestDatabase(t *testing.T) {
	t.Parallel()
	t.Run("damaged indexes", func(t *testing.T) {
		w := newWorld(t)
		w.pool.exam.Damage = "meeting \"x\" is not in the index"
		f := only(t, w.look("database"))
		f.want(t, Fail, `meeting "x" is not in the index`, "restore "+w.path("db", "backups", "scalelite-2"))
	})
	t.Run("readable for all", func(t *testing.T) {
		w := newWorld(t)
		if err := os.Chmod(w.path("db", "scalelite.db"), 0o644); err != nil {
			t.Fatal(err)
		}
		f := only(t, w.look("database"))
		f.want(t, Warn, "mode 0644")
		typed(t, strings.TrimPrefix(f.Commands[0], "sudo "))
		fine(t, w.look("database"))
	})
	for name, c := range map[string]struct {
		err    error
		result Result
		text   string
	}{
		"damaged": {errors.New("open x: is damaged: bad page; restore a backup"), Fail, "bad page"},
		"locked":  {kv.ErrLocked, Skipped, "another process has it"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.options.Open = func(context.Context) (Pool, func() error, error) { return nil, nil, c.err }
			only(t, w.look("database")).want(t, c.result, c.text)
		})
	}
	t.Run("none yet", func(t *testing.T) {
		w := newWorld(t)
		w.options.Open = func(context.Context) (Pool, func() error, error) {
			return nil, nil, errors.New("there is no database yet")
		}
		if err := os.Remove(w.path("db", "scalelite.db")); err != nil {
			t.Fatal(err)
		}
		only(t, w.look("database")).want(t, Warn, "no database yet", "servers add URL SECRET")
	})
}

// TestHangingCheckIsLeftBehind: one check that hangs keeps no other back, nor the
// report.
func TestHangingCheckIsLeftBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.load()
	p := newPatient(w.options)
	end := make(chan struct{})
	defer close(end)
	found := p.make(t.Context(), check{Check: Check{Name: "x"}, limit: time.Millisecond, run: func(*patient, context.Context) []Finding {
		<-end
		return nil
	}})
	if len(found) != 1 {
		t.Fatalf("findings %+v", found)
	}
	found[0].want(t, Fail, "did not come to an end within 1ms", "findmnt")
}

func TestMistakenCheckIsToldOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.load()
	found := newPatient(w.options).make(t.Context(), check{limit: time.Minute, run: func(*patient, context.Context) []Finding { panic("oh") }})
	if len(found) != 1 || found[0].Result != Fail || !strings.Contains(found[0].Found, "please report it: oh") {
		t.Errorf("findings %+v", found)
	}
}

// TestNoSecretIsShown (T68): not even one that an error quotes.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pool.servers[0].Online = false
	w.pool.servers[0].Error = "somebody said " + serverSecret
	w.pool.exam.Damage = "index of " + ourSecret
	report := w.look("servers", "database")
	for _, f := range report.Findings {
		if f.Result != OK && !strings.Contains(f.Found, "[...]") {
			t.Errorf("found %q", f.Found)
		}
	}
}

func TestProgressNamesWhatIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.load()
	told := make(chan string, 1)
	seen := make(chan struct{})
	w.options.Progress = func(done, total int, running []string) {
		select {
		case told <- fmt.Sprintf("%d %d %s", done, total, running):
			close(seen)
		default:
		}
	}
	w.options.System.Synchronised = func() (bool, error) { <-seen; return true, nil }
	w.options.Only = []string{"clock"}
	Run(t.Context(), w.options)
	if got := <-told; got != "0 1 [clock]" {
		t.Errorf("told %q", got)
	}
}
