package cmd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"scalelite/recordings"
	"scalelite/store"
	"scalelite/web/admin"
)

// tarFiles makes files that are tarballs by their name.
func (s *session) tarFiles(names ...string) []string {
	s.t.Helper()
	var paths []string
	for _, name := range names {
		path := filepath.Join(s.dir, name)
		if err := os.WriteFile(path, []byte("content of "+name), 0o600); err != nil {
			s.t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

func (s *session) imports(args ...string) result {
	s.t.Helper()
	return s.run("", append([]string{"recordings", "import"}, args...)...)
}

func TestImportWaitsForTheOutcome(t *testing.T) {
	t.Parallel()
	p := withRecordings()
	ended := time.Date(2026, 11, 23, 8, 0, 0, 0, time.Local)
	p.imports = []store.Import{
		{State: store.ImportWaiting}, {State: store.ImportImporting},
		{State: store.ImportImported, Ended: ended, Recordings: []string{recA, recB}},
	}
	s := newSession(t, p)
	files := s.tarFiles("one.tar", "two.tgz")
	r := s.imports(files...)
	want := files[0] + ": imported " + recA + " " + recB + "\n" + files[1] + ": imported " + recA + " " + recB + "\n"
	if r.code != 0 || r.out != want || p.received["one.tar"] != "content of one.tar" || p.received["two.tgz"] != "content of two.tgz" {
		t.Errorf("%+v, received %q", r, p.received)
	}
	if len(p.imports) != 1 {
		t.Errorf("it did not wait: %v", p.imports)
	}
	if _, err := os.Stat(files[0]); err != nil {
		t.Errorf("the file is gone: %v", err)
	}
	p.imports = nil // would panic if somebody asked
	if r := s.imports(files[0], "--no-wait"); r.code != 0 || !strings.Contains(r.out, "the service has it") {
		t.Errorf("%+v", r)
	}
}

func TestImportThatFails(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.Local)
	for name, c := range map[string]struct {
		i     store.Import
		tells string
	}{
		"first try":  {store.Import{State: store.ImportWaiting, Error: "no tar", Next: at, Tries: 1}, "not imported yet: no tar; the service tries again at 2026-11-23 08:00:00"},
		"no space":   {store.Import{State: store.ImportWaiting, Error: "not enough free space", Next: at}, "not imported yet: not enough free space"},
		"given up":   {store.Import{State: store.ImportFailed, Error: "no tar", Ended: at, File: "one.2.tar"}, "not imported: no tar; 'scalelite recordings retry one.2.tar'"},
		"some of it": {store.Import{State: store.ImportFailed, Error: "only partly", Ended: at, Recordings: []string{recA}}, "not imported: only partly"},
	} {
		p := withRecordings()
		p.imports = []store.Import{c.i}
		s := newSession(t, p)
		files := s.tarFiles("one.tar", "two.tar")
		r := s.imports(files...)
		r.wantFail(t, exitFailure, files[0]+": "+c.tells, files[1]+": "+c.tells, "2 of 2 tarballs were not imported")
		if strings.Contains(r.out, "imported "+recA) != (name == "some of it") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestImportRefusesWhatIsNoTarball(t *testing.T) {
	t.Parallel()
	p := withRecordings()
	s := newSession(t, p)
	good := s.tarFiles("good.tar", "notes.txt")
	s.imports(good[0], s.dir).wantFail(t, exitUsage, s.dir+" is a directory", filepath.Join(s.dir, "*.tar"), "recordings rescan")
	s.imports(good[0], good[1]).wantFail(t, exitUsage, "must end in .tar")
	s.imports(good[0], filepath.Join(s.dir, "none.tar")).wantFail(t, exitFailure, "none.tar: no such file")
	if len(p.calls) != 0 {
		t.Errorf("something was sent: %q", p.calls)
	}
	p.fail = &admin.Error{Code: admin.Conflict, Message: "the spool is full"}
	s.deps.dial = func(string) admin.Service { return socketAnswers{p} }
	s.imports(good[0]).wantFail(t, exitFailure, good[0]+": not imported: the spool is full", "1 of 1 tarball was not imported")
}

// socketAnswers is a pool whose Info works although the rest fails.
type socketAnswers struct{ *pool }

func (socketAnswers) Info(context.Context) (admin.Info, error) { return admin.Info{Daemon: true}, nil }

// direct is a service that has no daemon.
type direct struct {
	*pool
	paths []string
	got   recordings.Imported
	err   error
}

func (d *direct) ImportFile(_ context.Context, path string, progress func(done, total int64)) (recordings.Imported, error) {
	d.paths = append(d.paths, path)
	progress(50, 100)
	progress(100, 100)
	return d.got, d.err
}

// Where no service runs, the command imports by itself.
func TestImportWithoutService(t *testing.T) {
	t.Parallel()
	p := withRecordings()
	d := &direct{pool: p, got: recordings.Imported{Recordings: []recordings.ImportedRecording{
		{ID: recA, Formats: []recordings.ImportedFormat{{Type: "presentation"}, {Type: "video", Error: "broken"}}},
		{ID: recB, Error: "broken", Formats: []recordings.ImportedFormat{{Type: "notes", Error: "broken"}}},
	}}}
	s := newSession(t, p)
	s.deps.dial = func(string) admin.Service { return d }
	files := s.tarFiles("one.tar")
	if r := s.imports(files...); r.code != 0 || r.out != files[0]+": imported "+recA+"\n" || len(d.paths) != 1 || d.paths[0] != files[0] {
		t.Errorf("%+v, %q", r, d.paths)
	}
	d.err = errors.New("only partly imported: broken")
	r := s.imports(files...)
	r.wantFail(t, exitFailure, "not imported: only partly imported: broken")
	if !strings.Contains(r.out, "imported "+recA) {
		t.Errorf("%+v", r)
	}
}

// On a terminal a bar moves; it is gone when something else is printed.
func TestProgressBar(t *testing.T) {
	t.Parallel()
	s := newSession(t, withRecordings())
	var out strings.Builder
	at := s.deps.now()
	a := &app{deps: s.deps}
	a.stdout, a.liveOutput = &out, true
	a.now = func() time.Time { return at }
	p := a.newProgress("/some/where/one\x1b.tar")
	p.phase("sent")
	p.at(0, 100<<20)
	for _, step := range []struct {
		after time.Duration
		done  int64
		want  string
	}{
		{10 * time.Millisecond, 1 << 20, ""}, // too soon for another picture
		{1990 * time.Millisecond, 25 << 20, eraseLine + "one\uFFFD.tar  [######------------------]  25%  25.0 MiB of 100.0 MiB sent  12.5 MiB/s  0:00:06 left"},
		{0, 100 << 20, eraseLine + "one\uFFFD.tar  [########################] 100%  100.0 MiB of 100.0 MiB sent  50.0 MiB/s"},
	} {
		out.Reset()
		at = at.Add(step.after)
		p.at(step.done, 100<<20)
		if out.String() != step.want {
			t.Errorf("at %d: %q, want %q", step.done, out.String(), step.want)
		}
	}
	out.Reset()
	p.end()
	p.end()
	if out.String() != eraseLine {
		t.Errorf("the end: %q", out.String())
	}
	p.phase("unpacked")
	p.at(0, 0) // an empty file
	if !strings.Contains(out.String(), "100%  0 B of 0 B unpacked") {
		t.Errorf("%q", out.String())
	}
}

// Elsewhere there is a line now and then, and no control character.
func TestProgressLines(t *testing.T) {
	t.Parallel()
	s := newSession(t, withRecordings())
	var out strings.Builder
	at := s.deps.now()
	a := &app{deps: s.deps}
	a.stdout = &out
	a.now = func() time.Time { return at }
	p := a.newProgress("one.tar")
	p.phase("sent")
	for range 25 {
		at = at.Add(time.Second)
		p.at(3<<20, 9<<20)
	}
	p.end()
	if out.String() != strings.Repeat("one.tar: 3.0 MiB of 9.0 MiB sent\n", 2) {
		t.Errorf("%q", out.String())
	}
}
