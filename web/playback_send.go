package web

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/fnv"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"

	"scalelite/recordings"
	"scalelite/store"
)

// sent is a file on its way to a reader.
type sent struct {
	file         *recordings.File
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
	h.Set("Content-Security-Policy", kind.policy(f.format, s.live.Load().FrameAncestors))
	// Kept by the reader alone, and only used after asking here again.
	h.Set("Cache-Control", "private, no-cache")
	if value := disposition(f.format, f.name); value != "" {
		h.Set("Content-Disposition", value)
	}
	if kind.text {
		h.Set("Vary", "Accept-Encoding")
	}
	out := &pacedWriter{ResponseWriter: c.Response().Writer, request: request, patience: s.patience, buffers: &s.buffers}
	c.Response().Committed = true
	if kind.text && compressible(request, info.Size()) {
		if s.sendPacked(out, request, r, f, info) {
			return nil
		}
	}
	h.Set("ETag", etag(info, ""))
	http.ServeContent(out, request, "", info.ModTime(), &content{file: f.file.File, size: info.Size()})
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

// smallPart is up to how many bytes are read and written instead of being handed
// to the kernel, which takes more calls than that saves copying.
const smallPart = 64 << 10

// content is a file as http.ServeContent wants it. Nothing is asked of the
// kernel until its bytes are sent.
type content struct {
	file     *os.File
	size, at int64
}

// Read reads on from where the content is.
func (c *content) Read(p []byte) (int, error) {
	n, err := c.file.ReadAt(p, c.at)
	c.at += int64(n)
	return n, err
}

// Seek moves to offset from the beginning, from here or from the end.
func (c *content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.at
	case io.SeekEnd:
		offset += c.size
	}
	if offset < 0 {
		return 0, fs.ErrInvalid
	}
	c.at = offset
	return offset, nil
}

// pacedWriter lets a response take as long as it moves on, however slowly, and
// hands large parts of files to the kernel.
type pacedWriter struct {
	http.ResponseWriter
	request  *http.Request
	patience time.Duration
	buffers  *sync.Pool // of *[smallPart]byte
}

func (w *pacedWriter) extend() {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.patience))
}

func (w *pacedWriter) Write(p []byte) (int, error) {
	w.extend()
	return w.ResponseWriter.Write(p)
}

// ReadFrom sends what src has. If that is a part of a file, it goes in one piece
// if it is small, else in chunks that the kernel copies from there to the
// connection.
func (w *pacedWriter) ReadFrom(src io.Reader) (int64, error) {
	if part, ok := src.(*io.LimitedReader); ok {
		if c, ok := part.R.(*content); ok && part.N <= smallPart {
			return w.sendSmall(c, part.N)
		} else if ok {
			return w.sendLarge(c, part.N)
		}
	}
	return io.Copy(struct{ io.Writer }{w}, src)
}

// sendSmall sends the next size bytes.
func (w *pacedWriter) sendSmall(c *content, size int64) (int64, error) {
	buffer, ok := w.buffers.Get().(*[smallPart]byte)
	if !ok {
		buffer = new([smallPart]byte)
	}
	defer w.buffers.Put(buffer)
	read, err := io.ReadFull(c, buffer[:size])
	if err != nil {
		return 0, err
	}
	// No longer patience than a request has anyway: it does not take two chunks.
	held, ok := connOf(w.request).(*heldConn)
	if !ok {
		defer corked(w.request)()
		wrote, err := w.ResponseWriter.Write(buffer[:read])
		return int64(wrote), err
	}
	held.hold()
	wrote, err := w.ResponseWriter.Write(buffer[:read])
	return int64(wrote), errors.Join(err, held.release())
}

// sendLarge sends the next size bytes.
func (w *pacedWriter) sendLarge(c *content, size int64) (n int64, err error) {
	if _, err := c.file.Seek(c.at, io.SeekStart); err != nil {
		return 0, err
	}
	defer corked(w.request)()
	for n < size {
		w.extend()
		wrote, err := io.Copy(w.ResponseWriter, &io.LimitedReader{R: c.file, N: min(size-n, sendChunk)})
		n += wrote
		c.at += wrote
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
