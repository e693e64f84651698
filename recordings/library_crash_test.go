package recordings

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/recordings/caption"
	"scalelite/store"
	"scalelite/store/kv/boltkv"
	"scalelite/store/storetest"
)

var crashRounds = flag.Int("crash.rounds", 20, "how often each work is killed at a random moment")

// crashWork is a work that is killed in the midst.
type crashWork struct {
	prepare func(*shelf)
	run     func(ctx context.Context, l *Library, dir string) error
	// between: it may be found neither as before nor as after, yet in order.
	between bool
}

const crashTar = "crash.tar"

// importAndRemove does what the spool does: the tarball goes after the commit.
func importAndRemove(ctx context.Context, l *Library, dir string) error {
	path := filepath.Join(dir, crashTar)
	if _, err := l.Import(ctx, path, nil); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return os.Remove(path)
}

// brings puts a tarball in place for importAndRemove.
func (s *shelf) brings(formats ...fixture) {
	s.t.Helper()
	must(s.t, os.Rename(tarball(s.t, formats...), filepath.Join(s.dir, crashTar)))
}

func newer(f fixture) fixture { return f.with("shapes.svg", "<svg>newer</svg>").with("new", "new") }

func crashWorks() map[string]crashWork {
	ids := []string{idA}
	wanted := func(s *shelf) {
		must(s.t, s.db.Update(s.t.Context(), func(tx *store.Tx) error {
			return tx.PutReadyURL(store.ReadyURL{MeetingKey: store.MeetingKey{ID: "room-1700000000000"}, URL: "https://lms.example"})
		}))
	}
	publish := func(state bool) func(context.Context, *Library, string) error {
		return func(ctx context.Context, l *Library, _ string) error {
			_, err := l.SetPublished(ctx, nil, ids, state)
			return err
		}
	}
	both := func(s *shelf) { s.imports(presentation(idA), video(idA)) }
	return map[string]crashWork{
		"import": {
			prepare: func(s *shelf) { wanted(s); s.brings(presentation(idA), video(idA)) },
			run:     importAndRemove,
		},
		"import again": {
			prepare: func(s *shelf) { wanted(s); both(s); s.brings(newer(presentation(idA)), video(idA), podcast(idA)) },
			run:     importAndRemove,
		},
		"import that moves": {
			prepare: func(s *shelf) {
				both(s)
				s.brings(newer(presentation(idA)).replaced("<published>true", "<published>false"))
			},
			run: importAndRemove, between: true,
		},
		"import of two": {
			prepare: func(s *shelf) { s.imports(presentation(idA)); s.brings(newer(presentation(idA)), presentation(idB)) },
			run:     importAndRemove, between: true,
		},
		"publish":   {prepare: func(s *shelf) { both(s); s.publish(idA, false) }, run: publish(true)},
		"unpublish": {prepare: both, run: publish(false), between: true}, // hidden, then moved
		"delete": {
			prepare: both,
			run: func(ctx context.Context, l *Library, _ string) error {
				_, err := l.Delete(ctx, nil, ids)
				return err
			},
		},
		"undelete": {
			prepare: func(s *shelf) { both(s); s.deletes(idA) },
			run: func(ctx context.Context, l *Library, _ string) error {
				if _, err := l.Undelete(ctx, ids); !errors.Is(err, ErrNotFound) {
					return err
				}
				return nil
			},
		},
		"purge": {
			prepare: func(s *shelf) { both(s); s.deletes(idA) },
			run: func(ctx context.Context, l *Library, _ string) error {
				if _, err := l.Purge(ctx, ids); !errors.Is(err, ErrNotFound) {
					return err
				}
				return nil
			},
			between: true,
		},
		"text track": {
			prepare: both,
			run: func(ctx context.Context, l *Library, _ string) error {
				return l.PutTrack(ctx, nil, idA, caption.Track{Lang: "de", Kind: "subtitles", Source: uploaded}, []byte(subtitles))
			},
			between: true, // the file may be there before the list names it
		},
		"import over a text track": {
			prepare: func(s *shelf) {
				both(s)
				must(s.t, s.PutTrack(s.t.Context(), nil, idA, caption.Track{Lang: "de", Kind: "subtitles", Source: uploaded}, []byte(subtitles)))
				s.brings(newer(presentation(idA)))
			},
			run: importAndRemove,
		},
		"prune": { // one of them long in the trash, the other too old
			prepare: func(s *shelf) { both(s); s.imports(presentation(idB)); s.deletes(idB) },
			run: func(ctx context.Context, l *Library, _ string) error {
				c := l.settings.Load().Config
				c.Retention = "30d"
				l.Reconfigure(c)
				_, err := l.Prune(ctx, false)
				return err
			},
			between: true,
		},
	}
}

// TestCrashChild is the process that is killed: not a test of its own. It kills
// itself after the step with the number that it is told, or says when it begins.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv("SCALELITE_CRASH_DIR")
	if dir == "" {
		t.Skip("run by the crash tests")
	}
	work, step := os.Getenv("SCALELITE_CRASH_WORK"), os.Getenv("SCALELITE_CRASH_STEP")
	last, err := strconv.Atoi(step)
	must(t, err)
	engine, err := boltkv.Open(t.Context(), filepath.Join(dir, "test.db"), boltkv.Options{})
	must(t, err)
	db, err := store.New(t.Context(), engine, store.Options{})
	must(t, err)
	n := 0
	l, err := Open(t.Context(), Options{Store: db, Config: shelfConfig(dir), Log: slog.New(slog.DiscardHandler), Step: func(string) {
		if n++; n == last {
			must(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
			select {}
		}
	}})
	must(t, err)
	fmt.Println("begin")
	if work != "" {
		must(t, crashWorks()[work].run(t.Context(), l, dir))
	}
	must(t, l.Close(), db.Close())
	fmt.Println("end")
}

// crash runs the child; killed says that it did not come to its end. With a
// moment it is killed that long after its beginning.
func crash(t *testing.T, dir, work string, step int, moment time.Duration) (killed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrashChild$", "-test.v")
	cmd.Env = append(os.Environ(), "SCALELITE_CRASH_DIR="+dir, "SCALELITE_CRASH_WORK="+work, "SCALELITE_CRASH_STEP="+strconv.Itoa(step))
	out, err := cmd.StdoutPipe()
	must(t, err, cmd.Start())
	var text strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		fmt.Fprintln(&text, lines.Text())
		if lines.Text() == "begin" && moment >= 0 {
			time.Sleep(moment)
			_ = cmd.Process.Kill()
		}
	}
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return true
	}
	if err != nil || !strings.Contains(text.String(), "end") {
		t.Fatalf("the child: %v\n%s", err, text.String())
	}
	return false
}

// image is what can be known of a Library from outside, but for times and the
// random names in the trash.
type image struct {
	Records map[string]store.Recording
	Trash   map[string]store.Recording
	Files   map[string]string
	Trashed []string
}

func (s *shelf) image() image {
	s.t.Helper()
	im := image{map[string]store.Recording{}, map[string]store.Recording{}, s.files(), nil}
	for name := range contents(s.t, s.trees.trash("")) {
		dir, rest, _ := strings.Cut(name, "/")
		id, _, _ := cutLast(dir, "-")
		im.Trashed = append(im.Trashed, id+"/"+rest)
	}
	slices.Sort(im.Trashed)
	must(s.t, s.pages(s.t.Context(), store.RecordingStates(), func(page []store.Recording) error {
		for _, r := range page {
			im.Records[r.ID] = timeless(r)
		}
		return nil
	}))
	all, err := s.trashContents(s.t.Context())
	must(s.t, err)
	for _, t := range all {
		im.Trash[t.Recording.ID] = timeless(t.Recording)
	}
	return im
}

func timeless(r store.Recording) store.Recording {
	r.ImportedAt, r.DeletedAt = time.Time{}, time.Time{}
	for i := range r.Formats {
		r.Formats[i].ImportedAt = time.Time{}
	}
	return r
}

// crashScene is a directory in which a work is about to be done.
type crashScene struct {
	name          string
	work          crashWork
	from          string
	before, after image
	took          time.Duration
}

func prepareCrash(t *testing.T, name string, work crashWork) *crashScene {
	t.Helper()
	s := newShelf(t)
	work.prepare(s)
	must(t, s.Close(), s.db.Close())
	c := &crashScene{name: name, work: work, from: s.dir}
	s.Library = nil // what it left is looked at by others
	c.before = reopened(t, c.copy(t)).image()
	end := c.copy(t)
	begun := time.Now()
	if crash(t, end, name, 0, -1) {
		t.Fatal("the child was killed")
	}
	c.took = time.Since(begun)
	c.after = reopened(t, end).image()
	if cmp.Equal(c.before, c.after) {
		t.Fatal("the work does nothing")
	}
	return c
}

func (c *crashScene) copy(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "scene")
	if out, err := exec.Command("cp", "-a", "--sparse=always", c.from, dir).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
	return dir
}

// reopened opens what a child left, in this process.
func reopened(t *testing.T, dir string) *shelf {
	t.Helper()
	s := &shelf{t: t, dir: dir, db: storetest.OpenFile(t, filepath.Join(dir, "test.db"), nil)}
	s.options = Options{Config: shelfConfig(dir), Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	s.open()
	return s
}

// survived checks what a killed child left: all in order, as before or as after;
// and the work done again leads to where it would have led.
func (c *crashScene) survived(t *testing.T, dir string) {
	t.Helper()
	s := reopened(t, dir)
	s.inOrder()
	got := s.image()
	switch {
	case cmp.Equal(got, c.before), cmp.Equal(got, c.after), c.work.between:
	default:
		t.Errorf("neither as before nor as after:\nbefore: %s\nafter: %s", cmp.Diff(c.before, got), cmp.Diff(c.after, got))
	}
	if strings.HasPrefix(c.name, "import") {
		_, err := os.Stat(filepath.Join(dir, crashTar))
		if errors.Is(err, fs.ErrNotExist) && !cmp.Equal(got, c.after) {
			t.Error("the tarball is gone, and not all of it is in")
		}
	}
	must(t, c.work.run(t.Context(), s.Library, dir))
	s.inOrder()
	if diff := cmp.Diff(c.after, s.image()); diff != "" {
		t.Errorf("done again (-want +got):\n%s", diff)
	}
	if c.name == "import" || c.name == "import again" {
		if n := len(s.callbacks()); n == 0 || n > 3 {
			t.Errorf("%d callbacks", n)
		}
	}
}

// T3: the process is killed after each step of each work, and then after each
// step of the start that follows.
func TestT3KilledAfterEachStep(t *testing.T) {
	t.Parallel()
	for name, work := range crashWorks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := prepareCrash(t, name, work)
			step := 1
			for ; ; step++ {
				dir := c.copy(t)
				if !crash(t, dir, name, step, -1) {
					break
				}
				for again := 1; crash(t, dir, "", again, -1); again++ {
				}
				c.survived(t, dir)
				if t.Failed() {
					t.Fatalf("killed after step %d", step)
				}
			}
			if step < 4 {
				t.Errorf("it has %d steps", step-1)
			}
			t.Logf("%d steps", step-1)
		})
	}
}

// T3: the process is killed at random moments.
func TestT3KilledAtRandomMoments(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes its time")
	}
	for name, work := range crashWorks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := prepareCrash(t, name, work)
			killed := 0
			for range *crashRounds {
				dir := c.copy(t)
				if crash(t, dir, name, 0, rand.N(min(c.took, 60*time.Millisecond))) {
					killed++
				}
				c.survived(t, dir)
				if t.Failed() {
					t.FailNow()
				}
			}
			t.Logf("%d of %d were killed in the midst", killed, *crashRounds)
		})
	}
}
