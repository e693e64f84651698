package cmd

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"scalelite/balancer/bbbtest"
)

// realSystemdEnv lets the test run that starts systemd itself, as root.
const realSystemdEnv = "SCALELITE_TEST_SYSTEMD"

// bootScript makes a root of its own from the present one, which it does not
// change, and becomes systemd in it. Its arguments are a directory, and the
// program.
const bootScript = `set -eu
d=$1; r=$d/root
mount --make-rprivate /
mount -t tmpfs tmpfs "$d/overlay"
mkdir "$d/overlay/up" "$d/overlay/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$d/overlay/up,workdir=$d/overlay/work" "$r"
mount -t proc proc "$r/proc"
mount --bind "$r/proc/sys" "$r/proc/sys"
mount -o remount,ro,bind "$r/proc/sys"
mount -t sysfs -o ro sysfs "$r/sys"
mount -t cgroup2 cgroup2 "$r/sys/fs/cgroup"
for t in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs "$r/$t"; done
for f in null zero full random urandom tty; do touch "$r/dev/$f"; mount --bind "/dev/$f" "$r/dev/$f"; done
mkdir "$r/dev/pts" "$r/dev/shm"
ln -s /proc/self/fd "$r/dev/fd"
ln -s pts/ptmx "$r/dev/ptmx"
touch "$r/dev/console"
cp "$2" "$r/usr/bin/scalelite"
cp "$d/scalelite.service" "$r/etc/systemd/system/"
rm -rf "$r/var/bigbluebutton" "$r/var/lib/scalelite" "$r/etc/scalelite"
mkdir -p "$r/etc/scalelite" "$r/etc/default" "$r/var/bigbluebutton"
cp "$d/config.toml" "$r/etc/scalelite/"
cp "$d/default" "$r/etc/default/scalelite"
chroot "$r" id scalelite >/dev/null 2>&1 || chroot "$r" useradd --system --user-group scalelite
chroot "$r" chown scalelite: /var/bigbluebutton
mkdir -p "$r/mnt"
cd "$r"
pivot_root . mnt
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . sh -c 'umount -l /mnt; exec /lib/systemd/systemd --unit=basic.target'
`

// booted is a systemd of its own, with the service installed.
type booted struct {
	t    *testing.T
	boot *exec.Cmd
}

func bootMachine(t *testing.T, config string) *booted {
	t.Helper()
	if os.Getenv(realSystemdEnv) == "" {
		t.Skipf("runs systemd as root in namespaces of its own; set %s=1", realSystemdEnv)
	}
	dir := t.TempDir()
	unit, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"scalelite.service": string(unit), "config.toml": config, "default": runMainEnv + "=1\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"overlay", "root"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	group := newControlGroup(t)
	m := &booted{t: t, boot: exec.Command("unshare", "--cgroup", "sh", "-c", bootScript, "sh", dir, os.Args[0])}
	var out bytes.Buffer
	m.boot.Stdout, m.boot.Stderr = &out, &out
	// A name space of control groups begins where who makes it is: that is left to
	// unshare, which is in the new one.
	m.boot.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		UseCgroupFD: true, CgroupFD: int(group.Fd()),
	}
	if err := m.boot.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // its end is that of everything in it
		_ = m.boot.Process.Kill()
		_ = m.boot.Wait()
	})
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := m.try("journalctl", "-n", "40", "-o", "cat")
			t.Logf("the journal:\n%s", out)
		}
	})
	eventually(t, "systemd", func() bool {
		_, err := m.try("systemctl", "is-active", "basic.target")
		return err == nil
	})
	return m
}

// newControlGroup makes one for the machine.
func newControlGroup(t *testing.T) *os.File {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		if fields[2] != "cgroup2" {
			continue
		}
		dir, err := os.MkdirTemp(fields[1], "scalelite-test-")
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = f.Close()
			eventually(t, "the control group to be empty", func() bool { return removeGroup(dir) == nil })
		})
		return f
	}
	t.Fatal("there is no cgroup2 file system")
	return nil
}

func removeGroup(dir string) error {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			_ = removeGroup(filepath.Join(dir, e.Name()))
		}
	}
	return syscall.Rmdir(dir)
}

// try runs a command in the machine.
func (m *booted) try(args ...string) (string, error) {
	enter := append([]string{"-t", fmt.Sprint(m.boot.Process.Pid), "-m", "-p", "-u", "-i", "-C", "-r", "-w", "env", runMainEnv + "=1"}, args...)
	out, err := exec.Command("nsenter", enter...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (m *booted) run(args ...string) string {
	m.t.Helper()
	out, err := m.try(args...)
	if err != nil {
		m.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

// property is one of the service's.
func (m *booted) property(name string) string {
	return m.run("systemctl", "show", "scalelite", "--value", "-p", name)
}

// TestUnderSystemd: the unit as it is, in the hands of the real systemd, while
// requests keep coming.
func TestUnderSystemd(t *testing.T) {
	p := newProcess(t, "")
	m := bootMachine(t, fmt.Sprintf("[web]\nlisten = %q\nsecrets = [%q]\n[balancer]\n%s", strings.TrimPrefix(p.base, "http://"), processSecret.Reveal(), patientPool))
	m.run("systemctl", "start", "scalelite")
	for range 3 {
		server := bbbtest.Start(t, bbbtest.Options{})
		m.run("scalelite", "servers", "add", server.URL(), server.Secret(), "--enable")
	}
	l := underLoad(t, p, loadRate)
	for range 3 {
		began := time.Now()
		m.run("systemctl", "restart", "scalelite")
		t.Logf("restarted within %s", time.Since(began).Round(time.Millisecond))
		m.run("systemctl", "reload", "scalelite")
		l.until(t, loadRate)
	}
	if got := m.property("NRestarts"); got != "0" {
		t.Errorf("restarted %s times by itself", got)
	}
	l.nothingLost(t)

	l = underLoad(t, p, loadRate)
	for n := range 2 {
		m.run("systemctl", "kill", "-s", "KILL", "scalelite")
		eventually(t, "systemd to start it anew", func() bool { return m.property("NRestarts") == fmt.Sprint(n+1) })
		l.until(t, loadRate)
	}
	for _, r := range l.end(t) {
		if r.err != nil && !isCut(r.err) {
			t.Errorf("killed: %s: %v", r.call, r.err)
		}
	}
	if got := m.property("StatusText"); !strings.HasPrefix(got, "3 of 3 servers online") {
		t.Errorf("status %q", got)
	}
	m.run("systemctl", "stop", "scalelite")
	if _, err := p.client.Get(p.base + "/health_check"); err == nil || m.property("Result") != "success" {
		t.Errorf("after the stop: %v, result %s", err, m.property("Result"))
	}
}

// TestSystemdEndsAHungProcess: one that does nothing any more is exchanged.
func TestSystemdEndsAHungProcess(t *testing.T) {
	p := newProcess(t, "")
	m := bootMachine(t, fmt.Sprintf("[web]\nlisten = %q\n", strings.TrimPrefix(p.base, "http://")))
	m.run("sh", "-c", `mkdir -p /run/systemd/system/scalelite.service.d &&
		printf '[Service]\nWatchdogSec=2s\n' >/run/systemd/system/scalelite.service.d/soon.conf && systemctl daemon-reload && systemctl start scalelite`)
	fed := m.property("WatchdogTimestampMonotonic")
	eventually(t, "the watchdog to be fed", func() bool { return m.property("WatchdogTimestampMonotonic") != fed })
	m.run("systemctl", "kill", "-s", "STOP", "scalelite")
	eventually(t, "systemd to start it anew", func() bool { return m.property("NRestarts") == "1" })
	response, err := p.client.Get(p.base + "/health_check")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
}
