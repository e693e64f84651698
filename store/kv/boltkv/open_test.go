package boltkv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"scalelite/store/kv"
)

// fill puts n items of 100 bytes under keys that begin with prefix.
func fill(t testing.TB, e *Engine, prefix string, n int) {
	t.Helper()
	err := e.Update(context.Background(), func(tx kv.Tx) error {
		for i := range n {
			if err := tx.Put(fmt.Appendf(nil, "%s%06d", prefix, i), bytes.Repeat([]byte{byte(i)}, 100)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// image returns the bytes of a database file with n items; a few of its pages
// are free.
func image(t testing.TB, n int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	e, err := Open(context.Background(), path, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, e, "a", n)
	fill(t, e, "b", n/2)
	fill(t, e, "a", n/4)
	var b bytes.Buffer
	if err := errors.Join(e.Snapshot(context.Background(), &b), e.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// write puts b into a new file and returns its path.
func write(t testing.TB, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	if err := os.WriteFile(path, b, 0o640); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenMakesDirectoryAndFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "one", "two", "db")
	openTest(t, path, Options{})
	for p, want := range map[string]os.FileMode{path: 0o640, filepath.Dir(path): 0o750 | os.ModeDir} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		// The umask may take more away, and must not have been widened.
		if info.Mode()&^want != 0 || info.Mode()&0o700 != want&0o700 {
			t.Errorf("mode of %s is %v, want %v", p, info.Mode(), want)
		}
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("there are %v beside the database, %v", files, err)
	}
}

func TestOpenTakesAnEmptyFile(t *testing.T) {
	t.Parallel()
	e := openTest(t, write(t, nil), Options{})
	fill(t, e, "a", 3)
}

// A crash while the first pages are written leaves a file that has not got its
// name yet.
func TestOpenAfterACrashDuringCreation(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "db")
	if err := os.WriteFile(path+newSuffix, []byte("half a page"), 0o640); err != nil {
		t.Fatal(err)
	}
	e := openTest(t, path, Options{})
	fill(t, e, "a", 3)
	if _, err := os.Stat(path + newSuffix); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half file is still there: %v", err)
	}
}

// Many processes start at once where nothing is: one gets the database, and
// what it writes is found by those that get it later.
func TestOpenAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "db")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			e, err := Open(context.Background(), path, Options{NoSync: true, LockTimeout: time.Minute})
			if err != nil {
				t.Error(err)
				return
			}
			err = e.Update(context.Background(), func(tx kv.Tx) error { return tx.Put([]byte{byte(i)}, nil) })
			if err := errors.Join(err, e.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	e := openTest(t, path, Options{})
	if n := count(t, e); n != 8 {
		t.Errorf("%d of 8 writes are there", n)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("there are %v beside the database, %v", files, err)
	}
}

// One that comes too late with a new file must not put it in place of the
// database that another has made meanwhile.
func TestClaim(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "db")
	f, err := os.Create(path + newSuffix)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if fresh, err := claim(f, path); !fresh || err != nil {
		t.Errorf("claim where nothing is: %v, %v", fresh, err)
	}
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if fresh, err := claim(f, path); fresh || err != nil {
		t.Errorf("claim where a database is: %v, %v", fresh, err)
	}
	if _, err := os.Stat(path + newSuffix); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the new file is still there: %v", err)
	}
}

// count scans everything.
func count(t testing.TB, e *Engine) (n int) {
	t.Helper()
	err := e.View(context.Background(), func(tx kv.Tx) error {
		n = 0
		for _, err := range tx.Scan(nil, nil) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOpenWaitsForTheLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "db")
	first := openTest(t, path, Options{})

	_, err := Open(context.Background(), path, Options{LockTimeout: time.Millisecond})
	if !errors.Is(err, kv.ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("open of a locked database: %v", err)
	}
	if err := Verify(context.Background(), path); !errors.Is(err, kv.ErrLocked) {
		t.Errorf("verify of a locked database: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(ctx, path, Options{LockTimeout: time.Hour}); !errors.Is(err, context.Canceled) {
		t.Errorf("open of a locked database with an ended context: %v", err)
	}

	opened := make(chan error)
	go func() {
		e, err := Open(context.Background(), path, Options{LockTimeout: time.Minute})
		if err == nil {
			err = e.Close()
		}
		opened <- err
	}()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Errorf("open once the lock was released: %v", err)
	}
}

// While one waits for the lock, restore may put another file in place.
func TestOpenTakesTheFileThatHasTheName(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "db")
	other := write(t, image(t, 10))
	first, err := Open(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := sameFile(f, path); err != nil {
		t.Errorf("the file itself: %v", err)
	}
	if err := errors.Join(os.Rename(other, path), first.Close()); err != nil {
		t.Fatal(err)
	}
	if err := sameFile(f, path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that was replaced: %v", err)
	}
	if n := count(t, openTest(t, path, Options{})); n != 15 {
		t.Errorf("%d items, want those of the new file", n)
	}
}

// TestOpenRefusals: every refusal names the path and says what to do.
func TestOpenRefusals(t *testing.T) {
	t.Parallel()
	good := image(t, 400)
	foreign := filepath.Join(t.TempDir(), "foreign")
	db, err := bolt.Open(foreign, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("images")); return err })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	wrongVersion := bytes.Clone(good)
	wrongVersion[headerSize+4], wrongVersion[4096+headerSize+4] = 9, 9
	wrongSum := bytes.Clone(good)
	wrongSum[headerSize+20] ^= 1
	wrongSum[4096+headerSize+20] ^= 1
	for name, c := range map[string]struct{ path, problem, remedy string }{
		"directory":       {t.TempDir(), "is a directory", "give the path of the database file"},
		"named pipe":      {fifo, "is a named pipe", "give the path of the database file"},
		"below a file":    {filepath.Join(write(t, good), "db"), "not a directory", "give another path"},
		"text":            {write(t, []byte(strings.Repeat("no database\n", 1000))), "is no database", "move it away"},
		"short text":      {write(t, []byte("x")), "is no database", "move it away"},
		"zeros":           {write(t, make([]byte, 1<<20)), "is no database", "move it away"},
		"one page":        {write(t, good[:4096]), "cut short", "restore a backup"},
		"cut short":       {write(t, good[:len(good)-1]), "cut short", "restore a backup"},
		"zeros at end":    {write(t, append(bytes.Clone(good[:4096*4]), make([]byte, len(good))...)), "damaged", "restore a backup"},
		"later version":   {write(t, wrongVersion), "format version 9", "use the program that wrote it"},
		"bad sums":        {write(t, wrongSum), "damaged", "restore a backup"},
		"another program": {foreign, `another program (it holds "images")`, "give another path"},
	} {
		t.Run(name, func(t *testing.T) {
			before := content(c.path)
			for what, err := range map[string]error{
				"open": func() error {
					_, err := Open(context.Background(), c.path, Options{LockTimeout: time.Second})
					return err
				}(),
				"verify": Verify(context.Background(), c.path),
			} {
				if err == nil || !strings.Contains(err.Error(), what+" "+c.path) || !strings.Contains(err.Error(), c.problem) {
					t.Errorf("%s: %v; want one with the path and %q", what, err, c.problem)
				} else if what == "open" && !strings.Contains(err.Error(), c.remedy) {
					t.Errorf("%s: %v; want a remedy with %q", what, err, c.remedy)
				}
			}
			if !bytes.Equal(before, content(c.path)) {
				t.Error("the file was changed")
			}
		})
	}
}

// content returns what a regular file holds.
func content(path string) []byte {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	b, _ := os.ReadFile(path)
	return b
}

func TestOneTornMetaPageIsSurvived(t *testing.T) {
	t.Parallel()
	for _, page := range []int{0, 1} {
		b := image(t, 100)
		copy(b[4096*page:], make([]byte, 512))
		path := write(t, b)
		if err := Verify(context.Background(), path); err != nil {
			t.Errorf("page %d: %v", page, err)
		}
		e := openTest(t, path, Options{})
		if n := count(t, e); n != 150 {
			t.Errorf("page %d: %d items are left, want 150", page, n)
		}
		// Commits write the two in turn: now both are whole again.
		fill(t, e, "a", 1)
		fill(t, e, "a", 1)
	}
}

func TestVerifyLeavesTheFileAlone(t *testing.T) {
	t.Parallel()
	path := write(t, image(t, 100))
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(context.Background(), path); err != nil {
		t.Error(err)
	}
	after, err := os.Stat(path)
	if err != nil || !after.ModTime().Equal(before.ModTime()) || after.Size() != before.Size() {
		t.Errorf("the file was changed: %v, %v", after, err)
	}
	missing := filepath.Join(t.TempDir(), "no", "such")
	if err := Verify(context.Background(), missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("verify of nothing: %v", err)
	}
	if _, err := os.Stat(filepath.Dir(missing)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("verify made something: %v", err)
	}
	if err := Verify(context.Background(), write(t, nil)); err == nil {
		t.Error("an empty file passed for a backup")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Verify(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("verify with an ended context: %v", err)
	}
}
