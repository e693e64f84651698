package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"scalelite/store/kv"
)

// recordingsCached bounds a RecordingCache.
const recordingsCached = 256

// RecordingCache remembers how records of recordings decode, for whoever reads
// the same ones again and again: a page that plays one loads hundreds of files,
// and each asks for the record. What counts is always the record as it is in the
// store; only decoding the same bytes again is spared. The zero value is ready,
// and safe for concurrent use.
type RecordingCache struct {
	mu    sync.RWMutex
	known map[string]decodedRecording
}

type decodedRecording struct {
	raw       []byte
	recording Recording
}

// Recording returns the recording with this ID, or ErrNotFound. What it returns
// is shared: its lists and maps must not be changed.
func (c *RecordingCache) Recording(tx *Tx, id string) (Recording, error) {
	if len(id) > MaxRecordID {
		return Recording{}, ErrNotFound
	}
	raw, err := tx.kv.Get(recordingTable.String(id))
	if errors.Is(err, kv.ErrNotFound) {
		return Recording{}, ErrNotFound
	}
	if err != nil {
		return Recording{}, err
	}
	c.mu.RLock()
	known, ok := c.known[id]
	c.mu.RUnlock()
	if ok && bytes.Equal(known.raw, raw) {
		return known.recording, nil
	}
	known = decodedRecording{raw: bytes.Clone(raw)}
	if err := json.Unmarshal(raw, &known.recording); err != nil {
		return Recording{}, fmt.Errorf("decode a record: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[string]decodedRecording{}
	}
	for other := range c.known {
		if len(c.known) < recordingsCached {
			break
		}
		delete(c.known, other) // any: what is played comes back at once
	}
	c.known[id] = known
	return known.recording, nil
}
