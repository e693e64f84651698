package web

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"

	"scalelite/store"
)

// minPacked is the least size in bytes that is worth compressing: less fits in
// one packet.
const minPacked = 1200

// maxDeflaters bounds the responses that are compressed at the same time, each
// of which takes some 800 KiB. Who comes when that many are is answered without.
const maxDeflaters = 16

// deflaters are compressors to be used again.
type deflaters struct {
	slots chan struct{}
	idle  *sync.Pool
}

func newDeflaters() deflaters {
	return deflaters{slots: make(chan struct{}, maxDeflaters), idle: &sync.Pool{New: func() any {
		// Recordings' texts repeat themselves so much that more effort gains little.
		z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // errs for unknown levels only
		return z
	}}}
}

// compressible reports whether the answer to a request may be compressed. Parts
// never are: they are parts of the file itself.
func compressible(r *http.Request, size int64) bool {
	return size >= minPacked && r.Header.Get("Range") == "" && acceptsGzip(r.Header.Get("Accept-Encoding"))
}

// acceptsGzip reads an Accept-Encoding header (RFC 9110, 12.5.3).
func acceptsGzip(accept string) bool {
	any := false
	for item := range strings.SplitSeq(accept, ",") {
		coding, params, _ := strings.Cut(item, ";")
		switch coding = strings.ToLower(strings.TrimSpace(coding)); coding {
		case "gzip", "x-gzip":
			return quality(params) > 0
		case "*":
			any = quality(params) > 0
		}
	}
	return any
}

// sendPacked answers with a file compressed: with the one that somebody
// compressed before, NAME.gz beside it and not older, else on the way. False
// means that it did nothing, for nothing can be spared for it now.
func (s *Server) sendPacked(out *pacedWriter, r *http.Request, recording store.Recording, f sent, info fs.FileInfo) bool {
	h := out.Header()
	if packed, err := s.library.OpenFile(recording, f.format, f.name+".gz"); err == nil {
		defer packed.Close()
		if newer, err := packed.Stat(); err == nil && !newer.ModTime().Before(info.ModTime()) {
			h.Set("Content-Encoding", "gzip")
			h.Set("ETag", etag(newer, "-gz"))
			http.ServeContent(&wholeWriter{out, newer.Size()}, r, "", newer.ModTime(), packed.File)
			return true
		}
	}
	return s.sendDeflated(out, r, f.file.File, info)
}

// sendDeflated answers with a file that it compresses on the way, or does
// nothing, see sendPacked.
func (s *Server) sendDeflated(out *pacedWriter, r *http.Request, f *os.File, info fs.FileInfo) bool {
	h := out.Header()
	select {
	case s.deflaters.slots <- struct{}{}:
	default:
		return false
	}
	defer func() { <-s.deflaters.slots }()
	h.Set("Content-Encoding", "gzip")
	h.Set("ETag", etag(info, "-z"))
	z := s.deflaters.idle.Get().(*gzip.Writer)
	defer func() {
		z.Reset(io.Discard) // keeps nothing of this response
		s.deflaters.idle.Put(z)
	}()
	z.Reset(struct{ http.ResponseWriter }{out})
	w := &deflateWriter{ResponseWriter: out, z: z}
	http.ServeContent(w, r, "", info.ModTime(), f)
	if !w.packing || r.Method == http.MethodHead {
		return true
	}
	if w.taken != info.Size() || z.Close() != nil {
		panic(http.ErrAbortHandler) // what went out must not look whole
	}
	return true
}

// wholeWriter announces the length of what is sent as it is: ServeContent does
// not, where there is an encoding. Its parts cannot be asked for.
type wholeWriter struct {
	*pacedWriter
	size int64
}

func (w *wholeWriter) WriteHeader(status int) {
	if status == http.StatusOK {
		w.Header().Del("Accept-Ranges")
		w.Header().Set("Content-Length", strconv.FormatInt(w.size, 10))
	}
	w.pacedWriter.WriteHeader(status)
}

// deflateWriter compresses the body of an answer that has one. It must not be
// an io.ReaderFrom.
type deflateWriter struct {
	http.ResponseWriter
	z       *gzip.Writer
	packing bool
	taken   int64 // bytes of the file
}

func (w *deflateWriter) WriteHeader(status int) {
	if status == http.StatusOK {
		w.packing = true
		w.Header().Del("Accept-Ranges")
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *deflateWriter) Write(p []byte) (int, error) {
	if !w.packing {
		return w.ResponseWriter.Write(p)
	}
	n, err := w.z.Write(p)
	w.taken += int64(n)
	return n, err
}
