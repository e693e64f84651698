package unpack

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"os"
)

const (
	chunk  = 8 << 20   // copied between two looks at the context
	stride = 256 << 10 // the same where the bytes pass through this process
)

// Extract writes everything in plan, which Inspect made of the same file, below
// dst. When it returns nil all of it, dst included, has reached the disk; what
// makes dst itself findable is its parent's to synchronise. Nothing is written
// outside dst, and nothing in it is overwritten: a name that is already there
// is an error that matches fs.ErrExist. After an error what was written so far
// is left in dst.
//
// progress, which may be nil, is called from time to time with the number of
// bytes of file data written so far; it must not block.
//
// Errors are those of Inspect, ErrNoSpace when the disk or a quota is full, and
// ErrChanged when f is not in the state that plan was made of; its times and
// size are compared before and after.
func Extract(ctx context.Context, f *os.File, plan *Plan, dst *os.Root, progress func(written int64)) error {
	if err := plan.of.check(f); err != nil {
		return err
	}
	w, err := newWriter(ctx, dst, progress)
	if err != nil {
		return err
	}
	defer w.close()
	if plan.Gzip {
		err = w.stream(f, plan)
	} else {
		err = w.pieces(f, plan)
	}
	if err != nil {
		return err
	}
	if err := plan.of.check(f); err != nil {
		return err
	}
	return w.disk.finish(ctx, plan)
}

// check returns ErrChanged if f is not in the state s.
func (s stamp) check(f *os.File) error {
	now, err := stampOf(f)
	if err != nil {
		return err
	}
	if now.size != s.size || !now.modTime.Equal(s.modTime) {
		return ErrChanged
	}
	return nil
}

// pieces writes the entries of an uncompressed tarball, whose data are where
// the plan says.
func (w *writer) pieces(f *os.File, plan *Plan) error {
	for _, e := range plan.entries {
		if err := w.entry(e, &piece{ctx: w.ctx, f: f, offset: e.offset}); err != nil {
			return err
		}
	}
	return nil
}

// stream writes the entries of a compressed tarball, reading it a second time
// along with the plan.
func (w *writer) stream(f *os.File, plan *Plan) error {
	src, compressed, err := openSource(w.ctx, f, plan.of.size)
	if err != nil {
		return err
	}
	if !compressed {
		return ErrChanged
	}
	archive := tar.NewReader(src)
	data := &inflated{r: archive, buf: make([]byte, stride)}
	for _, e := range plan.entries {
		if !e.dir {
			if err := find(archive, src, e); err != nil {
				return err
			}
		}
		if err := w.entry(e, data); err != nil {
			return err
		}
	}
	return finishStream(archive, src)
}

// find moves on to the file e, the next one there should be.
func find(archive *tar.Reader, src source, e entry) error {
	for {
		hdr, err := next(archive, src)
		if err == io.EOF {
			return ErrChanged
		}
		if err != nil {
			return err
		}
		src.grant(plus(hdr.Size, headerPerEntry))
		if hdr.Typeflag == tar.TypeDir || hdr.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		name, reason := checkName(hdr.Name, false, Limits{MaxName: len(hdr.Name), MaxDepth: len(hdr.Name)})
		if reason != "" || hdr.Typeflag != tar.TypeReg || name != e.name || hdr.Size != e.size {
			return ErrChanged
		}
		return nil
	}
}

// finishStream reads what is left after the last file, so that the checksum at
// the end of the compressed data has been seen.
func finishStream(archive *tar.Reader, src source) error {
	for {
		hdr, err := next(archive, src)
		if err == io.EOF {
			return drain(src)
		}
		if err != nil {
			return err
		}
		if hdr.Typeflag != tar.TypeDir && hdr.Typeflag != tar.TypeXGlobalHeader {
			return ErrChanged
		}
		src.grant(headerPerEntry)
	}
}

// content is the data of one file.
type content interface {
	// copyTo appends some of the at most limit bytes that are left to out, and
	// returns how many it were: 0 only with an error.
	copyTo(out *os.File, limit int64) (int64, error)
}

// piece is the data of a file as a piece of an uncompressed tarball.
type piece struct {
	ctx    context.Context
	f      *os.File
	offset int64
	buf    []byte // not nil once the kernel has refused to copy
}

// copyTo lets the kernel copy; where it cannot, between two file systems for
// instance, the bytes are read and written.
func (p *piece) copyTo(out *os.File, limit int64) (int64, error) {
	if p.buf == nil {
		n, err := copyRange(out, p.f, p.offset, min(limit, chunk))
		if n > 0 || err != nil {
			p.offset += n
			return n, err
		}
		p.buf = make([]byte, min(limit, stride))
	}
	n, err := p.f.ReadAt(p.buf[:min(limit, int64(len(p.buf)))], p.offset)
	if n == 0 {
		if err == io.EOF {
			err = ErrChanged
		}
		return 0, err
	}
	p.offset += int64(n)
	n, err = out.Write(p.buf[:n])
	return int64(n), err
}

// inflated is the data of the current file of a compressed tarball.
type inflated struct {
	r   io.Reader
	buf []byte
}

// copyTo decompresses and writes.
func (d *inflated) copyTo(out *os.File, limit int64) (int64, error) {
	n, err := io.ReadFull(d.r, d.buf[:min(limit, int64(len(d.buf)))])
	if err != nil {
		return 0, fmt.Errorf("read: %w", err)
	}
	n, err = out.Write(d.buf[:n])
	return int64(n), err
}
