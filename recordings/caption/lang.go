package caption

import "strings"

// ValidKind tells whether a text track can be of this kind.
func ValidKind(kind string) bool { return kind == "subtitles" || kind == "captions" }

// maxLanguage bounds a language tag, which becomes part of a file's name. RFC
// 5646 (4.4.1) asks for at least 35.
const maxLanguage = 64

// ValidLanguage tells whether tag is well-formed as RFC 5646 (2.2.9) says: its
// subtags have the right shapes in the right order, and neither a variant nor
// an extension comes twice. Whether the subtags mean something is not asked.
func ValidLanguage(tag string) bool {
	if len(tag) > maxLanguage || strings.Trim(tag, letters+upper+digits+"-") != "" {
		return false
	}
	tag = strings.ToLower(tag)
	if isIrregular(tag) {
		return true
	}
	s := subtags(strings.Split(tag, "-"))
	for _, sub := range s {
		if len(sub) == 0 || len(sub) > 8 {
			return false
		}
	}
	if s[0] != "x" {
		if !s.language() {
			return false
		}
		s.take(isScript)
		s.take(isRegion)
		if !s.variants() || !s.extensions() {
			return false
		}
	}
	return len(s) == 0 || s[0] == "x" && len(s) > 1
}

const (
	letters = "abcdefghijklmnopqrstuvwxyz"
	upper   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"
)

// isIrregular knows the old tags that fit no rule (RFC 5646, 2.1).
func isIrregular(tag string) bool {
	return oneOf(tag, "en-gb-oed", "i-ami", "i-bnn", "i-default", "i-enochian", "i-hak", "i-klingon", "i-lux",
		"i-mingo", "i-navajo", "i-pwn", "i-tao", "i-tay", "i-tsu", "sgn-be-fr", "sgn-be-nl", "sgn-ch-de")
}

// subtags are what is left to read of a tag, in lower case.
type subtags []string

// take drops the next subtag if it is of this sort.
func (s *subtags) take(sort func(string) bool) bool {
	if len(*s) == 0 || !sort((*s)[0]) {
		return false
	}
	*s = (*s)[1:]
	return true
}

func isAlpha(sub string) bool  { return strings.Trim(sub, letters) == "" }
func isScript(sub string) bool { return len(sub) == 4 && isAlpha(sub) }
func isRegion(sub string) bool {
	return len(sub) == 2 && isAlpha(sub) || len(sub) == 3 && strings.Trim(sub, digits) == ""
}
func isExtended(sub string) bool { return len(sub) == 3 && isAlpha(sub) }
func isVariant(sub string) bool {
	return len(sub) >= 5 || len(sub) == 4 && isDigit(sub[0])
}

// language reads the language with its extensions, which only the short ones
// have.
func (s *subtags) language() bool {
	first := (*s)[0]
	if len(first) < 2 || !isAlpha(first) {
		return false
	}
	*s = (*s)[1:]
	for i := 0; i < 3 && len(first) < 4 && s.take(isExtended); i++ {
	}
	return true
}

func (s *subtags) variants() bool {
	seen := map[string]bool{}
	for len(*s) > 0 && isVariant((*s)[0]) {
		if seen[(*s)[0]] {
			return false
		}
		seen[(*s)[0]] = true
		*s = (*s)[1:]
	}
	return true
}

// extensions reads a letter or digit with the subtags that belong to it, as
// often as there are any.
func (s *subtags) extensions() bool {
	seen := map[string]bool{}
	for len(*s) > 0 && len((*s)[0]) == 1 && (*s)[0] != "x" {
		if seen[(*s)[0]] {
			return false
		}
		seen[(*s)[0]] = true
		*s = (*s)[1:]
		if !s.take(isLong) {
			return false
		}
		for s.take(isLong) {
		}
	}
	return true
}

func isLong(sub string) bool { return len(sub) > 1 }
