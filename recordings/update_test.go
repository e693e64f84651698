package recordings

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/store"
)

func TestUpdateSetsAndRemoves(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA).meta("colour", "red").meta("size", "big"), presentation(idB))
	s.sets(idA, map[string]string{"Colour": "blue", "size": "", "new-key": "x"})
	want := map[string]string{"bbb-origin": "greenlight", "colour": "blue", "new-key": "x"}
	if diff := cmp.Diff(want, s.get(idA).Metadata()); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	s.sets(idA, map[string]string{"size": "back", "new-key": ""})
	want = map[string]string{"bbb-origin": "greenlight", "colour": "blue", "size": "back"}
	if diff := cmp.Diff(want, s.get(idA).Metadata()); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if _, ok := s.get(idB).Metadata()["colour"]; ok {
		t.Error("another recording changed")
	}
}

// What came with capitals is the same key: it is changed and found by it.
func TestUpdateOfAKeyWithCapitals(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA).meta("Course-ID", "7"))
	for _, value := range []string{"7", "8", ""} {
		if value != "7" {
			s.sets(idA, map[string]string{"Course-ID": value})
		}
		want := map[string]string{"bbb-origin": "greenlight", "course-id": value}
		if value == "" {
			delete(want, "course-id")
		}
		if diff := cmp.Diff(want, s.get(idA).Metadata()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", value, diff)
		}
		var found int64
		err := s.store.View(t.Context(), func(tx *store.Tx) (err error) {
			found, err = tx.CountRecordings(store.RecordingFilter{States: store.RecordingStates(), Meta: map[string][]string{"course-id": {"7", "8"}}})
			return err
		})
		if err != nil || (found == 1) != (value != "") {
			t.Errorf("%q: %d found, %v", value, found, err)
		}
	}
}

func TestUpdateProtectsAll(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA), presentation(idB))
	for _, protect := range []bool{true, false} {
		ok, err := s.Update(t.Context(), nil, []string{idA, idB}, Change{Protect: &protect})
		if !ok || err != nil || s.get(idA).Protected != protect || s.get(idB).Protected != protect {
			t.Errorf("protect %t: %t, %v", protect, ok, err)
		}
	}
}

// Nothing to do is false, and so is all that names a recording that is not
// there: then nothing changes.
func TestUpdateOfNothingIsFalse(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA), presentation(idB))
	s.sets(idA, map[string]string{"set": "x"})
	s.deletes(idB)
	before := s.get(idA)
	protect := false
	for name, c := range map[string]struct {
		ids    []string
		change Change
	}{
		"nothing given":            {[]string{idA}, Change{}},
		"the same value":           {[]string{idA}, Change{Meta: map[string]string{"set": "x"}}},
		"nothing to remove":        {[]string{idA}, Change{Meta: map[string]string{"none": ""}}},
		"protected as before":      {[]string{idA}, Change{Protect: &protect}},
		"no recording":             {nil, Change{Meta: map[string]string{"a": "b"}}},
		"an unknown ID":            {[]string{idA, "unknown"}, Change{Meta: map[string]string{"a": "b"}}},
		"a deleted one":            {[]string{idA, idB}, Change{Meta: map[string]string{"a": "b"}}},
		"a prefix is no recording": {[]string{idA[:40]}, Change{Meta: map[string]string{"a": "b"}}},
	} {
		if ok, err := s.Update(t.Context(), nil, c.ids, c.change); ok || err != nil {
			t.Errorf("%s: %t, %v", name, ok, err)
		}
		if diff := cmp.Diff(before, s.get(idA)); diff != "" {
			t.Errorf("%s: the record changed:\n%s", name, diff)
		}
	}
}

func TestUpdateRefusesKeys(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	before := s.get(idA)
	for _, key := range []string{"", "1a", "-a", "a b", "a:b", "a<b", "ä", "a\x00", "tenant-id", "Tenant-Name", strings.Repeat("k", 201)} {
		ok, err := s.Update(t.Context(), nil, []string{idA}, Change{Meta: map[string]string{"good": "x", key: "v"}})
		if ok || !errors.Is(err, ErrInvalid) {
			t.Errorf("key %q: %t, %v", key, ok, err)
		}
	}
	if _, err := s.Update(t.Context(), nil, []string{idA}, Change{Meta: map[string]string{"a": strings.Repeat("x", 64<<10+1)}}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a long value: %v", err)
	}
	if diff := cmp.Diff(before, s.get(idA)); diff != "" {
		t.Errorf("the record changed:\n%s", diff)
	}
}

// Bytes that are no UTF-8 must not part a record from its indexes: an entry that
// outlives its record fails every listing that meets it.
func TestUpdateWithBytesThatAreNoText(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	s.sets(idA, map[string]string{"a": "x\xff\xfey"})
	if got := s.get(idA).Metadata()["a"]; got != "x\uFFFDy" {
		t.Errorf("value %q", got)
	}
	_, err := s.Purge(t.Context(), []string{idA})
	must(t, err)
	must(t, s.db.View(t.Context(), func(tx *store.Tx) error {
		filter := store.RecordingFilter{States: store.RecordingStates(), Meta: map[string][]string{"a": {"x\xff\xfey", "x\uFFFDy"}}}
		_, err := tx.CountRecordings(filter)
		return err
	}))
}

// S2: each of the three calls with own, foreign, mixed and unknown IDs.
func TestS2ForeignRecordings(t *testing.T) {
	t.Parallel()
	own, mine, theirs := idA, "t1", "t2"
	foreign := idB
	calls := map[string]func(*shelf, []string) (bool, error){
		"publish": func(s *shelf, ids []string) (bool, error) {
			changed, err := s.SetPublished(t.Context(), &mine, ids, false)
			return slices.Contains(changed, own), err
		},
		"delete": func(s *shelf, ids []string) (bool, error) {
			gone, err := s.Delete(t.Context(), &mine, ids)
			return slices.Contains(gone, own), err
		},
		"update": func(s *shelf, ids []string) (bool, error) {
			return s.Update(t.Context(), &mine, ids, Change{Meta: map[string]string{"a": "b"}})
		},
	}
	for name, call := range calls {
		for _, c := range []struct {
			name    string
			ids     []string
			changed map[string]bool // by call
			found   bool            // one of them is there
		}{
			{"own", []string{own}, map[string]bool{"publish": true, "delete": true, "update": true}, true},
			{"foreign", []string{foreign}, nil, false},
			{"mixed", []string{foreign, own, "unknown"}, map[string]bool{"publish": true, "delete": true}, true},
			{"unknown", []string{"unknown"}, nil, false},
		} {
			t.Run(name+" "+c.name, func(t *testing.T) {
				t.Parallel()
				s := newShelf(t)
				s.imports(presentation(own).meta("tenant-id", mine), presentation(foreign).meta("tenant-id", theirs))
				before, other := s.get(own), s.get(foreign)
				changed, err := call(s, c.ids)
				if changed != c.changed[name] {
					t.Errorf("changed %t, error %v", changed, err)
				}
				wantErr := !c.found && name != "update"
				if errors.Is(err, ErrNotFound) != wantErr || err != nil && !wantErr {
					t.Errorf("error %v", err)
				}
				if diff := cmp.Diff(other, s.get(foreign)); diff != "" {
					t.Errorf("the foreign record changed:\n%s", diff)
				}
				if same := cmp.Equal(before, s.get(own)); same == changed {
					t.Errorf("the own record is the same: %t", same)
				}
				if there, err := exists(s.trees.path(store.Published, "presentation", foreign)); !there || err != nil {
					t.Errorf("the foreign files: %t, %v", there, err)
				}
			})
		}
	}
}
