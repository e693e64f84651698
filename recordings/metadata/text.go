package metadata

import (
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"scalelite/recordings/metadata/charset"
)

// maxDocument bounds a metadata.xml in bytes; ordinary ones have some 5 KiB.
const maxDocument = 4 << 20

// latin finds the declarations of a document that is not in UTF-8.
var latin = regexp.MustCompile(`(?i)^\s*<\?xml[^>]{0,200}encoding\s*=\s*["'](?:iso[-_]?8859-1|latin-?1|windows-1252|cp-?1252)["']`)

// readText reads a whole document as valid UTF-8 whose lines end with \n.
func readText(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxDocument {
		return "", fmt.Errorf("the document has more than %d bytes", maxDocument)
	}
	text, ok := charset.Marked(data)
	switch {
	case ok:
	case latin.Match(data):
		text = charset.Windows1252(data)
	default:
		text = string(data)
	}
	return newlines.Replace(charset.Clean(text)), nil
}

// newlines is what XML does with the ends of lines.
var newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// decode replaces the references in text, unless it is literal.
func decode(text string, literal bool) string {
	if literal || strings.IndexByte(text, '&') < 0 {
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
	case !charset.Allowed(rune(n)):
		return "", size
	}
	return string(rune(n)), size
}

// cut shortens text to at most limit bytes of whole characters.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
