package unpack

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The benchmarks compare with GNU tar on the same tarballs and the same disk,
// in turns within one run; TMPDIR chooses the disk. `tar -xf` returns when the
// data are in memory, Extract when they are on the disk; "tar+sync" makes it
// wait too. Run them with
//
//	go test -run '^$' -bench . -benchtime 5x ./recordings/unpack/

// BenchmarkLarge2GiB is one recording of 2 GiB in files of 64 KiB to 1 GiB.
func BenchmarkLarge2GiB(b *testing.B) {
	dir := b.TempDir()
	for _, f := range []struct{ count, size int }{{1, 1 << 30}, {2, 256 << 20}, {4, 64 << 20}, {16, 8 << 20}, {64, 1 << 20}, {1024, 64 << 10}} {
		writeFiles(b, filepath.Join(dir, "src/video", recordID), f.count, f.size)
	}
	compare(b, dir, []string{"src"}, 1)
}

// BenchmarkSmallRecordings is 1,000 recordings of 3 formats, one tarball each:
// 30 files in all, and, with a third of the recordings, in each format.
func BenchmarkSmallRecordings(b *testing.B) {
	for _, size := range []struct{ recordings, perFormat int }{{1000, 10}, {333, 30}} {
		b.Run(fmt.Sprintf("%dFiles", 3*size.perFormat), func(b *testing.B) {
			dir := b.TempDir()
			var recordings []string
			for i := range size.recordings {
				name := fmt.Sprintf("rec-%04d", i)
				recordings = append(recordings, name)
				for _, format := range []string{"presentation", "video", "notes"} {
					writeFiles(b, filepath.Join(dir, name, format, name), size.perFormat, 5000)
				}
			}
			compare(b, dir, recordings, len(recordings))
		})
	}
}

// writeFiles writes count files of size random bytes into dir.
func writeFiles(b *testing.B, dir string, count, size int) {
	b.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	block := make([]byte, min(size, 1<<20))
	for i := range block {
		block[i] = byte(rand.Uint32())
	}
	for i := range count {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("file-%d-%d", size, i)))
		if err != nil {
			b.Fatal(err)
		}
		for at := 0; at < size; at += len(block) {
			if _, err := f.Write(block[:min(len(block), size-at)]); err != nil {
				b.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// compare makes a tarball of each of the directories in dir, and extracts all
// of them in each of three ways, in turns.
func compare(b *testing.B, dir string, names []string, recordings int) {
	for _, name := range names {
		src := filepath.Join(dir, name)
		if out, err := exec.Command("tar", "-C", src, "-cf", src+".tar", ".").CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		if err := os.RemoveAll(src); err != nil {
			b.Fatal(err)
		}
	}
	ways := []func(tarball, dst string) error{tarOnly, tarAndSync, ours}
	spent := make([]time.Duration, len(ways))
	for round := 0; b.Loop(); round++ {
		for i := range ways {
			way := (i + round) % len(ways)
			spent[way] += timed(b, dir, names, ways[way])
		}
	}
	b.ReportMetric(0, "ns/op") // cleaning up is in it: the numbers below count
	perRecording := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(b.N*recordings) }
	b.ReportMetric(perRecording(spent[0]), "tar-ms")
	b.ReportMetric(perRecording(spent[1]), "tar+sync-ms")
	b.ReportMetric(perRecording(spent[2]), "unpack-ms")
	b.ReportMetric(spent[2].Seconds()/spent[0].Seconds(), "x-of-tar")
	b.ReportMetric(spent[2].Seconds()/spent[1].Seconds(), "x-of-tar+sync")
}

// timed returns how long it takes to extract all tarballs, one after the
// other, from a disk with nothing else to do.
func timed(b *testing.B, dir string, names []string, extract func(tarball, dst string) error) time.Duration {
	b.Helper()
	out := filepath.Join(dir, "out")
	if err := os.Mkdir(out, 0o755); err != nil {
		b.Fatal(err)
	}
	unix.Sync()
	start := time.Now()
	for _, name := range names {
		dst := filepath.Join(out, name)
		if err := os.Mkdir(dst, 0o755); err != nil {
			b.Fatal(err)
		}
		if err := extract(filepath.Join(dir, name+".tar"), dst); err != nil {
			b.Fatal(err)
		}
	}
	spent := time.Since(start)
	if err := os.RemoveAll(out); err != nil {
		b.Fatal(err)
	}
	return spent
}

func tarOnly(tarball, dst string) error {
	return exec.Command("tar", "-C", dst, "-xf", tarball).Run()
}

func tarAndSync(tarball, dst string) error {
	if err := tarOnly(tarball, dst); err != nil {
		return err
	}
	return exec.Command("sync", "--file-system", dst).Run()
}

func ours(tarball, dst string) error {
	f, err := os.Open(tarball)
	if err != nil {
		return err
	}
	defer f.Close()
	root, err := os.OpenRoot(dst)
	if err != nil {
		return err
	}
	defer root.Close()
	plan, err := Inspect(context.Background(), f, Limits{MaxBytes: math.MaxInt64})
	if err != nil {
		return err
	}
	return Extract(context.Background(), f, plan, root, nil)
}
