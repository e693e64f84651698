package admin

import (
	"context"
	"time"

	"scalelite/recordings"
	"scalelite/store"
)

// RecordingService is what the command line can do to recordings.
//
// Where it takes IDs, the first 8 bytes or more of one do as well if no other
// recording's ID begins with them. An ID that nobody has is an error, and then
// nothing is changed.
type RecordingService interface {
	// Recordings lists recordings, the newest start first.
	Recordings(ctx context.Context, q RecordingQuery) (RecordingPage, error)
	Recording(ctx context.Context, id string) (RecordingInfo, error)
	// PublishRecordings publishes recordings or hides them. What fails for one of
	// them stands in its result.
	PublishRecordings(ctx context.Context, ids []string, publish bool) ([]RecordingResult, error)
	// UpdateRecordings changes metadata or protection, of all of them or of none.
	UpdateRecordings(ctx context.Context, ids []string, c recordings.Change) ([]RecordingResult, error)
	// ProtectAllRecordings sets the protection of every recording, and returns for
	// how many that was a change.
	ProtectAllRecordings(ctx context.Context, protect bool) (int, error)
	// DeleteRecordings deletes recordings; with purge without a trace.
	DeleteRecordings(ctx context.Context, ids []string, purge bool) ([]RecordingResult, error)
	// UndeleteRecordings brings deleted recordings back from the trash.
	UndeleteRecordings(ctx context.Context, ids []string) ([]RecordingResult, error)
	// PruneRecordings does what retention and trash ask for, or only tells.
	PruneRecordings(ctx context.Context, dryRun bool) ([]recordings.Pruned, error)
	// CheckRecordings compares records and files, and mends what how allows.
	CheckRecordings(ctx context.Context, how recordings.Repair) ([]recordings.Problem, error)
	// RescanRecordings makes records for files that have none. Directories that are
	// not in place it accepts if no recording has its files there, or with accept.
	RescanRecordings(ctx context.Context, accept bool) (recordings.Rescanned, error)
	// RecordingsStatus sums up the recordings, their disk, the spool and the
	// callbacks. That recordings are switched off is no error.
	RecordingsStatus(ctx context.Context) (RecordingsStatus, error)
}

// RecordingQuery chooses recordings. All conditions that are set must hold.
type RecordingQuery struct {
	IDs      []string            `json:"ids,omitempty"`      // how an ID begins, of any length
	Meetings []string            `json:"meetings,omitempty"` // meeting IDs
	States   []string            `json:"states,omitempty"`   // or "any"; none: published and unpublished
	Meta     map[string][]string `json:"meta,omitempty"`     // each key has one of its values
	Tenant   *string             `json:"tenant,omitempty"`   // ID; "": those of no tenant; nil: all
	Since    time.Time           `json:"since,omitzero"`     // earliest start
	Until    time.Time           `json:"until,omitzero"`     // before which they started

	Offset int64 `json:"offset,omitempty"` // how many are left out
	Limit  int   `json:"limit,omitempty"`  // at most MaxRecordingPage; 0: so many
	// After goes on behind a page: its Next.
	After string `json:"after,omitempty"`
}

// MaxRecordingPage is how many recordings Recordings returns at most.
const MaxRecordingPage = 1000

// RecordingPage is a part of a listing.
type RecordingPage struct {
	Total int64           `json:"total"` // that the query chooses, Offset and Limit apart; 0 where it has an After
	Items []RecordingInfo `json:"items"`
	Next  string          `json:"next,omitempty"` // After of the next page; empty: this is the last
}

// RecordingInfo is a recording as operators see it.
type RecordingInfo struct {
	ID                string               `json:"id"`
	MeetingID         string               `json:"meeting_id"`
	InternalMeetingID string               `json:"internal_meeting_id,omitempty"`
	Tenant            string               `json:"tenant,omitempty"` // ID
	Name              string               `json:"name"`
	State             store.RecordingState `json:"state"`
	Protected         bool                 `json:"protected"`
	Start             time.Time            `json:"start"`
	End               time.Time            `json:"end"`
	Participants      int                  `json:"participants"`
	IsBreakout        bool                 `json:"is_breakout,omitempty"`
	Metadata          map[string]string    `json:"metadata"`
	Formats           []RecordingFormat    `json:"formats"`
	Files             int                  `json:"files"` // of all formats
	Bytes             int64                `json:"bytes"` // of those
	ImportedAt        time.Time            `json:"imported_at,omitzero"`
	DeletedAt         time.Time            `json:"deleted_at,omitzero"`
	// InTrash: it is deleted, and can be brought back. Name, metadata and formats
	// are then those it had.
	InTrash bool `json:"in_trash,omitempty"`
	// Moving is the state whose tree its files are on their way to.
	Moving store.RecordingState `json:"moving,omitempty"`
}

// RecordingFormat is a recording in one playback format.
type RecordingFormat struct {
	Type       string    `json:"type"`
	URL        string    `json:"url"` // path and query
	LengthMS   int64     `json:"length_ms"`
	Files      int       `json:"files"`
	Bytes      int64     `json:"bytes"`
	ImportedAt time.Time `json:"imported_at,omitzero"`
}

// RecordingResult is what became of one recording.
type RecordingResult struct {
	ID      string `json:"id"`
	Changed bool   `json:"changed"`         // false: it was so before, or it failed
	Error   string `json:"error,omitempty"` // why it failed; if Changed, what of it was not done yet
}

// RecordingsStatus sums up the recordings.
type RecordingsStatus struct {
	Enabled     bool  `json:"enabled"` // recordings.enabled; if not, the rest is 0
	Published   int64 `json:"published"`
	Unpublished int64 `json:"unpublished"`
	Deleted     int64 `json:"deleted"` // remembered, those in the trash among them
	InTrash     int64 `json:"in_trash"`

	Disk      DiskStatus     `json:"disk"`
	Spool     SpoolStatus    `json:"spool"`
	Callbacks CallbackStatus `json:"callbacks"`
}

// DiskStatus is what the files of recordings take up, in bytes. It may be some
// seconds old.
type DiskStatus struct {
	Published   int64 `json:"published"`
	Unpublished int64 `json:"unpublished"`
	Trash       int64 `json:"trash"`
	Free        int64 `json:"free"` // on their file system
	Total       int64 `json:"total"`
	// Error is why the numbers are 0.
	Error string `json:"error,omitempty"`
}

// Used is what all files of recordings take up, in bytes.
func (d DiskStatus) Used() int64 { return d.Published + d.Unpublished + d.Trash }

// SpoolStatus counts the files of spool and failed_dir by their state.
type SpoolStatus struct {
	Waiting   int `json:"waiting"`
	Settling  int `json:"settling"`
	Importing int `json:"importing"`
	Failed    int `json:"failed"`
	Ignored   int `json:"ignored"` // no tarballs
	// Held are those of Waiting that there is no space for, and Unplaced those that
	// wait for the directories of the recordings to be in place.
	Held     int `json:"held"`
	Unplaced int `json:"unplaced"`
	// Error is why nothing can come in through the spool, or why the numbers are 0.
	Error string `json:"error,omitempty"`
}

// CallbackStatus counts the messages that front-ends have not taken.
type CallbackStatus struct {
	Pending int `json:"pending"`
	Failed  int `json:"failed"` // given up
}
