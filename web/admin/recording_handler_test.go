package admin_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"scalelite/recordings"
	"scalelite/web/admin"
)

func TestHandlerOfTarballs(t *testing.T) {
	t.Parallel()
	w := newShelf(t, false)
	h := newHandler(w.local, io.Discard)
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		length                   int64
		status                   int
	}{
		{"no length", "POST", "/v1/spool/add?name=a.tar", "x", nil, -1, 411},
		{"wrong method", "GET", "/v1/spool/add?name=a.tar", "", nil, 0, 405},
		{"no name", "POST", "/v1/spool/add", "x", nil, 1, 400},
		{"less than announced", "POST", "/v1/spool/add?name=a.tar", "x", nil, 2, 400},
		{"a browser", "POST", "/v1/spool/add?name=a.tar", "x", []string{"Origin", "http://evil.example"}, 1, 403},
		{"retry of nothing in particular", "POST", "/v1/spool/retry", "{}", nil, 2, 400},
		{"retry of some and all", "POST", "/v1/spool/retry", `{"names":["a"],"all":true}`, nil, 26, 400},
		{"an unknown field", "POST", "/v1/recordings/delete", `{"ids":["a"],"prge":true}`, nil, 25, 400},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		r.ContentLength = c.length
		for i := 0; i < len(c.header); i += 2 {
			r.Header.Set(c.header[i], c.header[i+1])
		}
		got := httptest.NewRecorder()
		h.ServeHTTP(got, r)
		if got.Code != c.status || !strings.Contains(got.Body.String(), `"code":"invalid"`) {
			t.Errorf("%s: %d %s", c.name, got.Code, got.Body)
		}
	}
	if left := w.spooled(); len(left) != 0 {
		t.Errorf("left in the spool: %v", left)
	}
}

// The log says what was done to which recordings, not what is in them.
func TestHandlerLogsRecordings(t *testing.T) {
	t.Parallel()
	w := newShelf(t, true)
	c := w.overSocket(w.local)
	content := tarball(t, nil, recA)
	w.send(c, "rec.tar", content)
	if _, err := c.UpdateRecordings(t.Context(), []string{recA}, recordings.Change{Meta: map[string]string{"name": "geheim"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Recordings(t.Context(), admin.RecordingQuery{}); err != nil {
		t.Fatal(err)
	}
	log := w.log.String()
	for _, want := range []string{"call=spool/add about=rec.tar import=", "call=recordings/update about=" + `"[\"` + recA} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	for _, never := range []string{"geheim", "call=recordings "} {
		if strings.Contains(log, never) {
			t.Errorf("the log has %q:\n%s", never, log)
		}
	}
}

// A tarball that is refused is not sent first.
func TestRefusedTarballIsNotSent(t *testing.T) {
	t.Parallel()
	w := newShelf(t, false)
	c := w.overSocket(w.local)
	r := &countingReader{r: io.LimitReader(zeros{}, 100<<20)}
	_, err := c.ImportRecording(t.Context(), "wrong.zip", 100<<20, r)
	wantCode(t, err, admin.Invalid, "wrong.zip")
	if r.n > 0 {
		t.Errorf("%d bytes were read", r.n)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// Of a large tarball nothing stays in memory, and it arrives as it is.
func TestLargeTarballIsStreamed(t *testing.T) {
	t.Parallel()
	w := newShelf(t, false)
	c := w.overSocket(w.local)
	const size = 64 << 20
	if _, err := c.ImportRecording(t.Context(), "large.tar", size, io.LimitReader(zeros{}, size)); err != nil {
		t.Fatal(err)
	}
	files, err := c.SpoolFiles(t.Context())
	if err != nil || len(files) != 1 || files[0].Size != size {
		t.Errorf("%+v, %v", files, err)
	}
}

// A sender that hangs does not keep the daemon from stopping.
func TestStopDuringATransfer(t *testing.T) {
	t.Parallel()
	w := newShelf(t, false)
	ended := make(chan error, 1)
	h := newHandler(w.local, io.Discard)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		ctx, cancel := contextAfterFirstRead(r)
		defer cancel()
		h.ServeHTTP(rw, r.WithContext(ctx))
		ended <- nil
	}))
	server.Start()
	t.Cleanup(server.Close)
	pr, pw := io.Pipe()
	t.Cleanup(func() { _ = pw.CloseWithError(errors.New("over")) })
	go func() {
		r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+"/v1/spool/add?name=a.tar", pr)
		if err == nil {
			r.ContentLength = 1 << 20
			var resp *http.Response
			if resp, err = http.DefaultClient.Do(r); err == nil {
				_ = resp.Body.Close()
			}
		}
	}()
	if _, err := pw.Write(bytes.Repeat([]byte("x"), 1<<10)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(30 * time.Second): // less than the time of one read
		t.Fatal("the transfer goes on")
	}
	if left := w.spooled(); len(left) != 0 {
		t.Errorf("left in the spool: %v", left)
	}
}

// contextAfterFirstRead ends the request's context soon after its body began.
func contextAfterFirstRead(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	r.Body = &tellingBody{ReadCloser: r.Body, told: cancel}
	return ctx, cancel
}

type tellingBody struct {
	io.ReadCloser
	told func()
	n    int
}

func (b *tellingBody) Read(p []byte) (int, error) {
	if b.n++; b.n == 2 {
		b.told()
	}
	return b.ReadCloser.Read(p)
}
