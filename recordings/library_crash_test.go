package recordings

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
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
	// apart: failed_dir is on another file system than the spool.
	apart bool
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
	broken := func(s *shelf) { s.drops([]byte(strings.Repeat("no tarball ", 200))) }
	partlyBroken := func(s *shelf) {
		both(s)
		unreadable := podcast(idA)
		unreadable.xml = "<recording>"
		s.brings(newer(presentation(idA)), unreadable)
	}
	mended := func(s *shelf) {
		broken(s)
		must(s.t, throughSpool(s.t.Context(), s.Library, s.dir))
		failed := filepath.Join(shelfConfig(s.dir).FailedDir, crashTar)
		writeWhole(s.t, failed, string(content(s.t, tarball(s.t, presentation(idA), video(idA)))))
	}
	return map[string]crashWork{
		"broken tarball":             {prepare: broken, run: throughSpool},
		"broken tarball, other disk": {prepare: broken, run: throughSpool, apart: true},
		"partly broken tarball":      {prepare: partlyBroken, run: throughSpool, between: true},
		"retry":                      {prepare: mended, run: retryAll, between: true},
		"retry, other disk":          {prepare: mended, run: retryAll, between: true, apart: true},
		"import": {
			prepare: func(s *shelf) { wanted(s); s.brings(presentation(idA), video(idA)) },
			run:     throughSpool,
		},
		"import again": {
			prepare: func(s *shelf) { wanted(s); both(s); s.brings(newer(presentation(idA)), video(idA), podcast(idA)) },
			run:     throughSpool,
		},
		"import that moves": {
			prepare: func(s *shelf) {
				both(s)
				s.brings(newer(presentation(idA)).replaced("<published>true", "<published>false"))
			},
			run: throughSpool, between: true,
		},
		"import of two": {
			prepare: func(s *shelf) { s.imports(presentation(idA)); s.brings(newer(presentation(idA)), presentation(idB)) },
			run:     throughSpool, between: true,
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
			run: throughSpool,
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
	var n atomic.Int64
	l, err := Open(t.Context(), Options{Store: db, Config: shelfConfig(dir), Log: slog.New(slog.DiscardHandler), Step: func(string) {
		if n.Add(1) == int64(last) {
			must(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
			select {}
		}
	}})
	must(t, err)
	if work == "" {
		s, err := crashSpool(l, dir)
		must(t, err)
		s.restore(t.Context())
	}
	fmt.Println("begin")
	if work != "" {
		must(t, crashWorks()[work].run(t.Context(), l, dir))
	}
	must(t, l.Close(), db.Close())
	fmt.Println("end")
}

// crash runs the child; killed says that it did not come to its end, took how
// long its work lasted. With a moment it is killed that long after its beginning.
func crash(t *testing.T, dir, work string, step int, moment time.Duration) (killed bool, took time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrashChild$", "-test.v")
	cmd.Env = append(os.Environ(), "SCALELITE_CRASH_DIR="+dir, "SCALELITE_CRASH_WORK="+work, "SCALELITE_CRASH_STEP="+strconv.Itoa(step))
	out, err := cmd.StdoutPipe()
	must(t, err, cmd.Start())
	var text strings.Builder
	lines, begun := bufio.NewScanner(out), time.Now()
	for lines.Scan() {
		fmt.Fprintln(&text, lines.Text())
		switch {
		case lines.Text() == "begin":
			begun = time.Now()
			if moment >= 0 {
				time.Sleep(moment)
				_ = cmd.Process.Kill()
			}
		case lines.Text() == "end":
			took = time.Since(begun)
		}
	}
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return true, 0
	}
	if err != nil || !strings.Contains(text.String(), "end") {
		t.Fatalf("the child: %v\n%s", err, text.String())
	}
	return false, took
}

// image is what can be known of a Library from outside, but for times and the
// random names in the trash.
type image struct {
	Records map[string]store.Recording
	Trash   map[string]store.Recording
	Files   map[string]string
	Trashed []string
	Failed  []string // contents of the tarballs in failed_dir
}

func (s *shelf) image() image {
	s.t.Helper()
	im := image{map[string]store.Recording{}, map[string]store.Recording{}, s.files(), nil, s.failedTarballs()}
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
		r.Formats[i].ImportedAt, r.Formats[i].Seen = time.Time{}, time.Time{}
	}
	return r
}

// crashScene is a directory in which a work is about to be done.
type crashScene struct {
	name          string
	work          crashWork
	from          string
	before, after image
	tarball       string            // what is in the spool or in failed_dir, if something is
	ended         store.ImportState // how its import ends
	took          time.Duration
}

func prepareCrash(t *testing.T, name string, work crashWork) *crashScene {
	t.Helper()
	s := newShelf(t)
	if work.apart {
		s.failsApart()
	}
	work.prepare(s)
	c := &crashScene{name: name, work: work, from: s.dir}
	if all := s.tarballs(); len(all) > 0 {
		c.tarball = all[0]
	}
	must(t, s.Close(), s.db.Close())
	s.Library = nil // what it left is looked at by others
	c.before = reopened(t, c.copy(t)).image()
	end := c.copy(t)
	killed := false
	if killed, c.took = crash(t, end, name, 0, -1); killed {
		t.Fatal("the child was killed")
	}
	left := reopened(t, end)
	c.after, c.ended = left.image(), left.importEnd()
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
	if c.work.apart {
		copyApart(t, c.from, dir)
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
	all := s.tarballs()
	if c.tarball != "" && len(all) == 0 && !cmp.Equal(got, c.after) {
		t.Error("the tarball is gone, and not all of it is in")
	}
	if slices.ContainsFunc(all, func(content string) bool { return content != c.tarball }) {
		t.Error("the tarball is not whole any more")
	}
	must(t, c.work.run(t.Context(), s.Library, dir))
	s.inOrder()
	if diff := cmp.Diff(c.after, s.image()); diff != "" {
		t.Errorf("done again (-want +got):\n%s", diff)
	}
	s.spoolInOrder()
	if ended := s.importEnd(); ended != c.ended {
		t.Errorf("done again: the import is %q, want %q", ended, c.ended)
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
			step, pace := 1, 1
			if testing.Short() {
				step, pace = 1+rand.IntN(3), 3
			}
			for ; ; step += pace {
				dir := c.copy(t)
				if killed, _ := crash(t, dir, name, step, -1); !killed {
					break
				}
				for again, killed := 1, true; killed; again++ {
					killed, _ = crash(t, dir, "", again, -1)
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
			killed, window := 0, c.took
			for range *crashRounds {
				dir := c.copy(t)
				// The work may take longer at one time than at another.
				if is, _ := crash(t, dir, name, 0, rand.N(window)); is {
					killed++
					window = min(window*5/4, c.took)
				} else {
					window = window*3/4 + 1
				}
				c.survived(t, dir)
				if t.Failed() {
					t.FailNow()
				}
			}
			if killed == 0 {
				t.Errorf("none of %d was killed in the midst", *crashRounds)
			}
			t.Logf("%d of %d were killed in the midst", killed, *crashRounds)
		})
	}
}
