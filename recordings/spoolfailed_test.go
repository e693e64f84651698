package recordings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"scalelite/store"
)

// giveUpOn brings tarballs to failed_dir.
func (r *spoolRig) giveUpOn(names ...string) {
	r.t.Helper()
	do := r.importer.do
	r.importer.do = func(context.Context, string, int) (Imported, error) { return Imported{}, errSpoolBroken }
	for _, name := range names {
		r.place(name, "content of "+name)
	}
	r.start()
	elapse(time.Hour)
	r.stop()
	for _, name := range names {
		if !lexists(r.failedPath(name)) || !lexists(r.failedPath(name+".txt")) {
			r.t.Fatalf("%s is not in failed_dir with a text", name)
		}
	}
	r.importer.do, r.importer.tries = do, nil
	r.make()
	r.start()
	elapse(time.Second)
}

func (r *spoolRig) retries(names ...string) []string {
	r.t.Helper()
	back, err := r.Retry(context.Background(), names)
	if err != nil {
		r.t.Fatal(err)
	}
	elapse(time.Second)
	return back
}

// What the store says of a failure, the list says as well, and a retry finds the
// tarball, even while it is on its way to failed_dir.
func TestSpoolTellsOfAFailureAtOnce(t *testing.T) {
	t.Parallel()
	r := newSpoolRig(t, func(o *SpoolOptions) { o.Config.Tries = 1 })
	r.importer.do = func(_ context.Context, _ string, try int) (Imported, error) {
		if try == 1 {
			return Imported{}, errSpoolBroken
		}
		return Imported{}, nil
	}
	r.place("a.tar", "content")
	r.failing.Lock() // nothing can be moved there
	r.start()
	r.eventually("the import has failed", func() bool {
		all := r.imports()
		return len(all) == 1 && all[0].State == store.ImportFailed
	})
	if f := r.files()["a.tar"]; f.State != store.ImportFailed || f.Tries != 1 || !strings.Contains(f.Reason, errSpoolBroken.Error()) {
		t.Errorf("the list has it as %+v", f)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Retry(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a retry that nobody waits for: %v", err)
	}
	back := make(chan []string)
	go func() {
		names, err := r.Retry(t.Context(), nil)
		if err != nil {
			t.Error(err)
		}
		back <- names
	}()
	r.failing.Unlock()
	if names := <-back; !slices.Equal(names, []string{"a.tar"}) {
		t.Errorf("tried again are %v", names)
	}
	r.eventually("it is imported", func() bool { return slices.Equal(r.importer.took(), []string{"content"}) })
}

func TestSpoolRetry(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.giveUpOn("a.tar", "b.tar", "c.tgz")
		if _, err := r.Retry(context.Background(), []string{"a.tar", "x.tar"}); !errors.Is(err, ErrNotFound) {
			t.Errorf("retry of one that is not there: %v, want ErrNotFound", err)
		}
		if _, err := r.Retry(context.Background(), []string{"../scalelite-failed/a.tar"}); !errors.Is(err, ErrNotFound) {
			t.Errorf("retry of a path: %v, want ErrNotFound", err)
		}
		elapse(time.Second)
		r.wantTaken()
		if back := r.retries("a.tar", "a.tar"); !slices.Equal(back, []string{"a.tar"}) {
			t.Errorf("back are %v", back)
		}
		r.wantTaken("content of a.tar")
		if lexists(r.failedPath("a.tar")) || lexists(r.failedPath("a.tar.txt")) {
			t.Error("something is left in failed_dir")
		}
		if back := r.retries(); !slices.Equal(back, []string{"b.tar", "c.tgz"}) {
			t.Errorf("back are %v", back)
		}
		r.wantTaken("content of a.tar", "content of b.tar", "content of c.tgz")
		if back := r.retries(); len(back) > 0 {
			t.Errorf("back are %v", back)
		}
	})
}

// It gets as many tries as a new one.
func TestSpoolRetryTriesAnew(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.importer.do = failingFor("a.tar", errSpoolBroken)
		r.giveUpOn("a.tar")
		r.retries()
		r.wantState("a.tar", store.ImportWaiting, 1, "checksum")
		elapse(time.Hour)
		if n := r.importer.tried("a.tar"); n != 5 {
			t.Errorf("tried %d times, want 5", n)
		}
		r.wantState("a.tar", store.ImportFailed, 5, "checksum")
	})
}

// A newer tarball in the spool is never replaced by an old one from failed_dir,
// which is not in the way of the others.
func TestSpoolRetryNameTaken(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.giveUpOn("a.tar", "b.tar")
		r.importer.let(failingFor("a.tar", ErrNoSpace))
		id := r.announce("a.tar")
		r.place("a.tar", "newer")
		r.lookNow()
		back, err := r.Retry(context.Background(), nil)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "a.tar") || !slices.Equal(back, []string{"b.tar"}) {
			t.Errorf("retry: %v, %v", back, err)
		}
		elapse(time.Second)
		r.wantTaken("content of b.tar")
		content, err := os.ReadFile(r.path("a.tar"))
		if err != nil || string(content) != "newer" || !lexists(r.failedPath("a.tar")) {
			t.Errorf("in the spool is %q, %v", content, err)
		}
		if i, err := r.Spool.Import(context.Background(), id); err != nil || i.State != store.ImportWaiting {
			t.Errorf("the newer one's import is %+v, %v", i, err)
		}
	})
}

// One that fails again and again under the same name replaces nothing.
func TestSpoolFailedNameTaken(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.importer.do = func(context.Context, string, int) (Imported, error) { return Imported{}, errSpoolBroken }
		r.start()
		long := strings.Repeat("x", 251) + ".tar"
		for i := range 3 {
			r.place("a.tar.gz", fmt.Sprint("content ", i))
			r.place(long, fmt.Sprint("long ", i))
			elapse(time.Hour)
		}
		for i, name := range []string{"a.tar.gz", "a.2.tar.gz", "a.3.tar.gz"} {
			content, err := os.ReadFile(r.failedPath(name))
			if err != nil || string(content) != fmt.Sprint("content ", i) {
				t.Errorf("%s: %q, %v", name, content, err)
			}
			if text, err := os.ReadFile(r.failedPath(name + ".txt")); err != nil || !strings.Contains(string(text), "recordings retry "+name+"\n") {
				t.Errorf("%s.txt: %q, %v", name, text, err)
			}
			r.wantState(name, store.ImportFailed, 5, "checksum")
		}
		if n := len(r.files()); n != 6 {
			t.Errorf("%d files are shown, want 6", n)
		}
		r.importer.let(nil)
		r.retries()
		r.wantTaken("content 0", "content 1", "content 2", "long 0", "long 1", "long 2")
	})
}

// The same tarball that fails again takes no more room: its text counts.
func TestSpoolFailsAgainTheSame(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.importer.do = func(context.Context, string, int) (Imported, error) { return Imported{}, errSpoolBroken }
		r.start()
		first, content := time.Now(), strings.Repeat("content ", 100_000)
		for range 4 {
			r.place("a.tar", content)
			elapse(time.Hour)
		}
		r.place("b.tar", content) // another name
		elapse(time.Hour)
		r.place("a.tar", content[1:]+"x") // as large
		elapse(time.Hour)
		names := slices.Sorted(maps.Keys(r.files()))
		if want := []string{"a.2.tar", "a.tar", "b.tar"}; !slices.Equal(names, want) {
			t.Errorf("there are %v, want %v", names, want)
		}
		r.wantState("a.tar", store.ImportFailed, 20, "checksum")
		why := r.failureOf("a.tar")
		if why.times != 4 || why.first.Sub(first).Abs() > time.Minute || why.since.Before(first.Add(3*time.Hour)) {
			t.Errorf("the text says %+v", why)
		}
		if found, err := os.ReadDir(r.o.Config.FailedDir); err != nil || len(found) != 6 {
			t.Errorf("failed_dir has %v, %v", found, err)
		}
		r.importer.let(nil)
		r.retries("a.tar")
		r.wantTaken(content)
	})
}

func TestSpoolDrop(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.giveUpOn("a.tar", "b.tar")
		for _, name := range []string{"x.tar", "../scalelite-failed/b.tar", "b.tar.txt", ""} {
			if gone, err := r.Drop(t.Context(), []string{"a.tar", name}); !errors.Is(err, ErrNotFound) || len(gone) > 0 {
				t.Errorf("drop of %q: %v, %v, want ErrNotFound", name, gone, err)
			}
		}
		if gone, err := r.Drop(t.Context(), []string{"a.tar", "a.tar"}); err != nil || !slices.Equal(gone, []string{"a.tar"}) {
			t.Errorf("dropped are %v, %v", gone, err)
		}
		if lexists(r.failedPath("a.tar")) || lexists(r.failedPath("a.tar.txt")) || !lexists(r.failedPath("b.tar")) {
			t.Error("failed_dir does not have b.tar alone")
		}
		elapse(time.Hour)
		r.wantTaken()
	})
}

// One that could not be moved to failed_dir is dropped where it is, but not what
// has its name meanwhile.
func TestSpoolDropStuck(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.importer.do = failingFor("a.tar", errSpoolBroken)
		failed := r.o.Config.FailedDir
		must(t, os.Remove(failed))
		writeWhole(t, failed, "a file")
		r.place("a.tar", "content")
		r.start()
		elapse(time.Hour)
		must(t, os.Remove(failed), os.Mkdir(failed, 0o755))
		kept, err := os.ReadFile(r.path("a.tar"))
		must(t, err, os.Remove(r.path("a.tar")))
		writeWhole(t, r.path("a.tar"), "newer")
		if _, err := r.Drop(t.Context(), []string{"a.tar"}); !errors.Is(err, errReplaced) || string(kept) != "content" {
			t.Errorf("drop of another one: %v", err)
		}
		r.wantFile("a.tar", true)
	})
}

// Where tarballs go that cannot be moved to failed_dir: nowhere, visibly, and
// without being tried again.
func TestSpoolFailedDirUnusable(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.importer.do = failingFor("a.tar", errSpoolBroken)
		failed := r.o.Config.FailedDir
		r.place("a.tar", "a")
		r.start()
		elapse(3 * time.Minute) // before the last try
		if err := os.Remove(failed); err != nil {
			t.Fatal(err)
		}
		writeWhole(t, failed, "a file")
		elapse(24 * time.Hour)
		if n := r.importer.tried("a.tar"); n != 5 {
			t.Errorf("tried %d times, want 5", n)
		}
		if n := r.logs.count("could not be taken out"); n != 1 {
			t.Errorf("logged %d times, want once", n)
		}
		r.wantFile("a.tar", true)
		if err := os.Remove(failed); err != nil {
			t.Fatal(err)
		}
		elapse(time.Minute)
		r.wantState("a.tar", store.ImportFailed, 5, "checksum")
		elapse(10 * time.Minute)
		r.wantState("a.tar", store.ImportFailed, 5, "checksum")
		r.wantFile("a.tar", false)
	})
}

// One that is given up but still in the spool can be tried again, too.
func TestSpoolRetryStuck(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		var works atomic.Bool
		r.importer.do = func(context.Context, string, int) (Imported, error) {
			if works.Load() {
				return Imported{}, nil
			}
			return Imported{}, errSpoolBroken
		}
		// A text that cannot be replaced, and a name that leaves no other.
		if err := os.MkdirAll(r.failedPath("a.tar.txt"), 0o755); err != nil {
			t.Fatal(err)
		}
		r.place("a.tar", "a")
		r.start()
		elapse(time.Hour)
		r.wantState("a.tar", store.ImportFailed, 5, "checksum")
		r.wantFile("a.tar", true)
		works.Store(true)
		if back := r.retries(); !slices.Equal(back, []string{"a.tar"}) {
			t.Errorf("back are %v", back)
		}
		r.wantTaken("a")
	})
}

// A tarball that is imported but cannot be removed is not imported again.
func TestSpoolCannotRemove(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		writeWhole(t, r.path(takenDir), "in the way")
		r.place("a.tar", "a")
		r.start()
		elapse(24 * time.Hour)
		r.wantTaken("a")
		r.wantState("a.tar", store.ImportImported, 0, "it is imported, but cannot be removed")
		r.place("a.tar", "another a") // is one to be imported nevertheless
		elapse(time.Hour)
		r.wantTaken("a", "another a")
		if err := os.Remove(r.path(takenDir)); err != nil {
			t.Fatal(err)
		}
		elapse(11 * time.Minute)
		r.wantTaken("a", "another a")
		r.wantFile("a.tar", false)
		if len(r.imports()) != 2 {
			t.Errorf("imports are %+v", r.imports())
		}
	})
}

// failed_dir on another file system, and too small at first.
func TestSpoolFailedDirElsewhere(t *testing.T) {
	mounted := mountTmpfs(t, "size=64k")
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, func(o *SpoolOptions) { o.Config.FailedDir = filepath.Join(mounted, "failed") })
		r.importer.do = failingFor("a.tar", errSpoolBroken)
		content := strings.Repeat("0123456789abcdef", 8<<10) // 128 KiB
		r.place("a.tar", content)
		r.start()
		elapse(time.Hour)
		r.wantFile("a.tar", true)
		r.wantState("a.tar", store.ImportFailed, 5, "checksum")
		if left := r.failedNames(); len(left) > 0 {
			t.Errorf("failed_dir is full, and has %v", left)
		}
		if err := unix.Mount("", mounted, "", unix.MS_REMOUNT, "size=1m"); err != nil {
			t.Fatal(err)
		}
		elapse(11 * time.Minute)
		r.wantFile("a.tar", false)
		if names := r.failedNames(); !slices.Equal(names, []string{"a.tar", "a.tar.txt"}) {
			t.Errorf("failed_dir has %v", names)
		}
		if moved, err := os.ReadFile(r.failedPath("a.tar")); err != nil || string(moved) != content {
			t.Errorf("%d bytes were copied, %v", len(moved), err)
		}
		r.importer.let(nil)
		r.retries("a.tar")
		r.wantTaken(content)
		if names := r.failedNames(); len(names) > 0 {
			t.Errorf("failed_dir has %v", names)
		}
	})
}

func (r *spoolRig) failedNames() (names []string) {
	r.t.Helper()
	found, err := os.ReadDir(r.o.Config.FailedDir)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range found {
		names = append(names, f.Name())
	}
	return names
}

// mountTmpfs mounts a file system of the test's own.
func mountTmpfs(t *testing.T, options string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("a file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A copy to another file system ends with its context and leaves nothing.
func TestSpoolCopyInterrupted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from := filepath.Join(dir, "a.tar")
	writeWhole(t, from, "content")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := copyFile(ctx, from, filepath.Join(dir, "b.tar")); !errors.Is(err, context.Canceled) {
		t.Errorf("copy: %v", err)
	}
	if found, _ := os.ReadDir(dir); len(found) != 1 {
		t.Errorf("the directory has %v", found)
	}
}

// A spool that is gone must not look like one that is empty.
func TestFilesOfAMissingSpool(t *testing.T) {
	t.Parallel()
	r := newSpoolRig(t, nil)
	if files, err := r.Files(t.Context()); err != nil || len(files) > 0 {
		t.Errorf("%+v, %v", files, err)
	}
	if err := os.Remove(r.Dir()); err != nil {
		t.Fatal(err)
	}
	files, err := r.Files(t.Context())
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "recordings.spool_dir "+r.Dir()) {
		t.Errorf("%+v, %v", files, err)
	}
}
