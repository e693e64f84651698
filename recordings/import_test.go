package recordings

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"scalelite/recordings/unpack"
	"scalelite/store"
)

func TestImportKeepsWhatTheMetadataSays(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	got := s.imports(presentation(idA), video(idA))
	want := Imported{[]ImportedRecording{{ID: idA, Formats: []ImportedFormat{
		{Type: "presentation", Files: 4, Bytes: got.Recordings[0].Formats[0].Bytes},
		{Type: "video", Files: 3, Bytes: got.Recordings[0].Formats[1].Bytes},
	}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("imported (-want +got):\n%s", diff)
	}
	s.wantFiles(store.Published, presentation(idA), video(idA))

	at := s.clock.now().UTC()
	record := store.Recording{
		ID: idA, MeetingID: "room-1700000000000", InternalMeetingID: idA, Name: "Fred's Room",
		State: store.Published, Start: 1700000000000, End: 1700000000000,
		Participants: 5, RawSize: 5319873, // the greatest of the formats
		Imported: map[string]string{"bbb-origin": "greenlight"},
		Formats: []store.Format{
			{Type: "presentation", URL: "/playback/presentation/2.3/" + idA, LengthMS: 89332, ProcessingMS: 7177, Size: 1893482,
				Images: []store.Image{{Width: 176, Height: 136, Alt: "Welcome to", Path: "/presentation/" + idA + "/presentation/thumb-1.png"}},
				Files:  4, Bytes: got.Recordings[0].Formats[0].Bytes, ImportedAt: at},
			{Type: "video", URL: "/playback/video/" + idA + "/", LengthMS: 89332, Size: 77,
				Files: 3, Bytes: got.Recordings[0].Formats[1].Bytes, ImportedAt: at},
		},
		ImportedAt: at,
	}
	if diff := cmp.Diff(record, s.get(idA)); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

// T14: a format that nobody serves is kept, and the log says why it is not seen.
func TestImportTellsOfUnservedFormats(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := newShelf(t, func(o *Options) {
		o.Config.Formats = []string{"presentation"}
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	s.imports(presentation(idA), video(idA))
	s.wantFiles(store.Published, presentation(idA), video(idA))
	if text := log.String(); strings.Count(text, "not served") != 1 || !strings.Contains(text, "format=video") || !strings.Contains(text, "recordings.formats") {
		t.Errorf("the log says %s", text)
	}
}

func TestImportLeavesTheTarballAndTellsProgress(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	path := tarball(t, presentation(idA))
	var last, total int64
	if _, err := s.Import(t.Context(), path, func(done, all int64) { last, total = done, all }); err != nil {
		t.Fatal(err)
	}
	if bytes := bytesOf(s.get(idA)); last != bytes || total != bytes {
		t.Errorf("progress ended at %d of %d, the recording has %d bytes", last, total, bytes)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the tarball: %v", err)
	}
}

func TestImportTakesGzip(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	path := tarball(t, presentation(idA))
	if out, err := exec.Command("gzip", path).CombinedOutput(); err != nil {
		t.Fatalf("gzip: %v: %s", err, out)
	}
	if _, err := s.Import(t.Context(), path+".gz", nil); err != nil {
		t.Fatal(err)
	}
	s.wantFiles(store.Published, presentation(idA))
}

func TestImportTakesSeveralRecordingsOfATarball(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	got := s.imports(presentation(idA), presentation(idB), video(idA))
	if len(got.Recordings) != 2 || len(got.Recordings[0].Formats) != 2 || len(got.Recordings[1].Formats) != 1 {
		t.Errorf("imported %+v", got)
	}
	s.wantFiles(store.Published, presentation(idA), presentation(idB), video(idA))
}

// T6: a later tarball of a recording adds its formats and replaces those that
// it has again, files and data.
func TestT6ImportMergesFormats(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA).with("gone.txt", "not in the next"))
	first := s.get(idA)
	s.clock.forward(time.Hour)
	again := presentation(idA).replaced("<size>1893482", "<size>5").with("shapes.svg", "<svg>new</svg>")
	s.imports(again, video(idA))
	s.wantFiles(store.Published, again, video(idA))

	r := s.get(idA)
	if f, _ := r.Format("presentation"); len(r.Formats) != 2 || f.Size != 5 || !f.ImportedAt.After(first.ImportedAt) {
		t.Errorf("formats: %+v", r.Formats)
	}
	// The video alone leaves the presentation as it is.
	only := video(idA).with("index.html", "newer")
	s.imports(only)
	s.wantFiles(store.Published, again, only)
}

// T7: one bad format does not keep out the good ones, and is named.
func TestT7ImportTakesTheGoodFormats(t *testing.T) {
	t.Parallel()
	broken := video(idA)
	broken.xml = "<html>no metadata</html>"
	none := fixture{kind: "notes", id: idA, files: map[string]string{"notes.pdf": "x"}}
	s := newShelf(t)
	got, err := s.Import(t.Context(), tarball(t, broken, presentation(idA), none), nil)
	partial, ok := errors.AsType[*PartialError](err)
	if !ok {
		t.Fatalf("error %v, want a PartialError", err)
	}
	for _, text := range []string{"video: metadata.xml", "notes: there is no metadata.xml", idA} {
		if !strings.Contains(err.Error(), text) || !strings.Contains(got.Recordings[0].Error+idA, text) {
			t.Errorf("error %q, recording %q: nothing of %q", err, got.Recordings[0].Error, text)
		}
	}
	if diff := cmp.Diff(got, partial.Imported); diff != "" {
		t.Errorf("the error's Imported differs:\n%s", diff)
	}
	var failed []string
	for _, f := range got.Recordings[0].Formats {
		if f.Error != "" {
			failed = append(failed, f.Type)
		}
	}
	if slices.Sort(failed); !slices.Equal(failed, []string{"notes", "video"}) {
		t.Errorf("failed formats %v", failed)
	}
	s.wantFiles(store.Published, presentation(idA))
	// The broken one comes again, mended.
	s.imports(video(idA), presentation(idA))
	s.wantFiles(store.Published, presentation(idA), video(idA))
}

func TestImportOfNothingGoodIsRefused(t *testing.T) {
	t.Parallel()
	broken := video(idA)
	broken.xml = "no metadata"
	s := newShelf(t)
	got, err := s.Import(t.Context(), tarball(t, broken), nil)
	if _, partial := errors.AsType[*PartialError](err); err == nil || partial || len(got.Recordings) != 0 {
		t.Errorf("imported %+v, error %v", got, err)
	}
	if s.has(idA) {
		t.Error("there is a record")
	}
	s.wantFiles(store.Published)
}

// A tarball that another user keeps to itself says so: whose it is, and what to do.
func TestImportOfATarballThatMayNotBeRead(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	path := tarball(t, presentation(idA))
	must(t, os.Chmod(path, 0o600))
	for dir := filepath.Dir(path); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		must(t, os.Chmod(dir, 0o755))
	}
	runtime.LockOSThread()
	must(t, unix.Setfsuid(65534))
	_, err := openRegular(path)
	must(t, unix.Setfsuid(0))
	runtime.UnlockOSThread()
	for _, text := range []string{path, "permission denied", "user root", "0600", "scalelite recordings setup"} {
		if err == nil || !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, without %q", err, text)
		}
	}
}

// T11: owners and modes in the tarball do not matter.
func TestT11ImportSetsOwnModes(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	path := tarball(t, presentation(idA))
	dir := t.TempDir()
	for _, args := range [][]string{
		{"tar", "-xf", path, "-C", dir},
		{"tar", "-cf", path, "-C", dir, "--mode=000", "--owner=4711", "--group=4712", "presentation"},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
	if _, err := s.Import(t.Context(), path, nil); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(s.trees.published, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		want := fs.FileMode(0o644)
		if d.IsDir() {
			want = 0o755
		}
		if err == nil && info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.wantFiles(store.Published, presentation(idA))
}

// T13: whatever the field writes into metadata.xml, the recording comes in.
func TestT13ImportTakesOddMetadata(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("metadata/testdata/*.xml")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".xml"), func(t *testing.T) {
			t.Parallel()
			doc, err := readFixture(file)
			if err != nil {
				t.Fatal(err)
			}
			kind := doc.Format
			if kind == "" {
				kind = "presentation"
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := newShelf(t)
			odd := fixture{kind, doc.RecordID, string(text), map[string]string{"file": "x"}}
			s.imports(odd)
			r := s.get(doc.RecordID)
			f, ok := r.Format(kind)
			if !ok || !strings.HasPrefix(f.URL, "/") || f.URL == "/" {
				t.Errorf("format %+v", f)
			}
			s.wantFiles(r.State, odd)
			s.reopen()
		})
	}
}

// T20, and the precedence of 7.2: a decision made through the API, then the
// configuration, then the metadata.
func TestT20StateOfAnImport(t *testing.T) {
	t.Parallel()
	hidden := presentation(idA).replaced("<published>true", "<published>false")
	for _, c := range []struct {
		name      string
		hide      bool // import_unpublished
		decide    *bool
		formats   []fixture
		wantState store.RecordingState
	}{
		{"metadata says published", false, nil, []fixture{presentation(idA)}, store.Published},
		{"metadata says unpublished", false, nil, []fixture{hidden}, store.Unpublished},
		{"one format says unpublished", false, nil, []fixture{hidden, video(idA)}, store.Unpublished},
		{"import_unpublished", true, nil, []fixture{presentation(idA)}, store.Unpublished},
		{"somebody hid it", false, new(false), []fixture{presentation(idA), video(idA)}, store.Unpublished},
		{"somebody published it", true, new(true), []fixture{hidden, video(idA)}, store.Published},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t, func(o *Options) { o.Config.ImportUnpublished = c.hide })
			s.imports(c.formats...)
			if c.decide != nil {
				s.publish(idA, *c.decide)
				s.imports(c.formats...)
			}
			if r := s.get(idA); r.State != c.wantState {
				t.Errorf("it is %s, want %s", r.State, c.wantState)
			}
			s.wantFiles(c.wantState, c.formats...)
		})
	}
}

// Without a decision, a later import may move the recording: all formats then.
func TestImportMovesAllFormatsWithTheState(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	hidden := video(idA).replaced("<published>true", "<published>false")
	s.imports(hidden)
	s.wantFiles(store.Unpublished, presentation(idA), hidden)
	if r := s.get(idA); r.State != store.Unpublished || r.StateDecided {
		t.Errorf("state %s, decided %t", r.State, r.StateDecided)
	}
}

// T22: what was set through the API stays when the recording is imported again.
func TestT22ImportKeepsDecisions(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA).meta("colour", "red").meta("size", "big"))
	s.sets(idA, map[string]string{"name": "Mine", "colour": "blue", "size": ""})
	protect := true
	if ok, err := s.Update(t.Context(), nil, []string{idA}, Change{Protect: &protect}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	s.imports(presentation(idA).meta("colour", "green").meta("size", "small").meta("extra", "new"), video(idA))
	r := s.get(idA)
	want := map[string]string{"name": "Mine", "colour": "blue", "extra": "new", "bbb-origin": "greenlight"}
	if diff := cmp.Diff(want, r.Metadata()); diff != "" {
		// The video's metadata says less than the presentation's.
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if !r.Protected {
		t.Error("the protection is gone")
	}
}

// T23: one recording imported by many at once is there once.
func TestT23ImportsOfOneRecordingAtOnce(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	path := tarball(t, presentation(idA), video(idA))
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if _, err := s.Import(t.Context(), path, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s.wantFiles(store.Published, presentation(idA), video(idA))
	if r := s.get(idA); len(r.Formats) != 2 {
		t.Errorf("%d formats", len(r.Formats))
	}
	n, err := countAll(s)
	if err != nil || n != 1 {
		t.Errorf("%d recordings, %v", n, err)
	}
}

func countAll(s *shelf) (n int64, err error) {
	err = s.db.View(context.Background(), func(tx *store.Tx) error {
		n, err = tx.CountRecordings(store.RecordingFilter{States: store.RecordingStates()})
		return err
	})
	return n, err
}

// Different recordings do not wait for each other: both are in the midst of
// their import at the same time.
func TestImportsOfDifferentRecordingsRunAtOnce(t *testing.T) {
	t.Parallel()
	var both sync.WaitGroup
	both.Add(2)
	s := newShelf(t, func(o *Options) {
		o.Step = func(name string) {
			if name == "put the files in place" {
				both.Done()
				both.Wait()
			}
		}
	})
	var wg sync.WaitGroup
	for _, id := range []string{idA, idB} {
		wg.Go(func() {
			if _, err := s.Import(t.Context(), tarball(t, presentation(id)), nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// Files of a record never vanish while it exists: a reader finds the old or the
// new at any moment of an import, and always one of them whole.
func TestFilesStayWhileTheyAreReplaced(t *testing.T) {
	t.Parallel()
	var s *shelf
	looked := map[string]int{}
	s = newShelf(t, func(o *Options) {
		o.Step = func(name string) {
			if s == nil || s.Library == nil || !s.has(idA) {
				return
			}
			f, err := s.OpenFile(s.get(idA), "presentation", "shapes.svg")
			if err != nil {
				t.Errorf("after %q: %v", name, err)
				return
			}
			defer f.Close()
			looked[name]++
		}
	})
	s.imports(presentation(idA))
	s.imports(presentation(idA).with("shapes.svg", "new"))
	if looked["put a format in place"] == 0 || looked["committed"] == 0 {
		t.Errorf("looked %v", looked)
	}
}

// A record appears only when its files are in place.
func TestRecordAppearsAfterItsFiles(t *testing.T) {
	t.Parallel()
	var s *shelf
	s = newShelf(t, func(o *Options) {
		o.Step = func(name string) {
			if name == "put the files in place" {
				if s.has(idA) {
					t.Error("the record is there before it is committed")
				}
				s.wantFiles(store.Published, presentation(idA), video(idA))
			}
		}
	})
	s.imports(presentation(idA), video(idA))
}

func TestImportLeavesACallbackForTheFrontEnd(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	err := s.db.Update(t.Context(), func(tx *store.Tx) error {
		return errors.Join(
			tx.PutReadyURL(store.ReadyURL{MeetingKey: store.MeetingKey{ID: "room-1700000000000"}, URL: "https://lms.example/ready", SignedBy: "print"}),
			tx.PutReadyURL(store.ReadyURL{MeetingKey: store.MeetingKey{Tenant: "t1", ID: "room-1700000100000"}, URL: "https://t1.example/ready"}),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	s.imports(presentation(idA))
	s.clock.forward(time.Second)
	s.imports(presentation(idB).meta("tenant-id", "t1"))
	want := []string{idA + " https://lms.example/ready", idB + " https://t1.example/ready"}
	if diff := cmp.Diff(want, s.callbacks()); diff != "" {
		t.Errorf("callbacks (-want +got):\n%s", diff)
	}
	if r := s.get(idB); r.Tenant != "t1" {
		t.Errorf("tenant %q", r.Tenant)
	}
	// An import fires again; one that fails does not.
	s.clock.forward(time.Second)
	s.imports(presentation(idA))
	if got := s.callbacks(); len(got) != 3 {
		t.Errorf("callbacks %v", got)
	}
}

func TestImportProtectsNewRecordings(t *testing.T) {
	t.Parallel()
	s := newShelf(t, func(o *Options) { o.Config.Protected = true })
	s.imports(presentation(idA))
	if !s.get(idA).Protected {
		t.Error("it is not protected")
	}
	c := s.options.Config
	c.Protected = false
	s.Reconfigure(c)
	s.imports(presentation(idA), presentation(idB))
	if !s.get(idA).Protected || s.get(idB).Protected {
		t.Error("the configuration holds for new recordings only")
	}
}

// A tarball that is cut off anywhere is incomplete, and leaves nothing.
func TestImportOfACutTarball(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	path := tarball(t, presentation(idA))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 100, 512, 2000, len(text) / 2} {
		if err := os.WriteFile(path, text[:size], 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Import(t.Context(), path, nil); !errors.Is(err, ErrIncomplete) {
			t.Errorf("%d of %d bytes: %v, want ErrIncomplete", size, len(text), err)
		} else if n := strings.Count(err.Error(), "incomplete"); n != 1 {
			t.Errorf("%d of %d bytes: said %d times: %v", size, len(text), n, err)
		}
	}
	s.wantFiles(store.Published)
}

// T4: an import waits while there is not enough room beside the reserve.
func TestT4ImportKeepsMinFree(t *testing.T) {
	t.Parallel()
	s := newShelf(t, func(o *Options) { o.Config.MinFree = "100000TB" })
	path := tarball(t, presentation(idA))
	_, err := s.Import(t.Context(), path, nil)
	if !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), "min_free") {
		t.Fatalf("error %v, want ErrNoSpace", err)
	}
	s.wantFiles(store.Published)
	c := s.options.Config
	c.MinFree = "0"
	s.Reconfigure(c)
	if _, err := s.Import(t.Context(), path, nil); err != nil {
		t.Fatal(err)
	}
}

// Running imports do not count on the same room.
func TestImportsReserveTheirRoom(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	f, err := os.Open(tarball(t, presentation(idA)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	plan, room, err := s.plan(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.space.bytes; got != plan.Disk {
		t.Errorf("%d bytes reserved, want %d", got, plan.Disk)
	}
	room.use(plan.Disk / 2)
	room.use(plan.Disk / 4) // late news
	if got := s.space.bytes; got != plan.Disk-plan.Disk/2 {
		t.Errorf("%d bytes reserved after half was written, want %d", got, plan.Disk-plan.Disk/2)
	}
	room.release()
	room.release()
	if s.space.bytes != 0 {
		t.Errorf("%d bytes stay reserved", s.space.bytes)
	}
}

func TestImportEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := newShelf(t, func(o *Options) {
		o.Step = func(name string) {
			if name == "unpacked" {
				cancel()
			}
		}
	})
	if _, err := s.Import(ctx, tarball(t, presentation(idA)), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if s.has(idA) {
		t.Error("there is a record")
	}
	s.wantFiles(store.Published)
}

// What is lying in the way of a new recording, in whichever tree, gives way.
func TestImportOverFilesWithoutARecord(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	for _, state := range treeStates() {
		stray := s.trees.path(state, "presentation", idA)
		if err := os.MkdirAll(stray, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(stray, "stray"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.imports(presentation(idA))
	s.wantFiles(store.Published, presentation(idA))
}

// 7.3: a deleted recording does not come back by accident.
func TestImportOfADeletedRecording(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	s.deletes(idA)
	_, err := s.Import(t.Context(), tarball(t, presentation(idA), video(idA)), nil)
	if !errors.Is(err, ErrDeleted) || !strings.Contains(err.Error(), "undelete") {
		t.Errorf("error %v, want ErrDeleted", err)
	} else if n := strings.Count(err.Error(), ErrDeleted.Error()); n != 1 {
		t.Errorf("said %d times: %v", n, err)
	}
	got, err := s.Import(t.Context(), tarball(t, presentation(idA), presentation(idB)), nil)
	if _, partial := errors.AsType[*PartialError](err); !partial || !errors.Is(err, ErrDeleted) {
		t.Errorf("error %v, want a PartialError that is ErrDeleted", err)
	}
	if len(got.Recordings) != 2 || got.Recordings[0].Error == "" || got.Recordings[1].Error != "" {
		t.Errorf("imported %+v", got)
	}
	s.wantFiles(store.Published, presentation(idB))
	if r := s.get(idA); r.State != store.Deleted {
		t.Errorf("it is %s", r.State)
	}
	// After a purge it is like a new one.
	if _, err := s.Purge(t.Context(), []string{idA}); err != nil {
		t.Fatal(err)
	}
	s.imports(presentation(idA))
	s.wantFiles(store.Published, presentation(idA), presentation(idB))
}

// S15, the part that is not the unpacker's: what the metadata says must be what
// the directories say, and nothing outside of work_dir is touched.
func TestS15ContradictionsRefuseTheTarball(t *testing.T) {
	t.Parallel()
	other := strings.Replace(idA, "183f", "0000", 1)
	for name, bad := range map[string]fixture{
		"an ID that leads elsewhere":  video(idA).replaced("<id>"+idA, "<id>../../x"),
		"an empty ID":                 video(idA).replaced("<id>"+idA, "<id>"),
		"the ID of another recording": video(idA).replaced("<id>"+idA, "<id>"+other),
		"another format":              video(idA).replaced("<format>video", "<format>screenshare"),
		"a directory that is no word": {"video", "a b", video(idA).xml, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			if _, err := s.Import(t.Context(), tarball(t, bad), nil); err == nil {
				t.Error("it was imported")
			}
			s.wantFiles(store.Published)
			if n, err := countAll(s); err != nil || n != 0 {
				t.Errorf("%d records, %v", n, err)
			}
		})
	}
	// A contradiction refuses the good formats as well.
	s := newShelf(t)
	_, err := s.Import(t.Context(), tarball(t, presentation(idA), video(idA).replaced("<id>"+idA, "<id>"+other)), nil)
	if !errors.Is(err, ErrInvalid) || s.has(idA) {
		t.Errorf("error %v", err)
	}
	s.wantFiles(store.Published)
}

// S15: links and the like, packed by GNU tar.
func TestS15HostileTarballs(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]string{
		"symlink":      "ln -s /etc/passwd presentation/" + idA + "/link",
		"hard link":    "ln presentation/" + idA + "/shapes.svg presentation/" + idA + "/hard",
		"pipe":         "mkfifo presentation/" + idA + "/pipe",
		"link as home": "mv presentation/" + idA + " x && ln -s ../x presentation/" + idA,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			path, dir := tarball(t, presentation(idA)), t.TempDir()
			script := "tar -xf " + path + " && " + make + " && tar -cf " + path + " presentation"
			cmd := exec.Command("sh", "-c", script)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			_, err := s.Import(t.Context(), path, nil)
			if _, refused := errors.AsType[*unpack.Refused](err); !refused {
				t.Errorf("error %v, want a refusal", err)
			}
			s.wantFiles(store.Published)
		})
	}
}

func TestImportRefusesWhatIsNoFile(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	if _, err := s.Import(t.Context(), t.TempDir(), nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := s.Import(t.Context(), filepath.Join(t.TempDir(), "none.tar"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
	text := filepath.Join(t.TempDir(), "text.tar")
	if err := os.WriteFile(text, []byte(strings.Repeat("no tarball ", 1000)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Import(t.Context(), text, nil); !errors.Is(err, unpack.ErrCorrupt) {
		t.Errorf("text: %v", err)
	}
}

// Where names cannot be exchanged, a format is replaced in two steps.
func TestImportWithoutExchange(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.exchange = func(string, string) error { return errors.ErrUnsupported }
	s.imports(presentation(idA).with("gone", "x"))
	s.imports(presentation(idA), video(idA))
	s.wantFiles(store.Published, presentation(idA), video(idA))
}

// When a step of an import fails, everything is as it was before.
func TestImportPutsBackWhatItReplaced(t *testing.T) {
	t.Parallel()
	for name, exchange := range map[string]func(a, b string) error{
		"exchange":    exchangeNames,
		"two renames": func(string, string) error { return errors.ErrUnsupported },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			s.exchange = exchange
			s.imports(presentation(idA), video(idA))
			before := s.get(idA)
			// The third format cannot be put in place: a file is where its
			// directory belongs.
			blocked := filepath.Join(s.trees.published, "zebra")
			if err := os.WriteFile(blocked, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			zebra := fixture{"zebra", idA, strings.ReplaceAll(video(idA).xml, "video", "zebra"), map[string]string{"z": "z"}}
			_, err := s.Import(t.Context(), tarball(t, presentation(idA).with("shapes.svg", "new"), video(idA).with("x", "new"), zebra), nil)
			if err == nil {
				t.Fatal("it was imported")
			}
			if err := os.Remove(blocked); err != nil {
				t.Fatal(err)
			}
			s.wantFiles(store.Published, presentation(idA), video(idA))
			if diff := cmp.Diff(before, s.get(idA)); diff != "" {
				t.Errorf("the record changed:\n%s", diff)
			}
		})
	}
}

// Two imports at the same time by the clock are told apart: what the second one
// put in place is undone if it ends before its commit.
func TestImportIsUndoneThoughTheClockStandsStill(t *testing.T) {
	t.Parallel()
	var stop atomic.Bool
	s := newShelf(t, func(o *Options) {
		o.Step = func(name string) {
			if stop.Load() && name == "put the files in place" {
				runtime.Goexit() // as near to a crash as one process comes
			}
		}
	})
	s.imports(presentation(idA), video(idA))
	before := s.get(idA)
	stop.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = s.Import(t.Context(), tarball(t, newer(presentation(idA)), newer(video(idA))), nil) })
	wg.Wait()
	s.wantFiles(store.Published, newer(presentation(idA)), newer(video(idA)))
	stop.Store(false)
	s.reopen()
	s.wantFiles(store.Published, presentation(idA), video(idA))
	if diff := cmp.Diff(before, s.get(idA)); diff != "" {
		t.Errorf("the record changed:\n%s", diff)
	}
}
