package admin_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"scalelite/web/admin"
)

func listen(t *testing.T, path, group string) net.Listener {
	t.Helper()
	ln, err := admin.Listen(path, group)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestListenMakesTheDirectory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(filepath.Dir(socketPath(t)), "run", "admin.sock")
	listen(t, path, "")
	if mode := modeOf(t, filepath.Dir(path)); mode&0o700 != 0o700 || mode&0o022 != 0 {
		t.Errorf("directory has mode %o", mode)
	}
}

// The socket is open to a group only if there is one to give it to.
func TestListenMode(t *testing.T) {
	t.Parallel()
	own, err := user.LookupGroupId(strconv.Itoa(os.Getgid()))
	if err != nil {
		t.Skipf("the group of this process has no name: %v", err)
	}
	for group, want := range map[string]fs.FileMode{"": 0o600, "no-such-group-here": 0o600, own.Name: 0o660} {
		path := socketPath(t)
		listen(t, path, group)
		if mode := modeOf(t, path); mode != want {
			t.Errorf("group %q: mode %o, want %o", group, mode, want)
		}
	}
}

func TestListenReplacesWhatADeadProcessLeft(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Fatal("the dead socket is not there")
	}
	listen(t, path, "")
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

func TestListenLeavesALiveSocketAlone(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	listen(t, path, "")
	if _, err := admin.Listen(path, ""); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v", err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the live socket is gone: %v", err)
	}
	_ = conn.Close()
}

func TestListenRemovesNoFile(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Listen(path, ""); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("got %v", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "precious" {
		t.Error("the file was removed")
	}
}

func TestListenOnALongPath(t *testing.T) {
	t.Parallel()
	path := "/tmp/" + strings.Repeat("x", 103)
	if _, err := admin.Listen(path, ""); err == nil || !strings.Contains(err.Error(), "108 bytes") || !strings.Contains(err.Error(), "web.admin_socket") {
		t.Errorf("got %v", err)
	}
}

func TestNoDaemon(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	_, err := admin.NewClient(path).Info(t.Context())
	if !errors.Is(err, admin.ErrNoDaemon) || !strings.Contains(err.Error(), path) {
		t.Errorf("no socket: %v", err)
	}
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	if _, err := admin.NewClient(path).Info(t.Context()); !errors.Is(err, admin.ErrNoDaemon) {
		t.Errorf("dead socket: %v", err)
	}
}

func TestNoPermission(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may do anything")
	}
	path := socketPath(t)
	listen(t, path, "")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	_, err := admin.NewClient(path).Info(t.Context())
	if !errors.Is(err, fs.ErrPermission) || errors.Is(err, admin.ErrNoDaemon) || !strings.Contains(err.Error(), "sudo") {
		t.Errorf("got %v", err)
	}
}

func TestSomethingElseAnswers(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	ln := listen(t, path, "")
	server := &http.Server{Handler: http.NotFoundHandler()}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { _ = server.Close() })
	if _, err := admin.NewClient(path).Info(t.Context()); err == nil || !strings.Contains(err.Error(), "is not scalelite") {
		t.Errorf("got %v", err)
	}
}

func TestDaemonDiesDuringACall(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	ln := listen(t, path, "")
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { _ = server.Close() })
	err := admin.NewClient(path).RemoveServer(t.Context(), "x")
	if err == nil || errors.Is(err, admin.ErrNoDaemon) || !strings.Contains(err.Error(), "not known") {
		t.Errorf("got %v", err)
	}
}

func TestSkew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.overSocket(w.local)
	c.Version = "1.2.3"
	if text := c.Skew(); text != "" {
		t.Errorf("before any answer: %q", text)
	}
	if _, err := c.Info(t.Context()); err != nil || c.Skew() != "" {
		t.Errorf("same version: %q, %v", c.Skew(), err)
	}
	c.Version = "1.3.0"
	if _, err := c.Server(t.Context(), "none"); err == nil {
		t.Error("no error")
	}
	if text := c.Skew(); !strings.Contains(text, "1.2.3") || !strings.Contains(text, "1.3.0") {
		t.Errorf("another version: %q", text)
	}
}

// A call that runs when the daemon is told to stop is carried through; then
// nobody listens any more.
func TestServeLetsCallsFinish(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	ln := listen(t, path, "")
	ctx, stop := context.WithCancel(t.Context())
	running, goOn := make(chan struct{}), make(chan struct{})
	handler := admin.NewHandler(odd{info: func(ctx context.Context) (admin.Info, error) {
		close(running)
		<-goOn
		return admin.Info{Version: "1.2.3"}, ctx.Err()
	}}, admin.HandlerOptions{Log: slog.New(slog.DiscardHandler), Version: "1.2.3"})
	served := make(chan error, 1)
	go func() { served <- admin.Serve(ctx, ln, handler) }()
	answered := make(chan error, 1)
	go func() {
		_, err := admin.NewClient(path).Info(t.Context())
		answered <- err
	}()
	<-running
	stop()
	waitFor(t, func() bool {
		_, err := admin.NewClient(path).Servers(t.Context())
		return errors.Is(err, admin.ErrNoDaemon)
	})
	close(goOn)
	if err := <-answered; err != nil {
		t.Errorf("the call that ran: %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestServeSaysWhenItCannot(t *testing.T) {
	t.Parallel()
	ln := listen(t, socketPath(t), "")
	_ = ln.Close()
	if err := admin.Serve(t.Context(), ln, http.NotFoundHandler()); err == nil {
		t.Error("no error")
	}
}

func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen")
		}
		time.Sleep(2 * time.Millisecond)
	}
}
