package balancer

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer/bbb"
)

// TestWeight: PRODUCT.md 6.6, and FIELD.md T41 for the breakout rooms.
func TestWeight(t *testing.T) {
	t.Parallel()
	rule := LoadRule{MinUsers: 15, Young: 15 * time.Minute, PerVideo: 0.5}
	for name, test := range map[string]struct {
		tally    tally
		weight   float64
		expected int
	}{
		"empty":                         {tally{}, 0, 0},
		"moderators weigh double":       {tally{users: 23, people: 20}, 23, 20},
		"young and empty":               {tally{young: true}, 15, 15},
		"young and small":               {tally{users: 14, people: 12, young: true}, 15, 15},
		"young and just as large":       {tally{users: 15, people: 15, young: true}, 15, 15},
		"young and large":               {tally{users: 31, people: 30, young: true}, 31, 30},
		"joins below the minimum":       {tally{joins: 15, young: true}, 15, 15},
		"joins above the minimum":       {tally{joins: 16, young: true}, 16, 16},
		"joins after a poll":            {tally{users: 11, people: 10, joins: 7, young: true}, 18, 17},
		"joins to an old meeting":       {tally{users: 3, people: 2, joins: 4}, 7, 6},
		"videos":                        {tally{users: 21, people: 20, videos: 3}, 22.5, 20},
		"videos come on top of min":     {tally{users: 3, people: 3, videos: 2, young: true}, 16, 15},
		"breakout":                      {tally{users: 21, people: 20, videos: 9, breakout: true}, 0, 0},
		"young breakout somebody joins": {tally{young: true, joins: 30, breakout: true}, 0, 0},
	} {
		if got := rule.weight(test.tally); got != test.weight {
			t.Errorf("%s: weight %g, want %g", name, got, test.weight)
		}
		if got := rule.expected(test.tally); got != test.expected {
			t.Errorf("%s: %d people expected, want %d", name, got, test.expected)
		}
	}
}

func TestPolledTally(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.March, 3, 8, 0, 0, 0, time.UTC)
	rule := LoadRule{MinUsers: 15, Young: 15 * time.Minute}
	seen := bbb.Meeting{Participants: 20, Moderators: 2, Videos: 4}
	for name, test := range map[string]struct {
		created time.Time
		young   bool
	}{
		"just created":                {now, true},
		"almost old":                  {now.Add(-15*time.Minute + 1), true},
		"old":                         {now.Add(-15 * time.Minute), false},
		"it is not known":             {time.Time{}, false},
		"the server's clock is ahead": {now.Add(time.Minute), true},
	} {
		want := tally{users: 22, people: 20, videos: 4, young: test.young}
		if diff := cmp.Diff(want, rule.polledTally(seen, test.created, now), cmp.AllowUnexported(tally{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	seen.Breakout = true
	if !rule.polledTally(seen, now, now).breakout {
		t.Error("a breakout room is not taken for one")
	}
}

// TestLoadRuleOfConfig: the defaults are those of PRODUCT.md 3, and every key
// gets into the rule.
func TestLoadRuleOfConfig(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(LoadRule{MinUsers: 15, Young: 15 * time.Minute}, DefaultConfig().loadRule()); diff != "" {
		t.Errorf("default (-want +got):\n%s", diff)
	}
	c := Config{LoadMinUserCount: 7, LoadJoinBuffer: time.Minute, LoadPerVideo: 0.25}
	if diff := cmp.Diff(LoadRule{MinUsers: 7, Young: time.Minute, PerVideo: 0.25}, c.loadRule()); diff != "" {
		t.Errorf("configured (-want +got):\n%s", diff)
	}
}
