package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"scalelite/cmd/config"
	"scalelite/store/kv"
	"scalelite/web/admin"
)

func TestWrongUsageIsStatus2(t *testing.T) {
	t.Parallel()
	s := newSession(t, twoServers())
	for _, args := range [][]string{
		{"frobnicate"},
		{"servers", "ad"},
		{"servers", "--frobnicate"},
		{"servers", "add", "https://bbb1.example.com"},
		{"servers", "add", "https://bbb1.example.com", ""},
		{"servers", "add", "u", "s", "--load-multiplier", "0"},
		{"servers", "add", "u", "s", "--load-multiplier", "NaN"},
		{"servers", "add", "u", "s", "--max-users", "-1"},
		{"servers", "update", "id-1"},
		{"servers", "enable"},
		{"servers", "sync", "f", "--mode", "panic"},
		{"status", "extra"},
		{"status", "--watch", "--json"},
		{"status", "--watch"}, // no terminal
		{"meetings", "end"},
		{"meetings", "end", "--all", "x"},
		{"meetings", "end", ""},
		{"meetings", ""},
		{"meetings", "info"},
		{"config", "chek"},
		{"config", "show", "--json", "--toml"},
		{"backup", "a", "b"},
		{"restore", "-"},
	} {
		s.run("", args...).wantFail(t, exitUsage, "--help' to see how it is used")
	}
}

func TestFlagErrorsAreForPeople(t *testing.T) {
	t.Parallel()
	s := newSession(t, twoServers())
	for want, args := range map[string][]string{
		`invalid argument "two" for "--load-multiplier" flag: a number is needed`: {"servers", "update", "id-1", "--load-multiplier", "two"},
		`invalid argument "1.5" for "--max-users" flag: a number is needed`:       {"servers", "update", "id-1", "--max-users", "1.5"},
		`invalid argument "no!" for "--standby" flag: true or false is needed`:    {"servers", "update", "id-1", "--standby=no!"},
		"unknown flag: --frobnicate":                                              {"servers", "--frobnicate"},
	} {
		if r := s.run("", args...); r.code != exitUsage || !strings.HasPrefix(r.err, "scalelite: "+want+"\n") {
			t.Errorf("%v: %d %s", args, r.code, r.err)
		}
	}
}

// What to do about a missing permission is said once.
func TestPermissionDenied(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		fmt.Errorf("open x: %w", fs.ErrPermission),
		fmt.Errorf("admin socket: permission denied: use sudo: %w", fs.ErrPermission),
	} {
		var out strings.Builder
		if report(&out, nil, err); strings.Count(out.String(), "sudo") != 1 {
			t.Errorf("%v: %s", err, out.String())
		}
	}
}

func TestFailuresAreStatus1WithoutTheUsage(t *testing.T) {
	t.Parallel()
	p := twoServers()
	p.fail = &admin.Error{Code: admin.Internal, Message: "disk full"}
	r := newSession(t, p).run("", "status")
	if r.code != exitFailure || r.err != "scalelite: admin socket ./data/admin.sock: disk full\n" {
		t.Errorf("%+v", r)
	}
}

func TestAMistakeInTheProgramPrintsNoStack(t *testing.T) {
	t.Parallel()
	s := newSession(t, nil)
	s.deps.dial = func(string) admin.Service { panic("boom") }
	r := s.run("", "status")
	r.wantFail(t, exitFailure, "boom")
	if strings.Contains(r.err, "goroutine") {
		t.Errorf("stderr has a stack trace: %s", r.err)
	}
}

func TestSeveralConfigurationProblems(t *testing.T) {
	t.Parallel()
	s := newSession(t, twoServers())
	file := filepath.Join(s.dir, "config.toml")
	if err := os.WriteFile(file, []byte("[web]\nhots = 1\nlisten = 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := s.run("", "status")
	r.wantFail(t, exitFailure, "scalelite: the configuration has 2 problems:\n"+file+":2: web.hots: unknown key", file+":3: web.listen")
	r = s.run("", "config", "check", "--json")
	var got checkResult
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || got.OK || len(got.Problems) != 2 || got.Problems[0].Line != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

// Every command has a long help; every one that can be run has an example.
func TestEveryCommandExplainsItself(t *testing.T) {
	t.Parallel()
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Short == "" || c.Long == "" {
			t.Errorf("%s has no help", c.CommandPath())
		}
		if c.Runnable() && c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for line := range strings.SplitSeq(c.Long+"\n"+c.Example, "\n") {
			if len(line) > 100 {
				t.Errorf("%s: line too long: %s", c.CommandPath(), line)
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	s := newSession(t, twoServers())
	visit(newRoot(&app{deps: s.deps}))
}

func TestWithoutServiceTheDatabaseIsOpened(t *testing.T) {
	t.Parallel()
	absent, p := &pool{noService: true}, twoServers()
	p.daemon = false
	s := newSession(t, absent)
	database := filepath.Join(s.dir, "scalelite.db")
	writeConfig(t, s, "[store]\npath = \""+database+"\"\n")
	opened, closed := 0, 0
	s.deps.open = func(_ context.Context, l *config.Loaded) (admin.Service, func() error, error) {
		opened++
		if err := os.WriteFile(l.Config.Store.Path, nil, 0o600); err != nil {
			return nil, nil, err
		}
		return p, func() error { closed++; return nil }, nil
	}

	for _, args := range [][]string{{"servers"}, {"status"}, {"secret"}, {"meetings"}, {"poll"}, {"servers", "export"}} {
		s.run("", args...).wantFail(t, exitFailure, "there is no database yet, it would be "+database)
	}
	if opened != 0 {
		t.Fatalf("reading opened a database that is not there %d times", opened)
	}
	s.ok("servers", "add", "https://bbb3.example.com", "s")
	s.ok("status")
	if opened != 2 || closed != 2 {
		t.Errorf("opened %d times, closed %d times, want 2 and 2", opened, closed)
	}
}

func TestALockedDatabaseIsStatus75(t *testing.T) {
	t.Parallel()
	s := newSession(t, &pool{noService: true})
	database := filepath.Join(s.dir, "scalelite.db")
	writeConfig(t, s, "[store]\npath = \""+database+"\"\n")
	if err := os.WriteFile(database, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.deps.open = func(context.Context, *config.Loaded) (admin.Service, func() error, error) {
		return nil, nil, fmt.Errorf("open %s: %w", database, kv.ErrLocked)
	}
	s.run("", "status").wantFail(t, exitTempFail, database+" is in use by another process", "/run/scalelite/admin.sock")
}

func TestTheErrorOfClosingIsTold(t *testing.T) {
	t.Parallel()
	p := twoServers()
	s := newSession(t, &pool{noService: true})
	writeConfig(t, s, "[store]\npath = \""+filepath.Join(s.dir, "config.toml")+"\"\n")
	s.deps.open = func(context.Context, *config.Loaded) (admin.Service, func() error, error) {
		return p, func() error { return errors.New("disk is gone") }, nil
	}
	s.run("", "status").wantFail(t, exitFailure, "disk is gone")
}

func TestCompletionOffersServers(t *testing.T) {
	t.Parallel()
	s := newSession(t, twoServers())
	out := s.ok("__complete", "servers", "enable", "")
	if !strings.Contains(out, "id-1\tbbb1.example.com, enabled\nid-2\tbbb2.example.com, disabled\n:4\n") {
		t.Errorf("completion: %q", out)
	}
	if out := s.ok("__complete", "servers", "enable", "id-1", ""); strings.Contains(out, "id-2") {
		t.Errorf("a second ID is offered: %q", out)
	}
	s = newSession(t, &pool{noService: true})
	if out := s.ok("__complete", "servers", "enable", ""); out != ":4\n" {
		t.Errorf("without service: %q", out)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	s := newSession(t, nil)
	if out := s.ok("version"); !strings.HasPrefix(out, "scalelite devel (go") {
		t.Errorf("version = %q", out)
	}
	var b buildInfo
	if err := json.Unmarshal([]byte(s.ok("version", "--json")), &b); err != nil || b.Version == "" || b.Go == "" {
		t.Errorf("%+v, %v", b, err)
	}
}

func writeConfig(t *testing.T, s *session, content string) {
	t.Helper()
	if err := os.WriteFile(s.deps.systemFile, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
