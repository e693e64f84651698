package metadata

import (
	"fmt"
	"io"
	"regexp"
	"strings"
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
	if literal {
		return text
	}
	return charset.Unescape(text)
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
