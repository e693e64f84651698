package bbb

import "strings"

// clean removes control characters and the blanks around what is left, as BBB
// does to names and values before it looks at them.
func clean(s string) string {
	if !hasControl(s) {
		return strings.Trim(s, " ")
	}
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		c := s[i]
		switch {
		case c < ' ' || c == 0x7f:
		case 0x80 <= c && c <= 0x9f && len(b) > 0 && b[len(b)-1] == 0xc2:
			// C2 80 to C2 9F are the control characters above ASCII. Undoing
			// the C2 also catches pairs that come to be by a removal.
			b = b[:len(b)-1]
		default:
			b = append(b, c)
		}
	}
	return strings.Trim(string(b), " ")
}

func hasControl(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f || c == 0xc2 {
			return true
		}
	}
	return false
}

// unescape decodes '+' and percent encodings; what is no percent encoding
// stands for itself.
func unescape(s string) string {
	first := strings.IndexAny(s, "%+")
	if first < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	b = append(b, s[:first]...)
	for i := first; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			b = append(b, ' ')
		case c == '%' && i+2 < len(s) && unhex(s[i+1]) < 16 && unhex(s[i+2]) < 16:
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// unhex returns the value of a hex digit, 255 if it is none.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// appendJava appends s encoded by the rules of java.net.URLEncoder, with which
// BBB builds the query of a form whose URL has none. They differ from Go's in
// '*', which stays, and '~', which does not.
func appendJava(b []byte, s string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '.', c == '-', c == '*', c == '_':
			b = append(b, c)
		case c == ' ':
			b = append(b, '+')
		default:
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return b
}
