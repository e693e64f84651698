// Package kv is the seam below the store: an ordered key-value engine with
// serializable transactions, and the key encoding that the store builds its
// tables and indexes with. It knows nothing of servers or meetings.
//
// An engine is complete when it passes the suite in kvtest. boltkv is the
// engine of one machine.
package kv

import (
	"context"
	"errors"
	"io"
	"iter"
)

var (
	// ErrNotFound is what Get returns for a key that is not there.
	ErrNotFound = errors.New("key not found")
	// ErrLocked is what opening returns when another process has the database.
	ErrLocked = errors.New("database is locked by another process")
	// ErrReadOnly is what Put and Delete return inside View.
	ErrReadOnly = errors.New("write in a read transaction")
	// ErrKeySize is what Put returns for an empty key or one above MaxKeySize.
	ErrKeySize = errors.New("key is empty or too long")
	// ErrClosed is what every call returns after Close.
	ErrClosed = errors.New("database is closed")
	// ErrTxEnded is what a Tx returns after its closure has returned.
	ErrTxEnded = errors.New("transaction has ended")
)

// MaxKeySize is the longest key in bytes that every engine takes.
const MaxKeySize = 32 << 10

// Engine is the one storage seam.
//
// The closure given to View and Update may run more than once and its first
// runs may be undone: it must have no side effects but those on its Tx, and
// must set, not add to, what it hands out. No slice that came from a Tx may be
// kept or changed after the closure has returned.
type Engine interface {
	// View runs fn on a consistent, read-only state.
	View(ctx context.Context, fn func(Tx) error) error
	// Update runs fn and commits what it did, durably, if it returned nil;
	// otherwise nothing of it remains and the error is handed back. Updates
	// are serializable: each sees everything of those before it.
	Update(ctx context.Context, fn func(Tx) error) error
	// Snapshot writes a consistent copy of the whole database, in the engine's
	// own file format, while others read and write.
	Snapshot(ctx context.Context, w io.Writer) error
	// Close waits for running transactions and releases the database.
	Close() error
}

// Tx is one transaction. It belongs to the goroutine that runs the closure.
type Tx interface {
	// Get returns the value of key, or ErrNotFound. An empty value is not nil.
	Get(key []byte) ([]byte, error)
	// Put sets the value of key.
	Put(key, value []byte) error
	// Delete removes key; a key that is not there is no error.
	Delete(key []byte) error
	// Scan yields in key order the items whose key begins with prefix and is
	// greater than after (nil: from the first). The loop body may Put and
	// Delete: items ahead of the cursor are seen as they are when it gets there.
	Scan(prefix, after []byte) iter.Seq2[Item, error]
}

// Item is one key and its value.
type Item struct {
	Key, Value []byte
}
