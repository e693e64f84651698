package bbb

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"strings"
)

// readName reads a name. Those beyond ASCII are rare, so encoding/xml is asked
// about them instead of copying its tables.
func (s *scanner) readName() ([]byte, error) {
	start := s.pos
	var seen uint8
	for s.pos < len(s.b) {
		c := class[s.b[s.pos]]
		if c&nameChar == 0 {
			break
		}
		seen |= c
		s.pos++
	}
	name := s.b[start:s.pos]
	if len(name) == 0 {
		if s.pos == len(s.b) {
			return nil, errTruncated
		}
		return nil, errName
	}
	if class[name[0]]&nameStart == 0 {
		return nil, errName
	}
	if seen&nameRare != 0 && !rareName(name) {
		return nil, errName
	}
	return name, nil
}

// rareName checks a name that has a colon or characters beyond ASCII.
func rareName(name []byte) bool {
	d := xml.NewDecoder(strings.NewReader("<" + string(name) + "/>"))
	token, err := d.RawToken()
	if err != nil {
		return false
	}
	start, ok := token.(xml.StartElement)
	return ok && len(start.Attr) == 0
}

// space skips white space and tells whether there was any.
func (s *scanner) space() bool {
	start := s.pos
	for s.pos < len(s.b) && class[s.b[s.pos]]&space != 0 {
		s.pos++
	}
	return s.pos > start
}

func (s *scanner) expect(c byte, otherwise error) error {
	if s.pos == len(s.b) {
		return errTruncated
	}
	if s.b[s.pos] != c {
		return otherwise
	}
	s.pos++
	return nil
}

func (s *scanner) at(prefix string) bool {
	return len(s.b)-s.pos >= len(prefix) && string(s.b[s.pos:s.pos+len(prefix)]) == prefix
}

// or returns err, unless the document ends within one of the words.
func (s *scanner) or(err error, words ...string) error {
	for _, w := range words {
		if strings.HasPrefix(w, string(s.b[s.pos:min(len(s.b), s.pos+len(w))])) {
			return errTruncated
		}
	}
	return err
}

// Classes of bytes.
const (
	space     uint8 = 1 << iota
	nameStart       // may begin a name; bytes beyond ASCII are looked at later
	nameChar        // may stand in a name
	nameRare        // makes a name one that rareName must see
	textStop        // ends a run of plain text
)

var class = func() (t [256]uint8) {
	for _, c := range " \t\r\n" {
		t[c] |= space
	}
	for _, c := range "<&>" {
		t[c] |= textStop
	}
	for c := range 256 {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
			t[c] |= nameStart | nameChar
		case '0' <= c && c <= '9', c == '-', c == '.':
			t[c] |= nameChar
		case c == ':', c >= 0x80:
			t[c] |= nameStart | nameChar | nameRare
		}
	}
	return t
}()

// hasForbidden tells whether valid UTF-8 holds a character that XML 1.0 does
// not know: control characters but tab, line feed and carriage return; U+FFFE
// and U+FFFF.
func hasForbidden(b []byte) bool {
	if bytes.Contains(b, []byte("\xef\xbf\xbe")) || bytes.Contains(b, []byte("\xef\xbf\xbf")) {
		return true
	}
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for len(b) >= 8 {
		// Eight bytes at once: the high bit of a byte in the result says that
		// it, or one below it, is less than a blank.
		w := binary.LittleEndian.Uint64(b)
		if (w-ones*' ')&^w&highs != 0 && hasControlByte(b[:8]) {
			return true
		}
		b = b[8:]
	}
	return hasControlByte(b)
}

func hasControlByte(b []byte) bool {
	for _, c := range b {
		if c < ' ' && class[c]&space == 0 {
			return true
		}
	}
	return false
}
