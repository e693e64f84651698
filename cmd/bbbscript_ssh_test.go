package cmd

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sshServer is a real SSH server that lets keys in as the user of a machine. It
// runs there, and stands for that of the load balancer.
type sshServer struct {
	m       *machine
	address string
	keys    string // its authorized_keys
	cmd     *exec.Cmd
}

func newSSHServer(t *testing.T, m *machine) *sshServer {
	t.Helper()
	s := &sshServer{m: m, address: freeLoopback(t), keys: m.p.path("authorized_keys")}
	for path, mode := range map[string]os.FileMode{m.p.dir: 0o755, m.p.path("spool"): 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	m.must("mkdir", "-p", "/run/sshd")
	m.must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", m.p.path("host_key"))
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *sshServer) start() {
	s.m.t.Helper()
	_, port, _ := net.SplitHostPort(s.address)
	s.cmd = s.m.command("/usr/sbin/sshd", "-D", "-f", "/dev/null", "-p", port, "-o", "ListenAddress=127.0.0.1", "-o", "HostKey="+s.m.p.path("host_key"),
		"-o", "AuthorizedKeysFile="+s.keys, "-o", "StrictModes=no", "-o", "PidFile=none", "-o", "UsePAM=no", "-o", "PasswordAuthentication=no")
	if err := s.cmd.Start(); err != nil {
		s.m.t.Fatal(err)
	}
	eventually(s.m.t, "the SSH server", func() bool {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

func (s *sshServer) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// authorizeLine is what the setup script asks to be run on the load balancer.
var authorizeLine = regexp.MustCompile(`scalelite recordings authorize-key '(ssh-ed25519 [A-Za-z0-9+/=]+ bigbluebutton@127\.0\.0\.1)'`)

// The other way: a key, rsync, and the spool.
func TestSSHFromABBBServer(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	const own = "Host elsewhere\n\tUser somebody\n"
	writeFile(t, m.root+"/home/"+bbbUser+"/.ssh/config", own)
	m.must("chown", "-R", bbbUser+":", "/home/"+bbbUser+"/.ssh")
	m.must("chmod", "0600", "/home/"+bbbUser+"/.ssh/config")
	m.before = m.state()
	server := newSSHServer(t, m)
	l := newLine(t, server.address)
	_, port, _ := net.SplitHostPort(l.address)
	flags := []string{"--transfer", "ssh", "--ssh-host", "127.0.0.1", "--ssh-port", port}

	out := m.mustSetup(flags)
	key := authorizeLine.FindStringSubmatch(out)
	if key == nil || !strings.Contains(out, "SHA256:") {
		t.Fatalf("setup:\n%s", out)
	}
	if out, err := m.setup(flags); exitCode(err) != exitFailure || !strings.Contains(out, "Permission denied") || !strings.Contains(out, key[0]) {
		t.Errorf("before the key is let in: %v\n%s", err, out)
	}
	writeFile(t, server.keys, "restrict "+key[1]+"\n")
	installed := m.state()
	if out := m.mustSetup(flags); !strings.Contains(out, "nothing was changed") || !strings.Contains(out, "takes files") {
		t.Errorf("second run:\n%s", out)
	}
	if len(installed) != len(m.state()) || len(p.spooled()) != 0 {
		t.Errorf("the second run or its test left something: %q", p.spooled())
	}
	if out := m.must("runuser", "-u", bbbUser, "--", "ssh", "-G", "elsewhere"); !strings.Contains(out, "user somebody\n") {
		t.Errorf("the own configuration of SSH is lost:\n%s", out)
	}

	r := made{id: id("large"), meeting: "room", version: 1, formats: []string{"presentation", "video"}, size: 1 << 20}
	m.publish(r)
	m.hook(r.id)
	l.after.Store(3 << 20)
	m.sendNow()
	l.wait(t)
	l.stall.Store(true)
	m.hurry()
	run := m.command("scalelite-send", "run")
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	l.wait(t)
	if err := run.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = run.Wait()
	if got := m.waiting(); !slices.Equal(got, []string{r.id}) {
		t.Errorf("waiting: %q", got)
	}
	if all, text := p.recordings("state", "any"); len(all) != 0 {
		t.Errorf("half of it was taken: %s", text)
	}
	l.after.Store(0)
	m.sent()
	if all, text := p.recordings(); len(all) != 1 || len(all[r.id].Formats) != 2 {
		t.Errorf("%s\n%s", text, m.log())
	}
	if left, err := os.ReadDir(m.root + bbbState + "/tmp"); err != nil || len(left) != 0 {
		t.Errorf("left on the server: %v %v", left, err)
	}

	server.stop()
	away := made{id: id("away"), meeting: "room", version: 1, formats: []string{"podcast"}, unpublished: true}
	m.publish(away)
	m.hook(away.id)
	m.sendNow()
	if log := m.log(); !strings.Contains(log, "nothing can be sent: rsync to scalelite-spool:") {
		t.Errorf("without an SSH server:\n%s", log)
	}
	server.start()
	m.sent()
	if all, text := p.recordings(); len(all) != 2 {
		t.Errorf("%s\n%s", text, m.log())
	}
	if out := m.must("scalelite-send", "prune", "--keep-days", "0"); !strings.Contains(out, "2 deleted,") {
		t.Errorf("prune: %s", out)
	}

	if out := m.mustSetup(flags, "--uninstall"); !strings.Contains(out, "scalelite recordings revoke-key 'SHA256:") {
		t.Errorf("uninstall:\n%s", out)
	}
	m.asBefore()
}

// A host that shows other keys than before is not spoken to.
func TestSSHToAnotherHost(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	server := newSSHServer(t, m)
	_, port, _ := net.SplitHostPort(server.address)
	flags := []string{"--transfer", "ssh", "--ssh-host", "127.0.0.1", "--ssh-port", port}
	m.mustSetup(flags)
	server.stop()
	m.must("rm", p.path("host_key"))
	m.must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", p.path("host_key"))
	server.start()
	out, err := m.setup(flags)
	if want := fmt.Sprintf("rm /home/%s/.ssh/scalelite_known_hosts", bbbUser); exitCode(err) != exitFailure || !strings.Contains(out, want) {
		t.Errorf("%v\n%s", err, out)
	}
	m.mustSetup(flags, "--uninstall")
	m.asBefore()
}
