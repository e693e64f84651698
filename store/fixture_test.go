package store_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/store"
	"scalelite/store/kv/boltkv"
	"scalelite/store/storetest"
)

var write = flag.Bool("write-fixture", false, "write the database of the present schema to testdata; never over a released one")

var (
	fixtureServer = store.Server{
		ID: "bbb1", URL: "https://bbb1.example/bigbluebutton/", API: "https://bbb1.example/bigbluebutton/api", Secret: "s\xff, ;",
		Tag: "red", LoadMultiplier: 1.5, MaxMeetings: 5, MaxUsers: 100, Standby: true, State: store.Cordoned, Created: time.Unix(1700000000, 0).UTC(),
	}
	fixtureStatus  = store.Status{Online: true, Successes: 3, Weight: 12.5, Meetings: 1, Users: 9, Version: "3.0.19", Polled: time.Unix(1700000100, 0).UTC()}
	fixtureMeeting = store.Meeting{
		MeetingKey: store.MeetingKey{Tenant: "t", ID: "lesson é"}, Server: "bbb1", ModeratorPW: "mmm", VoiceBridge: "712345678",
		Created: time.Unix(1700000050, 0).UTC(), SignedBy: "0123456789abcdef", Adopted: true,
	}
	fixtureEnd = store.PendingEnd{MeetingKey: store.MeetingKey{ID: "gone"}, Server: "bbb1", ModeratorPW: "p", Since: time.Unix(1700000060, 0).UTC(), Moved: true}
)

// T59: a database that was written once can be read for ever.
func TestDatabaseOfSchemaOne(t *testing.T) {
	const fixture = "testdata/schema1.db.gz"
	if *write {
		writeFixture(t, fixture)
	}
	packed, err := os.Open(fixture)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "old.db")
	writeFile(t, path, content)
	s := storetest.OpenFile(t, path, nil).Store
	view(t, s, func(tx *store.Tx) error {
		server, e1 := tx.Server("bbb1")
		status, e2 := tx.Status("bbb1")
		m, e3 := tx.MeetingByVoiceBridge("712345678")
		e, e4 := tx.PendingEnd("bbb1", fixtureEnd.MeetingKey)
		secret, e5 := tx.Secret()
		for i, err := range []error{e1, e2, e3, e4, e5} {
			if err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
		for _, diff := range []string{
			cmp.Diff(fixtureServer, server), cmp.Diff(fixtureStatus, status), cmp.Diff(fixtureMeeting, m), cmp.Diff(fixtureEnd, e),
		} {
			if diff != "" {
				t.Error(diff)
			}
		}
		if len(secret.Reveal()) != 40 {
			t.Error("the generated secret is not there")
		}
		return nil
	})
}

func writeFixture(t *testing.T, path string) {
	t.Helper()
	engine, err := boltkv.Open(context.Background(), filepath.Join(t.TempDir(), "a.db"), boltkv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	s, err := store.New(t.Context(), engine, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx *store.Tx) error {
		for _, err := range []error{
			tx.AddServer(fixtureServer), tx.PutStatus("bbb1", fixtureStatus), tx.PutMeeting(fixtureMeeting), tx.PutPendingEnd(fixtureEnd),
		} {
			if err != nil {
				return err
			}
		}
		_, err := tx.EnsureSecret()
		return err
	})
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if err := s.Snapshot(t.Context(), z); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, packed.Bytes())
}
