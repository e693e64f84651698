package recordings

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"scalelite/store"
)

// onShelf gives a spool the Library of a shelf, with its directories and its
// database.
func onShelf(s *shelf, r *spoolRig) *spoolRig {
	r.t.Helper()
	noEvents := r.options.NoEvents
	r.store, r.options.Config, r.options.Importer = s.db, s.options.Config, s.Library
	r.options.Config.Rescan = "@every 24h"
	r.make()
	r.o.NoEvents, r.settleTime = noEvents, 0 // what comes may come before the events do
	return r
}

// sendAs hands a tarball over by rsync, under a name.
func (r *spoolRig) sendAs(name, tarball string) {
	r.t.Helper()
	named := filepath.Join(r.t.TempDir(), name)
	if err := os.Rename(tarball, named); err != nil {
		r.t.Fatal(err)
	}
	run(r.t, "rsync", "-a", "--remove-source-files", named, r.Dir()+"/")
}

func (r *spoolRig) imported(names ...string) {
	r.t.Helper()
	r.eventually("all tarballs are gone: "+strings.Join(names, " "), func() bool {
		return !slices.ContainsFunc(names, func(name string) bool { return lexists(r.path(name)) })
	})
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	all, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// T1: GNU tar makes it, rsync brings it, and it is there. Beside it one that is
// broken shows itself and its reason.
func TestSpoolToLibrary(t *testing.T) {
	s := newShelf(t)
	r := onShelf(s, newEventRig(t, nil))
	r.start()
	good, packed := tarball(t, presentation(idA), video(idA)), tarball(t, video(idB))
	bad := content(t, good)
	copy(bad[:512], bytes.Repeat([]byte("x"), 512))
	writeWhole(t, filepath.Join(s.dir, "bad.tar"), string(bad))
	if out, err := exec.Command("gzip", packed).CombinedOutput(); err != nil {
		t.Fatalf("gzip: %v: %s", err, out)
	}
	r.sendAs("bad.tar", filepath.Join(s.dir, "bad.tar"))
	r.sendAs(idA+".tar", good)
	r.sendAs(idB+".tar.gz", packed+".gz")
	r.imported(idA+".tar", idB+".tar.gz")
	s.wantFiles(store.Published, presentation(idA), video(idA), video(idB))
	r.eventually("the broken one has failed once", func() bool { return r.files()["bad.tar"].Tries == 1 })
	r.wantState("bad.tar", store.ImportWaiting, 1, "damaged")
	for _, i := range r.imports() {
		if want := map[string]string{idA + ".tar": idA, idB + ".tar.gz": idB}[i.File]; want != strings.Join(i.Recordings, " ") {
			t.Errorf("import %+v brought %v, want %s", i, i.Recordings, want)
		}
	}
}

// T8 with a real tarball: it is written in place, in pieces, by a writer that
// pauses for longer than it would have to rest.
func TestSpoolToLibrarySlowly(t *testing.T) {
	s := newShelf(t)
	r := newEventRig(t, nil)
	r.settleTime = 20 * time.Millisecond
	onShelf(s, r).start()
	all := content(t, tarball(t, presentation(idA)))
	all = bytes.TrimRight(all, "\x00")
	all = append(all, make([]byte, 512-len(all)%512+1024)...) // just the two blocks that end it
	name := idA + ".tar"
	f, err := os.Create(r.path(name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// The last two cuts leave one and a half, and a half of the end.
	for from, cuts := 0, []int{100, 512, 3000, len(all) - 1300, len(all) - 1024, len(all) - 512, len(all) - 1}; len(cuts) > 0; cuts = cuts[1:] {
		if _, err := f.Write(all[from:cuts[0]]); err != nil {
			t.Fatal(err)
		}
		from = cuts[0]
		r.eventually("the piece is known as incomplete", func() bool {
			f := r.files()[name]
			return f.Size == int64(from) && strings.Contains(f.Reason, ErrIncomplete.Error()) && !f.Next.IsZero() && f.State == store.ImportSettling
		})
		if s.has(idA) || len(s.files()) > 0 {
			t.Fatalf("after %d of %d bytes something is imported", from, len(all))
		}
	}
	if _, err := f.Write(all[len(all)-1:]); err != nil {
		t.Fatal(err)
	}
	r.imported(name)
	s.wantFiles(store.Published, presentation(idA))
}

// T6: the same name comes again when the next format is published, while the
// first one is still imported.
func TestSpoolToLibraryTwice(t *testing.T) {
	s := newShelf(t)
	r := onShelf(s, newEventRig(t, nil))
	name := idA + ".tar"
	again, sent := make(chan struct{}), make(chan struct{})
	first := sync.OnceFunc(func() {
		close(again)
		<-sent
	})
	s.step = func(step string) {
		if step == "unpacked" {
			first()
		}
	}
	r.start()
	r.sendAs(name, tarball(t, presentation(idA)))
	<-again
	both := tarball(t, presentation(idA).with("more.txt", strings.Repeat("x", 30000)), video(idA))
	r.sendAs(name, both)
	close(sent)
	r.eventually("both formats are there", func() bool { return s.has(idA) && len(s.get(idA).Formats) == 2 })
	r.imported(name)
	s.wantFiles(store.Published, presentation(idA).with("more.txt", strings.Repeat("x", 30000)), video(idA))
}

// T7: of two formats one is broken. The good one is in, the tarball is kept,
// and brings the other one when it is repaired and tried again.
func TestSpoolToLibraryPartial(t *testing.T) {
	s := newShelf(t)
	r := onShelf(s, newEventRig(t, nil))
	r.start()
	broken := video(idA)
	broken.xml = "<recording>"
	r.sendAs("a.tar", tarball(t, presentation(idA), broken))
	r.eventually("it is in failed_dir", func() bool { return r.files()["a.tar"].State == store.ImportFailed })
	r.wantState("a.tar", store.ImportFailed, 1, "format video")
	s.wantFiles(store.Published, presentation(idA))
	whole := content(t, tarball(t, presentation(idA), video(idA)))
	writeWhole(t, r.failedPath("a.tar"), string(whole))
	back, err := r.Retry(context.Background(), nil)
	if err != nil || !slices.Equal(back, []string{"a.tar"}) {
		t.Fatalf("retry: %v, %v", back, err)
	}
	r.imported("a.tar")
	s.wantFiles(store.Published, presentation(idA), video(idA))
}

// A tarball of a deleted recording is refused at once, and before it is unpacked:
// to try again would not help.
func TestSpoolToLibraryDeleted(t *testing.T) {
	s := newShelf(t)
	r := onShelf(s, newEventRig(t, nil))
	s.imports(presentation(idA))
	s.deletes(idA)
	s.step = func(step string) { t.Errorf("step %q was done", step) }
	r.start()
	r.sendAs("a.tar", tarball(t, presentation(idA), video(idA)))
	r.eventually("it is in failed_dir", func() bool { return r.files()["a.tar"].State == store.ImportFailed && lexists(r.failedPath("a.tar")) })
	r.wantState("a.tar", store.ImportFailed, 1, "recordings undelete "+idA)
	r.wantState("a.tar", store.ImportFailed, 1, "recordings delete --purge "+idA)
}

// T2, T4: the recordings' disk is a real one, and too small. The tarball waits,
// nothing of it is to be seen, and once there is room it goes on by itself.
func TestSpoolToLibraryFullDisk(t *testing.T) {
	mounted := mountTmpfs(t, "size=300k")
	inSpoolTime(t, func(t *testing.T) {
		s := newShelf(t, func(o *Options) {
			c := o.Config.Below(mounted)
			o.Config.WorkDir, o.Config.PublishedDir, o.Config.UnpublishedDir = c.WorkDir, c.PublishedDir, c.UnpublishedDir
		})
		r := onShelf(s, newSpoolRig(t, nil))
		big := video(idA).with("big.m4v", strings.Repeat("x", 500<<10))
		r.start()
		id := r.announce(idA + ".tar")
		if err := os.Rename(tarball(t, big), r.path(idA+".tar")); err != nil {
			t.Fatal(err)
		}
		small := tarball(t, video(idB))
		if err := os.Rename(small, r.path(idB+".tar")); err != nil {
			t.Fatal(err)
		}
		r.lookNow()
		elapse(time.Hour)
		r.wantState(idA+".tar", store.ImportWaiting, 0, "not enough free space")
		r.wantFile(idA+".tar", true)
		s.wantFiles(store.Published, video(idB))
		if s.has(idA) {
			t.Error("there is a record")
		}
		if err := unix.Mount("", mounted, "", unix.MS_REMOUNT, "size=4m"); err != nil {
			t.Fatal(err)
		}
		elapse(2 * time.Minute)
		r.wantFile(idA+".tar", false)
		r.wantImport(id, store.ImportImported, "")
		s.wantFiles(store.Published, video(idB), big)
	})
}

// T23: the same recording under five names at once is one recording.
func TestSpoolToLibraryConcurrently(t *testing.T) {
	s := newShelf(t)
	r := onShelf(s, newEventRig(t, func(o *SpoolOptions) { o.Parallel = 5 }))
	names := []string{"1.tar", "2.tar", "3.tar", "4.tar", "5.tar"}
	for _, name := range names {
		if err := os.Rename(tarball(t, presentation(idA), video(idA)), r.path(name)); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-48 * time.Hour)
		if err := os.Chtimes(r.path(name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	r.start()
	r.imported(names...)
	if formats := s.get(idA).Formats; len(formats) != 2 {
		t.Errorf("formats are %+v", formats)
	}
	s.wantFiles(store.Published, presentation(idA), video(idA))
}

// A stop rolls an import back that takes too long, and the next start has it.
func TestSpoolToLibraryStop(t *testing.T) {
	s := newShelf(t)
	r := onShelf(s, newEventRig(t, nil))
	r.stopTimeout = time.Millisecond
	running, interrupted := make(chan struct{}), true
	r.o.Importer = importerFunc(func(ctx context.Context, path string, progress func(done, total int64)) (Imported, error) {
		if interrupted {
			close(running)
			<-ctx.Done()
		}
		result, err := s.Library.Import(ctx, path, progress)
		if interrupted && !errors.Is(err, context.Canceled) {
			t.Errorf("import: %v", err)
		}
		return result, err
	})
	r.start()
	r.sendAs("a.tar", tarball(t, presentation(idA)))
	<-running
	r.stop()
	r.wantFile("a.tar", true)
	if s.has(idA) || len(s.files()) > 0 {
		t.Error("something is imported")
	}
	interrupted = false
	old := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(r.path("a.tar"), old, old); err != nil {
		t.Fatal(err)
	}
	r.make()
	r.start()
	r.imported("a.tar")
	s.wantFiles(store.Published, presentation(idA))
}

type importerFunc func(ctx context.Context, path string, progress func(done, total int64)) (Imported, error)

func (f importerFunc) ImportTarball(ctx context.Context, t Tarball, progress func(done, total int64)) (Imported, error) {
	return f(ctx, t.Path, progress)
}
