//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// place is a directory in which a script of the package finds /etc, /var and the
// programs that only root may use.
type place struct {
	t   *testing.T
	dir string
}

func newPlace(t *testing.T, files map[string]string) *place {
	t.Helper()
	for _, name := range []string{"sh", "flock"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Fatalf("%v: it belongs to every system that takes the package", err)
		}
	}
	p := &place{t, t.TempDir()}
	for name, content := range files {
		p.write(name, content, 0o600)
	}
	// The test may be anybody: who asks for the service's user gets that.
	p.write("bin/setpriv", "#!/bin/sh\nwhile case $1 in --*) : ;; *) false ;; esac; do shift; done\nexec \"$@\"\n", 0o755)
	for _, name := range []string{"systemctl", "deb-systemd-helper", "getent"} {
		p.write("bin/"+name, "#!/bin/sh\n", 0o755)
	}
	return p
}

func (p *place) write(name, content string, mode os.FileMode) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		p.t.Fatal(err)
	}
}

// run runs a script of the package as dpkg would, in the place.
func (p *place) run(script string, args ...string) string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "deb", script))
	if err != nil {
		p.t.Fatal(err)
	}
	inside := strings.NewReplacer("/etc/scalelite", p.dir+"/etc/scalelite", "/var/", p.dir+"/var/", "/run/", p.dir+"/run/").Replace(string(text))
	c := exec.CommandContext(p.t.Context(), "sh", append([]string{"-c", inside, script}, args...)...)
	c.Env = append(os.Environ(), "PATH="+p.dir+"/bin:"+os.Getenv("PATH"))
	out, err := c.CombinedOutput()
	if err != nil {
		p.t.Fatalf("%s %q: %v\n%s", script, args, err, out)
	}
	return strings.ReplaceAll(string(out), p.dir, "")
}

// files are the names of all files below dir.
func (p *place) files(dir string) (all []string) {
	p.t.Helper()
	err := filepath.WalkDir(filepath.Join(p.dir, dir), func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			all = append(all, strings.TrimPrefix(path, p.dir))
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		p.t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// TestPurgeTakesEverySecret: the configuration and all that was ever made of it
// go, wherever a restore or an installation was cut off. What else is there stays.
func TestPurgeTakesEverySecret(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{
		"etc/scalelite/config.toml":                                 "secret",
		"etc/scalelite/config.toml.new":                             "secret",
		"etc/scalelite/config.toml.before-restore-20261123T083000Z": "secret",
		"etc/scalelite/.config.toml.4711":                           "secret",
		"var/lib/scalelite/scalelite.db":                            "data",
	})
	if err := os.MkdirAll(filepath.Join(p.dir, "run/scalelite"), 0o755); err != nil {
		t.Fatal(err)
	}
	said := p.run("postrm", "purge")
	if got := p.files("etc"); len(got) > 0 {
		t.Errorf("left: %q", got)
	}
	for _, dir := range []string{"etc/scalelite", "run/scalelite"} {
		if _, err := os.Stat(filepath.Join(p.dir, dir)); !os.IsNotExist(err) {
			t.Errorf("the directory %s: %v", dir, err)
		}
	}
	if !strings.Contains(said, "\n  /var/lib/scalelite\n") || !strings.Contains(said, "backups in it hold a copy") {
		t.Errorf("says:\n%s", said)
	}
	p.write("etc/scalelite/mine.pem", "of the administrator", 0o600)
	if said := p.run("postrm", "purge"); !strings.Contains(said, "/etc/scalelite is kept") {
		t.Errorf("says:\n%s", said)
	}
	if diff := cmp.Diff([]string{"/etc/scalelite/mine.pem", "/var/lib/scalelite/scalelite.db"}, append(p.files("etc"), p.files("var")...)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestCopiesThatWereCutOff: what an upgrade left that was ended while it copied goes
// with the next one; the newest three copies stay.
func TestCopiesThatWereCutOff(t *testing.T) {
	t.Parallel()
	p := newPlace(t, map[string]string{
		"var/lib/scalelite/scalelite.db":                                          "data",
		"var/lib/scalelite/upgrade/scalelite-0.0.1-20261122T083000Z.db":           "data",
		"var/lib/scalelite/upgrade/scalelite-0.0.1-20261123T083000Z.db.new":       "da",
		"var/lib/scalelite/upgrade/.scalelite-0.0.1-20261123T093000Z.db.47114711": "dat",
	})
	p.write("bin/scalelite", "#!/bin/sh\nexit 1\n", 0o755)
	if said := p.run("preinst", "upgrade", "0.0.1"); !strings.Contains(said, "the file of the database is copied to /var/lib/scalelite/upgrade/scalelite-0.0.1-") {
		t.Errorf("says:\n%s", said)
	}
	got := p.files("var/lib/scalelite/upgrade")
	if len(got) != 2 || slices.ContainsFunc(got, func(name string) bool { return !strings.HasSuffix(name, "Z.db") }) {
		t.Errorf("copies: %q", got)
	}
}
