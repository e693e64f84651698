package web

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"scalelite/balancer/bbb"
)

// TestLargeHeader: 64 KiB and no more.
func TestLargeHeader(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{noSync: true})
	query := "a=" + strings.Repeat("x", 60<<10)
	if a := s.fetch("GET", s.base+"/getMeetings?"+bbb.Sign(bbb.SHA256, "getMeetings", query, testSecret), nil, nil); !a.OK {
		t.Errorf("a query of 60 KiB: %d %s", a.status, a.body)
	}
	conn := s.dial(t)
	defer conn.Close()
	go func() {
		_, _ = io.WriteString(conn, "GET /bigbluebutton/api HTTP/1.1\r\nHost: h\r\nX: "+strings.Repeat("x", 80<<10)+"\r\n\r\n")
	}()
	if text, _ := io.ReadAll(conn); !strings.HasPrefix(string(text), "HTTP/1.1 431 ") {
		t.Errorf("a header of 80 KiB: %.100q", text)
	}
}

// pipeListener hands out connections in memory, which wait on the clock of
// their bubble.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{make(chan net.Conn), make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

func (l *pipeListener) dial() net.Conn {
	client, server := net.Pipe()
	l.conns <- server
	return client
}

// inBubble serves without a pool on the clock of a bubble.
func inBubble(t *testing.T, test func(t *testing.T, l *pipeListener)) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{
			Config: DefaultConfig(), Version: "test", Secrets: []bbb.Secret{testSecret},
			Health: func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler),
		})
		l := newPipeListener()
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, l) }()
		test(t, l)
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// TestSlowClients: a header, a body, a pause between requests that take too long
// end the connection.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	form := "POST /bigbluebutton/api/end HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000000\r\n\r\n"
	for name, test := range map[string]struct {
		send string
		slow string // one byte a second
		want string
		took time.Duration
	}{
		"silent":      {"", "", "", readHeaderTimeout},
		"slow header": {"GET /health_check HTTP/1.1\r\n", strings.Repeat("X", 1000), "", readHeaderTimeout},
		"slow body":   {form, strings.Repeat("x", 1000), "The body of this request could not be read", readTimeout},
		"idle":        {"GET /health_check HTTP/1.1\r\nHost: h\r\n\r\n", "", "success", idleTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, l *pipeListener) {
				conn, began := l.dial(), time.Now()
				done := make(chan struct{})
				go func() {
					defer close(done)
					_, _ = io.WriteString(conn, test.send)
					for i := range test.slow {
						time.Sleep(time.Second)
						if _, err := io.WriteString(conn, test.slow[i:i+1]); err != nil {
							return
						}
					}
				}()
				text, err := io.ReadAll(conn)
				if took := time.Since(began); took < test.took || took > test.took+2*time.Second {
					t.Errorf("the connection ended after %s, want %s", took, test.took)
				}
				if err != nil || !strings.Contains(string(text), test.want) || test.want == "" && len(text) > 0 && !strings.HasPrefix(string(text), "HTTP/1.1 4") {
					t.Errorf("answer %q, %v", text, err)
				}
				_ = conn.Close()
				<-done
			})
		})
	}
}

// TestUnreadAnswer: nobody is waited for who does not read.
func TestUnreadAnswer(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, l *pipeListener) {
		conn, began := l.dial(), time.Now()
		defer conn.Close()
		go func() { _, _ = io.WriteString(conn, "GET /health_check HTTP/1.1\r\nHost: h\r\n\r\n") }()
		time.Sleep(writeTimeout + time.Second)
		synctest.Wait()
		if text, _ := io.ReadAll(conn); len(text) > 0 {
			t.Errorf("after %s the answer %q is still there", time.Since(began), text)
		}
	})
}

// TestStopCutsADawdler: a stop waits for a request, but not for ever, and is no
// failure for it.
func TestStopCutsADawdler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Config: DefaultConfig(), Secrets: []bbb.Secret{testSecret}, Log: slog.New(slog.DiscardHandler)})
		l := newPipeListener()
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, l) }()
		conn := l.dial()
		defer conn.Close()
		if _, err := io.WriteString(conn, "POST /bigbluebutton/api/end HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\na"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		began := time.Now()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took < drainTimeout || took > drainTimeout+time.Second {
			t.Errorf("the stop took %s, want %s", took, drainTimeout)
		}
	})
}
