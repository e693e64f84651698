package balancer

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer/bbb"
)

func TestParseTagWish(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		value string
		want  TagWish
	}{
		{"", TagWish{}},
		{"  ", TagWish{}},
		{"!", TagWish{}},
		{" ; ;! ", TagWish{}},
		{"de", TagWish{Tags: []string{"de"}, Text: "de"}},
		{"de!", TagWish{Tags: []string{"de"}, Required: true, Text: "de"}},
		{" de ! ", TagWish{Tags: []string{"de"}, Required: true, Text: "de"}},
		{"de;fr", TagWish{Tags: []string{"de", "fr"}, Text: "de;fr"}},
		{"de; fr;!", TagWish{Tags: []string{"de", "fr"}, Required: true, Text: "de; fr;"}},
		{"none", TagWish{Tags: []string{""}, Text: "none"}},
		{"none!", TagWish{Tags: []string{""}, Required: true, Text: "none"}},
		{"de;none!", TagWish{Tags: []string{"de", ""}, Required: true, Text: "de;none"}},
		{"de!;fr", TagWish{Tags: []string{"de!", "fr"}, Text: "de!;fr"}},
		{"None", TagWish{Tags: []string{"None"}, Text: "None"}},
	} {
		if diff := cmp.Diff(test.want, ParseTagWish(test.value)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.value, diff)
		}
	}
}

// TestPickTags is the table of PRODUCT.md 6.3 (T55). The candidates are named
// for their tag and load.
func TestPickTags(t *testing.T) {
	t.Parallel()
	var (
		plain20 = Candidate{ID: "plain20", Load: 20}
		plain30 = Candidate{ID: "plain30", Load: 30}
		de10    = Candidate{ID: "de10", Tag: "de", Load: 10}
		de40    = Candidate{ID: "de40", Tag: "de", Load: 40}
		fr5     = Candidate{ID: "fr5", Tag: "fr", Load: 5}
		mixed   = []Candidate{plain20, plain30, de10, de40, fr5}
		tagged  = []Candidate{de10, de40, fr5}
	)
	for _, test := range []struct {
		candidates []Candidate
		wish       string
		want       string // "" with the default fallback: no server
		wantAny    string // with the fallback "any"
	}{
		{mixed, "", "plain20", "plain20"},
		{mixed, "none", "plain20", "plain20"},
		{mixed, "none!", "plain20", "plain20"},
		{mixed, "de", "de10", "de10"},
		{mixed, "de!", "de10", "de10"},
		{mixed, "de;fr", "fr5", "fr5"},
		{mixed, "de;fr!", "fr5", "fr5"},
		{mixed, "it;de", "de10", "de10"},
		{mixed, "it;none", "plain20", "plain20"},
		{mixed, "de;none!", "de10", "de10"},
		{mixed, "it", "plain20", "fr5"},
		{mixed, "it;es", "plain20", "fr5"},
		{mixed, "DE", "plain20", "fr5"},
		{tagged, "", "", "fr5"},
		{tagged, "none", "", "fr5"},
		{tagged, "it", "", "fr5"},
		{tagged, "de", "de10", "de10"},
		{nil, "", "", ""},
		{nil, "de", "", ""},
	} {
		for anyTag, want := range map[bool]string{false: test.want, true: test.wantAny} {
			got, err := Pick(test.candidates, ParseTagWish(test.wish), anyTag)
			if got != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, bbb.ErrNoServer) {
				t.Errorf("wish %q, any tag %v: Pick = %q, %v, want %q", test.wish, anyTag, got, err, want)
			}
		}
	}
}

// TestPickRequiredTag: a required tag that no server has is refused, with the
// wish but not its mark in the message, whatever the fallback.
func TestPickRequiredTag(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		candidates []Candidate
		wish, text string
	}{
		{[]Candidate{{ID: "plain"}, {ID: "de", Tag: "de"}}, "it!", "it"},
		{[]Candidate{{ID: "plain"}, {ID: "de", Tag: "de"}}, "it;es!", "it;es"},
		{[]Candidate{{ID: "de", Tag: "de"}}, "none!", "none"},
		{nil, "de!", "de"},
	} {
		for _, anyTag := range []bool{false, true} {
			got, err := Pick(test.candidates, ParseTagWish(test.wish), anyTag)
			want := "There is no available server with the required tag=" + test.text + "."
			refusal, ok := errors.AsType[*bbb.Error](err)
			if got != "" || !ok || refusal.Key != "serverTagUnavailable" || refusal.Message != want {
				t.Errorf("wish %q, any tag %v: Pick = %q, %v, want serverTagUnavailable: %s", test.wish, anyTag, got, err, want)
			}
		}
	}
}

// TestPickOrder: each candidate of a row is better than the next, wherever in
// the list they stand.
func TestPickOrder(t *testing.T) {
	t.Parallel()
	for name, ranked := range map[string][]Candidate{
		"lowest load":        {{ID: "z", Load: 0.5, Chosen: 9}, {ID: "y", Load: 1, Chosen: 8}, {ID: "x", Load: 1.5}},
		"chosen longest ago": {{ID: "z", Load: 7, Chosen: 0}, {ID: "y", Load: 7, Chosen: 3}, {ID: "x", Load: 7, Chosen: 4}},
		"else by ID":         {{ID: "x", Load: 7, Chosen: 3}, {ID: "y", Load: 7, Chosen: 3}, {ID: "z", Load: 7, Chosen: 3}},
		"standby last": {
			{ID: "z", Load: 100, Chosen: 9},
			{ID: "y", Load: 1, Chosen: 1, Standby: true}, {ID: "x", Load: 2, Standby: true},
		},
		"doubtful last": {
			{ID: "z", Load: 100, Chosen: 9},
			{ID: "y", Load: 50, Chosen: 8, Standby: true},
			{ID: "x", Load: 1, Doubtful: true}, {ID: "w", Doubtful: true, Standby: true},
		},
	} {
		for _, order := range permutations(ranked) {
			for first := range ranked {
				left := slices.DeleteFunc(slices.Clone(order), func(c Candidate) bool { return slices.Contains(ranked[:first], c) })
				if got, err := Pick(left, TagWish{}, false); got != ranked[first].ID || err != nil {
					t.Errorf("%s: of %v Pick = %q, %v, want %q", name, left, got, err, ranked[first].ID)
				}
			}
		}
	}
}

// TestPickTagBeforeOrder: a server whose tag suits is taken even if it is on
// standby or doubtful and others are not.
func TestPickTagBeforeOrder(t *testing.T) {
	t.Parallel()
	for _, suits := range []Candidate{
		{ID: "de", Tag: "de", Load: 100},
		{ID: "de", Tag: "de", Standby: true},
		{ID: "de", Tag: "de", Doubtful: true},
	} {
		if got, err := Pick([]Candidate{{ID: "plain"}, suits}, ParseTagWish("de"), true); got != "de" || err != nil {
			t.Errorf("Pick with %+v = %q, %v, want de", suits, got, err)
		}
	}
}

// permutations returns all orders of a list.
func permutations(list []Candidate) [][]Candidate {
	if len(list) <= 1 {
		return [][]Candidate{list}
	}
	var all [][]Candidate
	for i, first := range list {
		rest := slices.Delete(slices.Clone(list), i, i+1)
		for _, p := range permutations(rest) {
			all = append(all, append([]Candidate{first}, p...))
		}
	}
	return all
}
