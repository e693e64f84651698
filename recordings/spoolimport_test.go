package recordings

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"scalelite/store"
)

// wantNewest checks the newest import of a recording; no state: there is none.
func (r *spoolRig) wantNewest(what, recording string, state store.ImportState, reason string) ImportProgress {
	r.t.Helper()
	i, err := r.ImportOf(context.Background(), recording)
	if state == "" {
		if !errors.Is(err, store.ErrNotFound) {
			r.t.Errorf("%s: the import of %s is %+v, %v", what, recording, i, err)
		}
		return i
	}
	if err != nil || i.State != state || !strings.Contains(i.Error, reason) {
		r.t.Errorf("%s: the import of %s is %+v, %v; want it %s for %q", what, recording, i, err, state, reason)
	}
	return i
}

// The newest import of a recording is found by its tarball, wherever that is.
func TestSpoolNewestImport(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, func(o *SpoolOptions) { o.Config.Tries = 2 })
		r.importer.do = func(_ context.Context, _ string, try int) (Imported, error) {
			if try > 2 {
				time.Sleep(time.Minute)
				return Imported{}, nil
			}
			return Imported{}, errSpoolBroken
		}
		r.start()
		r.wantNewest("nothing came", "rec", "", "")
		r.place("rec.tar", "first")
		r.lookNow()
		waiting := r.wantNewest("after a try", "rec", store.ImportWaiting, "checksum")
		if waiting.Tries != 1 || waiting.Size != int64(len("first")) {
			t.Errorf("after a try: %+v", waiting)
		}
		r.wantNewest("another recording", "re", "", "")
		elapse(time.Hour)
		failed := r.wantNewest("given up", "rec", store.ImportFailed, "checksum")
		if failed.ID != waiting.ID || failed.Ended.IsZero() {
			t.Errorf("given up: %+v, want %s", failed, waiting.ID)
		}
		elapse(importsKept + time.Hour)
		if err := r.Sweep(context.Background()); err != nil || len(r.imports()) != 0 {
			t.Fatalf("%v, imports are %v", err, r.imports())
		}
		if told := r.wantNewest("forgotten by the store", "rec", store.ImportFailed, "checksum"); told.ID != failed.ID || !told.Ended.Equal(failed.Ended.Truncate(time.Second)) || told.Tries != 2 {
			t.Errorf("forgotten by the store: %+v, want %+v", told, failed)
		}
		r.retries("rec.tar")
		if again := r.wantNewest("retried", "rec", store.ImportImporting, ""); again.ID <= failed.ID || again.Done != again.Size {
			t.Errorf("retried: %+v", again)
		}
		elapse(time.Hour)
		r.wantNewest("imported", "rec", store.ImportImported, "")
	})
}

// A tarball of a name that failed_dir had already gets a number, and is still
// one of that recording.
func TestSpoolNewestImportOfANumberedTarball(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, func(o *SpoolOptions) { o.Config.Tries = 1 })
		r.importer.do = failingFor("rec.2.tgz", errSpoolBroken)
		r.start()
		r.place("rec.tgz", "good")
		r.lookNow()
		first := r.wantNewest("good", "rec", store.ImportImported, "")
		r.place("rec.2.tgz", "broken")
		r.lookNow()
		if second := r.wantNewest("broken", "rec", store.ImportFailed, "checksum"); second.ID <= first.ID {
			t.Errorf("the newest is %s, not one after %s", second.ID, first.ID)
		}
	})
}

// What somebody took out of the spool has no import any more, though the store
// still knows of its tries.
func TestSpoolNewestImportIsGone(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.importer.do = failingFor("rec.tar", errSpoolBroken)
		r.start()
		r.place("rec.tar", "broken")
		r.lookNow()
		r.wantNewest("after a try", "rec", store.ImportWaiting, "checksum")
		if err := os.Remove(r.path("rec.tar")); err != nil {
			t.Fatal(err)
		}
		r.lookNow()
		r.wantNewest("removed", "rec", "", "")
		r.announce("rec.tar")
		r.wantNewest("announced, and not there", "rec", "", "")
		r.place("rec.tar", "newer")
		if i := r.wantNewest("there, and not seen", "rec", store.ImportWaiting, ""); i.Size != int64(len("newer")) {
			t.Errorf("there, and not seen: %+v", i)
		}
	})
}
