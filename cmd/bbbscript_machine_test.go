package cmd

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"scalelite/balancer/bbbtest"
)

// machine looks like a BBB server to all that runs on it: this system with a
// writable layer on top that holds the directories, the settings and the user of
// a BBB server, all at their real paths. It shares the network with the test.
type machine struct {
	t      testing.TB
	p      *process // the load balancer
	server *bbbtest.Server
	dir    string
	below  string    // the system under the layer of the machine
	holder *exec.Cmd // keeps the mounts
	root   string    // of the machine, as the test sees it
	before map[string]string
}

// The user that BBB runs as, and where things are on a BBB server.
const (
	bbbUser   = "bigbluebutton"
	bbbHook   = "/usr/local/bigbluebutton/core/scripts/post_publish/scalelite_send.rb"
	rubyHook  = "/usr/local/bigbluebutton/core/scripts/post_publish/scalelite_post_publish.rb"
	bbbConfig = "/etc/bigbluebutton/recording/scalelite-sender.yml"
	bbbState  = "/var/bigbluebutton/scalelite"
)

// requireMachine skips a test where a machine cannot be made, unless it must be.
func requireMachine(t testing.TB) {
	t.Helper()
	missing := ""
	if os.Geteuid() != 0 {
		missing = "root"
	}
	for _, tool := range []string{"ruby", "rsync", "ssh", "/usr/sbin/sshd", "unshare", "nsenter", "runuser", "setpriv", "useradd", "systemctl"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing += " " + tool
		}
	}
	if missing == "" {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("a BBB server cannot be made up, there is no %s", missing)
	}
	t.Skipf("a BBB server cannot be made up, there is no %s", missing)
}

// otherSystem names a root directory to make machines from, instead of that of
// this system: one with another version of Ruby.
const otherSystem = "SCALELITE_TEST_BBB_ROOT"

// newMachine makes a BBB server whose load balancer is p.
func newMachine(t testing.TB, p *process) *machine {
	t.Helper()
	if testing.Short() {
		t.Skip("what runs on a BBB server takes its time")
	}
	requireMachine(t)
	m := &machine{t: t, p: p, server: bbbtest.Start(t, bbbtest.Options{}), dir: t.TempDir(), below: cmp.Or(os.Getenv(otherSystem), "/")}
	properties := fmt.Sprintf("bigbluebutton.web.serverURL=%s\nsecuritySalt=%s\n", strings.TrimSuffix(m.server.URL(), "/bigbluebutton/"), m.server.Secret())
	for name, text := range map[string]string{
		"etc/bigbluebutton/bigbluebutton-release":                           "BIGBLUEBUTTON_RELEASE=2.7.14\n",
		"etc/bigbluebutton/bbb-web.properties":                              properties,
		"usr/share/bbb-web/WEB-INF/classes/bigbluebutton.properties":        "securitySalt=not-this-one\nunpublishedDir=/var/bigbluebutton/unpublished\n",
		"usr/local/bigbluebutton/core/scripts/bigbluebutton.yml":            "published_dir: /var/bigbluebutton/published\n",
		"usr/local/bigbluebutton/core/scripts/post_publish/post_publish.rb": "# of BBB itself\n",
	} {
		writeFile(t, filepath.Join(m.dir, "upper", name), text)
	}
	for _, name := range []string{"work", "root", "upper/var/bigbluebutton/published", "upper/var/bigbluebutton/unpublished", "upper/var/log/bigbluebutton", "upper/home"} {
		if err := os.MkdirAll(filepath.Join(m.dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m.mount()
	m.must("useradd", "--system", "--password", "*", "--create-home", "--home-dir", "/home/"+bbbUser, "--shell", "/bin/bash", bbbUser)
	m.must("chown", "-R", bbbUser+":", "/var/bigbluebutton", "/var/log/bigbluebutton")
	// As strict as any: what runs as the user of BBB cannot read the secret.
	m.must("chmod", "0600", "/etc/bigbluebutton/bbb-web.properties")
	m.before = m.state()
	return m
}

// mount holds the layers in a mount namespace of their own.
func (m *machine) mount() {
	m.t.Helper()
	script := fmt.Sprintf(`set -e
mount -t overlay overlay -o lowerdir=%[3]s,upperdir=%[1]s/upper,workdir=%[1]s/work %[1]s/root
mount -t proc proc %[1]s/root/proc
mount -t tmpfs -o mode=0755 tmpfs %[1]s/root/dev
cd %[1]s/root/dev
mknod -m 0666 null c 1 3
mknod -m 0666 zero c 1 5
mknod -m 0666 random c 1 8
mknod -m 0666 urandom c 1 9
ln -s /proc/self/fd fd
cd /
mount -t tmpfs tmpfs %[1]s/root/run
mkdir -p %[1]s/root%[2]s
mount --rbind %[2]s %[1]s/root%[2]s
echo mounted
exec sleep infinity`, m.dir, m.p.dir, m.below)
	m.holder = exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", script)
	m.holder.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var errOut bytes.Buffer
	m.holder.Stderr = &errOut
	out, err := m.holder.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.holder.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		_ = m.holder.Process.Kill()
		_ = m.holder.Wait()
	})
	if line := make([]byte, 8); readFull(out, line) != nil || string(line) != "mounted\n" {
		m.t.Skipf("a BBB server cannot be made up: %s", errOut.String())
	}
	m.root = fmt.Sprintf("/proc/%d/root%s/root", m.holder.Process.Pid, m.dir)
}

func readFull(r io.Reader, p []byte) error { _, err := io.ReadFull(r, p); return err }

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// command is a command on the machine. Its process ID is that of the command
// itself.
func (m *machine) command(args ...string) *exec.Cmd {
	c := exec.Command("nsenter", append([]string{"--target", fmt.Sprint(m.holder.Process.Pid), "--mount", "--wd=/", "chroot", m.dir + "/root"}, args...)...)
	c.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C"}
	return c
}

// run runs a command on the machine to its end and returns all it printed.
func (m *machine) run(args ...string) (string, error) {
	out, err := m.command(args...).CombinedOutput()
	return string(out), err
}

func (m *machine) must(args ...string) string {
	m.t.Helper()
	out, err := m.run(args...)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// setup pipes the script that the load balancer prints into a shell, as its
// printed line does.
func (m *machine) setup(flags []string, args ...string) (string, error) {
	m.t.Helper()
	script := m.p.mustRun(append([]string{"bbb-script", "--url", m.p.base}, flags...)...)
	c := m.command(append([]string{"bash", "-s", "--"}, args...)...)
	c.Stdin = strings.NewReader(script)
	out, err := c.CombinedOutput()
	return string(out), err
}

func (m *machine) mustSetup(flags []string, args ...string) string {
	m.t.Helper()
	out, err := m.setup(flags, args...)
	if err != nil {
		m.t.Fatalf("setup: %v\n%s", err, out)
	}
	return out
}

// joinPool adds the server of the machine to the pool.
func (m *machine) joinPool() {
	m.t.Helper()
	m.p.mustRun("servers", "add", m.server.URL(), m.server.Secret(), "--id", "bbb1")
}

// publish puts the files of a recording where BBB does.
func (m *machine) publish(r made) {
	m.t.Helper()
	tree := "published"
	if r.unpublished {
		tree = "unpublished"
	}
	r.tree(m.t, filepath.Join(m.root, "var/bigbluebutton", tree))
	m.must("chown", "-R", bbbUser+":", "/var/bigbluebutton/"+tree)
}

// hook runs the hook as BBB does after publishing a format.
func (m *machine) hook(id string) {
	m.t.Helper()
	if out := m.must("runuser", "-u", bbbUser, "--", "ruby", bbbHook, "-m", id, "-f", "presentation"); out != "" {
		m.t.Errorf("the hook says %q", out)
	}
}

// waiting are the recordings in the queue of the machine.
func (m *machine) waiting() []string {
	m.t.Helper()
	found, err := os.ReadDir(m.root + bbbState + "/queue")
	if err != nil {
		m.t.Fatal(err)
	}
	var ids []string
	for _, f := range found {
		if !strings.HasPrefix(f.Name(), ".") {
			ids = append(ids, f.Name())
		}
	}
	return ids
}

// sendNow empties the queue as the timer does, with the privileges that the unit
// leaves it, and whatever pause was agreed on.
func (m *machine) sendNow() {
	m.t.Helper()
	m.hurry()
	m.must("setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all,+setuid,+setgid,+dac_read_search", "scalelite-send", "run")
}

// hurry makes every job due, as time would.
func (m *machine) hurry() {
	m.t.Helper()
	m.must("flock", bbbState+"/queue.lock", "sh", "-c", `rm -f `+bbbState+`/trouble
for job in `+bbbState+`/queue/*; do [ ! -f "$job" ] || sed -i 's/"next":[0-9]*/"next":0/' "$job"; done`)
}

// log is what the sender has written down.
func (m *machine) log() string {
	text, err := os.ReadFile(m.root + "/var/log/bigbluebutton/scalelite-send.log")
	if err != nil && !os.IsNotExist(err) {
		m.t.Fatal(err)
	}
	return string(text)
}

// state is what makes the machine differ from this system: a sum of each file,
// and the directories, by path.
func (m *machine) state() map[string]string {
	m.t.Helper()
	upper := filepath.Join(m.dir, "upper")
	all := map[string]string{}
	err := filepath.WalkDir(upper, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, upper)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			if _, err := os.Lstat(filepath.Join(m.below, name)); err == nil {
				return nil // its contents matter, not that they made a copy of it
			}
			all[name] = info.Mode().String()
		case d.Type().IsRegular():
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			all[name] = fmt.Sprintf("%s %x", info.Mode(), sha256.Sum256(text))
		default: // a removed file is a device here
			all[name] = info.Mode().String()
		}
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return all
}

// sent sends until nothing waits.
func (m *machine) sent() {
	m.t.Helper()
	end := time.Now().Add(2 * time.Minute)
	for m.sendNow(); len(m.waiting()) > 0; m.sendNow() {
		if time.Now().After(end) {
			m.t.Fatalf("still waiting: %q\n%s\n%s", m.waiting(), m.must("scalelite-send", "status"), m.log())
		}
	}
}

// asBefore fails the test unless the machine is as it was, but for recordings.
func (m *machine) asBefore() {
	m.t.Helper()
	after := m.state()
	for path := range after {
		if strings.HasPrefix(path, "/var/bigbluebutton/published/") || strings.HasPrefix(path, "/var/bigbluebutton/unpublished/") {
			delete(after, path)
		}
	}
	if diff := gocmp.Diff(m.before, after); diff != "" {
		m.t.Errorf("the machine is not as it was:\n%s", diff)
	}
}
