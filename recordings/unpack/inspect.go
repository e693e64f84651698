package unpack

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Inspect reads the headers of the tarball in f, all of them, and writes
// nothing. It returns what Extract is to write, or
//
//   - *Refused if an entry breaks the rules, or there is no recording in it,
//   - ErrIncomplete if it ends too early,
//   - ErrCorrupt if it cannot be read as a tarball,
//   - *TooLarge if it needs more than l.MaxBytes of disk space,
//   - the error of reading f, or that of ctx.
//
// The data of an uncompressed tarball are skipped, not read; a compressed one
// is decompressed to its end. Memory is bounded by the number and length of the
// names l allows. The position of f does not matter and stays where it is.
func Inspect(ctx context.Context, f *os.File, l Limits) (*Plan, error) {
	of, err := stampOf(f)
	if err != nil {
		return nil, err
	}
	src, compressed, err := openSource(ctx, f, of.size)
	if err != nil {
		return nil, err
	}
	b := &builder{
		plan:    &Plan{Gzip: compressed, of: of},
		limits:  l.withDefaults(),
		kinds:   make(map[string]kind),
		formats: make(map[string]int),
	}
	if err := b.readAll(src); err != nil {
		return nil, err
	}
	p := b.plan
	if p.Disk > l.MaxBytes {
		return nil, &TooLarge{Need: p.Disk, Limit: l.MaxBytes}
	}
	if p.Files == 0 {
		return nil, &Refused{Reason: "there is no recording in it"}
	}
	p.entries = slices.Clip(p.entries)
	return p, nil
}

// readAll adds every entry of src to the plan, up to the end of the archive.
func (b *builder) readAll(src source) error {
	archive := tar.NewReader(src)
	for count := 0; ; count++ {
		hdr, err := next(archive, src)
		if err == io.EOF {
			return drain(src)
		}
		if err != nil {
			return err
		}
		if count >= b.limits.Entries {
			return &Refused{Entry: hdr.Name, Reason: fmt.Sprintf("is more than the %d entries that are taken", b.limits.Entries)}
		}
		if err := b.take(hdr, src); err != nil {
			return err
		}
		src.grant(plus(hdr.Size, headerPerEntry))
	}
}

// next returns the next header, or io.EOF at the proper end of the archive.
func next(archive *tar.Reader, src source) (*tar.Header, error) {
	hdr, err := archive.Next()
	switch {
	case err == nil:
		return hdr, nil
	case err == io.EOF && !src.ended():
		return nil, io.EOF
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		return nil, ErrIncomplete
	case isFormat(err):
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return nil, err
}

// isFormat reports whether err of archive/tar is about the format: those errors
// carry its name, and not all are exported.
func isFormat(err error) bool {
	return errors.Is(err, tar.ErrHeader) || errors.Is(err, tar.ErrFieldTooLong) ||
		strings.HasPrefix(err.Error(), "archive/tar: ")
}

// take adds one entry to the plan.
func (b *builder) take(hdr *tar.Header, src source) error {
	if reason := checkHeader(hdr); reason != "" {
		return &Refused{Entry: hdr.Name, Reason: reason}
	}
	if hdr.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	dir := hdr.Typeflag == tar.TypeDir
	name, reason := checkName(hdr.Name, dir, b.limits)
	if reason != "" {
		return &Refused{Entry: hdr.Name, Reason: reason}
	}
	if name == "." {
		return nil
	}
	// A name from a pax header is a piece of that whole header.
	name = strings.Clone(name)
	var offset int64
	if p, ok := src.(*plain); ok {
		if offset = p.pos; hdr.Size > p.size-offset {
			return fmt.Errorf("%s: %w", quoted(hdr.Name), ErrIncomplete)
		}
	} else if need := plus(b.plan.Disk, onDisk(hdr.Size)); need > b.limits.MaxBytes {
		return &TooLarge{Need: need, Limit: b.limits.MaxBytes}
	}
	if reason := b.add(name, dir, hdr.Size, offset); reason != "" {
		return &Refused{Entry: hdr.Name, Reason: reason}
	}
	return nil
}

// checkHeader returns why an entry is refused for what it is.
func checkHeader(hdr *tar.Header) string {
	switch hdr.Typeflag {
	case tar.TypeReg:
		for key := range hdr.PAXRecords {
			if strings.HasPrefix(key, "GNU.sparse.") {
				return "is a sparse file"
			}
		}
		return ""
	case tar.TypeDir:
		if hdr.Size != 0 {
			return "is a directory with data"
		}
		return ""
	case tar.TypeXGlobalHeader:
		return checkGlobal(hdr.PAXRecords)
	}
	return "is " + typeName(hdr.Typeflag) + ", only files and directories are taken"
}

// checkGlobal returns why a header for all following entries is refused:
// archive/tar does not apply it, so it must hold nothing that matters.
func checkGlobal(records map[string]string) string {
	for key := range records {
		switch key {
		case "comment", "atime", "ctime", "mtime", "uid", "gid", "uname", "gname":
		default:
			return "is a global header that sets " + quoted(key)
		}
	}
	return ""
}

// typeName returns what a type flag stands for, with its article.
func typeName(flag byte) string {
	switch flag {
	case tar.TypeLink:
		return "a hard link"
	case tar.TypeSymlink:
		return "a symbolic link"
	case tar.TypeChar, tar.TypeBlock:
		return "a device"
	case tar.TypeFifo:
		return "a named pipe"
	case tar.TypeGNUSparse:
		return "a sparse file"
	}
	return fmt.Sprintf("an entry of type %q", flag)
}

// drain reads what follows the end of the archive. Zeros fill up its last
// record; anything else would be lost unseen. So many zeros that nobody meant
// them are a file whose space was reserved before it was written.
func drain(src source) error {
	buf := make([]byte, 32<<10)
	for total := 0; total <= maxPadding; {
		n, err := src.Read(buf)
		for _, c := range buf[:n] {
			if c != 0 {
				return &Refused{Reason: "there is something behind the end of the archive"}
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		total += n
	}
	return fmt.Errorf("%w: more than %d zero bytes at its end", ErrIncomplete, maxPadding)
}
