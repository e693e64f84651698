package caption

import (
	"strings"

	"scalelite/recordings/metadata/charset"
)

// maxNesting bounds how deep tags are nested in a cue.
const maxNesting = 16

// piece is a part of a cue's text: either text, unescaped, or a tag.
type piece struct{ text, tag string }

// markup takes the text of a cue apart.
type markup struct {
	vtt    bool
	pieces []piece
	plain  []byte   // text behind them
	open   []string // names of the open tags
}

// cleanText turns the text of a cue into WebVTT cue text, or into nothing if
// it shows nothing.
func cleanText(raw string, vtt bool) string {
	m := markup{vtt: vtt}
	m.split(raw)
	m.close(0)
	m.endText()
	var b strings.Builder
	visible := false
	for _, p := range m.pieces {
		if p.tag != "" {
			b.WriteString(p.tag)
			continue
		}
		text := dropOverrides(oneBreak.Replace(p.text))
		visible = visible || strings.TrimSpace(text) != ""
		b.WriteString(escape.Replace(text))
	}
	if !visible {
		return ""
	}
	return trimLines(b.String())
}

var (
	// oneBreak leaves "\n" as the only white space that is no blank.
	oneBreak = strings.NewReplacer("\r", "\n", "\t", " ", "\ufeff", "")
	escape   = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
)

// trimLines takes white space off each line, and blank lines out: one would
// end the cue.
func trimLines(s string) string {
	var lines []string
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// dropOverrides takes out {\an8}, {\i1} and the like, which come from the
// subtitles of SubStation Alpha. They are found also where taking one out
// makes another.
func dropOverrides(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	out := make([]byte, 0, len(s))
	var starts []int // where in out an override has begun
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\n':
			starts = starts[:0]
		case c == '\\' && len(out) > 0 && out[len(out)-1] == '{':
			starts = append(starts, len(out)-1)
		case c == '}' && len(starts) > 0:
			last := len(starts) - 1
			out, starts = out[:starts[last]], starts[:last]
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}

// split cuts raw into text and tags.
func (m *markup) split(raw string) {
	for raw != "" {
		start := strings.IndexByte(raw, '<')
		if start < 0 {
			m.text(raw)
			return
		}
		m.text(raw[:start])
		raw = raw[start+1:]
		end := strings.IndexAny(raw, "<>")
		if end >= 0 && raw[end] == '>' && m.tag(raw[:end]) {
			raw = raw[end+1:]
		} else {
			m.addText("<")
		}
	}
}

func (m *markup) text(raw string) { m.addText(charset.Unescape(raw)) }

func (m *markup) addText(text string) { m.plain = append(m.plain, text...) }

func (m *markup) addTag(tag string) {
	m.endText()
	m.pieces = append(m.pieces, piece{tag: tag})
}

// endText makes a piece of the text since the last tag. Only then is it whole:
// what looks like an override may have had a dropped tag within.
func (m *markup) endText() {
	if len(m.plain) > 0 {
		m.pieces = append(m.pieces, piece{text: string(m.plain)})
		m.plain = m.plain[:0]
	}
}

// tag handles what stands between "<" and ">". False means that it is text.
func (m *markup) tag(inside string) bool {
	name, rest := cutName(strings.TrimPrefix(inside, "/"))
	switch {
	case name == "":
		_, after, ok := cutTime(inside) // karaoke
		return ok && after == ""
	case name == "br":
		m.addText("\n")
		return true
	case !isTag(name):
		return m.vtt || isHTML(name)
	case rest != "" && strings.IndexByte(". \t\n", rest[0]) < 0:
		return m.vtt || rest == "/"
	case inside[0] == '/':
		m.closeTag(name)
		return true
	}
	m.openTag(name, rest)
	return true
}

// cutName cuts the name off a tag, in lower case.
func cutName(inside string) (name, rest string) {
	end := 0
	for end < len(inside) && ('a' <= inside[end]|0x20 && inside[end]|0x20 <= 'z' || end > 0 && isDigit(inside[end])) {
		end++
	}
	return strings.ToLower(inside[:end]), inside[end:]
}

// isTag tells whether WebVTT has such a tag.
func isTag(name string) bool {
	return oneOf(name, "b", "i", "u", "c", "v", "lang", "ruby", "rt")
}

// isHTML tells whether SRT files use this tag of HTML for the looks of a text.
// Any other is taken for text, as in "<laughs>".
func isHTML(name string) bool {
	return oneOf(name, "font", "span", "div", "p", "s", "strike", "em", "strong", "small", "big", "a", "center", "sub", "sup")
}

func (m *markup) openTag(name, rest string) {
	if len(m.open) == maxNesting || name == "rt" && (len(m.open) == 0 || m.open[len(m.open)-1] != "ruby") {
		return
	}
	classes, annotation, _ := strings.Cut(whiteSpace.Replace(rest), " ")
	annotation = cleanAnnotation(annotation)
	if name == "v" && annotation == "" || name == "lang" && !ValidLanguage(annotation) {
		return
	}
	tag := "<" + name + cleanClasses(classes)
	if name == "v" || name == "lang" {
		tag += " " + escape.Replace(annotation)
	}
	m.open = append(m.open, name)
	m.addTag(tag + ">")
}

var whiteSpace = strings.NewReplacer("\t", " ", "\n", " ")

// cleanAnnotation makes the name of a speaker or a language one line. It does
// not end with a dash: that and the tag's end could be taken for an arrow.
func cleanAnnotation(s string) string {
	s = strings.Join(strings.Fields(oneBreak.Replace(charset.Unescape(s))), " ")
	return strings.TrimRight(s, "- ")
}

// Bounds of the classes of a tag.
const (
	maxClasses = 8
	maxClass   = 50 // bytes
)

// cleanClasses keeps the classes of a tag that are plain words: WebVTT gives
// some of them a colour.
func cleanClasses(s string) string {
	kept, count := "", 0
	if !strings.HasPrefix(s, ".") {
		return ""
	}
	for class := range strings.SplitSeq(s[1:], ".") {
		class = strings.TrimRight(class, "-")
		if count < maxClasses && len(class) <= maxClass && isFileWord(class) {
			kept += "." + class
			count++
		}
	}
	return kept
}

// closeTag closes the innermost open tag of this name, and those within it.
func (m *markup) closeTag(name string) {
	for i := len(m.open) - 1; i >= 0; i-- {
		if m.open[i] == name {
			m.close(i)
			return
		}
	}
}

// close closes all open tags but the first keep.
func (m *markup) close(keep int) {
	for i := len(m.open) - 1; i >= keep; i-- {
		m.addTag("</" + m.open[i] + ">")
	}
	m.open = m.open[:keep]
}
