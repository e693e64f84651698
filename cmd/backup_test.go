package cmd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// files lists what is in the session's directory.
func (s *session) files() string {
	s.t.Helper()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func (s *session) read(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func (s *session) write(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func TestBackup(t *testing.T) {
	t.Parallel()
	p := twoServers()
	p.backup = "database"
	s := newSession(t, p)
	file := filepath.Join(s.dir, "copy.db")
	if out := s.ok("backup", file); out != file+": 8 B.\n" || s.read("copy.db") != "database" {
		t.Errorf("%q, %q", out, s.read("copy.db"))
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o, want 600: it holds secrets", info.Mode().Perm())
	}
	p.backup = "newer"
	s.run("", "backup", file).wantFail(t, exitFailure, file+" exists; --force overwrites it")
	if s.read("copy.db") != "database" {
		t.Error("an existing file was overwritten")
	}
	s.ok("backup", file, "--force")
	if s.read("copy.db") != "newer" || s.files() != "copy.db" {
		t.Errorf("%q in %s", s.read("copy.db"), s.files())
	}
	if out := s.ok("backup", "-"); out != "newer" {
		t.Errorf("on stdout: %q", out)
	}
	s.deps.liveOutput = true
	s.run("", "backup", "-").wantFail(t, exitUsage, "terminal")
}

// A backup that fails, or whose copy is no good, leaves nothing and spoils
// nothing.
func TestABackupThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	p := twoServers()
	p.backup, p.failBackup = "half", errors.New("disk full")
	s := newSession(t, p)
	s.write("copy.db", "former")
	s.run("", "backup", filepath.Join(s.dir, "copy.db"), "--force").wantFail(t, exitFailure, "disk full")
	p.failBackup = nil
	s.deps.verify = func(context.Context, string) error { return errors.New("is damaged") }
	s.run("", "backup", filepath.Join(s.dir, "copy.db"), "--force").wantFail(t, exitFailure, "the copy is no good: is damaged")
	if s.files() != "copy.db" || s.read("copy.db") != "former" {
		t.Errorf("%s, %q", s.files(), s.read("copy.db"))
	}
	s.run("", "backup", filepath.Join(s.dir, "none", "copy.db")).wantFail(t, exitFailure, "scalelite: there is no directory "+filepath.Join(s.dir, "none")+"\n")
}

// restoreSession has a database and a backup, and no service.
func restoreSession(t *testing.T) *session {
	s := newSession(t, &pool{noService: true})
	writeConfig(t, s, "[store]\npath = \""+filepath.Join(s.dir, "scalelite.db")+"\"\n")
	s.write("scalelite.db", "present")
	s.write("backup.db", "former")
	return s
}

func TestRestore(t *testing.T) {
	t.Parallel()
	s := restoreSession(t)
	backup := filepath.Join(s.dir, "backup.db")
	s.run("", "restore", backup).wantFail(t, exitUsage, "will be replaced", "--yes")
	s.interactive().run("no\n", "restore", backup).wantFail(t, exitFailure, "cancelled, nothing was changed")
	if s.read("scalelite.db") != "present" || s.files() != "backup.db config.toml scalelite.db" {
		t.Errorf("%q, %s", s.read("scalelite.db"), s.files())
	}
	out := s.ok("restore", backup, "--yes")
	const kept = "scalelite.db.before-restore-20261123T083000Z"
	if s.read("scalelite.db") != "former" || s.read(kept) != "present" || s.files() != "backup.db config.toml scalelite.db "+kept {
		t.Errorf("%q, %s", s.read("scalelite.db"), s.files())
	}
	if !strings.Contains(out, filepath.Join(s.dir, kept)) {
		t.Errorf("%q", out)
	}
	if info, _ := os.Stat(filepath.Join(s.dir, "scalelite.db")); info.Mode().Perm() != 0o640 {
		t.Errorf("mode %o, want that of the former database", info.Mode().Perm())
	}
	s.run("", "restore", backup, "--yes").wantFail(t, exitFailure, "file exists") // in the same second
	if s.read(kept) != "present" {
		t.Error("a kept database was overwritten")
	}
}

// Before the copy gets its name, the service's user may put what it likes into its
// directory: nobody's file gets the rights of the database, nor its place.
func TestRestoreFollowsNoLink(t *testing.T) {
	t.Parallel()
	s := restoreSession(t)
	target := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(target, []byte("of root"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.deps.verify = func(_ context.Context, copied string) error {
		return errors.Join(os.Remove(copied), os.Symlink(target, copied))
	}
	s.run("", "restore", filepath.Join(s.dir, "backup.db"), "--yes").wantFail(t, exitFailure, "was exchanged meanwhile")
	if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file that a link leads to: %v, %v", info.Mode(), err)
	}
	if info, err := os.Lstat(filepath.Join(s.dir, "scalelite.db")); err != nil || !info.Mode().IsRegular() || s.read("scalelite.db") != "present" {
		t.Errorf("the database: %v, %v", info.Mode(), err)
	}
}

// What a restore left that was killed goes with the next one, and nothing else.
func TestRestoreSweeps(t *testing.T) {
	t.Parallel()
	s := restoreSession(t)
	for _, name := range []string{".scalelite.db.4711", ".scalelite.db.notes", ".scalelite.db.schema-1.4711"} {
		s.write(name, "x")
	}
	s.ok("restore", filepath.Join(s.dir, "backup.db"), "--yes")
	if got, want := s.files(), ".scalelite.db.notes .scalelite.db.schema-1.4711 backup.db config.toml scalelite.db scalelite.db.before-restore-20261123T083000Z"; got != want {
		t.Errorf("files %s, want %s", got, want)
	}
}

func TestRestoreWhereNothingIs(t *testing.T) {
	t.Parallel()
	s := newSession(t, &pool{noService: true})
	writeConfig(t, s, "[store]\npath = \""+filepath.Join(s.dir, "new", "scalelite.db")+"\"\n")
	if r := s.run("from a pipe", "restore", "-", "--yes"); r.code != 0 || strings.Contains(r.out, "former") {
		t.Fatalf("%+v", r)
	}
	if s.read("new/scalelite.db") != "from a pipe" {
		t.Error("not restored")
	}
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	s := restoreSession(t)
	backup := filepath.Join(s.dir, "backup.db")
	check := func() {
		t.Helper()
		if s.read("scalelite.db") != "present" || s.files() != "backup.db config.toml scalelite.db" {
			t.Errorf("%q, %s", s.read("scalelite.db"), s.files())
		}
	}
	running := newSession(t, twoServers())
	running.deps.systemFile = s.deps.systemFile
	running.run("", "restore", backup, "--yes").wantFail(t, exitFailure, "the service runs; stop it first")
	check()

	s.run("", "restore", filepath.Join(s.dir, "none.db"), "--yes").wantFail(t, exitFailure, "none.db: no such file")
	check()

	s.deps.verify = func(_ context.Context, path string) error { return errors.New(path + ": is damaged: cut short") }
	s.run("", "restore", backup, "--yes").wantFail(t, exitFailure, backup+" cannot be restored: the copy: is damaged: cut short")
	check()

	f, err := os.Open(filepath.Join(s.dir, "scalelite.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	s.run("", "restore", backup, "--yes").wantFail(t, exitTempFail, "is in use by another process")
	check()
}
