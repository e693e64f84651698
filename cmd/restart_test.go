package cmd

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// loadRate is how many requests a second come while the service is restarted, and
// tlsRate that over TLS, where half of them begin with a handshake.
const (
	loadRate = 500
	tlsRate  = 200
)

// patientPool keeps a busy machine from failing a getMeetings by itself.
const patientPool = "aggregate_timeout = \"30s\"\nconnect_timeout = \"30s\"\nresponse_timeout = \"30s\"\n"

// maxWaiting is how many requests may wait at a time: those of half a second. A
// machine that is slower than that is not asked for more.
const maxWaiting = 250

// traffic sends requests at a steady rate, whether or not the former ones were
// answered: what waits, waits.
type traffic struct {
	p        *process
	kept     *http.Client // goes on using its connections
	fresh    *http.Client // a connection for each request
	meetings []string
	stop     chan struct{}
	done     sync.WaitGroup

	waiting atomic.Int64

	mu       sync.Mutex
	requests []sentRequest
	again    atomic.Int64 // sent a second time by the client itself
}

type sentRequest struct {
	at, end time.Time
	call    string
	err     error
}

func clientOf(kept bool) *http.Client {
	return &http.Client{
		Timeout: time.Minute,
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 64, DisableKeepAlives: !kept, ForceAttemptHTTP2: kept,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// underLoad has servers with meetings, and requests about them until the test
// calls end.
func underLoad(t *testing.T, p *process, rate int) *traffic {
	t.Helper()
	l := &traffic{p: p, kept: clientOf(true), fresh: clientOf(false), stop: make(chan struct{})}
	for n := range 10 {
		id := fmt.Sprint("class-", n)
		eventually(t, "a create", func() bool {
			_, err := l.ask(l.kept, "create", "meetingID", id, "name", "A class")
			return err == nil
		})
		l.meetings = append(l.meetings, id)
	}
	l.done.Go(func() { l.run(rate) })
	t.Cleanup(func() {
		l.kept.CloseIdleConnections()
		l.fresh.CloseIdleConnections()
	})
	l.until(t, rate/2)
	return l
}

// until waits for so many requests more.
func (l *traffic) until(t *testing.T, n int) {
	t.Helper()
	count := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.requests)
	}
	first := count()
	eventually(t, "requests", func() bool { return count() >= first+n })
}

func (l *traffic) run(rate int) {
	tick := time.NewTicker(time.Second / time.Duration(rate)) // leaves some out while the machine is busy
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-l.stop:
			return
		}
		if l.waiting.Load() < maxWaiting {
			l.waiting.Add(1)
			l.done.Go(func() { l.one(n) })
		}
	}
}

// one is the n-th request: six joins, three isMeetingRunning and one
// getMeetings of ten, half of them on connections of their own.
func (l *traffic) one(n int) {
	defer l.waiting.Add(-1)
	client := l.kept
	if n%2 == 0 {
		client = l.fresh
	}
	id := l.meetings[n%len(l.meetings)]
	r := sentRequest{at: time.Now(), call: "join"}
	pairs := []string{"meetingID", id, "fullName", "Ada", "role", "VIEWER"}
	switch n / 2 % 10 {
	case 0:
		r.call, pairs = "getMeetings", nil
	case 1, 2, 3:
		r.call, pairs = "isMeetingRunning", pairs[:2]
	}
	_, r.err = l.ask(client, r.call, pairs...)
	r.end = time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = append(l.requests, r)
}

// ask sends a call; what is no success is an error.
func (l *traffic) ask(client *http.Client, call string, pairs ...string) (string, error) {
	request, err := http.NewRequest(http.MethodGet, l.p.link(call, pairs...), nil)
	if err != nil {
		return "", err
	}
	var connections int
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		if connections++; connections > 1 {
			l.again.Add(1)
		}
	}}
	response, err := client.Do(request.WithContext(httptrace.WithClientTrace(request.Context(), trace)))
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return "", err
	case call == "join" && response.StatusCode == http.StatusFound,
		call != "join" && strings.Contains(string(body), "<returncode>SUCCESS</returncode>"):
		return string(body), nil
	}
	return "", fmt.Errorf("%s: %s: %s", call, response.Status, body)
}

// end stops the load and returns what became of it.
func (l *traffic) end(t *testing.T) []sentRequest {
	t.Helper()
	close(l.stop)
	l.done.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	var failed, longest = 0, time.Duration(0)
	var took []time.Duration
	for _, r := range l.requests {
		took = append(took, r.end.Sub(r.at))
		longest = max(longest, r.end.Sub(r.at))
		if r.err != nil {
			failed++
		}
	}
	slices.Sort(took)
	first, last := l.requests[0].at, l.requests[len(l.requests)-1].at
	t.Logf("%d requests, %.0f/s: %d failed, %d sent again by the client, median %s, longest %s", len(l.requests),
		float64(len(l.requests))/last.Sub(first).Seconds(), failed, l.again.Load(),
		took[len(took)/2].Round(10*time.Microsecond), longest.Round(time.Millisecond))
	return l.requests
}

// nothingLost ends the load and has every request answered.
func (l *traffic) nothingLost(t *testing.T) {
	t.Helper()
	shown := 0
	for _, r := range l.end(t) {
		if r.err != nil && shown < 10 {
			shown++
			t.Errorf("%s: %v", r.call, r.err)
		}
	}
}

// watched is a process with servers under a supervisor.
func watched(t *testing.T, p *process) *supervisor {
	p.withServers(3)
	s := supervise(t, p)
	s.start()
	return s
}

// TestRestartUnderLoad (T60): three restarts while requests keep coming. The
// sockets outlive the process: nobody is turned away.
func TestRestartUnderLoad(t *testing.T) {
	p := newProcess(t, patientPool)
	s := watched(t, p)
	l := underLoad(t, p, loadRate)
	for range 3 {
		began := time.Now()
		s.restart()
		t.Logf("restarted within %s", time.Since(began).Round(time.Millisecond))
		l.until(t, loadRate)
	}
	l.nothingLost(t)
}

// TestRestartUnderLoadOverTLS: the same with TLS, HTTP/2 and handshakes.
func TestRestartUnderLoadOverTLS(t *testing.T) {
	p, address, _, _ := tlsProcess(t)
	s := watched(t, p)
	p.base = "https://" + address
	l := underLoad(t, p, tlsRate)
	s.restart()
	l.until(t, tlsRate)
	l.nothingLost(t)
	if got := s.names(); !slices.Equal(got, []string{mainSocket, plainSocket}) {
		t.Errorf("stored sockets %v", got)
	}
}

// TestReloadUnderLoad: SIGHUP again and again fails no request.
func TestReloadUnderLoad(t *testing.T) {
	p := newProcess(t, patientPool)
	s := watched(t, p)
	l := underLoad(t, p, loadRate)
	for n := range 5 {
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		// READY=1 of the start, and of each reload.
		eventually(t, "the reload", func() bool { return len(s.heard("READY=1")) == n+2 })
		if got := len(s.heard("RELOADING=1")); got != n+1 {
			t.Errorf("RELOADING=1 was told %d times, want %d", got, n+1)
		}
		l.until(t, loadRate/5)
	}
	l.nothingLost(t)
}

// TestCertificatesSwappedUnderLoad (T61): no handshake fails, and each new pair
// is shown after its reload.
func TestCertificatesSwappedUnderLoad(t *testing.T) {
	p, address, cert, key := tlsProcess(t)
	s := watched(t, p)
	p.base = "https://" + address
	l := underLoad(t, p, tlsRate)
	for n := range 5 {
		name := fmt.Sprint("pair-", n, ".test")
		writePair(t, cert, key, name)
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the reload", func() bool { return len(s.heard("READY=1")) == n+2 })
		conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.ConnectionState().PeerCertificates[0].Subject.CommonName; got != name {
			t.Errorf("after the reload %q is shown, want %q", got, name)
		}
		_ = conn.Close()
		l.until(t, tlsRate/5)
	}
	l.nothingLost(t)
}

// TestKilledUnderLoad: SIGKILL loses the requests that the process was working
// on, and no other.
func TestKilledUnderLoad(t *testing.T) {
	p := newProcess(t, patientPool)
	s := watched(t, p)
	l := underLoad(t, p, loadRate)
	var kills []time.Time
	for range 3 {
		kills = append(kills, time.Now())
		p.kill()
		s.start()
		l.until(t, loadRate/2)
	}
	var lost int
	for _, r := range l.end(t) {
		if r.err == nil {
			continue
		}
		lost++
		if !isCut(r.err) || !slices.ContainsFunc(kills, func(at time.Time) bool { return at.After(r.at.Add(-killTakes)) && at.Before(r.end) }) {
			t.Errorf("%s: %v", r.call, r.err)
		}
	}
	t.Logf("%d requests were lost with three processes, %d more were saved by the client", lost, l.again.Load())
}

// killTakes is from the signal to the end of the process, on a busy machine.
const killTakes = time.Second

// isCut tells that a connection ended without an answer, from its being refused.
func isCut(err error) bool {
	for _, words := range []string{"EOF", "connection reset by peer"} {
		if strings.Contains(err.Error(), words) {
			return true
		}
	}
	return false
}

// TestMovedListener: a socket is used only where the configuration asks for its
// address; if the port is the same it has to be free first.
func TestMovedListener(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	s := supervise(t, p)
	s.start()
	if got := s.names(); !slices.Equal(got, []string{mainSocket}) {
		t.Fatalf("stored sockets %v", got)
	}
	_, port, err := net.SplitHostPort(strings.TrimPrefix(p.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	socket := p.path("web.sock")
	overSocket := func() (*http.Response, error) {
		var dialer net.Dialer
		transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}}
		return (&http.Client{Transport: transport, Timeout: 2 * time.Minute}).Get("http://any/health_check")
	}
	for _, listen := range []string{":" + port, "unix:" + socket, "unix:" + socket} {
		p.configure(listen, sections{})
		s.restart()
		ask := overSocket
		if !strings.HasPrefix(listen, "unix:") {
			ask = func() (*http.Response, error) { return p.client.Get("http://127.0.0.1:" + port + "/health_check") }
		}
		response, err := ask()
		if err != nil {
			t.Fatalf("%s: %v", listen, err)
		}
		_ = response.Body.Close()
		if got := s.names(); !slices.Equal(got, []string{mainSocket}) {
			t.Errorf("%s: stored sockets %v", listen, got)
		}
	}
	if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
		_ = conn.Close()
		t.Error("the former port still takes connections")
	}
}

// TestActivatedBySocket: a socket of a .socket unit is used whatever its name is,
// and left to that unit; one for another address is not.
func TestActivatedBySocket(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	open := func(address string) storedSocket {
		ln, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		file, err := ln.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = file.Close() })
		return storedSocket{"unknown", file}
	}
	address := strings.TrimPrefix(p.base, "http://")
	ours := open(address)
	waiting, err := net.Dial("tcp", address) // before the service runs
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	s := supervise(t, p)
	s.start(open("127.0.0.1:0"), ours)
	if _, err := io.WriteString(waiting, "GET /health_check HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(waiting); err != nil || !strings.HasPrefix(string(text), "HTTP/1.0 200") {
		t.Errorf("who waited got %q, %v", text, err)
	}
	if got := s.names(); len(got) > 0 {
		t.Errorf("stored sockets %v", got)
	}
	if !strings.Contains(p.out.tail(), "a socket of systemd is not used") {
		t.Error("the log does not tell of the other socket")
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
}

// TestTellsWhatItDoes: what systemd is told over a life.
func TestTellsWhatItDoes(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "poll_interval = \"1s\"")
	servers := p.withServers(2)
	s := supervise(t, p)
	s.watchdog = 400 * time.Millisecond
	s.start()
	eventually(t, "the status", func() bool { return len(s.heard("STATUS=2 of 2 servers online, 0 meetings")) > 0 })
	eventually(t, "a create", func() bool {
		reply, err := p.get("create", "meetingID", "a-class", "name", "A class")
		return err == nil && reply.OK
	})
	eventually(t, "the status", func() bool { return len(s.heard("STATUS=2 of 2 servers online, 1 meetings")) > 0 })
	servers[0].Close()
	eventually(t, "the status", func() bool { return len(s.heard("STATUS=1 of 2 servers online, 1 meetings")) > 0 })

	// Nothing can be put into the spool: the health check tells, and a restart
	// would not mend it.
	if err := os.RemoveAll(p.path("spool")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the health check to fail", func() bool {
		if err := os.WriteFile(p.path("spool"), nil, 0o600); err != nil {
			return false
		}
		response, err := p.client.Get(p.base + "/health_check")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusServiceUnavailable
	})
	fed := len(s.heard("WATCHDOG=1"))
	eventually(t, "the watchdog to be fed", func() bool { return len(s.heard("WATCHDOG=1")) > fed+2 })
	if err := p.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	eventually(t, "STOPPING=1", func() bool { return len(s.heard("STOPPING=1")) == 1 })
	for line, want := range map[string]int{"READY=1": 1, "RELOADING=1": 0} {
		if got := len(s.heard(line)); got != want {
			t.Errorf("%s was told %d times, want %d", line, got, want)
		}
	}
	if got := len(s.heard("WATCHDOG=1")); got < 3 {
		t.Errorf("WATCHDOG=1 was told %d times", got)
	}
}
