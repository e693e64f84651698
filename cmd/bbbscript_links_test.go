package cmd

import (
	"net"
	"strings"
	"testing"
)

// asUser runs a line of the shell as the user of BBB.
func (m *machine) asUser(line string) {
	m.t.Helper()
	m.must("runuser", "-u", bbbUser, "--", "sh", "-ec", line)
}

// The user of BBB owns the directories that the script mends as root. Links that
// it lays there lead nowhere.
func TestSetupFollowsNoLinks(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	m.mustSetup(nil)
	m.must("install", "-d", "-m", "0755", "/etc/of-root")
	refuse := func(what, lay, says string) {
		t.Helper()
		m.asUser(lay)
		if out, err := m.setup(nil); exitCode(err) != exitFailure || !strings.Contains(out, says) {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
		if got := m.must("stat", "-c", "%U %G %a", "/etc/of-root") + m.must("ls", "-A", "/etc/of-root"); got != "root root 755\n" {
			t.Errorf("%s: the directory of root is now %q", what, got)
		}
	}
	refuse("a subdirectory", "cd "+bbbState+"; rmdir tmp; ln -s /etc/of-root tmp", bbbState+"/tmp is a link")
	refuse("the directory itself", "cd "+bbbState+"/..; rm -r scalelite; ln -s /etc/of-root scalelite", bbbState+" is a link")
	m.must("rm", bbbState)
	m.must("install", "-d", "-m", "0750", bbbState)
	refuse("a directory of root's in its place", "true", bbbState+"/ does not belong to "+bbbUser)
	m.must("rmdir", bbbState)

	m.asUser("cd /var/log/bigbluebutton; ln -sf /etc/of-root/log scalelite-send.log")
	if out, err := m.setup(nil); m.must("ls", "-A", "/etc/of-root") != "" {
		t.Errorf("the log: %v\n%s", err, out)
	}
	m.asUser("rm -f /var/log/bigbluebutton/scalelite-send.log")
	m.mustSetup(nil)
	m.asUser("chmod 0777 " + bbbState)
	if out := m.mustSetup(nil); !strings.Contains(out, "mode set: "+bbbState) || m.must("stat", "-c", "%a", bbbState) != "750\n" {
		t.Errorf("the mode is not mended:\n%s", out)
	}
}

// So do those in its home, when the script is run and when it is taken back.
func TestSetupOfSSHFollowsNoLinks(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	server := newSSHServer(t, m)
	_, port, _ := net.SplitHostPort(server.address)
	flags := []string{"--transfer", "ssh", "--ssh-host", "127.0.0.1", "--ssh-port", port}
	const secret = "of root alone"
	writeFile(t, m.root+"/etc/of-root/config", secret)
	m.must("chmod", "0600", "/etc/of-root/config")
	untold := func(what string) {
		t.Helper()
		if found, err := m.run("grep", "-rl", secret, "/home/"+bbbUser); err == nil {
			t.Errorf("%s: what root alone may read is in %s", what, found)
		}
		if got := m.must("stat", "-c", "%U %a", "/etc/of-root", "/etc/of-root/config") + m.must("ls", "/etc/of-root"); got != "root 755\nroot 600\nconfig\n" {
			t.Errorf("%s: the directory of root is now %q", what, got)
		}
	}
	m.asUser("cd; mkdir -m 0700 .ssh; ln -s /etc/of-root/config .ssh/config")
	if out, err := m.setup(flags); exitCode(err) != exitFailure || !strings.Contains(out, "cannot read /home/"+bbbUser+"/.ssh/config") {
		t.Errorf("a file: %v\n%s", err, out)
	}
	untold("a file")
	m.asUser("cd; rm -r .ssh; ln -s /etc/of-root .ssh")
	if out, err := m.setup(flags); err == nil {
		t.Errorf("a directory:\n%s", out)
	}
	untold("a directory")
	m.asUser("cd; rm .ssh")
	m.mustSetup(flags)
	m.asUser("cd; ln -sf /etc/of-root/config .ssh/config")
	m.mustSetup(flags, "--uninstall")
	untold("taken back")
}
