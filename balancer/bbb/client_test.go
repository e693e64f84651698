package bbb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testClient is a client with a transport of its own.
func testClient(t testing.TB, c ClientConfig) *Client {
	t.Helper()
	transport := NewTransport(c)
	t.Cleanup(transport.CloseIdleConnections)
	return NewClient(transport, c)
}

func endpointOf(url string) Endpoint {
	return Endpoint{URL: url + apiPath, Secret: testSecret, Algorithm: SHA256}
}

// received is what a server saw.
type received struct {
	method, path, query, contentType, userAgent, encoding, body string
}

func recorder(t *testing.T, got *received, answer string) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*got = received{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Content-Type"), r.UserAgent(), r.Header.Get("Accept-Encoding"), string(body)}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestCallGet(t *testing.T) {
	t.Parallel()
	var got received
	server := recorder(t, &got, meetingsReply)
	c := testClient(t, ClientConfig{UserAgent: "scalelite/1"})
	reply, err := c.Call(t.Context(), endpointOf(server.URL), "getMeetings", ParseQuery("a=x+y"), nil)
	if err != nil || !reply.OK || string(reply.Body) != meetingsReply {
		t.Fatalf("%+v, %v", reply, err)
	}
	want := received{method: "GET", path: "/bigbluebutton/api/getMeetings", userAgent: "scalelite/1",
		query: "a=x+y&checksum=" + digest(SHA256, "getMeetings"+"a=x+y"+testSecret)}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(received{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Slides on their way to a server with a slow line have more time than an answer.
func TestLargeBodyHasTime(t *testing.T) {
	t.Parallel()
	const size = 24 << 20 // more than the buffers of a connection hold
	const limit = 200 * time.Millisecond
	var got atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(3 * limit) // the line is slow
		n, _ := io.Copy(io.Discard, r.Body)
		got.Store(n)
		_, _ = io.WriteString(w, okReply)
	}))
	defer server.Close()
	body := &Body{ContentType: "text/xml", Length: size, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(zeros{}, size)), nil
	}}
	c := testClient(t, ClientConfig{ResponseTimeout: limit})
	if _, err := c.Call(t.Context(), endpointOf(server.URL), "create", Params{}, body); err != nil || got.Load() != size {
		t.Errorf("%d bytes arrived, %v", got.Load(), err)
	}
	if d := sendingTime(body); d != 48*time.Second {
		t.Errorf("%d bytes have %s", size, d)
	}
	for _, none := range []*Body{nil, {Length: 0}, {Length: -1}} {
		if d := sendingTime(none); d != 0 {
			t.Errorf("no body has %s", d)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// T52: an XML body goes out byte for byte with its Content-Type.
func TestCallPost(t *testing.T) {
	t.Parallel()
	const slides = "<modules>\r\n<module name='presentation'><document url=\"h\"/>\x00\xff</module></modules>\n"
	for _, length := range []int64{int64(len(slides)), -1} {
		var got received
		server := recorder(t, &got, okReply)
		body := &Body{ContentType: "text/xml; charset=UTF-8", Length: length, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(slides)), nil
		}}
		params := ParseQuery("meetingID=m&welcome=" + strings.Repeat("x", 7000))
		if _, err := testClient(t, ClientConfig{}).Call(t.Context(), endpointOf(server.URL), "create", params, body); err != nil {
			t.Fatal(err)
		}
		if got.method != "POST" || got.contentType != body.ContentType || got.body != slides {
			t.Errorf("got %+v", got)
		}
		if signed, err := testVerifier().VerifyQuery("create", got.query); err != nil || signed.Params.Encode() != params.Encode() {
			t.Errorf("query: %v", err)
		}
	}
}

func TestCallPostWithoutBytes(t *testing.T) {
	t.Parallel()
	var got received
	server := recorder(t, &got, okReply)
	body := &Body{ContentType: "application/xml"}
	if _, err := testClient(t, ClientConfig{}).Call(t.Context(), endpointOf(server.URL), "create", Params{}, body); err != nil {
		t.Fatal(err)
	}
	if got.method != "POST" || got.contentType != "application/xml" || got.query != "checksum="+digest(SHA256, "create"+testSecret) {
		t.Errorf("got %+v", got)
	}
}

// Both generations of BBB must take a long query: they verify the query alone,
// as it is not empty, and merge query and body.
func TestCallLongQuery(t *testing.T) {
	t.Parallel()
	long, longer := strings.Repeat("ä", 1500), strings.Repeat("{\"a\": 1}", 3000)
	var params Params
	params.Set("name", "Maths & more")
	params.Set("groups", longer)
	params.Set("meetingID", "m1")
	params.Set("welcome", long)
	params.Set("record", "true")
	var got received
	server := recorder(t, &got, okReply)
	if _, err := testClient(t, ClientConfig{}).Call(t.Context(), endpointOf(server.URL), "create", params, nil); err != nil {
		t.Fatal(err)
	}
	if got.method != "POST" || got.contentType != "application/x-www-form-urlencoded" || len(got.query) > maxQuery+100 {
		t.Fatalf("%s %s, query of %d bytes", got.method, got.contentType, len(got.query))
	}
	signed, err := testVerifier().VerifyQuery("create", got.query)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"name", "meetingID", "record"}, signed.Params.Names()); diff != "" {
		t.Errorf("in the query (-want +got):\n%s", diff)
	}
	merged := ParseQuery(strings.TrimPrefix(signed.Params.Encode()+"&"+got.body, "&"))
	for name, want := range params.All() {
		if merged.Get(name) != want {
			t.Errorf("%s did not arrive", name)
		}
	}
	if merged.Len() != params.Len() {
		t.Errorf("%d parameters arrived of %d", merged.Len(), params.Len())
	}
}

func TestSpillKeepsOne(t *testing.T) {
	t.Parallel()
	one := ParseQuery("welcome=" + strings.Repeat("x", 9000))
	if query, body := spill(one, maxQuery); body != nil || query != one.Encode() {
		t.Errorf("query of %d bytes, body %v", len(query), body != nil)
	}
	two := ParseQuery("a=" + strings.Repeat("x", 9000) + "&b=" + strings.Repeat("x", 8000))
	if query, body := spill(two, maxQuery); body == nil || !strings.HasPrefix(query, "b=x") || strings.Contains(query, "a=") {
		t.Errorf("query %.10s..., body %v", query, body != nil)
	}
	if query, body := spill(Params{}, maxQuery); query != "" || body != nil {
		t.Errorf("query %q of nothing", query)
	}
}

func TestSendChatMessageStaysGet(t *testing.T) {
	t.Parallel()
	var got received
	server := recorder(t, &got, okReply)
	params := ParseQuery("meetingID=m&message=" + strings.Repeat("x", 7000))
	if _, err := testClient(t, ClientConfig{}).Call(t.Context(), endpointOf(server.URL), "sendChatMessage", params, nil); err != nil || got.method != "GET" {
		t.Errorf("%s, %v", got.method, err)
	}
}

func TestSignedURL(t *testing.T) {
	t.Parallel()
	e := Endpoint{URL: "https://h/bigbluebutton/api", Secret: vectorSecret, Algorithm: SHA1}
	got := testClient(t, ClientConfig{}).SignedURL(e, "create", ParseQuery(vectorQuery))
	if want := e.URL + "/create?" + vectorQuery + "&checksum=1fcbb0c4fc1f039f73aa6d697d2db9ba7f803f17"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	const index = "<response><returncode>SUCCESS</returncode><version>2.0</version><apiVersion>2.0</apiVersion><bbbVersion>%s</bbbVersion></response>"
	for _, version := range []string{"3.0.19", ""} {
		var got received
		server := recorder(t, &got, fmt.Sprintf(index, version))
		v, err := testClient(t, ClientConfig{}).Version(t.Context(), endpointOf(server.URL))
		if err != nil || v != version {
			t.Errorf("Version = %q, %v", v, err)
		}
		if got.path != apiPath || got.query != "" {
			t.Errorf("asked for %s?%s", got.path, got.query)
		}
	}
	server := recorder(t, new(received), okReply)
	if v, err := testClient(t, ClientConfig{}).Version(t.Context(), endpointOf(server.URL)); err == nil {
		t.Errorf("an answer without a version gives %q", v)
	}
}

// A failed call of BBB is an answer, not an error.
func TestCallFailedReply(t *testing.T) {
	t.Parallel()
	server := recorder(t, new(received), string(ErrNotFound.XML()))
	reply, err := testClient(t, ClientConfig{}).Call(t.Context(), endpointOf(server.URL), "end", Params{}, nil)
	if err != nil || reply.OK || reply.MessageKey != "notFound" || !bytes.Equal(reply.Body, ErrNotFound.XML()) {
		t.Errorf("%+v, %v", reply, err)
	}
}

// S20: compression is neither asked for nor undone.
func TestCallNoCompression(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("asked for %s", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write([]byte("\x1f\x8b\x08\x00\x00\x00"))
	}))
	defer server.Close()
	_, err := testClient(t, ClientConfig{}).Call(t.Context(), endpointOf(server.URL), "getMeetings", Params{}, nil)
	if kind, ok := KindOf(err); !ok || kind != Garbage || !strings.Contains(err.Error(), "compressed data") {
		t.Errorf("%v", err)
	}
}

// Connections are kept, so that a burst of calls opens few.
func TestCallReusesConnections(t *testing.T) {
	t.Parallel()
	var opened atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, okReply)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c := testClient(t, ClientConfig{})
	for range 20 {
		if _, err := c.Call(t.Context(), endpointOf(server.URL), "getMeetings", Params{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections for 20 calls in a row", n)
	}
}

func TestCallGivenUp(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}))
	defer server.Close()
	c := testClient(t, ClientConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	_, err := c.Call(ctx, endpointOf(server.URL), "create", Params{}, nil)
	if kind, _ := KindOf(err); kind != Unclear || !errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it waits: %v (%v)", err, kind)
	}
	_, err = c.Call(ctx, endpointOf(server.URL), "create", Params{}, nil)
	if kind, ok := KindOf(err); !ok || kind != NotSent || !errors.Is(err, context.Canceled) {
		t.Errorf("before it begins: %v (%v)", err, kind)
	}
	late, stop := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer stop()
	_, err = c.Call(late, endpointOf(server.URL), "create", Params{}, nil)
	if kind, ok := KindOf(err); !ok || kind != NotSent || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("past its deadline: %v (%v)", err, kind)
	}
}

func TestCallBodyThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	body := &Body{Length: 5, Open: func() (io.ReadCloser, error) { return nil, io.ErrClosedPipe }}
	_, err := testClient(t, ClientConfig{}).Call(t.Context(), endpointOf("http://127.0.0.1:1"), "create", Params{}, body)
	if kind, ok := KindOf(err); !ok || kind != NotSent {
		t.Errorf("%v", err)
	}
}
