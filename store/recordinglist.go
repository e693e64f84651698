package store

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"

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
	// Meta: each key has one of its values.
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

// places yields the places of what the filter chooses, in the order of listings.
func (tx *Tx) places(f RecordingFilter, after *Position) iter.Seq2[place, error] {
	return func(yield func(place, error) bool) {
		streams, begins, err := tx.streams(f, after)
		for err == nil {
			var p place
			if p, err = meet(streams); err != nil || p == nil {
				break
			}
			passes := true
			if begins != nil {
				var at Position
				at, err = p.position()
				passes = begins.begin(at.ID)
			}
			if err == nil && passes && !yield(p, nil) {
				return
			}
			if err == nil {
				err = streams[0].next()
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// streams returns a stream for each condition of the filter, at least one. If
// too many IDs begin with its prefixes for a stream of them, these are returned.
func (tx *Tx) streams(f RecordingFilter, after *Position) (all []placeStream, begins prefixes, err error) {
	add := func(s placeStream, failed error) { all, err = append(all, s), errors.Join(err, failed) }
	if f.IDs != nil {
		begins = newPrefixes(f.IDs)
		found, few, err := tx.beginning(begins, after)
		if err != nil {
			return nil, nil, err
		}
		if few {
			add(&found, nil)
			begins = nil
		}
	}
	for _, ranges := range f.ranges(len(all) == 0) {
		add(newUnion(tx.kv, ranges, after))
	}
	return all, begins, err
}

// ranges returns the ranges of indexes by conditions: a recording that is chosen
// is in one range of each. Where all are chosen, there are none, but if there
// must be some.
func (f RecordingFilter) ranges(some bool) (all [][]kv.Key) {
	add := func(index kv.Key, values []string) {
		var ranges []kv.Key
		for _, value := range values {
			ranges = append(ranges, index.String(value))
		}
		all = append(all, ranges)
	}
	if f.Meetings != nil {
		add(recordingByMeeting, distinct(f.Meetings))
	}
	for _, key := range slices.Sorted(maps.Keys(f.Meta)) {
		var values []string
		for _, value := range distinct(f.Meta[key]) {
			values = append(values, indexedValue(value))
		}
		add(recordingByMeta.String(key), values)
	}
	var states []string
	for _, state := range distinct(f.States) {
		states = append(states, string(state))
	}
	if some && len(all) == 0 || f.Tenant != nil || len(states) < len(RecordingStates()) {
		add(recordingList.String(f.scope()), states)
	}
	return all
}

func distinct[S ~string](all []S) []S {
	return slices.Compact(slices.Sorted(slices.Values(all)))
}

// maxSorted is how many positions are sorted in memory.
const maxSorted = 2000

// beginning returns the places behind after of the recordings whose ID begins
// with one of the prefixes; false if there are more than maxSorted. An ID says
// nothing about the start, so they are sorted in memory; where they are too many
// for that, the other indexes are walked, whose keys have IDs too.
func (tx *Tx) beginning(p prefixes, after *Position) (found placeList, few bool, err error) {
	n := 0
	for _, prefix := range p {
		for r, err := range list[startOnly](tx, recordingTable.StringPrefix(prefix)) {
			if err != nil {
				return nil, false, err
			}
			if n++; n > maxSorted {
				return nil, false, nil
			}
			if at := (Position{r.Start, r.ID}); after == nil || after.before(at) {
				found = append(found, at.place())
			}
		}
	}
	slices.SortFunc(found, func(a, b place) int { return bytes.Compare(a, b) })
	return found, true, nil
}

// prefixes are sorted, and none of them begins with another.
type prefixes []string

// newPrefixes leaves out what begins no ID.
func newPrefixes(all []string) (p prefixes) {
	for _, prefix := range distinct(all) {
		if prefix != "" && len(prefix) <= MaxRecordID && !p.begin(prefix) {
			p = append(p, prefix)
		}
	}
	return p
}

// begin reports whether the ID begins with one of the prefixes: if so, with the
// last one that does not come behind it.
func (p prefixes) begin(id string) bool {
	i, found := slices.BinarySearch(p, id)
	return found || i > 0 && strings.HasPrefix(id, p[i-1])
}

// startOnly decodes as little of a recording as its position needs.
type startOnly struct {
	ID    string `json:"id"`
	Start int64  `json:"start"`
}
