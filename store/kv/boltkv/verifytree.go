package boltkv

import (
	"bytes"
	"context"
	"io"
)

// verifier walks over the pages of one state of a database file.
type verifier struct {
	ctx  context.Context
	r    io.ReaderAt
	meta meta
	used []uint64 // one bit a page that was met
	buf  []byte   // of the page read last
	deep int      // pages between the root and the one being looked at
}

// maxDepth is more levels than a tree of the largest file has.
const maxDepth = 64

// element is one entry of a leaf or branch page; a branch has a child page in
// place of flags and value.
type element struct {
	key, value []byte
	flags      uint32
	child      uint64
}

// use marks n pages from id on; each may be used once.
func (v *verifier) use(id, n uint64) error {
	if id >= v.meta.pages || n > v.meta.pages-id {
		return damaged("page %d lies outside the file", id)
	}
	for ; n > 0; id, n = id+1, n-1 {
		if v.used[id/64]&(1<<(id%64)) != 0 {
			return damaged("page %d is used twice", id)
		}
		v.used[id/64] |= 1 << (id % 64)
	}
	return nil
}

// page reads the page id with its overflow, which is good until the next read.
func (v *verifier) page(id uint64) ([]byte, error) {
	if err := v.ctx.Err(); err != nil {
		return nil, err
	}
	if err := v.use(id, 1); err != nil {
		return nil, err
	}
	b, err := v.read(id, 1)
	if err != nil {
		return nil, err
	}
	if got := order.Uint64(b); got != id {
		return nil, damaged("page %d calls itself %d", id, got)
	}
	more := uint64(order.Uint32(b[12:]))
	if more == 0 {
		return b, nil
	}
	if err := v.use(id+1, more); err != nil {
		return nil, err
	}
	return v.read(id, 1+more)
}

func (v *verifier) read(id, n uint64) ([]byte, error) {
	size := int(n * v.meta.pageSize)
	if cap(v.buf) < size {
		v.buf = make([]byte, size)
	}
	b := v.buf[:size]
	if _, err := v.r.ReadAt(b, int64(id*v.meta.pageSize)); err != nil {
		return nil, damaged("page %d: %v", id, err)
	}
	return b, nil
}

// freelist checks the list of free pages, if the state has one.
func (v *verifier) freelist() error {
	if v.meta.freelist == noFreelist {
		return nil
	}
	id := v.meta.freelist
	p, err := v.page(id)
	if err != nil {
		return err
	}
	if order.Uint16(p[8:]) != freelistPage {
		return damaged("page %d is not the list of free pages", id)
	}
	body, n := p[headerSize:], uint64(order.Uint16(p[10:]))
	if n == 0xFFFF {
		n, body = order.Uint64(body), body[8:]
	}
	if n > uint64(len(body)/8) {
		return damaged("page %d lists %d free pages", id, n)
	}
	for i := range n {
		if err := v.use(order.Uint64(body[8*i:]), 1); err != nil {
			return err
		}
	}
	return nil
}

// bucket checks the tree of our bucket; b is its entry in the root tree.
func (v *verifier) bucket(b []byte) error {
	plain := func(el element) error {
		if el.flags != 0 {
			return damaged("an entry has flags %#x", el.flags)
		}
		return nil
	}
	if len(b) < bucketSize {
		return damaged("the entry of the bucket has %d bytes", len(b))
	}
	if root := order.Uint64(b); root != 0 {
		return v.tree(root, nil, nil, plain)
	}
	inline := b[bucketSize:]
	if len(inline) < headerSize || order.Uint16(inline[8:]) != leafPage {
		return damaged("the bucket's own page is no leaf")
	}
	return leaf(0, inline, nil, nil, plain)
}

// tree checks the pages from id down. Their keys must be in order, not below
// low and below high (nil: unbounded).
func (v *verifier) tree(id uint64, low, high []byte, each func(element) error) error {
	if v.deep++; v.deep > maxDepth {
		return damaged("page %d lies %d levels deep", id, v.deep)
	}
	defer func() { v.deep-- }()
	p, err := v.page(id)
	if err != nil {
		return err
	}
	switch order.Uint16(p[8:]) {
	case leafPage:
		return leaf(id, p, low, high, each)
	case branchPage:
		return v.branch(id, bytes.Clone(p), low, high, each)
	default:
		return damaged("page %d has flags %#x", id, order.Uint16(p[8:]))
	}
}

func (v *verifier) branch(id uint64, p, low, high []byte, each func(element) error) error {
	n := int(order.Uint16(p[10:]))
	if n == 0 {
		return damaged("page %d has no children", id)
	}
	keys, err := ordered(id, p, n, low, high, branchElement)
	if err != nil {
		return err
	}
	for i, el := range keys {
		next := high
		if i+1 < n {
			next = keys[i+1].key
		}
		if err := v.tree(el.child, el.key, next, each); err != nil {
			return err
		}
	}
	return nil
}

func leaf(id uint64, p, low, high []byte, each func(element) error) error {
	elements, err := ordered(id, p, int(order.Uint16(p[10:])), low, high, leafElement)
	if err != nil {
		return err
	}
	for _, el := range elements {
		if err := each(el); err != nil {
			return err
		}
	}
	return nil
}

// ordered returns the n elements of a page if they lie within it and their
// keys ascend within the bounds.
func ordered(id uint64, p []byte, n int, low, high []byte, parse func(p []byte, at int) (element, bool)) ([]element, error) {
	if headerSize+n*elementSize > len(p) {
		return nil, damaged("page %d has %d elements", id, n)
	}
	out := make([]element, 0, n)
	for i := range n {
		el, ok := parse(p, headerSize+i*elementSize)
		if !ok || len(el.key) == 0 {
			return nil, damaged("element %d of page %d lies outside it", i, id)
		}
		c := bytes.Compare(el.key, low)
		if c < 0 || c == 0 && i > 0 || high != nil && bytes.Compare(el.key, high) >= 0 {
			return nil, damaged("element %d of page %d is out of order", i, id)
		}
		low = el.key
		out = append(out, el)
	}
	return out, nil
}

// leafElement reads flags 4, position 4, key size 4, value size 4; the
// position counts from the element.
func leafElement(p []byte, at int) (element, bool) {
	pos, ksize, vsize := uint64(order.Uint32(p[at+4:])), uint64(order.Uint32(p[at+8:])), uint64(order.Uint32(p[at+12:]))
	rest := p[at:]
	if pos < elementSize || pos+ksize+vsize > uint64(len(rest)) {
		return element{}, false
	}
	return element{
		flags: order.Uint32(p[at:]),
		key:   rest[pos : pos+ksize],
		value: rest[pos+ksize : pos+ksize+vsize],
	}, true
}

// branchElement reads position 4, key size 4, child page 8.
func branchElement(p []byte, at int) (element, bool) {
	pos, ksize := uint64(order.Uint32(p[at:])), uint64(order.Uint32(p[at+4:]))
	rest := p[at:]
	if pos < elementSize || pos+ksize > uint64(len(rest)) {
		return element{}, false
	}
	return element{child: order.Uint64(p[at+8:]), key: rest[pos : pos+ksize]}, true
}
