package web

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"scalelite/balancer/bbb"
)

// stopping is a server on the clock of a bubble, with one handler.
type stopping struct {
	t      *testing.T
	web    *Server
	ln     *pipeListener
	stop   context.CancelFunc
	served chan error
}

func startStopping(t *testing.T, handler http.HandlerFunc) *stopping {
	s := &stopping{
		t: t, ln: newPipeListener(), served: make(chan error, 1),
		web: New(Options{Config: DefaultConfig(), Secrets: []bbb.Secret{testSecret}, Log: slog.New(slog.DiscardHandler)}),
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() { s.served <- s.web.serveOn(ctx, s.ln, &http.Server{Handler: handler}) }()
	return s
}

// ask sends a request on a connection of its own and returns that.
func (s *stopping) ask(head string) net.Conn {
	s.t.Helper()
	conn := s.ln.dial()
	if _, err := io.WriteString(conn, head+" HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		s.t.Fatal(err)
	}
	synctest.Wait()
	return conn
}

func (s *stopping) answer(conn net.Conn) *http.Response {
	s.t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return response
}

// ended checks how long after began Serve returned.
func (s *stopping) ended(began time.Time, least, most time.Duration) {
	s.t.Helper()
	if err := <-s.served; err != nil {
		s.t.Error(err)
	}
	if took := time.Since(began); took < least || took > most {
		s.t.Errorf("the stop took %s, want %s to %s", took, least, most)
	}
}

// TestStopWaitsForNobodyWhoAsksAgain: a file that is being sent, and an idle
// connection, do not hold up a stop.
func TestStopWaitsForNobodyWhoAsksAgain(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*stopping) net.Conn{
		"nothing":    func(*stopping) net.Conn { return nil },
		"download":   func(s *stopping) net.Conn { return s.ask("GET /video/a/video.webm") },
		"idle since": func(s *stopping) net.Conn { c := s.ask("GET /health_check"); s.answer(c); return c },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := startStopping(t, func(w http.ResponseWriter, r *http.Request) {
					for strings.HasPrefix(r.URL.Path, "/video/") {
						if _, err := w.Write(make([]byte, sendChunk)); err != nil { // blocks: nobody reads it
							return
						}
					}
				})
				conn, least := begin(s), turnTime
				if conn == nil {
					least = 0
				} else {
					defer conn.Close()
				}
				began := time.Now()
				s.stop()
				s.ended(began, least, least+turnTime+time.Second)
			})
		})
	}
}

// hearingConn is one in memory that knows whether anything came over it, as the
// kernel does of others.
type hearingConn struct {
	net.Conn
	heard atomic.Bool
}

func (c *hearingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard.Store(true)
	}
	return n, err
}

// TestStopAndNewConnections: one over which nothing has come is given up soon, one
// that has begun to speak is heard.
func TestStopAndNewConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "done") })
		s := New(Options{Config: DefaultConfig(), Secrets: []bbb.Secret{testSecret}, Log: slog.New(slog.DiscardHandler)})
		g, ln := newGate(s, handler), newPipeListener()
		g.silent = func(conn net.Conn) bool { return !conn.(*hearingConn).heard.Load() }
		ctx, stop := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- g.serveOn(ctx, ln, new(http.Server)) }()
		dial := func() net.Conn {
			client, server := net.Pipe()
			ln.conns <- &hearingConn{Conn: server}
			return client
		}
		unused, begun := dial(), dial()
		defer unused.Close()
		defer begun.Close()
		if _, err := io.WriteString(begun, "GET "+apiPath+" HTTP/1.1\r\n"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		stop()
		time.Sleep(3 * turnTime) // nobody is let in any more, and the unused one was waited for
		synctest.Wait()
		if _, err := io.WriteString(begun, "Host: h\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(begun); !strings.HasSuffix(string(text), "done") {
			t.Errorf("the other got %q, %v", text, err)
		}
		n, err := unused.Read(make([]byte, 1))
		if took := time.Since(began); err == nil || took >= readHeaderTimeout {
			t.Errorf("the unused connection: %d bytes, %v, after %s", n, err, took)
		}
		if err := <-served; err != nil || time.Since(began) >= readHeaderTimeout {
			t.Errorf("the stop: %v, after %s", err, time.Since(began))
		}
	})
}

// TestSilent: the kernel knows of which connections nothing has come, be there
// TLS above them or not.
func TestSilent(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux is asked")
	}
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := holding{ln, new(sync.Pool)}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	over := tls.Server(conn, nil)
	if !silent(conn) || !silent(over) {
		t.Error("something came over an unused connection")
	}
	if _, err := io.WriteString(client, "G"); err != nil {
		t.Fatal(err)
	}
	until(t, "something has come", func() bool { return !silent(conn) && !silent(over) })
}

// TestStopAnswersThoseOutside: the kernel has let them in and nobody has met them
// yet when the stop begins.
func TestStopAnswersThoseOutside(t *testing.T) {
	t.Parallel()
	s := New(Options{Config: DefaultConfig(), Secrets: []bbb.Secret{testSecret}, Log: slog.New(slog.DiscardHandler)})
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var outside []net.Conn
	for range 50 {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET "+apiPath+" HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		outside = append(outside, conn)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "done") })
	if err := s.serveOn(ctx, ln, &http.Server{Handler: handler}); err != nil {
		t.Error(err)
	}
	for i, conn := range outside {
		if text, err := io.ReadAll(conn); !strings.HasSuffix(string(text), "done") {
			t.Fatalf("number %d got %q, %v", i, text, err)
		}
	}
}

// TestStopFinishesCalls: a call that runs is waited for, and everybody is
// answered in the meantime.
func TestStopFinishesCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := startStopping(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == apiPath+"/create" {
				time.Sleep(time.Minute)
			}
			_, _ = io.WriteString(w, "done")
		})
		slow := s.ask("GET " + apiPath + "/create")
		defer slow.Close()
		began := time.Now()
		s.stop()
		time.Sleep(30 * time.Second)
		quick := s.ask("GET " + apiPath + "/join")
		defer quick.Close()
		if response := s.answer(quick); !response.Close || time.Since(began) != 30*time.Second {
			t.Errorf("another call, after %s: closes %v", time.Since(began), response.Close)
		}
		if response := s.answer(slow); response.StatusCode != http.StatusOK {
			t.Errorf("the call that ran: %s", response.Status)
		}
		s.ended(began, time.Minute, time.Minute+time.Second)
	})
}

// TestStopAndUploads: one that runs may come in for most of the time of a stop,
// then its server has to send it again; new ones are sent away at once.
func TestStopAndUploads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cut := make(chan error, 1)
		s := startStopping(t, func(w http.ResponseWriter, r *http.Request) {
			control := http.NewResponseController(w)
			for {
				_ = control.SetReadDeadline(time.Now().Add(stallTimeout))
				if _, err := r.Body.Read(make([]byte, 100)); err != nil {
					cut <- err
					return
				}
			}
		})
		conn, sent := s.ln.dial(), make(chan struct{})
		defer func() {
			_ = conn.Close()
			<-sent
		}()
		go func() {
			defer close(sent)
			_, err := io.WriteString(conn, "POST "+uploadPath+"/upload HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n")
			for err == nil {
				time.Sleep(time.Second)
				_, err = io.WriteString(conn, "x")
			}
		}()
		synctest.Wait()
		began := time.Now()
		s.web.Retire()
		time.Sleep(5 * time.Second) // as other parts take
		s.stop()
		late := s.ask("POST " + uploadPath + "/upload")
		defer late.Close()
		if response := s.answer(late); response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
			t.Errorf("a new upload: %s %v", response.Status, response.Header)
		}
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		err := <-cut
		if took := time.Since(began); took < drainTimeout-closeTimeout || took > drainTimeout-closeTimeout+2*turnTime {
			t.Errorf("the upload was cut after %s, %v", took, err)
		}
		s.ended(began, drainTimeout-closeTimeout, drainTimeout)
	})
}

// TestStopAfterOtherParts: if those took their time, the last requests have a
// little left.
func TestStopAfterOtherParts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := startStopping(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		s.web.Retire()
		time.Sleep(drainTimeout)
		conn := s.ask("GET " + apiPath + "/create")
		defer conn.Close()
		began := time.Now()
		s.stop()
		s.ended(began, lastTimeout, lastTimeout+time.Second)
		if total := drainTimeout + lastTimeout; total > StopTimeout {
			t.Errorf("StopTimeout is %s, a stop may take %s", StopTimeout, total)
		}
	})
}

// TestListensOn tells sockets that may be taken over from others.
func TestListensOn(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	open := func(addr string) net.Listener {
		ln, err := Listen(ctx, addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ln.Close() })
		return ln
	}
	loopback, everywhere := open("127.0.0.1:0"), open(":0")
	dir := t.TempDir()
	socket := open("unix:" + filepath.Join(dir, "s"))
	gone := open("unix:" + filepath.Join(dir, "gone"))
	if err := os.Remove(filepath.Join(dir, "gone")); err != nil {
		t.Fatal(err)
	}
	port := func(ln net.Listener) string {
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		return port
	}
	for _, test := range []struct {
		ln   net.Listener
		addr string
		want bool
	}{
		{loopback, "127.0.0.1:" + port(loopback), true},
		{loopback, "localhost:" + port(loopback), true},
		{loopback, "127.0.0.1:0", true},
		{loopback, "127.0.0.2:" + port(loopback), false},
		{loopback, ":" + port(loopback), false},
		{loopback, "127.0.0.1:1", false},
		{loopback, "nonsense", false},
		{loopback, "unix:" + loopback.Addr().String(), false},
		{everywhere, ":" + port(everywhere), true},
		{everywhere, "0.0.0.0:" + port(everywhere), true},
		{everywhere, "[::]:" + port(everywhere), true},
		{everywhere, "127.0.0.1:" + port(everywhere), false},
		{socket, "unix:" + filepath.Join(dir, "s"), true},
		{socket, "unix:" + filepath.Join(dir, "t"), false},
		{socket, ":3000", false},
		{gone, "unix:" + filepath.Join(dir, "gone"), false},
	} {
		if got := ListensOn(ctx, test.ln, test.addr); got != test.want {
			t.Errorf("%s for %s: %v, want %v", test.ln.Addr(), test.addr, got, test.want)
		}
	}
}
