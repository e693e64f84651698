package cmd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"scalelite/store/backup"
)

// Whoever types a command, it works on the configuration that the installed
// service has: what the unit reads from a file counts. With a file of one's own,
// or with none at all, it does not.
func TestCommandsHaveTheEnvironmentOfTheService(t *testing.T) {
	t.Parallel()
	p := twoServers()
	p.backup = "database"
	s := newSession(t, p)
	s.deps.defaultsFile = s.write("default", "# of the Ruby system\nURL_HOST='lb.example.com'\nLOADBALANCER_SECRET=\"of-the-file\"\nSCALELITE_CONFIG=/nowhere.toml\n")
	s.deps.getenv = func(name string) string { return map[string]string{"URL_HOST": "of.the.shell"}[name] }
	if out := s.ok("config", "show", "--secrets"); strings.Contains(out, "lb.example.com") {
		t.Errorf("without a configuration of the system:\n%s", out)
	}
	writeConfig(t, s, "[log]\nlevel = \"info\"\n")
	out := s.ok("config", "show", "--secrets")
	for _, want := range []string{`"lb.example.com"`, "environment URL_HOST", `["of-the-file"]`} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if r := s.run("", "bbb-script", "--server", "id-1"); !strings.Contains(r.out, "\nbalancer='https://lb.example.com'\n") {
		t.Errorf("bbb-script: %s", r.err)
	}
	file := filepath.Join(s.dir, "b.tar.gz")
	s.ok("backup", file)
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := backup.ReadConfig(bytes.NewReader(content)); err != nil || !strings.Contains(string(kept), `secrets = ["of-the-file"]`) {
		t.Errorf("%s, %v", kept, err)
	}
	if out := s.ok("config", "show", "--secrets", "--config", s.deps.systemFile); strings.Contains(out, "lb.example.com") || !strings.Contains(out, "of.the.shell") {
		t.Errorf("with a file that was named:\n%s", out)
	}
	s.deps.defaultsFile = s.write("default", "POLL_INTERVAL=-5\n")
	s.run("", "config", "check").wantFail(t, exitFailure, "environment POLL_INTERVAL")
	// The service itself has what its unit gave it, and may have less.
	own := app{deps: s.deps}
	if l, err := serviceConfig(own.ownOptions()); err != nil || l.Config.Web.Host != "of.the.shell" {
		t.Errorf("the service: %v", err)
	}
}
