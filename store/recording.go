package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"scalelite/store/kv"
)

// RecordingState is the state of a recording, by the words of the BBB API.
type RecordingState string

// The states of a recording. A deleted one has neither files nor data any more;
// it is remembered so that an import by accident does not bring it back unseen.
const (
	Published   RecordingState = "published"
	Unpublished RecordingState = "unpublished"
	Deleted     RecordingState = "deleted"
)

// RecordingStates are all states.
func RecordingStates() []RecordingState {
	return []RecordingState{Published, Unpublished, Deleted}
}

// Recording is what was recorded of one meeting, in all its formats.
//
// What came with the files and what somebody decided through the API since are
// kept apart, so that importing a format again does not undo a decision.
type Recording struct {
	ID                string         `json:"id"`
	Tenant            string         `json:"tenant,omitempty"` // ID of the tenant, from the metadata
	MeetingID         string         `json:"meeting_id"`
	InternalMeetingID string         `json:"internal_meeting_id,omitempty"`
	Name              string         `json:"name"`
	State             RecordingState `json:"state"`
	Protected         bool           `json:"protected,omitempty"`
	Start             int64          `json:"start"` // ms since 1970
	End               int64          `json:"end"`   // ms since 1970
	Participants      int            `json:"participants,omitempty"`
	RawSize           int64          `json:"raw_size,omitempty"` // bytes

	IsBreakout    bool      `json:"is_breakout,omitempty"`
	Breakout      *Breakout `json:"breakout,omitempty"`
	BreakoutRooms []string  `json:"breakout_rooms,omitempty"` // record IDs

	// Imported is the metadata that came with the files. Decided holds what was
	// set through the API since, by keys in lower case; nil means removed.
	Imported map[string]string  `json:"imported,omitempty"`
	Decided  map[string]*string `json:"decided,omitempty"`
	// StateDecided: somebody published or unpublished it through the API.
	StateDecided bool `json:"state_decided,omitempty"`

	Formats []Format `json:"formats,omitempty"` // by type

	// Moving is the state whose tree the files are on their way to, empty while
	// they rest. A start finishes what a crash left on the way.
	Moving RecordingState `json:"moving,omitempty"`

	ImportedAt time.Time `json:"imported_at,omitzero"`
	DeletedAt  time.Time `json:"deleted_at,omitzero"`
}

// Breakout tells of a breakout room where it belongs.
type Breakout struct {
	ParentID  string `json:"parent_id"`
	MeetingID string `json:"meeting_id,omitempty"`
	Sequence  int    `json:"sequence"`
	FreeJoin  bool   `json:"free_join,omitempty"`
}

// Format is a recording in one playback format.
type Format struct {
	Type         string    `json:"type"`
	URL          string    `json:"url"`                     // path and query
	LengthMS     int64     `json:"length_ms"`               // of the playback
	ProcessingMS int64     `json:"processing_ms,omitempty"` // what making it took
	Size         int64     `json:"size,omitempty"`          // bytes, as its metadata says
	Images       []Image   `json:"images,omitempty"`
	Files        int       `json:"files"` // that lie in its directory
	Bytes        int64     `json:"bytes"` // of those
	ImportedAt   time.Time `json:"imported_at,omitzero"`
	// Seen is when the tarball that brought it was first seen, zero if that was
	// no earlier than its import, and 1970 if it is not known.
	Seen time.Time `json:"seen,omitzero"`
}

// Age is when what is here came in: of two versions of a format, the one with
// the later Age is the newer.
func (f Format) Age() time.Time {
	if f.Seen.IsZero() {
		return f.ImportedAt
	}
	return f.Seen
}

// Image is a thumbnail of a format.
type Image struct {
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Alt    string `json:"alt,omitempty"`
	Path   string `json:"path"` // path and query of its URL
}

// Metadata returns the metadata that counts, by keys in lower case: what was
// imported, with what was decided since.
func (r Recording) Metadata() map[string]string {
	all := maps.Clone(r.Imported)
	if all == nil {
		all = map[string]string{}
	}
	for _, key := range r.capitals() {
		delete(all, key)
		lower := strings.ToLower(key)
		if _, there := all[lower]; !there {
			all[lower] = r.Imported[key]
		}
	}
	for key, value := range r.Decided {
		if value == nil {
			delete(all, key)
		} else {
			all[key] = *value
		}
	}
	return all
}

// capitals returns the keys of the imported metadata that are not in lower case:
// an early version took them as they were written.
func (r Recording) capitals() (keys []string) {
	for key := range r.Imported {
		if strings.ToLower(key) != key {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Format returns the format of that type; false if there is none.
func (r Recording) Format(kind string) (Format, bool) {
	at := slices.IndexFunc(r.Formats, func(f Format) bool { return f.Type == kind })
	if at < 0 {
		return Format{}, false
	}
	return r.Formats[at], true
}

// SetFormat adds a format or replaces the one of its type.
func (r *Recording) SetFormat(f Format) {
	r.Formats = slices.DeleteFunc(slices.Clone(r.Formats), func(old Format) bool { return old.Type == f.Type })
	r.Formats = append(r.Formats, f)
	slices.SortFunc(r.Formats, func(a, b Format) int { return bytes.Compare([]byte(a.Type), []byte(b.Type)) })
}

// Position is the place of a recording in every listing: the newest start
// first, among equals by ID.
type Position struct {
	Start int64
	ID    string
}

func (r Recording) position() Position { return Position{r.Start, r.ID} }

// before reports whether p comes first in a listing.
func (p Position) before(q Position) bool {
	return p.Start > q.Start || p.Start == q.Start && p.ID < q.ID
}

// append adds the position to the key of an index, so that key order is the
// order of listings.
func (p Position) append(k kv.Key) kv.Key {
	return k.Uint64(^(uint64(p.Start) ^ 1<<63)).String(p.ID)
}

// maxIndexedValue is the longest metadata value in bytes that stands in the
// index as it is; of a longer one its digest does.
const maxIndexedValue = 256

// indexedValue is how a metadata value stands in the index.
func indexedValue(value string) string {
	if len(value) <= maxIndexedValue {
		return "=" + value
	}
	sum := sha256.Sum256([]byte(value))
	return "#" + string(sum[:])
}

// scopes are the listings that a recording stands in: that of all recordings,
// and that of its tenant.
func (r Recording) scopes() []string { return []string{scopeAll, scopeOf(r.Tenant)} }

const scopeAll = "*"

func scopeOf(tenant string) string { return "=" + tenant }

// entries returns the keys of all index entries of a recording.
func (r Recording) entries() []kv.Key {
	at := r.position()
	keys := []kv.Key{at.append(recordingByMeeting.String(r.MeetingID))}
	for _, scope := range r.scopes() {
		keys = append(keys, at.append(recordingList.String(scope).String(string(r.State))))
	}
	if r.Moving != "" {
		keys = append(keys, recordingMoving.String(r.ID))
	}
	for key, value := range r.Metadata() {
		keys = append(keys, at.append(recordingByMeta.String(key).String(indexedValue(value))))
	}
	return keys
}

// Recording returns the recording with this ID, or ErrNotFound.
func (tx *Tx) Recording(id string) (Recording, error) {
	if len(id) > MaxRecordID {
		return Recording{}, ErrNotFound
	}
	return get[Recording](tx, recordingTable.String(id))
}

// MaxRecordID is the longest record ID in bytes that is stored.
const MaxRecordID = 256

// PutRecording stores a recording, new or changed, with its indexes and counts.
func (tx *Tx) PutRecording(r Recording) error {
	if r.ID == "" || len(r.ID) > MaxRecordID || len(r.MeetingID) > MaxMeetingID {
		return fmt.Errorf("recording %.64q: the IDs must have 1 to %d and at most %d bytes", r.ID, MaxRecordID, MaxMeetingID)
	}
	if err := tx.unindexRecording(r.ID); err != nil {
		return err
	}
	for _, key := range r.entries() {
		if err := tx.kv.Put(key, []byte{}); err != nil {
			return err
		}
	}
	if err := tx.countRecording(r, 1); err != nil {
		return err
	}
	return tx.put(recordingTable.String(r.ID), r)
}

// PurgeRecording removes a recording without a trace; one that is not there is
// no error.
func (tx *Tx) PurgeRecording(id string) error {
	if err := tx.unindexRecording(id); err != nil {
		return err
	}
	return tx.kv.Delete(recordingTable.String(id))
}

func (tx *Tx) unindexRecording(id string) error {
	former, err := tx.Recording(id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	entries := former.entries()
	for _, key := range former.capitals() {
		entries = append(entries, former.position().append(recordingByMeta.String(key).String(indexedValue(former.Imported[key]))))
	}
	for _, key := range entries {
		if err := tx.kv.Delete(key); err != nil {
			return err
		}
	}
	return tx.countRecording(former, -1)
}

// countRecording keeps how many recordings each listing has.
func (tx *Tx) countRecording(r Recording, by int64) error {
	for _, scope := range r.scopes() {
		key := recordingCount.String(scope).String(string(r.State))
		n, err := tx.count(key)
		if err != nil {
			return err
		}
		value := binary.BigEndian.AppendUint64(nil, uint64(n+by))
		if err := tx.kv.Put(key, value); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) count(key kv.Key) (int64, error) {
	value, err := tx.kv.Get(key)
	if errors.Is(err, kv.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if len(value) != 8 {
		return 0, errors.New("decode a count: it has " + strconv.Itoa(len(value)) + " bytes")
	}
	return int64(binary.BigEndian.Uint64(value)), nil
}
