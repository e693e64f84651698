package bbb

import (
	"iter"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Params are the decoded parameters of a call, in the order in which their
// names first appeared. Of a repeated name the last value counts. Names are
// never empty and are cleaned as BBB cleans them; values are as they came.
//
// A copy of a Params shares its memory: Clone it before changing it.
type Params struct {
	list []param
	// index finds a name once there are more than maxLinear of them, so that
	// a hostile body of a million parameters costs no quadratic time.
	index map[string]int
}

type param struct{ name, value string }

const maxLinear = 32

// ParseQuery decodes a query string or form body. Parameters are separated by
// & alone (a semicolon is a character), '+' is a blank, and what is no valid
// percent encoding stands for itself. Blanks around a name and control
// characters in it go, as in BBB, so that " meetingID" is meetingID; a
// parameter without a name is dropped. It never fails.
func ParseQuery(raw string) Params {
	return parsePairs(raw, true)
}

// parsePairs is ParseQuery, with or without the checksum.
func parsePairs(raw string, withChecksum bool) Params {
	var p Params
	if raw == "" {
		return p
	}
	p.list = make([]param, 0, min(strings.Count(raw, "&")+1, maxLinear))
	for rest, more := raw, true; more; {
		var pair string
		pair, rest, more = strings.Cut(rest, "&")
		name, value, _ := strings.Cut(pair, "=")
		name = clean(unescape(name))
		if name == "" || name == checksumName && !withChecksum {
			continue
		}
		p.set(name, unescape(value))
	}
	return p
}

// Get returns the value of a parameter, "" if it is missing.
func (p Params) Get(name string) string {
	value, _ := p.Lookup(name)
	return value
}

// Lookup returns the value of a parameter and whether it is there.
func (p Params) Lookup(name string) (string, bool) {
	if i := p.find(name); i >= 0 {
		return p.list[i].value, true
	}
	return "", false
}

// ID returns the value of a parameter that identifies something, without the
// control characters and the blanks around it that BBB strips before it
// compares; "" if nothing else is left or the parameter is missing.
func (p Params) ID(name string) string {
	id := clean(p.Get(name))
	if strings.TrimFunc(id, unicode.IsSpace) == "" {
		return ""
	}
	return id
}

// Set gives a parameter a value. A new one comes last; one that is there
// keeps its place. The name is cleaned; if nothing is left of it, nothing
// happens.
func (p *Params) Set(name, value string) {
	if name = clean(name); name != "" {
		p.set(name, value)
	}
}

func (p *Params) set(name, value string) {
	if i := p.find(name); i >= 0 {
		p.list[i].value = value
		return
	}
	p.list = append(p.list, param{name, value})
	if p.index != nil {
		p.index[name] = len(p.list) - 1
	} else if len(p.list) > maxLinear {
		p.reindex()
	}
}

// Del removes a parameter.
func (p *Params) Del(name string) {
	i := p.find(name)
	if i < 0 {
		return
	}
	p.list = slices.Concat(p.list[:i], p.list[i+1:])
	if p.index != nil {
		p.reindex()
	}
}

// Names returns the names in their order.
func (p Params) Names() []string {
	names := make([]string, len(p.list))
	for i := range p.list {
		names[i] = p.list[i].name
	}
	return names
}

// Len returns how many parameters there are.
func (p Params) Len() int { return len(p.list) }

// All yields names and values in their order.
func (p Params) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, e := range p.list {
			if !yield(e.name, e.value) {
				return
			}
		}
	}
}

// Clone returns a copy that shares nothing with p.
func (p Params) Clone() Params {
	return Params{list: slices.Clone(p.list), index: maps.Clone(p.index)}
}

// Encode returns the parameters as a query string in their order, without a
// checksum: '+' for a blank, percent encoding for all but letters, digits and
// "-_.~". ParseQuery gives the same parameters again.
func (p Params) Encode() string {
	var b strings.Builder
	for i, e := range p.list {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(e.name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(e.value))
	}
	return b.String()
}

func (p Params) find(name string) int {
	if p.index != nil {
		i, ok := p.index[name]
		if !ok || i >= len(p.list) || p.list[i].name != name {
			return -1
		}
		return i
	}
	for i := range p.list {
		if p.list[i].name == name {
			return i
		}
	}
	return -1
}

func (p *Params) reindex() {
	p.index = make(map[string]int, len(p.list))
	for i, e := range p.list {
		p.index[e.name] = i
	}
}
