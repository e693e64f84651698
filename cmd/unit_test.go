package cmd

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"scalelite/cmd/config"
)

const unitFile = "../systemd/scalelite.service"

// readUnit returns the values of each key of the unit, in order.
func readUnit(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			values[key] = append(values[key], value)
		}
	}
	return values
}

// TestUnitAndProgramAgree: what the unit grants is what the program needs.
func TestUnitAndProgramAgree(t *testing.T) {
	t.Parallel()
	unit := readUnit(t)
	for key, want := range map[string]string{
		"Type": "notify", "Restart": "on-failure", "StartLimitIntervalSec": "0", "User": "scalelite", "Group": adminGroup,
		"ExecStart": "/usr/bin/scalelite serve --config " + config.SystemFile, "ExecReload": "/bin/kill -HUP $MAINPID",
		"RuntimeDirectoryPreserve": "restart", "CapabilityBoundingSet": "CAP_NET_BIND_SERVICE", "AmbientCapabilities": "CAP_NET_BIND_SERVICE",
	} {
		if got := unit[key]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s=%q, want %q", key, got, want)
		}
	}
	duration := func(key string) time.Duration {
		d, err := time.ParseDuration(strings.Replace(unit[key][0], "min", "m", 1))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := duration("TimeoutStopSec"); d < stopBudget+10*time.Second {
		t.Errorf("TimeoutStopSec=%s, a stop may take %s", d, stopBudget)
	}
	if d := duration("WatchdogSec"); d < 2*statusEvery || d > 5*time.Minute {
		t.Errorf("WatchdogSec=%s", d)
	}
	if n, err := strconv.Atoi(unit["FileDescriptorStoreMax"][0]); err != nil || n < 2*len([]string{mainSocket, plainSocket}) {
		t.Errorf("FileDescriptorStoreMax=%d: %v", n, err)
	}
	if n, err := strconv.Atoi(unit["LimitNOFILE"][0]); err != nil || n < 65536 {
		t.Errorf("LimitNOFILE=%d: %v", n, err)
	}
}

// TestUnitAndTmpfilesAgree: a boot makes the directory of the admin socket as the
// unit does, so that neither changes what the other made, and no other directory.
func TestUnitAndTmpfilesAgree(t *testing.T) {
	t.Parallel()
	unit := readUnit(t)
	text, err := os.ReadFile("../systemd/deb/tmpfiles.conf")
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			rules = append(rules, line)
		}
	}
	want := []string{"d /run/" + unit["RuntimeDirectory"][0] + " " + unit["RuntimeDirectoryMode"][0] + " " + unit["User"][0] + " " + unit["Group"][0] + " -"}
	if !slices.Equal(rules, want) {
		t.Errorf("the rules are %q, want %q", rules, want)
	}
}

// TestUnitAndPathsAgree: the program may write where its defaults say.
func TestUnitAndPathsAgree(t *testing.T) {
	t.Parallel()
	unit := readUnit(t)
	// With a file there, be it empty, the paths are those of the system.
	file := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := config.Load(config.Options{File: file, Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	c, r := l.Config, l.Config.Recordings
	for path, below := range map[string]string{
		c.Store.Path:      "/var/lib/" + unit["StateDirectory"][0],
		c.Web.AdminSocket: "/run/" + unit["RuntimeDirectory"][0],
		config.SystemFile: "/etc/" + unit["ConfigurationDirectory"][0],
	} {
		if filepath.Dir(path) != below {
			t.Errorf("%s is not in %s", path, below)
		}
	}
	for _, dir := range []string{r.SpoolDir, r.WorkDir, r.PublishedDir, r.UnpublishedDir, r.FailedDir} {
		within := slices.ContainsFunc(unit["ReadWritePaths"], func(path string) bool {
			return strings.HasPrefix(dir, strings.TrimPrefix(path, "-")+"/")
		})
		if !within {
			t.Errorf("%s may not be written: ReadWritePaths=%q", dir, unit["ReadWritePaths"])
		}
	}
	if len(unit["ReadWritePaths"]) != 1 {
		t.Errorf("ReadWritePaths=%q: each is a mount of its own, and recordings are renamed from one tree to another", unit["ReadWritePaths"])
	}
}

// TestUnitIsSound: systemd finds nothing wrong with it, and little to attack.
func TestUnitIsSound(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("systemd-analyze is not there")
	}
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	// The program may not be installed here.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "scalelite.service")
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "/usr/bin/scalelite", self, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"verify", "--man=no", file},
		{"security", "--offline=true", "--threshold=20", file},
	} {
		out, err := exec.Command("systemd-analyze", args...).CombinedOutput()
		if err != nil || args[0] == "verify" && len(out) > 0 {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
	}
}

// TestManyMayWait: a socket that was opened for a few takes many.
func TestManyMayWait(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	raw, err := ln.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	most := func() (n uint32) {
		_ = raw.Control(func(fd uintptr) {
			info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
			if err != nil {
				t.Fatal(err)
			}
			n = info.Sacked // of a listening socket: its backlog
		})
		return n
	}
	_ = raw.Control(func(fd uintptr) { err = unix.Listen(int(fd), 16) })
	if err != nil || most() != 16 {
		t.Fatalf("backlog %d, %v", most(), err)
	}
	if err := deepen(ln); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if err != nil {
		t.Skip("the system does not say how many may wait")
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if got := most(); got != uint32(min(backlog, limit)) {
		t.Errorf("backlog %d, want %d", got, min(backlog, limit))
	}
}
