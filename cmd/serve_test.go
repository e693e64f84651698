package cmd

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"scalelite/balancer/bbbtest"
)

// withServers starts simulated servers and adds them, enabled, before the
// process runs.
func (p *process) withServers(n int) []*bbbtest.Server {
	p.t.Helper()
	var servers []*bbbtest.Server
	for i := range n {
		server := bbbtest.Start(p.t, bbbtest.Options{})
		servers = append(servers, server)
		if _, errOut, err := p.run("servers", "add", server.URL(), server.Secret(), "--id", "bbb"+string(rune('1'+i)), "--enable"); err != nil {
			p.t.Fatalf("servers add: %v: %s", err, errOut)
		}
	}
	return servers
}

// eventually waits until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func exitCode(err error) int {
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		return e.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

func TestStopFinishesWhatRuns(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	server := p.withServers(1)[0]
	p.start()
	if _, errOut, err := p.run("poll"); err != nil {
		t.Fatalf("poll: %v: %s", err, errOut)
	}
	server.Misbehave(bbbtest.Misbehaviour{Call: "create", Kind: bbbtest.SlowAfter, Delay: 500 * time.Millisecond})
	type result struct {
		ok  bool
		err error
	}
	answered := make(chan result, 1)
	go func() {
		reply, err := p.get("create", "meetingID", "a-class", "name", "A class")
		answered <- result{reply.OK, err}
	}()
	eventually(t, "the create at the server", func() bool { return server.Count("create") > 0 })
	if err := p.stop(); err != nil {
		t.Errorf("the process ended with %v, want status 0", err)
	}
	if got := <-answered; got.err != nil || !got.ok {
		t.Errorf("the running create got %+v, want its answer", got)
	}
}

func TestRestartServesWithoutAPoll(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	server := p.withServers(1)[0]
	p.start()
	eventually(t, "a server to be available", func() bool {
		reply, err := p.get("create", "meetingID", "a-class", "name", "A class")
		return err == nil && reply.OK
	})
	p.kill()
	server.Misbehave(bbbtest.Misbehaviour{Call: "getMeetings", Kind: bbbtest.Hang})
	polls := server.Count("getMeetings")
	p.start()
	reply, err := p.get("create", "meetingID", "another", "name", "Another")
	if err != nil || !reply.OK {
		t.Errorf("create right after the restart: %v %+v", err, reply)
	}
	response, err := p.client.Get(p.link("join", "meetingID", "a-class", "fullName", "Ada", "role", "VIEWER"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusFound {
		t.Errorf("join right after the restart: status %d, want 302", response.StatusCode)
	}
	if got := server.Count("getMeetings") - polls; got > 1 {
		t.Errorf("%d polls were answered or waited for", got)
	}
}

func TestReloadTakesOverAndKeepsOnError(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	server := p.withServers(1)[0]
	p.start()
	good, err := os.ReadFile(p.config)
	if err != nil {
		t.Fatal(err)
	}
	welcome := func(id string) string {
		var text string
		eventually(t, "a create", func() bool {
			reply, err := p.get("create", "meetingID", id, "name", "A class")
			return err == nil && reply.OK
		})
		if m, ok := server.Meeting(id); ok {
			text = m.Params.Get("welcome")
		}
		return text
	}
	if got := welcome("before"); got != "" {
		t.Fatalf("welcome %q before the reload", got)
	}
	rewrite := func(text, line string) {
		if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, line, func() bool { return strings.Contains(p.out.tail(), line) })
	}
	rewrite(string(good)+"create_defaults = { welcome = \"Hello\" }\nconnect_timeout = \"4s\"\n", "some changes need a restart")
	if got := welcome("after"); got != "Hello" {
		t.Errorf("welcome %q after the reload, want Hello", got)
	}
	rewrite("nonsense = 1\n", "configuration not reloaded")
	if got := welcome("still"); got != "Hello" {
		t.Errorf("welcome %q after a bad configuration, want Hello", got)
	}
}

func TestCommandsWorkWithAndWithoutTheService(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.withServers(2)
	without, _, err := p.run("servers", "--json")
	if err != nil {
		t.Fatal(err)
	}
	p.start()
	for _, args := range [][]string{
		{"status"}, {"status", "--json"}, {"servers"}, {"meetings"}, {"poll"}, {"secret"}, {"servers", "export"},
		{"servers", "cordon", "bbb1"}, {"servers", "enable", "bbb1"}, {"servers", "enable", "bbb1"},
		{"servers", "update", "bbb2", "--tag", "gpu"}, {"config", "check"}, {"config", "show"}, {"version"},
	} {
		if out, errOut, err := p.run(args...); err != nil || out == "" {
			t.Errorf("%v: %v\n%s%s", args, err, out, errOut)
		}
	}
	with, _, err := p.run("servers", "--json")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{`"bbb1"`, `"bbb2"`} {
		if !strings.Contains(without, id) || !strings.Contains(with, id) {
			t.Errorf("server %s is missing:\nwithout the service %s\nwith it %s", id, without, with)
		}
	}
	if strings.Contains(with, "\"secret\"") {
		t.Errorf("servers --json shows secrets without --secrets:\n%s", with)
	}
}

func TestSecondServiceIsRefused(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	_, errOut, err := p.run("serve")
	if got := exitCode(err); got != 75 {
		t.Errorf("the second service ended with %d, want 75: %s", got, errOut)
	}
	if !strings.Contains(errOut, p.database()) {
		t.Errorf("the message does not name the database: %s", errOut)
	}
}

func TestBackupWhileRunningAndRestore(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.withServers(1)
	p.start()
	file := filepath.Join(p.dir, "backup.db")
	if _, errOut, err := p.run("backup", file); err != nil {
		t.Fatalf("backup: %v: %s", err, errOut)
	}
	if _, errOut, err := p.run("servers", "remove", "bbb1", "--yes"); err != nil {
		t.Fatalf("remove: %v: %s", err, errOut)
	}
	if _, errOut, err := p.run("restore", file, "--yes"); err == nil || !strings.Contains(errOut, "stop") {
		t.Errorf("restore while the service runs: %v: %s", err, errOut)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	garbage := filepath.Join(p.dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errOut, err := p.run("restore", garbage, "--yes"); err == nil || errOut == "" {
		t.Errorf("restore of garbage: %v: %s", err, errOut)
	}
	if _, errOut, err := p.run("restore", file, "--yes"); err != nil {
		t.Fatalf("restore: %v: %s", err, errOut)
	}
	if out, _, err := p.run("servers"); err != nil || !strings.Contains(out, "bbb1") {
		t.Errorf("the restored database has no server: %v\n%s", err, out)
	}
}

func TestBadConfigurationStopsTheStart(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "poll_interval = \"-1s\"\nnonsense = 1")
	_, errOut, err := p.run("serve")
	if exitCode(err) != 1 || !strings.Contains(errOut, "poll_interval") || !strings.Contains(errOut, "nonsense") {
		t.Errorf("status %d: %s", exitCode(err), errOut)
	}
}

func TestDemoLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := exec.Command(os.Args[0], "demo", "--listen", freeLoopback(t))
	c.Env = append(os.Environ(), runMainEnv+"=1", "TMPDIR="+dir)
	out := &lockedBuffer{}
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the demo's links", func() bool { return strings.Contains(out.tail(), "Ctrl-C ends the demo") })
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.Process.Kill() })
	defer stop()
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("the demo ended with %v:\n%s", err, out.tail())
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// Where the demo listens is what was asked for; another port is taken for one
// that is in use, and for nothing else.
func TestDemoAddress(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free := freeLoopback(t)
	for given, want := range map[string]string{free: free, taken.Addr().String(): "127.0.0.1:0"} {
		if got, err := freeAddress(t.Context(), given); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", given, got, err, want)
		}
	}
	s := newSession(t, nil)
	for _, bad := range []string{"nonsense", ":70000", "192.0.2.1:80"} {
		s.run("", "demo", "--listen", bad).wantFail(t, exitUsage, "--listen "+bad+": ")
	}
	for addr, want := range map[string]string{
		"0.0.0.0:80": "127.0.0.1:80", "[::]:80": "127.0.0.1:80", "127.0.0.2:80": "127.0.0.2:80", "[::1]:80": "[::1]:80",
	} {
		tcp, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := reachable(tcp); got != want {
			t.Errorf("%s is reached at %s, want %s", addr, got, want)
		}
	}
}
