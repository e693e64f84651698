package store

import (
	"errors"
	"iter"
	"time"

	"scalelite/store/kv"
)

// Import is one tarball on its way into the recordings, or the end of that way.
type Import struct {
	ID    string      `json:"id"`
	File  string      `json:"file"` // name in the spool
	State ImportState `json:"state"`
	// Server is the ID of the server that uploaded it; empty if it came otherwise.
	Server string    `json:"server,omitempty"`
	Since  time.Time `json:"since"`          // when it was first seen
	Ended  time.Time `json:"ended,omitzero"` // when it was imported or given up
	Next   time.Time `json:"next,omitzero"`  // of the next try
	Tries  int       `json:"tries,omitempty"`
	Error  string    `json:"error,omitempty"` // of the last try
	// Recordings are the IDs that it brought.
	Recordings []string `json:"recordings,omitempty"`
	// Skipped are the formats, as FORMAT/RECORDID, that it left as they are, since
	// a newer tarball had brought them.
	Skipped []string `json:"skipped,omitempty"`
	// Retried is set if its tarball had failed and is tried again.
	Retried *Retried `json:"retried,omitempty"`
}

// Retried is what is known of a tarball that had failed before.
type Retried struct {
	First time.Time `json:"first"` // when it was first seen
	// Size and Changed are those of the file: another one may take its name.
	Size    int64     `json:"size"`
	Changed time.Time `json:"changed"`
}

// ImportState is how far an Import is.
type ImportState string

// The states of an Import. While it waits, settles or is worked on, only its
// tries are stored; the rest is in memory.
const (
	ImportWaiting   ImportState = "waiting"
	ImportSettling  ImportState = "settling"
	ImportImporting ImportState = "importing"
	ImportImported  ImportState = "imported"
	ImportFailed    ImportState = "failed"
	// ImportReplaced: a newer tarball took its name before it was imported.
	ImportReplaced ImportState = "replaced"
	// ImportIgnored: no tarball, but there is such a file in the spool. Never stored.
	ImportIgnored ImportState = "ignored"
)

func importKey(id string) kv.Key { return importTable.String(id) }

// Import returns the import with this ID, or ErrNotFound.
func (tx *Tx) Import(id string) (Import, error) { return get[Import](tx, importKey(id)) }

// ImportOf returns the latest import of a file in the spool, or ErrNotFound.
func (tx *Tx) ImportOf(file string) (Import, error) {
	id, err := get[string](tx, importOfFile.String(file))
	if err != nil {
		return Import{}, err
	}
	return tx.Import(id)
}

// PutImport stores an import as the latest of its file.
func (tx *Tx) PutImport(i Import) error {
	if err := tx.put(importOfFile.String(i.File), i.ID); err != nil {
		return err
	}
	return tx.put(importKey(i.ID), i)
}

// DeleteImport removes an import; one that is not there is no error.
func (tx *Tx) DeleteImport(id string) error {
	i, err := tx.Import(id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	latest, err := get[string](tx, importOfFile.String(i.File))
	if err == nil && latest == id {
		err = tx.kv.Delete(importOfFile.String(i.File))
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return tx.kv.Delete(importKey(id))
}

// Imports lists all imports by ID; IDs sort by age.
func (tx *Tx) Imports() iter.Seq2[Import, error] { return list[Import](tx, importTable) }

// Trashed is a deleted recording that can be brought back.
type Trashed struct {
	Recording Recording `json:"recording"` // as it was
	Dir       string    `json:"dir"`       // below the trash, holds FORMAT directories
	Since     time.Time `json:"since"`
	// Emptying: it has left the trash, and its files there are being removed.
	Emptying bool `json:"emptying,omitempty"`
}

// Trashed returns what is left of a deleted recording, or ErrNotFound.
func (tx *Tx) Trashed(id string) (Trashed, error) {
	return get[Trashed](tx, trashTable.String(id))
}

// PutTrashed stores what is left of a deleted recording.
func (tx *Tx) PutTrashed(t Trashed) error { return tx.put(trashTable.String(t.Recording.ID), t) }

// DeleteTrashed forgets what was left of a recording.
func (tx *Tx) DeleteTrashed(id string) error { return tx.kv.Delete(trashTable.String(id)) }

// TrashedRecordings lists what is in the trash by record ID.
func (tx *Tx) TrashedRecordings() iter.Seq2[Trashed, error] { return list[Trashed](tx, trashTable) }

// PlayToken lets somebody open a protected recording.
type PlayToken struct {
	Token    string    `json:"token"` // 64 hex digits
	RecordID string    `json:"record_id"`
	Format   string    `json:"format"`
	Expires  time.Time `json:"expires"`
	Used     time.Time `json:"used,omitzero"` // first use
}

// PlayToken returns the token, or ErrNotFound.
func (tx *Tx) PlayToken(token string) (PlayToken, error) {
	return get[PlayToken](tx, tokenTable.String(token))
}

// PutPlayToken stores a token, new or used.
func (tx *Tx) PutPlayToken(t PlayToken) error { return tx.put(tokenTable.String(t.Token), t) }

// DeletePlayToken removes a token.
func (tx *Tx) DeletePlayToken(token string) error { return tx.kv.Delete(tokenTable.String(token)) }

// PlayTokens lists the tokens behind one, "" for all: there may be too many for
// one transaction.
func (tx *Tx) PlayTokens(after string) iter.Seq2[PlayToken, error] {
	var from []byte
	if after != "" {
		from = tokenTable.String(after)
	}
	return listAfter[PlayToken](tx, tokenTable, from)
}
