package unpack

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxComponent = 255 // bytes of a name within a directory that Linux takes
	maxWord      = 128 // bytes of a format's name or a recordID
	wordLevels   = 2   // FORMAT/RECORDID
)

// checkName returns the name of an entry as a path relative to the target
// directory, "." for that directory itself, or the reason why it is refused.
// What is accepted is written in one way only: a leading "./", as `tar -C DIR .`
// writes it, and the slash behind a directory are the only parts it removes.
func checkName(raw string, dir bool, l Limits) (name, reason string) {
	switch {
	case raw == "":
		return "", "has an empty name"
	case strings.HasPrefix(raw, "/"):
		return "", "has an absolute name"
	case len(raw) > l.MaxName:
		return "", fmt.Sprintf("has a name of %d bytes, at most %d are taken", len(raw), l.MaxName)
	}
	if reason := checkBytes(raw); reason != "" {
		return "", reason
	}
	if dir && (raw == "./" || raw == ".") {
		return ".", ""
	}
	name = strings.TrimPrefix(raw, "./")
	if dir {
		name = strings.TrimSuffix(name, "/")
	}
	return name, checkPath(name, dir, l)
}

// checkBytes returns why a name is refused for the characters in it: names go
// into URLs, logs and lists, where these mean something else or nothing.
func checkBytes(name string) string {
	if !utf8.ValidString(name) {
		return "has a name that is not UTF-8"
	}
	for _, r := range name {
		if r == '\\' || unicode.IsControl(r) {
			return fmt.Sprintf("has the character %q in its name", r)
		}
	}
	return ""
}

// checkPath returns why a path without leading "./" and trailing slash is
// refused.
func checkPath(name string, dir bool, l Limits) string {
	depth := 0
	for part := range strings.SplitSeq(name, "/") {
		depth++
		switch {
		case part == "" || part == "." || part == "..":
			return "has a name with an empty part, \".\" or \"..\" in it"
		case len(part) > maxComponent:
			return fmt.Sprintf("has a part of more than %d bytes in its name", maxComponent)
		case depth > l.MaxDepth:
			return fmt.Sprintf("lies deeper than %d directories", l.MaxDepth)
		case depth <= wordLevels && !isWord(part):
			return "does not lie in FORMAT/RECORDID/ with both of letters, digits, - and _"
		}
	}
	if !dir && depth <= wordLevels {
		return "is a file outside FORMAT/RECORDID/"
	}
	return ""
}

// isWord reports whether s can be a format or a recordID: letters, digits, "_"
// and, not in front, "-". BBB's recordIDs are 40 or 64 hexadecimal digits, "-"
// and 13 digits.
func isWord(s string) bool {
	if s == "" || len(s) > maxWord || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
