package unpack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// recordID is one as BBB makes them.
const recordID = "183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1530718721124"

// plenty is a limit that no test tarball reaches.
var plenty = Limits{MaxBytes: math.MaxInt64}

// header returns one tar header block in the ustar format, with a checksum.
func header(name string, flag byte, size int64) []byte {
	b := make([]byte, blockSize)
	copy(b[0:100], name)
	copy(b[100:108], "0000644\x00")
	copy(b[108:116], "0000000\x00")
	copy(b[116:124], "0000000\x00")
	copy(b[124:136], fmt.Sprintf("%011o\x00", size))
	copy(b[136:148], "14371573621\x00")
	b[156] = flag
	copy(b[257:265], "ustar\x0000")
	return signed(b)
}

// signed puts the checksum into a header block.
func signed(b []byte) []byte {
	copy(b[148:156], "        ")
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// padded returns data filled up to whole blocks.
func padded(data string) []byte {
	rest := (blockSize - len(data)%blockSize) % blockSize
	return append([]byte(data), make([]byte, rest)...)
}

// member returns a header and data.
func member(name string, flag byte, data string) []byte {
	return append(header(name, flag, int64(len(data))), padded(data)...)
}

// link returns a header with a target.
func link(name string, flag byte, target string) []byte {
	b := header(name, flag, 0)
	copy(b[157:257], target)
	return signed(b)
}

// pax returns an extended header with records, to stand before a member.
func pax(flag byte, records ...string) []byte {
	var body strings.Builder
	for _, r := range records {
		n := len(r) + 2
		for len(fmt.Sprint(n))+len(r)+2 != n {
			n++
		}
		fmt.Fprintf(&body, "%d %s\n", n, r)
	}
	return member("PaxHeaders/x", flag, body.String())
}

// archive joins members and ends them as tar does.
func archive(members ...[]byte) []byte {
	return append(bytes.Join(members, nil), make([]byte, 2*blockSize)...)
}

// good returns the members of a small recording.
func good() []byte {
	return bytes.Join([][]byte{
		header("presentation/", '5', 0),
		header("presentation/"+recordID+"/", '5', 0),
		member("presentation/"+recordID+"/metadata.xml", '0', "<recording/>"),
	}, nil)
}

// compressed returns data as gzip.
func compressed(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tarFile writes data to a file and opens that.
func tarFile(t testing.TB, data []byte) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "recording.tar")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return open(t, name)
}

// open opens a file for the length of the test.
func open(t testing.TB, name string) *os.File {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// openDir opens a directory, made if need be, for the length of the test.
func openDir(t testing.TB, name string) *os.Root {
	t.Helper()
	if err := os.MkdirAll(name, 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// inspect is Inspect without limits, of what must be accepted.
func inspect(t testing.TB, f *os.File) *Plan {
	t.Helper()
	plan, err := Inspect(context.Background(), f, plenty)
	if err != nil {
		t.Fatalf("Inspect: %v", err)
	}
	return plan
}

// unpacked extracts f into a new directory and returns the content of the
// files there by name, with "DIR" for directories.
func unpacked(t testing.TB, f *os.File) map[string]string {
	t.Helper()
	dst := openDir(t, filepath.Join(t.TempDir(), "dst"))
	if err := Extract(context.Background(), f, inspect(t, f), dst, nil); err != nil {
		t.Fatalf("Extract: %v", err)
	}
	return contents(t, dst.Name())
}

// contents returns what lies below dir: the content of files, "DIR" for
// directories, the type of anything else.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, name)
		switch {
		case d.IsDir():
			found[rel] = "DIR"
		case d.Type().IsRegular():
			data, err := os.ReadFile(name)
			found[rel] = string(data)
			return err
		default:
			found[rel] = d.Type().String()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// treeHash is a digest of names, modes, times and content below dir.
func treeHash(t testing.TB, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%q %v %v\n", name, info.Mode(), info.ModTime().UnixNano())
		if d.Type().IsRegular() {
			data, err := os.ReadFile(name)
			fmt.Fprintf(h, "%x\n", sha256.Sum256(data))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// gnuTar runs GNU tar in dir.
func gnuTar(t testing.TB, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("tar", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tar %q: %v\n%s", args, err, out)
	}
}

// tree writes files, by name, below a new directory.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// refused returns the refusal in err, or fails the test.
func refused(t testing.TB, err error) *Refused {
	t.Helper()
	r, ok := errors.AsType[*Refused](err)
	if !ok {
		t.Fatalf("got %v, want *Refused", err)
	}
	return r
}

// goTar returns a tarball written by archive/tar, with zeros as data.
func goTar(t testing.TB, headers ...*tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
