package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"scalelite/cmd/config"
	"scalelite/web/admin"
)

// namespaceEnv tells a test that it runs in a mount namespace of its own.
const namespaceEnv = "SCALELITE_TEST_NAMESPACE"

// inNamespace runs the test again in a mount namespace where /etc is a copy, and
// /home, /srv and /run are empty, so that it may make users: it returns true
// there, and false in the process that only waits for it.
func inNamespace(t *testing.T, programs ...string) bool {
	t.Helper()
	if os.Getenv(namespaceEnv) != "" {
		mountWorld(t)
		return true
	}
	t.Parallel()
	lack := ""
	for _, program := range programs {
		if missing(program) {
			lack = program
		}
	}
	if os.Geteuid() != 0 {
		lack = "root"
	}
	if lack != "" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is needed", lack)
		}
		t.Skipf("needs %s; as root: apt install rsync openssh-server openssh-client", lack)
	}
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), namespaceEnv+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	out, err := c.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skip("no mount namespace can be made here: ", err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(string(out), "--- SKIP") {
		t.Skipf("%s", out)
	}
	return false
}

func mountWorld(t *testing.T) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Skip("nothing can be mounted here: ", err)
	}
	must(syscall.Mount("tmpfs", "/srv", "tmpfs", 0, "mode=0755"))
	out, err := exec.Command("cp", "-a", "/etc", "/srv/etc").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	must(syscall.Mount("/srv/etc", "/etc", "", syscall.MS_BIND, ""))
	for _, dir := range []string{"/srv", "/home", "/run"} {
		must(syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"))
	}
	must(os.Mkdir("/run/sshd", 0o755))
}

// world is a session in a namespace, with the real programs of the system.
type world struct {
	*session
	program string // runs this test binary as scalelite
}

func newWorld(t *testing.T) *world {
	s := newSession(t, &pool{noService: true})
	s.deps.system, s.deps.euid = runSystem, os.Geteuid
	s.deps.systemFile = "/etc/scalelite/config.toml"
	w := &world{s, "/srv/scalelite"}
	s.deps.executable = func() (string, error) { return w.program, nil }
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	w.file("/srv/test-binary", string(self), 0o755)
	w.file(w.program, "#!/bin/sh\n"+runMainEnv+"=1 exec /srv/test-binary \"$@\"\n", 0o755)
	w.configure("")
	return w
}

func (w *world) file(path, content string, mode os.FileMode) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		w.t.Fatal(err)
	}
}

// configure writes the configuration; extra is for [recordings].
func (w *world) configure(extra string) {
	w.t.Helper()
	text := "[web]\nlisten = \"127.0.0.1:0\"\nadmin_socket = \"/run/scalelite/admin.sock\"\n[store]\npath = \"/srv/lib/scalelite.db\"\n[recordings]\nmin_free = \"1MB\"\nrescan = \"@every 1s\"\n"
	for _, dir := range []string{"spool", "work", "published", "unpublished", "failed"} {
		if !strings.Contains(extra, "\n"+dir+"_dir") && !strings.HasPrefix(extra, dir+"_dir") {
			text += fmt.Sprintf("%s_dir = %q\n", dir, "/srv/rec/"+dir)
		}
	}
	w.file("/etc/scalelite/config.toml", text+extra+"\n", 0o644)
}

// stat is mode and owner of a file, by name.
func (w *world) stat(path string) string {
	w.t.Helper()
	out, err := exec.Command("stat", "-c", "%a %U:%G", path).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *world) sh(script string) string {
	w.t.Helper()
	out, err := exec.Command("sh", "-ec", script).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s: %v: %s", script, err, out)
	}
	return string(out)
}

// useReal has commands reach the real service.
func (w *world) useReal() {
	w.deps.dial = func(socket string) admin.Service { return admin.NewClient(socket) }
	w.deps.open = func(ctx context.Context, l *config.Loaded) (admin.Service, func() error, error) {
		return openLocal(ctx, l)
	}
}
