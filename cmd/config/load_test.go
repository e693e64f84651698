package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer/bbb"
)

// env is an environment with these variables only.
func env(pairs ...string) func(string) string {
	m := map[string]string{}
	for _, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		m[name] = value
	}
	return func(name string) string { return m[name] }
}

// write puts a configuration file in a directory of its own.
func write(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// load loads content under the environment, with the file called FILE in
// what is reported.
func load(t *testing.T, content string, vars ...string) (*Loaded, error) {
	t.Helper()
	name := write(t, content)
	l, err := Load(Options{File: name, Getenv: env(vars...)})
	var ps Problems
	if errors.As(err, &ps) {
		for i := range ps {
			ps[i].File = strings.Replace(ps[i].File, name, "FILE", 1)
			ps[i].Environment = strings.Replace(ps[i].Environment, name, "FILE", 1)
		}
		return nil, ps
	}
	return l, err
}

func mustLoad(t *testing.T, content string, vars ...string) *Loaded {
	t.Helper()
	l, err := load(t, content, vars...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestDefaultsWithoutFile(t *testing.T) {
	t.Parallel()
	l, err := Load(Options{SystemFile: filepath.Join(t.TempDir(), "none"), Getenv: env()})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(DefaultWithoutFile(), l.Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if l.Config.Store.Path != "./data/scalelite.db" || l.Config.Web.AdminSocket != "./data/admin.sock" {
		t.Errorf("store.path %q, web.admin_socket %q: not below ./data", l.Config.Store.Path, l.Config.Web.AdminSocket)
	}
	if got := l.Config.Recordings.SpoolDir; got != "data/spool" {
		t.Errorf("recordings.spool_dir %q: not below ./data", got)
	}
	if l.File != "" || l.Source("store.path") != "default" {
		t.Errorf("file %q, source %q", l.File, l.Source("store.path"))
	}
}

func TestDefaultsOfAnInstalledProgram(t *testing.T) {
	t.Parallel()
	name := write(t, "")
	l, err := Load(Options{SystemFile: name, Getenv: env()})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), l.Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if l.File != name {
		t.Errorf("file = %q, want %q", l.File, name)
	}
}

func TestWhichFileIsRead(t *testing.T) {
	t.Parallel()
	flag := write(t, "[web]\nhost = \"flag\"")
	variable := write(t, "[web]\nhost = \"variable\"")
	system := write(t, "[web]\nhost = \"system\"")
	for _, tc := range []struct{ flag, variable, want string }{
		{flag, variable, "flag"},
		{"", variable, "variable"},
		{"", "", "system"},
	} {
		l, err := Load(Options{File: tc.flag, SystemFile: system, Getenv: env("SCALELITE_CONFIG=" + tc.variable)})
		if err != nil {
			t.Fatal(err)
		}
		if l.Config.Web.Host != tc.want {
			t.Errorf("host = %q, want %q", l.Config.Web.Host, tc.want)
		}
	}
}

func TestANamedFileThatIsMissingIsAnError(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "none.toml")
	for _, o := range []Options{
		{File: missing, Getenv: env()},
		{Getenv: env("SCALELITE_CONFIG=" + missing)},
	} {
		_, err := Load(o)
		want := missing + ": there is no such file; name one with --config FILE or the environment variable SCALELITE_CONFIG"
		if err == nil || err.Error() != want {
			t.Errorf("error = %v\n want %s", err, want)
		}
	}
}

func TestADirectoryIsNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := Load(Options{File: dir, Getenv: env()})
	if want := dir + ": is a directory; a readable file is needed"; err == nil || err.Error() != want {
		t.Errorf("error = %v, want %s", err, want)
	}
}

func TestEveryKindOfValue(t *testing.T) {
	t.Parallel()
	l := mustLoad(t, `
log.level = "debug"
[web]
secrets = [
  "first", # with a comment
  "second ]",
]
unsigned_bodies = false
[balancer]
poll_interval = "90s"
poll_concurrency = 4
load_per_video = 2
create_defaults = { record = true, welcome = "Hi", maxParticipants = 50 }
[balancer.join_overrides]
userdata-bbb_skip = "true"
`)
	c := l.Config
	if c.Log.Level != "debug" || c.Web.UnsignedBodies || c.Balancer.PollInterval != 90*time.Second ||
		c.Balancer.PollConcurrency != 4 || c.Balancer.LoadPerVideo != 2 {
		t.Errorf("values did not arrive: %+v", c)
	}
	if diff := cmp.Diff([]bbb.Secret{"first", "second ]"}, c.Web.Secrets); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"record": "true", "welcome": "Hi", "maxParticipants": "50"}, c.Balancer.CreateDefaults); diff != "" {
		t.Errorf("create_defaults (-want +got):\n%s", diff)
	}
	if c.Balancer.JoinOverrides["userdata-bbb_skip"] != "true" {
		t.Errorf("join_overrides = %v", c.Balancer.JoinOverrides)
	}
	if got := l.Source("balancer.join_overrides"); got != "file" {
		t.Errorf("source = %q, want file", got)
	}
}

func TestByteOrderMarkAndWindowsLineEnds(t *testing.T) {
	t.Parallel()
	l := mustLoad(t, "\ufeff[web]\r\nhost = \"bbb.example.com\"\r\n")
	if l.Config.Web.Host != "bbb.example.com" {
		t.Errorf("host = %q", l.Config.Web.Host)
	}
	_, err := load(t, "\ufeff[web]\r\nhost = \"h\"\r\nprot = 1\r\n")
	if err == nil || !strings.HasPrefix(err.Error(), "FILE:3: web.prot: unknown key") {
		t.Errorf("error = %v, want it at line 3", err)
	}
}

func TestReloadTellsWhatChanged(t *testing.T) {
	t.Parallel()
	name := write(t, "[web]\nhost = \"a\"\n")
	l, err := Load(Options{File: name, Getenv: env()})
	if err != nil {
		t.Fatal(err)
	}
	if _, changed, err := l.Reload(); err != nil || len(changed) != 0 {
		t.Errorf("same file: changed %v, error %v", changed, err)
	}
	changedFile := "[web]\nhost = \"b\"\nsecrets = [\"s\"]\n[log]\nlevel = \"debug\"\n[balancer]\ncreate_defaults = { x = \"1\" }\n"
	if err := os.WriteFile(name, []byte(changedFile), 0o600); err != nil {
		t.Fatal(err)
	}
	next, changed, err := l.Reload()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"log.level", "web.host", "web.secrets", "balancer.create_defaults"}, changed); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	if next.Config.Web.Host != "b" || l.Config.Web.Host != "a" {
		t.Errorf("hosts %q and %q, want b and a", next.Config.Web.Host, l.Config.Web.Host)
	}
	if err := os.WriteFile(name, []byte("[web"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := next.Reload(); err == nil {
		t.Error("a broken file is no error")
	}
}
