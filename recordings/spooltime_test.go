package recordings

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"scalelite/store"
)

// A file that is written in place is taken once size and time of change have
// rested for ten seconds; without events the schedule finds it (T10).
func TestSpoolSettles(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.start()
		elapse(30 * time.Second)
		r.write("a.tar", "first half")
		elapse(31 * time.Second) // a rescan was at 60s
		r.wantState("a.tar", store.ImportSettling, 0, "")
		elapse(8 * time.Second)
		r.write("a.tar", "first half, second half")
		elapse(9 * time.Second)
		r.wantTaken()
		r.wantState("a.tar", store.ImportSettling, 0, "")
		elapse(10 * time.Second)
		r.wantTaken("first half, second half")
		r.wantFile("a.tar", false)
		if files := r.files(); len(files) > 0 {
			t.Errorf("files are left: %v", files)
		}
	})
}

// What only changes its time of change is not at rest either.
func TestSpoolSettlesTimeOfChange(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.write("a.tar", "same size")
		r.start()
		for i := range 10 {
			elapse(6 * time.Second)
			if err := os.Chtimes(r.path("a.tar"), time.Time{}, time.Now().Add(time.Duration(i)*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		r.wantTaken()
		elapse(20 * time.Second)
		r.wantTaken("same size")
	})
}

// A writer that gives its file an old time of change has it at rest no sooner.
func TestSpoolSettlesAtOldTime(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.start()
		r.write("a.tar", "half")
		r.lookNow()
		r.write("a.tar", "half and half")
		old := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
		if err := os.Chtimes(r.path("a.tar"), old, old); err != nil {
			t.Fatal(err)
		}
		r.lookNow()
		elapse(8 * time.Second)
		r.wantTaken()
		elapse(2 * time.Second)
		r.wantTaken("half and half")
	})
}

// T8: a tarball that comes in ten pieces over twenty seconds is imported once.
func TestSpoolSlowWriter(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.start()
		want := r.writeSlowly("a.tar", 2*time.Second)
		elapse(30 * time.Second)
		r.wantTaken(want)
		if n := r.importer.tried("a.tar"); n != 1 {
			t.Errorf("it was tried %d times, want once", n)
		}
	})
}

// A sender that pauses for longer than a tarball has to rest: what it has sent
// so far does not end properly, so it stays, and says why.
func TestSpoolStallingWriter(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.importer.do = func(_ context.Context, name string, _ int) (Imported, error) {
			content, err := os.ReadFile(r.path(name))
			if err == nil && !strings.HasSuffix(string(content), "piece 9;") {
				err = fmt.Errorf("%w: no end", ErrIncomplete)
			}
			return Imported{Recordings: []ImportedRecording{{ID: "a"}}}, err
		}
		r.start()
		want := r.writeSlowly("a.tar", time.Hour)
		r.wantState("a.tar", store.ImportSettling, 0, "no end")
		elapse(time.Hour)
		r.wantTaken(want)
		r.wantFile("a.tar", false)
	})
}

func (r *spoolRig) writeSlowly(name string, pause time.Duration) (content string) {
	r.t.Helper()
	f, err := os.Create(r.path(name))
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	for i := range 10 {
		piece := fmt.Sprintf("piece %d;", i)
		content += piece
		if _, err := f.WriteString(piece); err != nil {
			r.t.Fatal(err)
		}
		r.Look()
		if i < 9 {
			elapse(pause)
		}
	}
	return content
}

// Moved in from elsewhere, with an old time of change: taken at once.
func TestSpoolTakesOldFileAtOnce(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.start()
		synctest.Wait()
		r.place("a.tar", "old")
		r.place("b.tar.gz", "older")
		r.place("c.tgz", "oldest")
		r.lookNow()
		r.wantTaken("old", "older", "oldest")
	})
}

// T9: placed while the service was stopped. What was left under a temporary name
// is no tarball, nor is anything but a file.
func TestSpoolStart(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.place("a.tar", "a")
		for _, name := range []string{".b.tar.XyZ123", ".b.tar", "b.tar.part", ".tar", "notes.txt", "tar"} {
			r.place(name, "not yet")
		}
		mkdir := os.Mkdir(r.path("dir.tar"), 0o755)
		link := os.Symlink(r.path("notes.txt"), r.path("link.tar"))
		fifo := syscall.Mkfifo(r.path("fifo.tar"), 0o644)
		if err := errors.Join(mkdir, link, fifo); err != nil {
			t.Fatal(err)
		}
		r.place("dir.tar/c.tar", "in a directory")
		r.start()
		elapse(time.Hour)
		r.wantTaken("a")
		for _, name := range []string{".b.tar.XyZ123", ".b.tar", "b.tar.part", ".tar", "notes.txt", "tar", "dir.tar", "link.tar", "fifo.tar", "dir.tar/c.tar"} {
			r.wantFile(name, true)
		}
		for name, f := range r.files() {
			if f.State != store.ImportIgnored {
				t.Errorf("%s is shown as %+v", name, f)
			}
		}
	})
}

// A file is complete when it had a temporary name at the last look.
func TestSpoolRenameWithoutEvents(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.start()
		r.write(".a.tar.Xyz", "fresh")
		r.lookNow()
		if err := os.Rename(r.path(".a.tar.Xyz"), r.path("a.tar")); err != nil {
			t.Fatal(err)
		}
		r.lookNow()
		r.wantTaken("fresh")
	})
}

// An incomplete tarball is never thrown away before a day has passed without a
// change, not even by a restart, and however old it says it is.
func TestSpoolPatience(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.importer.do = failingFor("a.tar", fmt.Errorf("%w: it ends within a file", ErrIncomplete))
		r.place("a.tar", "half")
		r.start()
		elapse(12 * time.Hour)
		r.restart()
		elapse(11*time.Hour + 50*time.Minute)
		r.wantState("a.tar", store.ImportSettling, 0, "it ends within a file")
		r.wantFile("a.tar", true)
		if next := r.files()["a.tar"].Next; next.IsZero() {
			t.Error("nothing says when it is tried next")
		}
		if n := r.importer.tried("a.tar"); n > 24*6+20 {
			t.Errorf("it was tried %d times in a day", n)
		}
		elapse(time.Hour)
		r.wantFile("a.tar", false)
		r.wantState("a.tar", store.ImportFailed, r.o.Config.Tries, "it ends within a file")
	})
}

// T5: exactly so many tries, then failed_dir with the reason, then peace.
func TestSpoolGivesUp(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		var looks atomic.Int64
		r := newSpoolRig(t, func(o *SpoolOptions) { o.Now = func() time.Time { looks.Add(1); return time.Now() } })
		r.importer.do = failingFor("bad.tar", errors.Join(errSpoolBroken, errors.New("and more")))
		r.place("bad.tar", "broken")
		r.start()
		elapse(time.Second)
		r.wantState("bad.tar", store.ImportWaiting, 1, "checksum of the header is wrong; and more")
		elapse(time.Hour)
		if n := r.importer.tried("bad.tar"); n != r.o.Config.Tries {
			t.Errorf("it was tried %d times, want %d", n, r.o.Config.Tries)
		}
		r.wantFile("bad.tar", false)
		r.wantState("bad.tar", store.ImportFailed, 5, "checksum of the header is wrong; and more")
		text, err := os.ReadFile(r.failedPath("bad.tar.txt"))
		if err != nil || !strings.Contains(string(text), "reason: checksum of the header is wrong; and more\n") || !strings.Contains(string(text), "recordings retry bad.tar\n") {
			t.Errorf("the text says %q, %v", text, err)
		}
		looks.Store(0)
		elapse(time.Hour)
		if looks := looks.Load(); looks > 60*20 {
			t.Errorf("asked for the time %d times in an hour without work", looks)
		}
	})
}

// A broken tarball is never in the way of the others, even where only one is
// imported at a time.
func TestSpoolBrokenAmongGood(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, func(o *SpoolOptions) { o.Parallel = 1 })
		r.importer.do = failingFor("00.tar", errSpoolBroken)
		r.place("00.tar", "broken")
		for i := range 50 {
			r.place(fmt.Sprintf("good%02d.tar", i), "good")
		}
		r.start()
		elapse(time.Second)
		if n := len(r.importer.took()); n != 50 {
			t.Errorf("%d of 50 were imported beside the broken one", n)
		}
		r.wantState("00.tar", store.ImportWaiting, 1, "checksum")
	})
}

// While there is no space, or no disk, a tarball waits visibly, is not blamed for
// it, lets others pass, and goes on by itself.
func TestSpoolWaitsForSpace(t *testing.T) { testSpoolWaits(t, ErrNoSpace) }

func TestSpoolWaitsForTheDisk(t *testing.T) { testSpoolWaits(t, ErrNotInPlace) }

func testSpoolWaits(t *testing.T, cause error) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		var full atomic.Bool
		full.Store(true)
		r.importer.do = func(_ context.Context, name string, _ int) (Imported, error) {
			if full.Load() && name == "big.tar" {
				return Imported{}, fmt.Errorf("%w: for a reason", cause)
			}
			return Imported{}, nil
		}
		r.place("big.tar", "big")
		r.place("small.tar", "small")
		r.start()
		elapse(10 * time.Hour)
		r.wantTaken("small")
		r.wantState("big.tar", store.ImportWaiting, 0, cause.Error()+": for a reason")
		if n := r.logs.count("tarball not imported"); n != 1 {
			t.Errorf("it was logged %d times, want once", n)
		}
		full.Store(false)
		elapse(time.Minute)
		r.wantTaken("small", "big")
		r.wantFile("big.tar", false)
	})
}

// An importer that panics has failed on this tarball; the others go on.
func TestSpoolPanic(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.importer.do = func(_ context.Context, name string, _ int) (Imported, error) {
			if name == "bad.tar" {
				panic("out of range")
			}
			return Imported{}, nil
		}
		r.place("bad.tar", "bad")
		r.place("good.tar", "good")
		r.start()
		elapse(time.Hour)
		r.wantTaken("good")
		r.wantState("bad.tar", store.ImportFailed, 5, "out of range")
	})
}

// T7: some of it is in, and trying again would change nothing: the tarball is
// kept in failed_dir, and the import tells what it brought.
func TestSpoolPartial(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		var called atomic.Int64
		r := newSpoolRig(t, func(o *SpoolOptions) { o.Imported = func() { called.Add(1) } })
		r.importer.do = func(context.Context, string, int) (Imported, error) {
			result := Imported{Recordings: []ImportedRecording{
				{ID: "half", Error: "video: broken", Formats: []ImportedFormat{{Type: "video", Error: "broken"}, {Type: "notes"}}},
				{ID: "none", Error: "video: broken", Formats: []ImportedFormat{{Type: "video", Error: "broken"}}},
				{ID: "all", Formats: []ImportedFormat{{Type: "video"}}},
			}}
			return result, &PartialError{result, []error{errors.New("format video: broken")}}
		}
		r.place("a.tar", "a")
		r.start()
		elapse(time.Hour)
		r.wantState("a.tar", store.ImportFailed, 1, "format video: broken")
		if !lexists(r.failedPath("a.tar")) {
			t.Error("the tarball is not in failed_dir")
		}
		all := r.imports()
		if len(all) != 1 || strings.Join(all[0].Recordings, " ") != "all half" || all[0].State != store.ImportFailed {
			t.Errorf("imports are %+v", all)
		}
		if called := called.Load(); called != 1 {
			t.Errorf("Imported was called %d times", called)
		}
	})
}

// As many at once as allowed, and no more.
func TestSpoolParallel(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, func(o *SpoolOptions) { o.Parallel = 3 })
		r.importer.do = func(context.Context, string, int) (Imported, error) {
			time.Sleep(time.Minute)
			return Imported{}, nil
		}
		for i := range 10 {
			r.place(fmt.Sprintf("%d.tar", i), fmt.Sprint(i))
		}
		r.start()
		elapse(30 * time.Second)
		states := map[store.ImportState]int{}
		for _, f := range r.files() {
			states[f.State]++
			if f.State == store.ImportImporting && f.Done != 1 {
				t.Errorf("progress of %s is %d", f.Name, f.Done)
			}
		}
		if states[store.ImportImporting] != 3 || states[store.ImportWaiting] != 7 {
			t.Errorf("states are %v", states)
		}
		elapse(4 * time.Minute)
		if n := len(r.importer.took()); n != 10 || r.importer.peak != 3 {
			t.Errorf("%d imported, %d at once", n, r.importer.peak)
		}
	})
}

// A stop lets what runs finish, and begins nothing.
func TestSpoolStopWaits(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, func(o *SpoolOptions) { o.Parallel = 1 })
		r.importer.do = func(ctx context.Context, _ string, _ int) (Imported, error) {
			select {
			case <-time.After(time.Minute):
				return Imported{}, nil
			case <-ctx.Done():
				return Imported{}, ctx.Err()
			}
		}
		r.place("a.tar", "a")
		r.place("b.tar", "b")
		r.start()
		elapse(time.Second)
		r.stop()
		r.wantTaken("a")
		r.wantFile("a.tar", false)
		r.wantFile("b.tar", true)
	})
}

// An import that takes longer is interrupted, which is no fault of the tarball.
func TestSpoolStopInterrupts(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.importer.do = func(ctx context.Context, _ string, try int) (Imported, error) {
			if try == 1 {
				<-ctx.Done()
				return Imported{}, fmt.Errorf("rolled back: %w", ctx.Err())
			}
			return Imported{}, nil
		}
		r.place("a.tar", "a")
		r.start()
		elapse(time.Second)
		began := time.Now()
		r.stop()
		if took := time.Since(began); took != r.stopTimeout {
			t.Errorf("the stop took %s, want %s", took, r.stopTimeout)
		}
		r.wantTaken()
		r.wantFile("a.tar", true)
		r.wantState("a.tar", store.ImportWaiting, 0, "")
		r.restart()
		elapse(time.Second)
		r.wantTaken("a")
	})
}

// A directory that cannot be read is named once, and not given up.
func TestSpoolUnreadableDirectory(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, func(o *SpoolOptions) { o.Config.Rescan = "@every 24h" })
		r.start()
		elapse(time.Second)
		away := r.Dir() + ".away"
		if err := os.Rename(r.Dir(), away); err != nil {
			t.Fatal(err)
		}
		r.Look()
		elapse(time.Hour)
		if n := r.logs.count("spool could not be read"); n != 1 {
			t.Errorf("it was logged %d times", n)
		}
		if err := os.Rename(away, r.Dir()); err != nil {
			t.Fatal(err)
		}
		r.place("a.tar", "a")
		elapse(time.Minute)
		r.wantTaken("a")
		if r.logs.count("spool can be read again") != 1 {
			t.Error("it was not logged that it can be read again")
		}
	})
}

// A schedule that never comes does not make it look without a pause.
func TestSpoolImpossibleSchedule(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		var looks atomic.Int64
		r := newSpoolRig(t, func(o *SpoolOptions) {
			o.Config.Rescan = "0 0 31 2 *"
			o.Now = func() time.Time { looks.Add(1); return time.Now() }
		})
		r.start()
		elapse(time.Hour)
		if looks := looks.Load(); looks > 100 {
			t.Errorf("asked for the time %d times in an hour without work", looks)
		}
		r.place("a.tar", "a")
		elapse(25 * time.Hour)
		r.wantTaken("a")
	})
}
