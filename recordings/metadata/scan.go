package metadata

import (
	"errors"
	"strings"
)

// maxAttributes bounds the attributes kept of one element; BBB writes up to 4.
const maxAttributes = 64

// errTruncated says that the document ends within markup.
var errTruncated = errors.New("the document ends in the middle of its markup")

// kind is what scanner.next has found.
type kind uint8

const (
	atEOF kind = iota
	atStart
	atEnd
	atText
)

type attribute struct{ name, value string }

// scanner splits a document into tags and text. It takes nearly everything:
// what no XML parser could read as markup is text. It knows no entities but
// those that XML and HTML define, and skips a DOCTYPE, so that nothing in a
// document can expand or be fetched. encoding/xml, lenient as it can be, still
// refuses several things that the field has shown.
type scanner struct {
	doc string // valid UTF-8, lines end with \n
	pos int

	name  string      // of atStart and atEnd
	attrs []attribute // of atStart, decoded; reused by the next token
	empty bool        // of atStart: the tag closes itself
	text  string      // of atText: undecoded unless literal
	// literal says that text is the inside of a CDATA section.
	literal bool
}

// line is the number of the line that has been reached.
func (s *scanner) line() int { return 1 + strings.Count(s.doc[:s.pos], "\n") }

// next moves to the next token. Comments, processing instructions and
// declarations are none.
func (s *scanner) next() (kind, error) {
	for s.pos < len(s.doc) {
		rest := s.doc[s.pos:]
		if !isMarkup(rest) {
			s.plain()
			return atText, nil
		}
		switch {
		case strings.HasPrefix(rest, "</"):
			return atEnd, s.endTag()
		case strings.HasPrefix(rest, "<![CDATA["):
			s.text, s.literal = rest, true
			return atText, s.section(&s.text, "<![CDATA[", "]]>")
		case strings.HasPrefix(rest, "<!--"):
			if err := s.section(nil, "<!--", "-->"); err != nil {
				return atEOF, err
			}
		case strings.HasPrefix(rest, "<?"):
			if err := s.section(nil, "<?", "?>"); err != nil {
				return atEOF, err
			}
		case strings.HasPrefix(rest, "<!"):
			if err := s.declaration(); err != nil {
				return atEOF, err
			}
		default:
			return atStart, s.startTag()
		}
	}
	return atEOF, nil
}

// isMarkup tells whether rest begins with a tag or the like, and not with text.
func isMarkup(rest string) bool {
	if len(rest) < 2 || rest[0] != '<' {
		return false
	}
	c := rest[1]
	return c == '/' || c == '!' || c == '?' || isNameStart(c)
}

func isNameStart(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == ':' || c >= 0x80
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// plain reads text up to the next markup. The first byte belongs to it.
func (s *scanner) plain() {
	end := s.pos + 1
	for {
		next := strings.IndexByte(s.doc[end:], '<')
		if next < 0 {
			end = len(s.doc)
			break
		}
		if end += next; isMarkup(s.doc[end:]) {
			break
		}
		end++
	}
	s.text, s.literal, s.pos = s.doc[s.pos:end], false, end
}

// section reads what stands between two marks.
func (s *scanner) section(inside *string, open, end string) error {
	body := s.doc[s.pos+len(open):]
	size := strings.Index(body, end)
	if size < 0 {
		return errTruncated
	}
	if inside != nil {
		*inside = body[:size]
	}
	s.pos += len(open) + size + len(end)
	return nil
}

// declaration skips a DOCTYPE with all that it declares.
func (s *scanner) declaration() error {
	depth := 0
	for s.pos += len("<!"); s.pos < len(s.doc); s.pos++ {
		rest := s.doc[s.pos:]
		switch c := rest[0]; {
		case c == '"' || c == '\'':
			end := strings.IndexByte(rest[1:], c)
			if end < 0 {
				return errTruncated
			}
			s.pos += end + 1
		case strings.HasPrefix(rest, "<!--"):
			if err := s.section(nil, "<!--", "-->"); err != nil {
				return err
			}
			s.pos--
		case c == '<':
			depth++
		case c == '>' && depth > 0:
			depth--
		case c == '>':
			s.pos++
			return nil
		}
	}
	return errTruncated
}

func (s *scanner) endTag() error {
	body := s.doc[s.pos+len("</"):]
	end := strings.IndexByte(body, '>')
	if end < 0 {
		return errTruncated
	}
	s.name = strings.TrimRight(body[:end], " \t\n")
	s.pos += len("</") + end + 1
	return nil
}

func (s *scanner) startTag() error {
	s.pos++
	s.name = s.word()
	s.attrs, s.empty = s.attrs[:0], false
	for s.pos < len(s.doc) {
		switch c := s.doc[s.pos]; {
		case c == '>':
			s.pos++
			return nil
		case c == '<': // the tag was not closed
			return nil
		case strings.HasPrefix(s.doc[s.pos:], "/>"):
			s.empty = true
			s.pos += len("/>")
			return nil
		case isSpace(c), c == '/', c == '=', c == '"', c == '\'':
			s.pos++
		default:
			if err := s.attribute(); err != nil {
				return err
			}
		}
	}
	return errTruncated
}

// word reads a name, whose first byte belongs to it.
func (s *scanner) word() string {
	start := s.pos
	for s.pos++; s.pos < len(s.doc); s.pos++ {
		if c := s.doc[s.pos]; isSpace(c) || strings.IndexByte(`/>=<"'`, c) >= 0 {
			break
		}
	}
	return s.doc[start:s.pos]
}

func (s *scanner) space() {
	for s.pos < len(s.doc) && isSpace(s.doc[s.pos]) {
		s.pos++
	}
}

// attribute reads an attribute; its value may be unquoted or missing.
func (s *scanner) attribute() error {
	a := attribute{name: s.word()}
	if s.space(); s.pos < len(s.doc) && s.doc[s.pos] == '=' {
		s.pos++
		s.space()
		if s.pos == len(s.doc) {
			return errTruncated
		}
		raw, err := s.value()
		if err != nil {
			return err
		}
		a.value = decode(oneLine.Replace(raw), false)
	}
	if len(s.attrs) < maxAttributes {
		s.attrs = append(s.attrs, a)
	}
	return nil
}

// oneLine is what XML does with white space in attributes.
var oneLine = strings.NewReplacer("\t", " ", "\n", " ")

func (s *scanner) value() (string, error) {
	rest := s.doc[s.pos:]
	if quote := rest[0]; quote == '"' || quote == '\'' {
		end := strings.IndexByte(rest[1:], quote)
		if end < 0 {
			return "", errTruncated
		}
		s.pos += end + 2
		return rest[1 : end+1], nil
	}
	end := strings.IndexAny(rest, " \t\n<>")
	if end < 0 {
		return "", errTruncated
	}
	s.pos += end
	return rest[:end], nil
}
