package recordings

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"scalelite/store"
)

// unmount takes the directories away, mount brings them back.
func (s *shelf) unmount() {
	s.t.Helper()
	must(s.t, os.Rename(filepath.Join(s.dir, "data"), filepath.Join(s.dir, "away")))
}

func (s *shelf) mount() {
	s.t.Helper()
	must(s.t, os.RemoveAll(filepath.Join(s.dir, "data")), os.Rename(filepath.Join(s.dir, "away"), filepath.Join(s.dir, "data")))
}

// wantHeldBack: nothing that touches files is done, and the error says which
// directory it is about and what to do.
func (s *shelf) wantHeldBack(texts ...string) {
	s.t.Helper()
	ctx, ids := s.t.Context(), []string{idA}
	one := func(_ []string, err error) error { return err }
	_, imported := s.Import(ctx, tarball(s.t, presentation(idB)), nil)
	_, pruned := s.Prune(ctx, false)
	_, checked := s.Check(ctx, RepairLosses)
	for what, err := range map[string]error{
		"in place": s.InPlace(ctx), "import": imported, "prune": pruned, "check": checked,
		"publish": one(s.SetPublished(ctx, nil, ids, true)), "unpublish": one(s.SetPublished(ctx, nil, ids, false)),
		"delete": one(s.Delete(ctx, nil, ids)), "undelete": one(s.Undelete(ctx, ids)), "purge": one(s.Purge(ctx, ids)),
	} {
		if !errors.Is(err, ErrNotInPlace) {
			s.t.Errorf("%s: %v, want ErrNotInPlace", what, err)
			continue
		}
		for _, text := range append(texts, "recordings rescan") {
			if !strings.Contains(err.Error(), text) {
				s.t.Errorf("%s: %v, without %q", what, err, text)
			}
		}
	}
}

func (s *shelf) wantInPlace() {
	s.t.Helper()
	if err := s.InPlace(s.t.Context()); err != nil {
		s.t.Error(err)
	}
}

// withoutMarks makes the shelf one of a program that knew no marks.
func (s *shelf) withoutMarks() {
	s.t.Helper()
	must(s.t, s.db.Update(context.Background(), func(tx *store.Tx) error { return tx.PutTreeMark(store.TreeMark{}) }))
	for _, f := range s.trees.marks() {
		must(s.t, os.Remove(filepath.Join(f.path, markFile)))
	}
}

// A disk that is not mounted at the start: nothing is made below the mount point,
// nothing is taken in there, and all goes on when the disk is back.
func TestStartWithoutTheDisk(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	s.unmount()
	s.reopen()
	s.wantHeldBack(s.trees.published, "no such directory", "mount the disk")
	if _, err := os.Stat(filepath.Join(s.dir, "data")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directories were made below the mount point: %v", err)
	}
	if r := s.get(idA); r.State != store.Published || r.Moving != "" {
		t.Errorf("the recording was changed: %+v", r)
	}
	s.sets(idA, map[string]string{"note": "files are not needed for this"})
	// Somebody made them, as the package does.
	must(t, os.MkdirAll(s.trees.published, 0o755), os.MkdirAll(s.trees.unpublished, 0o755), os.MkdirAll(s.trees.work, 0o755))
	s.wantHeldBack(s.trees.published, markFile, "mount the disk")
	s.mount()
	s.imports(video(idA))
	s.wantFiles(store.Published, presentation(idA), video(idA))
}

// A disk that is unmounted while the service runs, over empty directories.
func TestUnmountedWhileRunning(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	s.unmount()
	must(t, os.MkdirAll(s.trees.published, 0o755), os.MkdirAll(s.trees.unpublished, 0o755))
	s.wantHeldBack(s.trees.published, s.trees.work, "mount the disk")
	s.mount()
	s.publish(idA, false)
	s.wantFiles(store.Unpublished, presentation(idA))
	// One directory is enough.
	must(t, os.Rename(s.trees.unpublished, s.trees.unpublished+"-away"), os.Mkdir(s.trees.unpublished, 0o755))
	s.wantHeldBack(s.trees.unpublished)
	must(t, os.Remove(s.trees.unpublished), os.Rename(s.trees.unpublished+"-away", s.trees.unpublished))
	s.wantInPlace()
}

// What a crash left is put in order when the disk is there.
func TestDiskThatComesLateIsPutInOrder(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	must(t, os.MkdirAll(filepath.Join(s.trees.work, asideDir, "left"), 0o755))
	_, err := s.change(t.Context(), idA, func(r *store.Recording) { r.State, r.Moving = store.Unpublished, store.Unpublished })
	must(t, err)
	s.unmount()
	s.reopen()
	s.mount()
	s.wantInPlace()
	s.wantFiles(store.Unpublished, presentation(idA))
}

// An installation of before there were marks goes on if its files are there.
func TestMarksOfAnOlderInstallation(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA), presentation(idB))
	s.publish(idB, false)
	s.withoutMarks()
	s.unmount()
	s.reopen()
	s.wantHeldBack(s.trees.published)
	s.mount()
	s.wantInPlace()
	// The published ones are somewhere else.
	s.withoutMarks()
	must(t, os.Rename(s.trees.published, s.trees.published+"-away"))
	s.reopen()
	s.wantHeldBack(s.trees.published)
	must(t, os.Rename(s.trees.published+"-away", s.trees.published))
	s.reopen()
	s.wantInPlace()
	s.unmount()
	s.wantHeldBack(s.trees.published)
	s.mount()
}

// The same with nothing but the trash.
func TestMarksOfAnOlderTrash(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	s.deletes(idA)
	s.withoutMarks()
	s.unmount()
	s.reopen()
	s.wantHeldBack(s.trees.work)
	s.mount()
	if _, err := s.Undelete(t.Context(), []string{idA}); err != nil {
		t.Error(err)
	}
}

// Without recordings nothing can be lost: other directories are taken as they
// are.
func TestDirectoriesWithoutRecordings(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	must(t, os.RemoveAll(filepath.Join(s.dir, "data")))
	s.wantInPlace()
	s.reopen(func(c *Config) { c.PublishedDir += "2" })
	s.wantInPlace()
	s.imports(presentation(idA))
	s.wantFiles(store.Published, presentation(idA))
}

// A crash between the marks leaves nothing that a start refuses.
func TestCrashBetweenTheMarks(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	id := *s.places.mark.Load()
	must(t, s.db.Update(t.Context(), func(tx *store.Tx) error { return tx.PutTreeMark(store.TreeMark{ID: id}) }))
	must(t, os.Remove(filepath.Join(s.trees.unpublished, markFile)))
	s.reopen()
	s.wantInPlace()
	s.imports(presentation(idA))
	must(t, s.db.Update(t.Context(), func(tx *store.Tx) error { return tx.PutTreeMark(store.TreeMark{ID: id}) }))
	must(t, os.Remove(filepath.Join(s.trees.unpublished, markFile)))
	s.reopen()
	s.wantInPlace()
}

// Two services must not share directories; rescan says whose they are.
func TestDirectoriesOfAnotherDatabase(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	other := newShelf(t, func(o *Options) { o.Config = shelfConfig(s.dir) })
	other.wantHeldBack(s.trees.work, "another database", "of its own")
	s.wantInPlace()
	if added, err := other.Rescan(t.Context()); err != nil || len(added) != 1 {
		t.Errorf("rescan: %+v, %v", added, err)
	}
	other.wantInPlace()
	s.wantHeldBack(s.trees.work, "another database")
	s.Library = other.Library
}

// A database that is older than the marks knows its directories by the files.
func TestOlderDatabaseIsRestored(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	id := *s.places.mark.Load()
	must(t, s.db.Update(t.Context(), func(tx *store.Tx) error { return tx.PutTreeMark(store.TreeMark{}) }))
	s.reopen()
	s.wantInPlace()
	if got := *s.places.mark.Load(); got != id {
		t.Errorf("the directories are %s now, want %s as before", got, id)
	}
}

// Rescan takes the directories that there are, and makes those that are not.
func TestRescanAcceptsDirectories(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	must(t, os.RemoveAll(filepath.Join(s.dir, "data")))
	s.reopen()
	s.wantHeldBack(s.trees.published)
	if added, err := s.Rescan(t.Context()); err != nil || len(added) != 0 {
		t.Errorf("rescan: %+v, %v", added, err)
	}
	s.reopen()
	s.wantInPlace()
	s.imports(presentation(idA))
	s.wantFiles(store.Published, presentation(idA))
}

// Copies by the recipes of the documentation carry the marks.
func TestMarksAreCopied(t *testing.T) {
	t.Parallel()
	for name, copier := range map[string][]string{"rsync": {"rsync", "-aH"}, "cp": {"cp", "-a"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			s.imports(presentation(idA), presentation(idB))
			s.deletes(idB)
			to := filepath.Join(s.dir, "srv")
			must(t, os.Mkdir(to, 0o755))
			args := append(copier[1:], s.trees.published, s.trees.unpublished, s.trees.work, to)
			if out, err := exec.Command(copier[0], args...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			must(t, os.RemoveAll(filepath.Join(s.dir, "data")))
			s.reopen(func(c *Config) { *c = c.Below(to) })
			s.wantInPlace()
			if _, err := s.Undelete(t.Context(), []string{idB}); err != nil {
				t.Error(err)
			}
			s.wantFiles(store.Published, presentation(idA), presentation(idB))
		})
	}
}
