package metadata

import (
	"math"
	"strconv"
	"strings"
)

// maxWord bounds a plain word: it becomes the name of a directory, and files
// beside it get its name with something added.
const maxWord = 200

// isPlainWord tells whether s can be the name of a directory without a second
// thought: letters, digits, "-" and "_".
func isPlainWord(s string) bool {
	for i := range len(s) {
		if !isWord(s[i]) && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	return s != "" && len(s) <= maxWord
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// maxKey bounds the name of a metadata entry in bytes.
const maxKey = 255

// isKey tells whether s can be an element's name again when getRecordings
// answers, for every XML parser: ASCII, and no colon. BBB itself takes letters,
// digits and "-" only.
func isKey(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case isWord(c) && (i > 0 || c > '9'), c == '_':
		case i > 0 && (c == '-' || c == '.'):
		default:
			return false
		}
	}
	return s != "" && len(s) <= maxKey
}

// parseNumber reads a number that is not negative and drops its fraction.
func parseNumber(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return max(n, 0), n >= 0
	}
	if strings.Trim(s, "+.0123456789eE") != "" { // ParseFloat knows "inf" and hexadecimal
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 0 || f >= math.MaxInt64 {
		return 0, false
	}
	return int64(f), true
}

// parseCount reads a number that has to be small.
func parseCount(s string) (int, bool) {
	n, ok := parseNumber(s)
	if !ok || n > math.MaxInt32 {
		return 0, false
	}
	return int(n), true
}

// maxTime is the end of the year 9999 in milliseconds since 1970.
const maxTime = 253_402_300_799_999

func parseTime(s string) (int64, bool) {
	n, ok := parseNumber(s)
	return n, ok && n > 0 && n <= maxTime
}

func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "1", "yes":
		return true, true
	case "false", "0", "no":
		return false, true
	}
	return false, false
}

// parseState reads a state as BBB writes it (recording.md; "available" is what
// its video and screenshare formats write).
func parseState(s string) (string, bool) {
	switch s = strings.ToLower(s); s {
	case "available":
		return "published", true
	case "processing", "processed", "published", "unpublished", "deleted":
		return s, true
	}
	return "", false
}
