package unpack

import (
	"bytes"
	"encoding/binary"
	"strings"
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
		"too deep":            longName(recordID + strings.Repeat("/d", DefaultMaxDepth-2)),
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
