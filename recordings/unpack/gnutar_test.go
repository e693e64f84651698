package unpack

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recordingTree returns a directory with two formats of one recording, with
// files of sizes around the limits of blocks and buffers.
func recordingTree(t testing.TB) string {
	return tree(t, map[string]string{
		"presentation/" + recordID + "/metadata.xml":             "<recording/>",
		"presentation/" + recordID + "/empty":                    "",
		"presentation/" + recordID + "/block":                    strings.Repeat("b", blockSize),
		"presentation/" + recordID + "/block-1":                  strings.Repeat("c", blockSize-1),
		"presentation/" + recordID + "/window":                   strings.Repeat("d", window+1),
		"presentation/" + recordID + "/svgs/slide 1 – Grüße.svg": "<svg/>",
		"video/" + recordID + "/metadata.xml":                    "<recording/>",
		"video/" + recordID + "/video-0.m4v":                     strings.Repeat("0123456789abcdef", bigFile/16) + "end",
		"video/" + recordID + "/css/a/b/c/d.css":                 "d",
	})
}

// TestGNUTarFormats covers what BBB servers send: whatever GNU tar writes of a
// recording comes out as it went in, plain or compressed.
func TestGNUTarFormats(t *testing.T) {
	t.Parallel()
	dir := recordingTree(t)
	want := contents(t, dir)
	for _, format := range []string{"gnu", "oldgnu", "pax", "ustar", "v7"} {
		for _, zip := range []string{"", "--gzip"} {
			t.Run(format+zip, func(t *testing.T) {
				t.Parallel()
				name := filepath.Join(t.TempDir(), "r.tar")
				args := []string{"--create", "--format", format, "--file", name, "presentation/" + recordID, "video/" + recordID}
				if zip != "" {
					args = append(args, zip)
				}
				gnuTar(t, dir, args...)
				if diff := cmp.Diff(want, unpacked(t, open(t, name))); diff != "" {
					t.Errorf("extracted tree differs:\n%s", diff)
				}
			})
		}
	}
}

func TestPlanTellsWhatIsInATarball(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "r.tar")
	gnuTar(t, recordingTree(t), "-cf", name, "presentation/"+recordID, "video/"+recordID)
	plan := inspect(t, open(t, name))
	want := []Format{
		{Name: "presentation", RecordID: recordID, Files: 6, Bytes: 12 + 512 + 511 + window + 1 + 6, Metadata: true},
		{Name: "video", RecordID: recordID, Files: 3, Bytes: 12 + bigFile + 3 + 1, Metadata: true},
	}
	if diff := cmp.Diff(want, plan.Formats); diff != "" {
		t.Errorf("formats differ:\n%s", diff)
	}
	if plan.Files != 9 || plan.Bytes != want[0].Bytes+want[1].Bytes || plan.Gzip {
		t.Errorf("got %d files, %d bytes, gzip %v", plan.Files, plan.Bytes, plan.Gzip)
	}
	// presentation, video, an ID in each, svgs, css, a, b, c.
	if plan.Dirs != 9 {
		t.Errorf("got %d directories, want 9", plan.Dirs)
	}
	// 12 B, 512 B, 511 B, 6 B: a block each; 4097 B: two; nothing: none.
	if want := int64(4+2+1+257+1+plan.Dirs) * diskBlock; plan.Disk != want {
		t.Errorf("got %d bytes on the disk, want %d", plan.Disk, want)
	}
}

func TestWholeDirectoryAsDot(t *testing.T) {
	t.Parallel()
	dir := recordingTree(t)
	name := filepath.Join(t.TempDir(), "r.tar")
	gnuTar(t, dir, "-C", dir, "-cf", name, ".")
	if diff := cmp.Diff(contents(t, dir), unpacked(t, open(t, name))); diff != "" {
		t.Errorf("extracted tree differs:\n%s", diff)
	}
}

func TestLongNames(t *testing.T) {
	t.Parallel()
	below := strings.Repeat("directory-with-a-long-name/", 20)
	dir := tree(t, map[string]string{
		"notes/" + recordID + "/metadata.xml":                   "m",
		"notes/" + recordID + "/" + below + "last":              "deep",
		"notes/" + recordID + "/" + strings.Repeat("n", 255):    "wide",
		"notes/" + recordID + "/" + strings.Repeat("x", 100-61): "exactly 100 bytes in all",
	})
	for _, format := range []string{"gnu", "pax"} {
		name := filepath.Join(t.TempDir(), "r.tar")
		gnuTar(t, dir, "-cf", name, "--format", format, "notes")
		if diff := cmp.Diff(contents(t, dir), unpacked(t, open(t, name))); diff != "" {
			t.Errorf("%s: extracted tree differs:\n%s", format, diff)
		}
	}
}

// TestForeignOwnersAndModes is T11: what the tarball says about owners and
// modes does not matter, and neither does our umask.
func TestForeignOwnersAndModes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	dir := recordingTree(t)
	name := filepath.Join(t.TempDir(), "r.tar")
	gnuTar(t, dir, "-cf", name, "--mode=000", "--owner=bbb:4711", "--group=bbb:4712", "--format=pax",
		"--mtime=1970-01-02", "presentation", "video")
	setuid := archive(good(), mode("presentation/"+recordID+"/run", "0007777\x00"))
	for _, f := range []*os.File{open(t, name), tarFile(t, setuid)} {
		dst := openDir(t, filepath.Join(t.TempDir(), "dst"))
		if err := Extract(t.Context(), f, inspect(t, f), dst, nil); err != nil {
			t.Fatal(err)
		}
		checkModes(t, dst.Name())
	}
}

// mode returns an empty member with a mode field.
func mode(name, mode string) []byte {
	b := header(name, '0', 0)
	copy(b[100:108], mode)
	return signed(b)
}

// checkModes fails the test if anything below dir has not our owner and modes.
func checkModes(t *testing.T, dir string) {
	t.Helper()
	for name, content := range contents(t, dir) {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		want := os.FileMode(fileMode)
		if content == "DIR" {
			want = os.ModeDir | dirMode
		}
		if info.Mode() != want {
			t.Errorf("%s: mode is %v, want %v", name, info.Mode(), want)
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; int(uid) != os.Getuid() {
			t.Errorf("%s: owner is %d, want ours", name, uid)
		}
	}
}

// TestGNUTarSparse holds the assumption under which sparse members are refused:
// GNU tar writes them with --sparse only, not for holes as such.
func TestGNUTarSparse(t *testing.T) {
	t.Parallel()
	dir := recordingTree(t)
	holes := filepath.Join(dir, "presentation", recordID, "holes")
	if err := os.WriteFile(holes, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(holes, 10<<20); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"gnu", "pax"} {
		name := filepath.Join(t.TempDir(), "r.tar")
		gnuTar(t, dir, "-cf", name, "--format", format, "presentation")
		if diff := cmp.Diff(10<<20, len(unpacked(t, open(t, name))["presentation/"+recordID+"/holes"])); diff != "" {
			t.Errorf("%s: size differs:\n%s", format, diff)
		}
		gnuTar(t, dir, "-cf", name, "--sparse", "--format", format, "presentation")
		_, err := Inspect(t.Context(), open(t, name), plenty)
		if r := refused(t, err); !strings.Contains(r.Reason, "sparse") {
			t.Errorf("%s: refused because it %s", format, r.Reason)
		}
	}
}

// TestGoTarFormats reads what archive/tar writes, sizes beyond the octal field
// of ustar aside.
func TestGoTarFormats(t *testing.T) {
	t.Parallel()
	for _, format := range []tar.Format{tar.FormatUSTAR, tar.FormatPAX, tar.FormatGNU} {
		data := goTar(t,
			&tar.Header{Typeflag: tar.TypeDir, Name: "podcast/", Format: format},
			&tar.Header{Typeflag: tar.TypeReg, Name: "podcast/" + recordID + "/audio.ogg", Size: 3000, Format: format},
		)
		want := map[string]string{"podcast": "DIR", "podcast/" + recordID: "DIR",
			"podcast/" + recordID + "/audio.ogg": strings.Repeat("\x00", 3000)}
		if diff := cmp.Diff(want, unpacked(t, tarFile(t, data))); diff != "" {
			t.Errorf("%v: extracted tree differs:\n%s", format, diff)
		}
	}
}
