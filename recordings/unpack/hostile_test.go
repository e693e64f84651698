package unpack

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestHostileTarballsAreRefused is S15, and S17 for the names: the tarball is
// refused as a whole, plain and compressed, and nothing anywhere is touched.
func TestHostileTarballsAreRefused(t *testing.T) {
	t.Parallel()
	for name, data := range hostileTarballs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := tree(t, map[string]string{"outside/secret": "s", "dst/kept": "k"})
			before := treeHash(t, dir)
			for _, data := range [][]byte{data, compressed(t, data)} {
				_, err := Inspect(t.Context(), tarFile(t, data), plenty)
				if name == "NUL in a pax name" {
					if !errors.Is(err, ErrCorrupt) {
						t.Errorf("got %v, want ErrCorrupt", err)
					}
					continue
				}
				refused(t, err)
			}
			if after := treeHash(t, dir); after != before {
				t.Error("Inspect changed something")
			}
		})
	}
}

// TestTheGoodPartOfTheCorpus makes sure that the corpus is refused for its bad
// entries: what they stand between is taken.
func TestTheGoodPartOfTheCorpus(t *testing.T) {
	t.Parallel()
	inspect(t, tarFile(t, archive(good(), member("video/"+recordID+"/metadata.xml", '0', "<recording/>"))))
}

// TestRefusalNamesTheEntry is for the operator who reads it.
func TestRefusalNamesTheEntry(t *testing.T) {
	t.Parallel()
	_, err := Inspect(t.Context(), tarFile(t, archive(good(), link(in("evil\x1b[2J"), '2', "/etc"))), plenty)
	r := refused(t, err)
	if r.Entry != in("evil\x1b[2J") {
		t.Errorf("entry is %q", r.Entry)
	}
	text := err.Error()
	for _, part := range []string{recordID, `evil\x1b[2J"`, "a symbolic link"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not contain %q", text, part)
		}
	}
	_, err = Inspect(t.Context(), tarFile(t, archive(good(), member(in("metadata.xml/b/c"), '0', "x"))), plenty)
	if r := refused(t, err); r.Entry != in("metadata.xml/b/c") || r.Reason != "lies below a file" {
		t.Errorf("a file below a file: %v", r)
	}
	_, err = Inspect(t.Context(), tarFile(t, archive(good(), longName(strings.Repeat("z", 1<<19)))), plenty)
	if n := len(err.Error()); n > 2*shownName {
		t.Errorf("an error of %d bytes", n)
	}
}

// TestExtractIsConfined holds even against a plan that Inspect would never
// make, and against a directory in which somebody planted links.
func TestExtractIsConfined(t *testing.T) {
	t.Parallel()
	f := tarFile(t, archive(good()))
	of, err := stampOf(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../x", "../outside/x", "/tmp/x", "link/x", "file", "dangling", "dir/../../x"} {
		dir := tree(t, map[string]string{"outside/secret": "s"})
		dst := openDir(t, filepath.Join(dir, "dst"))
		for link, target := range map[string]string{"link": "../outside", "file": "../outside/secret", "dangling": "../outside/x"} {
			if err := dst.Symlink(target, link); err != nil {
				t.Fatal(err)
			}
		}
		before := treeHash(t, dir)
		plan := &Plan{of: of, entries: []entry{{name: name, size: 5}}}
		if err := Extract(t.Context(), f, plan, dst, nil); err == nil {
			t.Errorf("%s: written", name)
		}
		if treeHash(t, dir) != before {
			t.Errorf("%s: something changed: %v", name, contents(t, dir))
		}
	}
}

// TestEntryLimit is the million entries of S15, and the boundary itself.
func TestEntryLimit(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	b.Write(good()) // three entries
	for i := range 7 {
		b.Write(header(in(fmt.Sprint(i)), '0', 0))
	}
	f := tarFile(t, archive(b.Bytes()))
	l := plenty
	for l.Entries = 9; l.Entries <= 10; l.Entries++ {
		_, err := Inspect(t.Context(), f, l)
		if (err == nil) != (l.Entries == 10) {
			t.Errorf("10 entries, %d allowed: %v", l.Entries, err)
		}
	}
	implied := tarFile(t, archive(member(in("a/b/c/d"), '0', "x")))
	l.Entries = 5
	_, err := Inspect(t.Context(), implied, l)
	if r := refused(t, err); !strings.Contains(r.Reason, "too many") {
		t.Errorf("implied directories: refused because it %s", r.Reason)
	}
}

// TestMillionEntries is the one of S15: directories, the same 1000 listed again
// and again, compressed to little. Not parallel: it looks at the heap.
func TestMillionEntries(t *testing.T) {
	var thousand bytes.Buffer
	for i := range 1000 {
		thousand.Write(header(in(fmt.Sprint(i)+"/"), '5', 0))
	}
	data := append(compressed(t, good()), bytes.Repeat(compressed(t, thousand.Bytes()), 1000)...)
	data = append(data, compressed(t, archive())...)
	f := tarFile(t, data)
	var err error
	grown := heapGrowth(func() { _, err = Inspect(t.Context(), f, plenty); runtime.GC() })
	refused(t, err)
	if grown > 1<<20 {
		t.Errorf("%d KiB of heap left behind", grown>>10)
	}
}

// heapGrowth returns by how many bytes the heap is larger after fn, which is to
// end with a collection, than before.
func heapGrowth(fn func()) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// TestPaxRecordsAreNotKept feeds names that are pieces of headers of 64 KiB.
func TestPaxRecordsAreNotKept(t *testing.T) {
	var b bytes.Buffer
	for i := range 200 {
		b.Write(pax('x', "path="+in(fmt.Sprint(i)), "comment="+strings.Repeat("c", 64<<10)))
		b.Write(header("x", '0', 0))
	}
	f := tarFile(t, archive(b.Bytes()))
	var plan *Plan
	grown := heapGrowth(func() { plan = inspect(t, f); runtime.GC() })
	if grown > 2<<20 {
		t.Errorf("the plan of 200 short names keeps %d KiB", grown>>10)
	}
	if plan.Files != 200 {
		t.Errorf("%d files", plan.Files)
	}
}

// TestHeaderBombs are tarballs that are all header: each must be given up
// before it has been read to its end.
func TestHeaderBombs(t *testing.T) {
	t.Parallel()
	big := pax('x', "comment="+strings.Repeat("c", 1<<20-100))
	bombs := map[string][]byte{
		"pax headers before one entry": bytes.Repeat(big, 20),
		"long names before one entry":  bytes.Repeat(member("././@LongLink", 'L', strings.Repeat("n", 1<<20)), 20),
		"global headers":               bytes.Repeat(pax('g', "comment="+strings.Repeat("c", 1<<20-100)), 20),
		"a pax header for each entry":  bytes.Repeat(append(big, header("presentation/", '5', 0)...), 20),
	}
	for name, bomb := range bombs {
		data := archive(good(), bomb)
		for _, data := range [][]byte{data, compressed(t, data)} {
			_, err := Inspect(t.Context(), tarFile(t, data), plenty)
			if r := refused(t, err); !strings.Contains(r.Reason, "header data") {
				t.Errorf("%s: refused because it %s", name, r.Reason)
			}
		}
	}
	huge := archive(good(), pax('x', "comment="+strings.Repeat("c", 2<<20)), header("presentation/", '5', 0))
	if _, err := Inspect(t.Context(), tarFile(t, huge), plenty); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a header of 2 MiB: got %v, want ErrCorrupt", err)
	}
}

// TestNamesLimit bounds what all names take together.
func TestNamesLimit(t *testing.T) {
	t.Parallel()
	b := &builder{plan: &Plan{}, limits: Limits{Entries: 1 << 20, MaxName: 1 << 20, MaxDepth: 9},
		kinds: map[string]kind{}, formats: map[string]int{}}
	long := strings.Repeat("n", 1<<20)
	for i := range 100 {
		if reason := b.add(fmt.Sprint("a/b/", i, long), false, 0, 0); reason != "" {
			if i < 30 || i > 32 {
				t.Errorf("name %d of 1 MiB %s", i, reason)
			}
			return
		}
	}
	t.Error("100 MiB of names were taken")
}

// TestHarmlessOddities are taken: refusing them would lose recordings.
func TestHarmlessOddities(t *testing.T) {
	t.Parallel()
	sha256ID := strings.Repeat("0a", 32) + "-1530718721124"
	for name, data := range map[string][]byte{
		"directory listed twice":    archive(good(), header("presentation/", '5', 0)),
		"directory after its files": archive(member("a/b/c", '0', "x"), header("a/b/", '5', 0), header("a/", '5', 0)),
		"git's global comment":      archive(pax('g', "comment=abc"), good()),
		"old directory":             archive(header("a/", 0, 0), member("a/b/c", 0, "x")),
		"long recordID":             archive(member("video/"+sha256ID+"/x", '0', "x")),
		"other formats":             archive(member("ai-summary/r_1/x", '0', "x"), member("mconf_encrypted/r_1/x", '0', "x")),
		"extended attributes":       archive(pax('x', "SCHILY.xattr.user.a=b"), good()),
		"names that look odd":       archive(member(in("...a"), '0', "x"), member(in("-rf ~ $(id) %2e%2e"), '0', "x"), member(in(" "), '0', "x")),
		"several gzip members":      append(compressed(t, good()), compressed(t, archive())...),
		"padding of 1 MiB":          append(archive(good()), make([]byte, maxPadding-2*blockSize)...),
		"at the depth limit":        archive(longName(recordID + strings.Repeat("/d", DefaultMaxDepth-3))),
	} {
		if _, err := Inspect(t.Context(), tarFile(t, data), plenty); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOracleSeesTheHostileNames makes sure that the corpus is what it claims
// to be for any other reader: archive/tar finds the names that are refused.
func TestOracleSeesTheHostileNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"pax path override": "../../x", "GNU long name": "../../x", "ustar prefix": "../../" + in("a")} {
		r := tar.NewReader(bytes.NewReader(hostileTarballs()[name]))
		var names []string
		for h, err := r.Next(); err == nil; h, err = r.Next() {
			names = append(names, h.Name)
		}
		if !strings.Contains(strings.Join(names, "\n"), want) {
			t.Errorf("%s: archive/tar reads %q", name, names)
		}
	}
}
