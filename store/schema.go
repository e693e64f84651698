package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"scalelite/store/kv"
)

// The tables and indexes. A name may not be changed once it was released.
var (
	metaTable    = kv.NewKey("meta")
	serverTable  = kv.NewKey("server")  // server ID
	statusTable  = kv.NewKey("status")  // server ID
	meetingTable = kv.NewKey("meeting") // tenant, meeting ID
	endTable     = kv.NewKey("end")     // server ID, tenant, meeting ID

	serverMeetings = kv.NewKey("meeting.server") // server ID, tenant, meeting ID: empty
	bridgeTable    = kv.NewKey("meeting.bridge") // voice bridge: MeetingKey

	recordingTable     = kv.NewKey("recording")         // record ID
	recordingList      = kv.NewKey("recording.list")    // scope, state, position: empty
	recordingByMeeting = kv.NewKey("recording.meeting") // meeting ID, position: empty
	recordingByMeta    = kv.NewKey("recording.meta")    // metadata key, value, position: empty
	recordingMoving    = kv.NewKey("recording.moving")  // record ID: empty
	recordingCount     = kv.NewKey("recording.count")   // scope, state: number

	readyTable    = kv.NewKey("ready")        // tenant, meeting ID
	callbackTable = kv.NewKey("callback")     // callback ID
	callbackDue   = kv.NewKey("callback.due") // time, callback ID: empty

	importTable  = kv.NewKey("import")      // import ID
	importOfFile = kv.NewKey("import.file") // name in the spool: import ID
	trashTable   = kv.NewKey("trash")       // record ID
	tokenTable   = kv.NewKey("token")       // token

	certificateTable = kv.NewKey("certificate") // ACME directory, name

	versionKey  = metaTable.String("version")
	secretKey   = metaTable.String("secret")
	cookieKey   = metaTable.String("cookie-key")
	treeMarkKey = metaTable.String("tree-mark")
	probeKey    = metaTable.String("probe")
)

// ErrNewerSchema is what New returns for a database of a later program.
var ErrNewerSchema = errors.New("the database was written by a newer version of this program")

// migrations lead from one schema version to the next: migrations[n] from n to
// n+1. Entries are only ever added at the end. Version 0 is an empty database.
func migrations() []func(*Tx) error {
	return []func(*Tx) error{
		func(*Tx) error { return nil }, // 1: servers, meetings, ends
		func(*Tx) error { return nil }, // 2: recordings, callbacks, imports; their tables begin empty
	}
}

// SchemaVersion is the version of the schema that this program writes.
func SchemaVersion() int { return len(migrations()) }

// CheckSchema returns ErrNewerSchema for a database of a later program. It
// changes nothing.
func CheckSchema(ctx context.Context, engine kv.Engine) error {
	s := &Store{engine: engine, now: time.Now}
	return s.View(ctx, func(tx *Tx) error {
		version, err := tx.schema()
		if err == nil && version > SchemaVersion() {
			err = newer(version, SchemaVersion())
		}
		return err
	})
}

func newer(version, known int) error {
	return fmt.Errorf("%w: its schema is %d, this version knows up to %d; install the newer version again, or restore a backup made before the upgrade", ErrNewerSchema, version, known)
}

// schema returns the version of the database, 0 if it is empty.
func (tx *Tx) schema() (int, error) {
	v, err := get[int](tx, versionKey)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return v, err
}

// migrate brings the schema to the version that steps lead to.
func (s *Store) migrate(ctx context.Context, steps []func(*Tx) error, before func(ctx context.Context, from, to int) error) error {
	var from int
	err := s.View(ctx, func(tx *Tx) (err error) {
		from, err = tx.schema()
		return err
	})
	if err != nil {
		return fmt.Errorf("read the schema version: %w", err)
	}
	switch {
	case from > len(steps):
		return newer(from, len(steps))
	case from == len(steps):
		return nil
	case from > 0 && before != nil:
		if err := before(ctx, from, len(steps)); err != nil {
			return fmt.Errorf("copy the database before the upgrade: %w", err)
		}
	}
	return s.Update(ctx, func(tx *Tx) error {
		for n, step := range steps[from:] {
			if err := step(tx); err != nil {
				return fmt.Errorf("upgrade the database to schema %d: %w", from+n+1, err)
			}
		}
		return tx.put(versionKey, len(steps))
	})
}
