package recordingtest

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// newStudio skips the test where ffmpeg is missing.
func newStudio(t *testing.T) *Studio {
	t.Helper()
	studio, err := NewStudio(t.TempDir())
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return studio
}

// TestEveryGenerationIsWellFormed: what is XML or JSON by its name can be read as
// that, and what shapes.svg refers to is there.
func TestEveryGenerationIsWellFormed(t *testing.T) {
	t.Parallel()
	studio := newStudio(t)
	seen := map[string]bool{}
	for _, version := range Versions() {
		for name, o := range map[string]Options{
			"plain": {}, "audio": {Audio: true}, "screen": {ScreenOnly: true}, "segments": {Segments: true}, "undrawn": {NoDrawings: true},
			"bare": {Bare: true}, "busy": {Drawings: 20, Lines: 50}, "hostile": {Title: "a <b> & \"c\""},
		} {
			o.Version = version
			r, err := Make(t.Context(), studio, o)
			if err != nil {
				t.Fatal(err)
			}
			if name == "hostile" {
				r.Tempt()
			}
			if seen[r.ID] {
				t.Errorf("%s of %s has the ID of another", name, version)
			}
			seen[r.ID] = true
			for file := range r.Files {
				if err := wellFormed(file, r.Files[file]); err != nil {
					t.Errorf("%s of %s: %s: %v", name, version, file, err)
				}
			}
			if name != "hostile" {
				wantReferences(t, r)
			}
		}
	}
}

func wellFormed(name string, content []byte) error {
	switch filepath.Ext(name) {
	case ".xml", ".svg":
		for d := xml.NewDecoder(bytes.NewReader(content)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
		}
	case ".json":
		return json.Unmarshal(content, new(any))
	case ".png":
		_, err := png.Decode(bytes.NewReader(content))
		return err
	}
	if len(content) == 0 {
		return errors.New("is empty")
	}
	return nil
}

func wantReferences(t *testing.T, r *Recording) {
	t.Helper()
	parts := strings.Split(r.Text("shapes.svg"), `xlink:href="`)
	if len(parts) < 2 {
		t.Errorf("%s shows nothing", r.Version)
	}
	for _, part := range parts[1:] {
		if name, _, _ := strings.Cut(part, `"`); r.Text(name) == "" {
			t.Errorf("%s refers to %s, which is not there", r.Version, name)
		}
	}
}

// TestFilmsTellTheirTime: the squares of a picture are its number, also after
// they were compressed.
func TestFilmsTellTheirTime(t *testing.T) {
	t.Parallel()
	studio := newStudio(t)
	film, err := studio.Screen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again, err := studio.Screen(t.Context())
	if err != nil || &again[0] != &film[0] {
		t.Errorf("it was made twice: %v", err)
	}
	file := filepath.Join(t.TempDir(), "film.webm")
	if err := os.WriteFile(file, film, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-ss", "12.3", "-i", file, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	const width, height = 480, 270
	if len(out) != width*height {
		t.Fatalf("a picture has %d bytes", len(out))
	}
	number := 0
	for bit := range Bits {
		number *= 2
		if out[(height-8)*width+width*(2*bit+1)/(2*Bits)] > 127 {
			number++
		}
	}
	if number != 123 {
		t.Errorf("at 12.3 s there is picture %d", number)
	}
}

// TestTarIsThatOfAServer: FORMAT/ID/NAME, and nothing else.
func TestTarIsThatOfAServer(t *testing.T) {
	t.Parallel()
	studio := newStudio(t)
	r, err := Make(t.Context(), studio, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.AddPodcast(t.Context(), studio); err != nil {
		t.Fatal(err)
	}
	r.AddNotes()
	var out bytes.Buffer
	if err := r.WriteTar(&out); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for reader := tar.NewReader(&out); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		written, err := os.ReadFile(filepath.Join(dir, header.Name))
		if err != nil || !bytes.Equal(content, written) {
			t.Errorf("%s: %v, or not what the directory has", header.Name, err)
		}
		names[header.Name] = true
	}
	for _, format := range []string{"presentation", "podcast", "notes"} {
		if !names[format+"/"+r.ID+"/metadata.xml"] {
			t.Errorf("%s has no metadata.xml: %v", format, names)
		}
	}
	if len(names) != len(r.Files) {
		t.Errorf("%d files of %d", len(names), len(r.Files))
	}
}
