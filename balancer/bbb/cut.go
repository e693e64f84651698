package bbb

import "strings"

// checksumName is the name of the parameter that is never signed.
const checksumName = "checksum"

// unsigned is a query string or form body taken apart: what its sender signed
// and the checksums it carries.
type unsigned struct {
	head, tail string // signed is what stands before and behind the checksum
	checksum   string // its value, decoded and cleaned; the first, if several
	count      int    // how many checksum parameters there are
}

// cut takes the checksum parameter out of raw, byte for byte, wherever it
// stands and however its name is written, with one adjoining &: the one before
// it, or, where it comes first, the one behind it. A leading & of the rest
// stays, for those who write "?&" sign it.
func cut(raw string) unsigned {
	u := unsigned{head: raw}
	for start, more := 0, true; more; {
		pair := raw[start:]
		end := strings.IndexByte(pair, '&')
		if more = end >= 0; more {
			pair = pair[:end]
		}
		if value, ok := checksumValue(pair); ok {
			if u.count++; u.count == 1 {
				u.checksum = value
				u.head, u.tail = around(raw, start, start+len(pair))
			}
		}
		start += len(pair) + 1
	}
	return u
}

func around(raw string, start, end int) (head, tail string) {
	switch {
	case start > 0:
		start--
	case end < len(raw):
		end++
	}
	return raw[:start], raw[end:]
}

// checksumValue tells whether a pair is the checksum parameter to anybody who
// decodes and cleans its name, and returns its value.
func checksumValue(pair string) (string, bool) {
	name, value, _ := strings.Cut(pair, "=")
	if len(name) < len(checksumName) || name != checksumName && clean(unescape(name)) != checksumName {
		return "", false
	}
	return clean(unescape(value)), true
}
