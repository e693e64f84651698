package recordings

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/store"
)

// T21: after a delete no file of the recording is left in the trees, wherever it
// was, and of its data only what the listings find it by.
func TestT21DeleteRemovesEverything(t *testing.T) {
	t.Parallel()
	for _, trash := range []string{"7d", "0s"} {
		t.Run("trash "+trash, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t, func(o *Options) { o.Config.Trash = trash })
			s.imports(presentation(idA).meta("secret", "x"), video(idA), presentation(idB))
			s.publish(idA, false)
			// Copies where none should be.
			for _, stray := range []string{s.trees.path(store.Published, "presentation", idA), s.trees.path(store.Published, "unheard-of", idA)} {
				if err := os.MkdirAll(filepath.Join(stray, "sub"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			s.deletes(idA)
			s.wantFiles(store.Published, presentation(idB))
			err := filepath.WalkDir(s.dir, func(path string, _ os.DirEntry, err error) error {
				inTrash := strings.HasPrefix(path, s.trees.trash(""))
				if strings.Contains(path, idA) && (!inTrash || trash == "0s") {
					t.Errorf("there is still %s", path)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			at := s.clock.now().UTC()
			want := store.Recording{
				ID: idA, MeetingID: "room-1700000000000", InternalMeetingID: idA, State: store.Deleted,
				Start: 1700000000000, End: 1700000000000, ImportedAt: at, DeletedAt: at,
			}
			got := s.get(idA)
			got.DeletedAt = got.DeletedAt.UTC()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
			s.deletes(idA) // again
		})
	}
}

func TestDeletedIsAsUnknownToPublish(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	s.deletes(idA)
	if _, err := s.SetPublished(t.Context(), nil, []string{idA}, true); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v, want ErrNotFound", err)
	}
	if r := s.get(idA); r.State != store.Deleted {
		t.Errorf("it is %s", r.State)
	}
}

// Undelete brings back everything as it was.
func TestUndelete(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA), video(idA))
	s.publish(idA, false)
	s.sets(idA, map[string]string{"name": "Mine"})
	before := s.get(idA)
	s.deletes(idA)
	s.clock.forward(6 * 24 * time.Hour)
	s.reopen()
	got, err := s.Undelete(t.Context(), []string{idA, "unknown"})
	if err != nil || len(got) != 1 || got[0] != idA {
		t.Fatalf("undeleted %v, %v", got, err)
	}
	s.wantFiles(store.Unpublished, presentation(idA), video(idA))
	if diff := cmp.Diff(before, s.get(idA)); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	if names := s.names(s.trees.trash("")); len(names) > 0 {
		t.Errorf("left in the trash: %v", names)
	}
	// It is not deleted any more; and it can be deleted again.
	if _, err := s.Undelete(t.Context(), []string{idA}); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v, want ErrNotFound", err)
	}
	s.deletes(idA)
	if _, err := s.Undelete(t.Context(), []string{idA}); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

func TestUndeleteWithoutTrash(t *testing.T) {
	t.Parallel()
	s := newShelf(t, func(o *Options) { o.Config.Trash = "0s" })
	s.imports(presentation(idA))
	s.deletes(idA)
	if _, err := s.Undelete(t.Context(), []string{idA}); !errors.Is(err, ErrNoFiles) {
		t.Errorf("error %v, want ErrNoFiles", err)
	}
	if r := s.get(idA); r.State != store.Deleted || r.Moving != "" {
		t.Errorf("state %s, moving %q", r.State, r.Moving)
	}
}

func TestUndeleteThatFailsLeavesTheTrash(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA), video(idA))
	s.deletes(idA)
	blocked := filepath.Join(s.trees.published, "video")
	if err := errors.Join(os.RemoveAll(blocked), os.WriteFile(blocked, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Undelete(t.Context(), []string{idA}); err == nil {
		t.Fatal("it was brought back")
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	s.wantFiles(store.Published)
	if r := s.get(idA); r.State != store.Deleted || r.Moving != "" {
		t.Errorf("state %s, moving %q", r.State, r.Moving)
	}
	if _, err := s.Undelete(t.Context(), []string{idA}); err != nil {
		t.Fatal(err)
	}
	s.wantFiles(store.Published, presentation(idA), video(idA))
}

func TestPurgeLeavesNoTrace(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"published", "unpublished", "deleted"} {
		t.Run(before, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			s.imports(presentation(idA), presentation(idB))
			switch before {
			case "unpublished":
				s.publish(idA, false)
			case "deleted":
				s.deletes(idA)
			}
			got, err := s.Purge(t.Context(), []string{idA, "unknown"})
			if err != nil || len(got) != 1 {
				t.Fatalf("purged %v, %v", got, err)
			}
			if s.has(idA) {
				t.Error("there is still a record")
			}
			s.wantFiles(store.Published, presentation(idB))
			if names := s.names(s.trees.trash("")); len(names) > 0 {
				t.Errorf("left in the trash: %v", names)
			}
			if _, err := s.Purge(t.Context(), []string{idA}); !errors.Is(err, ErrNotFound) {
				t.Errorf("again: %v", err)
			}
		})
	}
}

// A delete whose files cannot be moved is a delete all the same, and is finished
// by the next that comes along.
func TestDeleteIsFinishedLater(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(*shelf) error{
		"delete": func(s *shelf) error { _, err := s.Delete(t.Context(), nil, []string{idA}); return err },
		"prune":  func(s *shelf) error { _, err := s.Prune(t.Context(), false); return err },
		"check":  func(s *shelf) error { _, err := s.Check(t.Context(), RepairSafe); return err },
		"start":  func(s *shelf) error { s.reopen(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			s.imports(presentation(idA))
			blocked := s.trees.trash("")
			if err := errors.Join(os.Remove(blocked), os.WriteFile(blocked, nil, 0o644)); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Delete(t.Context(), nil, []string{idA}); err == nil {
				t.Fatal("the files were moved")
			}
			if r := s.get(idA); r.State != store.Deleted {
				t.Errorf("it is %s", r.State)
			}
			if err := errors.Join(os.Remove(blocked), os.Mkdir(blocked, 0o755)); err != nil {
				t.Fatal(err)
			}
			if err := again(s); err != nil {
				t.Fatal(err)
			}
			s.wantFiles(store.Published)
			if _, err := s.Undelete(t.Context(), []string{idA}); err != nil {
				t.Fatal(err)
			}
			s.wantFiles(store.Published, presentation(idA))
		})
	}
}
