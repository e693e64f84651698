package recordings

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"scalelite/store"
)

const idOld = "00000000000000000000000000000000000000aa-1600000000000"

func prunedIDs(all []Pruned) (ids []string) {
	for _, p := range all {
		ids = append(ids, p.Reason+" "+p.ID)
	}
	slices.Sort(ids)
	return ids
}

// T27: a dry run lists exactly what the real one deletes; what is marked to be
// kept survives.
func TestT27Prune(t *testing.T) {
	t.Parallel()
	s := newShelf(t, func(o *Options) { o.Config.Retention = "30d" })
	idKept := "000000000000000000000000000000000000keep-1600000000001"
	idHidden := "0000000000000000000000000000000000hidden-1600000000002"
	s.imports(presentation(idA), presentation(idOld), presentation(idKept), presentation(idHidden))
	s.sets(idKept, map[string]string{"keep": "True"})
	s.publish(idHidden, false)
	s.deletes(idA)
	s.clock.forward(3 * 24 * time.Hour)
	s.imports(presentation(idB))

	check := func(want ...string) {
		t.Helper()
		dry, err := s.Prune(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.Prune(t.Context(), true)
		if diff := cmp.Diff(dry, again); diff != "" || err != nil {
			t.Errorf("a dry run changed something: %v\n%s", err, diff)
		}
		real, err := s.Prune(t.Context(), false)
		if diff := cmp.Diff(dry, real); diff != "" || err != nil {
			t.Errorf("the real run differs: %v\n%s", err, diff)
		}
		if diff := cmp.Diff(slices.Sorted(slices.Values(want)), prunedIDs(real), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("pruned (-want +got):\n%s", diff)
		}
	}
	check("retention "+idHidden, "retention "+idOld)
	check()
	s.wantFiles(store.Published, presentation(idKept), presentation(idB))
	s.clock.forward(5 * 24 * time.Hour) // the trash keeps for a week
	check("trash " + idA)
	s.clock.forward(5 * 24 * time.Hour)
	check("trash "+idHidden, "trash "+idOld)
	if names := s.names(s.trees.trash("")); len(names) > 0 {
		t.Errorf("left in the trash: %v", names)
	}
	// What was in the trash remains known as deleted.
	if r := s.get(idOld); r.State != store.Deleted {
		t.Errorf("it is %s", r.State)
	}
}

func TestPruneGoesByTheStartOfTheRecording(t *testing.T) {
	t.Parallel()
	s := newShelf(t, func(o *Options) { o.Config.Retention = "1d" })
	s.imports(presentation(idA))
	s.clock.at = startA.Add(24 * time.Hour)
	if got, err := s.Prune(t.Context(), false); err != nil || len(got) != 0 {
		t.Errorf("to the moment a day old: %v, %v", got, err)
	}
	s.clock.forward(time.Millisecond)
	got, err := s.Prune(t.Context(), false)
	want := []Pruned{{ID: idA, Name: "Fred's Room", Start: startA, Bytes: got[0].Bytes, Reason: "retention"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil || got[0].Bytes == 0 {
		t.Errorf("%v, pruned (-want +got):\n%s", err, diff)
	}
}

func TestPruneWithoutRetentionOrTrash(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idOld))
	if got, err := s.Prune(t.Context(), false); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	c := s.options.Config
	c.Retention, c.Trash = "30d", "0s"
	s.Reconfigure(c)
	got, err := s.Prune(t.Context(), false)
	if diff := cmp.Diff([]string{"retention " + idOld}, prunedIDs(got)); diff != "" || err != nil {
		t.Errorf("%v, pruned (-want +got):\n%s", err, diff)
	}
	if names := s.names(s.trees.trash("")); len(names) > 0 {
		t.Errorf("in the trash: %v", names)
	}
}
