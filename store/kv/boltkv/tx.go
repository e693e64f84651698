package boltkv

import (
	"bytes"
	"fmt"
	"iter"

	bolt "go.etcd.io/bbolt"

	"scalelite/store/kv"
)

// tx is what one closure sees. A closure has a tx of its own even when it
// shares a bbolt transaction with others, so that one that leaked out of its
// closure cannot write into what came after.
type tx struct {
	bucket   *bolt.Bucket // nil once the closure has returned
	writable bool
	writes   int // counts changes: a cursor is only good until the next one
	// undo, if logging, holds what brings the bucket back to where the closure
	// found it, to be applied from the end.
	logging bool
	undo    []change
}

// change sets key to value, or removes it when value is nil.
type change struct{ key, value []byte }

func newTx(btx *bolt.Tx) *tx {
	return &tx{bucket: btx.Bucket([]byte(bucketName)), writable: btx.Writable()}
}

func (t *tx) end() { t.bucket = nil }

func (t *tx) Get(key []byte) ([]byte, error) {
	if t.bucket == nil {
		return nil, kv.ErrTxEnded
	}
	if v := t.bucket.Get(key); v != nil {
		return v, nil
	}
	return nil, kv.ErrNotFound
}

func (t *tx) Put(key, value []byte) error {
	if err := t.mayWrite(); err != nil {
		return err
	}
	if len(key) == 0 || len(key) > kv.MaxKeySize {
		return fmt.Errorf("%w: %d bytes", kv.ErrKeySize, len(key))
	}
	t.remember(key)
	// bbolt keeps the value until the commit, which is after the closure.
	copied := make([]byte, len(value))
	copy(copied, value)
	if err := t.bucket.Put(key, copied); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	t.writes++
	return nil
}

func (t *tx) Delete(key []byte) error {
	if err := t.mayWrite(); err != nil {
		return err
	}
	if t.bucket.Get(key) == nil {
		return nil
	}
	t.remember(key)
	if err := t.bucket.Delete(key); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	t.writes++
	return nil
}

func (t *tx) mayWrite() error {
	switch {
	case t.bucket == nil:
		return kv.ErrTxEnded
	case !t.writable:
		return kv.ErrReadOnly
	}
	return nil
}

// remember logs what key holds now. Values of bbolt stay as they are until the
// transaction ends, so only the key needs a copy.
func (t *tx) remember(key []byte) {
	if t.logging {
		t.undo = append(t.undo, change{bytes.Clone(key), t.bucket.Get(key)})
	}
}

// revert takes back everything the closure did.
func (t *tx) revert() error {
	for ; len(t.undo) > 0; t.undo = t.undo[:len(t.undo)-1] {
		c := t.undo[len(t.undo)-1]
		var err error
		if c.value == nil {
			err = t.bucket.Delete(c.key)
		} else {
			err = t.bucket.Put(c.key, c.value)
		}
		if err != nil {
			return fmt.Errorf("take back a write: %w", err)
		}
	}
	return nil
}

// Scan walks a cursor and, when the body of the loop has written, looks for
// its place again.
func (t *tx) Scan(prefix, after []byte) iter.Seq2[kv.Item, error] {
	return func(yield func(kv.Item, error) bool) {
		if t.bucket == nil {
			yield(kv.Item{}, kv.ErrTxEnded)
			return
		}
		c := t.bucket.Cursor()
		key, value := seek(c, prefix, after)
		for key != nil && bytes.HasPrefix(key, prefix) {
			writes := t.writes
			if !yield(kv.Item{Key: key, Value: value}, nil) {
				return
			}
			switch {
			case t.bucket == nil:
				yield(kv.Item{}, kv.ErrTxEnded)
				return
			case t.writes == writes:
				key, value = c.Next()
			default:
				key, value = seek(c, prefix, key)
			}
		}
	}
}

// seek puts c on the first key that is not below prefix and, unless after is
// nil, above after.
func seek(c *bolt.Cursor, prefix, after []byte) (key, value []byte) {
	if after == nil || bytes.Compare(after, prefix) < 0 {
		if len(prefix) == 0 {
			return c.First()
		}
		return c.Seek(prefix)
	}
	if len(after) == 0 {
		return c.First()
	}
	key, value = c.Seek(after)
	if bytes.Equal(key, after) {
		return c.Next()
	}
	return key, value
}
