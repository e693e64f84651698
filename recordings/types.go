package recordings

import (
	"errors"
	"time"

	"scalelite/store"
)

// Errors a caller branches on.
var (
	// ErrNotFound: none of the recordings that were named is there.
	ErrNotFound = errors.New("recording not found")
	// ErrNoFiles: a recording's files are in neither tree.
	ErrNoFiles = errors.New("the files are missing")
	// ErrFilesLeft: a recording is deleted, but files of it still lie there.
	ErrFilesLeft = errors.New("its files could not be removed, which is tried again every day")
	// ErrNoSpace: there is less free space than the work needs and
	// recordings.min_free keeps. It passes by itself.
	ErrNoSpace = errors.New("not enough free space")
	// ErrNotInPlace: a directory of the recordings is not the one that it should
	// be, as its disk is not mounted. It passes by itself when that is back.
	ErrNotInPlace = errors.New("the directories of the recordings are not in place")
	// ErrIncomplete: the tarball does not end properly; it may still be coming.
	ErrIncomplete = errors.New("the tarball is incomplete")
	// ErrInvalid: what was given makes no sense; the text says why.
	ErrInvalid = errors.New("invalid")
)

// Scope says whose recordings a caller may touch: nil everybody's, else those
// of the tenant with this ID.
type Scope = *string

// Imported tells what an import brought.
type Imported struct {
	Recordings []ImportedRecording `json:"recordings"`
}

// ImportedRecording is one recording of an imported tarball.
type ImportedRecording struct {
	ID      string           `json:"id"`
	Formats []ImportedFormat `json:"formats"`
	// Error is why this recording, or one of its formats, is not in; empty if
	// all of it is.
	Error string `json:"error,omitempty"`
}

// ImportedFormat is one format of an imported recording.
type ImportedFormat struct {
	Type  string `json:"type"`
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
	Error string `json:"error,omitempty"` // why it is not in
	// Skipped: a newer tarball had brought it, and that version is kept.
	Skipped bool `json:"skipped,omitempty"`
}

// Change is what UpdateMeta does to recordings.
type Change struct {
	// Meta sets values by lower-case key; an empty value removes the key.
	Meta map[string]string
	// Protect sets the protection; nil leaves it.
	Protect *bool
}

// Problem is a difference between records and files.
type Problem struct {
	RecordID string `json:"record_id"`
	Format   string `json:"format,omitempty"`
	// Kind is missing (a record without files), extra (files without a record),
	// misplaced (in the tree of the other state, or in both) or size (files or
	// bytes differ from what was imported).
	Kind   string `json:"kind"`
	Detail string `json:"detail"`
	// Loss: fewer files or bytes are there than were imported. Only a copy from
	// elsewhere mends that.
	Loss  bool `json:"loss,omitempty"`
	Fixed bool `json:"fixed,omitempty"`
}

// Repair says how far Library.Check goes.
type Repair int

const (
	// RepairNothing only tells.
	RepairNothing Repair = iota
	// RepairSafe mends what costs nothing.
	RepairSafe
	// RepairLosses also takes what was lost for the new truth.
	RepairLosses
)

// Pruned is a recording that retention deleted, or would delete.
type Pruned struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"`
	Start time.Time `json:"start,omitzero"` // not known of what no record knows
	Bytes int64     `json:"bytes"`
	// Reason is retention, trash for one that leaves the trash for good, or
	// "trash, no record" for what lies there and no record knows.
	Reason string `json:"reason"`
}

// SpoolFile is a tarball in the spool or in failed_dir, or another file in the
// spool, which is ignored, as people see it.
type SpoolFile struct {
	Name  string            `json:"name"`
	Size  int64             `json:"size"`
	State store.ImportState `json:"state"`
	Since time.Time         `json:"since"`
	// Done is how many bytes of it are unpacked, while it is imported.
	Done   int64     `json:"done,omitempty"`
	Tries  int       `json:"tries"`
	Next   time.Time `json:"next,omitzero"`
	Reason string    `json:"reason,omitempty"` // why it waits, failed or is ignored
	Import string    `json:"import"`           // ID of the import; of an ignored file empty
	// More is how many ignored files there are beside those that are listed; the
	// last of these, by name, tells it.
	More int `json:"more,omitempty"`
}
