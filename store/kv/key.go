package kv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// The bytes a string component is written with. A zero byte in the string
// becomes zero, escaped; zero, terminator ends the string. The terminator sorts
// below escaped and below any pair that starts with another byte, so that "a"
// comes before "a\x00" and "a\x00" before "ab".
const (
	zero       = 0x00
	terminator = 0x01
	escaped    = 0xFF
)

// ErrKeyFormat is what a Reader returns for bytes that are no key, or not the
// component that was asked for.
var ErrKeyFormat = errors.New("key is malformed")

// Key is a tuple of strings and numbers as bytes whose order is the order of
// the tuples: first by the first component, then by the second, and so on. The
// encoding of a tuple is never the beginning of another tuple of the same
// component types, so a scan over the prefix NewKey("a").String("x") finds
// nothing of "xy".
//
// Every method returns a new key and leaves its receiver alone: two keys may
// be built from the same beginning.
type Key []byte

// NewKey returns the key that every key of a table begins with. The keys of
// different tables share no prefix, whatever their names.
func NewKey(table string) Key { return Key(nil).String(table) }

// String returns k extended by a string, which may hold any bytes.
func (k Key) String(s string) Key {
	return append(appendEscaped(k, s, 2), zero, terminator)
}

// Bytes returns k extended by a byte string; it reads and sorts as a string.
func (k Key) Bytes(b []byte) Key {
	return append(appendEscaped(k, b, 2), zero, terminator)
}

// Uint64 returns k extended by a number: eight bytes, big end first.
func (k Key) Uint64(n uint64) Key {
	return binary.BigEndian.AppendUint64(slices.Grow(slices.Clip(k), 8), n)
}

// StringPrefix returns what all keys begin with that extend k by a string
// beginning with s. It is for Scan: it is not a complete key.
func (k Key) StringPrefix(s string) Key { return appendEscaped(k, s, 0) }

// appendEscaped copies k into a slice of its own, with room for spare bytes
// more, and appends s with its zero bytes escaped.
func appendEscaped[S string | []byte](k Key, s S, spare int) Key {
	zeros := 0
	for i := range len(s) {
		if s[i] == zero {
			zeros++
		}
	}
	out := make(Key, len(k), len(k)+len(s)+zeros+spare)
	copy(out, k)
	if zeros == 0 {
		return append(out, s...)
	}
	for i := range len(s) {
		out = append(out, s[i])
		if s[i] == zero {
			out = append(out, escaped)
		}
	}
	return out
}

// Reader takes the components of a key in the order in which they were added.
// The table is the first string.
type Reader struct {
	rest []byte
}

// ParseKey returns a Reader at the start of key. It keeps key until the last
// component was read; what it hands out is copied.
func ParseKey(key []byte) *Reader { return &Reader{rest: key} }

// String returns the next component, a string, or ErrKeyFormat.
func (r *Reader) String() (string, error) {
	b, err := r.Bytes()
	return string(b), err
}

// Bytes returns the next component, a byte string, or ErrKeyFormat.
func (r *Reader) Bytes() ([]byte, error) {
	var out []byte
	for rest := r.rest; ; {
		i := bytes.IndexByte(rest, zero)
		if i < 0 || i+1 == len(rest) {
			return nil, fmt.Errorf("%w: string without end", ErrKeyFormat)
		}
		out = append(out, rest[:i]...)
		mark := rest[i+1]
		rest = rest[i+2:]
		switch mark {
		case terminator:
			r.rest = rest
			return out, nil
		case escaped:
			out = append(out, zero)
		default:
			return nil, fmt.Errorf("%w: zero byte followed by %#02x in a string", ErrKeyFormat, mark)
		}
	}
}

// Uint64 returns the next component, a number, or ErrKeyFormat.
func (r *Reader) Uint64() (uint64, error) {
	if len(r.rest) < 8 {
		return 0, fmt.Errorf("%w: %d bytes left for a number", ErrKeyFormat, len(r.rest))
	}
	n := binary.BigEndian.Uint64(r.rest)
	r.rest = r.rest[8:]
	return n, nil
}

// End returns ErrKeyFormat if the key has more components.
func (r *Reader) End() error {
	if len(r.rest) > 0 {
		return fmt.Errorf("%w: %d bytes after the last component", ErrKeyFormat, len(r.rest))
	}
	return nil
}
