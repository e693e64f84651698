//go:build e2e && linux

package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// releases are those of Debian that the package is tried on. SCALELITE_RELEASES
// names others: bullseye's tools are all older than those of Ubuntu 22.04.
func releases() []string {
	if names := os.Getenv("SCALELITE_RELEASES"); names != "" {
		return strings.Fields(names)
	}
	return []string{"bookworm", "trixie"}
}

// packages builds a former and a later version for this machine, once for all
// tests, and returns the directory they are in.
var packages = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "scalelite-packages-")
	if err != nil {
		return "", err
	}
	for _, version := range []string{"0.0.1", "0.0.2"} {
		if err := run(context.Background(), []string{"--arch", runtime.GOARCH, "--version", version, "--out", dir}, os.Stderr, os.Stderr); err != nil {
			return "", err
		}
	}
	return dir, nil
})

// newMachine is a clean machine with the packages in /root.
func newMachine(t *testing.T, release, init string) *machine {
	t.Helper()
	root := bootstrap(t, release)
	dir, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"0.0.1", "0.0.2"} {
		name := debName(version)
		host(t, "cp", filepath.Join(dir, name), filepath.Join(root, "root", name))
	}
	if init == "systemd" {
		bare := boot(t, root, "none")
		bare.run("apt-get -qq update")
		bare.run("apt-get -qq install --no-install-recommends systemd systemd-sysv")
		bare.halt()
	}
	m := boot(t, root, init)
	m.run("apt-get -qq update")
	return m
}

// TestLifeOnDebian (T60): what an administrator does with the package from the
// first day to the last, on clean systems with a real systemd.
func TestLifeOnDebian(t *testing.T) {
	for _, release := range releases() {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, release, "systemd")
			l := &life{m}
			for _, step := range []struct {
				name string
				do   func(*testing.T)
			}{
				{"install", l.install},
				{"start", l.start},
				{"upgrade", l.upgrade},
				{"upgrade with a bad configuration", l.badConfig},
				{"upgrade of a stopped and disabled service", l.stopped},
				{"remove", l.remove},
				{"purge", l.purge},
			} {
				if !t.Run(step.name, step.do) {
					return
				}
			}
		})
	}
}

type life struct{ *machine }

// on has the machine's helpers report to a step.
func (l *life) on(t *testing.T) *machine { return &machine{t: t, pid: l.pid} }

func (l *life) install(t *testing.T) {
	m := l.on(t)
	declared := m.news("init-system-helpers passwd procps ca-certificates")
	declared["scalelite"] = true
	for name := range m.news("/root/" + debName("0.0.1")) {
		if !declared[name] {
			t.Errorf("%s is pulled in, which is not declared", name)
		}
	}
	said := m.run("apt-get install -y /root/" + debName("0.0.1"))
	for _, want := range []string{"systemctl start scalelite", "scalelite servers add ", "scalelite secret"} {
		if !strings.Contains(said, "\n  "+want) {
			t.Errorf("nothing about %q in:\n%s", want, said)
		}
	}
	m.want("", "dpkg --verify scalelite")
	m.want("enabled", "systemctl is-enabled scalelite")
	m.want("inactive", "systemctl is-active scalelite || true")
	m.want("scalelite scalelite-spool", "id -nG scalelite")
	m.want("2000", "getent group scalelite-spool | cut -d: -f3")
	m.want("755 scalelite:scalelite", "stat -c '%a %U:%G' /run/scalelite")
	m.want(trees, statTrees)
	m.want("/etc/scalelite/config.toml: ok", "setpriv --reuid=scalelite --regid=scalelite --init-groups scalelite config check")
	m.want("2", `grep -c '^[a-z_]*secrets = \["[A-Z2-7]\{40\}"\]$' /etc/scalelite/config.toml`)
	m.want("2", `grep '^[a-z_]*secrets' /etc/scalelite/config.toml | cut -d= -f2 | sort -u | wc -l`)
	m.run("systemd-analyze --man=no verify scalelite.service")
	m.run("if systemd-analyze --help | grep -q -e --offline; then systemd-analyze security --offline=true --threshold=20 scalelite.service; fi")
	// What the accounts are, systemd would make the same.
	const accounts = "id scalelite; getent passwd scalelite; getent group scalelite scalelite-spool"
	before := m.run(accounts)
	m.run("systemd-sysusers /usr/lib/sysusers.d/scalelite.conf")
	m.want(before, accounts)
	// A boot leaves directories as the administrator has them.
	m.run("chown root:root /var/bigbluebutton/published && chmod 755 /var/bigbluebutton/published && systemd-tmpfiles --create --boot --prefix=/var/bigbluebutton")
	m.want("755 root:root", "stat -c '%a %U:%G' /var/bigbluebutton/published")
	m.run("chown scalelite:scalelite /var/bigbluebutton/published && chmod 750 /var/bigbluebutton/published")
	m.want(trees, statTrees)
}

const statTrees = "stat -c '%a %U:%G %n' /etc/scalelite/config.toml /etc/scalelite /var/lib/scalelite $(find /var/bigbluebutton | LC_ALL=C sort)"

const trees = `640 root:scalelite /etc/scalelite/config.toml
750 root:scalelite /etc/scalelite
750 scalelite:scalelite /var/lib/scalelite
755 root:root /var/bigbluebutton
750 scalelite:scalelite /var/bigbluebutton/published
755 root:root /var/bigbluebutton/recording
750 scalelite:scalelite /var/bigbluebutton/recording/scalelite
750 scalelite:scalelite /var/bigbluebutton/recording/scalelite-failed
2775 scalelite:scalelite-spool /var/bigbluebutton/spool
750 scalelite:scalelite /var/bigbluebutton/unpublished`

func (l *life) start(t *testing.T) {
	m := l.on(t)
	begin := time.Now()
	m.run("systemctl start scalelite")
	m.answers("0.0.1")
	m.want("755 scalelite:scalelite", "stat -c '%a %U:%G' /run/scalelite")
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the first answer took %v", took)
	} else {
		t.Logf("answers %v after the start began", took.Round(time.Millisecond))
	}
	m.run("scalelite servers add --no-check --enable --id s1 https://bbb1.example.org/bigbluebutton/ 'SECRET'")
	m.want(m.run(`sed -n 's/^secrets = \["\(.*\)"\]$/\1/p' /etc/scalelite/config.toml`), "scalelite secret")
	pid := m.mainPID()
	for field, want := range map[string]string{
		"NoNewPrivs": "1", "CapBnd": "0000000000000400", "CapAmb": "0000000000000400", // NET_BIND_SERVICE
	} {
		m.want(want, "sed -n 's/^"+field+":\t//p' /proc/"+pid+"/status")
	}
	m.want("scalelite", "stat -c %U /proc/"+pid)
	m.run("systemctl reload scalelite")
}

func (m *machine) mainPID() string {
	return m.run("systemctl show --property MainPID --value scalelite")
}

// servers are the IDs of the servers.
func (m *machine) servers() string {
	return m.run(`scalelite servers --json | sed -n 's/^ *"id": "\(.*\)",$/\1/p'`)
}

func (l *life) upgrade(t *testing.T) {
	m := l.on(t)
	m.run("echo '# edited' >>/etc/scalelite/config.toml")
	config := m.run("cat /etc/scalelite/config.toml")
	pid := m.mainPID()
	watched := m.watch()
	said := m.run("apt-get install -y /root/" + debName("0.0.2"))
	m.answers("0.0.2")
	if w := watched(); w.gap > 2*time.Second {
		t.Errorf("no answers for %v", w.gap)
	} else {
		t.Logf("%d requests, %d failed, %v at most from one answer to the next", w.asked, w.failed, w.gap.Round(time.Millisecond))
	}
	if m.mainPID() == pid {
		t.Error("the former process runs on")
	}
	m.want(config, "cat /etc/scalelite/config.toml")
	m.want("640 root:scalelite", "stat -c '%a %U:%G' /etc/scalelite/config.toml")
	if got := m.servers(); got != "s1" {
		t.Errorf("the servers are %q", got)
	}
	copied := m.run("ls /var/lib/scalelite/upgrade/scalelite-0.0.1-*.db")
	if !strings.Contains(said, "the database is copied to "+copied) {
		t.Errorf("nothing about %s in:\n%s", copied, said)
	}
	m.want("600 scalelite", "stat -c '%a %U' "+copied)
	// The copy has what the database had.
	m.run("cd /tmp && printf '[web]\nadmin_socket = \"/tmp/no.sock\"\n[store]\npath = \"/tmp/other.db\"\n' >other.toml")
	m.run("scalelite restore --config /tmp/other.toml --yes " + copied)
	m.want("1", `scalelite servers --config /tmp/other.toml --json | grep -c '"id": "s1"'`)

	for range 4 {
		said = m.run("apt-get install -y --reinstall /root/" + debName("0.0.2"))
	}
	if strings.Contains(said, "next three commands") {
		t.Errorf("it talks as if it were new:\n%s", said)
	}
	m.answers("0.0.2")
	m.want(config, "cat /etc/scalelite/config.toml")
	m.want("3", "ls /var/lib/scalelite/upgrade | wc -l")
	m.want("", "dpkg --verify scalelite")
}

// badConfig: an upgrade does not end a service that would not start again.
func (l *life) badConfig(t *testing.T) {
	m := l.on(t)
	m.run("cp -p /etc/scalelite/config.toml /root/config.toml && echo 'nonsense = 1' >>/etc/scalelite/config.toml")
	pid := m.mainPID()
	if said, err := m.try("apt-get install -y --reinstall /root/" + debName("0.0.2")); err == nil {
		t.Errorf("upgraded without a copy of the database:\n%s", said)
	} else if !strings.Contains(said, "web.nonsense") || !strings.Contains(said, "SCALELITE_NO_COPY=1 apt install") {
		t.Errorf("neither the cause nor a way on in:\n%s", said)
	}
	m.want("ii", "dpkg-query -f '${db:Status-Abbrev}' -W scalelite | tr -d ' '")
	said := m.run("SCALELITE_NO_COPY=1 dpkg -i /root/" + debName("0.0.2"))
	if !strings.Contains(said, "web.nonsense") || !strings.Contains(said, "systemctl restart scalelite") {
		t.Errorf("neither the cause nor a way on in:\n%s", said)
	}
	m.want(pid, "systemctl show --property MainPID --value scalelite")
	m.want("active", "systemctl is-active scalelite")
	m.run("cp -p /root/config.toml /etc/scalelite/config.toml")
}

// stopped: an upgrade starts nothing and enables nothing that the administrator
// has stopped and disabled; the database is copied all the same.
func (l *life) stopped(t *testing.T) {
	m := l.on(t)
	m.run("systemctl disable --now scalelite && rm -r /var/lib/scalelite/upgrade")
	m.run("apt-get install -y --reinstall /root/" + debName("0.0.2"))
	m.want("disabled", "systemctl is-enabled scalelite || true")
	m.want("inactive", "systemctl is-active scalelite || true")
	m.want("1", "ls /var/lib/scalelite/upgrade | wc -l")
	m.want("scalelite", "stat -c %U /var/lib/scalelite/scalelite.db")
	m.run("systemctl enable --now scalelite")
	m.answers("0.0.2")
}

func (l *life) remove(t *testing.T) {
	m := l.on(t)
	config := m.run("cat /etc/scalelite/config.toml")
	m.run("touch /var/bigbluebutton/published/kept")
	m.run("apt-get remove -y scalelite")
	m.want("inactive", "systemctl is-active scalelite || true")
	m.want(config, "cat /etc/scalelite/config.toml")
	m.run("[ ! -e /usr/bin/scalelite ] && [ -e /var/lib/scalelite/scalelite.db ]")
	m.run("apt-get install -y /root/" + debName("0.0.2"))
	m.want(config, "cat /etc/scalelite/config.toml")
	m.want("enabled", "systemctl is-enabled scalelite")
	m.run("systemctl start scalelite")
	m.answers("0.0.2")
	if got := m.servers(); got != "s1" {
		t.Errorf("the servers are %q", got)
	}
}

func (l *life) purge(t *testing.T) {
	m := l.on(t)
	// What "restore --with-config" keeps, and leaves behind when it is killed.
	m.run("cd /etc/scalelite && cp config.toml config.toml.before-restore-20261123T083000Z && cp config.toml .config.toml.4711")
	said := m.run("apt-get purge -y scalelite")
	for _, want := range []string{"\n  /var/bigbluebutton/published\n", "\n  /var/lib/scalelite\n", "userdel scalelite"} {
		if !strings.Contains(said, want) {
			t.Errorf("nothing about %q in:\n%s", want, said)
		}
	}
	m.want("", "find /etc /usr/bin /usr/lib /usr/share -name '*scalelite*'  ! -path '/etc/scalelite*' -print; ls -d /etc/scalelite 2>/dev/null || true")
	m.run("[ -e /var/lib/scalelite/scalelite.db ] && [ -e /var/bigbluebutton/published/kept ]")
	m.want("", "ls -d /var/bigbluebutton/unpublished /run/scalelite 2>/dev/null || true")
	m.run("rm -r /var/lib/scalelite /var/bigbluebutton/published && userdel scalelite && groupdel scalelite-spool")
}

// news are the packages that apt would install with the given ones.
func (m *machine) news(names string) map[string]bool {
	m.t.Helper()
	found := map[string]bool{}
	for line := range strings.Lines(m.run("apt-get install -s " + names)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Inst" {
			found[f[1]] = true
		}
	}
	return found
}

func debName(version string) string { return "scalelite_" + version + "_" + runtime.GOARCH + ".deb" }
