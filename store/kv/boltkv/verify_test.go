package boltkv

import (
	"bytes"
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// tryFile opens the file that b makes, and if that works reads and writes all
// of it. It reports whether it was taken.
func tryFile(t *testing.T, b []byte) bool {
	t.Helper()
	ctx := context.Background()
	path := write(t, b)
	verifyErr := Verify(ctx, path)
	e, err := Open(ctx, path, Options{NoSync: true})
	if err != nil {
		if verifyErr == nil {
			t.Errorf("verify takes what open refuses: %v", err)
		}
		return false
	}
	n := count(t, e)
	// Two commits replace both meta pages, of which one may have been torn.
	fill(t, e, "c", 50)
	fill(t, e, "c", 50)
	if got := count(t, e); got < n {
		t.Errorf("%d items became %d", n, got)
	}
	if err := e.Check(ctx); err != nil {
		t.Errorf("open takes what bbolt's own check does not: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	return true
}

// TestDamageIsFoundBeforeBoltMeetsIt flips bytes in page headers and element
// tables, where it hurts. Without verification this ends the process.
func TestDamageIsFoundBeforeBoltMeetsIt(t *testing.T) {
	t.Parallel()
	good := image(t, 600)
	if !tryFile(t, good) {
		t.Fatal("the undamaged file is refused")
	}
	refused := 0
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 4))
		b := bytes.Clone(good)
		for range 1 + rnd.IntN(3) {
			page, at := rnd.IntN(len(b)/4096), rnd.IntN(96)
			b[page*4096+at] = byte(rnd.Uint32())
		}
		if !tryFile(t, b) {
			refused++
		}
	}
	// Some of it hits free pages, and some writes what was there.
	if refused < 100 {
		t.Errorf("only %d of 300 damaged files were refused", refused)
	}
}

func FuzzVerify(f *testing.F) {
	good := image(f, 120)
	f.Add(uint32(0), []byte{})
	f.Add(uint32(16), []byte{1})
	f.Add(uint32(4096*3), []byte{0xFF, 0xFF})
	f.Add(uint32(4096*3+10), []byte{0xFF, 0xFF, 0xFF})
	f.Add(uint32(4096*4+16), []byte{0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF})
	f.Fuzz(func(t *testing.T, at uint32, change []byte) {
		b := bytes.Clone(good)
		copy(b[int(at)%len(b):], change)
		tryFile(t, b)
	})
}

// FuzzVerifyGarbage has nothing of a database but what the fuzzer finds out.
func FuzzVerifyGarbage(f *testing.F) {
	f.Add([]byte("garbage"))
	f.Add(image(f, 3)[:8192])
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = verify(context.Background(), bytes.NewReader(b), int64(len(b)), false)
	})
}

// Files that bbolt wrote with other options, with lists of free pages and
// other page sizes, are databases too.
func TestVerifyTakesWhatBoltWrites(t *testing.T) {
	t.Parallel()
	for _, pageSize := range []int{1024, 4096, 16384} {
		for _, noList := range []bool{false, true} {
			path := filepath.Join(t.TempDir(), "db")
			db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: pageSize, NoFreelistSync: noList, NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			rnd := rand.New(rand.NewPCG(uint64(pageSize), 5))
			for range 60 {
				if err := db.Update(func(tx *bolt.Tx) error { return randomWrites(tx, rnd) }); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if err := Verify(context.Background(), path); err != nil {
				t.Errorf("page size %d, no list of free pages %v: %v", pageSize, noList, err)
			}
			e := openTest(t, path, Options{NoSync: true})
			fill(t, e, "x", 100)
		}
	}
}

func randomWrites(tx *bolt.Tx, rnd *rand.Rand) error {
	b, err := tx.CreateBucketIfNotExists([]byte(bucketName))
	if err != nil {
		return err
	}
	for range 200 {
		key := make([]byte, 1+rnd.IntN(600))
		key[0] = byte(rnd.Uint32())
		if err := b.Put(key, make([]byte, rnd.IntN(2000))); err != nil {
			return err
		}
	}
	for k, _ := b.Cursor().Seek([]byte{byte(rnd.Uint32())}); k != nil && rnd.IntN(100) > 0; k, _ = b.Cursor().Seek(k) {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
