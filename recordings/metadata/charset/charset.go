// Package charset turns the bytes of small text files that other programs
// wrote into valid UTF-8 without control characters. It is what the reader of
// metadata.xml and that of subtitles share, knows neither, and imports nothing
// of this module.
package charset

import (
	"encoding/binary"
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// bom is the byte order mark as UTF-8 writes it.
const bom = "\xef\xbb\xbf"

// Marked decodes data that says itself how it is encoded, by a byte order mark
// of UTF-8 or UTF-16 or by "<" in UTF-16 at its start. It returns the text
// without the mark, and false if there is no such sign.
func Marked(data []byte) (string, bool) {
	if len(data) >= len(bom) && string(data[:len(bom)]) == bom {
		return string(data[len(bom):]), true
	}
	if len(data) < 2 {
		return "", false
	}
	switch string(data[:2]) {
	case "\xff\xfe":
		return from16(data[2:], binary.LittleEndian), true
	case "\xfe\xff":
		return from16(data[2:], binary.BigEndian), true
	case "<\x00":
		return from16(data, binary.LittleEndian), true
	case "\x00<":
		return from16(data, binary.BigEndian), true
	}
	return "", false
}

// from16 decodes UTF-16; half a character becomes U+FFFD.
func from16(data []byte, order binary.ByteOrder) string {
	units := make([]uint16, 0, len(data)/2+1)
	for ; len(data) >= 2; data = data[2:] {
		units = append(units, order.Uint16(data))
	}
	if len(data) > 0 {
		units = append(units, utf8.RuneError)
	}
	return string(utf16.Decode(units))
}

// windows1252 holds the characters of the bytes 0x80 to 0x9F. HTML reads
// numeric references to them as this encoding, so its table is used.
var windows1252 = func() (table [0x20]rune) {
	for i := range table {
		table[i], _ = utf8.DecodeRuneInString(html.UnescapeString("&#" + strconv.Itoa(0x80+i) + ";"))
	}
	return table
}()

// Windows1252 decodes windows-1252, of which ISO-8859-1 is a part in practice
// (WHATWG Encoding, 4.2).
func Windows1252(data []byte) string {
	var b strings.Builder
	b.Grow(len(data) + len(data)/8)
	for _, c := range data {
		switch {
		case c < 0x80:
			b.WriteByte(c)
		case c < 0xa0:
			b.WriteRune(windows1252[c-0x80])
		default:
			b.WriteRune(rune(c))
		}
	}
	return b.String()
}

// Clean returns s as valid UTF-8: a run of invalid bytes becomes one U+FFFD,
// and every character that Allowed refuses goes.
func Clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return strings.Map(func(r rune) rune {
		if !Allowed(r) {
			return -1
		}
		return r
	}, s)
}

// Allowed tells whether a text may hold r: no control character but tab, line
// feed and carriage return, and none of the two non-characters that XML
// forbids.
func Allowed(r rune) bool {
	if r == '\t' || r == '\n' || r == '\r' {
		return true
	}
	return !unicode.IsControl(r) && r != 0xfffe && r != 0xffff
}
