package charset

import (
	"encoding/xml"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Unescape replaces the references in text: numbers and the names that XML and
// HTML 4 define, with their semicolon. Nothing else is changed, and nothing is
// replaced twice. A reference to a character that Allowed refuses goes.
func Unescape(text string) string {
	if strings.IndexByte(text, '&') < 0 {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	for {
		amp := strings.IndexByte(text, '&')
		if amp < 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:amp])
		text = text[amp:]
		value, size := reference(text)
		b.WriteString(value)
		text = text[size:]
	}
}

// maxReference is longer than any name that HTML knows.
const maxReference = 32

// reference reads the reference that text begins with and returns what it
// stands for and its length. A name that nobody knows stands for itself.
func reference(text string) (string, int) {
	end := strings.IndexByte(text[:min(len(text), maxReference)], ';')
	if end < 0 {
		return "&", 1
	}
	name, size := text[1:end], end+1
	switch name {
	case "lt":
		return "<", size
	case "gt":
		return ">", size
	case "amp":
		return "&", size
	case "quot":
		return `"`, size
	case "apos":
		return "'", size
	}
	if number, ok := strings.CutPrefix(name, "#"); ok {
		return character(number, size)
	}
	if value, ok := xml.HTMLEntity[name]; ok {
		return value, size
	}
	return "&", 1
}

// character reads the number of a numeric reference. One that stands for a
// forbidden character stands for nothing.
func character(number string, size int) (string, int) {
	base := 10
	if hex := strings.TrimLeft(number, "xX"); len(hex) == len(number)-1 {
		number, base = hex, 16
	}
	n, err := strconv.ParseUint(number, base, 32)
	switch {
	case err != nil && !strings.Contains(err.Error(), strconv.ErrRange.Error()):
		return "&", 1
	case err != nil || n > unicode.MaxRune || !utf8.ValidRune(rune(n)):
		return "\uFFFD", size
	case !Allowed(rune(n)):
		return "", size
	}
	return string(rune(n)), size
}
