package store

import (
	"container/heap"
	"errors"
	"fmt"
	"iter"
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

// matches reports whether a recording passes every condition but IDs, which
// only lead to candidates.
func (f RecordingFilter) matches(r Recording) bool {
	if f.Tenant != nil && r.Tenant != *f.Tenant ||
		!slices.Contains(f.States, r.State) ||
		f.Meetings != nil && !slices.Contains(f.Meetings, r.MeetingID) {
		return false
	}
	if len(f.Meta) == 0 {
		return true
	}
	metadata := r.Metadata()
	for key, values := range f.Meta {
		value, ok := metadata[key]
		if !ok || !slices.Contains(values, value) {
			return false
		}
	}
	return true
}

// Recordings lists what the filter chooses, newest start first, beginning behind
// after (nil: from the first). It reads no more than it yields, but for
// candidates that another condition of the filter refuses.
func (tx *Tx) Recordings(f RecordingFilter, after *Position) iter.Seq2[Recording, error] {
	return tx.RecordingsFrom(f, after, 0)
}

// RecordingsFrom is Recordings without the first skip of them. Where the index
// alone decides, what is skipped is not read.
func (tx *Tx) RecordingsFrom(f RecordingFilter, after *Position, skip int64) iter.Seq2[Recording, error] {
	return func(yield func(Recording, error) bool) {
		skip := skip
		for at, err := range tx.candidates(f, after) {
			if err != nil {
				yield(Recording{}, err)
				return
			}
			if skip > 0 && f.counted() {
				skip--
				continue
			}
			r, err := tx.Recording(at.ID)
			if err != nil {
				yield(r, fmt.Errorf("recording %q of an index: %w", at.ID, err))
				return
			}
			switch {
			case !f.matches(r):
			case skip > 0:
				skip--
			case !yield(r, nil):
				return
			}
		}
	}
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
// conditions on IDs, meetings and metadata it is kept and not counted.
func (tx *Tx) CountRecordings(f RecordingFilter) (int64, error) {
	var n int64
	if f.counted() {
		for _, state := range f.States {
			some, err := tx.count(recordingCount.String(f.scope()).String(string(state)))
			if err != nil {
				return 0, err
			}
			n += some
		}
		return n, nil
	}
	for _, err := range tx.Recordings(f, nil) {
		if err != nil {
			return 0, err
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

// candidates yields the positions that the narrowest index has for the filter,
// in the order of listings, each once.
func (tx *Tx) candidates(f RecordingFilter, after *Position) iter.Seq2[Position, error] {
	if f.IDs != nil {
		return tx.byPrefix(f, after)
	}
	return tx.byIndex(f, after)
}

// byIndex is candidates by everything but IDs.
func (tx *Tx) byIndex(f RecordingFilter, after *Position) iter.Seq2[Position, error] {
	var ranges []kv.Key
	switch {
	case f.Meetings != nil:
		for _, id := range distinct(f.Meetings) {
			ranges = append(ranges, recordingByMeeting.String(id))
		}
	case len(f.Meta) > 0:
		key := narrowest(f.Meta)
		for _, value := range distinct(f.Meta[key]) {
			ranges = append(ranges, recordingByMeta.String(key).String(indexedValue(value)))
		}
	default:
		for _, state := range slices.Compact(slices.Sorted(slices.Values(f.States))) {
			ranges = append(ranges, recordingList.String(f.scope()).String(string(state)))
		}
	}
	return tx.merge(ranges, after)
}

func distinct(all []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(all)))
}

// narrowest is the key with the fewest values, by name among equals, so that
// every page of a listing walks the same index.
func narrowest(meta map[string][]string) string {
	var best string
	for key, values := range meta {
		if best == "" || len(values) < len(meta[best]) || len(values) == len(meta[best]) && key < best {
			best = key
		}
	}
	return best
}

// maxSorted is how many positions are sorted in memory.
const maxSorted = 2000

// byPrefix yields the recordings whose ID begins with one of f.IDs. An ID says
// nothing about the start, so their positions are sorted in memory; where these
// are too many for that, the other indexes are walked, which have IDs too.
func (tx *Tx) byPrefix(f RecordingFilter, after *Position) iter.Seq2[Position, error] {
	return func(yield func(Position, error) bool) {
		prefixes := newPrefixes(f.IDs)
		found, all, err := tx.positions(prefixes)
		switch {
		case err != nil:
			yield(Position{}, err)
		case all:
			for _, at := range found {
				if (after == nil || after.before(at)) && !yield(at, nil) {
					return
				}
			}
		default:
			for at, err := range tx.byIndex(f, after) {
				if (err != nil || prefixes.begin(at.ID)) && !yield(at, err) {
					return
				}
			}
		}
	}
}

// positions returns the positions of the recordings whose ID begins with one of
// the prefixes, in the order of listings; false if there are more than
// maxSorted.
func (tx *Tx) positions(p prefixes) (found []Position, all bool, err error) {
	for _, prefix := range p {
		for r, err := range list[startOnly](tx, recordingTable.StringPrefix(prefix)) {
			if err != nil {
				return nil, false, err
			}
			if len(found) == maxSorted {
				return nil, false, nil
			}
			found = append(found, Position{r.Start, r.ID})
		}
	}
	slices.SortFunc(found, comparePositions)
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

func comparePositions(a, b Position) int {
	switch {
	case a == b:
		return 0
	case a.before(b):
		return -1
	default:
		return 1
	}
}

// merge walks several ranges of an index at once, in the order of listings. An
// entry's key ends with its position.
func (tx *Tx) merge(ranges []kv.Key, after *Position) iter.Seq2[Position, error] {
	return func(yield func(Position, error) bool) {
		var heads runs
		defer func() {
			for _, r := range heads {
				r.stop()
			}
		}()
		for _, prefix := range ranges {
			var from kv.Key
			if after != nil {
				from = after.append(prefix)
			}
			next, stop := iter.Pull2(tx.kv.Scan(prefix, from))
			r := &indexRun{prefix: len(prefix), next: next, stop: stop}
			ok, err := r.advance()
			if err != nil {
				stop()
				yield(Position{}, err)
				return
			}
			if ok {
				heads = append(heads, r)
			}
		}
		heap.Init(&heads)
		for len(heads) > 0 {
			first := heads[0]
			if !yield(first.at, nil) {
				return
			}
			ok, err := first.advance()
			if err != nil {
				yield(Position{}, err)
				return
			}
			if ok {
				heap.Fix(&heads, 0)
			} else {
				heap.Pop(&heads)
			}
		}
	}
}

// indexRun is one range of an index on its way.
type indexRun struct {
	prefix int // bytes of the key before the position
	next   func() (kv.Item, error, bool)
	stop   func()
	at     Position
}

// advance reads the next entry; false at the end.
func (r *indexRun) advance() (bool, error) {
	item, err, ok := r.next()
	if !ok || err != nil {
		r.stop()
		return false, err
	}
	key := kv.ParseKey(item.Key[r.prefix:])
	start, err := key.Uint64()
	id, idErr := key.String()
	if err := errors.Join(err, idErr); err != nil {
		return false, fmt.Errorf("decode an entry of a recording index: %w", err)
	}
	r.at = Position{int64(^start ^ 1<<63), id}
	return true, nil
}

// runs is a heap of ranges, that with the first position on top.
type runs []*indexRun

func (r runs) Len() int           { return len(r) }
func (r runs) Less(i, j int) bool { return r[i].at.before(r[j].at) }
func (r runs) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *runs) Push(x any)        { *r = append(*r, x.(*indexRun)) }
func (r *runs) Pop() any {
	last := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return last
}
