package store_test

import (
	"path/filepath"
	"testing"

	"scalelite/store"
	"scalelite/store/kv"
	"scalelite/store/kv/boltkv"
)

// Check must find what the code never writes.
func TestCheckFindsEveryDifference(t *testing.T) {
	const meetingTable, serverIndex, bridges, ends, servers = "meeting", "meeting.server", "meeting.bridge", "end", "server"
	for name, spoil := range map[string]func(tx kv.Tx) error{
		"meeting without server index": func(tx kv.Tx) error {
			return tx.Delete(kv.NewKey(serverIndex).String("a").String("").String("m1"))
		},
		"server index without meeting": func(tx kv.Tx) error {
			return tx.Put(kv.NewKey(serverIndex).String("a").String("").String("ghost"), nil)
		},
		"server index of another server": func(tx kv.Tx) error {
			return tx.Put(kv.NewKey(serverIndex).String("b").String("").String("m1"), nil)
		},
		"server index that is no key": func(tx kv.Tx) error {
			return tx.Put(append(kv.NewKey(serverIndex), "junk"...), nil)
		},
		"meeting without bridge": func(tx kv.Tx) error { return tx.Delete(kv.NewKey(bridges).String("1")) },
		"bridge without meeting": func(tx kv.Tx) error {
			return tx.Put(kv.NewKey(bridges).String("7"), []byte(`{"id":"ghost"}`))
		},
		"bridge of a meeting that has another": func(tx kv.Tx) error {
			return tx.Put(kv.NewKey(bridges).String("7"), []byte(`{"id":"m1"}`))
		},
		"bridge that leads to another meeting": func(tx kv.Tx) error {
			return tx.Put(kv.NewKey(bridges).String("1"), []byte(`{"id":"m2"}`))
		},
		"meeting of no server": func(tx kv.Tx) error { return tx.Delete(kv.NewKey(servers).String("a")) },
		"end of no server": func(tx kv.Tx) error {
			return tx.Put(kv.NewKey(ends).String("x").String("").String("m"), []byte(`{"id":"m","server":"x"}`))
		},
		"status of no server": func(tx kv.Tx) error { return tx.Put(kv.NewKey("status").String("x"), []byte(`{}`)) },
		"meeting that is no record": func(tx kv.Tx) error {
			return tx.Put(kv.NewKey(meetingTable).String("").String("m3"), []byte(`junk`))
		},
		"meeting under another key": func(tx kv.Tx) error {
			return tx.Put(kv.NewKey(meetingTable).String("").String("m3"), []byte(`{"id":"m2","server":"a","voice_bridge":"2","created":"2026-01-01T00:00:00Z"}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			engine, err := boltkv.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), boltkv.Options{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			defer engine.Close()
			s, err := store.New(t.Context(), engine, store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			update(t, s, func(tx *store.Tx) error {
				for _, id := range []string{"a", "b"} {
					if err := tx.AddServer(store.Server{ID: id}); err != nil {
						return err
					}
				}
				if err := tx.PutMeeting(meeting("", "m1", "a", "1")); err != nil {
					return err
				}
				return tx.PutMeeting(meeting("", "m2", "a", "2"))
			})
			if err := s.Check(t.Context()); err != nil {
				t.Fatalf("before: %v", err)
			}
			if err := engine.Update(t.Context(), spoil); err != nil {
				t.Fatal(err)
			}
			if s.Check(t.Context()) == nil {
				t.Error("nothing was found")
			}
		})
	}
}
