package boltkv

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"testing"

	bolt "go.etcd.io/bbolt"

	"scalelite/store/kv"
)

// The benchmarks compare the engine with bbolt for the same bytes in the same
// run: a record of 400 bytes and an index entry, as a create writes them.
//
//	go test -run '^$' -bench . -count 5 ./store/kv/boltkv/
const recordSize = 400

// benchKeys returns the two keys of record n, spread over the key space.
func benchKeys(n uint64) (record, index []byte) {
	id := binary.BigEndian.AppendUint64(nil, n*0x9E3779B97F4A7C15)
	return append([]byte("record/"), id...), append([]byte("index/"), id...)
}

func benchEngine(b *testing.B) *Engine {
	b.Helper()
	e, err := Open(context.Background(), filepath.Join(b.TempDir(), "db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = e.Close() })
	fill(b, e, "record/", 10_000)
	return e
}

func engineUpdate(e *Engine, n uint64, value []byte) error {
	return e.Update(context.Background(), func(tx kv.Tx) error {
		record, index := benchKeys(n)
		if err := tx.Put(record, value); err != nil {
			return err
		}
		return tx.Put(index, nil)
	})
}

func boltUpdate(db *bolt.DB, n uint64, value []byte) error {
	return db.Update(func(tx *bolt.Tx) error {
		record, index := benchKeys(n)
		b := tx.Bucket([]byte(bucketName))
		if err := b.Put(record, value); err != nil {
			return err
		}
		return b.Put(index, nil)
	})
}

func BenchmarkUpdate(b *testing.B) {
	value := make([]byte, recordSize)
	bench := func(name string, update func(e *Engine, n uint64) error) {
		b.Run("one/"+name, func(b *testing.B) {
			e := benchEngine(b)
			for n := uint64(0); b.Loop(); n++ {
				if err := update(e, n); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("64/"+name, func(b *testing.B) {
			e := benchEngine(b)
			var n atomic.Uint64
			before := e.Stats()
			b.SetParallelism(32) // times 2 processors
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := update(e, n.Add(1)); err != nil {
						b.Error(err)
					}
				}
			})
			if after := e.Stats(); after.Commits > before.Commits {
				b.ReportMetric(float64(after.Updates-before.Updates)/float64(after.Commits-before.Commits), "updates/commit")
			}
		})
	}
	bench("bolt", func(e *Engine, n uint64) error { return boltUpdate(e.db, n, value) })
	bench("engine", func(e *Engine, n uint64) error { return engineUpdate(e, n, value) })
}

func BenchmarkViewGet(b *testing.B) {
	value := make([]byte, recordSize)
	const records = 10_000
	bench := func(name string, get func(e *Engine, key []byte) error) {
		b.Run(name, func(b *testing.B) {
			e := benchEngine(b)
			err := e.Update(context.Background(), func(tx kv.Tx) error {
				for n := range uint64(records) {
					record, _ := benchKeys(n)
					if err := tx.Put(record, value); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					record, _ := benchKeys(rand.Uint64N(records))
					if err := get(e, record); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
	bench("bolt", func(e *Engine, key []byte) error {
		return e.db.View(func(tx *bolt.Tx) error {
			if tx.Bucket([]byte(bucketName)).Get(key) == nil {
				return kv.ErrNotFound
			}
			return nil
		})
	})
	bench("engine", func(e *Engine, key []byte) error {
		return e.View(context.Background(), func(tx kv.Tx) error {
			_, err := tx.Get(key)
			return err
		})
	})
}

func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "db")
	e, err := Open(context.Background(), path, Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	fill(b, e, "record/", 100_000)
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if err := Verify(context.Background(), path); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			e, err := Open(context.Background(), path, Options{})
			if err != nil {
				b.Fatal(err)
			}
			_ = e.Close()
		}
	})
}
