package recordings

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// diskRig is a spool on the disk of the recordings, which is away at first.
func diskRig(t *testing.T, events bool) (r *spoolRig, place *atomic.Pointer[string]) {
	t.Helper()
	place = &atomic.Pointer[string]{}
	r = newSpoolRig(t, func(o *SpoolOptions) {
		o.NoEvents, o.Config.Rescan = !events, "@every 24h"
		o.Place = func(context.Context) (string, error) {
			if id := place.Load(); id != nil {
				return *id, nil
			}
			return "", ErrNotInPlace
		}
	})
	r.wantNoSpool()
	return r, place
}

func (r *spoolRig) wantNoSpool() {
	r.t.Helper()
	for _, dir := range []string{r.options.Config.SpoolDir, r.options.Config.FailedDir} {
		if lexists(dir) {
			r.t.Errorf("%s is there", dir)
		}
	}
}

// A spool that could not be made at the start is made when the directories of the
// recordings are in place, without anybody's help, and what comes then is taken.
func TestSpoolIsMadeWhenTheDiskIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, place := diskRig(t, false)
		r.start()
		elapse(time.Minute)
		r.wantNoSpool()
		id := "first"
		place.Store(&id)
		elapse(time.Minute)
		if !isDir(r.options.Config.FailedDir) {
			t.Error("failed_dir is not there")
		}
		r.place("a.tar", "a")
		r.lookNow()
		r.wantTaken("a")
		r.stop()
	})
}

// The spool goes with its disk and is made again when others are accepted in its
// place; its events come. One that goes alone is missed: it may be a disk, too.
func TestSpoolIsMadeForAcceptedDirectories(t *testing.T) {
	t.Parallel()
	r, place := diskRig(t, true)
	r.settleTime = 24 * time.Hour
	first, second := "first", "second"
	place.Store(&first)
	if err := r.MakeDirs(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.startWatching()
	away := filepath.Join(t.TempDir(), "away")
	if err := os.Rename(r.Dir(), away); err != nil {
		t.Fatal(err)
	}
	r.eventually("it is missed", func() bool { return r.logs.count("spool could not be read") == 1 })
	if lexists(r.Dir()) {
		t.Error("it was made while the directories are the same")
	}
	place.Store(nil)
	r.Look()
	place.Store(&second)
	r.Look()
	r.eventually("it is made", func() bool { return isDir(r.Dir()) })
	r.watching("second.tar")
}
