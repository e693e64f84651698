package boltkv

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"syscall"
	"time"
)

// errDamaged is in every error over the content of a file.
var errDamaged = errors.New("restore a backup")

// damaged describes what is wrong with a file and ends with the remedy.
func damaged(format string, args ...any) error {
	return fmt.Errorf("is damaged: %s; %w", fmt.Sprintf(format, args...), errDamaged)
}

// Verify looks through the database file at path, such as a backup, and
// returns nil if Open would take it and everything in it can be read. It
// writes nothing and never panics, whatever the file holds. A file that a
// process has open gives kv.ErrLocked: make a snapshot instead.
func Verify(ctx context.Context, path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("verify %s: is a %s, not a file", path, kind(info.Mode()))
	}
	f, err := openLocked(ctx, path, os.O_RDONLY, syscall.LOCK_SH, time.Now())
	if err != nil {
		return explain("verify", path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return explain("verify", path, err)
	}
	if err := verify(ctx, f, info.Size(), false); err != nil {
		return explain("verify", path, err)
	}
	return nil
}

// verify reads a whole database file of the given size the way bbolt would.
// A database without our bucket is refused unless it holds nothing at all and
// emptyOK: so it is after a crash between its two first writes.
//
// bbolt itself checks little of what it reads, and a wild pointer in a page
// ends the process, not only the call. So this comes before bbolt.
func verify(ctx context.Context, r io.ReaderAt, size int64, emptyOK bool) error {
	m, err := readMeta(r, size)
	if err != nil {
		return err
	}
	if need := m.pages * m.pageSize; need > uint64(size) {
		return damaged("it is cut short, %d of %d bytes are there", size, need)
	}
	v := &verifier{ctx: ctx, r: r, meta: m, used: make([]uint64, m.pages/64+1)}
	if err := errors.Join(v.use(0, 1), v.use(1, 1)); err != nil {
		return err
	}
	if err := v.freelist(); err != nil {
		return err
	}
	var bucket []byte
	err = v.tree(m.root, nil, nil, func(el element) error {
		if el.flags != bucketFlag || string(el.key) != bucketName {
			return fmt.Errorf("is the database of another program (it holds %.40q); give another path", el.key)
		}
		bucket = bytes.Clone(el.value)
		return nil
	})
	switch {
	case err != nil:
		return err
	case bucket != nil:
		return v.bucket(bucket)
	case !emptyOK:
		return fmt.Errorf("is a database that was never used; %w", errDamaged)
	}
	return nil
}

// The layout of bbolt's file format, version 2. Numbers are in the order of
// the machine that wrote them.
const (
	magic         = 0xED0CDAED
	formatVersion = 2
	headerSize    = 16 // of a page: id 8, flags 2, count 2, overflow 4
	metaSize      = 64 // magic 4, version 4, page size 4, flags 4, root 16, freelist 8, pages 8, txid 8, sum 8
	elementSize   = 16
	bucketSize    = 16 // root page 8, sequence 8; an inline page follows if the root page is 0

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	bucketFlag   = 0x01

	noFreelist  = ^uint64(0)
	minPageSize = 1 << 10
	maxPageSize = 16 << 20
)

var order = binary.NativeEndian

// meta is the root of one state of the database.
type meta struct {
	pageSize, root, freelist, pages, txid uint64
}

// readMeta returns the meta page that bbolt would use: the valid one with the
// higher transaction number. The first is at the start, the second one page on.
func readMeta(r io.ReaderAt, size int64) (meta, error) {
	var best meta
	why := errors.New("is no database; give the path of one, or move it away")
	for at := int64(0); at < size && at <= maxPageSize; at = max(minPageSize, at*2) {
		buf := make([]byte, headerSize+metaSize)
		if _, err := r.ReadAt(buf, at); err != nil {
			if errors.Is(err, io.EOF) {
				break
			}
			return meta{}, err
		}
		m, err := parseMeta(buf[headerSize:])
		switch {
		case err != nil:
			if !errors.Is(err, errNoMeta) {
				why = err
			}
		case at != 0 && uint64(at) != m.pageSize:
			// The page size is given by the first; a second elsewhere is data.
		case best.pages == 0 || m.pageSize == best.pageSize && m.txid > best.txid:
			best = m
		}
	}
	if best.pages == 0 {
		return meta{}, why
	}
	return best, nil
}

var errNoMeta = errors.New("no meta page")

func parseMeta(b []byte) (meta, error) {
	if order.Uint32(b) != magic {
		return meta{}, errNoMeta
	}
	if v := order.Uint32(b[4:]); v != formatVersion {
		return meta{}, fmt.Errorf("has format version %d, not %d; use the program that wrote it", v, formatVersion)
	}
	sum := fnv.New64a()
	_, _ = sum.Write(b[:56])
	if sum.Sum64() != order.Uint64(b[56:]) {
		return meta{}, damaged("its first pages are not what was written")
	}
	m := meta{
		pageSize: uint64(order.Uint32(b[8:])),
		root:     order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]),
		pages:    order.Uint64(b[40:]),
		txid:     order.Uint64(b[48:]),
	}
	ok := m.pageSize >= minPageSize && m.pageSize <= maxPageSize && m.pageSize&(m.pageSize-1) == 0 &&
		m.pages > 2 && m.pages <= 1<<48/m.pageSize
	if !ok {
		return meta{}, damaged("%d pages of %d bytes", m.pages, m.pageSize)
	}
	return m, nil
}
