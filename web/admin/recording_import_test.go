package admin_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/recordings"
	"scalelite/store"
	"scalelite/web/admin"
)

func TestImportRecording(t *testing.T) {
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		ctx := t.Context()
		i := w.send(s, "two.tar", tarball(t, map[string]string{"bbb-origin": "greenlight"}, recA, recB))
		if i.State != store.ImportImported || !cmp.Equal([]string{recA, recB}, i.Recordings) {
			t.Fatalf("import: %+v", i)
		}
		w.untilEmpty()
		got, err := s.Recording(ctx, recA)
		if err != nil {
			t.Fatal(err)
		}
		if got.ImportedAt.IsZero() || got.Formats[0].ImportedAt.IsZero() {
			t.Error("it does not tell when it was imported")
		}
		size := int64(len("<svg/>") + len(metadataOf(recA, map[string]string{"bbb-origin": "greenlight"})))
		got.ImportedAt, got.Formats[0].ImportedAt = time.Time{}, time.Time{}
		start := time.UnixMilli(1700000000000).UTC()
		want := admin.RecordingInfo{
			ID: recA, MeetingID: "room-1700000000000", InternalMeetingID: got.InternalMeetingID, Name: "Fred's Room", State: store.Published,
			Start: start, End: start, Participants: 3, Metadata: got.Metadata, Files: 2, Bytes: size,
			Formats: []admin.RecordingFormat{{Type: "presentation", URL: "/playback/presentation/2.3/" + recA, LengthMS: 89332, Files: 2, Bytes: size}},
		}
		if d := cmp.Diff(want, got); d != "" || got.Metadata["bbb-origin"] != "greenlight" {
			t.Errorf("metadata %v (-want +got):\n%s", got.Metadata, d)
		}
		_, err = s.Import(ctx, "nothing")
		wantCode(t, err, admin.NotFound, `"nothing"`)
	})
}

func TestImportRefuses(t *testing.T) {
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		good := tarball(t, nil, recA)
		for _, c := range []struct {
			name  string
			size  int64
			tells string
		}{
			{"rec.zip", int64(len(good)), "must end in .tar"},
			{"", int64(len(good)), "must end in .tar"},
			{".tar", int64(len(good)), "must end in .tar"},
			{".hidden.tar", int64(len(good)), "dot"},
			{"../up.tar", int64(len(good)), "cannot be the name"},
			{"a\nb.tar", int64(len(good)), "cannot be the name"},
			{strings.Repeat("x", 300) + ".tar", int64(len(good)), "cannot be the name"},
		} {
			_, err := s.ImportRecording(t.Context(), c.name, c.size, bytes.NewReader(good))
			wantCode(t, err, admin.Invalid, c.tells)
		}
		_, err := s.ImportRecording(t.Context(), "huge.tar", 1<<60, bytes.NewReader(good))
		wantCode(t, err, admin.Conflict, "make room")
		if left := w.spooled(); len(left) != 0 {
			t.Errorf("left in the spool: %v", left)
		}
	})
}

// What is brought by hand counts on the same space as uploads: that beside
// recordings.min_free and what others are bringing.
func TestImportKeepsMinFree(t *testing.T) {
	content := tarball(t, nil, recA)
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		_, err := s.ImportRecording(t.Context(), "rec.tar", int64(len(content)), bytes.NewReader(content))
		wantCode(t, err, admin.Conflict, fmt.Sprintf("the tarball has %d beside the 1000000000000000000 of recordings.min_free: make room, or lower recordings.min_free", len(content)))
	}, func(c *recordings.Config) { c.MinFree = "1000000TB" })
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		var st syscall.Statfs_t
		if err := syscall.Statfs(w.config.SpoolDir, &st); err != nil {
			t.Fatal(err)
		}
		most := int64(st.Bavail) * st.Bsize / 3 * 2
		begun, more := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			_, err := s.ImportRecording(t.Context(), "first.tar", most, begun)
			ended <- err
		}()
		if _, err := more.Write(content); err != nil { // it has begun
			t.Fatal(err)
		}
		w.until("it is being written", func() bool { return len(w.spooled()) == 1 })
		_, err := s.ImportRecording(t.Context(), "second.tar", most, bytes.NewReader(content))
		wantCode(t, err, admin.Conflict, "of others that are coming")
		_ = more.CloseWithError(errors.New("the sender went away"))
		if err := <-ended; err == nil {
			t.Error("the first one was taken")
		}
		w.untilEmpty()
		if id, err := s.ImportRecording(t.Context(), "third.tar", int64(len(content)), bytes.NewReader(content)); err != nil || w.ended(s, id).State != store.ImportImported {
			t.Errorf("the third: %v", err)
		}
	})
}

// A tarball that shrinks, breaks off, or whose sender goes away leaves nothing.
func TestImportThatIsCut(t *testing.T) {
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		good := tarball(t, nil, recA)
		broken := io.MultiReader(bytes.NewReader(good[:700]), failingReader{errors.New("disk broke")})
		for name, r := range map[string]io.Reader{"short": bytes.NewReader(good[:700]), "broken": broken} {
			if id, err := s.ImportRecording(t.Context(), "rec.tar", int64(len(good)), r); err == nil {
				t.Errorf("%s: import %q", name, id)
			}
		}
		w.untilEmpty()
		page, err := s.Recordings(t.Context(), admin.RecordingQuery{})
		if err != nil || page.Total != 0 {
			t.Errorf("%+v, %v", page, err)
		}
	})
}

// untilEmpty waits until nothing is in the spool: over the socket the other side
// learns of a cut only when it happens.
func (w *shelf) untilEmpty() {
	w.t.Helper()
	w.until("the spool is empty", func() bool { return len(w.spooled()) == 0 })
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

// A tarball never replaces another one that waits under its name.
func TestImportKeepsAnotherOfTheSameName(t *testing.T) {
	t.Parallel()
	w := newShelf(t, false)
	first, second := tarball(t, nil, recA), tarball(t, nil, recB)
	for _, content := range [][]byte{first, second, first} {
		if _, err := w.local.ImportRecording(t.Context(), "rec.tar.gz", int64(len(content)), bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]string{"rec.2.tar.gz", "rec.3.tar.gz", "rec.tar.gz"}, w.spooled()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got, err := os.ReadFile(filepath.Join(w.config.SpoolDir, "rec.tar.gz")); err != nil || !bytes.Equal(first, got) {
		t.Errorf("the first one changed: %v", err)
	}
}

// What a killed daemon left of a transfer goes with a later one.
func TestImportSweepsWhatWasLeftBehind(t *testing.T) {
	t.Parallel()
	w := newShelf(t, false)
	old, fresh := filepath.Join(w.config.SpoolDir, ".import-OLD"), filepath.Join(w.config.SpoolDir, ".import-FRESH")
	for _, path := range []string{old, fresh} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	content := tarball(t, nil, recA)
	if _, err := w.local.ImportRecording(t.Context(), "rec.tar", int64(len(content)), bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{".import-FRESH", "rec.tar"}, w.spooled()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// T1: a broken tarball is shown with its reason and counted as failed; a good
// one beside it is imported. It can be tried again, and nothing is tried twice.
func TestSpoolShowsWhatFailed(t *testing.T) {
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		ctx := t.Context()
		if i := w.send(s, "broken.tar", []byte(strings.Repeat("no tar at all ", 100))); i.State != store.ImportFailed || i.Error == "" {
			t.Fatalf("broken: %+v", i)
		}
		if i := w.send(s, "good.tar", tarball(t, nil, recA)); i.State != store.ImportImported {
			t.Fatalf("good: %+v", i)
		}
		w.spoolHas(s, 0, store.ImportImporting) // the good one goes after its import has ended
		files, err := s.SpoolFiles(ctx)
		if err != nil || len(files) != 1 || files[0].Name != "broken.tar" || files[0].State != store.ImportFailed || files[0].Reason == "" || files[0].Tries != 1 {
			t.Fatalf("spool: %+v, %v", files, err)
		}
		if st, err := s.RecordingsStatus(ctx); err != nil || st.Spool != (admin.SpoolStatus{Failed: 1}) {
			t.Errorf("status: %+v, %v", st.Spool, err)
		}
		_, err = s.RetrySpool(ctx, []string{"broken.tar", "other.tar"})
		wantCode(t, err, admin.NotFound, "other.tar", "nothing was tried")
		if moved, err := s.RetrySpool(ctx, nil); err != nil || !cmp.Equal([]string{"broken.tar"}, moved) {
			t.Errorf("retry: %v, %v", moved, err)
		}
		w.spoolHas(s, 1, store.ImportFailed) // once more
		_, err = s.DropSpool(ctx, []string{"broken.tar", "other.tar"})
		wantCode(t, err, admin.NotFound, "other.tar", "nothing was removed")
		// One of its name that waits is not overwritten by the failed one.
		if err := os.WriteFile(filepath.Join(w.config.SpoolDir, "broken.tar"), []byte("still coming"), 0o600); err != nil {
			t.Fatal(err)
		}
		w.spool.Look()
		w.spoolHas(s, 1, store.ImportSettling)
		_, err = s.RetrySpool(ctx, []string{"broken.tar"})
		wantCode(t, err, admin.Conflict, "broken.tar", "another tarball has its name")
		if gone, err := s.DropSpool(ctx, []string{"broken.tar"}); err != nil || !cmp.Equal([]string{"broken.tar"}, gone) {
			t.Errorf("drop: %v, %v", gone, err)
		}
		w.spoolHas(s, 0, store.ImportFailed)
	})
}

func TestRetryOfNothing(t *testing.T) {
	t.Parallel()
	w := newShelf(t, false)
	if err := os.WriteFile(filepath.Join(w.config.SpoolDir, "waits.tar"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, names := range map[string][]string{"all": nil, "one that waits": {"waits.tar"}} {
		if moved, err := w.local.RetrySpool(t.Context(), names); err != nil || len(moved) != 0 {
			t.Errorf("%s: %v, %v", name, moved, err)
		}
	}
}

// Without a daemon the spool is looked through all the same.
func TestSpoolWithoutDaemon(t *testing.T) {
	t.Parallel()
	w := newShelf(t, false)
	for _, name := range []string{"rec.tar", ".rec.tar.Xy12Zq", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(w.config.SpoolDir, name), []byte("four"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := w.local.SpoolFiles(t.Context())
	if err != nil || len(files) != 2 {
		t.Fatalf("%+v, %v", files, err)
	}
	slices.SortFunc(files, func(a, b recordings.SpoolFile) int { return strings.Compare(b.Name, a.Name) })
	if f := files[0]; f.Name != "rec.tar" || f.Size != 4 || f.State != store.ImportWaiting || !strings.Contains(f.Reason, "does not run") {
		t.Errorf("%+v", f)
	}
	if f := files[1]; f.Name != "notes.txt" || f.Size != 4 || f.State != store.ImportIgnored || !strings.Contains(f.Reason, "does not end in .tar") {
		t.Errorf("%+v", f)
	}
	if st, err := w.local.RecordingsStatus(t.Context()); err != nil || st.Spool != (admin.SpoolStatus{Waiting: 1, Ignored: 1}) {
		t.Errorf("%+v, %v", st.Spool, err)
	}
	_, err = w.local.RetrySpool(t.Context(), []string{"notes.txt"})
	wantCode(t, err, admin.NotFound, "no failed tarball")
}

// A command imports by itself where no daemon runs, and leaves the file.
func TestImportFile(t *testing.T) {
	t.Parallel()
	w := newShelf(t, false)
	path := filepath.Join(t.TempDir(), "some.tar")
	content := tarball(t, nil, recA, recB)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	var last, of int64
	got, err := w.local.ImportFile(t.Context(), path, func(done, total int64) { last, of = done, total })
	if err != nil || len(got.Recordings) != 2 || got.Recordings[0].ID != recA || last == 0 || last != of {
		t.Errorf("%+v, %v; %d of %d bytes", got, err, last, of)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the tarball is gone: %v", err)
	}
	if err := os.WriteFile(path, content[:len(content)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = w.local.ImportFile(t.Context(), path, nil)
	wantCode(t, err, admin.Invalid, "incomplete")
}

// T7: what is in of a tarball is told, beside the error about the rest.
func TestImportFilePartly(t *testing.T) {
	t.Parallel()
	w := newShelf(t, false)
	content := tarball(t, nil, recA)
	broken := bytes.Replace(tarball(t, nil, recB), []byte("<recording>"), []byte("recording>>"), 1)
	path := filepath.Join(t.TempDir(), "some.tar")
	// The end of an archive is two blocks of zeros.
	if err := os.WriteFile(path, append(bytes.TrimRight(content, "\x00"), pad(content, broken)...), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := w.local.ImportFile(t.Context(), path, nil)
	if err == nil || !strings.Contains(err.Error(), recB) {
		t.Fatalf("got %v", err)
	}
	if len(got.Recordings) != 2 || got.Recordings[0].Error != "" || got.Recordings[1].Error == "" {
		t.Errorf("%+v", got)
	}
}

// pad is what follows the content of the first archive, without its end, so that
// the second one goes on at a block.
func pad(first, second []byte) []byte {
	n := len(bytes.TrimRight(first, "\x00"))
	return append(make([]byte, (512-n%512)%512), second...)
}

// Only a lack of space holds a tarball back without counting as a try.
// While the spool cannot be reached the rest is told.
func TestStatusWithoutASpool(t *testing.T) {
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		w.imported(nil, recA)
		if err := os.Rename(w.config.SpoolDir, w.config.SpoolDir+"-elsewhere"); err != nil {
			t.Fatal(err)
		}
		st, err := s.RecordingsStatus(t.Context())
		if err != nil || st.Published != 1 || st.Disk.Published == 0 || !strings.Contains(st.Spool.Error, w.config.SpoolDir) {
			t.Errorf("%+v, %v", st, err)
		}
		if strings.Contains(st.Spool.Error, "\n") || !strings.Contains(st.Spool.Error, "; the spool "+w.config.SpoolDir+" is not writable") {
			t.Errorf("in the table: %q", st.Spool.Error)
		}
	})
}

// Directories that are accepted, with the spool on the disk that is away: they are
// told, and the next tarball comes in.
func TestRescanAcceptsDirectories(t *testing.T) {
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		w.imported(nil, recA)
		for _, dir := range []string{w.config.WorkDir, w.config.PublishedDir, w.config.UnpublishedDir, w.config.SpoolDir, w.config.FailedDir} {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
		_, err := s.RescanRecordings(t.Context(), false)
		wantCode(t, err, admin.Conflict, "1 recording has its files there")
		done, err := s.RescanRecordings(t.Context(), true)
		if err != nil || len(done.Accepted) != 3 || done.Accepted[1].Path != w.config.PublishedDir || done.Added == nil {
			t.Fatalf("%+v, %v", done, err)
		}
		if files, err := s.SpoolFiles(t.Context()); err != nil || len(files) != 0 {
			t.Errorf("spool: %+v, %v", files, err)
		}
		content := tarball(t, nil, recB)
		id, err := s.ImportRecording(t.Context(), "rec.tar", int64(len(content)), bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		w.until("it is imported", func() bool {
			i, err := s.Import(t.Context(), id)
			return err == nil && i.State == store.ImportImported
		})
	})
}

// A disk that is not mounted: what is taken by hand would be lost below it.
func TestStatusTellsOfADiskThatIsNotThere(t *testing.T) {
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		w.imported(nil, recA)
		away := w.config.PublishedDir + "-away"
		if err := errors.Join(os.Rename(w.config.PublishedDir, away), os.Mkdir(w.config.PublishedDir, 0o755)); err != nil {
			t.Fatal(err)
		}
		content := tarball(t, nil, recB)
		_, err := s.ImportRecording(t.Context(), "rec.tar", int64(len(content)), bytes.NewReader(content))
		wantCode(t, err, admin.Conflict, w.config.PublishedDir)
		if len(w.spooled()) != 0 {
			t.Errorf("in the spool: %q", w.spooled())
		}
		path := filepath.Join(w.config.SpoolDir, "rec.tar")
		if err := errors.Join(os.WriteFile(path+".new", content, 0o600), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
		w.until("the tarball is held back", func() bool {
			st, err := s.RecordingsStatus(t.Context())
			if err != nil || st.Published != 1 || st.Disk.Error == "" || !strings.Contains(st.Spool.Error, "rescan --accept-directories") {
				t.Fatalf("%+v, %v", st, err)
			}
			return st.Spool.Waiting == 1 && st.Spool.Unplaced == 1
		})
		trees := w.config.Directories()
		e, err := s.Examine(t.Context(), admin.ExamineQuery{Trees: &trees, Brief: true})
		if err != nil || !strings.Contains(e.NotInPlace, w.config.PublishedDir) {
			t.Errorf("%+v, %v", e, err)
		}
		done, err := s.RescanRecordings(t.Context(), false)
		wantCode(t, err, admin.Conflict, w.config.PublishedDir, "1 recording has its files there", "rescan --accept-directories")
		if len(done.Accepted)+len(done.Added) > 0 {
			t.Errorf("%+v", done)
		}
		results, err := s.PublishRecordings(t.Context(), []string{recA}, false)
		if err != nil || len(results) != 1 || results[0].Changed || !strings.Contains(results[0].Error, "recordings rescan") {
			t.Errorf("unpublish: %+v, %v", results, err)
		}
		// The spool is on the same disk: one thing is wrong, and it is said once.
		if err := os.Rename(w.config.SpoolDir, w.config.SpoolDir+"-away"); err != nil {
			t.Fatal(err)
		}
		if st, err := s.RecordingsStatus(t.Context()); err != nil || strings.Count(st.Spool.Error, recordings.ErrNotInPlace.Error()) != 1 || strings.Contains(st.Spool.Error, "no such file") || strings.Contains(st.Spool.Error, "\n") {
			t.Errorf("%q, %v", st.Spool.Error, err)
		}
		if err := os.Rename(w.config.SpoolDir+"-away", w.config.SpoolDir); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Remove(w.config.PublishedDir), os.Rename(away, w.config.PublishedDir)); err != nil {
			t.Fatal(err)
		}
		if st, err := s.RecordingsStatus(t.Context()); err != nil || st.Disk.Error != "" || st.Spool.Error != "" {
			t.Errorf("%+v, %v", st, err)
		}
		if e, err := s.Examine(t.Context(), admin.ExamineQuery{Trees: &trees, Brief: true}); err != nil || e.NotInPlace != "" {
			t.Errorf("%+v, %v", e, err)
		}
	})
}

func TestStatusTellsWhatIsHeldBack(t *testing.T) {
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		path := filepath.Join(w.config.SpoolDir, "rec.tar")
		if err := errors.Join(os.WriteFile(path+".new", tarball(t, nil, recA), 0o600), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
		w.until("the tarball is held back", func() bool {
			st, err := s.RecordingsStatus(t.Context())
			if err != nil || st.Spool.Failed > 0 || st.Published > 0 {
				t.Fatalf("%+v, %v", st, err)
			}
			return st.Spool == admin.SpoolStatus{Waiting: 1, Held: 1}
		})
	}, func(c *recordings.Config) { c.MinFree = "1000000TB" })
}
