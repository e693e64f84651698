//go:build e2e && linux

package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// machine is a Debian system in namespaces of its own: real packages and, if
// asked for, a real systemd.
type machine struct {
	t   *testing.T
	pid int // of its first process
	// halt ends it, with all that runs on it.
	halt func()
}

// need skips the test where something is missing; in CI it fails.
func need(t *testing.T, what string, ok bool) {
	t.Helper()
	switch {
	case ok:
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is needed", what)
	default:
		t.Skipf("%s is needed", what)
	}
}

func needPrograms(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := exec.LookPath(name)
		need(t, name, err == nil)
	}
}

// bootstrap makes the smallest root of a release of Debian, from where this
// machine gets its packages, and returns its directory. SCALELITE_ROOTS names a
// directory that keeps such roots for the next time.
func bootstrap(t *testing.T, release string) string {
	t.Helper()
	need(t, "root", os.Geteuid() == 0)
	needPrograms(t, "debootstrap", "nsenter", "ip", "curl")
	root := filepath.Join(t.TempDir(), "root")
	base := root
	if keep := os.Getenv("SCALELITE_ROOTS"); keep != "" {
		base = filepath.Join(keep, release)
	}
	if _, err := os.Stat(base); err != nil {
		args := []string{"--variant=minbase", release, base + ".new"}
		if mirror := mirror(t); mirror != "" {
			args = append(args, mirror)
		}
		host(t, "debootstrap", args...)
		if err := os.Rename(base+".new", base); err != nil {
			t.Fatal(err)
		}
	}
	if base != root {
		host(t, "cp", "-a", base, root)
	}
	// Nobody needs these files after a power failure.
	if err := os.WriteFile(filepath.Join(root, "etc/dpkg/dpkg.cfg.d/test"), []byte("force-unsafe-io\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return root
}

// mirror is where apt of this machine gets Debian's packages; empty if it does
// not say, for the default of debootstrap.
func mirror(t *testing.T) string {
	t.Helper()
	out, _ := exec.Command("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian").Output()
	for line := range strings.Lines(string(out)) {
		if uri := strings.TrimSpace(line); !strings.Contains(uri, "security") {
			return uri
		}
	}
	return ""
}

// host runs a command on the machine around.
func host(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// boot starts a machine on root, with the init "systemd" or "none".
func boot(t *testing.T, root, init string) *machine {
	t.Helper()
	script, err := filepath.Abs("testdata/boot.sh")
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	c := exec.Command("sh", script, root, init)
	c.Stdout, c.Stderr = &said, &said
	c.WaitDelay = time.Second
	c.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS |
			syscall.CLONE_NEWIPC | syscall.CLONE_NEWCGROUP,
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	halt := sync.OnceFunc(func() {
		_ = c.Process.Kill() // the first process takes all others with it
		<-ended
	})
	t.Cleanup(func() {
		halt()
		if t.Failed() {
			t.Logf("the machine said:\n%s", said.String())
		}
	})
	m := &machine{t: t, pid: c.Process.Pid, halt: halt}
	up := "true"
	if init == "systemd" {
		up = `case "$(systemctl is-system-running 2>/dev/null)" in running | degraded) ;; *) false ;; esac`
	}
	m.eventually(up)
	return m
}

// command is a shell command inside; online, it has the network of the machine
// around.
func (m *machine) command(ctx context.Context, online bool, script string) *exec.Cmd {
	args := []string{"-t", strconv.Itoa(m.pid), "-m", "-p", "-u", "-i", "-C", "-r", "-w"}
	if !online {
		args = append(args, "-n")
	}
	// Until it is up, its file system is that of the machine around.
	script = "[ -e /run/scalelite-machine ] || { echo not up yet; exit 1; }\n" + script
	c := exec.CommandContext(ctx, "nsenter", append(args, "sh", "-c", script)...)
	c.WaitDelay = time.Second
	c.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy"} {
		if v, ok := os.LookupEnv(name); ok {
			c.Env = append(c.Env, name+"="+v)
		}
	}
	return c
}

// try runs a shell command inside and returns all that it printed.
func (m *machine) try(script string) (string, error) {
	ctx, cancel := context.WithTimeout(m.t.Context(), 5*time.Minute)
	defer cancel()
	out, err := m.command(ctx, strings.HasPrefix(script, "apt-get "), script).CombinedOutput()
	return strings.ReplaceAll(string(out), "\r\n", "\n"), err // apt gives dpkg a terminal
}

// run is try of what must go well.
func (m *machine) run(script string) string {
	m.t.Helper()
	out, err := m.try(script)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return strings.TrimRight(out, "\n")
}

// eventually waits until a shell command inside goes well.
func (m *machine) eventually(script string) {
	m.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		out, err := m.try(script)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("%s: still %v\n%s", script, err, out)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// want runs a shell command inside and compares what it prints.
func (m *machine) want(want, script string) {
	m.t.Helper()
	if got := m.run(script); got != want {
		m.t.Errorf("%s\ngot:\n%s\nwant:\n%s", script, got, want)
	}
}
