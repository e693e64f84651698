package unpack

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	blockSize = 512 // of tar
	window    = 4096
	gzipRead  = 256 << 10

	// A tarball may hand out so many bytes that are no file data, once and
	// for each entry. A name of 1024 bytes needs up to 4096 with all its
	// headers and padding; extended attributes come on top.
	headerSlack    = 16 << 20
	headerPerEntry = 8192

	// maxPadding is how many zero bytes may follow the end of the archive. GNU
	// tar fills up to 10 KiB, with the largest blocking factors to 1 MiB.
	maxPadding = 1 << 20
)

// source is the tar stream of a tarball. It stops when the context ends, and
// when it has handed out more than was granted, so that no chain of headers
// and no compressed bomb is followed to its end.
type source interface {
	io.Reader
	// grant allows n more bytes to be read.
	grant(n int64)
	// ended reports whether a Read met the end of the stream.
	ended() bool
}

// openSource returns the tar stream in the first size bytes of f, and whether
// it is compressed. The position of f is neither used nor moved.
func openSource(ctx context.Context, f *os.File, size int64) (src source, compressed bool, err error) {
	var magic [2]byte
	n, err := f.ReadAt(magic[:], 0)
	if err != nil && err != io.EOF {
		return nil, false, err
	}
	m := meter{ctx: ctx, budget: headerSlack}
	if n < len(magic) || magic != [2]byte{0x1f, 0x8b} {
		return &plain{meter: m, f: f, size: size}, false, nil
	}
	raw := &recorder{r: io.NewSectionReader(f, 0, size)}
	z, err := gzip.NewReader(bufio.NewReaderSize(raw, gzipRead))
	if err != nil {
		return nil, true, raw.explain(err)
	}
	return &packed{meter: m, raw: raw, z: z}, true, nil
}

// meter is what both kinds of source share.
type meter struct {
	ctx    context.Context
	budget int64
	eof    bool
}

func (m *meter) grant(n int64) { m.budget = plus(m.budget, n) }

func (m *meter) ended() bool { return m.eof }

// take returns an error if nothing may be read now, and else how many of want
// bytes may be.
func (m *meter) take(want int) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, context.Cause(m.ctx)
	}
	if m.budget <= 0 {
		return 0, &Refused{Reason: "holds far more header data than its entries need"}
	}
	return int(min(int64(want), m.budget)), nil
}

// plain reads an uncompressed tarball. archive/tar seeks over the data of the
// files, which leaves blocks here and there to be read: the end of the padding
// and the next header, one window, are one system call.
type plain struct {
	meter
	f    *os.File
	size int64
	pos  int64

	buf   [window]byte
	start int64 // position of buf[0]
	fill  int
}

// Read reads the bytes at the current position.
func (p *plain) Read(b []byte) (int, error) {
	n, err := p.take(len(b))
	if err != nil {
		return 0, err
	}
	if p.pos >= p.size {
		p.eof = true
		return 0, io.EOF
	}
	if p.pos < p.start || p.pos >= p.start+int64(p.fill) {
		if err := p.refill(); err != nil {
			return 0, err
		}
	}
	n = copy(b[:n], p.buf[p.pos-p.start:p.fill])
	p.pos += int64(n)
	p.budget -= int64(n)
	return n, nil
}

// refill moves the window to the current position, which is inside the file.
func (p *plain) refill() error {
	want := min(window, p.size-p.pos)
	n, err := p.f.ReadAt(p.buf[:want], p.pos)
	p.start, p.fill = p.pos, n
	switch {
	case int64(n) == want:
		return nil
	case err == io.EOF:
		return ErrChanged // shorter than a moment ago
	}
	return err
}

// Seek moves the position, as archive/tar does to skip data.
func (p *plain) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekCurrent || offset < 0 || offset > p.size-p.pos {
		return 0, fmt.Errorf("no seeking by %d from %d of %d", offset, p.pos, p.size)
	}
	p.pos += offset
	return p.pos, nil
}

// packed reads a compressed tarball.
type packed struct {
	meter
	raw *recorder
	z   *gzip.Reader
}

// Read decompresses.
func (p *packed) Read(b []byte) (int, error) {
	n, err := p.take(len(b))
	if err != nil {
		return 0, err
	}
	n, err = p.z.Read(b[:n])
	p.budget -= int64(n)
	switch {
	case err != io.EOF:
		return n, p.raw.explain(err)
	case n > 0:
		return n, nil // the end was not asked for yet
	}
	p.eof = true
	return 0, io.EOF
}

// recorder remembers how reading the file failed, since decompression hides it.
type recorder struct {
	r   io.Reader
	err error
}

// Read reads from the file.
func (r *recorder) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// explain turns an error of the decompression into one of ours.
func (r *recorder) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case r.err != nil:
		return r.err
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		return ErrIncomplete
	}
	return fmt.Errorf("%w: %w", ErrCorrupt, err)
}
