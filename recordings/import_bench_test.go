package recordings

import (
	"bytes"
	"context"
	"crypto/sha1"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"scalelite/store"
	"scalelite/store/kv/boltkv"
)

var benchTarballs = flag.Int("tarballs", 1000, "small recordings of BenchmarkImportSmall")

// benchShelf is a library on the disk of TMPDIR, with a database that syncs.
func benchShelf(b *testing.B) (*Library, string) {
	b.Helper()
	dir := b.TempDir()
	engine, err := boltkv.Open(context.Background(), filepath.Join(dir, "bench.db"), boltkv.Options{})
	if err != nil {
		b.Fatal(err)
	}
	s, err := store.New(context.Background(), engine, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	l, err := Open(context.Background(), Options{Store: s, Config: shelfConfig(dir), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = l.Close()
		_ = s.Close()
	})
	return l, dir
}

// benchFormat writes a format's metadata.xml and count files of size bytes.
func benchFormat(b *testing.B, dir, format, id string, count, size int) {
	b.Helper()
	at := filepath.Join(dir, format, id)
	if err := os.MkdirAll(at, 0o755); err != nil {
		b.Fatal(err)
	}
	xml := fmt.Sprintf(`<recording><id>%s</id><state>published</state><published>true</published><start_time>1700000000000</start_time>`+
		`<end_time>1700003600000</end_time><meta><meetingId>room</meetingId><meetingName>A class</meetingName></meta>`+
		`<playback><format>%s</format><link>/playback/%s/%s</link><duration>3600000</duration></playback></recording>`, id, format, format, id)
	if err := os.WriteFile(filepath.Join(at, "metadata.xml"), []byte(xml), 0o644); err != nil {
		b.Fatal(err)
	}
	block := bytes.Repeat([]byte("0123456789abcde\n"), min(size, 1<<20)/16+1)
	for n := range count {
		f, err := os.Create(filepath.Join(at, fmt.Sprintf("file-%d-%d", size, n)))
		if err != nil {
			b.Fatal(err)
		}
		for left := size; left > 0; left -= len(block) {
			if _, err := f.Write(block[:min(left, len(block))]); err != nil {
				b.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// pack makes a tarball of dir's contents with GNU tar and removes them.
func pack(b *testing.B, dir, tarball string) {
	b.Helper()
	if out, err := exec.Command("tar", "-C", dir, "-cf", tarball, ".").CombinedOutput(); err != nil {
		b.Fatalf("tar: %v: %s", err, out)
	}
	if err := os.RemoveAll(dir); err != nil {
		b.Fatal(err)
	}
}

// race imports tarballs and extracts them with tar -xf, in turns, each side from
// a quiet disk, and reports both.
func race(b *testing.B, tarballs []string) {
	var ours, theirs time.Duration
	for b.Loop() {
		l, dir := benchShelf(b)
		quiet(b)
		began := time.Now()
		importAll(b, l, tarballs)
		ours += time.Since(began)
		into := filepath.Join(dir, "tar")
		if err := os.Mkdir(into, 0o755); err != nil {
			b.Fatal(err)
		}
		quiet(b)
		began = time.Now()
		for _, t := range tarballs {
			if out, err := exec.Command("tar", "-C", into, "-xf", t).CombinedOutput(); err != nil {
				b.Fatalf("tar: %v: %s", err, out)
			}
		}
		theirs += time.Since(began)
		for _, d := range []string{into, filepath.Join(dir, "data")} {
			if err := os.RemoveAll(d); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ours.Seconds()/float64(b.N), "s-import")
	b.ReportMetric(theirs.Seconds()/float64(b.N), "s-tar")
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
}

// importAll imports as many at once as the spool does.
func importAll(b *testing.B, l *Library, tarballs []string) {
	b.Helper()
	var workers sync.WaitGroup
	next := make(chan string)
	for range runtime.NumCPU() {
		workers.Go(func() {
			for t := range next {
				if _, err := l.Import(context.Background(), t, nil); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for _, t := range tarballs {
		next <- t
	}
	close(next)
	workers.Wait()
}

func quiet(b *testing.B) {
	b.Helper()
	if err := exec.Command("sync").Run(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkImportLarge imports a tarball of 2 GiB, files from 64 KiB to 1 GiB.
//
//	go test ./recordings -run '^$' -bench Import -benchtime 2x -timeout 60m -tarballs=10000
func BenchmarkImportLarge(b *testing.B) {
	dir := b.TempDir()
	src, tarball := filepath.Join(dir, "src"), filepath.Join(dir, "large.tar")
	for _, f := range []struct{ count, size int }{{1, 1 << 30}, {2, 256 << 20}, {4, 64 << 20}, {16, 8 << 20}, {64, 1 << 20}, {1024, 64 << 10}} {
		benchFormat(b, src, "video", idA, f.count, f.size)
	}
	pack(b, src, tarball)
	b.ResetTimer()
	race(b, []string{tarball})
}

// BenchmarkImportSmall imports small recordings of 3 formats with 30 files each,
// as the spool does, against tar -xf in a loop.
func BenchmarkImportSmall(b *testing.B) {
	dir := b.TempDir()
	var tarballs []string
	for n := range *benchTarballs {
		id := fmt.Sprintf("%x-%d", sha1.Sum(fmt.Append(nil, n)), 1_700_000_000_000+n)
		src := filepath.Join(dir, id)
		for _, format := range []string{"presentation", "video", "notes"} {
			benchFormat(b, src, format, id, 30, 4096)
		}
		tarballs = append(tarballs, src+".tar")
		pack(b, src, src+".tar")
	}
	b.ResetTimer()
	race(b, tarballs)
}

// BenchmarkCopyInKernel holds copying a file's data by copy_file_range, as an
// import does, against reading and writing it.
func BenchmarkCopyInKernel(b *testing.B) {
	dir := b.TempDir()
	const size = 1 << 30
	benchFormat(b, dir, "video", idA, 1, size)
	from := filepath.Join(dir, "video", idA, fmt.Sprintf("file-%d-0", size))
	var kernel, user time.Duration
	for b.Loop() {
		kernel += timedCopy(b, from, func(dst, src *os.File) (int64, error) { return dst.ReadFrom(io.LimitReader(src, size)) })
		user += timedCopy(b, from, func(dst, src *os.File) (int64, error) {
			return io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, make([]byte, 1<<20))
		})
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(kernel.Seconds()/float64(b.N), "s-kernel")
	b.ReportMetric(user.Seconds()/float64(b.N), "s-program")
	b.ReportMetric(kernel.Seconds()/user.Seconds(), "ratio")
}

func timedCopy(b *testing.B, from string, do func(dst, src *os.File) (int64, error)) time.Duration {
	b.Helper()
	src, err := os.Open(from)
	if err != nil {
		b.Fatal(err)
	}
	defer src.Close()
	dst, err := os.Create(from + ".copy")
	if err != nil {
		b.Fatal(err)
	}
	defer os.Remove(dst.Name())
	quiet(b)
	began := time.Now()
	if _, err := do(dst, src); err != nil {
		b.Fatal(err)
	}
	if err := dst.Sync(); err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	if err := dst.Close(); err != nil {
		b.Fatal(err)
	}
	return took
}
