package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync/atomic"
	"time"

	"scalelite/store/kv"
)

// ErrNotFound is what the lookups return for a record that is not there.
var ErrNotFound = errors.New("not found")

// ErrConflict is returned where a record would take what another one has.
var ErrConflict = errors.New("conflict")

// Store is the database. It is safe for concurrent use.
type Store struct {
	engine kv.Engine
	now    func() time.Time

	lookups lookups

	// writeFailed remembers that the last Update did not reach the disk, so that
	// Healthy need not write to find out.
	writeFailed atomic.Pointer[error]
}

// Options of New.
type Options struct {
	// Now gives the time of a transaction; nil: time.Now.
	Now func() time.Time
	// BeforeMigration is called with the schema versions from and to before the
	// first step of a migration of an existing database, to copy it. An error
	// stops the migration; nil: no copy.
	BeforeMigration func(ctx context.Context, from, to int) error
}

// New returns the store on engine and brings its schema up to date: all steps in
// one transaction. It refuses a schema newer than its own.
func New(ctx context.Context, engine kv.Engine, o Options) (*Store, error) {
	s := &Store{engine: engine, now: o.Now}
	if s.now == nil {
		s.now = time.Now
	}
	if err := s.migrate(ctx, migrations(), o.BeforeMigration); err != nil {
		return nil, err
	}
	return s, nil
}

// Close closes the engine.
func (s *Store) Close() error { return s.engine.Close() }

// Snapshot writes a copy of the database in its present state to w.
func (s *Store) Snapshot(ctx context.Context, w io.Writer) error {
	return s.engine.Snapshot(ctx, w)
}

// View runs fn on a consistent state. The rules of kv.Engine hold for fn.
func (s *Store) View(ctx context.Context, fn func(*Tx) error) error {
	return s.engine.View(ctx, func(t kv.Tx) error {
		return fn(&Tx{kv: t, Now: s.now()})
	})
}

// Update runs fn and makes what it did durable. The rules of kv.Engine hold for
// fn: it may run more than once.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	var refused bool
	var touched []MeetingKey
	err := s.engine.Update(ctx, func(t kv.Tx) error {
		tx := &Tx{kv: t, Now: s.now()}
		err := fn(tx)
		refused, touched = err != nil, tx.touched
		return err
	})
	// Also after an error: one that is unclear may have been committed.
	s.lookups.forget(touched)
	switch {
	case err == nil:
		s.writeFailed.Store(nil)
	case !refused && ctx.Err() == nil:
		s.writeFailed.Store(&err)
	}
	return err
}

// Healthy reports whether the database can be read and written. It writes only
// if the last write failed.
func (s *Store) Healthy(ctx context.Context) error {
	err := s.View(ctx, func(tx *Tx) error {
		_, err := tx.schema()
		return err
	})
	if err != nil {
		return fmt.Errorf("read the database: %w", err)
	}
	if s.writeFailed.Load() == nil {
		return nil
	}
	err = s.Update(ctx, func(tx *Tx) error {
		return tx.put(probeKey, tx.Now)
	})
	if err != nil {
		return fmt.Errorf("write the database: %w", err)
	}
	return nil
}

// Tx is one transaction on the records. It belongs to the goroutine that runs
// the closure.
type Tx struct {
	kv kv.Tx
	// Now is the one time of the transaction.
	Now time.Time

	touched []MeetingKey // meetings that were put or deleted
}

func (tx *Tx) put(key kv.Key, record any) error {
	value, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encode a record: %w", err)
	}
	return tx.kv.Put(key, value)
}

// get decodes the record at key, or returns ErrNotFound.
func get[T any](tx *Tx, key kv.Key) (T, error) {
	var record T
	value, err := tx.kv.Get(key)
	switch {
	case errors.Is(err, kv.ErrNotFound):
		return record, ErrNotFound
	case err != nil:
		return record, err
	}
	if err := json.Unmarshal(value, &record); err != nil {
		return record, fmt.Errorf("decode a record: %w", err)
	}
	return record, nil
}

// list decodes the records whose key begins with prefix, in key order.
func list[T any](tx *Tx, prefix kv.Key) iter.Seq2[T, error] { return listAfter[T](tx, prefix, nil) }

// listAfter is list from behind a key on, nil for all.
func listAfter[T any](tx *Tx, prefix kv.Key, after []byte) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for item, err := range tx.kv.Scan(prefix, after) {
			var record T
			if err == nil {
				if err = json.Unmarshal(item.Value, &record); err != nil {
					err = fmt.Errorf("decode a record: %w", err)
				}
			}
			if !yield(record, err) || err != nil {
				return
			}
		}
	}
}

// Collect gathers a listing, or returns its first error.
func Collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for record, err := range seq {
		if err != nil {
			return nil, err
		}
		all = append(all, record)
	}
	return all, nil
}
