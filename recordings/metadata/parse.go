package metadata

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds of what is kept of a document. What exceeds them is left out and
// noted; only the depth and the size of the whole are errors.
const (
	maxDepth    = 64
	maxValue    = 64 << 10 // bytes
	maxMetadata = 1000
	maxRooms    = 1000
	maxImages   = 100
	maxNotes    = 20
)

// Parse reads a metadata.xml of at most 4 MiB. It takes what the field has
// shown: other encodings and broken ones, control characters, unknown entities,
// unclosed or misspelt markup, missing parts, links to other hosts. A DOCTYPE
// is skipped, entities it declares are not known.
//
// An error means that the file is no metadata.xml, is cut off, or names no
// recording or format that could be one; it says what and in which line.
func Parse(r io.Reader) (*Document, error) {
	text, err := readText(r)
	if err != nil {
		return nil, err
	}
	p := &parser{sc: scanner{doc: text}, keys: map[string]int{}, lower: map[string]bool{}}
	if err := p.run(); err != nil {
		return nil, fmt.Errorf("line %d: %w", p.sc.line(), err)
	}
	p.finish()
	return &p.doc, nil
}

// parser follows a document and picks the values out of it.
type parser struct {
	sc    scanner
	doc   Document
	path  []string        // the open elements
	keys  map[string]int  // where in doc.Metadata a key is
	lower map[string]bool // whether it was in lower case there

	set   func(string) error // takes the value being read, or nil
	depth int                // of the element that holds it
	value []byte
	cut   bool

	play     playback // being read
	played   bool     // doc has what a <playback> says
	meeting  meeting
	metaID   string // meta/meetingId
	metaName string // meta/meetingName
	breakout said   // meta/isBreakout
}

// meeting is what the attributes of <meeting> say.
type meeting struct {
	id, externalID, name string
	breakout             said
}

// said is a boolean that may be missing.
type said struct{ value, set bool }

// playback is what <playback> says, or <download> in its place.
type playback struct {
	format, link             string
	length, processing, size int64
	images                   []Image
}

func (p playback) empty() bool {
	return p.format == "" && p.link == "" && p.length == 0 && p.processing == 0 && p.size == 0 && len(p.images) == 0
}

func (p *parser) run() error {
	if err := p.prolog(); err != nil {
		return err
	}
	for len(p.path) > 0 {
		token, err := p.sc.next()
		switch {
		case err != nil:
			return err
		case token == atEOF:
			return fmt.Errorf("the document ends within <%.80s>", p.path[len(p.path)-1])
		case token == atStart:
			err = p.start()
		case token == atEnd:
			err = p.end(p.sc.name)
		case p.set != nil:
			p.add(decode(p.sc.text, p.sc.literal))
		}
		if err != nil {
			return err
		}
	}
	if p.doc.RecordID == "" {
		return errors.New("there is no <id> in <recording>")
	}
	return nil
}

// prolog moves into the root element.
func (p *parser) prolog() error {
	if strings.TrimSpace(p.sc.doc) == "" {
		return errors.New("the file is empty")
	}
	for {
		token, err := p.sc.next()
		switch {
		case err != nil:
			return err
		case token == atEOF:
			return errors.New("there is no XML element")
		case token == atText && strings.TrimSpace(p.sc.text) != "", token == atEnd:
			return errors.New("this is no XML: it does not begin with an element")
		case token == atStart && p.sc.name != "recording":
			return fmt.Errorf("the root element is <%.80s>, not <recording>", p.sc.name)
		case token == atStart:
			return p.start()
		}
	}
}

func (p *parser) start() error {
	if len(p.path) == maxDepth {
		return fmt.Errorf("elements are nested deeper than %d", maxDepth)
	}
	name := p.sc.name
	p.path = append(p.path, name)
	if p.set == nil {
		p.attributes()
		if p.set = p.target(); p.set != nil {
			p.depth, p.value, p.cut = len(p.path), p.value[:0], false
		}
	}
	if p.sc.empty {
		return p.end(name)
	}
	return nil
}

// end closes the innermost element of this name, and all that was left open in
// it. Where none is open, the tag closes nothing.
func (p *parser) end(name string) error {
	last := len(p.path) - 1
	for last >= 0 && p.path[last] != name {
		last--
	}
	for last >= 0 && len(p.path) > last {
		if err := p.pop(); err != nil {
			return err
		}
	}
	return nil
}

// pop closes the innermost element.
func (p *parser) pop() error {
	set := p.set
	if set != nil && p.depth == len(p.path) {
		if p.cut {
			p.note("<%s> is longer than %d bytes and was cut", maxValue)
		}
		p.set = nil
		if err := set(strings.TrimSpace(string(p.value))); err != nil {
			return err
		}
	}
	if len(p.path) == 2 && isPlayback(p.path[1]) {
		p.endPlayback()
	}
	p.path = p.path[:len(p.path)-1]
	return nil
}

// add appends to the value being read, as far as there is room.
func (p *parser) add(text string) {
	if p.cut {
		return
	}
	kept := cut(text, maxValue-len(p.value))
	p.value = append(p.value, kept...)
	p.cut = len(kept) < len(text)
}

// note writes down what was done about the element just read. The first verb
// of format is the element's name.
func (p *parser) note(format string, args ...any) {
	if len(p.doc.Notes) == maxNotes {
		return
	}
	name := cut(p.path[len(p.path)-1], 80)
	text := fmt.Sprintf(format, append([]any{name}, args...)...)
	p.doc.Notes = append(p.doc.Notes, fmt.Sprintf("line %d: %s", p.sc.line(), text))
}
