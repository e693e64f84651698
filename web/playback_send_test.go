package web

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"scalelite/store"
	"scalelite/store/kv"
)

// TestRanges: parts of a file, for seeking.
func TestRanges(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	const content = "0123456789abcdef"
	r := s.keep(recordingID, map[string]string{"presentation/a.webm": content}, nil)
	path := "/presentation/" + recordingID + "/a.webm"
	whole := s.play("GET", path)
	etag, modified := whole.header.Get("ETag"), whole.header.Get("Last-Modified")
	if whole.body != content || whole.header.Get("Accept-Ranges") != "bytes" || !strings.HasPrefix(etag, `"`) || modified == "" {
		t.Fatalf("whole: %q %v", whole.body, whole.header)
	}
	for _, test := range []struct {
		ranges, condition  string
		status             int
		body, contentRange string
	}{
		{"bytes=0-3", "", 206, "0123", "bytes 0-3/16"},
		{"bytes=10-", "", 206, "abcdef", "bytes 10-15/16"},
		{"bytes=-4", "", 206, "cdef", "bytes 12-15/16"},
		{"bytes=0-", "", 206, content, "bytes 0-15/16"},
		{"bytes=4-999", "", 206, "456789abcdef", "bytes 4-15/16"},
		{"bytes=16-", "", 416, "", "bytes */16"},
		{"bytes=20-30", "", 416, "", "bytes */16"},
		{"bytes=5-4", "", 416, "", ""},
		{"bytes=0-3", etag, 206, "0123", "bytes 0-3/16"},
		{"bytes=0-3", modified, 206, "0123", "bytes 0-3/16"},
		{"bytes=0-3", `"other"`, 200, content, ""},
		{"bytes=0-3", "W/" + etag, 200, content, ""},
		{"bytes=0-3", "Mon, 02 Jan 2006 15:04:05 GMT", 200, content, ""},
	} {
		headers := []string{"Range", test.ranges}
		if test.condition != "" {
			headers = append(headers, "If-Range", test.condition)
		}
		for _, method := range []string{"GET", "HEAD"} {
			a := s.play(method, path, headers...)
			want := test.body
			if method == "HEAD" {
				want = ""
			}
			if a.status != test.status || test.status != 416 && a.body != want || test.contentRange != "" && a.header.Get("Content-Range") != test.contentRange {
				t.Errorf("%s %s if %s: %d %q %q", method, test.ranges, test.condition, a.status, a.body, a.header.Get("Content-Range"))
			}
		}
	}
	a := s.play("GET", path, "Range", "bytes=0-1,4-5,-2")
	kind, parameters, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil || a.status != 206 || kind != "multipart/byteranges" {
		t.Fatalf("several ranges: %d %v %v", a.status, a.header, err)
	}
	var parts []string
	for reader := multipart.NewReader(strings.NewReader(a.body), parameters["boundary"]); ; {
		part, err := reader.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(part)
		parts = append(parts, part.Header.Get("Content-Range")+" "+string(text))
	}
	if got := strings.Join(parts, "; "); got != "bytes 0-1/16 01; bytes 4-5/16 45; bytes 14-15/16 ef" {
		t.Errorf("several ranges: %s", got)
	}
	if a := s.play("GET", path, "Range", "bytes="+strings.Repeat("0-,", 4000)+"0-"); a.status == 206 && len(a.body) > 20*len(content) {
		t.Errorf("a range asked for 4000 times brings %d bytes", len(a.body))
	}
	_ = r
}

// TestValidators: a file that has not changed is not sent again, and one that
// has is.
func TestValidators(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	r := s.keep(recordingID, map[string]string{"presentation/a.png": "first", "presentation/b.png": "first"}, nil)
	path := "/presentation/" + recordingID + "/a.png"
	first := s.play("GET", path)
	etag := first.header.Get("ETag")
	for _, headers := range [][]string{
		{"If-None-Match", etag}, {"If-None-Match", "W/" + etag}, {"If-None-Match", `"x", ` + etag}, {"If-None-Match", "*"},
		{"If-Modified-Since", first.header.Get("Last-Modified")},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			a := s.play(method, path, headers...)
			if a.status != http.StatusNotModified || a.body != "" || a.header.Get("ETag") != etag || a.header.Get("Cache-Control") != "private, no-cache" {
				t.Errorf("%s %v: %d %q %v", method, headers, a.status, a.body, a.header)
			}
		}
	}
	if a := s.play("GET", path, "If-Match", `"x"`); a.status != http.StatusPreconditionFailed {
		t.Errorf("If-Match: %d", a.status)
	}
	if other := s.play("GET", "/presentation/"+recordingID+"/b.png").header.Get("ETag"); other == etag {
		t.Error("another file with the same content and time may have the same tag by its inode alone")
	}
	name := filepath.Join(s.dir(r, "presentation"), "a.png")
	before, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	// The same size and time, but another file: a re-import renames it into place.
	if err := os.WriteFile(name+".new", []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chtimes(name+".new", before.ModTime(), before.ModTime()), os.Rename(name+".new", name)); err != nil {
		t.Fatal(err)
	}
	if a := s.play("GET", path, "If-None-Match", etag); a.status != http.StatusOK || a.body != "other" {
		t.Errorf("replaced: %d %q", a.status, a.body)
	}
}

func gunzip(t testing.TB, body string) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// packed fetches a path as one that takes gzip.
func (s *system) packed(method, path string, pairs ...string) answer {
	s.t.Helper()
	header := http.Header{"Accept-Encoding": {"gzip, deflate, br"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		header[pairs[i]] = []string{pairs[i+1]}
	}
	return s.fetch(method, s.url+path, header, nil)
}

// TestCompression: text goes compressed to those who take it, whole files only,
// with tags of its own.
func TestCompression(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	long := strings.Repeat("the same words again and again ", 500)
	files := map[string]string{"presentation/small.json": "{}", "presentation/a.webm": long, "presentation/a.png": long}
	for _, end := range []string{"xml", "json", "svg", "vtt", "js", "css", "txt", "html"} {
		files["presentation/a."+end] = long
	}
	s.keep(recordingID, files, nil)
	base := "/presentation/" + recordingID + "/"
	for name := range files {
		path := base + strings.TrimPrefix(name, "presentation/")
		plain, packed, head := s.play("GET", path), s.packed("GET", path), s.packed("HEAD", path)
		text := !strings.HasSuffix(name, ".webm") && !strings.HasSuffix(name, ".png")
		if (plain.header.Get("Vary") == "Accept-Encoding") != text || plain.header.Get("Content-Encoding") != "" || plain.body != files[name] {
			t.Errorf("%s: %v", path, plain.header)
		}
		if !text || strings.Contains(name, "small") {
			if packed.header.Get("Content-Encoding") != "" || packed.body != files[name] {
				t.Errorf("%s is compressed: %v", path, packed.header)
			}
			continue
		}
		if packed.header.Get("Content-Encoding") != "gzip" || len(packed.body) > len(long)/10 || gunzip(t, packed.body) != long {
			t.Errorf("%s: %d bytes %v", path, len(packed.body), packed.header)
		}
		if head.status != 200 || head.body != "" || head.header.Get("Content-Encoding") != "gzip" || head.header.Get("ETag") != packed.header.Get("ETag") || head.header.Get("Content-Length") != "" {
			t.Errorf("HEAD %s: %d %v", path, head.status, head.header)
		}
		if packed.header.Get("ETag") == plain.header.Get("ETag") || packed.header.Get("Content-Type") != plain.header.Get("Content-Type") || packed.header.Get("Accept-Ranges") != "" {
			t.Errorf("%s: %v", path, packed.header)
		}
		if a := s.packed("GET", path, "If-None-Match", packed.header.Get("ETag")); a.status != http.StatusNotModified || a.body != "" || a.header.Get("Content-Encoding") != "" {
			t.Errorf("%s again: %d %q %v", path, a.status, a.body, a.header)
		}
		if a := s.packed("GET", path, "If-Match", `"x"`); a.status != http.StatusPreconditionFailed || a.body != "" {
			t.Errorf("%s If-Match: %d %q", path, a.status, a.body)
		}
		if a := s.packed("GET", path, "Range", "bytes=0-7"); a.status != 206 || a.body != "the same" || a.header.Get("Content-Encoding") != "" || a.header.Get("ETag") != plain.header.Get("ETag") {
			t.Errorf("%s range: %d %q %v", path, a.status, a.body, a.header)
		}
		if a := s.packed("GET", path, "Range", "bytes=0-7", "If-Range", packed.header.Get("ETag")); a.status != 200 || a.body != long {
			t.Errorf("%s range of the compressed one: %d", path, a.status)
		}
	}
	for accept, want := range map[string]bool{
		"gzip": true, "GZIP": true, "x-gzip": true, "*": true, "gzip;q=0.5": true, "br;q=1, gzip;q=0.1": true,
		"": false, "identity": false, "gzip;q=0": false, "gzip;q=0.0, *": false, "*;q=0": false, "br": false, "gzip;q=x": false, "gzipped": false,
	} {
		if a := s.play("GET", base+"a.xml", "Accept-Encoding", accept); acceptsGzip(accept) != want || a.status != http.StatusOK {
			t.Errorf("Accept-Encoding %q: want %t", accept, want)
		}
	}
}

// TestPrecompressed: a file that somebody compressed before is taken, if it is
// not older than what it was made of.
func TestPrecompressed(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	long := strings.Repeat("the same words again and again ", 500)
	var better bytes.Buffer
	z, _ := gzip.NewWriterLevel(&better, gzip.BestCompression)
	z.Comment = "made before"
	_, _ = io.WriteString(z, long)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	r := s.keep(recordingID, map[string]string{"presentation/tldraw.json": long, "presentation/tldraw.json.gz": better.String()}, nil)
	path, name := "/presentation/"+recordingID+"/tldraw.json", filepath.Join(s.dir(r, "presentation"), "tldraw.json.gz")
	dated := func(at time.Time) {
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	dated(time.Now().Add(time.Hour))
	a := s.packed("GET", path)
	if a.body != better.String() || a.header.Get("Content-Encoding") != "gzip" || a.header.Get("Content-Type") != "application/json" ||
		a.header.Get("Content-Length") != fmt.Sprint(better.Len()) || a.header.Get("Accept-Ranges") != "" {
		t.Errorf("%d bytes %v", len(a.body), a.header)
	}
	if again := s.packed("GET", path, "If-None-Match", a.header.Get("ETag")); again.status != http.StatusNotModified {
		t.Errorf("again: %d", again.status)
	}
	if a := s.packed("HEAD", path); a.status != 200 || a.header.Get("Content-Length") != fmt.Sprint(better.Len()) || a.body != "" {
		t.Errorf("HEAD: %d %v", a.status, a.header)
	}
	if a := s.packed("GET", path, "If-Match", `"x"`); a.status != http.StatusPreconditionFailed || a.body != "" {
		t.Errorf("If-Match: %d %q", a.status, a.body)
	}
	if a := s.play("GET", path); a.body != long {
		t.Errorf("uncompressed: %d bytes %v", len(a.body), a.header)
	}
	dated(time.Now().Add(-time.Hour))
	if a := s.packed("GET", path); a.body == better.String() || gunzip(t, a.body) != long {
		t.Errorf("an outdated one is taken: %v", a.header)
	}
}

// TestDeflatersAreBounded: who comes when all compressors work is answered
// without one, at once.
func TestDeflatersAreBounded(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	long := strings.Repeat("x", 10_000)
	s.keep(recordingID, map[string]string{"presentation/a.json": long}, nil)
	for range maxDeflaters {
		s.web.deflaters.slots <- struct{}{}
	}
	path := "/presentation/" + recordingID + "/a.json"
	if a := s.packed("GET", path); a.body != long || a.header.Get("Content-Encoding") != "" {
		t.Errorf("all busy: %v", a.header)
	}
	<-s.web.deflaters.slots
	if a := s.packed("GET", path); a.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("one idle: %v", a.header)
	}
	if a := s.packed("GET", path); a.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("the idle one was not given back: %v", a.header)
	}
}

// fileSink is a ResponseWriter that takes files, as that of net/http does.
type fileSink struct {
	*httptest.ResponseRecorder
	chunks []int64 // that came as parts of files
	others int     // that came in another way than by Write
}

func (w *fileSink) ReadFrom(r io.Reader) (int64, error) {
	part, ok := r.(*io.LimitedReader)
	if ok {
		_, ok = part.R.(*os.File)
	}
	if !ok {
		w.others++
		return io.Copy(w.ResponseRecorder, r)
	}
	n, err := io.Copy(w.ResponseRecorder, r)
	w.chunks = append(w.chunks, n)
	return n, err
}

// TestFilesGoToTheKernel: what net/http gets is a part of a file, the only thing
// that it hands to sendfile(2), whole and for ranges. Small parts are written.
func TestFilesGoToTheKernel(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	content := strings.Repeat("0123456789abcdef", (2*sendChunk+1000)/16)
	s.keep(recordingID, map[string]string{"presentation/a.webm": content}, nil)
	for ranges, want := range map[string]string{
		"": content, "bytes=100-": content[100:], "bytes=-65537": content[len(content)-smallPart-1:],
		"bytes=5-9": content[5:10], "bytes=16-65551": content[16 : 16+smallPart],
	} {
		chunks := (len(want) + sendChunk - 1) / sendChunk
		if len(want) <= smallPart {
			chunks = 0
		}
		sink := &fileSink{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequest("GET", "/presentation/"+recordingID+"/a.webm", nil)
		r.Header.Set("Range", ranges)
		s.web.Handler().ServeHTTP(sink, r)
		if sink.Body.String() != want || sink.others > 0 || len(sink.chunks) != chunks {
			t.Errorf("range %q: %d bytes, chunks %v, %d in another way", ranges, sink.Body.Len(), sink.chunks, sink.others)
		}
	}
}

// slowServer serves s with little patience: the limit of net/http would end a
// response before the tests do.
func (s *system) slowServer(patience time.Duration) string {
	s.web.patience = patience
	server := httptest.NewUnstartedServer(s.web.Handler())
	server.Config.WriteTimeout = 400 * time.Millisecond
	server.Start()
	s.t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// download asks for a file with a small window and returns the connection.
func download(t testing.TB, addr, path string) (*net.TCPConn, *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	tcp := conn.(*net.TCPConn)
	_ = tcp.SetReadBuffer(16 << 10)
	_ = tcp.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil)
	if err != nil {
		t.Fatal(err)
	}
	return tcp, response
}

// TestSlowDownloadLives: one that moves on takes as long as it takes.
func TestSlowDownloadLives(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	content := strings.Repeat("0123456789abcdef", 16<<20/16)
	s.keep(recordingID, map[string]string{"presentation/a.webm": content}, nil)
	_, response := download(t, s.slowServer(20*time.Second), "/presentation/"+recordingID+"/a.webm")
	defer response.Body.Close()
	began, buf, got := time.Now(), make([]byte, 256<<10), 0
	for {
		n, err := io.ReadFull(response.Body, buf)
		got += n
		if err != nil {
			break
		}
		time.Sleep(25 * time.Millisecond) // the reader is slow
	}
	if got != len(content) || time.Since(began) < time.Second {
		t.Errorf("%d of %d bytes in %s", got, len(content), time.Since(began))
	}
}

// TestStalledDownloadEnds: one that does not move any more is cut.
func TestStalledDownloadEnds(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	content := strings.Repeat("0123456789abcdef", 32<<20/16)
	s.keep(recordingID, map[string]string{"presentation/a.webm": content}, nil)
	s.web.patience = 300 * time.Millisecond
	var open atomic.Int64
	counted := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		open.Add(1)
		defer open.Add(-1)
		s.web.Handler().ServeHTTP(w, r)
	}))
	defer counted.Close()
	_, response := download(t, counted.Listener.Addr().String(), "/presentation/"+recordingID+"/a.webm")
	defer response.Body.Close()
	for end := time.Now().Add(2 * time.Minute); open.Load() > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the response of a stalled reader goes on")
		}
	}
	if n, err := io.Copy(io.Discard, response.Body); err == nil || n == int64(len(content)) {
		t.Errorf("the reader got %d bytes: %v", n, err)
	}
}

// viewEngine counts the transactions that are open, and fails on demand.
type viewEngine struct {
	kv.Engine
	open, failing atomic.Int64
}

func (e *viewEngine) View(ctx context.Context, fn func(kv.Tx) error) error {
	if e.failing.Load() > 0 {
		return errors.New("/var/lib/scalelite/scalelite.db: input/output error")
	}
	e.open.Add(1)
	defer e.open.Add(-1)
	return e.Engine.View(ctx, fn)
}

// TestNoTransactionWhileSending: a reader who takes a file slowly keeps no
// transaction open.
func TestNoTransactionWhileSending(t *testing.T) {
	t.Parallel()
	engine := &viewEngine{}
	s := newLibrary(t, func(o *settings) {
		o.engine = func(below kv.Engine) kv.Engine { engine.Engine = below; return engine }
	})
	s.keep(recordingID, map[string]string{"presentation/a.webm": strings.Repeat("0123456789abcdef", 32<<20/16)}, func(r *store.Recording) { r.Protected = false })
	_, response := download(t, strings.TrimPrefix(s.url, "http://"), "/presentation/"+recordingID+"/a.webm")
	defer response.Body.Close()
	if n := engine.open.Load(); n != 0 {
		t.Errorf("%d transactions are open while a file is sent", n)
	}
}

// TestBrokenStore: nothing is shown while nobody can tell whether it may be, and
// the reader learns nothing of our insides.
func TestBrokenStore(t *testing.T) {
	t.Parallel()
	engine, log := &viewEngine{}, &logBuffer{}
	s := newLibrary(t, func(o *settings) {
		o.log = log
		o.engine = func(below kv.Engine) kv.Engine { engine.Engine = below; return engine }
	})
	s.keep(recordingID, allFormats, nil)
	engine.failing.Store(1)
	defer engine.failing.Store(0)
	for _, path := range []string{"/presentation/" + recordingID + "/shapes.svg", "/playback/presentation/2.3/" + recordingID, "/recording/" + recordingID + "/video"} {
		a := s.play("GET", path)
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || a.header.Get("Cache-Control") != "no-store" || strings.Contains(a.body, "/var/lib") {
			t.Errorf("%s: %d %v %s", path, a.status, a.header, a.body)
		}
	}
	if !strings.Contains(log.String(), "input/output error") {
		t.Errorf("the log does not say why: %s", log.String())
	}
}
