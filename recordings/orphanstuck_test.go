package recordings

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/store"
)

// sticks makes an orphan that cannot be moved away, whoever asks: to where it
// would go lies in it. The others can. release undoes that, and removes it.
func (s *shelf) sticks(f fixture, age time.Duration) (dir string, release func()) {
	s.t.Helper()
	dir, aside := s.orphan(f, age), filepath.Join(s.trees.work, asideDir)
	at := s.clock.now().Add(-age)
	in := filepath.Join(dir, "in")
	must(s.t, os.Mkdir(in, 0o755), os.Remove(aside), os.Symlink(in, aside), os.Chtimes(dir, at, at))
	release = func() {
		must(s.t, os.Remove(aside), os.Mkdir(aside, 0o755), os.RemoveAll(dir))
	}
	return dir, release
}

// One directory in the trash that cannot be moved away is told, and keeps nothing
// else from being done: no start, no retention, no repair.
func TestOrphanThatStays(t *testing.T) {
	t.Parallel()
	const age = 9 * 24 * time.Hour
	for name, sweep := range map[string]func(s *shelf) error{
		"start": func(s *shelf) error { s.reopen(); return nil },
		"prune": func(s *shelf) error {
			pruned, err := s.Prune(s.t.Context(), false)
			want := []string{"retention " + idOld, "trash " + idA, orphanReason + " gone-x"}
			if diff := cmp.Diff(want, prunedIDs(pruned)); diff != "" || err == nil {
				s.t.Errorf("%v, pruned (-want +got):\n%s", err, diff)
			}
			s.log.Error("retention", "cause", err)
			return nil
		},
		"check": func(s *shelf) error {
			s.place(store.Published, video(idB))
			problems, err := s.Check(s.t.Context(), RepairSafe)
			fixed := func(p Problem) bool { return p.Fixed && p.RecordID == idB }
			if !slices.ContainsFunc(problems, fixed) {
				s.t.Errorf("problems are %+v", problems)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			s := newShelf(t, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
			s.imports(presentation(idA), presentation(idOld))
			s.deletes(idA)
			s.clock.forward(age)
			c := s.options.Config
			c.Retention = "30d"
			s.Reconfigure(c)
			stuck, release := s.sticks(fixture{kind: "video", id: "aaa"}, age)
			other := s.orphan(fixture{kind: "video", id: "gone-x"}, age)
			must(t, sweep(s))
			if !lexists(stuck) || lexists(other) {
				t.Errorf("it is there: %t, another: %t", lexists(stuck), lexists(other))
			}
			if text := log.String(); strings.Count(text, "level=ERROR") != 1 || !strings.Contains(text, "stays at "+stuck) || !strings.Contains(text, "remove it") {
				t.Errorf("the log says %s", text)
			}
			release()
		})
	}
}

// A dry run tells of the orphans that it can look at, and of all the rest.
func TestPruneDryWithOrphanThatStays(t *testing.T) {
	t.Parallel()
	s := newShelf(t, func(o *Options) { o.Config.Retention = "30d" })
	s.imports(presentation(idA), video(idA), presentation(idOld))
	s.orphan(video(idA), 9*24*time.Hour)
	s.orphan(fixture{kind: "video", id: "gone-x"}, 9*24*time.Hour)
	kind := filepath.Join(s.trees.published, "video")
	must(t, os.Rename(kind, kind+".away"), os.Symlink(kind, kind)) // which leads nowhere, and is no absence
	pruned, err := s.Prune(t.Context(), true)
	want := []string{"retention " + idOld, orphanReason + " gone-x"}
	if diff := cmp.Diff(want, prunedIDs(pruned)); diff != "" || !errors.Is(err, syscall.ELOOP) {
		t.Errorf("%v, pruned (-want +got):\n%s", err, diff)
	}
	must(t, os.Remove(kind), os.Rename(kind+".away", kind), os.RemoveAll(s.trees.trash("")), os.Mkdir(s.trees.trash(""), 0o755))
}

// What can be done depends on why it stays.
func TestOrphanStaysTellsWhatToDo(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	for cause, want := range map[error]string{
		syscall.EACCES: "belong to user id",
		syscall.EROFS:  "ReadWritePaths=",
		syscall.EIO:    "see to its file system",
	} {
		err := s.stays("x", &os.PathError{Op: "rename", Path: "x", Err: cause})
		if !errors.Is(err, cause) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), s.trees.trash("x")) {
			t.Errorf("of %v it says %v", cause, err)
		}
	}
}

// One that cannot even be looked into is a problem like others.
func TestCheckOfUnreadableOrphan(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	dir := s.trees.trash(idB + "-xyz")
	must(t, os.Symlink(dir, dir))
	problems, err := s.Check(t.Context(), RepairNothing)
	if err != nil || len(problems) != 1 || problems[0].Kind != "extra" || !strings.Contains(problems[0].Detail, "cannot be read") {
		t.Errorf("problems are %+v, %v", problems, err)
	}
	must(t, os.Remove(dir))
}

// A start that is ended does not go on without what it could not do.
func TestSweepTrashEnds(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.orphan(fixture{kind: "video", id: "gone-x"}, 9*24*time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.trySweepTrash(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("it returned %v", err)
	}
	must(t, os.RemoveAll(s.trees.trash("")), os.Mkdir(s.trees.trash(""), 0o755))
}
