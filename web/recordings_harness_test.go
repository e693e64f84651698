package web

import (
	"context"
	"encoding/xml"
	"fmt"
	"html"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"scalelite/recordings"
	"scalelite/store"
)

// Recordings of the tests. The last part of an ID is the start.
const (
	tapeA = "183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000"
	tapeB = "ffbfc4cc24428694e8b53a4e144f414052431693-1700000100000"
	tapeC = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567-1700000200000"
)

const recordingsNotFoundMessage = "We could not find recordings"

// tape is a recording as a BBB server hands it over.
type tape struct {
	id      string
	meeting string // external ID
	name    string
	formats []string // nil: a presentation
	meta    []string // keys and values in turn
	extra   string   // more of <recording>
	hidden  bool     // its metadata says that it is not published
}

// withRecordings starts a system that takes recordings in, and imports some.
func withRecordings(t testing.TB, o settings, tapes ...tape) *system {
	t.Helper()
	o.noSync = true
	if o.recordings == nil {
		o.recordings = func(*recordings.Config) {}
	}
	s := newSystem(t, o)
	for _, r := range tapes {
		s.takeIn(r)
	}
	return s
}

// takeIn imports a recording from a tarball that GNU tar made.
func (s *system) takeIn(r tape) {
	s.t.Helper()
	if _, err := s.library.Import(context.Background(), r.pack(s.t), nil); err != nil {
		s.t.Fatalf("import %s: %v", r.id, err)
	}
}

func (r tape) pack(t testing.TB) string {
	t.Helper()
	if r.formats == nil {
		r.formats = []string{"presentation"}
	}
	dir := t.TempDir()
	args := []string{"--create", "--file", filepath.Join(dir, "out.tar"), "--directory", dir}
	for _, kind := range r.formats {
		args = append(args, kind+"/"+r.id)
		for name, text := range map[string]string{"metadata.xml": r.metadata(kind), "a/file.txt": kind + " of " + r.id} {
			path := filepath.Join(dir, kind, r.id, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if out, err := exec.Command("tar", args...).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, out)
	}
	return filepath.Join(dir, "out.tar")
}

// metadata is the metadata.xml of a format, as BBB writes it (PLAYBACK.md 3).
func (r tape) metadata(kind string) string {
	links := map[string]string{"presentation": "/playback/presentation/2.3/" + r.id, "video": "/playback/video/" + r.id + "/"}
	var meta strings.Builder
	for i := 0; i+1 < len(r.meta); i += 2 {
		fmt.Fprintf(&meta, "<%[1]s>%[2]s</%[1]s>", r.meta[i], html.EscapeString(r.meta[i+1]))
	}
	start := r.id[41:]
	return fmt.Sprintf(`<recording>
  <id>%[1]s</id><state>published</state><published>%[2]t</published>
  <start_time>%[3]s</start_time><end_time>%[3]s</end_time><participants>3</participants>
  <meta><meetingId>%[4]s</meetingId><meetingName>%[5]s</meetingName><isBreakout>false</isBreakout>%[6]s</meta>
  <playback>
    <format>%[7]s</format><link>https://bbb.example.com%[8]s</link>
    <processing_time>7177</processing_time><duration>89332</duration><size>1893482</size>
    <extensions><preview><images>
      <image width="176" height="136" alt="Welcome &amp; go">https://bbb.example.com/%[7]s/%[1]s/presentation/thumb-1.png</image>
    </images></preview></extensions>
  </playback>
  <raw_size>5319873</raw_size>
  %[9]s
</recording>`, r.id, !r.hidden, start, html.EscapeString(r.meeting), html.EscapeString(r.name), meta.String(), kind, links[kind], r.extra)
}

// lay stores records without files, for the calls that only list them.
func (s *system) lay(all ...store.Recording) {
	s.t.Helper()
	err := s.store.Update(context.Background(), func(tx *store.Tx) error {
		for _, r := range all {
			if err := tx.PutRecording(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// record returns what the store has of a recording.
func (s *system) record(id string) (r store.Recording) {
	s.t.Helper()
	err := s.store.View(context.Background(), func(tx *store.Tx) (err error) {
		r, err = tx.Recording(id)
		return err
	})
	if err != nil {
		s.t.Fatalf("recording %s: %v", id, err)
	}
	return r
}

// trees are the files of a recording in both trees, by tree, format and name.
func (s *system) trees(id string) (names []string) {
	s.t.Helper()
	c := s.web.recordingsConfig()
	for tree, dir := range map[string]string{"published": c.PublishedDir, "unpublished": c.UnpublishedDir} {
		err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.Contains(path, id) {
				names = append(names, tree+"/"+strings.Replace(path, "/"+id, "", 1))
			}
			return err
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	slices.Sort(names)
	return names
}

// treeOf is what trees returns for a recording of takeIn.
func treeOf(tree string, formats ...string) (names []string) {
	for _, kind := range formats {
		names = append(names, tree+"/"+kind+"/a/file.txt", tree+"/"+kind+"/metadata.xml")
	}
	slices.Sort(names)
	return names
}

// listing is the answer of getRecordings, as a client reads it.
type listing struct {
	ReturnCode string            `xml:"returncode"`
	Recordings []listedRecording `xml:"recordings>recording"`
	Key        string            `xml:"messageKey"`
	Total      *int64            `xml:"pagination>totalElements"`
	Offset     *int64            `xml:"pagination>pageable>offset"`
	Limit      *int64            `xml:"pagination>pageable>limit"`
	Empty      *bool             `xml:"pagination>empty"`
}

type listedRecording struct {
	ID        string `xml:"recordID"`
	Meeting   string `xml:"meetingID"`
	Name      string `xml:"name"`
	State     string `xml:"state"`
	Published bool   `xml:"published"`
	Protected string `xml:"protected"`
	Metadata  struct {
		Pairs []struct {
			XMLName xml.Name
			Value   string `xml:",chardata"`
		} `xml:",any"`
	} `xml:"metadata"`
	Formats []struct {
		Type   string `xml:"type"`
		URL    string `xml:"url"`
		Images []struct {
			Alt string `xml:"alt,attr"`
			URL string `xml:",chardata"`
		} `xml:"preview>images>image"`
	} `xml:"playback>format"`
}

// meta is the metadata of a listed recording.
func (r listedRecording) meta() map[string]string {
	all := map[string]string{}
	for _, pair := range r.Metadata.Pairs {
		all[pair.XMLName.Local] = pair.Value
	}
	return all
}

func (l listing) ids() (ids []string) {
	for _, r := range l.Recordings {
		ids = append(ids, r.ID)
	}
	return ids
}

// list asks for recordings.
func (s *system) list(pairs ...string) listing {
	s.t.Helper()
	return s.get("getRecordings", pairs...).listing(s.t)
}

// listing reads an answer strictly.
func (a answer) listing(t testing.TB) (l listing) {
	t.Helper()
	if err := xml.Unmarshal([]byte(a.body), &l); err != nil || l.ReturnCode != "SUCCESS" {
		t.Fatalf("answer %.2000s: %v", a.body, err)
	}
	return l
}

// flat undoes what makes XML readable in a test.
func flat(text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteString(strings.TrimSpace(line))
	}
	return b.String()
}
