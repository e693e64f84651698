package store_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
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

// What the databases in testdata hold. A value may not be changed once a
// database with it was released.
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

	fixtureRoom      = "8"
	fixtureRecording = store.Recording{
		ID: "rec-1", Tenant: "t", MeetingID: "lesson é", InternalMeetingID: "183f0bf3", Name: "A <lesson>", State: store.Published, Protected: true,
		Start: 1700000000123, End: 1700003600456, Participants: 23, RawSize: 123456789,
		IsBreakout: true, Breakout: &store.Breakout{ParentID: "p", MeetingID: "pm", Sequence: 2, FreeJoin: true}, BreakoutRooms: []string{"rec-7"},
		Imported: map[string]string{"room": "7", "gone": "x", "bbb-origin": "Moodle"}, Decided: map[string]*string{"room": &fixtureRoom, "gone": nil}, StateDecided: true,
		Formats: []store.Format{{
			Type: "presentation", URL: "/playback/presentation/2.3/rec-1", LengthMS: 3600333, ProcessingMS: 7177, Size: 1104836, Files: 12, Bytes: 1100000,
			Images:     []store.Image{{Width: 176, Height: 136, Alt: "Slide", Path: "/presentation/rec-1/thumb-1.png"}},
			ImportedAt: time.Unix(1700007200, 0).UTC(),
		}},
		Moving: store.Unpublished, ImportedAt: time.Unix(1700007201, 0).UTC(),
	}
	fixtureDeleted  = store.Recording{ID: "rec-2", MeetingID: "m", State: store.Deleted, Start: 1700000001000, DeletedAt: time.Unix(1700009000, 0).UTC()}
	fixtureReady    = store.ReadyURL{MeetingKey: fixtureMeeting.MeetingKey, URL: "https://moodle.example/ready?x=1", SignedBy: "0123456789abcdef", Since: time.Unix(1700000051, 0).UTC()}
	fixtureCallback = store.Callback{
		ID: "c-1", Meeting: fixtureMeeting.MeetingKey, RecordID: "rec-1", URL: "https://moodle.example/ready?x=1", SignedBy: "0123456789abcdef",
		Created: time.Unix(1700007300, 0).UTC(), GiveUp: time.Unix(1700900000, 0).UTC(), Next: time.Unix(1700007400, 0).UTC(), Tries: 2, Error: "status 503", Status: 503,
	}
	fixtureImport = store.Import{
		ID: "i-1", File: "rec-1.tar", State: store.ImportFailed, Server: "bbb1", Since: time.Unix(1700007000, 0).UTC(), Ended: time.Unix(1700007100, 0).UTC(),
		Next: time.Unix(1700007050, 0).UTC(), Tries: 5, Error: "no metadata.xml", Recordings: []string{"rec-1"},
	}
	fixtureTrashed = store.Trashed{Recording: store.Recording{ID: "rec-2", MeetingID: "m", Name: "Old", State: store.Unpublished, Start: 1700000001000}, Dir: "rec-2-x", Since: time.Unix(1700009000, 0).UTC()}
	fixtureToken   = store.PlayToken{Token: "ab12", RecordID: "rec-1", Format: "presentation", Expires: time.Unix(1700010000, 0).UTC(), Used: time.Unix(1700009900, 0).UTC()}
)

// fixture is what the database of one schema holds, beside what those before it
// hold.
type fixture struct {
	fill  func(*store.Tx) error
	check func(*testing.T, *store.Tx)
}

// fixtures are those of all schemas, that of schema 1 first.
var fixtures = []fixture{{fillOne, checkOne}, {fillTwo, checkTwo}}

func fixtureFile(schema int) string { return fmt.Sprintf("testdata/schema%d.db.gz", schema) }

// T59: a database that was written once can be read for ever, and everything in
// it is right.
func TestDatabasesOfAllSchemas(t *testing.T) {
	if len(fixtures) != store.SchemaVersion() {
		t.Fatalf("%d of %d schemas have a fixture: describe the new one, and write it with -write-fixture", len(fixtures), store.SchemaVersion())
	}
	if *write {
		writeFixture(t, fixtureFile(len(fixtures)))
	}
	for schema := 1; schema <= len(fixtures); schema++ {
		t.Run(fmt.Sprint(schema), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "old.db")
			writeFile(t, path, unpackFixture(t, fixtureFile(schema)))
			f := storetest.OpenFile(t, path, nil) // brings it to the present schema, and checks the indexes in the end
			check := func() {
				t.Helper()
				view(t, f.Store, func(tx *store.Tx) error {
					for _, fixture := range fixtures[:schema] {
						fixture.check(t, tx)
					}
					return nil
				})
			}
			check()
			// What was not there yet can be added, and what was stays.
			update(t, f.Store, func(tx *store.Tx) error {
				for _, later := range fixtures[schema:] {
					if err := later.fill(tx); err != nil {
						return err
					}
				}
				return nil
			})
			f.Reopen(t)
			check()
		})
	}
}

func unpackFixture(t *testing.T, path string) []byte {
	t.Helper()
	packed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// holds compares what is read with what was written.
func holds[T any](t *testing.T, want, got T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	} else if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func fillOne(tx *store.Tx) error {
	_, err := tx.EnsureSecret()
	return errors.Join(err, tx.AddServer(fixtureServer), tx.PutStatus("bbb1", fixtureStatus), tx.PutMeeting(fixtureMeeting), tx.PutPendingEnd(fixtureEnd))
}

func checkOne(t *testing.T, tx *store.Tx) {
	t.Helper()
	server, err := tx.Server("bbb1")
	holds(t, fixtureServer, server, err)
	status, err := tx.Status("bbb1")
	holds(t, fixtureStatus, status, err)
	m, err := tx.MeetingByVoiceBridge("712345678")
	holds(t, fixtureMeeting, m, err)
	e, err := tx.PendingEnd("bbb1", fixtureEnd.MeetingKey)
	holds(t, fixtureEnd, e, err)
	secret, err := tx.Secret()
	holds(t, 40, len(secret.Reveal()), err)
}

func fillTwo(tx *store.Tx) error {
	_, err := tx.EnsureCookieKey()
	return errors.Join(err, tx.PutRecording(fixtureRecording), tx.PutRecording(fixtureDeleted), tx.PutReadyURL(fixtureReady),
		tx.PutCallback(fixtureCallback), tx.PutImport(fixtureImport), tx.PutTrashed(fixtureTrashed), tx.PutPlayToken(fixtureToken),
		tx.PutCertificate("https://acme.example/directory", "bbb.example", []byte("\x00pem\xff")))
}

func checkTwo(t *testing.T, tx *store.Tx) {
	t.Helper()
	r, err := tx.Recording("rec-1")
	holds(t, fixtureRecording, r, err)
	r, err = tx.Recording("rec-2")
	holds(t, fixtureDeleted, r, err)
	ready, err := tx.ReadyURL(fixtureMeeting.MeetingKey)
	holds(t, fixtureReady, ready, err)
	callback, err := tx.Callback("c-1")
	holds(t, fixtureCallback, callback, err)
	i, err := tx.ImportOf("rec-1.tar")
	holds(t, fixtureImport, i, err)
	trashed, err := tx.Trashed("rec-2")
	holds(t, fixtureTrashed, trashed, err)
	token, err := tx.PlayToken("ab12")
	holds(t, fixtureToken, token, err)
	certificate, err := tx.Certificate("https://acme.example/directory", "bbb.example")
	holds(t, []byte("\x00pem\xff"), certificate, err)
	key, err := tx.CookieKey()
	holds(t, 32, len(key), err)
	tenant, found := "t", 0
	for item, err := range tx.DueCallbacks() {
		holds(t, fixtureCallback, item, err)
		found++
	}
	for id, err := range tx.MovingRecordings() {
		holds(t, "rec-1", id, err)
		found++
	}
	filter := store.RecordingFilter{Tenant: &tenant, States: []store.RecordingState{store.Published}, Meetings: []string{"lesson é"}, Meta: map[string][]string{"room": {"8"}}}
	for r, err := range tx.Recordings(filter, nil) {
		holds(t, fixtureRecording, r, err)
		found++
	}
	n, err := tx.CountRecordings(store.RecordingFilter{States: store.RecordingStates()})
	holds(t, 2, n, err)
	holds(t, 3, found, nil) // by each of three indexes
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
		for _, f := range fixtures {
			if err := f.fill(tx); err != nil {
				return err
			}
		}
		return nil
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
