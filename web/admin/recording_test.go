package admin_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/recordings"
	"scalelite/store"
	"scalelite/web/admin"
)

func TestRecordingsAreFiltered(t *testing.T) {
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		ctx := t.Context()
		w.imported(map[string]string{"bbb-origin": "moodle"}, recA)
		w.imported(map[string]string{"bbb-origin": "greenlight", "course": "9b"}, recA2)
		w.imported(map[string]string{"bbb-origin": "moodle", "course": "9b"}, recB)
		if _, err := w.library.SetPublished(ctx, nil, []string{recB}, false); err != nil {
			t.Fatal(err)
		}
		at := time.UnixMilli
		for name, c := range map[string]struct {
			q     admin.RecordingQuery
			total int64
			want  []string
		}{
			"all":           {admin.RecordingQuery{}, 3, []string{recB, recA2, recA}},
			"first":         {admin.RecordingQuery{Limit: 1}, 3, []string{recB}},
			"second":        {admin.RecordingQuery{Limit: 1, Offset: 1}, 3, []string{recA2}},
			"behind":        {admin.RecordingQuery{Offset: 3}, 3, nil},
			"prefix":        {admin.RecordingQuery{IDs: []string{"183f"}}, 2, []string{recA2, recA}},
			"meeting":       {admin.RecordingQuery{Meetings: []string{"room-1700000000000", "x"}}, 1, []string{recA}},
			"state":         {admin.RecordingQuery{States: []string{"unpublished"}}, 1, []string{recB}},
			"any":           {admin.RecordingQuery{States: []string{"any"}}, 3, []string{recB, recA2, recA}},
			"deleted":       {admin.RecordingQuery{States: []string{"deleted"}}, 0, nil},
			"meta":          {admin.RecordingQuery{Meta: map[string][]string{"bbb-origin": {"moodle"}}}, 2, []string{recB, recA}},
			"meta, either":  {admin.RecordingQuery{Meta: map[string][]string{"bbb-origin": {"moodle", "greenlight"}}}, 3, []string{recB, recA2, recA}},
			"meta, both":    {admin.RecordingQuery{Meta: map[string][]string{"bbb-origin": {"moodle"}, "course": {"9b"}}}, 1, []string{recB}},
			"meta, capital": {admin.RecordingQuery{Meta: map[string][]string{"BBB-Origin": {"moodle"}}}, 2, []string{recB, recA}},
			"no tenant":     {admin.RecordingQuery{Tenant: ptr("")}, 3, []string{recB, recA2, recA}},
			"tenant":        {admin.RecordingQuery{Tenant: ptr("school")}, 0, nil},
			"since":         {admin.RecordingQuery{Since: at(1700000050000)}, 2, []string{recB, recA2}},
			"until":         {admin.RecordingQuery{Until: at(1700000050000)}, 1, []string{recA}},
			"between":       {admin.RecordingQuery{Since: at(1700000000001), Until: at(1700000050001)}, 1, []string{recA2}},
			"between, page": {admin.RecordingQuery{Since: at(1), Until: at(1700000100000), Offset: 1, Limit: 5}, 2, []string{recA}},
		} {
			page, err := s.Recordings(ctx, c.q)
			if err != nil || page.Total != c.total || !slices.Equal(c.want, idsOfPage(page)) {
				t.Errorf("%s: %d %v, %v", name, page.Total, idsOfPage(page), err)
			}
		}
		for name, q := range map[string]admin.RecordingQuery{
			`"processed"`: {States: []string{"processed"}}, "negative": {Offset: -1}, "end of a page": {After: "x"},
		} {
			_, err := s.Recordings(ctx, q)
			wantCode(t, err, admin.Invalid, name)
		}
	})
}

// Pages that follow one another have everything once.
func TestRecordingsByPages(t *testing.T) {
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		w.imported(nil, recA, recA2, recB)
		var got []string
		q := admin.RecordingQuery{Limit: 2, Until: time.UnixMilli(1700000100001)}
		for _, total := range []int64{3, 0} { // it is counted once
			page, err := s.Recordings(t.Context(), q)
			if err != nil || page.Total != total {
				t.Fatalf("%+v, %v", page, err)
			}
			got = append(got, idsOfPage(page)...)
			q.After = page.Next
		}
		if !slices.Equal([]string{recB, recA2, recA}, got) || q.After != "" {
			t.Errorf("%v, then %q", got, q.After)
		}
	})
}

func TestRecordingByTheBeginningOfItsID(t *testing.T) {
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		ctx := t.Context()
		w.imported(nil, recA, recA2, recB)
		for id, want := range map[string]string{recA: recA, recB[:8]: recB, recA2[:50]: recA2} {
			if r, err := s.Recording(ctx, id); err != nil || r.ID != want {
				t.Errorf("%s: %s, %v", id, r.ID, err)
			}
		}
		_, err := s.Recording(ctx, recA[:40])
		wantCode(t, err, admin.Conflict, recA, recA2)
		for _, id := range []string{recB[:7], recB + "0", "", "none-of-these"} {
			_, err = s.Recording(ctx, id)
			wantCode(t, err, admin.NotFound, `"`+id+`"`)
		}
		// All of them or none.
		_, err = s.PublishRecordings(ctx, []string{recB, "none-of-these"}, false)
		wantCode(t, err, admin.NotFound, "none-of-these")
		_, err = s.DeleteRecordings(ctx, nil, false)
		wantCode(t, err, admin.Invalid, "give the id")
		if page, err := s.Recordings(ctx, admin.RecordingQuery{States: []string{"published"}}); err != nil || page.Total != 3 {
			t.Errorf("%+v, %v", page, err)
		}
	})
}

// wantResult checks what became of one recording; twice, since the second time
// there is nothing to do.
func wantResult(t *testing.T, what string, do func() ([]admin.RecordingResult, error)) {
	t.Helper()
	for _, changed := range []bool{true, false} {
		got, err := do()
		if d := cmp.Diff([]admin.RecordingResult{{ID: recA, Changed: changed}}, got); d != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", what, err, d)
		}
	}
}

func TestRecordingsAreChanged(t *testing.T) {
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		ctx := t.Context()
		w.imported(nil, recA, recB)
		ids := []string{recA[:8], recA} // twice the same
		wantResult(t, "unpublish", func() ([]admin.RecordingResult, error) { return s.PublishRecordings(ctx, ids, false) })
		wantResult(t, "publish", func() ([]admin.RecordingResult, error) { return s.PublishRecordings(ctx, ids, true) })
		wantResult(t, "protect", func() ([]admin.RecordingResult, error) {
			return s.UpdateRecordings(ctx, ids, recordings.Change{Protect: ptr(true)})
		})
		wantResult(t, "set", func() ([]admin.RecordingResult, error) {
			return s.UpdateRecordings(ctx, ids, recordings.Change{Meta: map[string]string{"Name": "Algebra"}})
		})
		wantResult(t, "remove", func() ([]admin.RecordingResult, error) {
			return s.UpdateRecordings(ctx, ids, recordings.Change{Meta: map[string]string{"name": ""}})
		})
		for _, want := range []int{1, 0} { // recA is protected already
			if n, err := s.ProtectAllRecordings(ctx, true); err != nil || n != want {
				t.Errorf("protect all: %d, %v", n, err)
			}
		}
		_, err := s.UpdateRecordings(ctx, ids, recordings.Change{Meta: map[string]string{"tenant-id": "x"}})
		wantCode(t, err, admin.Invalid, "tenant-id")
		wantResult(t, "delete", func() ([]admin.RecordingResult, error) { return s.DeleteRecordings(ctx, ids, false) })
		_, err = s.UpdateRecordings(ctx, []string{recB, recA}, recordings.Change{Protect: ptr(false)})
		wantCode(t, err, admin.Conflict, recA, "nothing was changed")
		results, err := s.PublishRecordings(ctx, []string{recA, recB}, false)
		if err != nil || len(results) != 2 || !strings.Contains(results[0].Error, "undelete "+recA) || !results[1].Changed {
			t.Errorf("publish of a deleted one: %+v, %v", results, err)
		}
		wantResult(t, "undelete", func() ([]admin.RecordingResult, error) { return s.UndeleteRecordings(ctx, ids) })
		if r, err := s.Recording(ctx, recA); err != nil || r.State != store.Published || !r.Protected {
			t.Errorf("brought back: %+v, %v", r, err)
		}
	})
}

func TestTrash(t *testing.T) {
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		ctx := t.Context()
		w.imported(nil, recA, recB)
		if _, err := s.DeleteRecordings(ctx, []string{recA}, false); err != nil {
			t.Fatal(err)
		}
		if r, err := s.Recording(ctx, recA); err != nil || r.State != store.Deleted || !r.InTrash || r.Name != "Fred's Room" || r.Files != 2 || r.DeletedAt.IsZero() {
			t.Errorf("in the trash: %+v, %v", r, err)
		}
		st, err := s.RecordingsStatus(ctx)
		if err != nil || !st.Enabled || st.Published != 1 || st.Deleted != 1 || st.InTrash != 1 || st.Disk.Published == 0 ||
			st.Disk.Trash == 0 || st.Disk.Used() != st.Disk.Published+st.Disk.Trash || st.Disk.Free == 0 || st.Disk.Total < st.Disk.Free {
			t.Errorf("status: %+v, %v", st, err)
		}
		if got, err := s.DeleteRecordings(ctx, []string{recA}, true); err != nil || !got[0].Changed {
			t.Errorf("purge: %+v, %v", got, err)
		}
		_, err = s.Recording(ctx, recA)
		wantCode(t, err, admin.NotFound)
		w.imported(nil, recA)
	})
}

// A recording whose files cannot be removed is deleted all the same.
func TestDeleteWithoutATrash(t *testing.T) {
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		ctx := t.Context()
		w.imported(nil, recA)
		trash := filepath.Join(w.config.WorkDir, "trash")
		if err := errors.Join(os.RemoveAll(trash), os.WriteFile(trash, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
		got, err := s.DeleteRecordings(ctx, []string{recA}, false)
		if err != nil || !got[0].Changed || !strings.Contains(got[0].Error, "tried again every day") {
			t.Errorf("delete: %+v, %v", got, err)
		}
		if r, err := s.Recording(ctx, recA); err != nil || r.State != store.Deleted {
			t.Errorf("deleted: %+v, %v", r, err)
		}
		got, err = s.DeleteRecordings(ctx, []string{recA}, true)
		if err != nil || got[0].Changed || got[0].Error == "" {
			t.Errorf("purge: %+v, %v", got, err)
		}
		if err := errors.Join(os.Remove(trash), os.Mkdir(trash, 0o755)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.DeleteRecordings(ctx, []string{recA}, true); err != nil || !got[0].Changed || got[0].Error != "" {
			t.Errorf("purge once it can be: %+v, %v", got, err)
		}
	})
}

func TestUndeleteOfWhatIsGone(t *testing.T) {
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		w.imported(nil, recA)
		if _, err := s.DeleteRecordings(t.Context(), []string{recA}, false); err != nil {
			t.Fatal(err)
		}
		got, err := s.UndeleteRecordings(t.Context(), []string{recA})
		if err != nil || !strings.Contains(got[0].Error, "no longer in the trash") {
			t.Errorf("%+v, %v", got, err)
		}
		if r, err := s.Recording(t.Context(), recA); err != nil || r.InTrash || r.Name != "" {
			t.Errorf("%+v, %v", r, err)
		}
	}, func(c *recordings.Config) { c.Trash = "0s" })
}

// T27: the dry run lists exactly what the real run deletes, and what is to be
// kept stays.
func TestPrune(t *testing.T) {
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		ctx := t.Context()
		w.imported(nil, recA, recA2, recB)
		if _, err := s.UpdateRecordings(ctx, []string{recB}, recordings.Change{Meta: map[string]string{"keep": "true"}}); err != nil {
			t.Fatal(err)
		}
		dry, err := s.PruneRecordings(ctx, true)
		if err != nil || len(dry) != 2 || dry[0].Bytes == 0 || dry[0].Name == "" || dry[0].Reason != "retention" {
			t.Fatalf("%+v, %v", dry, err)
		}
		if page, err := s.Recordings(ctx, admin.RecordingQuery{}); err != nil || page.Total != 3 {
			t.Errorf("the dry run deleted something: %+v, %v", page, err)
		}
		if done, err := s.PruneRecordings(ctx, false); err != nil || !cmp.Equal(dry, done) {
			t.Errorf("%v\n%s", err, cmp.Diff(dry, done))
		}
		if page, err := s.Recordings(ctx, admin.RecordingQuery{}); err != nil || !slices.Equal([]string{recB}, idsOfPage(page)) {
			t.Errorf("%v, %v", idsOfPage(page), err)
		}
		if again, err := s.PruneRecordings(ctx, false); err != nil || again == nil || len(again) != 0 {
			t.Errorf("a second time: %+v, %v", again, err)
		}
	}, func(c *recordings.Config) { c.Retention = "365d" })
}

// T15, T29: files without a record are found, and get one.
func TestCheckAndRescan(t *testing.T) {
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		ctx := t.Context()
		w.imported(nil, recA)
		if problems, err := s.CheckRecordings(ctx, recordings.RepairNothing); err != nil || problems == nil || len(problems) != 0 {
			t.Fatalf("%+v, %v", problems, err)
		}
		dir := filepath.Join(w.config.UnpublishedDir, "presentation", recB)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "metadata.xml"), []byte(metadataOf(recB, nil)), 0o644); err != nil {
			t.Fatal(err)
		}
		shapes := filepath.Join(w.config.PublishedDir, "presentation", recA, "shapes.svg")
		if err := os.WriteFile(shapes, []byte("<svg>more</svg>"), 0o644); err != nil {
			t.Fatal(err)
		}
		problems, err := s.CheckRecordings(ctx, recordings.RepairNothing)
		kinds := map[string]string{}
		for _, p := range problems {
			kinds[p.RecordID] = p.Kind
		}
		if d := cmp.Diff(map[string]string{recA: "size", recB: "extra"}, kinds); d != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, d)
		}
		done, err := s.RescanRecordings(ctx, false)
		if err != nil || len(done.Added) != 1 || done.Added[0].ID != recB || done.Added[0].Error != "" || len(done.Accepted) != 0 {
			t.Errorf("%+v, %v", done, err)
		}
		if r, err := s.Recording(ctx, recB); err != nil || r.State != store.Unpublished {
			t.Errorf("%+v, %v", r, err)
		}
		problems, err = s.CheckRecordings(ctx, recordings.RepairSafe)
		if err != nil || len(problems) != 1 || problems[0].RecordID != recA || !problems[0].Fixed {
			t.Errorf("%+v, %v", problems, err)
		}
		if problems, err = s.CheckRecordings(ctx, recordings.RepairNothing); err != nil || len(problems) != 0 {
			t.Errorf("afterwards: %+v, %v", problems, err)
		}
	})
}

// Where recordings are switched off, each call says so and which key it is.
func TestRecordingsSwitchedOff(t *testing.T) {
	both(t, func(t *testing.T, _ *world, s admin.Service) {
		for name, call := range recordingMethods(t, s) {
			if err := call(); name == "status" {
				if err != nil {
					t.Errorf("status: %v", err)
				}
			} else {
				wantCode(t, err, admin.Conflict, "recordings.enabled")
			}
		}
		if st, err := s.RecordingsStatus(t.Context()); err != nil || st.Enabled {
			t.Errorf("%+v, %v", st, err)
		}
	})
}

// What nobody foresaw is an internal error, by the same words on both ways.
func TestRecordingsInABrokenDatabase(t *testing.T) {
	t.Parallel()
	w := newShelf(t, false)
	client := w.overSocket(w.local)
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, s := range []admin.Service{w.local, client} {
		for name, call := range recordingMethods(t, s) {
			if name == "retry" || name == "spool" || name == "rescan" {
				continue // there is no file that the database would be asked about
			}
			err := call()
			if err == nil {
				t.Errorf("%s: no error", name)
				continue
			}
			wantCode(t, err, admin.Internal)
		}
	}
}

// recordingMethods calls each method of the recordings.
func recordingMethods(t *testing.T, s admin.Service) map[string]func() error {
	ctx, ids := t.Context(), []string{recA}
	return map[string]func() error{
		"list":    func() error { _, err := s.Recordings(ctx, admin.RecordingQuery{}); return err },
		"get":     func() error { _, err := s.Recording(ctx, recA); return err },
		"publish": func() error { _, err := s.PublishRecordings(ctx, ids, true); return err },
		"update": func() error {
			_, err := s.UpdateRecordings(ctx, ids, recordings.Change{Protect: ptr(true)})
			return err
		},
		"protect all": func() error { _, err := s.ProtectAllRecordings(ctx, true); return err },
		"delete":      func() error { _, err := s.DeleteRecordings(ctx, ids, false); return err },
		"undelete":    func() error { _, err := s.UndeleteRecordings(ctx, ids); return err },
		"prune":       func() error { _, err := s.PruneRecordings(ctx, false); return err },
		"check":       func() error { _, err := s.CheckRecordings(ctx, recordings.RepairNothing); return err },
		"rescan": func() error {
			_, err := s.RescanRecordings(ctx, false)
			return err
		},
		"status": func() error { _, err := s.RecordingsStatus(ctx); return err },
		"import": func() error { _, err := s.ImportRecording(ctx, "a.tar", 1, strings.NewReader("x")); return err },
		"get import": func() error {
			_, err := s.Import(ctx, "x")
			return err
		},
		"spool":          func() error { _, err := s.SpoolFiles(ctx); return err },
		"retry":          func() error { _, err := s.RetrySpool(ctx, nil); return err },
		"callbacks":      func() error { _, err := s.Callbacks(ctx); return err },
		"retry callback": func() error { _, err := s.RetryCallback(ctx, "x"); return err },
		"drop callback":  func() error { _, err := s.DropCallback(ctx, "x"); return err },
	}
}
