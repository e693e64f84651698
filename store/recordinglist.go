package store

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"scalelite/store/kv"
)

// RecordingFilter chooses recordings. All conditions that are set must hold; a
// list that is set but empty matches nothing.
type RecordingFilter struct {
	// Tenant: only this tenant's recordings; nil: everybody's.
	Tenant *string
	// States: at least one; a recording has one of them.
	States []RecordingState
	// IDs are prefixes of record IDs, Meetings exact meeting IDs. nil: any.
	IDs, Meetings []string
	// Meta: each key, in lower case, has one of its values.
	Meta map[string][]string
}

// Matcher returns what reports whether a recording passes every condition but
// IDs. What an index leads to does; no index is trusted to keep tenants apart.
func (f RecordingFilter) Matcher() func(Recording) bool {
	meetings, meta := setOf(f.Meetings), map[string]map[string]bool{}
	for key, values := range f.Meta {
		meta[key] = setOf(values)
	}
	return func(r Recording) bool {
		if f.Tenant != nil && r.Tenant != *f.Tenant ||
			!slices.Contains(f.States, r.State) ||
			f.Meetings != nil && !meetings[r.MeetingID] {
			return false
		}
		if len(meta) == 0 {
			return true
		}
		metadata := r.Metadata()
		for key, values := range meta {
			if value, ok := metadata[key]; !ok || !values[value] {
				return false
			}
		}
		return true
	}
}

func setOf(values []string) map[string]bool {
	set := make(map[string]bool, len(values))
	for _, value := range values {
		set[value] = true
	}
	return set
}

// Recordings lists what the filter chooses, newest start first, beginning behind
// after (nil: from the first). It reads no more records than it yields: what is
// chosen is found where the indexes of all conditions meet. The loop body must
// not write recordings.
func (tx *Tx) Recordings(f RecordingFilter, after *Position) iter.Seq2[Recording, error] {
	return tx.RecordingsFrom(f, after, 0)
}

// RecordingsFrom is Recordings without the first skip of them, which are not
// read.
func (tx *Tx) RecordingsFrom(f RecordingFilter, after *Position, skip int64) iter.Seq2[Recording, error] {
	return func(yield func(Recording, error) bool) {
		skip, matches := skip, f.Matcher()
		for p, err := range tx.places(f, after) {
			if err == nil && skip > 0 {
				skip--
				continue
			}
			var r Recording
			if err == nil {
				r, err = tx.recordingAt(p)
			}
			if (err != nil || matches(r)) && !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// RecordingPositions returns where in the listing the first n recordings are that
// RecordingsFrom would yield, for RecordingsAt to read them in parts: finding
// them anew for each part takes long where the filter has many values.
func (tx *Tx) RecordingPositions(f RecordingFilter, after *Position, skip int64, n int) ([]Position, error) {
	var found []Position
	for p, err := range tx.places(f, after) {
		if err != nil {
			return nil, err
		}
		if skip > 0 {
			skip--
			continue
		}
		at, err := p.position()
		if err != nil {
			return nil, err
		}
		if found = append(found, at); len(found) >= n {
			break
		}
	}
	return found, nil
}

// RecordingsAt reads recordings that were listed earlier, maybe in another
// transaction. Those that are gone since, or changed so that they do not pass
// the Matcher of their filter any more, are left out.
func (tx *Tx) RecordingsAt(positions []Position, matches func(Recording) bool) iter.Seq2[Recording, error] {
	return func(yield func(Recording, error) bool) {
		for _, at := range positions {
			r, err := tx.Recording(at.ID)
			if errors.Is(err, ErrNotFound) || err == nil && !matches(r) {
				continue
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func (tx *Tx) recordingAt(p place) (Recording, error) {
	at, err := p.position()
	if err != nil {
		return Recording{}, err
	}
	r, err := tx.Recording(at.ID)
	if err != nil {
		return r, fmt.Errorf("recording %q of an index: %w", at.ID, err)
	}
	return r, nil
}

// counted: the filter has no conditions but state and tenant, which the index
// of listings and the counts are by.
func (f RecordingFilter) counted() bool {
	return f.IDs == nil && f.Meetings == nil && len(f.Meta) == 0
}

// MovingRecordings lists the IDs of the recordings whose files are on their way.
func (tx *Tx) MovingRecordings() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for item, err := range tx.kv.Scan(recordingMoving, nil) {
			var id string
			if err == nil {
				if id, err = kv.ParseKey(item.Key[len(recordingMoving):]).String(); err != nil {
					err = fmt.Errorf("decode an entry of the index of moving recordings: %w", err)
				}
			}
			if !yield(id, err) || err != nil {
				return
			}
		}
	}
}

// CountRecordings returns how many recordings the filter chooses. Without
// conditions on IDs, meetings and metadata it is kept; else keys of indexes are
// counted, and no record is read.
func (tx *Tx) CountRecordings(f RecordingFilter) (int64, error) {
	var n int64
	if f.counted() {
		for _, state := range distinct(f.States) {
			some, err := tx.count(recordingCount.String(f.scope()).String(string(state)))
			if err != nil {
				return 0, err
			}
			n += some
		}
		return n, nil
	}
	return tx.CountRecordingsSince(f, nil, math.MinInt64)
}

// CountRecordingsSince returns how many recordings of those behind after, nil
// for all, started at since, in ms since 1970, or later. It counts keys.
func (tx *Tx) CountRecordingsSince(f RecordingFilter, after *Position, since int64) (n int64, err error) {
	var end place
	if since > math.MinInt64 {
		end = Position{Start: since - 1}.place() // no ID comes before the empty one
	}
	for p, err := range tx.places(f, after) {
		if err != nil {
			return 0, err
		}
		if end != nil && bytes.Compare(p, end) >= 0 {
			break
		}
		n++
	}
	return n, nil
}

func (f RecordingFilter) scope() string {
	if f.Tenant == nil {
		return scopeAll
	}
	return scopeOf(*f.Tenant)
}
