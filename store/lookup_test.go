package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"scalelite/store"
	"scalelite/store/storetest"
)

// TestLookupIsNeverOlderThanTheLastUpdate: readers ask without a pause while a
// meeting is put and deleted; whoever asks after an Update was answered sees it.
func TestLookupIsNeverOlderThanTheLastUpdate(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	ctx := t.Context()
	if err := s.Update(ctx, func(tx *store.Tx) error {
		return tx.AddServer(store.Server{ID: "s1", URL: "u", API: "u", Secret: "s", LoadMultiplier: 1, State: store.Enabled})
	}); err != nil {
		t.Fatal(err)
	}
	k := store.MeetingKey{ID: "a-class"}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = s.LookupMeeting(ctx, k)
				}
			}
		})
	}
	for n := range 300 {
		want := fmt.Sprint("password-", n)
		if err := s.Update(ctx, func(tx *store.Tx) error {
			return tx.PutMeeting(store.Meeting{MeetingKey: k, Server: "s1", ModeratorPW: want})
		}); err != nil {
			t.Fatal(err)
		}
		if m, err := s.LookupMeeting(ctx, k); err != nil || m.ModeratorPW != want {
			t.Fatalf("round %d: %q %v, want %q", n, m.ModeratorPW, err, want)
		}
		if err := s.Update(ctx, func(tx *store.Tx) error { return tx.DeleteMeeting(k) }); err != nil {
			t.Fatal(err)
		}
		if _, err := s.LookupMeeting(ctx, k); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("round %d: %v, want not found", n, err)
		}
	}
	close(stop)
	readers.Wait()
}

// A failed Update leaves what is remembered true.
func TestLookupAfterAFailedUpdate(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	k := store.MeetingKey{ID: "a-class"}
	failed := errors.New("no")
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		return errors.Join(
			tx.AddServer(store.Server{ID: "s1", URL: "u", API: "u", Secret: "s", LoadMultiplier: 1, State: store.Enabled}),
			tx.PutMeeting(store.Meeting{MeetingKey: k, Server: "s1"}), failed)
	})
	if !errors.Is(err, failed) {
		t.Fatal(err)
	}
	if _, err := s.LookupMeeting(t.Context(), k); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%v, want not found", err)
	}
}
