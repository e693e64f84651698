package caption

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"scalelite/recordings/metadata/charset"
)

// MaxCues bounds the cues of one track. Six hours of live captions, a line
// every second, have 21,600.
const MaxCues = 100_000

var (
	// ErrEmpty says that a file holds nothing but white space.
	ErrEmpty = errors.New("the file is empty")
	// ErrNoCues says that a file holds no cue that a player could show.
	ErrNoCues = errors.New("there is no cue with valid times and a text")
)

// Cue is a text that is shown for some time.
type Cue struct {
	// Start and End are counted from the start of the recording, in whole
	// milliseconds. Start is less than End.
	Start, End time.Duration
	// Settings are the WebVTT settings of the cue, or empty.
	Settings string
	// Text is WebVTT cue text: lines that are not blank, in which all is
	// escaped but the tags that WebVTT knows, which are closed properly.
	Text string
}

// ToVTT reads subtitles in SRT or WebVTT, whichever data is, and returns clean
// WebVTT in UTF-8. Cues are sorted by their start; those that no player could
// show are left out. Given its own output it returns the same.
//
// The errors are ErrEmpty, ErrNoCues with the line of the first thing that was
// wrong, or that there are more than MaxCues.
func ToVTT(data []byte) ([]byte, error) {
	text, err := readText(data)
	if err != nil {
		return nil, err
	}
	cues, err := parse(text, isVTT(text))
	if err != nil {
		return nil, err
	}
	return Encode(cues), nil
}

// ParseVTT reads WebVTT (https://www.w3.org/TR/webvtt1/) as tolerantly as
// players do. Comments, styles, regions, cue identifiers and timestamps within
// a text are dropped. The errors are those of ToVTT, and one for a file that
// does not begin with WEBVTT.
func ParseVTT(data []byte) ([]Cue, error) {
	text, err := readText(data)
	if err != nil {
		return nil, err
	}
	if !isVTT(text) {
		return nil, errors.New("line 1: the file does not begin with WEBVTT")
	}
	return parse(text, true)
}

// ParseSRT reads SubRip subtitles as tolerantly as players do. Their HTML-like
// tags become those of WebVTT where it has the same, {\an8} and the like are
// dropped. The errors are those of ToVTT.
func ParseSRT(data []byte) ([]Cue, error) {
	text, err := readText(data)
	if err != nil {
		return nil, err
	}
	return parse(text, false)
}

// Encode writes a WebVTT file.
func Encode(cues []Cue) []byte {
	out := []byte("WEBVTT\n")
	for _, c := range cues {
		out = append(out, '\n')
		out = appendTime(out, c.Start)
		out = append(out, " --> "...)
		out = appendTime(out, c.End)
		if c.Settings != "" {
			out = append(out, ' ')
			out = append(out, c.Settings...)
		}
		out = append(out, '\n')
		out = append(out, c.Text...)
		out = append(out, '\n')
	}
	return out
}

func appendTime(out []byte, t time.Duration) []byte {
	ms := t.Milliseconds()
	return fmt.Appendf(out, "%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}

// readText decodes a file: a byte order mark says how, and else it is UTF-8 or,
// if it can't be that, windows-1252. Lines end with \n afterwards.
func readText(data []byte) (string, error) {
	text, ok := charset.Marked(data)
	if !ok {
		text = string(data)
		if !utf8.ValidString(text) {
			text = charset.Windows1252(data)
		}
	}
	text = newlines.Replace(charset.Clean(text))
	if strings.TrimSpace(text) == "" {
		return "", ErrEmpty
	}
	return text, nil
}

// newlines also drops the byte order marks of files that were joined.
var newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\ufeff", "")

// isVTT tells whether text has the first line of WebVTT. Blank lines before it
// are forgiven.
func isVTT(text string) bool {
	const header = "WEBVTT"
	text = strings.TrimSpace(text)
	return len(text) >= len(header) && strings.EqualFold(text[:len(header)], header) &&
		(len(text) == len(header) || strings.IndexByte(" \t\n", text[len(header)]) >= 0)
}
