package recordings

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

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
	if done, err := other.Rescan(t.Context(), false); err != nil || len(done.Added) != 1 || len(done.Accepted) != 3 {
		t.Errorf("rescan: %+v, %v", done, err)
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

// wantRefused: a rescan that is not told to accept the directories does nothing.
func (s *shelf) wantRefused(texts ...string) {
	s.t.Helper()
	done, err := s.Rescan(s.t.Context(), false)
	if !errors.Is(err, ErrNotInPlace) || len(done.Accepted)+len(done.Added) > 0 {
		s.t.Errorf("rescan: %+v, %v, want ErrNotInPlace", done, err)
		return
	}
	for _, text := range append(texts, s.trees.published, "rescan --accept-directories") {
		if !strings.Contains(err.Error(), text) {
			s.t.Errorf("rescan: %v, without %q", err, text)
		}
	}
}

// accepts has directories accepted that recordings have no files in.
func (s *shelf) accepts(want ...AcceptedDirectory) {
	s.t.Helper()
	done, err := s.Rescan(s.t.Context(), true)
	if diff := cmp.Diff(want, done.Accepted); diff != "" || err != nil || len(done.Added) != 0 {
		s.t.Errorf("rescan: %+v, %v (-want +got):\n%s", done, err, diff)
	}
	s.wantInPlace()
}

// Directories that recordings should have their files in are accepted only by
// somebody who says so, and those that are missing are made then.
func TestRescanAcceptsDirectories(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA), presentation(idB), presentation(idOld))
	s.publish(idB, false)
	s.deletes(idOld)
	must(t, os.RemoveAll(filepath.Join(s.dir, "data")))
	s.reopen()
	s.wantHeldBack(s.trees.published)
	s.wantRefused(s.trees.work, s.trees.unpublished, "3 recordings have their files there", "mount the disk")
	if _, err := os.Stat(filepath.Join(s.dir, "data")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directories were made: %v", err)
	}
	must(t, os.MkdirAll(s.trees.published, 0o755))
	const missing = "there is no such directory"
	s.accepts(AcceptedDirectory{"recordings.work_dir", s.trees.work, missing},
		AcceptedDirectory{"recordings.published_dir", s.trees.published, "the file .scalelite that it is known by is not there"},
		AcceptedDirectory{"recordings.unpublished_dir", s.trees.unpublished, missing})
	s.accepts() // once
	s.reopen()
	s.wantInPlace()
	s.imports(presentation(idA), presentation(idB))
	_, err := s.Purge(t.Context(), []string{idOld})
	must(t, err)
}

// Where no recording has its files nothing is lost: that is accepted by itself.
func TestRescanAcceptsWhatHoldsNothing(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	must(t, writeMark(s.trees.unpublished, newTreeID()))
	s.wantHeldBack(s.trees.unpublished, "another database", "'scalelite recordings rescan' accepts")
	done, err := s.Rescan(t.Context(), false)
	if err != nil || len(done.Accepted) != 1 || done.Accepted[0].Path != s.trees.unpublished {
		t.Errorf("rescan: %+v, %v", done, err)
	}
	s.wantInPlace()
}

// A disk that comes back after others were accepted in its place is not taken for
// them: what came in since would be hidden below it. Nothing is lost.
func TestDiskThatIsBackAfterAnotherWasAccepted(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	s.unmount()
	s.wantRefused("1 recording has its files there")
	_, err := s.Rescan(t.Context(), true)
	must(t, err)
	s.imports(presentation(idB))
	data, below := filepath.Join(s.dir, "data"), filepath.Join(s.dir, "below")
	must(t, os.Rename(data, below), os.Rename(filepath.Join(s.dir, "away"), data))
	s.wantHeldBack(s.trees.published, "before others were taken in its place", "unmount")
	s.wantRefused("2 recordings have their files there", "unmount")
	s.reopen()
	s.wantRefused("2 recordings have their files there", "unmount")
	// It is taken off again.
	must(t, os.Rename(data, filepath.Join(s.dir, "away")), os.Rename(below, data))
	s.wantInPlace()
	s.publish(idB, false)
	// What came in since is brought to it.
	if out, err := exec.Command("cp", "-aT", data, filepath.Join(s.dir, "away")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	must(t, os.RemoveAll(data), os.Rename(filepath.Join(s.dir, "away"), data))
	s.wantInPlace()
	s.publish(idB, true)
	s.wantFiles(store.Published, presentation(idA), presentation(idB))
}

// A crash between the marks of directories that were accepted.
func TestCrashWhileDirectoriesAreAccepted(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	next := store.TreeMark{ID: newTreeID(), Former: []string{*s.places.mark.Load()}}
	must(t, s.db.Update(t.Context(), func(tx *store.Tx) error { return tx.PutTreeMark(next) }), writeMark(s.trees.work, next.ID))
	s.reopen()
	s.wantInPlace()
	if got := *s.places.mark.Load(); got != next.ID {
		t.Errorf("the directories are %s now, want %s", got, next.ID)
	}
}

// While there are no recordings the directories are made wherever they are
// missing; yet what comes in there must not be hidden by those that were before.
func TestDiskThatIsBackOverTheFirstRecordings(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.unmount()
	s.wantInPlace()
	must(t, os.RemoveAll(filepath.Join(s.dir, "below")), os.Rename(filepath.Join(s.dir, "data"), filepath.Join(s.dir, "below")))
	must(t, os.Rename(filepath.Join(s.dir, "away"), filepath.Join(s.dir, "data")))
	s.wantInPlace() // there are none still
	s.unmount()
	s.imports(presentation(idA))
	must(t, os.RemoveAll(filepath.Join(s.dir, "below")), os.Rename(filepath.Join(s.dir, "data"), filepath.Join(s.dir, "below")))
	must(t, os.Rename(filepath.Join(s.dir, "away"), filepath.Join(s.dir, "data")))
	s.wantHeldBack(s.trees.published, "before others were taken in its place", "unmount")
	must(t, os.RemoveAll(filepath.Join(s.dir, "data")), os.Rename(filepath.Join(s.dir, "below"), filepath.Join(s.dir, "data")))
	s.wantInPlace()
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

// Nobody is told that the directories are not in place because somebody else just
// looks at them.
func TestInPlaceForAllAtOnce(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	for range 50 {
		s.unmount()
		if err := s.InPlace(t.Context()); !errors.Is(err, ErrNotInPlace) {
			t.Fatalf("without the disk: %v", err)
		}
		s.mount()
		var asking sync.WaitGroup
		for range 16 {
			asking.Go(func() {
				for range 5 {
					if err := s.InPlace(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		asking.Wait()
	}
}
