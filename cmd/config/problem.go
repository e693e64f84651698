package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with the configuration.
type Problem struct {
	File        string `json:"file,omitempty"`
	Line        int    `json:"line,omitempty"`        // 0: not at a line of the file
	Environment string `json:"environment,omitempty"` // the variable it came from
	Key         string `json:"key,omitempty"`
	// Text says what is wrong and, after a semicolon, what would be right. It
	// never holds the value of a secret.
	Text string `json:"problem"`
}

// String is "FILE:LINE: key: text" or "environment NAME: key: text".
func (p Problem) String() string {
	var parts []string
	switch {
	case p.Environment != "":
		parts = append(parts, "environment "+p.Environment)
	case p.File != "" && p.Line > 0:
		parts = append(parts, fmt.Sprintf("%s:%d", p.File, p.Line))
	case p.File != "":
		parts = append(parts, p.File)
	}
	if p.Key != "" {
		parts = append(parts, p.Key)
	}
	return strings.Join(append(parts, p.Text), ": ")
}

// Problems is the error of a configuration that cannot be used: all that is
// wrong with it, the file's problems first, by line.
type Problems []Problem

// Error has one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.Environment, b.Environment),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Key, b.Key),
		)
	})
}

// err returns ps as an error, nil when it is empty.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}
