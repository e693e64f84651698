package caption

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// parser collects cues line by line.
type parser struct {
	vtt  bool
	cues []Cue
	line int // number of the line being read

	open  bool // a cue is being read
	cue   Cue
	lines []string // its text

	// fresh is true where a cue may begin: at the start, behind a blank line,
	// and behind the counter or identifier that follows one.
	fresh bool

	badLine int // the first line with something wrong, or 0
	bad     string
}

// parse reads all cues of a text and sorts them by their start.
func parse(text string, vtt bool) ([]Cue, error) {
	p := parser{vtt: vtt, fresh: true}
	for line := range strings.SplitSeq(text, "\n") {
		p.line++
		p.read(strings.TrimSpace(line))
		if len(p.cues) > MaxCues {
			return nil, fmt.Errorf("line %d: there are more than %d cues", p.line, MaxCues)
		}
	}
	p.flush()
	switch {
	case len(p.cues) > 0:
		slices.SortStableFunc(p.cues, func(a, b Cue) int { return cmp.Compare(a.Start, b.Start) })
		return p.cues, nil
	case p.badLine > 0:
		return nil, fmt.Errorf("line %d: %s: %w", p.badLine, p.bad, ErrNoCues)
	}
	return nil, fmt.Errorf("lines 1 to %d: %w", p.line, ErrNoCues)
}

// read takes one line.
func (p *parser) read(line string) {
	start := p.fresh
	p.fresh = line == "" || start && isCounter(line) || start && p.vtt && !p.open
	if strings.Contains(line, ">") {
		t, ok := parseTiming(line)
		if ok || start && strings.Contains(line, "-->") {
			p.fresh = false
			p.begin(t, ok)
			return
		}
	}
	switch {
	case !p.open:
	case line == "" && p.vtt:
		p.flush()
	default: // in SRT a blank line may be part of the text
		p.lines = append(p.lines, line)
	}
}

// begin ends the cue before and starts the next, unless its times are no good:
// then its text belongs to nothing.
func (p *parser) begin(t timing, ok bool) {
	if last := len(p.lines) - 1; last >= 0 && isCounter(p.lines[last]) {
		p.lines = p.lines[:last]
	}
	p.flush()
	switch {
	case !ok:
		p.complain("the times of a cue can't be read")
		return
	case t.start >= t.end:
		p.complain("a cue ends before it starts")
		return
	}
	p.open = true
	p.cue = Cue{Start: t.start, End: t.end}
	if p.vtt {
		p.cue.Settings = cleanSettings(t.rest)
	}
}

// flush ends the cue being read. It keeps only one that shows something.
func (p *parser) flush() {
	if !p.open {
		return
	}
	p.open = false
	p.cue.Text = cleanText(strings.TrimSpace(strings.Join(p.lines, "\n")), p.vtt)
	p.lines = p.lines[:0]
	if p.cue.Text == "" {
		p.complain("a cue above has no text")
		return
	}
	p.cues = append(p.cues, p.cue)
}

func (p *parser) complain(what string) {
	if p.badLine == 0 {
		p.badLine, p.bad = p.line, what
	}
}

// isCounter tells whether a line is only a number, as SRT has above each cue.
func isCounter(line string) bool { return line != "" && strings.Trim(line, "0123456789") == "" }
