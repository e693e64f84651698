package backup

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/robfig/cron/v3"
)

// shelf is a directory of copies of something that is no database.
type shelf struct {
	t       *testing.T
	dir     string
	content string
	mu      sync.Mutex
	fail    error // of the snapshot, halfway
	bad     error // what is found wrong with a copy
	now     func() time.Time
	o       Options
}

func newShelf(t *testing.T) *shelf {
	s := &shelf{t: t, dir: filepath.Join(t.TempDir(), "backups"), content: strings.Repeat("database ", 1000), now: time.Now}
	path := filepath.Join(filepath.Dir(s.dir), "scalelite.db")
	if err := os.WriteFile(path, []byte(s.content), 0o600); err != nil {
		t.Fatal(err)
	}
	s.o = Options{
		Dir: s.dir, Keep: 3, Database: path, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return s.now() },
		Snapshot: func(_ context.Context, w io.Writer) error {
			s.mu.Lock()
			fail := s.fail
			s.mu.Unlock()
			if fail != nil {
				_, _ = io.WriteString(w, "half")
				return fail
			}
			_, err := io.WriteString(w, s.content)
			return err
		},
		Verify: func(_ context.Context, path string) error {
			if b, err := os.ReadFile(path); err != nil || string(b) != s.content {
				return errors.New("something else was looked through")
			}
			return s.bad
		},
		Config: func() []byte { return []byte("[web]\n") },
	}
	return s
}

func (s *shelf) failWith(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// names lists everything in the directory, the oldest first.
func (s *shelf) names() string {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() == lockName {
			continue
		}
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(e.Name(), namePrefix), nameSuffix))
	}
	return strings.Join(names, " ")
}

func day(n int) time.Time { return time.Date(2026, 11, n, 2, 30, 0, 0, time.UTC) }

func (s *shelf) make(k *Keeper, at time.Time) File {
	s.t.Helper()
	s.now = func() time.Time { return at }
	f, err := k.Make(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

func TestMakeAndRead(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	f := s.make(New(s.o), day(1))
	if f.Name != "scalelite-20261101T023000Z.tar.gz" || !f.Made.Equal(day(1)) {
		t.Errorf("%+v", f)
	}
	for path, want := range map[string]os.FileMode{f.Path: 0o600, s.dir: 0o750} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v: it holds secrets", path, info.Mode(), err)
		}
	}
	file, err := os.Open(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r := bufio.NewReader(file)
	if !IsArchive(r) {
		t.Error("not known again")
	}
	var database bytes.Buffer
	config, err := Read(t.Context(), r, &database)
	if err != nil || database.String() != s.content || string(config) != "[web]\n" {
		t.Errorf("%d bytes, %q, %v", database.Len(), config, err)
	}
	if files, err := List(s.dir); err != nil || len(files) != 1 || files[0] != f {
		t.Errorf("%+v, %v", files, err)
	}
	if s.names() != "20261101T023000Z" {
		t.Errorf("left behind: %s", s.names())
	}
}

func TestReadRefusesWhatIsDamaged(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	f := s.make(New(s.o), day(1))
	whole, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if _, err := Read(t.Context(), bytes.NewReader(whole[:n]), io.Discard); err == nil {
			t.Fatalf("%d of %d bytes were taken", n, len(whole))
		}
		// The first bytes say when and where it was packed, which matters to nobody.
		if n < 10 {
			continue
		}
		turned := bytes.Clone(whole)
		turned[n] ^= 0x20
		var got bytes.Buffer
		if _, err := Read(t.Context(), bytes.NewReader(turned), &got); err == nil && got.String() != s.content {
			t.Fatalf("with byte %d turned it was taken", n)
		}
	}
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	path := filepath.Join(f.TempDir(), "db")
	if err := errors.Join(os.WriteFile(path, []byte("database"), 0o600), Write(context.Background(), &b, path, []byte("[web]"), day(1))); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, in []byte) {
		config, err := Read(context.Background(), bytes.NewReader(in), io.Discard)
		first, err1 := ReadConfig(bytes.NewReader(in))
		if err == nil && err1 == nil && config != nil && first != nil && !bytes.Equal(config, first) {
			t.Errorf("%q, %q", config, first)
		}
	})
}

func TestRotation(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	k := New(s.o)
	for n := 1; n <= 5; n++ {
		s.make(k, day(n))
	}
	if got := s.names(); got != "20261103T023000Z 20261104T023000Z 20261105T023000Z" {
		t.Errorf("kept %s", got)
	}
	// What others put there is not touched, and does not count.
	for _, name := range []string{"before-the-move.tar.gz", "scalelite-20261001.tar.gz", "scalelite-20261001T023000Z.tar.gz.txt"} {
		if err := os.WriteFile(filepath.Join(s.dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.make(k, day(6))
	if got := s.names(); got != "before-the-move 20261001 20261001T023000Z.tar.gz.txt 20261104T023000Z 20261105T023000Z 20261106T023000Z" {
		t.Errorf("kept %s", got)
	}
	// A clock that was put back does not make the new one the oldest.
	f := s.make(k, day(1))
	if _, err := os.Stat(f.Path); err != nil {
		t.Errorf("the new one is gone: %v", err)
	}
	// Two in one second.
	if g := s.make(k, day(1)); g.Name == f.Name {
		t.Errorf("%s twice", f.Name)
	}
}

// One that fails removes nothing, leaves nothing, and is told of.
func TestAFailureKeepsWhatThereIs(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.o.Keep = 1
	k := New(s.o)
	s.make(k, day(1))
	for name, spoil := range map[string]func(){
		"the snapshot": func() { s.fail = errors.New("cut short") },
		"the look":     func() { s.bad = errors.New("is damaged") },
	} {
		s.fail, s.bad = nil, nil
		spoil()
		s.now = func() time.Time { return day(2) }
		if _, err := k.Make(t.Context()); err == nil {
			t.Errorf("%s: no error", name)
		}
		if s.names() != "20261101T023000Z" {
			t.Errorf("%s: %s", name, s.names())
		}
		if st, err := k.Status(); err != nil || !st.Failed.At.Equal(day(2)) || st.Failed.Cause == "" || !st.Last.Made.Equal(day(1)) {
			t.Errorf("%s: %+v, %v", name, st, err)
		}
	}
	s.fail, s.bad = nil, nil
	s.make(k, day(3))
	if st, _ := k.Status(); st.Failed != (Failure{}) || s.names() != "20261103T023000Z" {
		t.Errorf("%+v, %s", st, s.names())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.Make(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if st, _ := k.Status(); st.Failed != (Failure{}) {
		t.Errorf("the end of the program counts as a failure: %+v", st)
	}
}

// What a killed process left is removed by the next one.
func TestLeftoversGo(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	if err := errors.Join(os.Mkdir(s.dir, 0o750), os.WriteFile(filepath.Join(s.dir, stagePrefix+"1.db"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	s.make(New(s.o), day(1))
	if s.names() != "20261101T023000Z" {
		t.Errorf("%s", s.names())
	}
}

func TestNoDirectory(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.o.Dir = filepath.Join(s.dir, "below", "nothing")
	if _, err := New(s.o).Make(t.Context()); err == nil || !strings.Contains(err.Error(), "there is no directory "+filepath.Join(s.dir, "below")) {
		t.Error(err)
	}
}

// A disk that is too full is said before anything is written.
func TestNoSpace(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	if err := os.Truncate(s.o.Database, 8<<40); err != nil { // without taking any room
		t.Fatal(err)
	}
	k := New(s.o)
	_, err := k.Make(t.Context())
	if !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), "MB are free in "+s.dir) {
		t.Error(err)
	}
	if s.names() != "" {
		t.Errorf("left behind: %s", s.names())
	}
}

// The nights, over the clock of the bubble: every one has its backup, missed ones
// are made up for, and failed ones are tried again.
func TestSchedule(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	schedule, err := cron.ParseStandard("30 2 * * *")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s.o.Schedule, s.o.Now, s.o.Keep = schedule, nil, 100
		s.now = nil
		k := New(s.o)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { k.Run(ctx); close(ended) }()
		made := func() int {
			files, err := List(s.dir)
			if err != nil {
				t.Fatal(err)
			}
			return len(files)
		}
		synctest.Wait()
		if st, err := k.Status(); err != nil || !st.Next.Equal(time.Now().Add(startDelay)) {
			t.Errorf("at the start: %+v, %v", st, err)
		}
		time.Sleep(2 * startDelay)
		if made() != 1 { // there was none at all
			t.Errorf("%d after the start", made())
		}
		time.Sleep(3 * 24 * time.Hour)
		if made() != 4 {
			t.Errorf("%d after three nights", made())
		}
		st, err := k.Status()
		if err != nil || st.Next.Local().Hour() != 2 || st.Next.Local().Minute() != 30 || !st.Next.After(time.Now()) || st.Last.Made.Local().Hour() != 2 {
			t.Errorf("%+v, %v", st, err)
		}
		s.failWith(errors.New("the disk is full"))
		time.Sleep(24 * time.Hour)
		if st, _ := k.Status(); made() != 4 || st.Failed.Cause == "" || time.Since(st.Failed.At) > lookAgain || !st.Next.Equal(st.Failed.At.Add(lookAgain)) {
			t.Errorf("%d, %+v", made(), st)
		}
		s.failWith(nil)
		time.Sleep(lookAgain)
		if st, _ := k.Status(); made() != 5 || st.Failed.Cause != "" {
			t.Errorf("%d, %+v", made(), st)
		}
		cancel()
		<-ended

		// Off over a night; and on again over noon only.
		time.Sleep(24 * time.Hour)
		for range 2 {
			ctx, cancel = context.WithTimeout(t.Context(), 2*startDelay)
			New(s.o).Run(ctx)
			cancel()
		}
		if made() != 6 {
			t.Errorf("%d after a night that was missed", made())
		}
		s.o.Schedule = nil
		New(s.o).Run(t.Context())
	})
}

// Two processes at once do not get into each other's way.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.o.Keep = 100
	errs := make(chan error)
	for range 4 {
		go func() {
			for range 5 {
				_, err := New(s.o).Make(context.Background())
				errs <- err
			}
		}()
	}
	for range 20 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if files, err := List(s.dir); err != nil || len(files) != 20 {
		t.Errorf("%d, %v", len(files), err)
	}
}

// The service may have put a link where the lock belongs: root, who makes a
// backup, must not give away what it leads to.
func TestTheLockIsNoLink(t *testing.T) {
	t.Parallel()
	for name, link := range map[string]func(oldname, newname string) error{"symbolic": os.Symlink, "hard": os.Link} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			target := filepath.Join(filepath.Dir(s.dir), "of root")
			err := errors.Join(os.Mkdir(s.dir, 0o750), os.WriteFile(target, nil, 0o600), link(target, filepath.Join(s.dir, lockName)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := New(s.o).Make(t.Context()); err == nil || !strings.Contains(err.Error(), lockName) {
				t.Errorf("made beside a link: %v", err)
			}
			if os.Geteuid() != 0 {
				return
			}
			if err := os.Chown(s.dir, 1234, 1234); err != nil {
				t.Fatal(err)
			}
			_, _ = New(s.o).Make(t.Context())
			if info, err := os.Stat(target); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
				t.Errorf("given away: %v, %v", info, err)
			}
		})
	}
}

// What root makes belongs to the owner of the directory around it.
func TestRootMakesItForTheService(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	s := newShelf(t)
	if err := os.Chown(filepath.Dir(s.dir), 1234, 1234); err != nil {
		t.Fatal(err)
	}
	f := s.make(New(s.o), day(1))
	for _, path := range []string{s.dir, filepath.Join(s.dir, lockName), f.Path} {
		if info, err := os.Stat(path); err != nil || info.Sys().(*syscall.Stat_t).Uid != 1234 {
			t.Errorf("%s does not belong to the service: %v", path, err)
		}
	}
}
