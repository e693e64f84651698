package store

import (
	"bytes"
	"container/heap"
	"errors"
	"fmt"
	"slices"
	"sort"

	"scalelite/store/kv"
)

// place is a Position as the keys of all indexes of recordings end with it: as
// bytes, places have the order of listings. A nil one is none.
type place []byte

func (p Position) place() place { return place(p.append(nil)) }

func (p place) position() (Position, error) {
	key := kv.ParseKey(p)
	start, err := key.Uint64()
	id, idErr := key.String()
	if err := errors.Join(err, idErr, key.End()); err != nil {
		return Position{}, fmt.Errorf("decode an entry of a recording index: %w", err)
	}
	return Position{int64(^start ^ 1<<63), id}, nil
}

// placeStream goes through places, each once, in the order of listings.
type placeStream interface {
	// at is where it stands, nil behind the last place.
	at() place
	// next goes to the next place.
	next() error
	// seek goes to the first place that does not come before p. It never goes back.
	seek(p place) error
}

// The bounds of how many keys of an index are read at a time.
const minKeysRead, maxKeysRead = 8, 256

// indexRun is the places in one range of an index. It reads more keys at a time
// while most of them are wanted, and few where it is sent far ahead again and
// again.
type indexRun struct {
	tx     kv.Tx
	prefix kv.Key
	read   []place // from the next place on
	rest   bool    // there may be more behind them
	size   int     // how many are read at a time
	taken  int     // how many of those were asked for
}

// newIndexRun returns the run behind after, nil for all of it.
func newIndexRun(tx kv.Tx, prefix kv.Key, after *Position) (*indexRun, error) {
	r := &indexRun{tx: tx, prefix: prefix, size: minKeysRead}
	if after == nil {
		return r, r.fill(nil)
	}
	return r, r.fill(after.append(prefix))
}

// fill reads the keys that come behind one.
func (r *indexRun) fill(behind kv.Key) error {
	r.read, r.rest, r.taken = make([]place, 0, r.size), false, 0
	for item, err := range r.tx.Scan(r.prefix, behind) {
		if err != nil {
			return err
		}
		if r.read = append(r.read, place(item.Key[len(r.prefix):])); len(r.read) == r.size {
			r.rest = true
			break
		}
	}
	return nil
}

func (r *indexRun) at() place {
	if len(r.read) == 0 {
		return nil
	}
	return r.read[0]
}

func (r *indexRun) next() error {
	r.taken++
	if len(r.read) > 1 || !r.rest {
		r.read = r.read[min(1, len(r.read)):]
		return nil
	}
	return r.more(r.read[0])
}

func (r *indexRun) seek(p place) error {
	n := len(r.read)
	switch {
	case n == 0 || bytes.Compare(r.read[0], p) >= 0:
		return nil
	case bytes.Compare(r.read[n-1], p) < 0 && r.rest:
		// What a place is without its last byte comes before it, and nothing that is
		// a place comes between the two.
		return r.more(p[:len(p)-1])
	case n > 1 && bytes.Compare(r.read[1], p) >= 0: // as most often
		r.read = r.read[1:]
	default:
		r.read = r.read[sort.Search(n, func(i int) bool { return bytes.Compare(r.read[i], p) >= 0 }):]
	}
	r.taken++
	return nil
}

// more reads on behind what a place begins with.
func (r *indexRun) more(behind place) error {
	if r.taken >= r.size/4 {
		r.size = min(2*r.size, maxKeysRead)
	} else {
		r.size = max(r.size/2, minKeysRead)
	}
	return r.fill(slices.Concat(r.prefix, kv.Key(behind)))
}

// placeList is places in memory, in the order of listings.
type placeList []place

func (l placeList) at() place {
	if len(l) == 0 {
		return nil
	}
	return l[0]
}

func (l *placeList) next() error {
	*l = (*l)[min(1, len(*l)):]
	return nil
}

func (l *placeList) seek(p place) error {
	*l = (*l)[sort.Search(len(*l), func(i int) bool { return bytes.Compare((*l)[i], p) >= 0 }):]
	return nil
}

// union is the places of any of some streams: a heap with the first on top,
// without those that are at their end.
type union []placeStream

// newUnion returns the union of ranges behind after.
func newUnion(tx kv.Tx, ranges []kv.Key, after *Position) (placeStream, error) {
	u := make(union, 0, len(ranges))
	for _, prefix := range ranges {
		r, err := newIndexRun(tx, prefix, after)
		if err != nil {
			return nil, err
		}
		if r.at() != nil {
			u = append(u, r)
		}
	}
	if len(u) == 1 {
		return u[0], nil
	}
	heap.Init(&u)
	return &u, nil
}

func (u union) at() place {
	if len(u) == 0 {
		return nil
	}
	return u[0].at()
}

func (u *union) next() error {
	for p := u.at(); p != nil && bytes.Equal(u.at(), p); {
		if err := u.sift((*u)[0].next()); err != nil {
			return err
		}
	}
	return nil
}

func (u *union) seek(p place) error {
	for len(*u) > 0 && bytes.Compare(u.at(), p) < 0 {
		if err := u.sift((*u)[0].seek(p)); err != nil {
			return err
		}
	}
	return nil
}

// sift finds the place of the first stream in the heap after it has moved.
func (u *union) sift(err error) error {
	switch {
	case err != nil:
	case (*u)[0].at() == nil:
		heap.Pop(u)
	default:
		heap.Fix(u, 0)
	}
	return err
}

func (u union) Len() int           { return len(u) }
func (u union) Less(i, j int) bool { return bytes.Compare(u[i].at(), u[j].at()) < 0 }
func (u union) Swap(i, j int)      { u[i], u[j] = u[j], u[i] }
func (u *union) Push(x any)        { *u = append(*u, x.(placeStream)) }
func (u *union) Pop() any {
	last := (*u)[len(*u)-1]
	*u = (*u)[:len(*u)-1]
	return last
}

// meet brings streams to the first place that all of them have, and returns it;
// nil if there is none any more. Each of them leaps to where another one is, so
// that it takes about as many steps as the shortest has places.
func meet(streams []placeStream) (place, error) {
	p := streams[0].at()
	for agreed, i := 1, 1; p != nil && agreed < len(streams); i++ {
		s := streams[i%len(streams)]
		if err := s.seek(p); err != nil {
			return nil, err
		}
		if at := s.at(); bytes.Equal(at, p) {
			agreed++
		} else {
			p, agreed = at, 1
		}
	}
	return p, nil
}
