package admin_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/store"
	"scalelite/web/admin"
)

func TestExamine(t *testing.T) {
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		ctx := t.Context()
		w.imported(nil, recA, recB)
		now := time.Now().UTC().Truncate(time.Second)
		put := func(do func(tx *store.Tx) error) {
			t.Helper()
			if err := w.store.Update(ctx, do); err != nil {
				t.Fatal(err)
			}
		}
		put(func(tx *store.Tx) error {
			for _, i := range []store.Import{
				{ID: "1", File: "a.tar", Server: "bbb1", State: store.ImportImported, Since: now.Add(-3 * time.Hour), Ended: now.Add(-2 * time.Hour)},
				{ID: "2", File: "b.tar", Server: "bbb1", State: store.ImportFailed, Since: now.Add(-time.Hour)},
				{ID: "3", File: "c.tar", Server: "bbb1", State: store.ImportImported, Since: now.Add(-9 * time.Hour)},
				{ID: "4", File: "d.tar", State: store.ImportImported, Since: now},
			} {
				if err := tx.PutImport(i); err != nil {
					return err
				}
			}
			return nil
		})
		put(func(tx *store.Tx) error {
			for _, c := range []store.Callback{
				{ID: "a", URL: "https://u:p@moodle.example.org/x?secret=1", Created: now.Add(-time.Hour), Next: now, Tries: 3, Error: "the front-end answered 500"},
				{ID: "b", URL: "https://other.example.org/", Created: now, Next: now},
				{ID: "c", URL: "https://other.example.org/", Created: now, Tries: 9, Error: "gone"},
			} {
				if err := tx.PutCallback(c); err != nil {
					return err
				}
			}
			return nil
		})
		there, gone := t.TempDir(), filepath.Join(t.TempDir(), "gone")
		e, err := s.Examine(ctx, admin.ExamineQuery{Paths: []string{there, gone}, Sample: 1, Records: []string{recA, recA2, recB}})
		if err != nil {
			t.Fatal(err)
		}
		if p := e.Process; p.PID != os.Getpid() || p.UID != os.Geteuid() || p.MaxFiles == 0 || p.Groups == nil {
			t.Errorf("process %+v", p)
		}
		if e.Schema != store.SchemaVersion() || e.Damage != "" || e.Certificate != nil {
			t.Errorf("schema %d, damage %q, certificate %+v", e.Schema, e.Damage, e.Certificate)
		}
		if d := cmp.Diff(map[string]string{gone: "no such file or directory"}, e.Unusable); d != "" {
			t.Errorf("unusable (-want +got):\n%s", d)
		}
		if d := cmp.Diff(map[string]admin.Upload{"bbb1": {Time: now.Add(-time.Hour), State: store.ImportFailed}}, e.Uploads); d != "" {
			t.Errorf("uploads (-want +got):\n%s", d)
		}
		callbacks := admin.CallbackTrouble{Pending: 2, Retried: 1, Failed: 1, Oldest: now.Add(-time.Hour), ID: "a", Host: "moodle.example.org", Error: "the front-end answered 500"}
		if d := cmp.Diff(callbacks, e.Callbacks); d != "" {
			t.Errorf("callbacks (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]admin.RecordingFiles{{ID: recB, State: store.Published, Formats: []string{"presentation"}}}, e.Sample); d != "" {
			t.Errorf("sample, the newest (-want +got):\n%s", d)
		}
		if !slices.Equal(e.Unknown, []string{recA2}) {
			t.Errorf("unknown %v", e.Unknown)
		}
		e, err = s.Examine(ctx, admin.ExamineQuery{Records: []string{recA2}, Brief: true})
		if err != nil || len(e.Uploads) > 0 || e.Callbacks != (admin.CallbackTrouble{}) || len(e.Unknown) != 1 {
			t.Errorf("in brief: %+v, %v", e, err)
		}
	})
}

func TestExamineIsBounded(t *testing.T) {
	bothShelves(t, func(t *testing.T, _ *shelf, s admin.Service) {
		_, err := s.Examine(t.Context(), admin.ExamineQuery{Sample: admin.MaxExamined + 1})
		wantCode(t, err, admin.Invalid, "1000")
		_, err = s.Examine(t.Context(), admin.ExamineQuery{Records: make([]string, admin.MaxExamined+1)})
		wantCode(t, err, admin.Invalid)
	})
}

// TestExamineTouchesNoDirectory: where no service runs, and the directories of
// the recordings could not be opened, the database still tells.
func TestExamineTouchesNoDirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	local := admin.NewLocal(admin.LocalOptions{
		Pool: w.pool, Store: w.store,
		OpenRecordings: func(context.Context) (admin.Recordings, error) {
			t.Error("the recordings were opened")
			return admin.Recordings{}, nil
		},
		Certificate: func(context.Context) (*admin.CertificateState, error) {
			return &admin.CertificateState{Names: []string{"lb.example.org"}}, nil
		},
		Calls: func() map[string]admin.Call { return map[string]admin.Call{"bbb1": {Ours: true}} },
	})
	e, err := local.Examine(t.Context(), admin.ExamineQuery{Sample: 10})
	if err != nil || e.Certificate == nil || e.Certificate.Names[0] != "lb.example.org" || !e.Calls["bbb1"].Ours || e.Sample == nil || e.Unknown == nil {
		t.Errorf("examination %+v, %v", e, err)
	}
}
