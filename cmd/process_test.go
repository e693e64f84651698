package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"scalelite/balancer/bbb"
)

// runMainEnv makes the test binary be the program itself, so that tests can
// start, signal and kill the real process.
const runMainEnv = "SCALELITE_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMainEnv) != "" {
		os.Exit(Execute(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// processSecret is what the front-ends of a process under test sign with.
const processSecret = bbb.Secret("secret-of-the-process-under-test")

// process is the real program on a directory of its own.
type process struct {
	t      testing.TB
	dir    string
	config string
	base   string // of the HTTP listener
	cmd    *exec.Cmd
	out    *lockedBuffer
	client *http.Client
}

// newProcess prepares a configuration; start runs it. extra is TOML for the
// section [balancer].
func newProcess(t testing.TB, extra string) *process {
	t.Helper()
	return newProcessWith(t, sections{balancer: extra})
}

// sections are lines of TOML for those of the configuration.
type sections struct{ web, balancer, recordings string }

func newProcessWith(t testing.TB, extra sections) *process {
	t.Helper()
	dir, err := os.MkdirTemp("", "scalelite-test-") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, dir: dir, config: filepath.Join(dir, "config.toml"), out: &lockedBuffer{}}
	p.client = &http.Client{
		Timeout:       2 * time.Minute,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(func() {
		p.kill()
		p.client.CloseIdleConnections()
		if t.Failed() {
			t.Logf("output of the process:\n%s", p.out.tail())
		}
		_ = os.RemoveAll(dir)
	})
	address := freeLoopback(t)
	p.base = "http://" + address
	p.configure(address, extra)
	return p
}

// configure writes the configuration file.
func (p *process) configure(address string, extra sections) {
	p.t.Helper()
	if !strings.Contains(extra.web, "secrets") {
		extra.web += fmt.Sprintf("\nsecrets = [%q]", processSecret.Reveal())
	}
	text := fmt.Sprintf("[web]\nlisten = %q\nadmin_socket = %q\n%s\n[store]\npath = %q\n[recordings]\n",
		address, p.path("admin.sock"), extra.web, p.database())
	for _, dir := range []string{"spool", "work", "published", "unpublished", "failed"} {
		if !strings.Contains(extra.recordings, dir+"_dir") {
			text += fmt.Sprintf("%s_dir = %q\n", dir, p.path(dir))
		}
	}
	if !strings.Contains(extra.recordings, "min_free") {
		text += "min_free = \"1MB\"\n"
	}
	text += extra.recordings + "\n[balancer]\n" + extra.balancer + "\n"
	if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// path is one below the directory of the process.
func (p *process) path(elements ...string) string {
	return filepath.Join(append([]string{p.dir}, elements...)...)
}

func (p *process) database() string { return filepath.Join(p.dir, "scalelite.db") }

// freeLoopback is an address that nobody listens on. The kernel gives its port
// to no outgoing connection, so that it stays free from a kill to the next start.
func freeLoopback(t testing.TB) string {
	t.Helper()
	for {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		return ln.Addr().String()
	}
}

// command is one command of the real program.
func (p *process) command(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], append([]string{"--config", p.config}, args...)...)
	c.Env = append(os.Environ(), runMainEnv+"=1")
	return c
}

// run runs a command to its end and returns what it printed.
func (p *process) run(args ...string) (stdout, stderr string, err error) {
	c := p.command(args...)
	var out, errOut bytes.Buffer
	c.Stdout, c.Stderr = &out, &errOut
	err = c.Run()
	return out.String(), errOut.String(), err
}

// launch runs serve.
func (p *process) launch() {
	p.t.Helper()
	p.cmd = p.command("serve")
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// start runs serve and waits until it answers.
func (p *process) start() {
	p.t.Helper()
	p.launch()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for {
		if response, err := p.client.Get(p.base + "/health_check"); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("the process does not answer:\n%s", p.out.tail())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// kill ends the process as a power failure would.
func (p *process) kill() {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	_ = p.cmd.Wait()
	p.cmd = nil
}

// stop asks the process to end and returns how it did.
func (p *process) stop() error {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	err := p.cmd.Wait()
	p.cmd = nil
	return err
}

// link returns the signed URL of a call; pairs are names and values in turn.
func (p *process) link(call string, pairs ...string) string {
	var params bbb.Params
	for i := 0; i+1 < len(pairs); i += 2 {
		params.Set(pairs[i], pairs[i+1])
	}
	return p.base + "/bigbluebutton/api/" + call + "?" + bbb.Sign(bbb.SHA256, call, params.Encode(), processSecret)
}

// get sends a signed call; an error means that there was no whole answer.
func (p *process) get(call string, pairs ...string) (bbb.Reply, error) {
	response, err := p.client.Get(p.link(call, pairs...))
	if err != nil {
		return bbb.Reply{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return bbb.Reply{}, err
	}
	return bbb.ParseReply("scalelite", body)
}

// manage sends a signed call of the management API and returns the status.
func (p *process) manage(call, body string) (int, error) {
	url := p.base + "/scalelite/api/" + call + "?" + bbb.Sign(bbb.SHA256, call, "", processSecret)
	response, err := p.client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// lockedBuffer gathers output that is read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) tail() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.buf.String()
	if len(text) > 4000 {
		text = "..." + text[len(text)-4000:]
	}
	return text
}

// metric returns the value of a metric, "" if there is none.
func (p *process) metric(name string) string {
	p.t.Helper()
	response, err := p.client.Get(p.base + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
