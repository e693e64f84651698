package balancer

import (
	"cmp"
	"slices"
	"strings"

	"scalelite/balancer/bbb"
)

// TagParam is the create parameter that asks for tagged servers.
const TagParam = "meta_server-tag"

// untaggedName stands for the untagged servers in a list of tags.
const untaggedName = "none"

// TagWish is a decoded meta_server-tag. The zero value asks for an untagged
// server.
type TagWish struct {
	Tags     []string // "" stands for the untagged servers
	Required bool
	// Text is the value as it was given, without the mark that makes it required.
	Text string
}

// ParseTagWish decodes a meta_server-tag: tags separated by ';', "none" for the
// untagged servers; a '!' at the end makes them required.
func ParseTagWish(value string) TagWish {
	text, required := strings.CutSuffix(strings.TrimSpace(value), "!")
	wish := TagWish{Required: required, Text: strings.TrimSpace(text)}
	for tag := range strings.SplitSeq(text, ";") {
		switch tag = strings.TrimSpace(tag); tag {
		case "":
		case untaggedName:
			wish.Tags = append(wish.Tags, "")
		default:
			wish.Tags = append(wish.Tags, tag)
		}
	}
	if len(wish.Tags) == 0 {
		return TagWish{}
	}
	return wish
}

// Candidate is what Pick knows of a server that could take a meeting.
type Candidate struct {
	ID   string
	Tag  string
	Load float64 // multiplier included
	// Chosen orders the servers by when they last got a meeting.
	Chosen int64
	// Standby: only when no other server can.
	Standby bool
	// Doubtful: its last answer failed, and it is online only because so many
	// failed at once.
	Doubtful bool
}

// Pick returns the ID of the candidate that takes the next meeting: of those
// whose tag suits the wish the one with the lowest load, among equals the one
// chosen longest ago. If no tag suits, a required wish is refused with
// bbb.TagUnavailable, any other falls back to the untagged servers, and with
// anyTag to all of them. Without a candidate it returns bbb.ErrNoServer.
func Pick(candidates []Candidate, wish TagWish, anyTag bool) (string, error) {
	tags := wish.Tags
	if len(tags) == 0 {
		tags = []string{""}
	}
	if id, ok := best(candidates, func(c Candidate) bool { return slices.Contains(tags, c.Tag) }); ok {
		return id, nil
	}
	if wish.Required {
		return "", bbb.TagUnavailable(wish.Text)
	}
	if id, ok := best(candidates, func(c Candidate) bool { return anyTag || c.Tag == "" }); ok {
		return id, nil
	}
	return "", bbb.ErrNoServer
}

func best(candidates []Candidate, suits func(Candidate) bool) (id string, ok bool) {
	var first *Candidate
	for i, c := range candidates {
		if suits(c) && (first == nil || before(c, *first) < 0) {
			first = &candidates[i]
		}
	}
	if first == nil {
		return "", false
	}
	return first.ID, true
}

// before orders candidates, the one to be chosen first.
func before(a, b Candidate) int {
	return cmp.Or(
		compareBool(a.Doubtful, b.Doubtful),
		compareBool(a.Standby, b.Standby),
		cmp.Compare(a.Load, b.Load),
		cmp.Compare(a.Chosen, b.Chosen),
		strings.Compare(a.ID, b.ID),
	)
}

// compareBool puts false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}
