package recordings

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/store"
)

func TestPublishMovesTheFilesOfAllFormats(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA), video(idA), presentation(idB))
	s.publish(idA, false)
	want := map[string]string{}
	for name, text := range presentation(idB).contents() {
		want["published/"+name] = text
	}
	for _, f := range []fixture{presentation(idA), video(idA)} {
		for name, text := range f.contents() {
			want["unpublished/"+name] = text
		}
	}
	if diff := cmp.Diff(want, s.files()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if r := s.get(idA); r.State != store.Unpublished || !r.StateDecided || r.Moving != "" {
		t.Errorf("state %s, decided %t, moving %q", r.State, r.StateDecided, r.Moving)
	}
	s.publish(idA, true)
	s.wantFiles(store.Published, presentation(idA), video(idA), presentation(idB))
	if r := s.get(idA); r.State != store.Published {
		t.Errorf("state %s", r.State)
	}
}

// To publish what is published is a success, and a decision.
func TestPublishAgain(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	s.publish(idA, true)
	if !s.get(idA).StateDecided {
		t.Error("it is no decision")
	}
	s.publish(idA, true)
	s.wantFiles(store.Published, presentation(idA))
}

// Files that are in the right tree already stay; only the state changes.
func TestPublishWhereTheFilesAreThere(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	to := s.trees.path(store.Unpublished, "presentation", idA)
	if err := into(s.trees.path(store.Published, "presentation", idA), to); err != nil {
		t.Fatal(err)
	}
	before, err := inode(to)
	if err != nil {
		t.Fatal(err)
	}
	s.publish(idA, false)
	s.wantFiles(store.Unpublished, presentation(idA))
	if after, err := inode(to); err != nil || after != before {
		t.Errorf("the directory is another one: %v", err)
	}
}

// In both trees: one copy stays, that which was imported, in the right tree.
func TestPublishWithFilesInBothTrees(t *testing.T) {
	t.Parallel()
	exchanges := map[string]func(a, b string) error{
		"exchange":    exchangeNames,
		"two renames": func(string, string) error { return errors.ErrUnsupported },
	}
	spoils := map[string]store.RecordingState{
		"the copy to come is broken": store.Published, "the copy that is there is broken": store.Unpublished,
	}
	for how, exchange := range exchanges {
		for which, spoil := range spoils {
			t.Run(how+", "+which, func(t *testing.T) {
				t.Parallel()
				s := newShelf(t)
				s.exchange = exchange
				s.imports(presentation(idA))
				must(t,
					os.CopyFS(s.trees.path(store.Unpublished, "presentation", idA), os.DirFS(s.trees.path(store.Published, "presentation", idA))),
					os.Remove(filepath.Join(s.trees.path(spoil, "presentation", idA), "shapes.svg")))
				s.publish(idA, false)
				s.wantFiles(store.Unpublished, presentation(idA))
			})
		}
	}
}

func TestPublishWithoutFiles(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA), presentation(idB))
	place := s.trees.path(store.Published, "presentation", idA)
	if err := os.Rename(place, filepath.Join(s.dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	before := s.get(idA)
	got, err := s.SetPublished(t.Context(), nil, []string{idA, idB}, false)
	if !errors.Is(err, ErrNoFiles) || !slices.Equal(got, []string{idB}) {
		t.Errorf("changed %v, error %v; want the other one, and ErrNoFiles", got, err)
	}
	if diff := cmp.Diff(before, s.get(idA)); diff != "" {
		t.Errorf("the record changed:\n%s", diff)
	}
	if err := os.Rename(filepath.Join(s.dir, "elsewhere"), place); err != nil {
		t.Fatal(err)
	}
}

// A missing format is no reason to leave the others open.
func TestUnpublishWithAFormatMissing(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA), video(idA))
	if err := os.RemoveAll(s.trees.path(store.Published, "video", idA)); err != nil {
		t.Fatal(err)
	}
	s.publish(idA, false)
	s.wantFiles(store.Unpublished, presentation(idA))
	s.imports(video(idA))
	s.wantFiles(store.Unpublished, presentation(idA), video(idA))
}

// S6: nobody can open a recording from the moment on that it is to be hidden,
// nor before all of it is there when it is shown.
func TestS6NothingIsOpenOnTheWay(t *testing.T) {
	t.Parallel()
	var s *shelf
	looks := 0
	s = newShelf(t, func(o *Options) {
		o.Step = func(name string) {
			if s == nil || s.Library == nil || !s.has(idA) || s.get(idA).Moving == "" {
				return
			}
			looks++
			if r := s.get(idA); r.State != store.Unpublished {
				t.Errorf("after %q it is %s", name, r.State)
			}
		}
	})
	s.imports(presentation(idA), video(idA))
	s.publish(idA, false)
	s.publish(idA, true)
	if looks < 4 {
		t.Errorf("looked %d times", looks)
	}
}

// A move that fails is undone.
func TestPublishIsUndoneWhenItFails(t *testing.T) {
	t.Parallel()
	for name, publish := range map[string]bool{"publish": true, "unpublish": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			s.imports(presentation(idA), video(idA))
			s.publish(idA, !publish)
			before := s.get(idA)
			blocked := filepath.Join(s.trees.tree(opposite(before.State)), "video")
			if err := os.RemoveAll(blocked); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(blocked, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := s.SetPublished(t.Context(), nil, []string{idA}, publish)
			if err == nil || len(got) > 0 {
				t.Fatalf("changed %v, error %v", got, err)
			}
			if err := os.Remove(blocked); err != nil {
				t.Fatal(err)
			}
			s.wantFiles(before.State, presentation(idA), video(idA))
			if diff := cmp.Diff(before, s.get(idA)); diff != "" {
				t.Errorf("the record changed:\n%s", diff)
			}
			s.publish(idA, publish)
		})
	}
}

func TestOpenFileServesWhatIsThere(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA), presentation(idB))
	r := s.get(idA)
	home := s.trees.path(store.Published, "presentation", idA)
	for name, make := range map[string]func(string) error{
		"inside.link":  func(p string) error { return os.Symlink("shapes.svg", p) },
		"outside.link": func(p string) error { return os.Symlink("/etc/passwd", p) },
		"other.link":   func(p string) error { return os.Symlink("../"+idB+"/shapes.svg", p) },
		"up":           func(p string) error { return os.Symlink("..", p) },
		"pipe":         func(p string) error { return syscall.Mkfifo(p, 0o644) },
	} {
		if err := make(filepath.Join(home, name)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := s.OpenFile(r, "presentation", "presentation/slide.png")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := f.Stat(); err != nil || info.Size() != int64(len("a picture")) {
		t.Errorf("%v, %v", info, err)
	}
	f.Close()
	for _, name := range []string{
		"", ".", "..", "/", "/etc/passwd", "none", "shapes.svg/", "shapes.svg/x", "presentation", "presentation/",
		"../" + idA + "/shapes.svg", "presentation/../shapes.svg", "./shapes.svg", "presentation//slide.png",
		"inside.link", "outside.link", "other.link", "pipe", "up/" + idB + "/shapes.svg", "a\x00b", `..\x`, `presentation\slide.png`,
	} {
		if f, err := s.OpenFile(r, "presentation", name); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v, want ErrNotFound", name, err)
			if f != nil {
				f.Close()
			}
		}
	}
	for _, format := range []string{"video", "", "..", "presentation/" + idB} {
		if _, err := s.OpenFile(r, format, "shapes.svg"); !errors.Is(err, ErrNotFound) {
			t.Errorf("format %q: %v", format, err)
		}
	}
	// A recording that is a link, or whose record leads elsewhere.
	if err := errors.Join(os.Rename(home, home+"-x"), os.Symlink(filepath.Base(home)+"-x", home)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.OpenFile(r, "presentation", "shapes.svg"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a linked recording: %v", err)
	}
	r.ID = "../presentation/" + idB
	if _, err := s.OpenFile(r, "presentation", "shapes.svg"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an ID that is a path: %v", err)
	}
	if err := errors.Join(os.Remove(home), os.Rename(home+"-x", home)); err != nil {
		t.Fatal(err)
	}
	s.publish(idA, false)
	r = s.get(idA)
	f, err = s.OpenFile(r, "presentation", "shapes.svg")
	if err != nil {
		t.Fatalf("from the tree of its state: %v", err)
	}
	f.Close()
	for _, name := range []string{"inside.link", "outside.link", "other.link", "up", "pipe"} {
		if err := os.Remove(filepath.Join(s.trees.path(store.Unpublished, "presentation", idA), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}
