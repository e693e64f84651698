package bbb

import "bytes"

// startTag reads a start tag and opens its element.
func (s *scanner) startTag() error {
	s.pos++
	if s.depth == 0 && s.rooted {
		return errOutside
	}
	name, err := s.readName()
	if err != nil {
		return err
	}
	if s.depth == maxDepth {
		return errDepth
	}
	s.names[s.depth] = name
	s.depth++
	s.rooted = true
	if s.pos < len(s.b) && s.b[s.pos] == '>' {
		s.pos++
		return nil
	}
	return s.attributes()
}

// attributes reads the rest of a start tag behind its name.
func (s *scanner) attributes() error {
	var seen [maxAttributes][]byte
	for n := 0; ; n++ {
		spaced := s.space()
		if s.pos == len(s.b) {
			return errTruncated
		}
		switch s.b[s.pos] {
		case '>':
			s.pos++
			return nil
		case '/':
			s.pos++
			s.empty = true
			return s.expect('>', errMarkup)
		}
		if !spaced || n == maxAttributes {
			return errAttribute
		}
		name, err := s.attribute()
		if err != nil {
			return err
		}
		for _, other := range seen[:n] {
			if bytes.Equal(name, other) {
				return errAttribute
			}
		}
		seen[n] = name
	}
}

// attribute reads one attribute and returns its name.
func (s *scanner) attribute() ([]byte, error) {
	name, err := s.readName()
	if err != nil {
		return nil, err
	}
	s.space()
	if err := s.expect('=', errAttribute); err != nil {
		return nil, err
	}
	s.space()
	if s.pos == len(s.b) {
		return nil, errTruncated
	}
	quote := s.b[s.pos]
	if quote != '"' && quote != '\'' {
		return nil, errAttribute
	}
	for s.pos++; s.pos < len(s.b); s.pos++ {
		switch s.b[s.pos] {
		case quote:
			s.pos++
			return name, nil
		case '<':
			return nil, errAttribute
		case '&':
			_, size, err := reference(s.b[s.pos:])
			if err != nil {
				return nil, err
			}
			s.pos += size - 1
		}
	}
	return nil, errTruncated
}
