package recordings

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// These tests run in real time, with the kernel's events. Nothing is found by
// the schedule within their time, and nothing settles unless they say so: what
// is imported was known to be complete.

func newEventRig(t *testing.T, change func(*SpoolOptions)) *spoolRig {
	t.Helper()
	t.Parallel()
	r := newSpoolRig(t, func(o *SpoolOptions) {
		o.NoEvents = false
		o.Config.Rescan = "@every 24h"
		if change != nil {
			change(o)
		}
	})
	r.settleTime = 24 * time.Hour
	return r
}

// startWatching starts the spool and waits until its events have proven to come.
func (r *spoolRig) startWatching() {
	r.t.Helper()
	r.start()
	r.watching("first.tar")
}

func (r *spoolRig) watching(name string) {
	r.t.Helper()
	r.Look()
	// The first one may be found by a look, before which events begin.
	for _, name := range []string{name, "event-" + name} {
		r.place(name, "")
		r.eventually(name+" is imported", func() bool { return r.importer.tried(name) > 0 && len(r.files()) == 0 })
	}
	r.importer.mu.Lock()
	defer r.importer.mu.Unlock()
	r.importer.tries, r.importer.content = nil, nil
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("there is no %s here", name)
	}
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// fresh makes files as the script on a BBB server does: a moment ago.
func fresh(t *testing.T, size int, names ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range names {
		writeWhole(t, filepath.Join(dir, name), strings.Repeat(name[:1], size))
	}
	return dir
}

// rsync gives each file its name when it is complete: it is imported once, and
// at once, whatever its size.
func TestSpoolRsync(t *testing.T) {
	for _, size := range []int{10, 20 << 20} {
		for _, flags := range []string{"-a", "-r"} {
			t.Run(fmt.Sprint(flags, size), func(t *testing.T) {
				r := newEventRig(t, nil)
				r.startWatching()
				src := fresh(t, size, "a.tar", "b.tar", "c.txt")
				run(t, "rsync", flags, "--remove-source-files", src+"/", r.Dir()+"/")
				r.eventually("both are imported", func() bool { return len(r.importer.took()) == 2 })
				r.wantTaken(strings.Repeat("a", size), strings.Repeat("b", size))
				r.eventually("both are gone", func() bool { return !lexists(r.path("a.tar")) && !lexists(r.path("b.tar")) })
				r.wantFile("c.txt", true)
				if a, b := r.importer.tried("a.tar"), r.importer.tried("b.tar"); a != 1 || b != 1 {
					t.Errorf("a was tried %d times, b %d", a, b)
				}
			})
		}
	}
}

// A slow rsync: while it writes there is nothing to be seen.
func TestSpoolSlowRsync(t *testing.T) {
	r := newEventRig(t, nil)
	r.startWatching()
	src := fresh(t, 2<<20, "a.tar")
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(t, "rsync", "-a", "--whole-file", "--bwlimit=2000", filepath.Join(src, "a.tar"), r.Dir()+"/")
	}()
	for copying := true; copying; {
		select {
		case <-done:
			copying = false
		case <-time.After(10 * time.Millisecond):
			if len(r.importer.took()) > 0 && !lexists(r.path("a.tar")) {
				continue // it ended just now
			}
		}
	}
	r.eventually("it is imported", func() bool { return len(r.importer.took()) > 0 })
	r.wantTaken(strings.Repeat("a", 2<<20))
	if n := r.importer.tried("a.tar"); n != 1 {
		t.Errorf("it was tried %d times", n)
	}
}

// An interrupted rsync --partial leaves half a file under the final name. It
// stays until the next rsync has completed it.
func TestSpoolRsyncPartial(t *testing.T) {
	const size = 8 << 20
	r := newEventRig(t, nil)
	r.importer.do = func(_ context.Context, name string, _ int) (Imported, error) {
		if info, err := os.Stat(r.path(name)); name == "a.tar" && (err != nil || info.Size() != size) {
			return Imported{}, errors.Join(ErrIncomplete, err)
		}
		return Imported{}, nil
	}
	r.settleTime = 50 * time.Millisecond
	r.startWatching()
	src := filepath.Join(fresh(t, size, "a.tar"), "a.tar")
	if _, err := exec.LookPath("rsync"); err != nil {
		t.Skip("there is no rsync here")
	}
	slow := exec.Command("rsync", "-a", "--whole-file", "--partial", "--bwlimit=4000", src, r.Dir()+"/")
	if err := slow.Start(); err != nil {
		t.Fatal(err)
	}
	r.eventually("some of it is there", func() bool {
		found, _ := filepath.Glob(r.path(".a.tar.*"))
		if len(found) == 0 {
			return false
		}
		info, err := os.Stat(found[0])
		return err == nil && info.Size() > 1<<20
	})
	_ = slow.Process.Signal(syscall.SIGTERM)
	_ = slow.Wait()
	r.eventually("the half is known as incomplete", func() bool {
		return strings.Contains(r.files()["a.tar"].Reason, ErrIncomplete.Error())
	})
	if f := r.files()["a.tar"]; f.Tries != 0 || f.Size >= size {
		t.Errorf("shown as %+v", f)
	}
	run(t, "rsync", "-a", "--partial", "--append-verify", src, r.Dir()+"/")
	r.eventually("it is imported", func() bool { return len(r.importer.took()) > 0 && !lexists(r.path("a.tar")) })
	r.wantTaken(strings.Repeat("a", size))
}

// mv of an old file is taken at once: a rename on the same file system, a copy
// from another one.
func TestSpoolMove(t *testing.T) {
	for from, dir := range map[string]func(*testing.T) string{
		"the same file system": func(t *testing.T) string { return t.TempDir() },
		"another":              func(t *testing.T) string { return mountTmpfs(t, "size=1m") },
	} {
		t.Run(from, func(t *testing.T) {
			r := newEventRig(t, nil)
			if from == "another" {
				r.settleTime = 50 * time.Millisecond // mv copies in place
			}
			r.startWatching()
			src := filepath.Join(dir(t), "a.tar")
			writeWhole(t, src, "content")
			long := time.Now().Add(-48 * time.Hour)
			if err := os.Chtimes(src, long, long); err != nil {
				t.Fatal(err)
			}
			run(t, "mv", src, r.Dir()+"/")
			r.eventually("it is imported", func() bool { return len(r.importer.took()) > 0 })
			r.wantTaken("content")
		})
	}
}

// A tarball that comes while another one's import runs does not wait for it.
func TestSpoolEventDuringImport(t *testing.T) {
	r := newEventRig(t, func(o *SpoolOptions) { o.Parallel = 2 })
	r.startWatching()
	release := make(chan struct{})
	r.importer.let(func(_ context.Context, name string, _ int) (Imported, error) {
		if name == "slow.tar" {
			<-release
		}
		return Imported{}, nil
	})
	r.place("slow.tar", "slow")
	r.eventually("the slow one runs", func() bool { return r.importer.tried("slow.tar") == 1 })
	r.place("quick.tar", "quick")
	r.eventually("the other one is imported", func() bool { return len(r.importer.took()) == 1 })
	close(release)
	r.eventually("both are", func() bool { return len(r.importer.took()) == 2 })
}

// The directory is removed and made anew, moved away and back, and covered by a
// mount: each time it is watched again.
func TestSpoolDirectoryReplaced(t *testing.T) {
	r := newEventRig(t, nil)
	r.startWatching()
	if err := os.RemoveAll(r.Dir()); err != nil {
		t.Fatal(err)
	}
	r.eventually("it is missed", func() bool { return r.logs.count("spool could not be read") == 1 })
	if err := os.Mkdir(r.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	r.watching("second.tar")
	away := r.Dir() + ".away"
	if err := os.Rename(r.Dir(), away); err != nil {
		t.Fatal(err)
	}
	r.eventually("it is missed again", func() bool { return r.logs.count("spool could not be read") == 2 })
	if err := os.Rename(away, r.Dir()); err != nil {
		t.Fatal(err)
	}
	r.watching("again.tar")
	if err := unix.Mount("tmpfs", r.Dir(), "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(r.Dir(), unix.MNT_DETACH) })
	old := time.Now().Add(-48 * time.Hour)
	writeOld := func(name string) {
		writeWhole(t, r.path(name), name)
		if err := os.Chtimes(r.path(name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	r.settleTime = 0
	writeOld("third.tar")
	r.Look() // as the schedule does: no event tells of a mount
	r.eventually("the file on the mount is imported", func() bool { return len(r.importer.took()) == 1 })
	writeOld("fourth.tar")
	r.eventually("events of the mount come", func() bool { return len(r.importer.took()) == 2 })
}

// More files at once than the kernel keeps events for are all found.
func TestSpoolOverflow(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	const files = 30_000
	r := newEventRig(t, nil)
	r.startWatching()
	// They wait for a minute after their first try, and the store hears of none.
	r.importer.let(func(context.Context, string, int) (Imported, error) { return Imported{}, ErrNoSpace })
	src, old := t.TempDir(), time.Now().Add(-48*time.Hour)
	r.mu.Lock() // the spool cannot look, and does not get at its events
	for i := range files {
		name := fmt.Sprintf("%05d.tar", i)
		path := filepath.Join(src, name)
		err := errors.Join(os.WriteFile(path, nil, 0o644), os.Chtimes(path, old, old), os.Rename(path, r.path(name)))
		if err != nil {
			r.mu.Unlock()
			t.Fatal(err)
		}
	}
	r.mu.Unlock()
	r.eventually("events are lost", func() bool { return r.logs.count("events were lost") > 0 })
	r.eventually("all are found", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.entries) == files
	})
	r.eventually("all are tried", func() bool {
		r.importer.mu.Lock()
		defer r.importer.mu.Unlock()
		return len(r.importer.tries) == files
	})
}

// Without a watcher the spool says so once and works by its schedule.
func TestSpoolWithoutWatcher(t *testing.T) {
	r := newEventRig(t, func(o *SpoolOptions) { o.Config.Rescan = "@every 1s" })
	r.newWatcher = func() (*fsnotify.Watcher, error) { return nil, errors.New("too many open files") }
	r.start()
	r.place("a.tar", "a")
	r.eventually("it is imported", func() bool { return len(r.importer.took()) == 1 })
	r.place("b.tar", "b")
	r.eventually("it is imported", func() bool { return len(r.importer.took()) == 2 })
	r.place("c.tar", "c")
	r.eventually("it is imported", func() bool { return len(r.importer.took()) == 3 })
	if n := r.logs.count("too many open files"); n != 1 {
		t.Errorf("it was logged %d times, want once", n)
	}
}

// A watcher that ends behind our back is replaced.
func TestSpoolWatcherEnds(t *testing.T) {
	r := newEventRig(t, nil)
	made := make(chan *fsnotify.Watcher, 10)
	r.newWatcher = func() (*fsnotify.Watcher, error) {
		w, err := fsnotify.NewWatcher()
		made <- w
		return w, err
	}
	r.startWatching()
	if err := (<-made).Close(); err != nil {
		t.Fatal(err)
	}
	r.watching("second.tar")
}

// When Run has returned, nothing of it is left. The tests in synctest's time
// would not end otherwise; here are the events, too. It runs alone.
func TestSpoolLeavesNoGoroutines(t *testing.T) {
	r := newSpoolRig(t, func(o *SpoolOptions) { o.NoEvents = false })
	r.startWatching()
	if n := spoolGoroutines(); n == 0 {
		t.Error("goroutines are not recognised")
	}
	r.place("a.tar", "a")
	r.stop()
	r.eventually("nothing runs", func() bool { return spoolGoroutines() == 0 })
}

func spoolGoroutines() (n int) {
	buf := make([]byte, 1<<20)
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "recordings.(*Spool)") || strings.Contains(g, "fsnotify") {
			n++
		}
	}
	return n
}
