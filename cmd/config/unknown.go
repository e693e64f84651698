package config

import (
	"fmt"
	"strings"
)

// unknownSection reports a name at the top of the file that is no section.
func (l *loader) unknownSection(name string, value any) {
	if _, isTable := value.(map[string]any); !isTable {
		text := "unknown key, outside of any section"
		for _, f := range l.fields {
			if f.name == name {
				text += fmt.Sprintf("; it belongs below a line [%s]", f.section)
				break
			}
		}
		if !strings.Contains(text, ";") {
			text += "; keys stand below a section like [web]"
		}
		l.fileProblem([]string{name}, text)
		return
	}
	if near := nearest(name, sectionNames()); near != "" {
		l.fileProblem([]string{name}, fmt.Sprintf("unknown section; did you mean [%s]?", near))
		return
	}
	l.fileProblem([]string{name}, "unknown section; the sections are "+strings.Join(sectionNames(), ", "))
}

// unknownKey reports a key that its section does not have: the same name in
// another section is the likeliest cause, then a slip of the pen.
func (l *loader) unknownKey(section, name string) {
	path := []string{section, name}
	var names []string
	for _, f := range l.fields {
		if f.name == name {
			l.fileProblem(path, fmt.Sprintf("unknown key; it belongs in [%s]", f.section))
			return
		}
		if f.section == section {
			names = append(names, f.name)
		}
	}
	if near := nearest(name, names); near != "" {
		l.fileProblem(path, fmt.Sprintf("unknown key; did you mean %q?", near))
		return
	}
	l.fileProblem(path, "unknown key; 'scalelite config show' lists those there are")
}

// nearest returns the name that is most like s, or "" if none is close.
func nearest(s string, names []string) string {
	s = strings.ToLower(strings.ReplaceAll(clip(s), "-", "_"))
	best, distance := "", max(2, len(s)/3)+1
	for _, name := range names {
		if d := editDistance(s, name); d < distance {
			best, distance = name, d
		}
	}
	return best
}

// editDistance counts the bytes to insert, delete or replace that make a into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	next := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
		}
		row, next = next, row
	}
	return row[len(b)]
}
