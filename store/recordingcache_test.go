package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/store"
	"scalelite/store/storetest"
)

// TestRecordingCache: what it returns is what is in the store, at every moment
// and for more recordings than it remembers.
func TestRecordingCache(t *testing.T) {
	t.Parallel()
	ctx, s := context.Background(), storetest.Open(t)
	var cache store.RecordingCache
	update := func(fn func(*store.Tx) error) {
		t.Helper()
		if err := s.Update(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	compare := func(id string) {
		t.Helper()
		err := s.View(ctx, func(tx *store.Tx) error {
			want, wantErr := tx.Recording(id)
			for range 2 {
				got, err := cache.Recording(tx, id)
				if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, wantErr) {
					return fmt.Errorf("%s: %v, want %v (-want +got):\n%s", id, err, wantErr, diff)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	compare("none")
	r := store.Recording{ID: "a", MeetingID: "room", Name: "first", State: store.Published}
	for _, state := range []store.RecordingState{store.Published, store.Unpublished, store.Deleted, store.Published} {
		r.State, r.Protected = state, !r.Protected
		update(func(tx *store.Tx) error { return tx.PutRecording(r) })
		compare("a")
	}
	update(func(tx *store.Tx) error { return tx.PurgeRecording("a") })
	compare("a")
	update(func(tx *store.Tx) error {
		for i := range 600 {
			if err := tx.PutRecording(store.Recording{ID: fmt.Sprint(i), State: store.Published}); err != nil {
				return err
			}
		}
		return nil
	})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 600 {
				compare(fmt.Sprint(i))
			}
		})
	}
	wg.Wait()
}
