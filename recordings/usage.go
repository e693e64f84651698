package recordings

import (
	"context"
	"sync"
	"time"

	"scalelite/store"
)

// Usage is how many bytes the files of the recordings have, by their records.
type Usage struct {
	Published   int64 `json:"published"`
	Unpublished int64 `json:"unpublished"`
	Trash       int64 `json:"trash"`
}

// usageCache keeps what was added up: with many recordings that takes seconds.
type usageCache struct {
	mu    sync.Mutex
	value Usage
	at    time.Time
	took  time.Duration
}

// Bounds of how old a Usage may be that is handed out again.
const (
	usageFresh = 10 * time.Second
	usageShare = 50 // times what adding up took
)

// Usage adds up the disk use of the recordings. It may be seconds old, with very
// many recordings minutes.
func (l *Library) Usage(ctx context.Context) (Usage, error) {
	u := &l.usage
	u.mu.Lock()
	defer u.mu.Unlock()
	if age := time.Since(u.at); !u.at.IsZero() && age < max(usageFresh, usageShare*u.took) {
		return u.value, nil
	}
	begun := time.Now()
	var sum Usage
	err := l.pages(ctx, treeStates(), func(page []store.Recording) error {
		for _, r := range page {
			if r.State == store.Published {
				sum.Published += bytesOf(r)
			} else {
				sum.Unpublished += bytesOf(r)
			}
		}
		return nil
	})
	if err != nil {
		return Usage{}, err
	}
	trash, err := l.trashContents(ctx)
	if err != nil {
		return Usage{}, err
	}
	for _, t := range trash {
		sum.Trash += bytesOf(t.Recording)
	}
	u.value, u.at, u.took = sum, time.Now(), time.Since(begun)
	return sum, nil
}

func bytesOf(r store.Recording) (sum int64) {
	for _, f := range r.Formats {
		sum += f.Bytes
	}
	return sum
}

func (l *Library) trashContents(ctx context.Context) (all []store.Trashed, err error) {
	err = l.store.View(ctx, func(tx *store.Tx) (err error) {
		all, err = store.Collect(tx.TrashedRecordings())
		return err
	})
	return all, err
}

// pageSize is how many recordings are read in one transaction: few enough that
// nobody who writes waits for long.
const pageSize = 200

// pages hands all recordings in the states to fn, some at a time and outside
// of a transaction, newest start first.
func (l *Library) pages(ctx context.Context, states []store.RecordingState, fn func([]store.Recording) error) error {
	return l.pagesAfter(ctx, states, nil, fn)
}

func (l *Library) pagesAfter(ctx context.Context, states []store.RecordingState, after *store.Position, fn func([]store.Recording) error) error {
	for {
		var page []store.Recording
		err := l.store.View(ctx, func(tx *store.Tx) error {
			page = page[:0]
			for r, err := range tx.Recordings(store.RecordingFilter{States: states}, after) {
				if err != nil {
					return err
				}
				if page = append(page, r); len(page) == pageSize {
					break
				}
			}
			return nil
		})
		if err != nil || len(page) == 0 {
			return err
		}
		if err := fn(page); err != nil {
			return err
		}
		last := page[len(page)-1]
		after = &store.Position{Start: last.Start, ID: last.ID}
	}
}
