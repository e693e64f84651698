package recordings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/recordings/metadata"
	"scalelite/store"
	"scalelite/store/storetest"
)

// idA and idB are recordings of the tests; their last part is their start.
const (
	idA = "183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000"
	idB = "ffbfc4cc24428694e8b53a4e144f414052431693-1700000100000"
)

var startA = time.UnixMilli(1700000000000)

// shelf is a Library with a real database and real directories.
type shelf struct {
	*Library
	t       *testing.T
	dir     string
	db      *storetest.File
	options Options
	clock   *clock
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// newShelf opens a Library below a directory of the test's own. When the test
// ends, records and files must agree, and nothing may be left in work_dir.
func newShelf(t *testing.T, adjust ...func(*Options)) *shelf {
	t.Helper()
	s := &shelf{t: t, dir: t.TempDir(), clock: &clock{at: startA.Add(2 * time.Hour)}}
	s.db = storetest.OpenFile(t, filepath.Join(s.dir, "test.db"), s.clock.now)
	s.options = Options{Config: shelfConfig(s.dir), Log: slog.New(slog.DiscardHandler), Now: s.clock.now}
	for _, f := range adjust {
		f(&s.options)
	}
	s.open()
	return s
}

func shelfConfig(dir string) Config {
	c := DefaultConfig().Below(filepath.Join(dir, "data"))
	c.MinFree = "0"
	return c
}

func (s *shelf) open() {
	s.t.Helper()
	s.options.Store = s.db.Store
	l, err := Open(s.t.Context(), s.options)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Library = l
	s.t.Cleanup(func() {
		if s.Library == l && !s.t.Failed() {
			s.inOrder()
		}
		_ = l.Close()
	})
}

// reopen restarts, with another configuration.
func (s *shelf) reopen(adjust ...func(*Config)) {
	s.t.Helper()
	if err := s.Close(); err != nil {
		s.t.Fatal(err)
	}
	for _, f := range adjust {
		f(&s.options.Config)
	}
	s.db.Reopen(s.t)
	s.open()
}

// inOrder fails the test unless records and files agree and nothing is left.
func (s *shelf) inOrder() {
	s.t.Helper()
	problems, err := s.Check(context.Background(), RepairNothing)
	if err != nil || len(problems) > 0 {
		s.t.Errorf("records and files do not agree: %+v, %v", problems, err)
	}
	for _, dir := range []string{importDir, asideDir} {
		if names := s.names(filepath.Join(s.trees.work, dir)); len(names) > 0 {
			s.t.Errorf("left in %s: %v", dir, names)
		}
	}
}

func (s *shelf) names(dir string) []string {
	s.t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// get returns a record.
func (s *shelf) get(id string) store.Recording {
	s.t.Helper()
	r, err := s.recording(context.Background(), nil, id)
	if err != nil {
		s.t.Fatalf("recording %s: %v", id, err)
	}
	return r
}

// has reports whether there is a record.
func (s *shelf) has(id string) bool {
	s.t.Helper()
	_, err := s.recording(context.Background(), nil, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		s.t.Fatal(err)
	}
	return err == nil
}

// files are the contents of all files in both trees but their marks, by tree and
// path.
func (s *shelf) files() map[string]string {
	s.t.Helper()
	all := map[string]string{}
	for _, state := range treeStates() {
		for name, text := range contents(s.t, s.trees.tree(state)) {
			all[string(state)+"/"+name] = text
		}
	}
	return all
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == filepath.Join(dir, markFile) {
			return err
		}
		text, err := os.ReadFile(path)
		name, relErr := filepath.Rel(dir, path)
		all[name] = string(text)
		return errors.Join(err, relErr)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// wantFiles fails the test unless both trees hold the files of these formats and
// nothing else.
func (s *shelf) wantFiles(state store.RecordingState, formats ...fixture) {
	s.t.Helper()
	want := map[string]string{}
	for _, f := range formats {
		for name, text := range f.contents() {
			want[string(state)+"/"+name] = text
		}
	}
	if diff := cmp.Diff(want, s.files()); diff != "" {
		s.t.Errorf("files (-want +got):\n%s", diff)
	}
}

// imports takes in a tarball of these formats.
func (s *shelf) imports(formats ...fixture) Imported {
	s.t.Helper()
	got, err := s.Import(s.t.Context(), tarball(s.t, formats...), nil)
	if err != nil {
		s.t.Fatalf("import: %v", err)
	}
	return got
}

func (s *shelf) publish(id string, publish bool) {
	s.t.Helper()
	got, err := s.SetPublished(s.t.Context(), nil, []string{id}, publish)
	if err != nil || !slices.Equal(got, []string{id}) {
		s.t.Fatalf("publish %s %t: %v, %v", id, publish, got, err)
	}
}

func (s *shelf) deletes(id string) {
	s.t.Helper()
	got, err := s.Delete(s.t.Context(), nil, []string{id})
	if err != nil || !slices.Equal(got, []string{id}) {
		s.t.Fatalf("delete %s: %v, %v", id, got, err)
	}
}

func (s *shelf) sets(id string, meta map[string]string) {
	s.t.Helper()
	ok, err := s.Update(s.t.Context(), nil, []string{id}, Change{Meta: meta})
	if err != nil || !ok {
		s.t.Fatalf("update %s: %t, %v", id, ok, err)
	}
}

// callbacks are the messages that are owed, as RECORD URL.
func (s *shelf) callbacks() []string {
	s.t.Helper()
	var all []string
	err := s.db.View(context.Background(), func(tx *store.Tx) error {
		all = nil
		for c, err := range tx.Callbacks() {
			if err != nil {
				return err
			}
			all = append(all, c.RecordID+" "+c.URL)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// fixture is one format of a recording, as a BBB server hands it over.
type fixture struct {
	kind, id string
	xml      string            // metadata.xml; empty: none
	files    map[string]string // by name within the format
}

func (f fixture) contents() map[string]string {
	all := map[string]string{}
	for name, text := range f.files {
		all[f.kind+"/"+f.id+"/"+name] = text
	}
	if f.xml != "" {
		all[f.kind+"/"+f.id+"/metadata.xml"] = f.xml
	}
	return all
}

// with returns the fixture with a file more, or another.
func (f fixture) with(name, text string) fixture {
	f.files = maps.Clone(f.files)
	f.files[name] = text
	return f
}

// without returns the fixture with a file less.
func (f fixture) without(name string) fixture {
	f.files = maps.Clone(f.files)
	delete(f.files, name)
	return f
}

// replaced returns the fixture with a part of its metadata.xml replaced.
func (f fixture) replaced(old, new string) fixture {
	if !strings.Contains(f.xml, old) {
		panic("the metadata.xml has no " + old)
	}
	f.xml = strings.ReplaceAll(f.xml, old, new)
	return f
}

// meta returns the fixture with an element more in its <meta>.
func (f fixture) meta(key, value string) fixture {
	return f.replaced("</meta>", "<"+key+">"+value+"</"+key+"></meta>")
}

// presentation is a presentation as BBB writes it (PLAYBACK.md 3).
func presentation(id string) fixture {
	return fixture{"presentation", id, fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<recording>
  <id>%[1]s</id>
  <state>published</state>
  <published>true</published>
  <start_time>%[2]s</start_time>
  <end_time>%[2]s</end_time>
  <participants>3</participants>
  <meeting id="%[1]s" externalId="room-%[2]s" name="Fred's Room" breakout="false"/>
  <meta><meetingId>room-%[2]s</meetingId><meetingName>Fred's Room</meetingName><isBreakout>false</isBreakout><bbb-origin>greenlight</bbb-origin></meta>
  <playback>
    <format>presentation</format>
    <link>https://bbb.example.com/playback/presentation/2.3/%[1]s</link>
    <processing_time>7177</processing_time>
    <duration>89332</duration>
    <extensions><preview><images>
      <image width="176" height="136" alt="Welcome to">https://bbb.example.com/presentation/%[1]s/presentation/thumb-1.png</image>
    </images></preview></extensions>
    <size>1893482</size>
  </playback>
  <raw_size>5319873</raw_size>
</recording>
`, id, id[41:]), map[string]string{
		"shapes.svg":             "<svg/>",
		"presentation/slide.png": "a picture",
		"video/webcams.webm":     strings.Repeat("webm", 3000),
	}}
}

// video is a video as BBB writes it: state available, no meeting.
func video(id string) fixture {
	return fixture{"video", id, fmt.Sprintf(`<recording><id>%[1]s</id><state>available</state><published>true</published>
<start_time>%[2]s</start_time><end_time>%[2]s</end_time><participants>5</participants>
<playback><format>video</format><link>https://bbb.example.com/playback/video/%[1]s/</link><duration>89332</duration><size>77</size></playback>
<meta><meetingId>room-%[2]s</meetingId><meetingName>Fred's Room</meetingName><isBreakout>false</isBreakout><bbb-origin>greenlight</bbb-origin></meta>
<raw_size>5</raw_size></recording>`, id, id[41:]), map[string]string{
		"video-0.m4v": strings.Repeat("m4v", 2000),
		"index.html":  "<html>",
	}}
}

// tarball packs formats with GNU tar, as the servers do, and returns its path.
func tarball(t testing.TB, formats ...fixture) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"--create", "--file", filepath.Join(dir, "out.tar"), "--directory", filepath.Join(dir, "in")}
	for _, f := range formats {
		args = append(args, f.kind+"/"+f.id)
		for name, text := range f.contents() {
			path := filepath.Join(dir, "in", name)
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

func readFixture(file string) (*metadata.Document, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return metadata.Parse(f)
}
