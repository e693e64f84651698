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
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"scalelite/store"
	"scalelite/store/storetest"
)

// spoolImporter stands in for the Library. It notes what it was given.
type spoolImporter struct {
	mu      sync.Mutex
	tries   map[string]int // by name
	content []string       // of the tarballs that were imported
	running int
	peak    int
	// do decides on an import; nil: all succeed.
	do func(ctx context.Context, name string, try int) (Imported, error)
}

func (f *spoolImporter) ImportTarball(ctx context.Context, t Tarball, progress func(done, total int64)) (Imported, error) {
	content, err := os.ReadFile(t.Path)
	if err != nil {
		return Imported{}, err
	}
	name := filepath.Base(t.Path)
	f.mu.Lock()
	if f.tries == nil {
		f.tries = map[string]int{}
	}
	f.tries[name]++
	try, do := f.tries[name], f.do
	f.running++
	f.peak = max(f.peak, f.running)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.running--
		f.mu.Unlock()
	}()
	progress(int64(len(content)), int64(len(content)))
	result := Imported{Recordings: []ImportedRecording{{ID: strings.TrimSuffix(name, ".tar"), Formats: []ImportedFormat{{Type: "video"}}}}}
	if do != nil {
		if result, err = do(ctx, name, try); err != nil {
			return result, err
		}
	}
	f.mu.Lock()
	f.content = append(f.content, string(content))
	f.mu.Unlock()
	return result, nil
}

// let changes what is decided while imports may run.
func (f *spoolImporter) let(do func(ctx context.Context, name string, try int) (Imported, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.do = do
}

func (f *spoolImporter) tried(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tries[name]
}

func (f *spoolImporter) took() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.content)
}

// failingFor returns an importer's do that fails for one name with err.
func failingFor(broken string, err error) func(context.Context, string, int) (Imported, error) {
	return func(_ context.Context, name string, _ int) (Imported, error) {
		if name == broken {
			return Imported{}, err
		}
		return Imported{Recordings: []ImportedRecording{{ID: name}}}, nil
	}
}

// spoolLogs is what was logged.
type spoolLogs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *spoolLogs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *spoolLogs) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

// spoolRig is a spool with all that it needs.
type spoolRig struct {
	*Spool
	t        *testing.T
	options  SpoolOptions
	importer *spoolImporter
	store    *storetest.File
	logs     *spoolLogs
	tune     func(*Spool)
	stop     func()
}

// newSpoolRig returns a spool that does not run yet. It gets no events, unless change
// says so: then the time can be that of synctest.
func newSpoolRig(t *testing.T, change func(*SpoolOptions)) *spoolRig {
	t.Helper()
	r := &spoolRig{t: t, importer: &spoolImporter{}, logs: &spoolLogs{}, stop: func() {}}
	r.store = storetest.OpenFile(t, filepath.Join(t.TempDir(), "db"), nil)
	r.options = SpoolOptions{
		Config: DefaultConfig().Below(t.TempDir()), Importer: r.importer,
		Log: slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})), NoEvents: true,
	}
	if change != nil {
		change(&r.options)
	}
	r.make()
	t.Cleanup(func() {
		r.stop()
		if t.Failed() {
			t.Log(r.logs.buf.String())
		}
	})
	return r
}

func (r *spoolRig) make() {
	r.t.Helper()
	r.options.Store = r.store.Store
	s, err := NewSpool(r.options)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.Spool = s; r.tune != nil {
		r.tune(s)
	}
}

func (r *spoolRig) start() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	r.stop = func() {
		cancel()
		<-done
		r.stop = func() {}
	}
}

// restart goes on as after a restart of the service.
func (r *spoolRig) restart() {
	r.stop()
	r.store.Reopen(r.t)
	r.make()
	r.start()
}

// write puts a file into the spool in place, so that it has to settle.
func (r *spoolRig) write(name, content string) {
	r.t.Helper()
	writeWhole(r.t, r.path(name), content)
}

// place puts a file there that last changed long ago.
func (r *spoolRig) place(name, content string) {
	r.t.Helper()
	old := filepath.Join(r.t.TempDir(), filepath.Base(name))
	writeWhole(r.t, old, content)
	long := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := os.Chtimes(old, long, long); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(old, r.path(name)); err != nil {
		r.t.Fatal(err)
	}
}

func writeWhole(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// lookNow has the spool look, within synctest, and waits until all is done that
// can be done at this time.
func (r *spoolRig) lookNow() {
	r.Look()
	time.Sleep(time.Second)
	synctest.Wait()
}

func elapse(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// eventually waits, in real time, until cond holds.
func (r *spoolRig) eventually(what string, cond func() bool) {
	r.t.Helper()
	for end := time.Now().Add(2 * time.Minute); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("it never came true that %s\n%+v", what, r.files())
		}
	}
}

func (r *spoolRig) files() map[string]SpoolFile {
	r.t.Helper()
	all, err := r.Files(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	byName := map[string]SpoolFile{}
	for _, f := range all {
		byName[f.Name] = f
	}
	return byName
}

func (r *spoolRig) imports() []store.Import {
	r.t.Helper()
	var all []store.Import
	err := r.store.View(context.Background(), func(tx *store.Tx) (err error) {
		all, err = store.Collect(tx.Imports())
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// wantTaken says that exactly these contents were imported, in any order.
func (r *spoolRig) wantTaken(want ...string) {
	r.t.Helper()
	got := r.importer.took()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		r.t.Errorf("imported were %.100q, want %.100q", got, want)
	}
}

func (r *spoolRig) wantFile(name string, there bool) {
	r.t.Helper()
	if there != lexists(r.path(name)) {
		r.t.Errorf("%s in the spool: %v, want %v", name, !there, there)
	}
}

func lexists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// wantState says what the spool shows of a file.
func (r *spoolRig) wantState(name string, state store.ImportState, tries int, reason string) {
	r.t.Helper()
	f, ok := r.files()[name]
	if !ok || f.State != state || f.Tries != tries || !strings.Contains(f.Reason, reason) || f.Import == "" {
		r.t.Errorf("%s is shown as %+v, want it %s after %d tries for %q", name, f, state, tries, reason)
	}
}

// inSpoolTime runs a test in synctest's time.
func inSpoolTime(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

var errSpoolBroken = errors.New("checksum of the header is wrong")

// What rsync left when a BBB server crashed does not stay for ever; what it is
// writing, and other people's files, do.
func TestSpoolRemovesUnfinishedTransfers(t *testing.T) {
	t.Parallel()
	r := newSpoolRig(t, nil)
	left, others := []string{".a.tar.x8Yz0Q", ".b.tar.gz.AbCdEf"}, []string{
		".a.tar", ".a.tar.abc", ".a.tar.abcdefg", ".a.tar.abc-ef", "..tar.abcdef", ".a.zip.abcdef", ".notes.abcdef", "a.tar.abcdef", ".upload",
	}
	for _, name := range slices.Concat(left, others) {
		r.place(name, "half")
	}
	look := func(later time.Duration) {
		r.o.Now = func() time.Time { return time.Now().Add(later) }
		if err := r.scan(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	look(unfinishedLife - time.Minute)
	for _, name := range slices.Concat(left, others) {
		r.wantFile(name, true)
	}
	look(unfinishedLife + time.Minute)
	for _, name := range left {
		r.wantFile(name, false)
	}
	for _, name := range others {
		r.wantFile(name, true)
	}
	r.wantTaken()
}
