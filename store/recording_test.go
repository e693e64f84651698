package store_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/store"
	"scalelite/store/storetest"
)

// shelf is a store of recordings beside a plain list of them.
type shelf struct {
	t     *testing.T
	store *store.Store
	all   map[string]store.Recording
}

func newShelf(t *testing.T) *shelf {
	return &shelf{t: t, store: storetest.Open(t), all: map[string]store.Recording{}}
}

func (s *shelf) put(r store.Recording) {
	s.t.Helper()
	if err := s.store.Update(s.t.Context(), func(tx *store.Tx) error { return tx.PutRecording(r) }); err != nil {
		s.t.Fatal(err)
	}
	s.all[r.ID] = r
}

func (s *shelf) purge(id string) {
	s.t.Helper()
	if err := s.store.Update(s.t.Context(), func(tx *store.Tx) error { return tx.PurgeRecording(id) }); err != nil {
		s.t.Fatal(err)
	}
	delete(s.all, id)
}

// list reads what a filter chooses, in pages of size, and how many the store
// says there are.
func (s *shelf) list(f store.RecordingFilter, size int) (ids []string, count int64) {
	s.t.Helper()
	var after *store.Position
	for {
		var page []store.Recording
		err := s.store.View(s.t.Context(), func(tx *store.Tx) (err error) {
			page = nil
			if count, err = tx.CountRecordings(f); err != nil {
				return err
			}
			for r, err := range tx.Recordings(f, after) {
				if err != nil {
					return err
				}
				if page = append(page, r); len(page) == size {
					return nil
				}
			}
			return nil
		})
		if err != nil {
			s.t.Fatal(err)
		}
		for _, r := range page {
			ids = append(ids, r.ID)
		}
		if len(page) < size {
			return ids, count
		}
		last := page[len(page)-1]
		after = &store.Position{Start: last.Start, ID: last.ID}
	}
}

// behind reads what a filter chooses without the first skip of it.
func (s *shelf) behind(f store.RecordingFilter, skip int) (ids []string) {
	s.t.Helper()
	err := s.store.View(s.t.Context(), func(tx *store.Tx) error {
		ids = nil
		for r, err := range tx.RecordingsFrom(f, nil, int64(skip)) {
			if err != nil {
				return err
			}
			ids = append(ids, r.ID)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return ids
}

// oracle chooses the same by looking at every recording.
func (s *shelf) oracle(f store.RecordingFilter) (ids []string) {
	var chosen []store.Recording
	for _, r := range s.all {
		if f.Tenant != nil && r.Tenant != *f.Tenant || !slices.Contains(f.States, r.State) {
			continue
		}
		if f.IDs != nil && !slices.ContainsFunc(f.IDs, func(p string) bool { return p != "" && strings.HasPrefix(r.ID, p) }) {
			continue
		}
		if f.Meetings != nil && !slices.Contains(f.Meetings, r.MeetingID) {
			continue
		}
		metadata, misses := r.Metadata(), false
		for key, values := range f.Meta {
			value, ok := metadata[key]
			misses = misses || !ok || !slices.Contains(values, value)
		}
		if !misses {
			chosen = append(chosen, r)
		}
	}
	slices.SortFunc(chosen, func(a, b store.Recording) int {
		if a.Start != b.Start {
			return int(b.Start - a.Start)
		}
		return strings.Compare(a.ID, b.ID)
	})
	for _, r := range chosen {
		ids = append(ids, r.ID)
	}
	return ids
}

func pick[T any](rnd *rand.Rand, from ...T) T { return from[rnd.IntN(len(from))] }

func (s *shelf) random(rnd *rand.Rand) store.Recording {
	long := strings.Repeat("long ", 100)
	r := store.Recording{
		ID: fmt.Sprintf("%x-%d", rnd.IntN(40), rnd.IntN(3)), Tenant: pick(rnd, "", "a", "b"),
		MeetingID: pick(rnd, "m1", "m2", "m\x00", "m1\x00x", ""), State: pick(rnd, store.RecordingStates()...),
		Start:    pick[int64](rnd, -5, 0, 1, 2, 1_700_000_000_000),
		Imported: map[string]string{"name": pick(rnd, "x", "y", "", long+"1", long+"2")},
	}
	if rnd.IntN(2) == 0 {
		r.Decided = map[string]*string{"name": nil, "gl-listed": new(string)}
	}
	return r
}

func (s *shelf) randomFilter(rnd *rand.Rand) store.RecordingFilter {
	f := store.RecordingFilter{States: []store.RecordingState{store.Published, store.Unpublished}}
	if rnd.IntN(3) == 0 {
		f.States = store.RecordingStates()
	}
	if rnd.IntN(2) == 0 {
		f.Tenant = new(string)
		*f.Tenant = pick(rnd, "", "a", "b", "c")
	}
	switch rnd.IntN(4) {
	case 0:
		f.IDs = []string{pick(rnd, "1", "1", "2-", "1f-0", "zz", "")}
		if rnd.IntN(2) == 0 {
			f.IDs = append(f.IDs, "1")
		}
	case 1:
		f.Meetings = []string{pick(rnd, "m1", "m2", "m\x00", "none"), "m1"}
	}
	if rnd.IntN(2) == 0 {
		f.Meta = map[string][]string{"name": {pick(rnd, "x", "y", "", strings.Repeat("long ", 100)+"1"), "x"}}
		if rnd.IntN(2) == 0 {
			f.Meta["gl-listed"] = []string{""}
		}
	}
	return f
}

// TestRecordingListsAgreeWithAnOracle (S10): after any changes, every filter
// chooses what looking at every recording would, in the same order, on pages of
// any size, and the counts are right.
func TestRecordingListsAgreeWithAnOracle(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 1))
			s := newShelf(t)
			for range 250 {
				if rnd.IntN(6) == 0 && len(s.all) > 0 {
					s.purge(slices.Sorted(maps.Keys(s.all))[rnd.IntN(len(s.all))])
				} else {
					s.put(s.random(rnd))
				}
				f := s.randomFilter(rnd)
				got, count := s.list(f, 1+rnd.IntN(7))
				want := s.oracle(f)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("filter %+v (-want +got):\n%s", f, diff)
				}
				if skip := rnd.IntN(len(want) + 2); len(s.behind(f, skip)) != max(len(want)-skip, 0) {
					t.Fatalf("filter %+v without the first %d: %v of %v", f, skip, s.behind(f, skip), want)
				}
				if count != int64(len(want)) {
					t.Fatalf("filter %+v counts %d, want %d", f, count, len(want))
				}
			}
		})
	}
}

// TestPrefixesOfManyRecordings: the same where more begin with them than are
// sorted in memory.
func TestPrefixesOfManyRecordings(t *testing.T) {
	t.Parallel()
	rnd, s := rand.New(rand.NewPCG(1, 1)), newShelf(t)
	var all []store.Recording
	for i := range 2600 {
		r := s.random(rnd)
		r.ID, r.Start = fmt.Sprintf("%05x-%d", rnd.IntN(1<<20), i), rnd.Int64N(1000)
		if i%10 == 0 {
			r.ID = "z" + r.ID
		}
		all = append(all, r)
	}
	s.fill(all...)
	hex := strings.Split("0123456789abcdef", "")
	for _, f := range []store.RecordingFilter{
		{IDs: hex, States: store.RecordingStates()},
		{IDs: append(slices.Clone(hex), "0", "01", "", "zz"), States: store.RecordingStates()[:2], Tenant: new(string)},
		{IDs: hex, States: store.RecordingStates(), Meetings: []string{"m1"}},
		{IDs: hex[:4], States: store.RecordingStates(), Meta: map[string][]string{"name": {"x", "y"}}},
	} {
		got, count := s.list(f, 300)
		if diff := cmp.Diff(s.oracle(f), got); diff != "" || count != int64(len(got)) {
			t.Errorf("filter %+v counts %d (-want +got):\n%s", f, count, diff)
		}
	}
}

func TestRecordingWithoutUsableIDsIsRefused(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	for _, r := range []store.Recording{
		{}, {ID: strings.Repeat("x", store.MaxRecordID+1)}, {ID: "r", MeetingID: strings.Repeat("m", store.MaxMeetingID+1)},
	} {
		if err := s.store.Update(t.Context(), func(tx *store.Tx) error { return tx.PutRecording(r) }); err == nil {
			t.Errorf("recording %.20q of meeting %.20q was stored", r.ID, r.MeetingID)
		}
	}
}

func TestMetadataDecisionsBeatWhatWasImported(t *testing.T) {
	t.Parallel()
	renamed := "mine"
	r := store.Recording{
		Imported: map[string]string{"name": "theirs", "origin": "bbb", "tags": "a"},
		Decided:  map[string]*string{"name": &renamed, "tags": nil, "extra": new(string)},
	}
	want := map[string]string{"name": "mine", "origin": "bbb", "extra": ""}
	if diff := cmp.Diff(want, r.Metadata()); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

func TestCallbacksAreDueInOrder(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		var errs []error
		for n, wait := range []int{30, 10, 20} {
			c := store.Callback{ID: fmt.Sprint("c", n), Next: tx.Now.AddDate(0, 0, wait)}
			errs = append(errs, tx.PutCallback(c))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	err = s.View(t.Context(), func(tx *store.Tx) error {
		order = nil
		for c, err := range tx.DueCallbacks() {
			if err != nil {
				return err
			}
			order = append(order, c.ID)
		}
		return nil
	})
	if diff := cmp.Diff([]string{"c1", "c2", "c0"}, order); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
