package recordings

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"scalelite/store"
)

// problems checks and compares without the details, which must be there.
func (s *shelf) wantProblems(how Repair, want ...Problem) {
	s.t.Helper()
	got, err := s.Check(s.t.Context(), how)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range got {
		if p.Detail == "" {
			s.t.Errorf("%+v says nothing", p)
		}
	}
	order := cmpopts.SortSlices(func(a, b Problem) bool { return a.RecordID+a.Format+a.Kind < b.RecordID+b.Format+b.Kind })
	if diff := cmp.Diff(want, got, order, cmpopts.IgnoreFields(Problem{}, "Detail"), cmpopts.EquateEmpty()); diff != "" {
		s.t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestT15CheckFindsAndMends(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		harm func(*testing.T, *shelf)
		want Problem // once mended
		rest []fixture
	}{
		"a format is missing": {
			func(t *testing.T, s *shelf) { must(t, os.RemoveAll(s.trees.path(store.Published, "video", idA))) },
			Problem{RecordID: idA, Format: "video", Kind: "missing", Loss: true, Fixed: true},
			[]fixture{presentation(idA)},
		},
		"files in the wrong tree": {
			func(t *testing.T, s *shelf) {
				must(t, into(s.trees.path(store.Published, "video", idA), s.trees.path(store.Unpublished, "video", idA)))
			},
			Problem{RecordID: idA, Format: "video", Kind: "misplaced", Fixed: true},
			[]fixture{presentation(idA), video(idA)},
		},
		"files in both trees": {
			func(t *testing.T, s *shelf) {
				must(t, os.CopyFS(s.trees.path(store.Unpublished, "video", idA), os.DirFS(s.trees.path(store.Published, "video", idA))))
			},
			Problem{RecordID: idA, Format: "video", Kind: "misplaced", Fixed: true},
			[]fixture{presentation(idA), video(idA)},
		},
		"a file more": {
			func(t *testing.T, s *shelf) {
				must(t, os.WriteFile(filepath.Join(s.trees.path(store.Published, "video", idA), "more"), []byte("x"), 0o644))
			},
			Problem{RecordID: idA, Format: "video", Kind: "size", Fixed: true},
			[]fixture{presentation(idA), video(idA).with("more", "x")},
		},
		"a file less": {
			func(t *testing.T, s *shelf) {
				must(t, os.Remove(filepath.Join(s.trees.path(store.Published, "video", idA), "video-0.m4v")))
			},
			Problem{RecordID: idA, Format: "video", Kind: "size", Loss: true, Fixed: true},
			[]fixture{presentation(idA), video(idA).without("video-0.m4v")},
		},
		"a file cut short": {
			func(t *testing.T, s *shelf) {
				must(t, os.Truncate(filepath.Join(s.trees.path(store.Published, "video", idA), "video-0.m4v"), 1))
			},
			Problem{RecordID: idA, Format: "video", Kind: "size", Loss: true, Fixed: true},
			[]fixture{presentation(idA), video(idA).with("video-0.m4v", video(idA).files["video-0.m4v"][:1])},
		},
		"a format without a record": {
			func(t *testing.T, s *shelf) { s.place(store.Published, podcast(idA)) },
			Problem{RecordID: idA, Format: "podcast", Kind: "extra", Fixed: true},
			[]fixture{presentation(idA), video(idA), podcast(idA)},
		},
		"files without a record": {
			func(t *testing.T, s *shelf) { s.place(store.Published, presentation(idB)) },
			Problem{RecordID: idB, Format: "presentation", Kind: "extra", Fixed: true},
			[]fixture{presentation(idA), video(idA), presentation(idB)},
		},
		"files of nobody knows what": {
			func(t *testing.T, s *shelf) {
				s.place(store.Published, fixture{"video", idB, "", map[string]string{"x": "x"}})
			},
			Problem{RecordID: idB, Format: "video", Kind: "extra"},
			[]fixture{presentation(idA), video(idA), {"video", idB, "", map[string]string{"x": "x"}}},
		},
		"a directory in the trash": {
			func(t *testing.T, s *shelf) {
				dir, old := s.trees.trash(idB+"-xyz"), s.clock.now().Add(-8*24*time.Hour)
				must(t, os.Mkdir(dir, 0o755), os.Chtimes(dir, old, old))
			},
			Problem{RecordID: idB, Kind: "extra", Fixed: true},
			[]fixture{presentation(idA), video(idA)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			s.imports(presentation(idA), video(idA))
			s.wantProblems(RepairLosses)
			before := s.get(idA)
			c.harm(t, s)
			found := c.want
			found.Fixed = false
			s.wantProblems(RepairNothing, found)
			if diff := cmp.Diff(before, s.get(idA)); diff != "" {
				t.Errorf("a check changed the record:\n%s", diff)
			}
			how := RepairSafe
			if c.want.Loss {
				s.wantProblems(RepairSafe, found)
				if diff := cmp.Diff(before, s.get(idA)); diff != "" {
					t.Errorf("what was lost was taken for the truth:\n%s", diff)
				}
				how = RepairLosses
			}
			s.wantProblems(how, c.want)
			s.wantFiles(store.Published, c.rest...)
			if !c.want.Fixed {
				must(t, os.RemoveAll(s.trees.path(store.Published, c.want.Format, c.want.RecordID)))
			}
		})
	}
}

// place puts files into a tree, as somebody might who knows nothing of records.
func (s *shelf) place(state store.RecordingState, f fixture) {
	s.t.Helper()
	for name, text := range f.contents() {
		path := filepath.Join(s.trees.tree(state), name)
		must(s.t, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
	}
}

func podcast(id string) fixture {
	f := video(id).replaced("<format>video", "<format>podcast").replaced("/playback/video/"+id+"/", "/podcast/"+id+"/audio.ogg")
	f.kind, f.files = "podcast", map[string]string{"audio.ogg": "ogg"}
	return f
}

// A recording that has lost all its files keeps its record: perhaps they are
// somewhere else.
func TestCheckKeepsARecordWithoutAnyFiles(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA), video(idA))
	before := s.get(idA)
	elsewhere := filepath.Join(s.dir, "elsewhere")
	must(t, os.Mkdir(elsewhere, 0o755))
	move := func(from, to string) {
		for _, kind := range []string{"presentation", "video"} {
			must(t, os.Rename(filepath.Join(from, kind), filepath.Join(to, kind)))
		}
	}
	move(s.trees.published, elsewhere)
	s.wantProblems(RepairLosses, Problem{RecordID: idA, Format: "presentation", Kind: "missing", Loss: true}, Problem{RecordID: idA, Format: "video", Kind: "missing", Loss: true})
	if diff := cmp.Diff(before, s.get(idA)); diff != "" {
		t.Errorf("the record changed:\n%s", diff)
	}
	move(elsewhere, s.trees.published)
	s.wantProblems(RepairLosses)
}

func TestCheckOfDeletedRecordings(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA), presentation(idB))
	s.deletes(idA)
	s.deletes(idB)
	// Files that come back from somewhere, and a trash that was emptied by hand.
	s.place(store.Unpublished, presentation(idA))
	t.Log(s.names(s.trees.trash("")))
	for _, dir := range s.names(s.trees.trash("")) {
		if dir[:len(idB)] == idB {
			must(t, os.RemoveAll(s.trees.trash(dir)))
		}
	}
	s.wantProblems(RepairLosses, Problem{RecordID: idA, Format: "presentation", Kind: "extra", Fixed: true}, Problem{RecordID: idB, Kind: "missing", Fixed: true})
	s.wantFiles(store.Published)
	if _, err := s.Undelete(t.Context(), []string{idB}); !errors.Is(err, ErrNoFiles) {
		t.Errorf("undelete without files: %v", err)
	}
	if _, err := s.Undelete(t.Context(), []string{idA}); err != nil {
		t.Error(err)
	}
}

// Files of a deleted recording that somebody put back may be the only copy:
// nothing removes them unasked, and all that speaks of them names the way back.
func TestPutBackFilesOfDeletedStay(t *testing.T) {
	t.Parallel()
	for _, trash := range []string{"7d", "0s"} {
		t.Run("trash "+trash, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t, func(o *Options) { o.Config.Trash = trash })
			s.imports(presentation(idA))
			s.deletes(idA)
			s.place(store.Published, presentation(idA))
			stray := Problem{RecordID: idA, Format: "presentation", Kind: "extra"}
			s.wantProblems(RepairSafe, stray)
			s.reopen()
			s.clock.forward(8 * 24 * time.Hour)
			_, err := s.Prune(t.Context(), false) // empties the trash
			must(t, err)
			s.wantProblems(RepairSafe, stray)
			s.wantFiles(store.Published, presentation(idA))
			problems, err := s.Check(t.Context(), RepairNothing)
			if must(t, err); len(problems) != 1 {
				t.Fatalf("problems are %+v", problems)
			}
			for _, remedy := range []string{"recordings delete --purge " + idA, "recordings rescan", "--fix --accept-loss"} {
				if !strings.Contains(problems[0].Detail, remedy) {
					t.Errorf("%q does not name %q", problems[0].Detail, remedy)
				}
			}
			_, err = s.Purge(t.Context(), []string{idA})
			must(t, err)
			if names := s.names(s.trees.trash("")); len(names) > 0 {
				t.Errorf("left in the trash: %v", names)
			}
			done, err := s.Rescan(t.Context(), false)
			added := done.Added
			if err != nil || len(added) != 1 || added[0].Error != "" {
				t.Fatalf("added %+v, %v", added, err)
			}
			s.wantFiles(store.Published, presentation(idA))
			s.deletes(idA)
			s.place(store.Published, presentation(idA))
			stray.Fixed = true
			s.wantProblems(RepairLosses, stray)
			s.wantFiles(store.Published)
		})
	}
}

// T29: after the loss of the database the files tell everything but what was set
// through the API, and when they came.
func TestT29Rescan(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA), video(idA), presentation(idB).meta("tenant-id", "t1"))
	s.imports(presentation(idOld))
	s.publish(idB, false)
	s.deletes(idOld)
	trash := s.names(s.trees.trash(""))
	var want []store.Recording
	for _, id := range []string{idA, idB} {
		r := s.get(id)
		for i := range r.Formats {
			r.Formats[i].Seen = unknownAge()
		}
		want = append(want, r)
	}
	lost := newShelf(t, func(o *Options) { o.Config = shelfConfig(s.dir) })
	done, err := lost.Rescan(t.Context(), false)
	added := done.Added
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range added {
		ids = append(ids, r.ID)
		if r.Error != "" {
			t.Errorf("%s: %s", r.ID, r.Error)
		}
	}
	if slices.Sort(ids); !slices.Equal(ids, []string{idA, idB}) {
		t.Errorf("added %v", ids)
	}
	for _, w := range want {
		if diff := cmp.Diff(w, lost.get(w.ID)); diff != "" {
			t.Errorf("record (-want +got):\n%s", diff)
		}
	}
	if again, err := lost.Rescan(t.Context(), false); err != nil || len(again.Added)+len(again.Accepted) != 0 {
		t.Errorf("again: %v, %v", again, err)
	}
	if diff := cmp.Diff(trash, s.names(s.trees.trash(""))); diff != "" {
		t.Errorf("the trash changed, which the old database may need again:\n%s", diff)
	}
	must(t, os.RemoveAll(s.trees.trash(trash[0])))
	if err := s.InPlace(t.Context()); !errors.Is(err, ErrNotInPlace) {
		t.Errorf("the old database still has the directories: %v", err)
	}
	s.Library = lost.Library // that database is lost: it is not compared with the files
	// The tree was a choice: an import does not undo it.
	lost.imports(presentation(idB).meta("tenant-id", "t1"))
	if r := lost.get(idB); r.State != store.Unpublished {
		t.Errorf("it is %s", r.State)
	}
}

func TestRescanTellsWhatItCannotRead(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idB))
	s.deletes(idB)
	broken := video(idA)
	broken.xml = "x"
	strange := fixture{"notes", "not a word", "", map[string]string{"x": "x"}}
	for _, f := range []fixture{broken, presentation(idA), strange} {
		s.place(store.Published, f)
	}
	s.place(store.Unpublished, presentation(idB)) // deleted stays deleted
	done, err := s.Rescan(t.Context(), false)
	added := done.Added
	if err != nil || len(added) != 2 || added[0].Error == "" || len(added[0].Formats) != 2 {
		t.Fatalf("added %+v, %v", added, err)
	}
	if d := added[1]; d.ID != idB || !strings.Contains(d.Error, "was deleted") || len(d.Formats) != 1 || d.Formats[0].Error == "" {
		t.Errorf("of the deleted one it tells %+v", d)
	}
	if r := s.get(idA); len(r.Formats) != 1 || r.State != store.Published {
		t.Errorf("record %+v", r)
	}
	if r := s.get(idB); r.State != store.Deleted {
		t.Errorf("it is %s", r.State)
	}
	must(t, os.RemoveAll(s.trees.path(store.Published, "video", idA)), os.RemoveAll(s.trees.path(store.Unpublished, "presentation", idB)))
}

// What lies in both trees is unpublished, and one copy of it stays.
func TestRescanOfFilesInBothTrees(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.place(store.Published, presentation(idA))
	s.place(store.Published, video(idA))
	s.place(store.Unpublished, presentation(idA))
	if _, err := s.Rescan(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	s.wantFiles(store.Unpublished, presentation(idA), video(idA))
	if r := s.get(idA); r.State != store.Unpublished || r.Moving != "" {
		t.Errorf("state %s, moving %q", r.State, r.Moving)
	}
}

// T28: whoever asks whether the files are here learns what lies on the disk.
func TestCountFiles(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	r := s.get(idA)
	f, _ := r.Format("presentation")
	files, bytes, err := s.CountFiles(r, "presentation")
	if err != nil || files != f.Files || bytes != f.Bytes || files == 0 {
		t.Errorf("%d files, %d bytes, %v, want %d and %d", files, bytes, err, f.Files, f.Bytes)
	}
	lost := filepath.Join(s.trees.path(store.Published, "presentation", idA), "metadata.xml")
	text, err := os.ReadFile(lost)
	must(t, err, os.Remove(lost))
	if files, bytes, err := s.CountFiles(r, "presentation"); err != nil || files != f.Files-1 || bytes != f.Bytes-int64(len(text)) {
		t.Errorf("%d files, %d bytes, %v after one was lost", files, bytes, err)
	}
	must(t, os.WriteFile(lost, text, 0o644))
	for _, kind := range []string{"video", "../presentation", ""} {
		if _, _, err := s.CountFiles(r, kind); !errors.Is(err, ErrNotFound) {
			t.Errorf("format %q: %v, want ErrNotFound", kind, err)
		}
	}
	s.deletes(idA)
	if _, _, err := s.CountFiles(s.get(idA), "presentation"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted: %v, want ErrNotFound", err)
	}
}

// What check could not mend is in the log with its reason.
func TestCheckTellsWhyFilesGetNoRecord(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := newShelf(t, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	dir := s.trees.path(store.Published, "video", idA)
	must(t, os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "video-0.m4v"), []byte("x"), 0o644))
	_, err := s.Check(t.Context(), RepairSafe)
	must(t, err)
	if !strings.Contains(log.String(), idA) || !strings.Contains(log.String(), "there is no metadata.xml") {
		t.Errorf("log: %s", log.String())
	}
	must(t, os.RemoveAll(dir))
}
