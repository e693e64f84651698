package config

import (
	"strings"

	"github.com/BurntSushi/toml"
)

// lineIndex maps the keys of a TOML file to the lines, from 1, where they
// first stand. The TOML decoder checks files but keeps no positions.
type lineIndex map[string]int

// line returns where the key with these parts stands, or the nearest table
// around it; 0 if none of them does.
func (x lineIndex) line(path ...string) int {
	for n := len(path); n > 0; n-- {
		if line, ok := x[pathKey(path[:n])]; ok {
			return line
		}
	}
	return 0
}

func pathKey(path []string) string { return strings.Join(path, "\x00") }

// indexLines finds the keys of src, which should be valid TOML. On other input
// it finds some of them, or none.
func indexLines(src string) lineIndex {
	s := &lineScanner{src: src, lineNo: 1, index: lineIndex{}}
	s.document()
	return s.index
}

// maxNesting bounds the depth of arrays and inline tables that are looked into.
const maxNesting = 64

type lineScanner struct {
	src    string
	pos    int
	lineNo int
	index  lineIndex
}

func (s *lineScanner) document() {
	var table []string
	for s.skipSpace(true); s.pos < len(s.src); s.skipSpace(true) {
		if s.src[s.pos] == '[' {
			line := s.lineNo
			for s.peek() == '[' {
				s.pos++
			}
			table = s.key()
			s.record(table, line)
		} else {
			s.keyValue(table, 0)
		}
		s.skipLine()
	}
}

// keyValue reads "a.b = value" inside the table.
func (s *lineScanner) keyValue(table []string, depth int) {
	line := s.lineNo
	path := append(table[:len(table):len(table)], s.key()...)
	s.skipSpace(false)
	if len(path) == len(table) || s.peek() != '=' {
		return
	}
	s.pos++
	for n := len(table) + 1; n <= len(path); n++ {
		s.record(path[:n], line)
	}
	s.value(path, depth)
}

func (s *lineScanner) record(path []string, line int) {
	if k := pathKey(path); len(path) > 0 && s.index[k] == 0 {
		s.index[k] = line
	}
}

// key reads a dotted key, quoted parts included.
func (s *lineScanner) key() []string {
	var path []string
	for {
		s.skipSpace(false)
		start := s.pos
		if c := s.peek(); c == '"' || c == '\'' {
			s.quoted()
			path = append(path, unquoteKey(s.src[start:s.pos]))
		} else {
			for s.pos < len(s.src) && isBareKey(s.src[s.pos]) {
				s.pos++
			}
			if s.pos == start {
				return path
			}
			path = append(path, s.src[start:s.pos])
		}
		s.skipSpace(false)
		if s.peek() != '.' {
			return path
		}
		s.pos++
	}
}

func isBareKey(c byte) bool {
	return c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// unquoteKey takes the quotes off, and escapes with the decoder's help.
func unquoteKey(q string) string {
	if len(q) < 2 {
		return ""
	}
	if q[0] == '"' && strings.Contains(q, `\`) {
		var m map[string]any
		if _, err := toml.Decode(q+" = 1", &m); err == nil {
			for key := range m {
				return key
			}
		}
	}
	return q[1 : len(q)-1]
}

// value skips a value; the keys of inline tables are recorded below path.
func (s *lineScanner) value(path []string, depth int) {
	s.skipSpace(false)
	switch c := s.peek(); {
	case c == '"' || c == '\'':
		s.quoted()
	case c == '[' && depth < maxNesting:
		s.list(']', func() { s.value(nil, depth+1) })
	case c == '{' && depth < maxNesting:
		s.list('}', func() {
			if path != nil {
				s.keyValue(path, depth+1)
				return
			}
			s.key()
			if s.skipSpace(false); s.peek() == '=' {
				s.pos++
				s.value(nil, depth+1)
			}
		})
	default:
		for s.pos < len(s.src) && !strings.ContainsRune(",]}#\r\n", rune(s.src[s.pos])) {
			s.pos++
		}
	}
}

// list reads items between brackets, over several lines, up to end.
func (s *lineScanner) list(end byte, item func()) {
	s.pos++
	for {
		s.skipSpace(true)
		switch {
		case s.pos >= len(s.src):
			return
		case s.src[s.pos] == end:
			s.pos++
			return
		case s.src[s.pos] == ',':
			s.pos++
			continue
		}
		before := s.pos
		item()
		if s.pos == before { // no valid TOML; go on anyhow
			s.pos++
		}
	}
}

// quoted skips a string of any of the four kinds.
func (s *lineScanner) quoted() {
	q := s.src[s.pos : s.pos+1]
	end := q
	if strings.HasPrefix(s.src[s.pos:], q+q+q) {
		end = q + q + q
	}
	for s.pos += len(end); s.pos < len(s.src); s.pos++ {
		switch c := s.src[s.pos]; {
		case c == '\\' && q == `"`:
			s.pos++
			if s.peek() == '\n' {
				s.lineNo++
			}
		case c == '\n' && len(end) == 1:
			return
		case c == '\n':
			s.lineNo++
		case strings.HasPrefix(s.src[s.pos:], end):
			s.pos += len(end)
			for len(end) == 3 && s.peek() == q[0] { // up to two quotes may end the text
				s.pos++
			}
			return
		}
	}
	s.pos = len(s.src)
}

// skipSpace skips blanks; with lines, also line ends and comments.
func (s *lineScanner) skipSpace(lines bool) {
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case c == ' ' || c == '\t':
		case lines && (c == '\n' || c == '\r'):
			if c == '\n' {
				s.lineNo++
			}
		case lines && c == '#':
			for s.pos+1 < len(s.src) && s.src[s.pos+1] != '\n' {
				s.pos++
			}
		default:
			return
		}
		s.pos++
	}
}

// skipLine goes to the end of the line.
func (s *lineScanner) skipLine() {
	for s.pos < len(s.src) && s.src[s.pos] != '\n' {
		s.pos++
	}
}

func (s *lineScanner) peek() byte {
	if s.pos < len(s.src) {
		return s.src[s.pos]
	}
	return 0
}
