package recordings

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// A tarball that is copied to failed_dir for long is nothing that the others wait
// for, also where the directory is another one meanwhile, nor the end of it all.
func TestSpoolGoesOnWhileOneIsMoved(t *testing.T) {
	r := newEventRig(t, nil)
	r.startWatching()
	writeWhole(t, r.failedPath("old.tar"), "old")
	writeWhole(t, r.failedPath("old.tar.txt"), failure{file: "old.tar", first: time.Now(), since: time.Now().Add(time.Hour), held: []string{"video/old"}}.text("old.tar"))
	r.failing.Lock()
	unlock := sync.OnceFunc(r.failing.Unlock)
	t.Cleanup(unlock) // before the spool is stopped
	must(t, os.Rename(r.Dir(), r.Dir()+".away"), os.Mkdir(r.Dir(), 0o755))
	r.Look()
	for _, name := range []string{"new.tar", "next.tar"} { // the one found by a look, the other by its event
		r.place(name, name)
		r.eventually(name+" is imported", func() bool { return r.importer.tried(name) > 0 && !lexists(r.path(name)) })
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		r.stop()
	}()
	r.eventually("it has stopped", func() bool {
		select {
		case <-stopped:
			return true
		default:
			return false
		}
	})
}

// While two tarballs are compared, which takes as long as reading them, others can
// be moved, and what they were found to be may change.
func TestSpoolComparesWithoutLock(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		var compared func()
		r := newSpoolRig(t, func(o *SpoolOptions) {
			o.Step = func(name string) {
				if name == "compared the tarball" && compared != nil {
					compared()
				}
			}
		})
		r.importer.do = failingFor("a.tar", errSpoolBroken)
		r.start()
		r.place("a.tar", "content")
		elapse(time.Hour)
		compared = sync.OnceFunc(func() {
			if !r.failing.TryLock() {
				t.Error("nothing else can be moved while they are compared")
				return
			}
			defer r.failing.Unlock()
			must(t, r.removeFailed("a.tar"))
		})
		r.place("a.tar", "content")
		elapse(time.Hour)
		if kept := content(t, r.failedPath("a.tar")); string(kept) != "content" || r.failureOf("a.tar").times != 0 {
			t.Errorf("failed_dir has %q, %+v", kept, r.failureOf("a.tar"))
		}
		r.wantFile("a.tar", false)
	})
}

// What would take long at a start ends when the service does; the next start does
// it.
func TestSpoolRestoreEnds(t *testing.T) {
	t.Parallel()
	r := newSpoolRig(t, nil)
	taken := r.path(filepath.Join(takenDir, "a.tar"))
	must(t, os.Mkdir(filepath.Dir(taken), 0o755))
	writeWhole(t, taken, "first")
	writeWhole(t, r.path("a.tar"), "newer")
	writeWhole(t, r.failedPath("a.tar"), "other")
	writeWhole(t, r.failedPath("a.tar.txt"), failure{file: "a.tar", since: time.Now()}.text("a.tar"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.restore(ctx)
	if !lexists(taken) || lexists(r.failedPath("a.2.tar")) || r.logs.count("level=ERROR") > 0 {
		t.Error("it was done, or ended with an error")
	}
	if err := r.giveBack(ctx, "a.tar"); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	r.restore(t.Context())
	if lexists(taken) || string(content(t, r.failedPath("a.2.tar"))) != "first" || string(content(t, r.path("a.tar"))) != "newer" {
		t.Error("it was not done")
	}
}
