package recordings

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"scalelite/store"
)

// rename puts a tarball in the place of another one, as a sender does.
func (r *spoolRig) rename(name, content string) {
	r.t.Helper()
	tmp := r.path("." + name + ".Xyz")
	writeWhole(r.t, tmp, content)
	if err := os.Rename(tmp, r.path(name)); err != nil {
		r.t.Fatal(err)
	}
}

// A BBB server sends the same name again when the next format is published: what
// comes while the former is imported is imported, too.
func TestSpoolReplacedWhileImported(t *testing.T) {
	for how, replace := range map[string]func(*spoolRig){
		"renamed":  func(r *spoolRig) { r.rename("a.tar", "second") },
		"in place": func(r *spoolRig) { r.write("a.tar", "second") },
		"same size": func(r *spoolRig) {
			r.rename("a.tar", "FIRST")
		},
	} {
		t.Run(how, func(t *testing.T) {
			inSpoolTime(t, func(t *testing.T) {
				r := newSpoolRig(t, nil)
				r.importer.do = func(_ context.Context, _ string, try int) (Imported, error) {
					if try == 1 {
						replace(r)
					}
					return Imported{}, nil
				}
				r.place("a.tar", "first")
				r.start()
				elapse(time.Minute)
				second, wrote := "second", r.importer.took()
				if how == "same size" {
					second = "FIRST"
				}
				if len(wrote) != 2 || wrote[0] != "first" || wrote[1] != second {
					t.Errorf("imported were %q", wrote)
				}
				r.wantFile("a.tar", false)
				if all := r.imports(); len(all) != 2 {
					t.Errorf("imports are %+v", all)
				}
			})
		})
	}
}

// The last try of a broken tarball does not take its successor along.
func TestSpoolReplacedWhileGivenUp(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.importer.do = func(_ context.Context, _ string, try int) (Imported, error) {
			if try < 5 {
				return Imported{}, errSpoolBroken
			}
			if try == 5 {
				r.rename("a.tar", "whole")
				return Imported{}, errSpoolBroken
			}
			return Imported{}, nil
		}
		r.place("a.tar", "broken")
		r.start()
		elapse(time.Hour)
		r.wantTaken("whole")
		if all := r.imports(); len(all) != 1 || all[0].State != store.ImportImported {
			t.Errorf("imports are %+v", all)
		}
		if files := r.files(); len(files) > 0 {
			t.Errorf("files are left: %v", files)
		}
	})
}

// A new tarball under the name of a broken one has its own tries.
func TestSpoolReplacedBetweenTries(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.importer.do = failingFor("a.tar", errSpoolBroken)
		r.place("a.tar", "broken")
		r.start()
		elapse(2 * time.Minute)
		r.wantState("a.tar", store.ImportWaiting, 4, "checksum")
		r.place("a.tar", "broken as well")
		r.lookNow()
		if got := r.files()["a.tar"].Tries; got > 1 {
			t.Errorf("the new one has %d tries behind it", got)
		}
		elapse(time.Hour)
		if n := r.importer.tried("a.tar"); n != 4+5 {
			t.Errorf("tried %d times, want 9", n)
		}
	})
}

// Between the last look at a tarball and its removal another one can take the
// name.
func TestSpoolTakesOnlyWhatItKnows(t *testing.T) {
	t.Parallel()
	r := newSpoolRig(t, nil)
	r.write("a.tar", "imported")
	print, err := fingerprintOf(r.path("a.tar"))
	if err != nil {
		t.Fatal(err)
	}
	r.rename("a.tar", "not read yet")
	known := &entry{Import: store.Import{File: "a.tar"}, print: print}
	if err := r.take(t.Context(), known, removeFile); !errors.Is(err, errReplaced) {
		t.Errorf("take: %v", err)
	}
	if content, err := os.ReadFile(r.path("a.tar")); err != nil || string(content) != "not read yet" {
		t.Errorf("in the spool is %q, %v", content, err)
	}
	// And a third one while the second is held.
	taken := filepath.Join(r.Dir(), takenDir, "a.tar")
	if err := os.Rename(r.path("a.tar"), taken); err != nil {
		t.Fatal(err)
	}
	r.rename("a.tar", "the third")
	if err := r.giveBack(t.Context(), "a.tar"); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(r.path("a.tar")); err != nil || string(content) != "the third" {
		t.Errorf("in the spool is %q, %v", content, err)
	}
	if content, err := os.ReadFile(r.failedPath("a.tar")); err != nil || string(content) != "not read yet" {
		t.Errorf("in failed_dir is %q, %v", content, err)
	}
}

// T3, the spool's part: after a crash between import and removal the tarball is
// imported again, also when it was just being taken out.
func TestSpoolCrashBeforeRemoval(t *testing.T) {
	for _, where := range []string{"", takenDir} {
		t.Run("in "+where, func(t *testing.T) {
			inSpoolTime(t, func(t *testing.T) {
				r := newSpoolRig(t, nil)
				before := store.Import{ID: newImportID(), File: "a.tar", State: store.ImportImported, Ended: time.Now(), Since: time.Now()}
				if err := r.put(before); err != nil {
					t.Fatal(err)
				}
				if err := os.MkdirAll(r.path(takenDir), 0o755); err != nil {
					t.Fatal(err)
				}
				r.place(filepath.Join(where, "a.tar"), "a")
				writeWhole(t, r.path(movingPrefix+"123"), "half a copy")
				writeWhole(t, r.failedPath(movingPrefix+"123"), "half a copy")
				elapse(time.Second)
				r.start()
				elapse(time.Second)
				r.wantTaken("a")
				r.wantFile("a.tar", false)
				r.wantFile(movingPrefix+"123", false)
				if lexists(r.failedPath(movingPrefix + "123")) {
					t.Error("half a copy is left in failed_dir")
				}
				if all := r.imports(); len(all) != 2 || all[0].ID != before.ID || all[1].State != store.ImportImported {
					t.Errorf("imports are %+v", all)
				}
			})
		})
	}
}

// What the sender takes away again is nobody's failure.
func TestSpoolRemovedBySender(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.importer.do = func(_ context.Context, name string, _ int) (Imported, error) {
			err := os.Remove(r.path(name))
			return Imported{}, errors.Join(err, os.ErrNotExist)
		}
		r.place("a.tar", "a")
		r.write("b.tar", "settles")
		r.start()
		elapse(time.Second)
		if err := os.Remove(r.path("b.tar")); err != nil {
			t.Fatal(err)
		}
		elapse(time.Hour)
		if files := r.files(); len(files) > 0 {
			t.Errorf("shown are %+v", files)
		}
		if n := r.importer.tried("a.tar"); n != 1 {
			t.Errorf("%d tries, want 1", n)
		}
	})
}

func (r *spoolRig) announce(name string) string {
	r.t.Helper()
	id, err := r.Announce(context.Background(), name, "srv1")
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

func (r *spoolRig) wantImport(id string, state store.ImportState, reason string) {
	r.t.Helper()
	i, err := r.Spool.Import(context.Background(), id)
	if err != nil || i.State != state || !strings.Contains(i.Error, reason) || i.ID != id {
		r.t.Errorf("import %s is %+v, %v; want it %s for %q", id, i, err, state, reason)
	}
}

// An announced tarball is taken at once, under the ID of its announcement.
func TestSpoolAnnounced(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.start()
		id := r.announce("a.tar")
		r.write("a.tar", "a")
		r.wantImport(id, store.ImportWaiting, "")
		r.lookNow()
		r.wantTaken("a")
		r.wantImport(id, store.ImportImported, "")
		if all := r.imports(); len(all) != 1 || all[0].Server != "srv1" || all[0].Recordings[0] != "a" {
			t.Errorf("imports are %+v", all)
		}
		for _, name := range []string{"a.txt", ".a.tar", "../a.tar", "x/a.tar", ""} {
			if _, err := r.Announce(context.Background(), name, ""); !errors.Is(err, ErrInvalid) {
				t.Errorf("announce %q: %v, want ErrInvalid", name, err)
			}
		}
	})
}

// Announced again before, while and after the former is imported: each import
// has an end, and each tarball that was there to be read was read.
func TestSpoolAnnouncedAgain(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		var during string
		r.importer.do = func(_ context.Context, _ string, try int) (Imported, error) {
			if try == 1 {
				during = r.announce("a.tar")
				r.rename("a.tar", "third")
			}
			return Imported{}, nil
		}
		first := r.announce("a.tar")
		r.rename("a.tar", "first")
		second := r.announce("a.tar")
		r.rename("a.tar", "second")
		r.start()
		elapse(time.Second)
		fourth := r.announce("a.tar")
		r.rename("a.tar", "fourth")
		r.lookNow()
		r.wantTaken("second", "third", "fourth")
		r.wantImport(first, store.ImportReplaced, "")
		for _, id := range []string{second, during, fourth} {
			r.wantImport(id, store.ImportImported, "")
		}
	})
}

// The same while the former fails: the one that came last counts.
func TestSpoolAnnouncedAgainWhileFailing(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		var second string
		r.importer.do = func(_ context.Context, _ string, try int) (Imported, error) {
			if try == 2 {
				second = r.announce("a.tar")
				r.rename("a.tar", "second")
			}
			if try <= 2 {
				return Imported{}, errSpoolBroken
			}
			return Imported{}, nil
		}
		first := r.announce("a.tar")
		r.rename("a.tar", "first")
		r.start()
		elapse(time.Minute)
		r.wantTaken("second")
		r.wantImport(second, store.ImportImported, "")
		r.wantImport(first, store.ImportReplaced, "")
	})
}

// An announcement that nothing comes of can be taken back, and harms nothing.
func TestSpoolWithdraw(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.start()
		id := r.announce("a.tar")
		if err := r.Withdraw(context.Background(), id); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Spool.Import(context.Background(), id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("import: %v, want ErrNotFound", err)
		}
		r.write("a.tar", "a")
		r.lookNow()
		r.wantTaken()
		r.wantState("a.tar", store.ImportSettling, 0, "")
		elapse(10 * time.Second)
		r.wantTaken("a")
	})
}

// How an import went can be read for 30 days, across restarts; IDs sort by age.
func TestSpoolImportsKept(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.importer.do = failingFor("bad.tar", errSpoolBroken)
		r.start()
		dangling := r.announce("never.tar")
		var ids []string
		for _, name := range []string{"a.tar", "b.tar", "bad.tar"} {
			r.place(name, name)
			r.lookNow()
			ids = append(ids, r.imports()[len(ids)+1].ID)
		}
		elapse(time.Hour)
		r.restart()
		elapse(29 * 24 * time.Hour)
		sweep := func() {
			t.Helper()
			if err := r.Sweep(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		sweep()
		r.wantImport(ids[0], store.ImportImported, "")
		r.wantImport(ids[1], store.ImportImported, "")
		r.wantImport(ids[2], store.ImportFailed, "checksum")
		if all := r.imports(); all[0].ID != dangling || all[0].State != store.ImportWaiting {
			t.Errorf("imports are %+v", all)
		}
		r.importer.let(failingFor("held.tar", ErrIncomplete))
		r.write("held.tar", "held")
		elapse(25 * time.Hour)
		sweep()
		for _, id := range append(ids, dangling) {
			if _, err := r.Spool.Import(context.Background(), id); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("import %s: %v, want ErrNotFound", id, err)
			}
		}
		// Only the outcome is forgotten, not the tarball and why it failed.
		if f := r.files()["bad.tar"]; f.State != store.ImportFailed || f.Tries != 5 || !strings.Contains(f.Reason, "checksum") {
			t.Errorf("bad.tar is shown as %+v", f)
		}
	})
}

// An import whose tarball somebody took away is waited for no longer. A spool that
// is not there, and a restart, take nothing away.
func TestSpoolImportIsGone(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.importer.do = failingFor("a.tar", ErrNoSpace)
		r.start()
		id := r.announce("a.tar")
		r.rename("a.tar", "a")
		r.lookNow()
		r.wantImport(id, store.ImportWaiting, "not enough free space")
		move := func(from, to string) {
			t.Helper()
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
		}
		r.stop()
		move(r.Dir(), r.Dir()+".away")
		r.options.Place = func(context.Context) (string, error) { return "", ErrNotInPlace }
		r.make()
		r.wantImport(id, store.ImportWaiting, "")
		move(r.Dir()+".away", r.Dir())
		var away atomic.Bool
		r.options.Place = func(context.Context) (string, error) {
			if away.Load() {
				return "", ErrNotInPlace
			}
			return "here", nil
		}
		r.make()
		r.wantImport(id, store.ImportWaiting, "")
		if err := os.MkdirAll(r.path(takenDir), 0o755); err != nil {
			t.Fatal(err)
		}
		move(r.path("a.tar"), filepath.Join(r.path(takenDir), "a.tar")) // as a crash may leave it
		r.wantImport(id, store.ImportWaiting, "")
		r.restart()
		r.lookNow()
		r.wantImport(id, store.ImportWaiting, "")
		if err := os.Remove(r.path("a.tar")); err != nil {
			t.Fatal(err)
		}
		away.Store(true) // and below its mount point is an empty spool
		r.lookNow()
		r.wantImport(id, store.ImportWaiting, "")
		away.Store(false)
		if i, err := r.Spool.Import(context.Background(), id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the import is %+v, %v, want ErrNotFound", i, err)
		}
		if n := r.logs.count("taken out of the spool before it was imported"); n != 1 {
			t.Errorf("%d lines in the log, want 1", n)
		}
	})
}

// What waits in the spool for longer than that is still known.
func TestSpoolSweepKeepsWhatWaits(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.importer.do = failingFor("a.tar", ErrNoSpace)
		r.start()
		id := r.announce("a.tar")
		r.rename("a.tar", "a")
		r.lookNow()
		r.stop()
		elapse(40 * 24 * time.Hour)
		r.restart()
		elapse(time.Second)
		if err := r.Sweep(context.Background()); err != nil {
			t.Fatal(err)
		}
		r.restart()
		elapse(time.Second)
		r.wantImport(id, store.ImportWaiting, "not enough free space")
		r.importer.let(nil)
		elapse(2 * time.Minute)
		r.wantImport(id, store.ImportImported, "")
	})
}

// A tarball that gets the name of one which has just left the spool is not
// overlooked until the next rescan.
func TestSpoolReplacedWhileItLeaves(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		var r *spoolRig
		second := false
		r = newSpoolRig(t, func(o *SpoolOptions) {
			o.Config.Rescan = "@every 48h"
			o.Step = func(step string) {
				if step != "let the tarball go" || second {
					return
				}
				second = true
				r.place("a.tar", "second")
				r.Look()
				time.Sleep(time.Minute) // it is seen, while the first is still worked on
			}
		})
		r.place("a.tar", "first")
		r.start()
		elapse(time.Hour)
		r.wantTaken("first", "second")
	})
}
