package cmd

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const someKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"

func TestAuthorizeKeyChecksTheKey(t *testing.T) {
	t.Parallel()
	s := newSession(t, &pool{noService: true})
	private := "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----"
	for _, r := range []result{
		s.run("", "recordings", "authorize-key", private),
		s.run(private, "recordings", "authorize-key", "-"),
	} {
		r.wantFail(t, exitUsage, "private key")
		if strings.Contains(r.err, "b3Bl") {
			t.Errorf("the key is shown: %s", r.err)
		}
	}
	s.run("", "recordings", "authorize-key").wantFail(t, exitUsage, "there is no key")
	s.run("", "recordings", "authorize-key", `command="sh" `+someKey).wantFail(t, exitUsage, "options stand before")
	s.run(someKey+"\n"+someKey, "recordings", "authorize-key", "-").wantFail(t, exitUsage, "more than one line")
	s.run("", "recordings", "authorize-key", "--nonsense").wantFail(t, exitUsage, "unknown flag")
}

// sshd is a real one on loopback, with the configuration of the system but for
// its port and keys.
type sshd struct {
	*world
	port, key string
}

func (w *world) sshd() *sshd {
	w.t.Helper()
	_, port, err := net.SplitHostPort(freeLoopback(w.t))
	if err != nil {
		w.t.Fatal(err)
	}
	w.sh("ssh-keygen -q -t ed25519 -N '' -f /srv/hostkey; mkdir -m 700 /srv/bbb; ssh-keygen -q -t ed25519 -N '' -C bigbluebutton@bbb1 -f /srv/bbb/key")
	w.file("/srv/sshd_config", fmt.Sprintf("Port %s\nListenAddress 127.0.0.1\nHostKey /srv/hostkey\nPidFile none\nUsePAM no\nSubsystem sftp /usr/lib/openssh/sftp-server\nLogLevel VERBOSE\n", port), 0o600)
	var log lockedBuffer
	c := exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", "/srv/sshd_config")
	c.Stderr = &log
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if w.t.Failed() {
			w.t.Logf("sshd: %s", log.tail())
		}
	})
	eventually(w.t, "sshd to listen", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return &sshd{w, port, "/srv/bbb/key"}
}

// options of ssh, scp and sftp; the port has another letter with the latter.
func (d *sshd) options(port string) []string {
	return []string{port, d.port, "-i", d.key, "-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
		"-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"}
}

// client runs a program of the BBB server's side.
func (d *sshd) client(stdin, program string, args ...string) (string, error) {
	switch program {
	case "rsync":
		args = append([]string{"-e", "ssh " + strings.Join(d.options("-p"), " ")}, args...)
	case "ssh":
		args = append(d.options("-p"), args...)
	default:
		args = append(d.options("-P"), args...)
	}
	c := exec.Command(program, args...)
	c.Dir, c.Stdin = "/srv/bbb", strings.NewReader(stdin)
	out, err := c.CombinedOutput()
	return string(out), err
}

func (d *sshd) spool() string { return d.sh("cd /srv/rec/spool; ls -A") }

const host = "bigbluebutton@127.0.0.1"

// What a key may do is shown with a real sshd, and real clients.
func TestKeysOverSSH(t *testing.T) {
	if !inNamespace(t, "/usr/sbin/sshd", "/usr/bin/rsync", "/usr/bin/scp", setupSystem) {
		return
	}
	w := newWorld(t)
	w.run("", "recordings", "authorize-key", someKey).wantFail(t, exitFailure, "no user bigbluebutton", "scalelite recordings setup")
	w.ok("recordings", "setup")
	d := w.sshd()
	public := strings.TrimSpace(w.sh("cat /srv/bbb/key.pub"))
	w.sh("echo content > /srv/bbb/a1.tar; chmod 600 /srv/bbb/a1.tar; cp /srv/bbb/a1.tar /srv/bbb/b2.tar; cp /srv/bbb/a1.tar /srv/bbb/c3.tar")

	if out, err := d.client("", "rsync", "a1.tar", host+":/"); err == nil {
		t.Fatalf("without a key: %s", out)
	}
	r := w.run("", "recordings", "authorize-key", public)
	print := strings.Fields(w.sh("ssh-keygen -lf /srv/bbb/key.pub"))[1]
	if r.code != 0 || r.err != "" || !strings.HasPrefix(r.out, print+"  bigbluebutton@bbb1\nIt may write into /srv/rec/spool,") {
		t.Fatalf("%+v", r)
	}
	if out := w.ok(append([]string{"recordings", "authorize-key"}, strings.Fields(public)...)...); !strings.Contains(out, "could already") {
		t.Errorf("again: %s", out)
	}
	if got := w.stat("/home/bigbluebutton/.ssh/authorized_keys") + ", " + w.stat("/home/bigbluebutton/.ssh"); got != "644 root:root, 755 root:root" {
		t.Errorf("the file of the keys: %s", got)
	}
	if out := w.ok("recordings", "keys"); !strings.Contains(out, print) || !strings.Contains(out, "bigbluebutton@bbb1") || !strings.Contains(out, "2026-11-23") {
		t.Errorf("%s", out)
	}

	// Into the spool.
	for _, args := range [][]string{
		{"rsync", "a1.tar", host + ":/srv/rec/spool/"}, {"rsync", "-av", "--remove-source-files", "--protect-args", "b2.tar", host + ":/"},
		{"scp", "c3.tar", host + ":/srv/rec/spool/"}, {"scp", "c3.tar", host + ":d4.tar"},
	} {
		if out, err := d.client("", args[0], args[1:]...); err != nil {
			t.Errorf("%q: %v: %s", args, err, out)
		}
	}
	if out, err := d.client("put c3.tar .e5.tmp\nrename .e5.tmp e5.tar\n", "sftp", "-b", "-", host); err != nil {
		t.Errorf("sftp: %v: %s", err, out)
	}
	if got := d.spool(); got != "a1.tar\nb2.tar\nc3.tar\nd4.tar\ne5.tar\n" {
		t.Errorf("in the spool:\n%s", got)
	}
	for _, name := range []string{"a1", "c3", "e5"} {
		w.sh("su -s /bin/sh scalelite -c 'cat /srv/rec/spool/" + name + ".tar'")
	}
	if got := w.stat("/srv/rec/spool/a1.tar"); got != "664 bigbluebutton:scalelite-spool" {
		t.Errorf("what came is %s", got)
	}

	testKeyCannot(d)

	w.run("", "recordings", "revoke-key", "nobody").wantFail(t, exitFailure, "no key is called")
	if out := w.ok("recordings", "revoke-key", "bigbluebutton@bbb1"); !strings.Contains(out, print) {
		t.Errorf("%s", out)
	}
	if out, err := d.client("", "rsync", "a1.tar", host+":/"); err == nil {
		t.Errorf("after its end: %s", out)
	}
	if out := w.ok("recordings", "keys"); !strings.Contains(out, "No key may send") {
		t.Errorf("%s", out)
	}
}

func testKeyCannot(d *sshd) {
	d.t.Helper()
	before := d.spool()
	for _, args := range [][]string{
		{"ssh", host}, {"ssh", "-tt", host}, {"ssh", host, "id"}, {"ssh", host, "cat /etc/passwd"}, {"ssh", host, "rsync --server --daemon ."},
		{"rsync", host + ":/a1.tar", "got"}, {"rsync", "a1.tar", host + ":/tmp/"}, {"rsync", "a1.tar", host + ":.ssh/authorized_keys"},
		{"scp", host + ":/srv/rec/spool/a1.tar", "got"}, {"scp", host + ":/etc/passwd", "got"}, {"scp", "a1.tar", host + ":/srv/a1.tar"},
		{"scp", "a1.tar", host + ":/home/bigbluebutton/.ssh/x"}, {"scp", "-O", "a1.tar", host + ":/srv/rec/spool/"},
		{"ssh", "-N", "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:22", host}, {"ssh", "-W", "127.0.0.1:" + d.port, host},
	} {
		if out, err := d.client("", args[0], args[1:]...); err == nil {
			d.t.Errorf("%q was let through: %s", args, out)
		}
	}
	for _, batch := range []string{
		"get a1.tar got", "get /etc/passwd got", "ls /", "ls /srv/rec/spool", "rm a1.tar", "mkdir sub", "ln -s /etc x.tar", "ln a1.tar x.tar",
		"chmod 777 a1.tar", "put a1.tar /tmp/x", "rename a1.tar /home/bigbluebutton/x",
	} {
		if out, err := d.client(batch+"\n", "sftp", "-b", "-", host); err == nil {
			d.t.Errorf("sftp %s was let through: %s", batch, out)
		}
	}
	// Clients make the file before they ask for what is to be in it.
	if info, err := os.Stat("/srv/bbb/got"); err == nil && info.Size() > 0 {
		d.t.Error("something was fetched")
	}
	if after := d.spool(); after != before {
		d.t.Errorf("the spool was\n%sand is\n%s", before, after)
	}
}

// A key of old times, which may do anything, must not stay so unseen.
func TestAKeyThatWasThere(t *testing.T) {
	if !inNamespace(t, setupSystem) {
		return
	}
	w := newWorld(t)
	w.ok("recordings", "setup")
	w.file("/home/bigbluebutton/.ssh/authorized_keys", "# by hand\n"+someKey+" bbb1\nssh-rsa garbage\n", 0o600)
	w.run("", "recordings", "authorize-key", someKey).wantFail(t, exitFailure, "nothing limits it", "--replace")
	r := w.run("", "recordings", "keys")
	if r.code != 0 || !strings.Contains(r.err, "1 other key that nothing limits") {
		t.Errorf("%+v", r)
	}
	w.ok("recordings", "authorize-key", someKey, "--replace")
	content := w.sh("cat /home/bigbluebutton/.ssh/authorized_keys")
	if !strings.HasPrefix(content, "# by hand\nrestrict,command=") || !strings.HasSuffix(content, "\nssh-rsa garbage\n") {
		t.Errorf("%s", content)
	}
	if got := w.stat("/home/bigbluebutton/.ssh/authorized_keys"); got != "644 root:root" {
		t.Errorf("%s: sshd could not read it as the user", got)
	}
	w.sh("chmod 700 /home/bigbluebutton/.ssh")
	if r := w.run("", "recordings", "authorize-key", someKey); !strings.Contains(r.err, "chmod o+x /home/bigbluebutton/.ssh") {
		t.Errorf("%+v", r)
	}
	w.configure(`spool_dir = "/srv/other"`)
	if r := w.run("", "recordings", "keys"); !strings.Contains(r.err, "authorize it again") {
		t.Errorf("%+v", r)
	}
	r = w.run("", "recordings", "authorize-key", someKey)
	if r.code != 0 || !strings.Contains(r.out, "with other limits") || !strings.Contains(r.err, "Nothing can come yet") {
		t.Errorf("%+v", r)
	}
	w.sh("usermod --shell /usr/sbin/nologin bigbluebutton")
	w.run("", "recordings", "authorize-key", someKey).wantFail(t, exitFailure, "usermod --shell /bin/sh bigbluebutton")
	w.sh("chmod 750 /srv; usermod --shell /bin/sh bigbluebutton")
	w.run("", "recordings", "authorize-key", someKey).wantFail(t, exitFailure, "chmod o+x /srv")
}

// From a BBB server's rsync to a recording that is listed, with the service as
// its own user.
func TestARecordingOverSSH(t *testing.T) {
	if !inNamespace(t, "/usr/sbin/sshd", "/usr/bin/rsync", setupSystem) {
		return
	}
	w := newWorld(t)
	w.ok("recordings", "setup")
	w.ok("recordings", "authorize-key", someKey)
	d := w.sshd()
	w.ok("recordings", "authorize-key", strings.TrimSpace(w.sh("cat /srv/bbb/key.pub")))
	w.sh("install -d -o scalelite -g scalelite /run/scalelite")
	account, err := (&app{deps: w.deps}).account(t.Context(), serviceUser)
	if err != nil {
		t.Fatal(err)
	}
	var groups []uint32
	for _, g := range account.groups {
		groups = append(groups, uint32(g))
	}
	c := exec.Command(w.program, "serve")
	var log lockedBuffer
	c.Stderr, c.Dir = &log, "/"
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(account.uid), Gid: uint32(account.gid), Groups: groups}}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Logf("the service: %s", log.tail())
		}
	})
	if err := os.WriteFile(filepath.Join("/srv/bbb", sampleID+".tar"), sample, 0o600); err != nil {
		t.Fatal(err)
	}
	w.useReal()
	eventually(t, "the service", func() bool { return w.run("", "status").code == 0 })
	if out, err := d.client("", "rsync", "--remove-source-files", sampleID+".tar", host+":/srv/rec/spool/"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	eventually(t, "the recording", func() bool { return strings.Contains(w.run("", "recordings").out, sampleID) })
	if got := d.spool(); strings.Contains(got, sampleID) {
		t.Errorf("left in the spool: %s", got)
	}
	// What root backs up, the service can rotate.
	w.deps.verify = verifyDatabase
	w.ok("backup")
	if got := w.sh("stat -c '%a %U' /srv/lib/backups /srv/lib/backups/*.gz"); got != "750 scalelite\n600 scalelite\n" {
		t.Errorf("the backup is %s", got)
	}
}
