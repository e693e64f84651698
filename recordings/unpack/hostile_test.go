package unpack

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// in returns a name within the recording.
func in(name string) string { return "presentation/" + recordID + "/" + name }

// hostileTarballs is the corpus of S15 and more: every tarball in it is whole,
// begins with a good recording, and must be refused for one entry.
func hostileTarballs() map[string][]byte {
	id := "presentation/" + recordID
	alone := map[string][]byte{
		"parent":                member("../x", '0', "x"),
		"parent of parent":      member("../../etc/passwd", '0', "x"),
		"parent within":         member(in("../../../x"), '0', "x"),
		"parent at the end":     header(in(".."), '5', 0),
		"parent, harmless":      member(in("a/../b"), '0', "x"),
		"absolute":              member("/etc/passwd", '0', "x"),
		"absolute into place":   member("/"+in("a"), '0', "x"),
		"absolute root":         header("/", '5', 0),
		"double slash in front": member("//"+in("a"), '0', "x"),
		"dot within":            member(in("a/./b"), '0', "x"),
		"dot and parent":        member("a/./../b", '0', "x"),
		"dot twice in front":    member("././"+in("a"), '0', "x"),
		"dot as a file":         member(".", '0', "x"),
		"dot slash as a file":   member("./", '0', "x"),
		"dot at the end":        header(in("a/."), '5', 0),
		"double slash within":   member(in("a//b"), '0', "x"),
		"two slashes at end":    header(in("a//"), '5', 0),
		"file with a slash":     member(in("a/"), '0', "x"),
		"empty name":            member("", '0', "x"),
		"empty directory name":  header("", '5', 0),
		"backslash":             member(in(`..\..\x`), '0', "x"),
		"control character":     member(in("a\x01b"), '0', "x"),
		"newline":               member(in("a\nb"), '0', "x"),
		"delete character":      member(in("a\x7fb"), '0', "x"),
		"C1 control character":  member(in("a\u0085b"), '0', "x"),
		"not UTF-8":             member(in("a\xffb"), '0', "x"),
		"NUL in a pax name":     bytes.Join([][]byte{pax('x', "path="+in("a\x00b")), member(in("a"), '0', "x")}, nil),

		"symbolic link":                  link(in("a"), '2', "/etc"),
		"symbolic link, written through": append(link(in("a"), '2', "/etc"), member(in("a/b"), '0', "x")...),
		"symbolic link as recording":     link("video/"+recordID, '2', "../../outside"),
		"hard link":                      link(in("a"), '1', in("metadata.xml")),
		"hard link to the spool":         link(in("a"), '1', "/var/bigbluebutton/spool/other.tar"),
		"character device":               header(in("a"), '3', 0),
		"block device":                   header(in("a"), '4', 0),
		"named pipe":                     header(in("a"), '6', 0),
		"contiguous file":                member(in("a"), '7', "x"),
		"GNU dump directory":             member(in("a"), 'D', "x"),
		"GNU volume label":               header("label", 'V', 0),
		"GNU continued volume":           member(in("a"), 'M', "x"),
		"GNU old long name":              member(in("a"), 'N', "x"),
		"unknown type":                   member(in("a"), 'Q', "x"),
		"directory with data":            member(in("a/"), '5', "x"),

		"duplicate file":            append(member(in("a"), '0', "1"), member(in("a"), '0', "2")...),
		"duplicate of the first":    member(in("metadata.xml"), '0', "<other/>"),
		"duplicate after dot slash": member("./"+in("metadata.xml"), '0', "<other/>"),
		"file, then directory":      append(member(in("a"), '0', "1"), header(in("a/"), '5', 0)...),
		"directory, then file":      append(header(in("a/"), '5', 0), member(in("a"), '0', "1")...),
		"file below a file":         append(member(in("a"), '0', "1"), member(in("a/b/c"), '0', "2")...),
		"file over an implied dir":  append(member(in("a/b/c"), '0', "1"), member(in("a"), '0', "2")...),
		"directory below a file":    append(member(in("a"), '0', "1"), header(in("a/b/"), '5', 0)...),

		"file at the top":       member("metadata.xml", '0', "x"),
		"file as the format":    member("notes", '0', "x"),
		"file in the format":    member("notes/metadata.xml", '0', "x"),
		"format with a dot":     member("a.b/"+recordID+"/x", '0', "x"),
		"format with a space":   member("a b/"+recordID+"/x", '0', "x"),
		"format like an option": member("-rf/"+recordID+"/x", '0', "x"),
		"format as a directory": header("a%2f/", '5', 0),
		"recordID with a dot":   member("video/"+recordID+".tmp/x", '0', "x"),
		"recordID of dots":      member("video/.../x", '0', "x"),
		"recordID empty":        member("video//x", '0', "x"),
		"recordID too long":     longName(strings.Repeat("i", maxWord+1)),
		"recordID with percent": member("video/..%2f/x", '0', "x"),
		"recordID not ASCII":    member("video/é/x", '0', "x"),

		"part too long":       longName(recordID + "/" + strings.Repeat("n", maxComponent+1)),
		"name too long":       longName(recordID + strings.Repeat("/"+strings.Repeat("n", 100), 11)),
		"too deep":            longName(recordID + strings.Repeat("/d", DefaultMaxDepth)),
		"pax path override":   bytes.Join([][]byte{pax('x', "path=../../x"), member(in("a"), '0', "x")}, nil),
		"pax path absolute":   bytes.Join([][]byte{pax('x', "path=/etc/x"), member(in("a"), '0', "x")}, nil),
		"pax path, directory": bytes.Join([][]byte{pax('x', "path=../x/"), header(in("a/"), '5', 0)}, nil),
		"pax duplicate":       bytes.Join([][]byte{pax('x', "path="+in("metadata.xml")), member(in("a"), '0', "x")}, nil),
		"pax linkpath":        bytes.Join([][]byte{pax('x', "linkpath=/etc"), link(in("a"), '2', "a")}, nil),
		"pax global path":     pax('g', "path=../../x"),
		"pax global size":     pax('g', "size=1"),
		"GNU long name":       bytes.Join([][]byte{member("././@LongLink", 'L', "../../x\x00"), member(in("a"), '0', "x")}, nil),
		"GNU long link":       bytes.Join([][]byte{member("././@LongLink", 'K', "/etc\x00"), link(in("a"), '2', "a")}, nil),
		"ustar prefix":        withPrefix(member(in("a"), '0', "x"), "../.."),

		"old GNU sparse, 1 TB": oldSparse(in("a"), 1<<40),
		"pax sparse 1.0, 1 TB": bytes.Join([][]byte{pax('x', "GNU.sparse.major=1", "GNU.sparse.minor=0",
			"GNU.sparse.name=../../x", "GNU.sparse.realsize=1099511627776"), member(in("a"), '0', "1\n0\n1\n"+strings.Repeat("\x00", 506)+"x")}, nil),
		"pax sparse 0.1, 1 TB": bytes.Join([][]byte{pax('x', "GNU.sparse.size=1099511627776", "GNU.sparse.numblocks=1",
			"GNU.sparse.map=0,1"), member(in("a"), '0', "x")}, nil),
		"pax sparse, unknown version": bytes.Join([][]byte{pax('x', "GNU.sparse.major=9"), member(in("a"), '0', "x")}, nil),
	}
	all := map[string][]byte{
		"nothing":                 archive(),
		"directories only":        archive(header("presentation/", '5', 0), header(id+"/", '5', 0)),
		"a second archive behind": append(archive(good()), archive(member("video/"+recordID+"/x", '0', "x"))...),
		"something behind":        append(archive(good()), "x"...),
	}
	for name, entry := range alone {
		all[name] = archive(good(), entry, member("video/"+recordID+"/metadata.xml", '0', "<recording/>"))
	}
	return all
}

// longName returns a file of the video format under a name that needs a header
// of its own.
func longName(rest string) []byte {
	return bytes.Join([][]byte{member("././@LongLink", 'L', "video/"+rest+"/x\x00"), member("x", '0', "x")}, nil)
}

// withPrefix puts a prefix into the ustar header that m begins with.
func withPrefix(m []byte, prefix string) []byte {
	copy(m[345:500], prefix)
	signed(m[:blockSize])
	return m
}

// oldSparse returns a sparse file of the old GNU format: size bytes, one of
// them stored.
func oldSparse(name string, size uint64) []byte {
	b := header(name, 'S', 1)
	copy(b[257:265], "ustar  \x00")
	clear(b[345:500])
	copy(b[386:410], "00000000000\x0000000000001\x00")
	b[483] = 0x80
	binary.BigEndian.PutUint64(b[487:495], size)
	return append(signed(b), padded("x")...)
}

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
	l := plenty
	l.Entries = 1_000_003
	if plan, err := Inspect(t.Context(), f, l); err != nil || plan.Dirs != 1002 {
		t.Errorf("with the limit raised: %v", err)
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
		"no padding at all":         archive(good()),
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
