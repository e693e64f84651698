package bbb

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

const (
	// excerptMax bounds what is shown of a foreign answer, in characters.
	excerptMax = 60
	// lookMax bounds how far into an answer one looks for what it is.
	lookMax = 4 << 10
	// maskFrom is the length from which a run of letters and digits may be a
	// secret or a digest and is not shown.
	maskFrom = 20
)

// describe says what an answer that is not BBB's XML looks like; err is what
// the scanner found. Of a broken XML document nothing is quoted, for it may
// hold passwords and names.
func describe(body []byte, err error) string {
	head := bytes.TrimSpace(bytes.TrimPrefix(body[:min(len(body), lookMax)], []byte("\xef\xbb\xbf")))
	lower := bytes.ToLower(head)
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return "an empty answer"
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return "compressed data instead of XML"
	case bytes.Contains(lower, []byte("<html")) || bytes.HasPrefix(lower, []byte("<!doctype html")):
		return fmt.Sprintf("an HTML page%s instead of XML", title(head, lower))
	case len(head) > 0 && (head[0] == '{' || head[0] == '['):
		return "JSON instead of XML"
	case len(head) == 0 || head[0] != '<':
		line, _, _ := bytes.Cut(head, []byte("\n"))
		return fmt.Sprintf("plain text (%q) instead of XML", excerpt(string(line)))
	case errors.Is(err, errTruncated):
		return "XML that ends in the middle"
	}
	return "XML that " + err.Error()
}

// title returns the beginning of a page's title, as a remark in brackets.
func title(head, lower []byte) string {
	_, rest, ok := bytes.Cut(lower, []byte("<title>"))
	if !ok || len(lower) != len(head) {
		return ""
	}
	from := len(head) - len(rest)
	if i := bytes.IndexByte(head[from:], '<'); i >= 0 {
		rest = head[from : from+i]
	} else {
		rest = head[from:]
	}
	text := excerpt(string(bytes.TrimSpace(rest)))
	if text == "" {
		return ""
	}
	return fmt.Sprintf(" (\"<title>%s\")", text)
}

// excerpt makes foreign text fit for a log line: short, printable, up to the
// first question mark (a query may follow), and without anything as long as a
// secret or a digest.
func excerpt(s string) string {
	s, _, _ = strings.Cut(s, "?")
	s = strings.ToValidUTF8(s[:min(len(s), 8*excerptMax)], "\ufffd")
	var b strings.Builder
	words := strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' })
	for i, w := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(mask(w))
	}
	if r := []rune(b.String()); len(r) > excerptMax {
		return string(r[:excerptMax]) + "..."
	}
	return b.String()
}

// mask replaces long runs of letters, digits, dashes and the like in a word.
func mask(word string) string {
	var b strings.Builder
	for len(word) > 0 {
		n := strings.IndexFunc(word, notInRun)
		switch {
		case n < 0:
			n = len(word)
		case n == 0:
			b.WriteByte(word[0])
			word = word[1:]
			continue
		}
		if n >= maskFrom {
			b.WriteString("[...]")
		} else {
			b.WriteString(word[:n])
		}
		word = word[n:]
	}
	return b.String()
}

func notInRun(r rune) bool {
	return r != '-' && r != '_' && r != '%' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
}
