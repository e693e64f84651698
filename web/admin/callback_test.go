package admin_test

import (
	"strings"
	"testing"
	"time"

	"scalelite/store"
	"scalelite/web/admin"
)

// owe adds a callback; a failed one was given up.
func (w *shelf) owe(recordID, url string, failed bool) string {
	w.t.Helper()
	var id string
	err := w.store.Update(w.t.Context(), func(tx *store.Tx) error {
		c := store.Callback{Meeting: store.MeetingKey{ID: "room-1"}, RecordID: recordID, URL: url}
		if err := tx.AddCallback(c); err != nil {
			return err
		}
		for found, err := range tx.Callbacks() {
			if err != nil {
				return err
			}
			if found.RecordID == recordID {
				c = found
			}
		}
		id = c.ID
		if failed {
			c.Next, c.Tries, c.Error, c.Status = time.Time{}, 20, "the front-end answered 500", 500
		}
		return tx.PutCallback(c)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// T25: what could not be delivered is seen, without the secrets of its URL, and
// can be sent again or dropped.
func TestCallbacks(t *testing.T) {
	bothShelves(t, func(t *testing.T, w *shelf, s admin.Service) {
		ctx := t.Context()
		if all, err := s.Callbacks(ctx); err != nil || all == nil || len(all) != 0 {
			t.Errorf("%+v, %v", all, err)
		}
		failed := w.owe(recA, "https://ada:geheim@moodle.example.org/ready.php?token=geheim#geheim", true)
		pending := w.owe(recB, "https://greenlight.example.org/recording_ready", false)
		all, err := s.Callbacks(ctx)
		if err != nil || len(all) != 2 {
			t.Fatalf("%+v, %v", all, err)
		}
		got := all[0]
		if got.ID != failed || !got.Failed || got.URL != "https://moodle.example.org/ready.php" || got.RecordID != recA ||
			got.MeetingID != "room-1" || got.Tries != 20 || got.Status != 500 || got.Error == "" || all[1].Failed {
			t.Errorf("%+v", all)
		}
		if st, err := s.RecordingsStatus(ctx); err != nil || st.Callbacks != (admin.CallbackStatus{Pending: 1, Failed: 1}) {
			t.Errorf("status: %+v, %v", st.Callbacks, err)
		}
		if c, err := s.RetryCallback(ctx, strings.TrimSuffix(failed, "0000")); err != nil || c.ID != failed {
			t.Errorf("retry: %+v, %v", c, err)
		}
		if all, err = s.Callbacks(ctx); err != nil || all[0].Failed || all[0].Next.IsZero() || all[0].GiveUp.IsZero() {
			t.Errorf("after the retry: %+v, %v", all, err)
		}
		if c, err := s.DropCallback(ctx, pending); err != nil || c.ID != pending {
			t.Errorf("drop: %+v, %v", c, err)
		}
		_, err = s.DropCallback(ctx, pending)
		wantCode(t, err, admin.NotFound, pending)
		_, err = s.RetryCallback(ctx, failed[:7])
		wantCode(t, err, admin.NotFound)
	})
}

func TestCallbacksThatBeginAlike(t *testing.T) {
	t.Parallel()
	w := newShelf(t, false)
	one := w.owe(recA, "https://a.example.org", false)
	other := w.owe(recB, "https://a.example.org", false)
	if one[:8] != other[:8] {
		t.Skip("a tick of four seconds passed between them")
	}
	_, err := w.local.DropCallback(t.Context(), one[:8])
	wantCode(t, err, admin.Conflict, "2 callbacks")
}
