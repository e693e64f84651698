//go:build e2e && linux

package main

import (
	"strings"
	"testing"
)

// TestWithoutSystemd: the package does its part in a root where systemd is not
// there, such as a container or an image that is being built, and the program
// runs there with the rights that the unit leaves it.
func TestWithoutSystemd(t *testing.T) {
	for _, release := range releases() {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, release, "none")
			m.run("groupadd --gid 2000 teachers")
			m.run("mkdir -p /var/bigbluebutton/published/presentation && chmod 700 /var/bigbluebutton/published")
			m.run("printf 'URL_HOST=\"lb.example.org\"\n# LOADBALANCER_SECRET=x\nnot a line\n' >/etc/default/scalelite")
			said := m.run("apt-get install -y /root/" + debName("0.0.1"))
			for _, bad := range []string{"systemctl:", "System has not been booted", "Failed to", "warning:"} {
				if strings.Contains(said, bad) {
					t.Errorf("%q in:\n%s", bad, said)
				}
			}
			if !strings.Contains(said, "cannot write into /var/bigbluebutton/published") {
				t.Errorf("nothing about the directory of somebody else in:\n%s", said)
			}
			m.want("700 root", "stat -c '%a %U' /var/bigbluebutton/published")
			m.run("chown -R scalelite /var/bigbluebutton/published") // as it was told
			m.want("", "dpkg --verify scalelite")
			m.run("[ -L /etc/systemd/system/multi-user.target.wants/scalelite.service ]")
			if gid := m.run("getent group scalelite-spool | cut -d: -f3"); gid == "2000" || gid == "" {
				t.Errorf("the group of the spool has the ID %q", gid)
			}
			m.run(`sed -i 's/^\[web\]/[web]\nlisten = ":80"/' /etc/scalelite/config.toml`)
			m.run("install -d -o scalelite /srv/pool && printf '\n[store]\npath = \"/srv/pool/scalelite.db\"\n' >>/etc/scalelite/config.toml")
			m.serve("0.0.1")
			m.run("scalelite servers add --no-check --id s1 https://bbb1.example.org/bigbluebutton/ SECRET")
			m.run("apt-get install -y /root/" + debName("0.0.2"))
			m.want("1", "ls /srv/pool/upgrade | wc -l") // through the running process
			m.end()
			m.serve("0.0.2")
			if got := m.servers(); got != "s1" {
				t.Errorf("the servers are %q", got)
			}
			m.end()
			m.brokenDatabase()
			m.badConfigOffline()
			m.run("mkdir -p /srv/backups /srv/player && printf 'backup_dir = \"/srv/backups\"\nplayer_dir = \"/srv/player\"\n' >>/etc/scalelite/config.toml")
			said = m.run("apt-get purge -y scalelite")
			if !strings.Contains(said, "\n  /srv/backups\n") || strings.Contains(said, "/srv/player") {
				t.Errorf("the places of the data are not those of the configuration:\n%s", said)
			}
			if !strings.Contains(said, "\n  /srv/pool/scalelite.db\n") {
				t.Errorf("nothing about the database in:\n%s", said)
			}
			m.run("[ ! -e /etc/scalelite ] && [ ! -e /var/lib/scalelite ] && [ -e /srv/pool/scalelite.db ]")
			m.want("", "find /etc/systemd /var/lib/systemd -name '*scalelite*'")
		})
	}
}

// serve starts the program as the unit would.
func (m *machine) serve(version string) {
	m.t.Helper()
	m.run("install -d -o scalelite -g scalelite /run/scalelite")
	m.run(`cd / && export $(sed -n 's/"//g; /^[A-Z_]*=/p' /etc/default/scalelite) &&
		setpriv --reuid=scalelite --regid=scalelite --init-groups --no-new-privs \
			--bounding-set=-all,+net_bind_service --inh-caps=-all,+net_bind_service --ambient-caps=-all,+net_bind_service \
			scalelite serve --config /etc/scalelite/config.toml >/root/log 2>&1 & echo $! >/root/pid`)
	m.eventually("scalelite status >/dev/null 2>&1")
	m.want("scalelite", "stat -c %U /proc/$(pidof scalelite)")
	m.answersAs("http://lb.example.org/bigbluebutton/api", version)
}

func (m *machine) end() {
	m.t.Helper()
	m.run("kill $(pidof scalelite)")
	m.eventually("! pidof scalelite")
}

// brokenDatabase: what the program cannot read is copied as a file.
func (m *machine) brokenDatabase() {
	m.t.Helper()
	m.run("cp -p /srv/pool/scalelite.db /root/good.db && rm -r /srv/pool/upgrade")
	m.run("head -c 100 /dev/urandom >/srv/pool/scalelite.db")
	said := m.run("apt-get install -y --reinstall /root/" + debName("0.0.2"))
	if !strings.Contains(said, "the file of the database is copied") {
		m.t.Errorf("nothing about a copy in:\n%s", said)
	}
	m.run("cmp /srv/pool/scalelite.db /srv/pool/upgrade/scalelite-0.0.2-*.db && cp -p /root/good.db /srv/pool/scalelite.db")
}

// badConfigOffline: the database is found and copied although the program cannot
// read its configuration.
func (m *machine) badConfigOffline() {
	m.t.Helper()
	m.run("rm -r /srv/pool/upgrade && sed -i 's/^\\[web\\]/[web]\\nnonsense = 1/' /etc/scalelite/config.toml")
	m.run("apt-get install -y --reinstall /root/" + debName("0.0.2"))
	m.run("cmp /srv/pool/scalelite.db /srv/pool/upgrade/scalelite-0.0.2-*.db")
}
