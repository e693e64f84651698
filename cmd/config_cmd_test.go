package cmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestConfigCheck(t *testing.T) {
	t.Parallel()
	s := newSession(t, nil)
	if out := s.ok("config", "check"); out != "no configuration file, defaults below ./data: ok\n" {
		t.Errorf("%q", out)
	}
	writeConfig(t, s, "[web]\nhost = \"bbb.example.com\"\n")
	if out := s.ok("config", "check"); out != s.deps.systemFile+": ok\n" {
		t.Errorf("%q", out)
	}
	if out := s.ok("config", "check", "--json"); !strings.Contains(out, `"ok": true`) || !strings.Contains(out, `"problems": []`) {
		t.Errorf("%q", out)
	}
	other := filepath.Join(s.dir, "other.toml")
	if err := os.WriteFile(other, []byte("\n[log]\nlevel = 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := s.run("", "config", "check", "--config", other)
	if r.code != exitFailure || r.err != "scalelite: "+other+`:3: log.level: 7 is a number; text in quotes like "info"`+"\n" {
		t.Errorf("%+v", r)
	}
	s.deps.getenv = func(name string) string { return map[string]string{"SCALELITE_CONFIG": other + "x"}[name] }
	s.run("", "config", "check").wantFail(t, exitFailure, other+"x: there is no such file")
}

func TestConfigShow(t *testing.T) {
	t.Parallel()
	s := newSession(t, nil)
	writeConfig(t, s, "[web]\nsecrets = [\"swordfish\"]\nhost = \"bbb.example.com\"\n")
	s.deps.getenv = func(name string) string {
		return map[string]string{"POLL_INTERVAL": "30", "LOADBALANCER_SECRET": "swordfish2"}[name]
	}
	out := s.ok("config", "show")
	for _, want := range []string{
		"KEY", `"bbb.example.com"`, "environment POLL_INTERVAL", `["[secret]", "[secret]"]`, "file + environment LOADBALANCER_SECRET",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, args := range [][]string{{"config", "show"}, {"config", "show", "--json"}, {"config", "show", "--toml"}} {
		if out := s.ok(args...); strings.Contains(out, "swordfish") {
			t.Errorf("%q shows a secret", args)
		}
		if out := s.ok(append(args, "--secrets")...); !strings.Contains(out, "swordfish2") {
			t.Errorf("%q --secrets shows none", args)
		}
	}
	var entries []struct {
		Key, Source string
		Value       any
	}
	if err := json.Unmarshal([]byte(s.ok("config", "show", "--json")), &entries); err != nil || len(entries) < 30 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for _, e := range entries {
		if e.Key == "balancer.poll_interval" && (e.Value != "30s" || e.Source != "environment POLL_INTERVAL") {
			t.Errorf("%+v", e)
		}
	}
}

// The boundary of a file system is told with file and line before a start
// stumbles over it.
func TestConfigCheckLooksAtFileSystems(t *testing.T) {
	t.Parallel()
	s := newSession(t, nil)
	other := t.TempDir()
	if err := syscall.Mount("tmpfs", other, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("another file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(other, syscall.MNT_DETACH) })
	writeConfig(t, s, "[recordings]\nwork_dir = \""+s.dir+"/work\"\npublished_dir = \""+other+"/published\"\nunpublished_dir = \""+s.dir+"/unpublished\"\n")
	for _, args := range [][]string{{"config", "check"}, {"serve"}} {
		r := s.run("", args...)
		want := s.deps.systemFile + ":3: recordings.published_dir: " + other + "/published and recordings.work_dir " + s.dir + "/work are not on one file system"
		if r.code != exitFailure || !strings.Contains(r.err, want) {
			t.Errorf("%q: %+v", args, r)
		}
	}
}
