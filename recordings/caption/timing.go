package caption

import (
	"strconv"
	"strings"
	"time"
)

// timing is the line above a cue's text.
type timing struct {
	start, end time.Duration
	rest       string // behind the times
}

// parseTiming reads "00:00:01.000 --> 00:00:02.000 rest" in the variants that
// occur: a comma or colon before the milliseconds or none of them, no hours,
// few digits, an arrow of one dash, no blanks around it.
func parseTiming(line string) (t timing, ok bool) {
	rest := strings.TrimSpace(line)
	if t.start, rest, ok = cutTime(rest); !ok {
		return timing{}, false
	}
	rest = strings.TrimLeft(rest, " \t")
	dashes := strings.TrimLeft(rest, "-")
	if n := len(rest) - len(dashes); n < 1 || n > 2 || !strings.HasPrefix(dashes, ">") {
		return timing{}, false
	}
	if t.end, rest, ok = cutTime(strings.TrimLeft(dashes[1:], " \t")); !ok {
		return timing{}, false
	}
	t.rest = strings.TrimLeft(rest, " \t")
	return t, rest == "" || len(t.rest) < len(rest)
}

// cutTime reads a time at the start of s and returns what follows.
func cutTime(s string) (time.Duration, string, bool) {
	var parts [4]int
	n := 0
	var digits int
	for n < len(parts) {
		parts[n], digits = number(s)
		if digits == 0 || digits > 4 {
			return 0, s, false
		}
		s = s[digits:]
		n++
		if n == len(parts) || len(s) < 2 || s[0] != ':' || !isDigit(s[1]) {
			break
		}
		s = s[1:]
	}
	ms := 0
	if n == 4 { // 00:00:01:500
		if digits != 3 {
			return 0, s, false
		}
		ms = parts[3]
	} else if len(s) > 1 && (s[0] == '.' || s[0] == ',') && isDigit(s[1]) {
		ms, s = fraction(s[1:])
	}
	if n == 2 { // no hours
		parts = [4]int{0, parts[0], parts[1]}
	}
	if n < 2 || parts[1] > 59 || parts[2] > 59 {
		return 0, s, false
	}
	seconds := (parts[0]*60+parts[1])*60 + parts[2]
	return time.Duration(seconds)*time.Second + time.Duration(ms)*time.Millisecond, s, true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// number reads the digits at the start of s and returns their number too.
func number(s string) (value, digits int) {
	for digits < len(s) && isDigit(s[digits]) {
		if digits < 9 {
			value = value*10 + int(s[digits]-'0')
		}
		digits++
	}
	return value, digits
}

// fraction reads the digits behind the point as milliseconds.
func fraction(s string) (int, string) {
	_, digits := number(s)
	ms, _ := strconv.Atoi((s[:min(digits, 3)] + "00")[:3])
	return ms, s[digits:]
}

// cleanSettings keeps the settings of a cue that are valid (WebVTT 3.3 and
// 6.3), each once, the last one given. Regions are not kept, so neither is the
// setting that names one.
func cleanSettings(s string) string {
	if s == "" {
		return ""
	}
	var found [5]string
	for word := range strings.FieldsSeq(s) {
		name, value, ok := strings.Cut(word, ":")
		if !ok {
			continue
		}
		if i, value := checkSetting(name, value); i >= 0 {
			found[i] = name + ":" + value
		}
	}
	return strings.Join(strings.Fields(strings.Join(found[:], " ")), " ")
}

// checkSetting returns the place of a valid setting in the order in which they
// are written, or -1, and its value.
func checkSetting(name, value string) (int, string) {
	first, second, _ := strings.Cut(value, ",")
	if strings.HasSuffix(value, ",") {
		return -1, ""
	}
	valid, place := false, 0
	switch name {
	case "vertical":
		place, valid = 0, value == "rl" || value == "lr"
	case "line":
		_, digits := number(strings.TrimPrefix(first, "-"))
		whole := digits > 0 && digits < 5 && len(strings.TrimPrefix(first, "-")) == digits
		place, valid = 1, (whole || isPercentage(first)) && oneOf(second, "", "start", "center", "end")
	case "position":
		place, valid = 2, isPercentage(first) && oneOf(second, "", "line-left", "center", "line-right")
	case "size":
		place, valid = 3, isPercentage(value)
	case "align":
		if value == "middle" { // of an older draft, and still written
			value = "center"
		}
		place, valid = 4, oneOf(value, "start", "center", "end", "left", "right")
	}
	if !valid {
		return -1, ""
	}
	return place, value
}

func oneOf(s string, words ...string) bool {
	for _, w := range words {
		if s == w {
			return true
		}
	}
	return false
}

// isPercentage tells whether s is a number from 0 to 100 with "%" behind it.
func isPercentage(s string) bool {
	digits, ok := strings.CutSuffix(s, "%")
	if !ok || digits == "" || len(digits) > 10 || !isDigit(digits[0]) || !isDigit(digits[len(digits)-1]) ||
		strings.Trim(digits, "0123456789.") != "" {
		return false
	}
	f, err := strconv.ParseFloat(digits, 64)
	return err == nil && f <= 100
}
