package systemd

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ear is what a service manager listens on.
type ear struct {
	t    *testing.T
	conn *net.UnixConn
	env  map[string]string
}

func listen(t *testing.T) (*ear, *Manager) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	e := &ear{t, conn, map[string]string{"NOTIFY_SOCKET": name}}
	return e, New(func(key string) string { return e.env[key] })
}

// hear returns the next message and the descriptor that came with it, or -1.
func (e *ear) hear() (lines []string, fd int) {
	e.t.Helper()
	if err := e.conn.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		e.t.Fatal(err)
	}
	buf, rights := make([]byte, 1000), make([]byte, 100)
	n, m, _, _, err := e.conn.ReadMsgUnix(buf, rights)
	if err != nil {
		e.t.Fatal(err)
	}
	fd = -1
	if messages, err := syscall.ParseSocketControlMessage(rights[:m]); err == nil && len(messages) > 0 {
		if fds, err := syscall.ParseUnixRights(&messages[0]); err == nil {
			fd = fds[0]
		}
	}
	return strings.Split(string(buf[:n]), "\n"), fd
}

func TestNotify(t *testing.T) {
	t.Parallel()
	e, m := listen(t)
	if err := m.Notify("READY=1", "STATUS=well"); err != nil {
		t.Fatal(err)
	}
	if got, _ := e.hear(); !slices.Equal(got, []string{"READY=1", "STATUS=well"}) {
		t.Errorf("told %q", got)
	}
	var before, after unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &before)
	if err := m.Reloading(); err != nil {
		t.Fatal(err)
	}
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &after)
	got, _ := e.hear()
	if len(got) != 2 || got[0] != "RELOADING=1" {
		t.Fatalf("told %q", got)
	}
	usec, err := strconv.ParseInt(strings.TrimPrefix(got[1], "MONOTONIC_USEC="), 10, 64)
	if err != nil || usec < before.Nano()/1000 || usec > after.Nano()/1000 {
		t.Errorf("told %q, want a time between %d and %d: %v", got[1], before.Nano()/1000, after.Nano()/1000, err)
	}
}

// TestNobodyToTell: without a manager nothing happens, and with one that is gone
// that is an error.
func TestNobodyToTell(t *testing.T) {
	t.Parallel()
	m := New(func(string) string { return "" })
	if err := errors.Join(m.Notify("READY=1"), m.Reloading(), m.Barrier(t.Context()), m.Forget("x"), m.Store("x", nil)); err != nil || m.Present() {
		t.Errorf("present %v, %v", m.Present(), err)
	}
	if given, err := m.Sockets(); len(given) > 0 || err != nil {
		t.Errorf("sockets %v, %v", given, err)
	}
	e, m := listen(t)
	_ = e.conn.Close()
	if err := m.Notify("READY=1"); err == nil {
		t.Error("told nobody without an error")
	}
}

func TestWatchdogTime(t *testing.T) {
	t.Parallel()
	e, m := listen(t)
	for _, test := range []struct {
		usec, pid string
		want      time.Duration
	}{
		{"", "", 0},
		{"60000000", "", time.Minute},
		{"60000000", strconv.Itoa(os.Getpid()), time.Minute},
		{"60000000", "1", 0},
		{"-1", "", 0},
		{"soon", "", 0},
	} {
		e.env["WATCHDOG_USEC"], e.env["WATCHDOG_PID"] = test.usec, test.pid
		if got := m.Watchdog(); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}

// TestBarrier returns when the manager has closed what came with it, and not
// before.
func TestBarrier(t *testing.T) {
	t.Parallel()
	e, m := listen(t)
	passed := make(chan error, 1)
	go func() { passed <- m.Barrier(context.Background()) }()
	got, fd := e.hear()
	if !slices.Equal(got, []string{"BARRIER=1"}) || fd < 0 {
		t.Fatalf("told %q with descriptor %d", got, fd)
	}
	select {
	case err := <-passed:
		t.Errorf("passed before the manager was there: %v", err)
	case <-time.After(20 * time.Millisecond): // long enough for one that does not wait
	}
	_ = syscall.Close(fd)
	if err := <-passed; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := m.Barrier(ctx); err == nil {
		t.Error("passed though nobody answered")
	}
}

// TestStoredSocketComesBack: a connection made while nobody accepts is there for
// the one who gets the socket.
func TestStoredSocketComesBack(t *testing.T) {
	t.Parallel()
	e, m := listen(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Store("door", ln.(syscall.Conn)); err != nil {
		t.Fatal(err)
	}
	got, fd := e.hear()
	if !slices.Equal(got, []string{"FDSTORE=1", "FDNAME=door"}) || fd < 0 {
		t.Fatalf("told %q with descriptor %d", got, fd)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	waiting, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatalf("nobody can connect while the manager has the socket: %v", err)
	}
	defer waiting.Close()
	if _, err := io.WriteString(waiting, "hello"); err != nil {
		t.Fatal(err)
	}
	given, err := sockets(fd, 1, []string{"door"})
	if err != nil || len(given) != 1 || given[0].Name != "door" || given[0].Addr().String() != ln.Addr().String() {
		t.Fatalf("given %v, %v", given, err)
	}
	defer given[0].Close()
	conn, err := given[0].Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	text := make([]byte, 5)
	if _, err := io.ReadFull(conn, text); err != nil || string(text) != "hello" {
		t.Errorf("read %q, %v", text, err)
	}
	if err := m.Forget("door"); err != nil {
		t.Fatal(err)
	}
	if got, _ := e.hear(); !slices.Equal(got, []string{"FDSTOREREMOVE=1", "FDNAME=door"}) {
		t.Errorf("told %q", got)
	}
}

// TestUselessDescriptors are closed and named; the sockets beside them count.
func TestUselessDescriptors(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	pipe, err := syscall.Dup(int(r.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	unconnected, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range []int{pipe, unconnected} {
		given, err := sockets(fd, 1, []string{"odd one"})
		if len(given) > 0 || err == nil || !strings.Contains(err.Error(), `"odd one"`) {
			t.Errorf("given %v, %v", given, err)
		}
	}
	if _, err := w.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("the pipe is still open: %v", err)
	}
}

// TestSocketsOfAnotherProcess are left alone: a child inherits the environment.
func TestSocketsOfAnotherProcess(t *testing.T) {
	t.Parallel()
	for _, env := range []map[string]string{
		{"LISTEN_FDS": "1", "LISTEN_PID": "1"},
		{"LISTEN_FDS": "1"},
		{"LISTEN_FDS": "many", "LISTEN_PID": strconv.Itoa(os.Getpid())},
		{"LISTEN_FDS": "-1", "LISTEN_PID": strconv.Itoa(os.Getpid())},
	} {
		if given, err := New(func(key string) string { return env[key] }).Sockets(); len(given) > 0 || err != nil {
			t.Errorf("%v: %v, %v", env, given, err)
		}
	}
}
