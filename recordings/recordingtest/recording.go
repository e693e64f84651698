package recordingtest

import (
	"archive/tar"
	"context"
	"crypto/sha1"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Versions of BBB that stand for the generations of the format. V20 and V25 draw
// in shapes.svg, V260 and V27 in tldraw.json of the first kind, on pages of
// different sizes, V30 in that of the second.
const (
	V20  = "2.0"
	V25  = "2.5.18"
	V260 = "2.6.0"
	V27  = "2.7.3"
	V30  = "3.0.4"
)

// Versions returns one version of each generation.
func Versions() []string { return []string{V20, V25, V260, V27, V30} }

// Options of Make. The zero value is a recording of V30 with everything in it.
type Options struct {
	// ID is the record ID; empty: one that is made of the other options.
	ID string
	// Version of BBB, as it stands in tldraw.json.
	Version string
	// Title of the meeting.
	Title string
	// Audio leaves the cameras out: there is only sound.
	Audio bool
	// ScreenOnly leaves the slides out: a screen was shared all the time.
	ScreenOnly bool
	// Segments makes what a meeting has that was recorded in two pieces: several
	// events at the same time, and times beyond the end.
	Segments bool
	// NoDrawings leaves a tldraw.json that says nothing but its version, and a
	// shapes.svg without a canvas.
	NoDrawings bool
	// Bare leaves out every file that need not be there.
	Bare bool
	// Drawings, if positive, is how many drawings each slide has instead of the
	// usual ones, each in ten versions: all but ten of them from its first moment
	// on, and those are drawn one after the other while it is shown.
	Drawings int
	// Lines, if positive, is how many lines of chat there are instead of the usual
	// ones, as in the middle of a long lesson: two a second come while it plays, of
	// the others half were there before, and half come after its end.
	Lines int
}

// Length is how long every recording plays, in seconds.
const Length = 30

// Start is when every meeting began to be recorded.
var Start = time.UnixMilli(1767258000000)

// Recording is one recording: its files by FORMAT/NAME, as they stand below the
// directory of published recordings without the record ID between.
type Recording struct {
	Options
	// Files may be changed before they are written.
	Files map[string][]byte
	// Gallery is how many drawings there are at 26 s, when the last slide shows
	// one of every kind.
	Gallery int
}

// Make makes a recording. The media come from the studio.
func Make(ctx context.Context, studio *Studio, o Options) (*Recording, error) {
	if o.Version == "" {
		o.Version = V30
	}
	if o.Title == "" {
		o.Title = "Biology, class 7b"
	}
	if o.ID == "" {
		o.ID = fmt.Sprintf("%x-%d", sha1.Sum(fmt.Appendf(nil, "%+v", o)), Start.UnixMilli())
	}
	r := &Recording{Options: o, Files: map[string][]byte{}}
	r.Put("metadata.xml", r.metadata("presentation", r.link()))
	r.putSlides()
	r.putEvents()
	if o.Bare {
		r.Put("slides_new.xml", xmlHead+"<popcorn>\n</popcorn>\n")
	} else {
		r.putTalk()
	}
	if err := r.putDrawings(); err != nil {
		return nil, err
	}
	return r, r.putMedia(ctx, studio)
}

// Put writes a file of the presentation.
func (r *Recording) Put(name, content string) { r.Files["presentation/"+name] = []byte(content) }

// Text returns a file of the presentation.
func (r *Recording) Text(name string) string { return string(r.Files["presentation/"+name]) }

// Remove removes a file of the presentation.
func (r *Recording) Remove(name string) { delete(r.Files, "presentation/"+name) }

// Names returns the names of the files of the presentation, in order.
func (r *Recording) Names() []string {
	var names []string
	for name := range r.Files {
		if name, ok := strings.CutPrefix(name, "presentation/"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Path is where a player shows the recording.
func (r *Recording) Path() string { return "/playback/presentation/2.3/" + r.ID }

// link is what metadata.xml says of that.
func (r *Recording) link() string {
	if r.minor() == 20 {
		return "/playback/presentation/2.0/playback.html?meetingId=" + r.ID
	}
	return r.Path()
}

// AddPodcast adds the recording's sound as a format of its own.
func (r *Recording) AddPodcast(ctx context.Context, studio *Studio) error {
	sound, err := studio.Podcast(ctx)
	if err != nil {
		return err
	}
	r.Files["podcast/audio.ogg"] = sound
	r.Files["podcast/metadata.xml"] = []byte(r.metadata("podcast", "/podcast/"+r.ID+"/audio.ogg"))
	return nil
}

// AddNotes adds the notes as a format of their own.
func (r *Recording) AddNotes() {
	r.Files["notes/notes.pdf"] = []byte("%PDF-1.4\n%%EOF\n")
	r.Files["notes/metadata.xml"] = []byte(r.metadata("notes", "/notes/"+r.ID+"/notes.pdf"))
}

// Write writes the files below dir as FORMAT/ID/NAME.
func (r *Recording) Write(dir string) error {
	for name, content := range r.Files {
		file := filepath.Join(dir, filepath.FromSlash(r.placed(name)))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// WriteTar writes the tarball that a BBB server sends.
func (r *Recording) WriteTar(out io.Writer) error {
	w := tar.NewWriter(out)
	for _, name := range slices.Sorted(maps.Keys(r.Files)) {
		header := tar.Header{Name: r.placed(name), Mode: 0o644, Size: int64(len(r.Files[name])), ModTime: Start}
		if err := w.WriteHeader(&header); err != nil {
			return err
		}
		if _, err := w.Write(r.Files[name]); err != nil {
			return err
		}
	}
	return w.Close()
}

// placed puts the record ID behind the format.
func (r *Recording) placed(name string) string {
	format, name, _ := strings.Cut(name, "/")
	return path.Join(format, r.ID, name)
}

// minor is the version's first two numbers as one: 27 of 2.7.3.
func (r *Recording) minor() int {
	major, rest, _ := strings.Cut(r.Version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, _ := strconv.Atoi(major)
	b, _ := strconv.Atoi(minor)
	return a*10 + b
}

// svgDrawn: the drawings are in shapes.svg and not in tldraw.json.
func (r *Recording) svgDrawn() bool { return r.minor() < 26 }

func (r *Recording) metadata(format, link string) string {
	title := escape(r.Title)
	var images strings.Builder
	if format == "presentation" && !r.ScreenOnly {
		for n := range deck {
			fmt.Fprintf(&images, `<image width="176" height="99" alt="%s">https://bbb1.example.org/presentation/%s/%s</image>`,
				deck[n].title, r.ID, thumbnailName(n+1))
		}
	}
	return fmt.Sprintf(`<recording>
  <id>%[1]s</id>
  <state>published</state>
  <published>true</published>
  <start_time>%[2]d</start_time>
  <end_time>%[3]d</end_time>
  <participants>4</participants>
  <meeting id="%[1]s" externalId="room-7b" name="%[4]s" breakout="false"/>
  <meta><meetingId>room-7b</meetingId><meetingName>%[4]s</meetingName><isBreakout>false</isBreakout></meta>
  <playback>
    <format>%[5]s</format>
    <link>https://bbb1.example.org%[6]s</link>
    <processing_time>7177</processing_time>
    <duration>%[7]d</duration>
    <extensions><preview><images>%[8]s</images></preview></extensions>
  </playback>
  <raw_size>5319873</raw_size>
</recording>
`, r.ID, Start.UnixMilli(), Start.UnixMilli()+(Length+20)*1000, title, format, link, Length*1000, images.String())
}

// escape makes text fit for XML, also between double quotes.
func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(text)
}
