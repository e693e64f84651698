package recordings

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/store"
)

// orphan puts a format of a recording into the trash that no record knows.
func (s *shelf) orphan(f fixture, age time.Duration) string {
	s.t.Helper()
	dir := s.trees.trash(f.id + "-SOMENAME")
	must(s.t, os.MkdirAll(filepath.Join(dir, f.kind), 0o755), os.WriteFile(filepath.Join(dir, f.kind, "x"), []byte("12345"), 0o644))
	at := s.clock.now().Add(-age)
	must(s.t, os.Chtimes(dir, at, at))
	return dir
}

// T27: what lies in the trash for no record is listed before it goes, and its
// going is in the log, whoever removes it.
func TestT27OrphansOfTheTrash(t *testing.T) {
	t.Parallel()
	for name, sweep := range map[string]func(*shelf) error{
		"prune": func(s *shelf) error {
			dry, err := s.Prune(s.t.Context(), true)
			must(s.t, err)
			want := []Pruned{{ID: idOld, Bytes: 5, Reason: "trash, no record"}}
			if diff := cmp.Diff(want, dry); diff != "" {
				s.t.Errorf("a dry run (-want +got):\n%s", diff)
			}
			real, err := s.Prune(s.t.Context(), false)
			if diff := cmp.Diff(dry, real); diff != "" {
				s.t.Errorf("the real run differs:\n%s", diff)
			}
			return err
		},
		"check": func(s *shelf) error { _, err := s.Check(s.t.Context(), RepairSafe); return err },
		"start": func(s *shelf) error { s.reopen(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			s := newShelf(t, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
			s.imports(presentation(idA))
			old, young := s.orphan(presentation(idOld), 8*24*time.Hour), s.orphan(presentation(idB), 6*24*time.Hour)
			must(t, sweep(s))
			if lexists(old) || !lexists(young) {
				t.Errorf("the old one is there: %t, the young one: %t", lexists(old), lexists(young))
			}
			if text := log.String(); strings.Count(text, "removed from the trash") != 1 || !strings.Contains(text, "recording="+idOld) {
				t.Errorf("the log says %q", text)
			}
			must(t, os.RemoveAll(young))
		})
	}
}

// missesInTrash makes recordings whose files are in the trash, which no record
// knows.
func (s *shelf) missesInTrash(n int) {
	s.t.Helper()
	for i := range n {
		id := fmt.Sprintf("%040x-1600000000%03d", i, i)
		s.imports(presentation(id))
		before := s.get(id)
		s.deletes(id)
		must(s.t, s.db.Update(s.t.Context(), func(tx *store.Tx) error {
			must(s.t, tx.DeleteTrashed(id))
			return tx.PutRecording(before)
		}))
	}
}

// A database that was brought back takes a recording for published that was
// deleted since: its files are in the trash, and nowhere else.
func TestOrphansThatARecordMisses(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA), video(idA))
	before := s.get(idA)
	s.deletes(idA)
	must(t, s.db.Update(t.Context(), func(tx *store.Tx) error {
		must(t, tx.DeleteTrashed(idA))
		return tx.PutRecording(before)
	}))
	trashed := s.names(s.trees.trash(""))
	for _, name := range trashed {
		long := s.clock.now().Add(-365 * 24 * time.Hour)
		must(t, os.Chtimes(s.trees.trash(name), long, long))
	}
	for _, dryRun := range []bool{true, false} {
		if got, err := s.Prune(t.Context(), dryRun); err != nil || len(got) > 0 {
			t.Errorf("pruned %+v, %v", got, err)
		}
	}
	s.reopen()
	if got := s.names(s.trees.trash("")); len(trashed) != 1 || !slices.Equal(got, trashed) {
		t.Fatalf("the trash has %v, had %v", got, trashed)
	}
	// Files that are not those that were imported are nobody's business.
	more := filepath.Join(s.trees.trash(trashed[0]), "video", "more")
	must(t, os.WriteFile(more, nil, 0o644))
	s.wantProblems(RepairSafe,
		Problem{RecordID: idA, Format: "presentation", Kind: "missing", Fixed: true},
		Problem{RecordID: idA, Format: "video", Kind: "missing", Loss: true},
		Problem{RecordID: idA, Kind: "extra"})
	s.wantFiles(store.Published, presentation(idA))
	must(t, os.Remove(more))
	s.wantProblems(RepairNothing, Problem{RecordID: idA, Format: "video", Kind: "missing"})
	s.wantProblems(RepairSafe, Problem{RecordID: idA, Format: "video", Kind: "missing", Fixed: true})
	s.wantFiles(store.Published, presentation(idA), video(idA))
	if diff := cmp.Diff(before, s.get(idA)); diff != "" {
		t.Errorf("the record changed:\n%s", diff)
	}
	if names := s.names(s.trees.trash("")); len(names) > 0 {
		t.Errorf("left in the trash: %v", names)
	}
}
