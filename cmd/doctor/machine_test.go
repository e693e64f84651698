package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"scalelite/recordings"
	"scalelite/store"
	"scalelite/web/admin"
)

// asNobody gives the database to the user nobody, as whom a stopped service would
// run then, and everything else with it.
func (w *world) asNobody() identity {
	w.t.Helper()
	id, ok := lookUp("nobody", nil)
	if !ok {
		w.t.Skip("there is no user nobody")
	}
	w.pool.exam.Process = admin.ProcessState{PID: os.Getpid(), UID: id.uid, GID: id.gid, Groups: id.groups, MaxFiles: 65536}
	if err := os.Chmod(filepath.Dir(w.dir), 0o711); err != nil { // the test's own
		w.t.Fatal(err)
	}
	for _, name := range []string{"db", "db/scalelite.db", "db/backups", "spool", "work", "published", "unpublished", "failed"} {
		if err := os.Chown(w.path(name), id.uid, id.gid); err != nil {
			w.t.Fatal(err)
		}
	}
	return id
}

// mended types the commands of what failed until nothing does.
func mended(t *testing.T, look func() Report) {
	t.Helper()
	for range 4 {
		report := look()
		failed := false
		for _, f := range report.Findings {
			if f.Result == Fail || f.Result == Warn {
				failed = true
				typed(t, f.Commands...)
			}
		}
		if !failed {
			fine(t, report)
			return
		}
	}
	t.Errorf("the commands do not mend it: %+v", look().Findings)
}

// TestDirectoriesOfAnotherUser (T12): what root has made and the service cannot
// use is found by root, judging for the service, and what is to be typed mends
// it.
func TestDirectoriesOfAnotherUser(t *testing.T) {
	t.Parallel()
	asRoot(t)
	for name, c := range map[string]struct {
		spoil func(w *world) error
		texts []string
	}{
		"root's spool": {func(w *world) error { return os.Chown(w.path("spool"), 0, 0) },
			[]string{"the service's user nobody cannot write to recordings.spool_dir, which is root:root, mode 0755", "chown nobody:"}},
		"rights taken away": {func(w *world) error { return os.Chmod(w.path("published"), 0o555) },
			[]string{"cannot write to recordings.published_dir", "chmod u+rwx"}},
		"no way there": {func(w *world) error {
			w.mkdir("closed/work")
			w.keys["recordings.work_dir"] = fmt.Sprintf("%q", w.path("closed", "work"))
			return errors.Join(os.Chown(w.path("closed", "work"), w.pool.exam.Process.UID, w.pool.exam.Process.GID), os.Chmod(w.path("closed"), 0o700))
		}, []string{"may not enter " + "DIR/closed", "chmod o+x DIR/closed"}},
		"not there, and not to be made": {func(w *world) error {
			w.keys["recordings.failed_dir"] = fmt.Sprintf("%q", w.path("new", "failed"))
			w.mkdir("new")
			return nil
		}, []string{"recordings.failed_dir is not there", "install -d -o nobody"}},
		"a file": {func(w *world) error {
			w.keys["recordings.failed_dir"] = fmt.Sprintf("%q", w.write("plain", ""))
			return nil
		}, []string{"recordings.failed_dir is no directory"}},
		"a tarball of root": {func(w *world) error {
			w.write("spool/a-1.tar", "x")
			return os.Chmod(w.path("spool", "a-1.tar"), 0o600)
		}, []string{"cannot read 1 file in the spool, the first is a-1.tar", "chown nobody:"}},
		"the database": {func(w *world) error { return os.Chown(w.path("db"), 0, 0) }, []string{"cannot write to store.path", "chown nobody:"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.asNobody()
			w.stopped()
			fine(t, w.look("directories"))
			if err := c.spoil(w); err != nil {
				t.Fatal(err)
			}
			for i := range c.texts {
				c.texts[i] = strings.ReplaceAll(c.texts[i], "DIR", w.dir)
			}
			only(t, w.look("directories")).want(t, Fail, c.texts...)
			mended(t, func() Report { return w.look("directories") })
		})
	}
}

// TestUserOfTheUnit: where the service does not run, its unit says as whom it
// would; without one, the owner of the database is taken for its user.
func TestUserOfTheUnit(t *testing.T) {
	t.Parallel()
	asRoot(t)
	w := newWorld(t)
	w.asNobody()
	w.stopped()
	if err := os.Chown(w.path("spool"), 0, 0); err != nil {
		t.Fatal(err)
	}
	w.unit["User"] = "root"
	fine(t, w.look("directories"))
	w.unit["User"] = "nobody"
	only(t, w.look("directories")).want(t, Fail, "the service's user nobody cannot write")
	w.unit["User"] = "a-user-that-is-not-there"
	only(t, w.look("directories")).want(t, Fail, "the service's user nobody cannot write")
}

func TestDirectoryThatVanished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := os.Remove(w.path("published")); err != nil {
		t.Fatal(err)
	}
	w.pool.exam.Unusable = map[string]string{w.path("published"): "no such file or directory"}
	only(t, w.look("directories")).want(t, Fail, "is not there", "may not be mounted")
}

// TestDirectoriesNotInPlace: the database knows its directories; others, and none,
// are told of with the ways out.
func TestDirectoriesNotInPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pool.exam.NotInPlace = recordings.ErrNotInPlace.Error() + ": recordings.published_dir has no mark"
	only(t, w.look("directories")).want(t, Fail, "not in place: recordings.published_dir", "mount", "on purpose", "findmnt", "recordings rescan --accept-directories")
	if err := os.Remove(w.path("published")); err != nil {
		t.Fatal(err)
	}
	w.stopped()
	report := w.look("directories")
	if report.Counts[Fail] != 2 {
		t.Errorf("%+v", report.Findings)
	}
	for _, f := range report.Findings {
		if strings.Contains(strings.Join(f.Commands, "\n"), "install") {
			t.Errorf("it says to make the directory: %+v", f)
		}
	}
}

// TestOtherUsersCannotJudge: who is not root is told to become it.
func TestOtherUsersCannotJudge(t *testing.T) {
	t.Parallel()
	asRoot(t)
	w := newWorld(t)
	w.asNobody()
	w.stopped()
	w.options.System.UID = 4711
	report := w.look("directories")
	if report.Result != OK || report.Counts[Skipped] == 0 {
		t.Errorf("result %s, counts %v: %+v", report.Result, report.Counts, report.Findings)
	}
	for _, f := range report.Findings {
		if f.Result == Skipped {
			f.want(t, Skipped, "for root to find out", "sudo scalelite --config")
		}
	}
}

// TestSpoolOfAGroup: those who bring tarballs by ssh must be able to write.
func TestSpoolOfAGroup(t *testing.T) {
	t.Parallel()
	asRoot(t)
	g, err := user.LookupGroup("games")
	if err != nil {
		t.Skip("there is no group games")
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.options.System.Group = func(name string) (int, bool) { return gid, name == spoolGroup }
	only(t, w.look("directories")).want(t, Warn, "not of "+spoolGroup, "chgrp "+spoolGroup, "chmod g+rwxs "+w.path("spool"))
	if err := os.Chown(w.path("spool"), -1, gid); err != nil {
		t.Fatal(err)
	}
	f := only(t, w.look("directories"))
	f.want(t, Warn, "lacks the setgid bit")
	typed(t, f.Commands...)
	fine(t, w.look("directories"))
}

func TestTreesOnTwoMounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := syscall.Mount("tmpfs", w.path("published"), "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a file system cannot be mounted here: %v", err)
	}
	only(t, w.look("directories")).want(t, Fail, "are not on one file system", "work_dir")
	if err := syscall.Unmount(w.path("published"), 0); err != nil {
		t.Fatal(err)
	}
	// The same file system, in another mount of it: only who looks for it sees it.
	if err := syscall.Mount(w.path("failed"), w.path("published"), "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(w.path("published"), 0) })
	if _, ok := mountOf(w.dir); !ok {
		t.Skip("the system does not tell mounts apart")
	}
	only(t, w.look("directories")).want(t, Fail, "two mounts", "findmnt")
}

func TestDiskSpace(t *testing.T) {
	t.Parallel()
	t.Run("less than min_free", func(t *testing.T) {
		w := newWorld(t)
		w.keys["recordings.min_free"] = `"900TB"`
		only(t, w.look("disk")).want(t, Fail, "less than recordings.min_free = 900TB", "recordings prune --dry-run", "df -h")
	})
	t.Run("switched off", func(t *testing.T) {
		w := newWorld(t)
		w.keys["recordings.enabled"], w.keys["recordings.min_free"] = "false", `"900TB"`
		fine(t, w.look("disk", "directories", "spool", "callbacks", "files", "arrivals"))
	})
	t.Run("a small disk", func(t *testing.T) {
		w := newWorld(t)
		w.mkdir("small")
		if err := syscall.Mount("tmpfs", w.path("small"), "tmpfs", 0, "size=3m,nr_inodes=4"); err != nil {
			t.Skipf("a file system cannot be mounted here: %v", err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(w.path("small"), 0) })
		w.keys["recordings.spool_dir"] = fmt.Sprintf("%q", w.path("small"))
		w.keys["recordings.min_free"] = `"2MB"`
		only(t, w.look("disk")).want(t, Warn, "less than twice recordings.min_free", "spool_dir")
		w.keys["recordings.min_free"] = `"1MB"`
		for i := range 3 {
			w.write(fmt.Sprintf("small/%d", i), "")
		}
		only(t, w.look("disk")).want(t, Warn, "0 of 4 inodes are left", "df -i")
		w.keys["store.path"] = fmt.Sprintf("%q", w.path("small", "0"))
		report := w.look("disk")
		report.Findings[len(report.Findings)-1].want(t, Fail, "free for the database")
	})
}

func TestSpool(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	for name, c := range map[string]struct {
		files  []recordings.SpoolFile
		result Result
		texts  []string
	}{
		"failed": {[]recordings.SpoolFile{
			{Name: "b-2.tar", State: store.ImportFailed, Since: ago(time.Hour), Reason: "no metadata"},
			{Name: "a-1.tar", State: store.ImportFailed, Since: ago(50 * time.Hour), Reason: "the tar\nis cut"},
		}, Fail, []string{"2 tarballs were given up, the first is a-1.tar, 2 d 2 h ago: the tar is cut", "recordings retry a-1.tar", "recordings drop a-1.tar"}},
		"waiting": {[]recordings.SpoolFile{{Name: "a-1.tar", State: store.ImportWaiting, Since: ago(2 * time.Hour), Reason: "a server is away"}}, Warn,
			[]string{"1 tarball waits for longer than 1 h", "a server is away"}},
		"no space": {[]recordings.SpoolFile{{Name: "a-1.tar", State: store.ImportWaiting, Since: ago(2 * time.Hour), Reason: recordings.ErrNoSpace.Error()}}, Fail,
			[]string{"df -h", "prune --dry-run"}},
		"cut": {[]recordings.SpoolFile{{Name: "a-1.tar", State: store.ImportSettling, Since: ago(2 * time.Hour)}}, Warn, []string{"1 tarball is incomplete", "broke off"}},
		"new": {[]recordings.SpoolFile{{Name: "a-1.tar", State: store.ImportWaiting, Since: ago(time.Minute)}}, OK, []string{"1 tarball on the way"}},
		"ignored": {[]recordings.SpoolFile{
			{Name: "a-1.TAR", State: store.ImportIgnored, Since: ago(2 * time.Hour), Reason: "its name does not end in .tar"},
			{Name: "b-1.TAR", State: store.ImportIgnored, Since: ago(time.Minute), Reason: "its name does not end in .tar", More: 3},
		}, Warn, []string{"5 files are ignored, the oldest is a-1.TAR, 2 h ago: its name does not end in .tar", "only files that end in .tar, .tar.gz or .tgz", "right name", "recordings spool"}},
		"ignored yet": {[]recordings.SpoolFile{
			{Name: "a-1.tar.part", State: store.ImportIgnored, Since: ago(time.Minute), Reason: "its name does not end in .tar"},
		}, OK, []string{"0 tarballs on the way", "; 1 file is ignored"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.pool.files = c.files
			report := w.look("spool")
			if len(report.Findings) != 1 {
				t.Fatalf("findings %+v", report.Findings)
			}
			report.Findings[0].want(t, c.result, c.texts...)
		})
	}
	t.Run("without the service", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.stopped()
		w.write("failed/a-1.tar", "x")
		w.write("failed/a-1.tar.txt", "file: a-1.tar\nreason: no metadata.xml\n")
		only(t, w.look("spool")).want(t, Fail, "1 tarball was given up", "no metadata.xml", "recordings retry a-1.tar", "recordings drop a-1.tar")
		if err := os.Rename(w.path("failed", "a-1.tar"), w.path("spool", "a-1.tar")); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(w.path("spool", "a-1.tar"), time.Time{}, ago(3*time.Hour)); err != nil {
			t.Fatal(err)
		}
		only(t, w.look("spool")).want(t, Warn, "the service does not run", "systemctl start scalelite")
		if err := os.Rename(w.path("spool", "a-1.tar"), w.path("spool", "a-1.TAR")); err != nil {
			t.Fatal(err)
		}
		w.look("spool").Findings[0].want(t, OK, "1 file is ignored")
	})
}

func TestCallbacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pool.exam.Callbacks = admin.CallbackTrouble{Pending: 2}
	fine(t, w.look("callbacks"))
	trouble := admin.CallbackTrouble{Pending: 2, Retried: 1, Oldest: time.Now().Add(-3 * time.Hour), ID: "18c5a0f3-x", Host: "moodle.example.org", Error: "the front-end answered 500"}
	w.pool.exam.Callbacks = trouble
	only(t, w.look("callbacks")).want(t, Warn, "1 message is tried in vain; the oldest is 3 h old and goes to moodle.example.org: the front-end answered 500", "callbacks retry --all")
	trouble.Failed = 4
	w.pool.exam.Callbacks = trouble
	only(t, w.look("callbacks")).want(t, Fail, "4 messages were given up", "callbacks drop 18c5a0f3-x")
	trouble.Failed, trouble.Oldest = 0, time.Now().Add(-time.Minute)
	w.pool.exam.Callbacks = trouble
	fine(t, w.look("callbacks"))
}

// TestRecordsAndFiles (T15): both ways, in each of the states.
func TestRecordsAndFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	formats := []string{"presentation"}
	w.pool.exam.Sample = []admin.RecordingFiles{
		{ID: "a-1", State: store.Published, Formats: formats}, {ID: "b-2", State: store.Unpublished, Formats: formats},
		{ID: "c-3", State: store.Published, Formats: formats, Moving: true},
	}
	w.pool.known = map[string]bool{"a-1": true, "b-2": true}
	w.mkdir("published/presentation/a-1")
	w.mkdir("unpublished/presentation/b-2")
	w.mkdir("published/presentation/young-4") // an import that is under way
	fine(t, w.look("files"))
	move := func(from, to string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(w.path(to)), 0o755), os.Rename(w.path(from), w.path(to))); err != nil {
			t.Fatal(err)
		}
	}
	move("unpublished/presentation/b-2", "published/presentation/b-2")
	only(t, w.look("files")).want(t, Fail, "1 have files in the tree of the other state; the first is b-2 (presentation)", "recordings check --fix")
	move("published/presentation/b-2", "unpublished/presentation/b-2")
	move("published/presentation/a-1", "gone")
	only(t, w.look("files")).want(t, Fail, "1 lack files; the first is a-1 (presentation)", "recordings check")
	move("gone", "published/presentation/a-1")
	stray := w.path("published", "presentation", "young-4")
	if err := os.Chtimes(stray, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	only(t, w.look("files")).want(t, Warn, "1 have no record; the first is "+stray, "recordings rescan")
}

func TestMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pool.exam.Process.MaxFiles = 1024
	only(t, w.look("limits")).want(t, Warn, "1024 files", "LimitNOFILE=65536", "systemctl daemon-reload")
	w.pool.exam.Process.MaxFiles, w.pool.exam.Process.OpenFiles = 65536, 60000
	only(t, w.look("limits")).want(t, Fail, "60000 files open, of 65536")
	w.stopped()
	w.unit["LimitNOFILE"] = "1024"
	only(t, w.look("limits")).want(t, Warn, "1024 files")
	w.write("proc/meminfo", "MemTotal: 2048000 kB\nMemAvailable: 60000 kB\n")
	only(t, w.look("memory")).want(t, Warn, "58.6 MiB of 2.0 GiB are left")
	w.write("proc/meminfo", "MemTotal: 2048000 kB\nMemAvailable: 6000 kB\n")
	only(t, w.look("memory")).want(t, Fail, "5.9 MiB")
	w.write("proc/meminfo", "nonsense")
	only(t, w.look("memory")).want(t, Skipped, "does not tell")
	w.options.System.Synchronised = func() (bool, error) { return false, nil }
	only(t, w.look("clock")).want(t, Warn, "timedatectl set-ntp true")
	w.options.System.Synchronised = func() (bool, error) { return false, fs.ErrPermission }
	only(t, w.look("clock")).want(t, Skipped, "does not tell")
}

// TestAccessAs: the kernel judges for another user, and this process stays who
// it was.
func TestAccessAs(t *testing.T) {
	t.Parallel()
	asRoot(t)
	w := newWorld(t)
	id := w.asNobody()
	file := w.write("spool/secret", "x")
	for range 20 {
		if err := accessAs(id, file, unix.R_OK); !errors.Is(err, unix.EACCES) {
			t.Fatalf("another's file: %v, want no access", err)
		}
		if err := accessAs(id, w.path("db"), unix.R_OK|unix.W_OK|unix.X_OK); err != nil {
			t.Fatalf("its own directory: %v", err)
		}
		if _, err := os.ReadFile(file); err != nil || os.Geteuid() != 0 {
			t.Fatalf("this process is not root any more: %v", err)
		}
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string]string{"plain/path-1.tar": "plain/path-1.tar", "": "''", "a b": "'a b'", "it's $x": `'it'\''s $x'`} {
		if got := quote(arg); got != want {
			t.Errorf("%q: %s, want %s", arg, got, want)
		}
		out, err := command(context.Background(), "sh", "-c", "printf %s "+quote(arg))
		if err != nil || out != arg {
			t.Errorf("%q: a shell takes it for %q, %v", arg, out, err)
		}
	}
}
