package bbb

import (
	"bytes"
	"regexp"
	"unicode/utf8"
)

// reference reads the reference that b begins with and returns its character
// and its length in bytes.
func reference(b []byte) (rune, int, error) {
	end := bytes.IndexByte(b[:min(len(b), 32)], ';')
	if end < 0 {
		if len(b) < 32 && bytes.IndexByte(b, '<') < 0 {
			return 0, 0, errTruncated
		}
		return 0, 0, errReference
	}
	size := end + 1
	switch string(b[1:end]) {
	case "lt":
		return '<', size, nil
	case "gt":
		return '>', size, nil
	case "amp":
		return '&', size, nil
	case "apos":
		return '\'', size, nil
	case "quot":
		return '"', size, nil
	}
	if r, ok := number(b[1:end]); ok {
		return r, size, nil
	}
	return 0, 0, errReference
}

// number reads "#65" or "#x41"; the character must be one that XML knows.
func number(b []byte) (rune, bool) {
	if len(b) < 2 || b[0] != '#' {
		return 0, false
	}
	b, base := b[1:], rune(10)
	if b[0] == 'x' {
		b, base = b[1:], 16
	}
	if len(b) == 0 {
		return 0, false
	}
	var r rune
	for _, c := range b {
		digit := rune(unhex(c))
		if digit >= base {
			return 0, false
		}
		if r = r*base + digit; r > utf8.MaxRune {
			return 0, false
		}
	}
	known := r >= ' ' || r == '\t' || r == '\n' || r == '\r'
	return r, known && utf8.ValidRune(r) && r != 0xfffe && r != 0xffff
}

// declarationForm is the XML declaration; only version 1.0 in UTF-8
// will do.
var declarationForm = regexp.MustCompile(`^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.0"|'1\.0')` +
	`(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"(?i:utf-8)"|'(?i:utf-8)'))?` +
	`(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>$`)

// declarationMax is longer than any sensible declaration.
const declarationMax = 256

func (s *scanner) declaration() error {
	head := s.b[s.pos:min(len(s.b), s.pos+declarationMax)]
	end := bytes.Index(head, []byte("?>"))
	if end < 0 {
		if len(head) < declarationMax {
			return errTruncated
		}
		return errDeclaration
	}
	if !declarationForm.Match(head[:end+2]) {
		return errDeclaration
	}
	s.pos += end + 2
	return nil
}

// content collects the text of one element, which may come in several pieces.
type content struct {
	raw     []byte // the only piece, undecoded, as long as there is but one
	literal bool
	pieces  int
	decoded []byte
}

func (c *content) add(text []byte, literal bool) {
	c.pieces++
	if c.pieces == 1 {
		c.raw, c.literal = text, literal
		return
	}
	if c.pieces == 2 {
		c.decoded = appendText(nil, c.raw, c.literal)
	}
	c.decoded = appendText(c.decoded, text, literal)
}

// bytes returns the decoded text without the white space around it. It shares
// the document's memory where nothing had to be decoded.
func (c *content) bytes() []byte {
	if c.pieces > 1 {
		return bytes.TrimSpace(c.decoded)
	}
	if bytes.IndexByte(c.raw, '\r') >= 0 || !c.literal && bytes.IndexByte(c.raw, '&') >= 0 {
		return bytes.TrimSpace(appendText(nil, c.raw, c.literal))
	}
	return bytes.TrimSpace(c.raw)
}

// appendText decodes text that the scanner has accepted: references, unless
// it is literal, and ends of lines.
func appendText(dst, text []byte, literal bool) []byte {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\r':
			dst = append(dst, '\n')
			if i+1 < len(text) && text[i+1] == '\n' {
				i++
			}
		case c == '&' && !literal:
			r, size, err := reference(text[i:])
			if err != nil {
				return dst
			}
			dst = utf8.AppendRune(dst, r)
			i += size - 1
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
