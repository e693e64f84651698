package store_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/store"
	"scalelite/store/kv"
	"scalelite/store/storetest"
)

// fill puts recordings on the shelf, all in one transaction.
func (s *shelf) fill(all ...store.Recording) {
	s.t.Helper()
	err := s.store.Update(s.t.Context(), func(tx *store.Tx) error {
		for _, r := range all {
			if err := tx.PutRecording(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range all {
		s.all[r.ID] = r
	}
}

// frequencies are values that many, some and few recordings have.
var frequencies = []string{"all", "half", "tenth", "hundredth", "once"}

// crowded is a recording among n others; runs of the same value lie together as
// often as far from each other.
func crowded(rnd *rand.Rand, i, n int) store.Recording {
	often := func(i int) string {
		switch {
		case i == n/3:
			return "once"
		case rnd.IntN(100) == 0:
			return "hundredth"
		case rnd.IntN(10) == 0 || i/400%3 == 1 && rnd.IntN(3) > 0:
			return "tenth"
		case rnd.IntN(2) == 0:
			return "half"
		}
		return "all"
	}
	return store.Recording{
		ID: fmt.Sprintf("%02x-%d\x00", rnd.IntN(256), i), Tenant: pick(rnd, "", "", "", "a"),
		MeetingID: fmt.Sprint("m", rnd.IntN(1+n/(1+rnd.IntN(20)))), Start: int64(i / (1 + rnd.IntN(4))),
		State:    pick(rnd, store.Published, store.Published, store.Published, store.Published, store.Unpublished, store.Deleted),
		Imported: map[string]string{"a": often(i), "b": often(n - i), "c": "same", "c\x00": "x"},
	}
}

func crowdedFilter(rnd *rand.Rand, n int) store.RecordingFilter {
	states := store.RecordingStates()
	rnd.Shuffle(len(states), func(i, j int) { states[i], states[j] = states[j], states[i] })
	f := store.RecordingFilter{States: states[:1+rnd.IntN(3)], Meta: map[string][]string{}}
	for _, key := range []string{"a", "b", "c", "none"}[:rnd.IntN(4)+rnd.IntN(10)/9] {
		for range 1 + rnd.IntN(3) {
			f.Meta[key] = append(f.Meta[key], pick(rnd, append(frequencies, "same", "same")...))
		}
	}
	if rnd.IntN(4) == 0 {
		f.Tenant = new(string)
		*f.Tenant = pick(rnd, "", "a")
	}
	switch rnd.IntN(6) {
	case 0:
		for range 1 + rnd.IntN(400) {
			f.Meetings = append(f.Meetings, fmt.Sprint("m", rnd.IntN(n)))
		}
	case 1:
		for range 1 + rnd.IntN(300) {
			f.IDs = append(f.IDs, fmt.Sprintf("%02x", rnd.IntN(256)))
		}
	}
	return f
}

// TestConditionsMeetInAnyOrder: whatever conditions are put together, common
// and rare, what is listed, skipped and counted is what looking at every
// recording would say.
func TestConditionsMeetInAnyOrder(t *testing.T) {
	t.Parallel()
	const n = 3000
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rnd, s := rand.New(rand.NewPCG(seed, 17)), newShelf(t)
			var all []store.Recording
			for i := range n {
				all = append(all, crowded(rnd, i, n))
			}
			s.fill(all...)
			for range 15 {
				f := crowdedFilter(rnd, n)
				want := s.oracle(f)
				got, count := s.list(f, 1+len(want)/(1+rnd.IntN(8)))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("filter %+v (-want +got):\n%s", f, diff)
				}
				if count != int64(len(want)) {
					t.Fatalf("filter %+v counts %d, want %d", f, count, len(want))
				}
				skip := rnd.IntN(len(want) + 2)
				after, since := rnd.Int64N(n), rnd.Int64N(n)
				if got, want := s.between(f, after, since); got != want {
					t.Fatalf("filter %+v from %d to %d counts %d, want %d", f, since, after, got, want)
				}
				if got := s.behind(f, skip); !slices.Equal(got, want[min(skip, len(want)):]) {
					t.Fatalf("filter %+v without the first %d: %v, of %v", f, skip, got, want)
				}
			}
		})
	}
}

// between counts what a filter chooses of the recordings that started at since
// or later, but not behind after, and does so again by looking at each.
func (s *shelf) between(f store.RecordingFilter, after, since int64) (got, want int64) {
	s.t.Helper()
	err := s.store.View(s.t.Context(), func(tx *store.Tx) (err error) {
		got, err = tx.CountRecordingsSince(f, &store.Position{Start: after}, since)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, id := range s.oracle(f) {
		if start := s.all[id].Start; start >= since && start <= after {
			want++
		}
	}
	return got, want
}

// counting is an engine that counts what its transactions read.
type counting struct {
	kv.Engine
	gets, keys *int
}

func (c counting) View(ctx context.Context, fn func(kv.Tx) error) error {
	return c.Engine.View(ctx, func(tx kv.Tx) error { return fn(countingTx{tx, c}) })
}

type countingTx struct {
	kv.Tx
	counting
}

func (t countingTx) Get(key []byte) ([]byte, error) {
	*t.gets++
	return t.Tx.Get(key)
}

func (t countingTx) Scan(prefix, after []byte) iter.Seq2[kv.Item, error] {
	*t.keys++ // it looks for one, whether there is any or not
	return func(yield func(kv.Item, error) bool) {
		for item, err := range t.Tx.Scan(prefix, after) {
			if *t.keys++; !yield(item, err) {
				return
			}
		}
	}
}

// TestListsReadWhatTheyReturn: no list and no count reads records that it does
// not return, and a rare condition spares the keys of a common one.
func TestListsReadWhatTheyReturn(t *testing.T) {
	t.Parallel()
	const n = 6000
	var gets, keys int
	f := storetest.OpenFile(t, filepath.Join(t.TempDir(), "a.db"), nil)
	counted, err := store.New(t.Context(), counting{f.Engine, &gets, &keys}, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{t: t, store: counted, all: map[string]store.Recording{}}
	var all []store.Recording
	var ids []string
	for i := range n {
		if i < n/2 {
			ids = append(ids, fmt.Sprintf("%04d", i))
		}
		all = append(all, store.Recording{
			ID: fmt.Sprintf("%04d", i), MeetingID: "m", Start: int64(i), State: store.Published,
			Imported: map[string]string{"origin": "moodle", "course": fmt.Sprint(i / 10)},
		})
	}
	s.fill(all...)
	open := store.RecordingStates()[:2]
	origin := []string{"moodle"}
	for _, c := range []struct {
		name       string
		filter     store.RecordingFilter
		count      int64
		gets, keys int // of the count; at most
	}{
		{"common", store.RecordingFilter{States: open, Meta: map[string][]string{"origin": origin}}, n, 0, 2*n + 100},
		{"common twice", store.RecordingFilter{States: open, Meta: map[string][]string{"origin": origin}, Meetings: []string{"m"}}, n, 0, 3*n + 100},
		{"rare", store.RecordingFilter{States: open, Meta: map[string][]string{"origin": origin, "course": {"7", "100"}}}, 20, 0, 400},
		{"IDs", store.RecordingFilter{States: open, IDs: ids, Meetings: []string{"m"}}, n / 2, 0, 4*n/2 + 100},
		{"a long key", store.RecordingFilter{States: open, Meta: map[string][]string{strings.Repeat("k", 50_000): origin}}, 0, 0, 100},
		{"no state", store.RecordingFilter{States: []store.RecordingState{store.Deleted}, Meta: map[string][]string{"origin": origin}}, 0, 0, 100},
		{"no tenant", store.RecordingFilter{States: open, Tenant: &origin[0], Meta: map[string][]string{"origin": origin}}, 0, 0, 100},
	} {
		gets, keys = 0, 0
		err := s.store.View(t.Context(), func(tx *store.Tx) error {
			got, err := tx.CountRecordings(c.filter)
			if got != c.count {
				t.Errorf("%s: counts %d, want %d", c.name, got, c.count)
			}
			return err
		})
		if err != nil || gets > c.gets || keys > c.keys {
			t.Errorf("%s: %v, the count took %d records and %d keys, at most %d and %d will do", c.name, err, gets, keys, c.gets, c.keys)
		}
		gets = 0
		if got := int64(len(s.behind(c.filter, 15))); got != max(c.count-15, 0) || int64(gets) > got {
			t.Errorf("%s: %d behind the 15th, for which %d records were read", c.name, got, gets)
		}
	}
}

// asWritten brings a recording to where an early version would have left it: in
// the index under its metadata keys as they were written.
func asWritten(t *testing.T, f *storetest.File, r store.Recording) {
	t.Helper()
	entry := func(key, value string) kv.Key {
		return kv.NewKey("recording.meta").String(key).String("=" + value).Uint64(^(uint64(r.Start) ^ 1<<63)).String(r.ID)
	}
	err := f.Engine.Update(t.Context(), func(tx kv.Tx) error {
		for key, value := range r.Metadata() {
			if err := tx.Delete(entry(key, value)); err != nil {
				return err
			}
		}
		for key, value := range r.Imported {
			if err := tx.Put(entry(key, value), nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestMetadataKeysCountInLowerCase: also those of recordings that are in the
// store as an early version wrote them.
func TestMetadataKeysCountInLowerCase(t *testing.T) {
	t.Parallel()
	for _, early := range []bool{false, true} {
		f := storetest.OpenFile(t, filepath.Join(t.TempDir(), "a.db"), nil)
		s := &shelf{t: t, store: f.Store, all: map[string]store.Recording{}}
		for id, imported := range map[string]map[string]string{
			"capital": {"Course-ID": "7"}, "both": {"Course-ID": "7", "course-id": "8"}, "same": {"Course-ID": "7", "course-id": "7", "COURSE-ID": "9"},
			"lower": {"course-id": "7"}, "shouted": {"COURSE-ID": "8", "Course-ID": "7"}, "other": {"Course-IDs": "7", "course-Id-": "7", "Bourse-ID": "7"},
		} {
			r := store.Recording{ID: id, State: store.Published, Imported: imported}
			s.put(r)
			if early {
				asWritten(t, f, r)
			}
		}
		check := func(value string, want ...string) {
			t.Helper()
			filter := store.RecordingFilter{States: store.RecordingStates(), Meta: map[string][]string{"course-id": {value}}}
			got, count := s.list(filter, 2)
			if diff := cmp.Diff(want, got); diff != "" || count != int64(len(want)) {
				t.Errorf("early %t, %s: counts %d (-want +got):\n%s", early, value, count, diff)
			}
			if behind := s.behind(filter, 1); len(behind) != len(want)-1 {
				t.Errorf("early %t, %s: behind the first %v", early, value, behind)
			}
		}
		check("7", "capital", "lower", "same")
		check("8", "both", "shouted")
		// A change counts alone, and leaves nothing behind.
		eight := "8"
		for _, id := range []string{"capital", "same"} {
			r := s.all[id]
			r.Decided = map[string]*string{"course-id": &eight}
			s.put(r)
			if diff := cmp.Diff(map[string]string{"course-id": "8"}, r.Metadata()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", id, diff)
			}
		}
		check("7", "lower")
		check("8", "both", "capital", "same", "shouted")
		s.purge("capital")
		s.purge("both")
		check("7", "lower")
		check("8", "same", "shouted")
	}
}
