package web

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"

	"scalelite/store"
)

// sent is a file on its way to a reader.
type sent struct {
	file         *os.File
	format, name string
}

// send answers with a file: whole or in ranges, or that it has not changed. The
// response goes past Echo, whose wrapper hides that the kernel can send files.
func (s *Server) send(c echo.Context, r store.Recording, f sent) error {
	info, err := f.file.Stat()
	if err != nil {
		return s.notPlayed(c, err)
	}
	kind, request, h := typeOf(f.name), c.Request(), c.Response().Header()
	h.Set("Content-Type", kind.mime)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", kind.policy(f.format))
	// Kept by the reader alone, and only used after asking here again.
	h.Set("Cache-Control", "private, no-cache")
	if value := disposition(f.format, f.name); value != "" {
		h.Set("Content-Disposition", value)
	}
	if kind.text {
		h.Set("Vary", "Accept-Encoding")
	}
	out := &pacedWriter{ResponseWriter: c.Response().Writer, request: request, patience: s.patience}
	c.Response().Committed = true
	if kind.text && compressible(request, info.Size()) {
		if s.sendPacked(out, request, r, f, info) {
			return nil
		}
	}
	h.Set("ETag", etag(info, ""))
	http.ServeContent(out, request, "", info.ModTime(), f.file)
	return nil
}

// etag names one version of one file: a file is replaced by another one under
// its name, or written anew.
func etag(info fs.FileInfo, encoding string) string {
	hash := fnv.New64a()
	var b [24]byte
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		binary.BigEndian.PutUint64(b[:], st.Ino)
	}
	binary.BigEndian.PutUint64(b[8:], uint64(info.Size()))
	binary.BigEndian.PutUint64(b[16:], uint64(info.ModTime().UnixNano()))
	_, _ = hash.Write(b[:])
	return `"` + hex.EncodeToString(hash.Sum(nil)) + encoding + `"`
}

// A reader must take sendChunk bytes within stallTimeout, or the response ends:
// the rest of it can be asked for as a range. A browser that has enough of a
// video for the while does that by itself.
const (
	sendChunk    = 512 << 10
	stallTimeout = time.Minute
)

// pacedWriter lets a response take as long as it moves on, however slowly, and
// hands files to the kernel.
type pacedWriter struct {
	http.ResponseWriter
	request  *http.Request
	patience time.Duration
}

func (w *pacedWriter) extend() {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.patience))
}

func (w *pacedWriter) Write(p []byte) (int, error) {
	w.extend()
	return w.ResponseWriter.Write(p)
}

// ReadFrom sends what src has, in chunks. If that is a part of a file, the
// kernel copies it from there to the connection.
func (w *pacedWriter) ReadFrom(src io.Reader) (n int64, err error) {
	whole, limited := src.(*io.LimitedReader)
	if !limited {
		return io.Copy(struct{ io.Writer }{w}, src)
	}
	defer corked(w.request)()
	for whole.N > 0 {
		w.extend()
		chunk := &io.LimitedReader{R: whole.R, N: min(whole.N, sendChunk)}
		wrote, err := io.Copy(w.ResponseWriter, chunk)
		n, whole.N = n+wrote, whole.N-wrote
		if err != nil || wrote == 0 {
			return n, err
		}
	}
	return n, nil
}

// connKey is where the context of a request has its connection.
type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// connOf returns the connection of a request, nil if it is not known.
func connOf(r *http.Request) net.Conn {
	c, _ := r.Context().Value(connKey{}).(net.Conn)
	return c
}
