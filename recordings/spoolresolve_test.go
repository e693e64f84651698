package recordings

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"scalelite/store"
)

// fails sends a tarball that is to come to failed_dir under this name.
func (r *spoolRig) fails(name, failedAs, tarball string) {
	r.t.Helper()
	r.sendAs(name, tarball)
	r.eventually("it is in failed_dir", func() bool { return r.files()[failedAs].State == store.ImportFailed && lexists(r.failedPath(failedAs)) })
}

// inRealTime gives the Library the clock of the spool.
func inRealTime(o *Options) { o.Now = time.Now }

func brokenVideo(id string) fixture {
	f := video(id)
	f.xml = "<recording>"
	return f
}

// renamed is the presentation of a recording that another name was given.
func renamed(id string) fixture {
	return newer(presentation(id)).replaced("Fred's Room", "Renamed")
}

// FIELD 4: a retry of a tarball brings what is missing, and leaves alone what a
// newer one has brought since. What is left of it is kept until all is in.
func TestSpoolRetryLeavesNewerFormats(t *testing.T) {
	s := newShelf(t, inRealTime)
	r := onShelf(s, newEventRig(t, nil))
	r.start()
	name := idA + ".tar"
	r.fails(name, name, tarball(t, presentation(idA), podcast(idA), brokenVideo(idA)))
	r.sendAs(name, tarball(t, renamed(idA)))
	r.imported(name)
	must(t, os.RemoveAll(s.trees.path(store.Published, "podcast", idA))) // lost since
	for range 2 {
		if _, err := r.Retry(t.Context(), []string{name}); err != nil {
			t.Fatal(err)
		}
		r.eventually("it has failed again", func() bool { return r.files()[name].State == store.ImportFailed && lexists(r.failedPath(name)) })
		s.wantFiles(store.Published, renamed(idA), podcast(idA))
		if got := s.get(idA); got.Name != "Renamed" {
			t.Errorf("its name is %q", got.Name)
		}
	}
	if reason := r.files()[name].Reason; !strings.Contains(reason, "format video") || strings.Contains(reason, "presentation") {
		t.Errorf("the reason is %q", reason)
	}
	r.sendAs(name, tarball(t, video(idA)))
	r.eventually("all is in, and nothing has failed any more", func() bool { return len(r.files()) == 0 })
	s.wantFiles(store.Published, renamed(idA), podcast(idA), video(idA))
	if lexists(r.failedPath(name)) || lexists(r.failedPath(name+".txt")) || r.logs.count("failed tarball removed") != 1 {
		t.Error("it is still in failed_dir, or went without a word")
	}
}

// A failed tarball of which nothing is wanted any more goes, by a retry or, after
// a crash kept it, by the next start.
func TestSpoolFailedTarballIsSuperseded(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"retry", "start"} {
		t.Run(by, func(t *testing.T) {
			s := newShelf(t, inRealTime)
			r := onShelf(s, newEventRig(t, nil))
			r.start()
			name := idA + ".tar"
			r.fails(name, name, tarball(t, presentation(idA), brokenVideo(idA)))
			kept, text := content(t, r.failedPath(name)), content(t, r.failedPath(name+".txt"))
			info, err := os.Stat(r.failedPath(name))
			must(t, err)
			r.sendAs(name, tarball(t, renamed(idA), video(idA)))
			r.eventually("all is in, and nothing has failed any more", func() bool { return len(r.files()) == 0 && !lexists(r.failedPath(name)) })
			r.stop()
			writeWhole(t, r.failedPath(name), string(kept))
			must(t, os.Chtimes(r.failedPath(name), info.ModTime(), info.ModTime()))
			if by == "retry" { // of which it is not known what it holds
				_, rest, _ := strings.Cut(string(text), "formats: ")
				text = []byte(strings.ReplaceAll(string(text), "formats: "+rest[:strings.Index(rest, "\n")+1], ""))
			}
			writeWhole(t, r.failedPath(name+".txt"), string(text))
			r.make()
			r.start()
			if by == "retry" {
				if back, err := r.Retry(t.Context(), nil); err != nil || len(back) != 1 {
					t.Fatalf("retry: %v, %v", back, err)
				}
				r.imported(name)
				last := r.imports()[len(r.imports())-1]
				if want := []string{"presentation/" + idA, "video/" + idA}; last.State != store.ImportImported || !slices.Equal(last.Skipped, want) || len(last.Recordings) > 0 {
					t.Errorf("the outcome is %+v", last)
				}
			}
			r.eventually("it is gone", func() bool {
				return len(r.files()) == 0 && !lexists(r.failedPath(name)) && !lexists(r.failedPath(name+".txt"))
			})
			s.wantFiles(store.Published, renamed(idA), video(idA))
		})
	}
}

// Files of which nobody knows how old they are, or which a wrong clock made young,
// or which are gone, are no reason to give up a failed tarball: it may be the only
// copy of the newer version. A retry brings it.
func TestSpoolKeepsFailedTarballsThatMayBeNewer(t *testing.T) {
	t.Parallel()
	for why, change := range map[string]func(s *shelf){
		"the database was lost": func(s *shelf) {
			must(s.t, s.db.Update(s.t.Context(), func(tx *store.Tx) error { return tx.PurgeRecording(idA) }))
			_, err := s.Rescan(s.t.Context(), false)
			must(s.t, err)
		},
		"the clock was wrong": func(s *shelf) {
			r := s.get(idA)
			for i := range r.Formats {
				r.Formats[i].Seen = time.Now().Add(5 * 365 * 24 * time.Hour)
			}
			must(s.t, s.db.Update(s.t.Context(), func(tx *store.Tx) error { return tx.PutRecording(r) }))
		},
		"a format is gone": func(s *shelf) {
			_, err := s.Import(s.t.Context(), tarball(s.t, renamed(idA), video(idA)), nil)
			must(s.t, err)
			must(s.t, os.RemoveAll(s.trees.path(store.Published, "presentation", idA)))
		},
	} {
		t.Run(why, func(t *testing.T) {
			s := newShelf(t, inRealTime)
			r := onShelf(s, newEventRig(t, nil))
			s.imports(presentation(idA), video(idA))
			r.o.Config.Tries = 1
			r.o.Importer = importerFunc(func(context.Context, string, func(done, total int64)) (Imported, error) {
				held := []ImportedFormat{{Type: "presentation"}, {Type: "video"}}
				return Imported{}, &notTaken{errSpoolBroken, Imported{Recordings: []ImportedRecording{{ID: idA, Formats: held}}}}
			})
			r.start()
			name := idA + ".tar"
			r.fails(name, name, tarball(t, renamed(idA), video(idA)))
			r.stop()
			change(s)
			r.make()
			r.start()
			if _, there := r.files()[name]; !there || !lexists(r.failedPath(name)) {
				t.Fatal("it is not in failed_dir any more")
			}
			if _, err := r.Retry(t.Context(), []string{name}); err != nil {
				t.Fatal(err)
			}
			r.imported(name)
			s.wantFiles(store.Published, renamed(idA), video(idA))
		})
	}
}

// What a tarball on its way to failed_dir keeps from going, as that may take long,
// goes later: nobody waits for it.
func TestSpoolResolvesLater(t *testing.T) {
	s := newShelf(t, inRealTime)
	r := onShelf(s, newEventRig(t, nil))
	r.start()
	name := idA + ".tar"
	r.fails(name, name, tarball(t, presentation(idA), brokenVideo(idA)))
	r.failing.Lock()
	unlock := sync.OnceFunc(r.failing.Unlock)
	defer unlock()
	r.sendAs(name, tarball(t, presentation(idA), video(idA)))
	r.imported(name)
	r.eventually("it has left the spool", func() bool { return !lexists(r.path(name)) })
	if !lexists(r.failedPath(name)) {
		t.Fatal("the failed one went while another was moved")
	}
	unlock()
	r.Look() // as the schedule does
	r.eventually("nothing has failed any more", func() bool { return len(r.files()) == 0 && !lexists(r.failedPath(name)) })
}

// Two that failed, one after the other, end with what the later one has, in
// whichever order they are tried again.
func TestSpoolRetryOfTwoVersions(t *testing.T) {
	t.Parallel()
	name, second := idA+".tar", idA+".2.tar"
	for _, order := range [][]string{{name, second}, {second, name}} {
		t.Run(order[0], func(t *testing.T) {
			s := newShelf(t, inRealTime)
			r := onShelf(s, newEventRig(t, func(o *SpoolOptions) { o.Parallel = 1 }))
			r.o.Config.Tries = 1
			r.o.Importer = importerFunc(func(context.Context, string, func(done, total int64)) (Imported, error) {
				return Imported{}, errSpoolBroken
			})
			r.start()
			r.fails(name, name, tarball(t, presentation(idA)))
			r.fails(name, second, tarball(t, renamed(idA)))
			r.stop()
			r.make()
			r.start()
			for _, one := range order {
				if _, err := r.Retry(t.Context(), []string{one}); err != nil {
					t.Fatal(err)
				}
				r.imported(one)
			}
			s.wantFiles(store.Published, renamed(idA))
		})
	}
}

// A tarball that takes the name of one that is tried again is new.
func TestSpoolRetryIsOfOneTarball(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		r.giveUpOn("a.tar")
		r.importer.let(failingFor("a.tar", ErrNoSpace))
		r.retries()
		retried := func() bool {
			i, err := r.importOf("a.tar")
			must(t, err)
			return i.Retried != nil
		}
		if !retried() {
			t.Fatal("the import does not tell that it is a retry")
		}
		r.stop()
		r.place("a.tar", "newer content")
		r.make()
		r.start()
		elapse(2 * spaceRetry)
		if retried() {
			t.Error("the newer one counts as tried again")
		}
	})
}

// importOf is the import of a tarball of the spool, as it is known here.
func (r *spoolRig) importOf(name string) (store.Import, error) {
	r.mu.Lock()
	id := r.entries[name].ID
	r.mu.Unlock()
	i, err := r.Spool.Import(context.Background(), id)
	return i.Import, err
}
