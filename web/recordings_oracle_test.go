package web

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// parts splits a list as the contract says.
func parts(list string) (all []string) {
	for _, part := range strings.Split(list, ",") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

// goodKey tells whether metadata can have a key.
func goodKey(key string) bool {
	const first = "abcdefghijklmnopqrstuvwxyz_"
	return key != "" && strings.Contains(first, key[:1]) && strings.Trim(key, first+"0123456789.-") == ""
}

// wantListed says what getRecordings must list, by looking at every recording.
func wantListed(all []store.Recording, p bbb.Params) []string {
	ids, _ := wantPage(all, p)
	return ids
}

// wantPage is wantListed with the total of a page, -1 if there are no pages.
func wantPage(all []store.Recording, p bbb.Params) (ids []string, total int64) {
	kept := []store.Recording{}
	for _, r := range all {
		if wanted(r, p) {
			kept = append(kept, r)
		}
	}
	slices.SortFunc(kept, func(a, b store.Recording) int {
		if a.Start != b.Start {
			return int(b.Start - a.Start)
		}
		return strings.Compare(a.ID, b.ID)
	})
	total = -1
	if limit, err := strconv.Atoi(p.ID("limit")); err == nil {
		total = int64(len(kept))
		offset, err := strconv.Atoi(p.ID("offset"))
		if err != nil {
			offset = 0
		}
		kept = kept[min(max(offset, 0), len(kept)):]
		kept = kept[:min(max(limit, 1), 100, len(kept))]
	}
	for _, r := range kept {
		ids = append(ids, r.ID)
	}
	return ids, total
}

// wantPageOf fails the test unless an answer is what the oracle says.
func wantPageOf(t *testing.T, all []store.Recording, p bbb.Params, l listing) {
	t.Helper()
	ids, total := wantPage(all, p)
	if diff := cmp.Diff(ids, l.ids()); diff != "" {
		t.Fatalf("%q (-want +got):\n%s", p.Encode(), diff)
	}
	if (l.Total == nil) != (total < 0) || l.Total != nil && *l.Total != total {
		t.Fatalf("%q: %d are chosen, but it says %v", p.Encode(), total, l.Total)
	}
}

func wanted(r store.Recording, p bbb.Params) bool {
	states := "published,unpublished"
	if given, ok := p.Lookup("state"); ok {
		states = given
	}
	byState := false
	for _, state := range parts(states) {
		switch state {
		case "any", string(r.State):
			byState = true
		case "published", "unpublished", "deleted", "processing", "processed":
		default:
			return false
		}
	}
	if _, ok := p.Lookup("recordID"); ok {
		if !slices.ContainsFunc(parts(p.ID("recordID")), func(prefix string) bool { return strings.HasPrefix(r.ID, prefix) }) {
			return false
		}
	} else if _, ok := p.Lookup("meetingID"); ok && !slices.Contains(parts(p.ID("meetingID")), r.MeetingID) {
		return false
	}
	last := map[string][]string{} // of keys that differ only in case, the last counts
	for name, value := range p.All() {
		if key, ok := strings.CutPrefix(name, "meta_"); ok {
			if last[strings.ToLower(key)] = parts(value); !goodKey(strings.ToLower(key)) || len(parts(value)) == 0 {
				return false
			}
		}
	}
	for key, values := range last {
		if value, ok := r.Metadata()[key]; !ok || !slices.Contains(values, value) {
			return false
		}
	}
	return byState
}

// crowd makes recordings that are easily taken for each other.
func crowd(rnd *rand.Rand, n int) (all []store.Recording) {
	any := func(from ...string) string { return from[rnd.IntN(len(from))] }
	for i := range n {
		r := store.Recording{
			ID:        fmt.Sprintf("%x%x-%d", rnd.IntN(20), rnd.IntN(3), i),
			MeetingID: any("m", "m1", "m,", "ä b", "M"), Name: any("x", "<"),
			State: store.RecordingStates()[rnd.IntN(3)], Start: int64(rnd.IntN(n / 2)),
			Imported: map[string]string{"a": any("1", "2", "1,2", ""), "b.c": any("x", "y y")},
		}
		if rnd.IntN(2) == 0 {
			two := "2"
			r.Decided = map[string]*string{"a": &two, "b.c": nil, "_d-e": &two}
		}
		all = append(all, r)
	}
	return all
}

// TestFiltersAgreeWithAnOracle (S10).
func TestFiltersAgreeWithAnOracle(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	all := crowd(rnd, 90)
	s := withRecordings(t, settings{})
	s.lay(all...)
	values := map[string][]string{
		"recordID":  {"", "1", "10", "1,10", "10-", " 2 ,", ",", all[0].ID, all[0].ID + "," + all[1].ID + ",", "zz", all[2].ID + "0", "1\x01"},
		"meetingID": {"", "m", "m1,M", "ä b", "m,m,", " , ", "m\x00", "none", "*", "%"},
		"state":     {"", "any", "published", "unpublished,deleted", "published,", "any,published", "published,unpublished,published", "bogus", "any,bogus", "processing", "processed,deleted", "ANY", "Published"},
		"meta_a":    {"", "1", "2", "1,2", "2,", " 2", "none", ","},
		"meta_A":    {"1", "2", ""},
		"meta_b.c":  {"x", "y y", "x,y y"},
		"meta__d-e": {"2", "1,2"},
		"meta_a b":  {"1"}, "meta_": {"1"}, "meta_é": {"1"},
		"limit": {"3", "100", "0", "-1", "1000", "x", ""}, "offset": {"2", "-2", "x", "500"},
	}
	names := []string{"recordID", "meetingID", "state", "meta_a", "meta_A", "meta_b.c", "meta__d-e", "limit", "offset", "recordID", "meetingID", "state", "meta_a b", "meta_", "meta_é"}
	some := 0
	for range 1500 {
		var p bbb.Params
		for range rnd.IntN(5) {
			name := names[rnd.IntN(len(names)-rnd.IntN(4))]
			p.Set(name, values[name][rnd.IntN(len(values[name]))])
		}
		if len(wantListed(all, p)) > 0 && p.Len() > 0 {
			some++
		}
		a := s.fetch(http.MethodGet, s.base+"/getRecordings?"+bbb.Sign(bbb.SHA256, "getRecordings", p.Encode(), testSecret), nil, nil)
		wantPageOf(t, all, p, a.listing(t))
	}
	if some < 300 {
		t.Errorf("only %d filters chose anything", some)
	}
}

// FuzzRecordingFilters (S10): whatever is asked for, what is answered is what
// looking at every recording would choose.
func FuzzRecordingFilters(f *testing.F) {
	all := crowd(rand.New(rand.NewPCG(3, 4)), 40)
	s := withRecordings(f, settings{})
	s.lay(all...)
	for _, seed := range []string{
		"", "recordID=1", "recordID=1,10&state=any", "meetingID=m,m1,&meta_a=1,2", "meta_b.c=x&meta_A=2&limit=3&offset=1", "state=deleted&recordID=", "meta_%00=1",
		"meetingID=%C3%A4+b&state=any,", "recordID=%01", "meta_a=%FF", "limit=1e3", "state=any&state=published", "recordID=1&meetingID=", "meta__d-e=2&limit=-5",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if len(query) > 2000 {
			t.Skip()
		}
		p := bbb.ParseQuery(query)
		p.Del("checksum")
		s.t = t
		a := s.fetch(http.MethodGet, s.base+"/getRecordings?"+bbb.Sign(bbb.SHA256, "getRecordings", p.Encode(), testSecret), nil, nil)
		wantPageOf(t, all, p, a.listing(t))
	})
}
