package unpack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fuzzLimits are small, so that the fuzzer meets them.
var fuzzLimits = Limits{MaxBytes: 1 << 20, Entries: 100, MaxName: 300, MaxDepth: 8}

// seed adds the hostile tarballs and some good ones.
func seed(f *testing.F) {
	hostile := hostileTarballs()
	for _, name := range slices.Sorted(maps.Keys(hostile)) {
		f.Add(hostile[name])
	}
	long := archive(good(), pax('x', "path="+in("a"), "size=3"), member("x", '0', "abc"),
		member("././@LongLink", 'L', in("b")+"\x00"), member("x", '0', "x"))
	f.Add(long)
	f.Add(long[:len(long)-600])
	f.Add(compressed(f, long))
	f.Add(compressed(f, hostile["parent"]))
	f.Add(archive(member("a/b/c", '0', "x"), header("a/b/", '5', 0), header("a/d/", 0, 0)))
}

// FuzzInspect: whatever comes, there is an error of a known kind or a plan that
// keeps every rule.
func FuzzInspect(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		plan, err := Inspect(t.Context(), tarFile(t, data), fuzzLimits)
		if err != nil {
			if !known(err) {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		checkPlan(t, plan)
	})
}

// known reports whether err is one that Inspect documents for bad tarballs.
func known(err error) bool {
	_, isRefused := errors.AsType[*Refused](err)
	return isRefused || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrIncomplete) || errors.Is(err, ErrNoSpace)
}

// checkPlan fails the test if plan breaks a rule of this package.
func checkPlan(t *testing.T, plan *Plan) {
	t.Helper()
	if plan.Disk > fuzzLimits.MaxBytes || len(plan.entries) > fuzzLimits.Entries || plan.Files == 0 {
		t.Errorf("limits are passed: %d bytes, %d entries, %d files", plan.Disk, len(plan.entries), plan.Files)
	}
	seen := map[string]bool{".": true} // whether it is a directory
	var sum int64
	for _, e := range plan.entries {
		if _, twice := seen[e.name]; twice || !fs.ValidPath(e.name) || !filepath.IsLocal(e.name) || path.Clean(e.name) != e.name {
			t.Errorf("entry %q", e.name)
		}
		if !seen[path.Dir(e.name)] {
			t.Errorf("entry %q before its directory", e.name)
		}
		seen[e.name] = e.dir
		if e.size < 0 || e.dir && e.size != 0 {
			t.Errorf("entry %q of %d bytes", e.name, e.size)
		}
		sum += e.size
	}
	if sum != plan.Bytes || sum > plan.Disk {
		t.Errorf("sizes make %d, the plan says %d and %d", sum, plan.Bytes, plan.Disk)
	}
}

// FuzzExtract: what is accepted comes out exactly as archive/tar reads it, and
// nowhere else; what is not, leaves no trace.
func FuzzExtract(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := tree(t, map[string]string{"outside/secret": "s"})
		before := treeHash(t, filepath.Join(dir, "outside"))
		dst := openDir(t, filepath.Join(dir, "dst"))
		file := tarFile(t, data)
		plan, err := Inspect(t.Context(), file, fuzzLimits)
		if err == nil {
			if err := Extract(t.Context(), file, plan, dst, nil); err != nil {
				t.Fatalf("what Inspect accepted: %v", err)
			}
			if diff := cmp.Diff(oracle(t, data), contents(t, dst.Name())); diff != "" {
				t.Errorf("archive/tar reads something else:\n%s", diff)
			}
		} else if got := contents(t, dst.Name()); len(got) != 0 {
			t.Errorf("refused, yet written: %v", got)
		}
		if treeHash(t, filepath.Join(dir, "outside")) != before {
			t.Error("something outside changed")
		}
		if names, _ := os.ReadDir(dir); len(names) != 2 {
			t.Errorf("%d names where there were 2", len(names))
		}
	})
}

// oracle returns what archive/tar finds in an accepted tarball, in the form of
// contents.
func oracle(t *testing.T, data []byte) map[string]string {
	t.Helper()
	var stream io.Reader = bytes.NewReader(data)
	if z, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
		stream = z
	}
	found := make(map[string]string)
	r := tar.NewReader(stream)
	for {
		hdr, err := r.Next()
		if err == io.EOF {
			return found
		}
		if err != nil {
			t.Fatalf("archive/tar: %v", err)
		}
		if hdr.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("archive/tar: %q: %v", hdr.Name, err)
		}
		name := path.Clean(hdr.Name)
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			found[dir] = "DIR"
		}
		switch {
		case hdr.Typeflag == tar.TypeReg:
			found[name] = string(body)
		case name != ".":
			found[name] = "DIR"
		}
	}
}
