package unpack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// cut returns a copy of the first n bytes of a file.
func cut(t testing.TB, name string, n int) *os.File {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	to := name + ".cut"
	if err := os.WriteFile(to, data[:n], 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// large returns a tarball with a good recording and a file of n chunks.
func large(n int) []byte {
	return archive(good(), member(in("big"), '0', strings.Repeat("12345678", n*chunk/8)), member(in("z"), '0', "z"))
}

// TestEveryWayOfCopying: within the kernel, through this process between two
// file systems, and out of gzip give the same files.
func TestEveryWayOfCopying(t *testing.T) {
	t.Parallel()
	random := make([]byte, chunk+bigFile+17)
	rand.NewChaCha8([32]byte{1}).Read(random)
	data := archive(good(), member(in("random"), '0', string(random)), member(in("small"), '0', "small"))
	want := map[string]string{"presentation": "DIR", "presentation/" + recordID: "DIR",
		in("metadata.xml"): "<recording/>", in("random"): string(random), in("small"): "small"}
	for name, f := range map[string]*os.File{
		"kernel": tarFile(t, data), "gzip": tarFile(t, compressed(t, data)), "other file system": inMemory(t, data),
	} {
		if !cmp.Equal(want, unpacked(t, f)) {
			t.Errorf("%s: the extracted tree differs", name)
		}
	}
}

// inMemory returns a file with data on a file system that most likely is not
// that of the other test files.
func inMemory(t testing.TB, data []byte) *os.File {
	t.Helper()
	f, err := os.CreateTemp("/dev/shm", "unpack-test-*")
	if err != nil {
		t.Skipf("no second file system: %v", err)
	}
	t.Cleanup(func() { f.Close() })
	if err := os.Remove(f.Name()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestFileByFile synchronises as on a file system whose syncfs is not trusted.
func TestFileByFile(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	for i := range maxPending*2 + 3 {
		b.Write(member(in(fmt.Sprint(i)), '0', fmt.Sprint(i)))
	}
	f := tarFile(t, archive(b.Bytes()))
	plan := inspect(t, f)
	dst := openDir(t, filepath.Join(t.TempDir(), "dst"))
	w := &writer{ctx: t.Context(), dst: dst, progress: func(int64) {}, disk: &durable{dst: dst}}
	if err := w.pieces(f, plan); err != nil {
		t.Fatal(err)
	}
	if n := len(w.disk.pending); n != 3 {
		t.Errorf("%d files are left open, want 3", n)
	}
	if err := w.disk.finish(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	w.close()
	got := contents(t, dst.Name())
	if len(got) != maxPending*2+3+2 || got[in("130")] != "130" {
		t.Errorf("extracted %d names", len(got))
	}
}

// TestSeveralRecordings come out side by side, and are told apart in the plan.
func TestSeveralRecordings(t *testing.T) {
	t.Parallel()
	f := tarFile(t, archive(member("video/one/metadata.xml", '0', "1"), member("video/two/metadata.xml", '0', "22"),
		member("notes/one/notes.pdf", '0', "333"), member("video/one/late", '0', "4444")))
	want := []Format{
		{Name: "video", RecordID: "one", Files: 2, Bytes: 5, Metadata: true},
		{Name: "video", RecordID: "two", Files: 1, Bytes: 2, Metadata: true},
		{Name: "notes", RecordID: "one", Files: 1, Bytes: 3},
	}
	if diff := cmp.Diff(want, inspect(t, f).Formats); diff != "" {
		t.Error(diff)
	}
	if got := unpacked(t, f); got["video/one/late"] != "4444" || got["notes/one/notes.pdf"] != "333" {
		t.Errorf("extracted %v", got)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	data := large(2)
	for _, data := range [][]byte{data, compressed(t, data)} {
		f := tarFile(t, data)
		plan := inspect(t, f)
		var last int64
		calls := 0
		dst := openDir(t, filepath.Join(t.TempDir(), "dst"))
		err := Extract(t.Context(), f, plan, dst, func(n int64) {
			calls++
			if n <= last {
				t.Errorf("%d after %d", n, last)
			}
			last = n
		})
		if err != nil || last != plan.Bytes || calls < 4 {
			t.Errorf("%d calls up to %d of %d bytes: %v", calls, last, plan.Bytes, err)
		}
	}
}

// TestExtractStopsWithinAFile when the context ends, and leaves the rest to
// the caller, below dst.
func TestExtractStopsWithinAFile(t *testing.T) {
	t.Parallel()
	data := large(2)
	for _, data := range [][]byte{data, compressed(t, data)} {
		f := tarFile(t, data)
		dir := tree(t, map[string]string{"outside/secret": "s"})
		outside := treeHash(t, filepath.Join(dir, "outside"))
		dst := openDir(t, filepath.Join(dir, "dst"))
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("the service stops")
		var last int64
		err := Extract(ctx, f, inspect(t, f), dst, func(n int64) {
			if last = n; n > 100 {
				cancel(why)
			}
		})
		if !errors.Is(err, why) || last > chunk+100 {
			t.Errorf("after %d bytes: %v", last, err)
		}
		if _, err := dst.Stat(in("z")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the file after the end of the context: %v", err)
		}
		if treeHash(t, filepath.Join(dir, "outside")) != outside {
			t.Error("something outside changed")
		}
	}
}

func TestExtractOverwritesNothing(t *testing.T) {
	t.Parallel()
	f := tarFile(t, archive(good()))
	plan := inspect(t, f)
	for _, there := range []string{"dst/" + in("metadata.xml"), "dst/presentation"} {
		dir := tree(t, map[string]string{there: "mine"})
		before := treeHash(t, dir)
		if err := Extract(t.Context(), f, plan, openDir(t, filepath.Join(dir, "dst")), nil); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: got %v", there, err)
		}
		if treeHash(t, dir) != before {
			t.Errorf("%s: changed", there)
		}
	}
	dir := tree(t, map[string]string{"kept": "mine"})
	over := &Plan{of: plan.of, entries: []entry{{name: "kept"}}}
	if err := Extract(t.Context(), f, over, openDir(t, dir), nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file: got %v", err)
	}
}

// TestNameTheFileSystemDoesNotTake: some take less than the 255 bytes allowed.
func TestNameTheFileSystemDoesNotTake(t *testing.T) {
	t.Parallel()
	f := tarFile(t, archive(good()))
	plan := &Plan{of: inspect(t, f).of, entries: []entry{{name: strings.Repeat("n", 300)}}}
	refused(t, Extract(t.Context(), f, plan, openDir(t, t.TempDir()), nil))
}

// TestTarballThatChanges is never taken for the one that was inspected,
// whenever it happens.
func TestTarballThatChanges(t *testing.T) {
	t.Parallel()
	data := large(2)
	zipped := compressed(t, data)
	for name, change := range map[string]func(name string) error{
		"grows":      func(name string) error { return appendTo(name, "x") },
		"is touched": func(name string) error { return os.Chtimes(name, time.Time{}, time.Unix(1, 0)) },
		"shrinks":    func(name string) error { return os.Truncate(name, blockSize*6) },
	} {
		for _, data := range [][]byte{data, zipped} {
			f := tarFile(t, data)
			plan := inspect(t, f)
			dst := openDir(t, filepath.Join(t.TempDir(), "dst"))
			once := func(int64) {
				if change != nil {
					if err := change(f.Name()); err != nil {
						t.Error(err)
					}
				}
				change = nil
			}
			again := change
			if err := Extract(t.Context(), f, plan, dst, once); !errors.Is(err, ErrChanged) && !errors.Is(err, ErrIncomplete) {
				t.Errorf("%s meanwhile: %v", name, err)
			}
			empty := openDir(t, filepath.Join(t.TempDir(), "dst"))
			if err := Extract(t.Context(), f, plan, empty, nil); !errors.Is(err, ErrChanged) {
				t.Errorf("%s before: %v", name, err)
			}
			if n := len(contents(t, empty.Name())); n != 0 {
				t.Errorf("%s before: %d names written", name, n)
			}
			change = again
		}
	}
}

// appendTo appends data to a file.
func appendTo(name, data string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(data)
	return err
}

// TestGzipContentIsComparedWithThePlan: same size, same time, other entries.
func TestGzipContentIsComparedWithThePlan(t *testing.T) {
	t.Parallel()
	plan := inspect(t, tarFile(t, compressed(t, archive(good(), member(in("a"), '0', "a")))))
	for name, data := range map[string][]byte{
		"another name":     archive(good(), member(in("b"), '0', "a")),
		"another size":     archive(good(), member(in("a"), '0', "aa")),
		"one file less":    archive(good()),
		"one file more":    archive(good(), member(in("a"), '0', "a"), member(in("b"), '0', "a")),
		"a link":           archive(good(), header(in("a"), '2', 1)),
		"a link behind it": archive(good(), member(in("a"), '0', "a"), link(in("b"), '2', "/etc")),
	} {
		for _, f := range []*os.File{tarFile(t, compressed(t, data)), tarFile(t, data)} {
			other := *plan
			other.of, _ = stampOf(f)
			dst := openDir(t, filepath.Join(t.TempDir(), "dst"))
			if err := Extract(t.Context(), f, &other, dst, nil); !errors.Is(err, ErrChanged) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	}
}
