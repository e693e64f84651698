package store

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"scalelite/store/kv"
)

// places yields the places of what the filter chooses, in the order of listings.
func (tx *Tx) places(f RecordingFilter, after *Position) iter.Seq2[place, error] {
	return func(yield func(place, error) bool) {
		c, err := tx.candidates(f, after)
		for err == nil {
			var p place
			if p, err = meet(c.streams); err != nil || p == nil {
				break
			}
			var chosen bool
			if chosen, err = tx.chosen(c, p); err != nil {
				break
			}
			if chosen && !yield(p, nil) {
				return
			}
			err = c.streams[0].next()
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// candidates are where the indexes of a filter's conditions meet.
type candidates struct {
	streams []placeStream // at least one
	// begin, if not nil: the filter chooses those whose ID begins with one.
	begin prefixes
	// matches, if not nil: the filter chooses those that it reports.
	matches func(Recording) bool
}

func (tx *Tx) chosen(c candidates, p place) (bool, error) {
	if c.begin != nil {
		if at, err := p.position(); err != nil || !c.begin.begin(at.ID) {
			return false, err
		}
	}
	if c.matches != nil {
		r, err := tx.recordingAt(p)
		return err == nil && c.matches(r), err
	}
	return true, nil
}

func (tx *Tx) candidates(f RecordingFilter, after *Position) (c candidates, err error) {
	if f.IDs != nil {
		c.begin = newPrefixes(f.IDs)
		found, few, err := tx.beginning(c.begin, after)
		if err != nil {
			return c, err
		}
		if few {
			c.begin, c.streams = nil, append(c.streams, &found)
		}
	}
	ranges, loose, err := tx.ranges(f)
	if err != nil {
		return c, err
	}
	if loose {
		c.matches = f.Matcher()
	}
	if len(ranges) == 0 && len(c.streams) == 0 || f.Tenant != nil || len(distinct(f.States)) < len(RecordingStates()) {
		ranges = append(ranges, f.listings())
	}
	for _, some := range ranges {
		s, err := newUnion(tx.kv, some, after)
		if err != nil {
			return c, err
		}
		c.streams = append(c.streams, s)
	}
	return c, nil
}

// listings are the ranges of the index of listings that the filter chooses from.
func (f RecordingFilter) listings() (all []kv.Key) {
	for _, state := range distinct(f.States) {
		all = append(all, recordingList.String(f.scope()).String(string(state)))
	}
	return all
}

// ranges returns the ranges of indexes by condition, those on IDs, states and
// tenant apart: what is chosen is in one range of each. They are loose where a
// recording may be in one without being chosen.
func (tx *Tx) ranges(f RecordingFilter) (all [][]kv.Key, loose bool, err error) {
	if f.Meetings != nil {
		var some []kv.Key
		for _, id := range distinct(f.Meetings) {
			some = append(some, recordingByMeeting.String(id))
		}
		all = append(all, some)
	}
	for _, key := range slices.Sorted(maps.Keys(f.Meta)) {
		spellings, err := tx.spellings(key)
		if err != nil {
			return nil, false, err
		}
		var some []kv.Key
		for _, spelling := range spellings {
			for _, value := range distinct(f.Meta[key]) {
				some = append(some, recordingByMeta.String(spelling).String(indexedValue(value)))
			}
		}
		all = append(all, some)
		loose = loose || len(spellings) > 1
	}
	return all, loose, nil
}

// maxSpelled is the longest metadata key in bytes that any version took in.
const maxSpelled = 1024

// spellings returns a metadata key with those of the index that are the same but
// for capitals: recordings that an early version imported stand there with their
// keys as they were written.
func (tx *Tx) spellings(key string) ([]string, error) {
	found := []string{key}
	if len(key) > maxSpelled {
		return found, nil
	}
	for i, c := range []byte(key) {
		if c < 'a' || c > 'z' {
			continue
		}
		prefix := recordingByMeta.StringPrefix(key[:i] + strings.ToUpper(key[i:i+1]))
		for behind := kv.Key(nil); ; {
			name, err := tx.firstKey(prefix, behind)
			if err != nil {
				return nil, err
			}
			if name == "" {
				break
			}
			if strings.ToLower(name) == key {
				found = append(found, name)
			}
			behind = append(recordingByMeta.String(name), 0xFF) // no value begins so
		}
	}
	return found, nil
}

// firstKey returns the metadata key of the first entry of the index with the
// prefix that comes behind a place in it; empty if there is none.
func (tx *Tx) firstKey(prefix, behind kv.Key) (string, error) {
	for item, err := range tx.kv.Scan(prefix, behind) {
		if err != nil {
			return "", err
		}
		name, err := kv.ParseKey(item.Key[len(recordingByMeta):]).String()
		if err != nil {
			return "", fmt.Errorf("decode an entry of the index of metadata: %w", err)
		}
		return name, nil
	}
	return "", nil
}

func distinct[S ~string](all []S) []S {
	return slices.Compact(slices.Sorted(slices.Values(all)))
}

// maxSorted is how many positions are sorted in memory, and two for each prefix
// if that is more: it may be a whole ID.
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
			if n++; n > max(maxSorted, 2*len(p)) {
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
