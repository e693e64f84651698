package bbb

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// rawServer serves each connection with a function of its own, below HTTP.
// The function gets the request's head; the connection is closed after it.
func rawServer(t *testing.T, serve func(c net.Conn, request string)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			all.Go(func() {
				defer c.Close()
				serve(c, readHead(bufio.NewReader(c)))
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return "http://" + l.Addr().String()
}

// readHead reads a request up to its empty line.
func readHead(r *bufio.Reader) string {
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil || strings.TrimSpace(line) == "" {
			return b.String()
		}
	}
}

func answer(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// untilClosed waits until the client has gone.
func untilClosed(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

const (
	quick = 150 * time.Millisecond
	// shown is a parameter that no error may show.
	shown = "Alice-Cooper"
)

// T49, S20: the ways in which servers fail once they have the request.
func TestCallFailures(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name  string
		serve func(c net.Conn, request string)
		kind  Kind
		text  string
		is    error
		code  int
	}{
		{name: "closes at once", kind: Unclear, text: "cut the connection",
			serve: func(net.Conn, string) {}},
		{name: "resets", kind: Unclear, text: "cut the connection",
			serve: func(c net.Conn, _ string) { _ = c.(*net.TCPConn).SetLinger(0) }},
		{name: "never answers", kind: Unclear, text: "did not answer within 150ms", is: context.DeadlineExceeded,
			serve: func(c net.Conn, _ string) { untilClosed(c) }},
		{name: "stops in the head", kind: Unclear, text: "did not answer within 150ms", is: context.DeadlineExceeded,
			serve: func(c net.Conn, _ string) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-"); untilClosed(c) }},
		{name: "closes in the head", kind: Unclear, text: "cut the connection",
			serve: func(c net.Conn, _ string) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n") }},
		{name: "trickles", kind: Unclear, text: "did not answer within 150ms", is: context.DeadlineExceeded, serve: trickle},
		{name: "closes in the body", kind: Unclear, text: "cut the connection",
			serve: func(c net.Conn, _ string) { _, _ = io.WriteString(c, answer(okReply)[:80]) }},
		{name: "announces too much", kind: Garbage, text: "answered more than 65536 bytes",
			serve: func(c net.Conn, _ string) {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n<response>")
				untilClosed(c)
			}},
		{name: "never ends", kind: Garbage, text: "answered more than 65536 bytes", serve: endless},
		{name: "endless head", kind: Garbage, text: "answered something that is not HTTP", serve: endlessHead},
		{name: "half the XML", kind: Garbage, text: "answered XML that ends in the middle", is: ErrReply,
			serve: func(c net.Conn, _ string) { _, _ = io.WriteString(c, answer(okReply[:30])) }},
		{name: "nothing", kind: Garbage, text: "answered an empty answer", is: ErrReply,
			serve: func(c net.Conn, _ string) { _, _ = io.WriteString(c, answer("")) }},
		{name: "HTML that repeats the request", kind: Garbage, text: "answered an HTML page", is: ErrReply,
			serve: func(c net.Conn, request string) {
				_, _ = io.WriteString(c, answer("<html><title>"+request+"</title>"))
			}},
		{name: "text that repeats checksum and secret", kind: Garbage, text: "answered plain text", is: ErrReply,
			serve: func(c net.Conn, request string) {
				_, sum, _ := strings.Cut(request, "checksum=")
				_, _ = io.WriteString(c, answer("sum "+sum[:64]+" secret "+testSecret))
			}},
		{name: "not HTTP", kind: Garbage, text: "answered something that is not HTTP",
			serve: func(c net.Conn, request string) { _, _ = io.WriteString(c, request) }},
		{name: "502", kind: Garbage, text: "answered HTTP status 502 (Bad Gateway)", code: 502, serve: status("502 " + shown)},
		{name: "404", kind: Garbage, text: "answered HTTP status 404 (Not Found)", code: 404, serve: status("404 x")},
		{name: "204", kind: Garbage, text: "answered HTTP status 204 (No Content)", code: 204, serve: status("204 x")},
		{name: "799", kind: Garbage, text: "answered HTTP status 799", code: 799, serve: status("799 x")},
		{name: "redirect that repeats the query", kind: Garbage, code: 302,
			text: "answered HTTP status 302 (Found), a redirect to https://evil.example", serve: redirect("https://evil.example/x")},
		{name: "redirect to a host that repeats the checksum", kind: Garbage, code: 307,
			text: "answered HTTP status 307 (Temporary Redirect), a redirect to https://[...].evil.example",
			serve: func(c net.Conn, request string) {
				_, sum, _ := strings.Cut(request, "checksum=")
				status("307 x\r\nLocation: https://"+sum[:64]+".evil.example/")(c, request)
			}},
		{name: "redirect to a path", kind: Garbage, text: "answered HTTP status 301 (Moved Permanently)", code: 301, serve: status("301 x\r\nLocation: /b?" + shown)},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			url := rawServer(t, row.serve)
			c := testClient(t, ClientConfig{ConnectTimeout: 5 * time.Second, ResponseTimeout: quick, MaxBody: 64 << 10})
			reply, err := c.Call(t.Context(), endpointOf(url), "create", ParseQuery("fullName="+shown), nil)
			if err == nil {
				t.Fatalf("answered %q", reply.Body)
			}
			checkCallError(t, err, "create", row.kind, row.text)
			if row.is != nil && !errors.Is(err, row.is) || errors.Is(err, context.Canceled) {
				t.Errorf("%v is not %v", err, row.is)
			}
			if e, ok := errors.AsType[*CallError](err); ok && e.Status != row.code {
				t.Errorf("Status = %d, want %d", e.Status, row.code)
			}
		})
	}
}

// checkCallError checks kind and text of an error, that it names the server,
// and that nothing in its chain shows what must stay hidden.
func checkCallError(t *testing.T, err error, call string, kind Kind, text string) {
	t.Helper()
	got, ok := KindOf(err)
	if !ok || got != kind {
		t.Errorf("%v is %v (%v), want %v", err, got, ok, kind)
	}
	e, _ := errors.AsType[*CallError](err)
	if e == nil || e.Server == "" || e.Call != call || !strings.Contains(err.Error(), e.Server) || !strings.Contains(err.Error(), text) {
		t.Errorf("error is %q, want the server and %q in it", err, text)
	}
	for link := err; link != nil; link = errors.Unwrap(link) {
		all := fmt.Sprintf("%v %+v %#v", link, link, link)
		for _, hidden := range []string{shown, testSecret, "checksum=", "?", digest(SHA256, "createfullName="+shown+testSecret)} {
			if strings.Contains(all, hidden) {
				t.Errorf("%T shows %q: %s", link, hidden, all)
			}
		}
		if len(link.Error()) > 300 {
			t.Errorf("%T has %d bytes", link, len(link.Error()))
		}
	}
}

func status(line string) func(net.Conn, string) {
	return func(c net.Conn, _ string) { _, _ = io.WriteString(c, "HTTP/1.1 "+line+"\r\nContent-Length: 0\r\n\r\n") }
}

func redirect(to string) func(net.Conn, string) {
	return func(c net.Conn, request string) {
		_, query, _ := strings.Cut(request, "?")
		query, _, _ = strings.Cut(query, " ")
		_, _ = io.WriteString(c, "HTTP/1.1 302 "+query+"\r\nLocation: "+to+"?"+query+"\r\nContent-Length: 0\r\n\r\n")
	}
}

func trickle(c net.Conn, _ string) {
	_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n<response>")
	for tick := time.Tick(10 * time.Millisecond); err == nil; <-tick {
		_, err = io.WriteString(c, " ")
	}
}

func endless(c net.Conn, _ string) {
	_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n<response>")
	for err == nil {
		_, err = io.WriteString(c, strings.Repeat("<a/>", 4096))
	}
}

func endlessHead(c net.Conn, _ string) {
	_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n")
	for err == nil {
		_, err = io.WriteString(c, "X-"+shown+": "+strings.Repeat("y", 4096)+"\r\n")
	}
}

// refusingAddr is an address that refuses connections: its port is taken, and
// nobody listens there.
func refusingAddr(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	loopback := netip.MustParseAddr("127.0.0.1")
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: loopback.As4()}); err != nil {
		t.Fatal(err)
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(loopback, uint16(at.(*unix.SockaddrInet4).Port)).String()
}

// Before there is a connection, the request cannot have been seen.
func TestCallNotSent(t *testing.T) {
	t.Parallel()
	nobody := "http://" + refusingAddr(t)
	rows := []struct {
		name, text string
		dial       func(ctx context.Context, network, addr string) (net.Conn, error)
		is         error
	}{
		{name: "refused", text: "refused the connection"},
		{name: "no such name", text: "does not resolve", dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "h", IsNotFound: true}}
		}},
		{name: "hangs", text: "was not connected within 150ms", is: context.DeadlineExceeded, dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}},
		{name: "anything else", text: "no connection to", dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("odd: ?checksum=1")
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			config := ClientConfig{ConnectTimeout: quick, ResponseTimeout: 5 * time.Second}
			transport := NewTransport(config)
			if row.dial != nil {
				transport.DialContext = row.dial
			}
			_, err := NewClient(transport, config).Call(t.Context(), endpointOf(nobody), "create", ParseQuery("fullName="+shown), nil)
			checkCallError(t, err, "create", NotSent, row.text)
			if row.is != nil && !errors.Is(err, row.is) {
				t.Errorf("%v is not %v", err, row.is)
			}
		})
	}
}

// The transport repeats a GET whose kept connection was dead. If nobody listens
// then, the first attempt may still have been seen.
func TestCallOnDeadConnection(t *testing.T) {
	t.Parallel()
	var calls int
	dialed := errors.New("no more connections")
	conns := make(chan net.Conn, 1)
	url := rawServer(t, func(c net.Conn, _ string) {
		_, _ = io.WriteString(c, answer(okReply))
		readHead(bufio.NewReader(c)) // the second request, seen and never answered
	})
	config := ClientConfig{}
	transport := NewTransport(config)
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if calls++; calls > 1 {
			return nil, &net.OpError{Op: "dial", Err: dialed}
		}
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		conns <- c
		return c, err
	}
	c := NewClient(transport, config)
	if _, err := c.Call(t.Context(), endpointOf(url), "create", Params{}, nil); err != nil {
		t.Fatal(err)
	}
	_, err := c.Call(t.Context(), endpointOf(url), "create", Params{}, nil)
	if kind, ok := KindOf(err); !ok || kind != Unclear || calls != 2 {
		t.Errorf("%v (%v) after %d dials, want unclear after 2", err, kind, calls)
	}
	(<-conns).Close()
}

// tripper is a transport that does not report its steps.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestCallThroughSilentTransport(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name string
		err  error
		kind Kind
	}{
		{"dial", &net.OpError{Op: "dial", Err: errors.New("x")}, NotSent},
		{"read", &net.OpError{Op: "read", Err: io.EOF}, Unclear},
		{"unknown", errors.New("odd"), Unclear},
	}
	for _, row := range rows {
		c := NewClient(tripper(func(*http.Request) (*http.Response, error) { return nil, row.err }), ClientConfig{})
		_, err := c.Call(t.Context(), endpointOf("http://h"), "create", Params{}, nil)
		if kind, ok := KindOf(err); !ok || kind != row.kind {
			t.Errorf("%s: %v (%v)", row.name, err, kind)
		}
	}
	slow := tripper(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	_, err := NewClient(slow, ClientConfig{ConnectTimeout: time.Millisecond, ResponseTimeout: quick}).
		Call(t.Context(), endpointOf("http://h"), "create", Params{}, nil)
	if kind, ok := KindOf(err); !ok || kind != Unclear || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("slow: %v (%v)", err, kind)
	}
}

// A secret too short to be masked as a long word is hidden all the same.
func TestCallHidesShortSecrets(t *testing.T) {
	t.Parallel()
	url := rawServer(t, func(c net.Conn, _ string) { _, _ = io.WriteString(c, answer("the key is s3cr3t")) })
	e := endpointOf(url)
	e.Secret = "s3cr3t"
	_, err := testClient(t, ClientConfig{}).Call(t.Context(), e, "create", Params{}, nil)
	if err == nil || !strings.Contains(err.Error(), `"the key is [...]"`) {
		t.Errorf("error %v", err)
	}
}
