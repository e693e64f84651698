package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer/bbb"
	"scalelite/store"
	"scalelite/store/kv/boltkv"
	"scalelite/store/storetest"
)

func update(t *testing.T, s *store.Store, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatalf("update: %v", err)
	}
}

func view(t *testing.T, s *store.Store, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := s.View(t.Context(), fn); err != nil {
		t.Fatalf("view: %v", err)
	}
}

// withServers returns a store with servers of these IDs.
func withServers(t *testing.T, ids ...string) *store.Store {
	t.Helper()
	s := storetest.Open(t)
	update(t, s, func(tx *store.Tx) error {
		for _, id := range ids {
			if err := tx.AddServer(store.Server{ID: id, Secret: "x", State: store.Enabled, LoadMultiplier: 1}); err != nil {
				return err
			}
		}
		return nil
	})
	return s
}

func meeting(tenant, id, server, bridge string) store.Meeting {
	return store.Meeting{MeetingKey: store.MeetingKey{Tenant: tenant, ID: id}, Server: server, VoiceBridge: bridge}
}

func TestServersAreKeptWithAllTheirFields(t *testing.T) {
	f := storetest.OpenFile(t, filepath.Join(t.TempDir(), "a.db"), nil)
	want := store.Server{
		ID: "b1", URL: "https://B1/bigbluebutton/", API: "https://b1/bigbluebutton/api", Secret: "s", Tag: "t",
		LoadMultiplier: 1.25, MaxMeetings: 3, MaxUsers: 4, Standby: true, State: store.Cordoned, Created: time.Unix(1e9, 5).UTC(),
	}
	status := store.Status{
		Online: true, Failures: 1, Successes: 2, Weight: 3.5, Meetings: 4, Users: 5, LargestMeeting: 6, Videos: 7,
		Version: "3.0", VersionAt: time.Unix(1, 0).UTC(), Polled: time.Unix(2, 0).UTC(), Tried: time.Unix(3, 0).UTC(), Duration: time.Second, Error: "e",
	}
	update(t, f.Store, func(tx *store.Tx) error {
		return errors.Join(tx.AddServer(want), tx.PutStatus("b1", status))
	})
	f.Crash(t)
	view(t, f.Store, func(tx *store.Tx) error {
		got, err := tx.Server("b1")
		is, err2 := tx.Status("b1")
		if diff := cmp.Diff(want, got) + cmp.Diff(status, is); diff != "" {
			t.Error(diff)
		}
		return errors.Join(err, err2)
	})
}

func TestServersConflictsAndMissingOnes(t *testing.T) {
	s := withServers(t, "a", "b")
	for name, c := range map[string]struct {
		do   func(tx *store.Tx) error
		want error
	}{
		"add twice":      {func(tx *store.Tx) error { return tx.AddServer(store.Server{ID: "a"}) }, store.ErrConflict},
		"put unknown":    {func(tx *store.Tx) error { return tx.PutServer(store.Server{ID: "x"}) }, store.ErrNotFound},
		"remove unknown": {func(tx *store.Tx) error { return tx.RemoveServer("x") }, store.ErrNotFound},
		"status unknown": {func(tx *store.Tx) error { return tx.PutStatus("x", store.Status{}) }, store.ErrNotFound},
		"end unknown":    {func(tx *store.Tx) error { return tx.PutPendingEnd(store.PendingEnd{Server: "x"}) }, store.ErrNotFound},
		"meeting on unknown": {func(tx *store.Tx) error {
			return tx.PutMeeting(meeting("", "m", "x", ""))
		}, store.ErrNotFound},
	} {
		if err := s.Update(t.Context(), c.do); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	view(t, s, func(tx *store.Tx) error {
		st, err := tx.Status("never polled")
		if diff := cmp.Diff(store.Status{}, st); diff != "" {
			t.Error(diff)
		}
		return err
	})
}

func TestMeetingsAreFoundByKeyServerAndVoiceBridge(t *testing.T) {
	s := withServers(t, "a", "ab", "b")
	all := []store.Meeting{
		meeting("", "m", "a", "1"), meeting("t", "m", "ab", "2"), meeting("t", "m\x00", "a", "3"), meeting("t\x00", "m", "a", ""),
		meeting("", "ünïcode, ' \x01", "b", "4"), meeting("", "z", "a", ""),
	}
	update(t, s, func(tx *store.Tx) error {
		for _, m := range all {
			if err := tx.PutMeeting(m); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx *store.Tx) error {
		for _, want := range all {
			got, err := tx.Meeting(want.MeetingKey)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
			if want.VoiceBridge == "" {
				continue
			}
			if got, err := tx.MeetingByVoiceBridge(want.VoiceBridge); err != nil || got.MeetingKey != want.MeetingKey {
				t.Errorf("by voice bridge: %+v %v", got, err)
			}
		}
		for server, n := range map[string]int{"a": 4, "ab": 1, "b": 1, "": 0, "x": 0} {
			got, err := store.Collect(tx.MeetingsOf(server))
			if err != nil || len(got) != n {
				t.Errorf("%d meetings of server %q, want %d, %v", len(got), server, n, err)
			}
			for _, m := range got {
				if m.Server != server {
					t.Errorf("%+v is listed with server %q", m, server)
				}
			}
		}
		got, err := store.Collect(tx.Meetings())
		if len(got) != len(all) {
			t.Errorf("%d meetings", len(got))
		}
		return err
	})
}

func TestChangedMeetingLeavesNothingBehind(t *testing.T) {
	s := withServers(t, "a", "b")
	k := store.MeetingKey{ID: "m"}
	update(t, s, func(tx *store.Tx) error { return tx.PutMeeting(meeting("", "m", "a", "1")) })
	update(t, s, func(tx *store.Tx) error { return tx.PutMeeting(meeting("", "m", "b", "2")) })
	view(t, s, func(tx *store.Tx) error {
		of, err := store.Collect(tx.MeetingsOf("a"))
		if _, e := tx.MeetingByVoiceBridge("1"); len(of) != 0 || !errors.Is(e, store.ErrNotFound) {
			t.Errorf("the former server lists %v, the former number gives %v", of, e)
		}
		return err
	})
	update(t, s, func(tx *store.Tx) error { return errors.Join(tx.DeleteMeeting(k), tx.DeleteMeeting(k)) })
	view(t, s, func(tx *store.Tx) error {
		_, e1 := tx.Meeting(k)
		_, e2 := tx.MeetingByVoiceBridge("2")
		wantNotFound(t, e1, e2)
		return nil
	})
}

func wantNotFound(t *testing.T, errs ...error) {
	t.Helper()
	for i, err := range errs {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%d: %v, want ErrNotFound", i, err)
		}
	}
}

// A caller may go on after a conflict: nothing was changed.
func TestVoiceBridgeBelongsToOneMeeting(t *testing.T) {
	s := withServers(t, "a")
	update(t, s, func(tx *store.Tx) error {
		if err := errors.Join(tx.PutMeeting(meeting("", "m1", "a", "1")), tx.PutMeeting(meeting("", "m2", "a", "2"))); err != nil {
			return err
		}
		for _, id := range []string{"m2", "m3"} {
			if err := tx.PutMeeting(meeting("", id, "a", "1")); !errors.Is(err, store.ErrConflict) {
				t.Errorf("a second meeting got the number: %v", err)
			}
		}
		return nil
	})
	view(t, s, func(tx *store.Tx) error {
		m, err := tx.MeetingByVoiceBridge("2")
		if m.ID != "m2" {
			t.Errorf("number 2 leads to %+v", m)
		}
		return err
	})
}

func TestKeysThatCannotBeStored(t *testing.T) {
	s := withServers(t, "a")
	for _, k := range []store.MeetingKey{
		{}, {ID: strings.Repeat("x", store.MaxMeetingID+1)}, {ID: "m", Tenant: strings.Repeat("x", store.MaxTenant+1)},
		{ID: "\xff"}, {ID: "m", Tenant: "\xff"},
	} {
		if err := s.Update(t.Context(), func(tx *store.Tx) error {
			return tx.PutMeeting(store.Meeting{MeetingKey: k, Server: "a"})
		}); err == nil {
			t.Errorf("%q was stored", k)
		}
		view(t, s, func(tx *store.Tx) error {
			_, err := tx.Meeting(k)
			wantNotFound(t, err)
			return nil
		})
	}
	longest := store.MeetingKey{ID: strings.Repeat("\x00", store.MaxMeetingID), Tenant: strings.Repeat("\x00", store.MaxTenant)}
	update(t, s, func(tx *store.Tx) error { return tx.PutMeeting(store.Meeting{MeetingKey: longest, Server: "a"}) })
}

func TestRemovedServerTakesEverythingWithIt(t *testing.T) {
	s := withServers(t, "a", "ab")
	update(t, s, func(tx *store.Tx) error {
		var errs []error
		for _, server := range []string{"a", "ab"} {
			errs = append(errs, tx.PutStatus(server, store.Status{Online: true}))
			for i := range 20 {
				m := meeting("", fmt.Sprint(server, i), server, fmt.Sprint(len(server), i))
				errs = append(errs, tx.PutMeeting(m), tx.PutPendingEnd(store.PendingEnd{MeetingKey: m.MeetingKey, Server: server}))
			}
		}
		return errors.Join(errs...)
	})
	update(t, s, func(tx *store.Tx) error { return tx.RemoveServer("a") })
	view(t, s, func(tx *store.Tx) error {
		_, e1 := tx.Server("a")
		_, e2 := tx.MeetingByVoiceBridge("13")
		wantNotFound(t, e1, e2)
		st, err := tx.Status("a")
		if st.Online {
			t.Error("the status is still there")
		}
		for server, want := range map[string]int{"a": 0, "ab": 20} {
			of, e1 := store.Collect(tx.MeetingsOf(server))
			owed, e2 := store.Collect(tx.PendingEnds(server))
			if len(of) != want || len(owed) != want || e1 != nil || e2 != nil {
				t.Errorf("%s has %d meetings and owes %d ends, want %d", server, len(of), len(owed), want)
			}
		}
		return err
	})
	// One of the same ID begins afresh.
	update(t, s, func(tx *store.Tx) error { return tx.AddServer(store.Server{ID: "a"}) })
}

func TestPendingEnds(t *testing.T) {
	s := withServers(t, "a", "b")
	k := store.MeetingKey{Tenant: "t", ID: "m"}
	put := func(moved bool) {
		update(t, s, func(tx *store.Tx) error {
			return tx.PutPendingEnd(store.PendingEnd{MeetingKey: k, Server: "a", Moved: moved, ModeratorPW: "p"})
		})
	}
	for _, c := range []struct{ put, want bool }{{true, true}, {false, false}, {true, false}} {
		put(c.put)
		view(t, s, func(tx *store.Tx) error {
			e, err := tx.PendingEnd("a", k)
			if e.Moved != c.want || e.ModeratorPW != "p" {
				t.Errorf("%+v: an end that was asked for must not be weakened by a move", e)
			}
			_, other := tx.PendingEnd("b", k)
			wantNotFound(t, other)
			return err
		})
	}
	update(t, s, func(tx *store.Tx) error { return tx.DeletePendingEnd("a", k) })
	view(t, s, func(tx *store.Tx) error {
		_, err := tx.PendingEnd("a", k)
		wantNotFound(t, err)
		return nil
	})
}

func TestGeneratedSecret(t *testing.T) {
	s := storetest.Open(t)
	view(t, s, func(tx *store.Tx) error {
		_, err := tx.Secret()
		wantNotFound(t, err)
		return nil
	})
	var secrets [3]bbb.Secret
	for i, get := range []func(*store.Tx) (bbb.Secret, error){(*store.Tx).EnsureSecret, (*store.Tx).EnsureSecret, (*store.Tx).RotateSecret} {
		update(t, s, func(tx *store.Tx) (err error) {
			secrets[i], err = get(tx)
			return err
		})
	}
	if secrets[0] != secrets[1] || secrets[1] == secrets[2] || len(secrets[2].Reveal()) != 40 {
		t.Error("the secret changed, did not change, or has another length than 40")
	}
}

// T64
func TestSecretsOfAnyBytesRoundTrip(t *testing.T) {
	var every []byte
	for i := range 256 {
		every = append(every, byte(i))
	}
	f := storetest.OpenFile(t, filepath.Join(t.TempDir(), "a.db"), nil)
	secrets := []bbb.Secret{bbb.Secret(every), "", ` ,;:"'$\ `, "\xff", "é\u2028<&>"}
	for i, secret := range secrets {
		update(t, f.Store, func(tx *store.Tx) error { return tx.AddServer(store.Server{ID: fmt.Sprint(i), Secret: secret}) })
	}
	f.Reopen(t)
	view(t, f.Store, func(tx *store.Tx) error {
		for i, want := range secrets {
			if got, err := tx.Server(fmt.Sprint(i)); err != nil || got.Secret.Reveal() != want.Reveal() {
				t.Errorf("%q became %q, %v", want.Reveal(), got.Secret.Reveal(), err)
			}
		}
		return nil
	})
}

func TestRefusedUpdateLeavesNothing(t *testing.T) {
	s := withServers(t, "a")
	boom := errors.New("boom")
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		return errors.Join(tx.PutMeeting(meeting("", "m", "a", "1")), boom)
	})
	if !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	view(t, s, func(tx *store.Tx) error {
		_, err := tx.Meeting(store.MeetingKey{ID: "m"})
		wantNotFound(t, err)
		return nil
	})
	if err := s.Healthy(t.Context()); err != nil {
		t.Errorf("a refusal makes the store ill: %v", err)
	}
}

func TestTimeOfATransactionStandsStill(t *testing.T) {
	now := time.Unix(1e9, 0)
	f := storetest.OpenFile(t, filepath.Join(t.TempDir(), "a.db"), func() time.Time {
		now = now.Add(time.Second)
		return now
	})
	update(t, f.Store, func(tx *store.Tx) error {
		if tx.Now.IsZero() || tx.Now != now {
			t.Errorf("Now is %v, want %v", tx.Now, now)
		}
		return nil
	})
}

func TestSnapshotIsACompleteDatabase(t *testing.T) {
	s := withServers(t, "a", "b")
	var copied bytes.Buffer
	if err := s.Snapshot(t.Context(), &copied); err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx *store.Tx) error { return tx.RemoveServer("a") })
	path := filepath.Join(t.TempDir(), "copy.db")
	writeFile(t, path, copied.Bytes())
	if err := boltkv.Verify(context.Background(), path); err != nil {
		t.Error(err)
	}
	f := storetest.OpenFile(t, path, nil)
	view(t, f.Store, func(tx *store.Tx) error {
		servers, err := store.Collect(tx.Servers())
		if len(servers) != 2 {
			t.Errorf("%d servers in the copy", len(servers))
		}
		return err
	})
}
