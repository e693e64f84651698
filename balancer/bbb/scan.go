package bbb

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep elements nest; BBB's answers go down to 9.
const maxDepth = 64

// maxAttributes bounds the attributes of one element; BBB uses up to 3.
const maxAttributes = 32

// What can be wrong with a text that should be XML. errTruncated is apart,
// since it points to a connection that was cut.
var (
	errTruncated   = errors.New("ends in the middle")
	errCharacter   = errors.New("has bytes that are no UTF-8 or characters that XML forbids")
	errMarkup      = errors.New("has malformed markup")
	errName        = errors.New("has a malformed name")
	errAttribute   = errors.New("has a malformed or repeated attribute")
	errReference   = errors.New("has an unknown or malformed reference")
	errEndTag      = errors.New("has an end tag that closes nothing")
	errDepth       = errors.New("is nested too deep")
	errOutside     = errors.New("has something beside its one root element")
	errDeclaration = errors.New("has a malformed declaration or one that is not UTF-8")
	errDoctype     = errors.New("has a DOCTYPE")
)

// kind is what scanner.next has found.
type kind uint8

const (
	atEOF kind = iota
	atStart
	atEnd
	atText
)

// scanner reads an XML document, token by token and without copying, in one
// pass, and accepts only what is well-formed. encoding/xml does the same at a
// tenth of the speed, which counts because every answer of every BBB server is
// checked before it is believed and handed on. There are no entities beyond
// XML's own five and no DOCTYPE, so nothing in a document can expand.
type scanner struct {
	b     []byte
	pos   int
	depth int // open elements, the one just started or ended included
	names [maxDepth][]byte

	text    []byte // of atText: undecoded
	literal bool   // text is the inside of a CDATA section
	start   int    // where the last token began

	empty  bool // the start tag just read closes itself
	ended  bool // the last token was an end tag: depth is due to go down
	rooted bool // the root element was seen
}

// newScanner checks the characters of b, which the scanner relies on.
func newScanner(b []byte) (*scanner, error) {
	if !utf8.Valid(b) || hasForbidden(b) {
		return nil, errCharacter
	}
	s := &scanner{b: b}
	if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) {
		s.pos = 3
	}
	if s.at("<?xml") && (s.pos+5 == len(b) || class[b[s.pos+5]]&nameChar == 0) {
		return s, s.declaration()
	}
	return s, nil
}

// name returns the name of the innermost element.
func (s *scanner) name() []byte { return s.names[s.depth-1] }

// next moves to the next token. A comment or processing instruction is none.
func (s *scanner) next() (kind, error) {
	if s.ended {
		s.ended = false
		s.depth--
	}
	if s.empty {
		s.empty, s.ended = false, true
		return atEnd, nil
	}
	for s.pos < len(s.b) {
		s.start = s.pos
		if s.b[s.pos] != '<' {
			if s.depth == 0 {
				if err := s.blank(); err != nil {
					return 0, err
				}
				continue
			}
			return atText, s.characters()
		}
		k, err := s.markup()
		if k != atEOF || err != nil {
			return k, err
		}
	}
	if s.depth > 0 || !s.rooted {
		return 0, errTruncated
	}
	return atEOF, nil
}

// markup reads what begins with "<". It returns atEOF for what is skipped.
func (s *scanner) markup() (kind, error) {
	if s.pos+1 == len(s.b) {
		return 0, errTruncated
	}
	switch s.b[s.pos+1] {
	case '/':
		return atEnd, s.endTag()
	case '?':
		return atEOF, s.instruction()
	case '!':
		switch {
		case s.at("<!--"):
			return atEOF, s.comment()
		case s.at("<![CDATA["):
			return atText, s.cdata()
		case s.at("<!DOCTYPE"):
			return 0, errDoctype
		}
		return 0, s.or(errMarkup, "<!--", "<![CDATA[", "<!DOCTYPE")
	}
	return atStart, s.startTag()
}

func (s *scanner) endTag() error {
	s.pos += 2
	name, err := s.readName()
	if err != nil {
		return err
	}
	s.space()
	if err := s.expect('>', errMarkup); err != nil {
		return err
	}
	if s.depth == 0 || !bytes.Equal(name, s.name()) {
		return errEndTag
	}
	s.ended = true
	return nil
}

// characters reads text up to the next markup.
func (s *scanner) characters() error {
	b := s.b
	i := s.pos
	for i < len(b) {
		if class[b[i]]&textStop == 0 {
			i++
			continue
		}
		switch b[i] {
		case '<':
			s.text, s.literal, s.pos = b[s.start:i], false, i
			return nil
		case '&':
			_, size, err := reference(b[i:])
			if err != nil {
				return err
			}
			i += size
		case '>':
			if i >= s.start+2 && b[i-1] == ']' && b[i-2] == ']' {
				return errMarkup
			}
			i++
		}
	}
	return errTruncated // an element is open
}

func (s *scanner) cdata() error {
	if s.depth == 0 {
		return errOutside
	}
	inside := s.b[s.pos+len("<![CDATA["):]
	end := bytes.Index(inside, []byte("]]>"))
	if end < 0 {
		return errTruncated
	}
	s.text, s.literal = inside[:end], true
	s.pos += len("<![CDATA[") + end + len("]]>")
	return nil
}

func (s *scanner) comment() error {
	s.pos += len("<!--")
	end := bytes.Index(s.b[s.pos:], []byte("--"))
	if end < 0 {
		return errTruncated
	}
	s.pos += end + 2
	return s.expect('>', errMarkup)
}

// instruction skips a processing instruction. The declaration, which looks
// like one, may only stand at the very start.
func (s *scanner) instruction() error {
	s.pos += 2
	target, err := s.readName()
	if err != nil {
		return err
	}
	if strings.EqualFold(string(target), "xml") {
		return errDeclaration
	}
	if s.space(); s.pos == len(s.b) {
		return errTruncated
	}
	end := bytes.Index(s.b[s.pos:], []byte("?>"))
	if end < 0 {
		return errTruncated
	}
	if end > 0 && class[s.b[s.pos-1]]&space == 0 {
		return errMarkup
	}
	s.pos += end + 2
	return nil
}

// blank skips white space outside the root element.
func (s *scanner) blank() error {
	if s.space() {
		return nil
	}
	return errOutside
}
