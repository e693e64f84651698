package bbbside

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// makeTar has the sender's code make a tar of a recording, whose format lies
// below published/, and returns what it said the size would be. before is Ruby
// that runs between the making of the list of files and the reading.
func makeTar(t *testing.T, dir, id, before string) (archive []byte, size int, err error) {
	t.Helper()
	tool(t, "ruby")
	program := fmt.Sprintf(`
require './files/settings'
require './files/recording'
tarball = ScaleliteSend::Tarball.new(ScaleliteSend::Recording.find(%q, [%q, %q]))
$stderr.puts tarball.size
%s
IO.copy_stream(tarball, $stdout.binmode)
`, id, filepath.Join(dir, "published"), filepath.Join(dir, "unpublished"), before)
	var out, errOut bytes.Buffer
	c := exec.Command("ruby", "-w", "-e", program)
	c.Stdout, c.Stderr = &out, &errOut
	runErr := c.Run()
	first, rest, _ := strings.Cut(errOut.String(), "\n")
	if _, err := fmt.Sscan(first, &size); err != nil {
		t.Fatalf("%v: %s", runErr, errOut.String())
	}
	if runErr != nil {
		return out.Bytes(), size, errors.New(rest)
	}
	if rest != "" {
		t.Errorf("ruby warns: %s", rest)
	}
	return out.Bytes(), size, nil
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

const recordingID = "183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1530718721124"

// Whatever names and sizes there are, the tar holds every file of every format,
// and has the size that was announced.
func TestTarballHoldsAllFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := map[string][]byte{}
	put := func(tree, name string, size int) {
		content := bytes.Repeat([]byte(name+"\n"), size/(len(name)+1)+1)[:size]
		want[name] = content
		write(t, filepath.Join(dir, tree, name), content)
	}
	presentation := "presentation/" + recordingID + "/"
	put("published", presentation+"metadata.xml", 700)
	put("published", "video/"+recordingID+"/metadata.xml", 1)
	put("unpublished", "podcast/"+recordingID+"/metadata.xml", 511)
	for i, size := range []int{0, 1, 511, 512, 513, 10_240, 70_000, 1 << 20} {
		put("published", fmt.Sprintf("%ssizes/%d", presentation, i), size)
	}
	for _, name := range []string{
		"with space", "zwölf", "line\nbreak", "quote'\"\\$x", "-rf", "..dots", strings.Repeat("a", 30), strings.Repeat("b", 31), strings.Repeat("c", 200),
		strings.Repeat("d", 80) + "/" + strings.Repeat("e", 99), strings.Repeat("f", 80) + "/" + strings.Repeat("g", 100),
		strings.Repeat("h", 90) + "/" + strings.Repeat("i", 101), strings.Repeat(strings.Repeat("j", 50)+"/", 8) + "k", "bytes\xff\xfe",
	} {
		put("published", presentation+name, 20)
	}
	// What is not to be sent: links, other recordings, what is not published yet.
	for link, target := range map[string]string{"link": "/etc/passwd", "dirlink": "/etc"} {
		if err := os.Symlink(target, filepath.Join(dir, "published", presentation, link)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "published/presentation/other-1530718721125/metadata.xml"), []byte("x"))
	write(t, filepath.Join(dir, "published/notes", recordingID, "notes.pdf"), []byte("x"))

	archive, size, err := makeTar(t, dir, recordingID, "")
	if err != nil || len(archive) != size || size%10_240 != 0 {
		t.Fatalf("%d bytes, %d announced: %v", len(archive), size, err)
	}
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		entry, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if expected, ok := want[entry.Name]; !ok || sha256.Sum256(content) != sha256.Sum256(expected) || entry.Typeflag != tar.TypeReg {
			t.Errorf("%q: %d bytes of type %c, want %d", entry.Name, len(content), entry.Typeflag, len(expected))
		}
		delete(want, entry.Name)
	}
	for name := range want {
		t.Errorf("%q is missing", name)
	}
	tool(t, "tar")
	listing := exec.Command("tar", "-tf", "-")
	listing.Stdin = bytes.NewReader(archive)
	if out, err := listing.CombinedOutput(); err != nil || strings.Count(string(out), "\n") != 25 {
		t.Errorf("tar: %v\n%s", err, out)
	}
}

// A file of more than 8 GiB has its size in an extended header; its content is a
// hole, and only its header is read here.
func TestTarballOfALargeFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "published/video", recordingID, "metadata.xml"), []byte("x"))
	large := filepath.Join(dir, "published/video", recordingID, "video-0.m4v")
	write(t, large, nil)
	const size = 9 << 30
	if err := os.Truncate(large, size); err != nil {
		t.Skipf("no file can be so large here: %v", err)
	}
	archive, announced, err := makeTar(t, dir, recordingID, "$stdout.write(tarball.readpartial(5000)) until tarball.position > 8192; $stdout.flush; exit!(0)")
	if err != nil || announced < size {
		t.Fatalf("%d announced: %v", announced, err)
	}
	r := tar.NewReader(bytes.NewReader(archive))
	for range 2 {
		entry, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(entry.Name, "m4v") && entry.Size != size {
			t.Errorf("%s has %d bytes", entry.Name, entry.Size)
		}
	}
}

// What changes while it is read is not sent: the receiver would take it for
// whole.
func TestTarballOfWhatChanges(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]string{
		"grows":                  `File.write(%[1]q, 'x', mode: 'a')`,
		"shrinks":                `File.truncate(%[1]q, 10)`,
		"goes":                   `File.unlink(%[1]q)`,
		"is new":                 `File.unlink(%[1]q); File.write(%[1]q, 'y' * 100_000)`,
		"is a link":              `File.unlink(%[1]q); File.symlink('/etc/passwd', %[1]q)`,
		"grows while it is read": `$stdout.write(tarball.readpartial(1000)) until tarball.position > 60_000; File.write(%[1]q, 'x', mode: 'a')`,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "published/podcast", recordingID, "audio.ogg")
			write(t, filepath.Join(dir, "published/podcast", recordingID, "metadata.xml"), []byte("x"))
			write(t, file, bytes.Repeat([]byte("x"), 100_000))
			archive, size, err := makeTar(t, dir, recordingID, fmt.Sprintf(change, file))
			if err == nil || !strings.Contains(err.Error(), "Changed") || len(archive) >= size {
				t.Errorf("%d of %d bytes, %v", len(archive), size, err)
			}
		})
	}
}
