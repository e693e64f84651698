package web

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"scalelite/recordings"
	"scalelite/store"
)

// recordingID is an ID as BBB makes them.
const recordingID = "ffbfc4cc24428694e8b53a4e144f414052431693-1530718721124"

// otherID is another one.
const otherID = "0123456789abcdef0123456789abcdef01234567-1530718721125"

// newLibrary starts a system that plays recordings.
func newLibrary(t testing.TB, change func(*settings)) *system {
	t.Helper()
	o := settings{noSync: true, recordings: func(*recordings.Config) {}}
	if change != nil {
		change(&o)
	}
	return newSystem(t, o)
}

// keep puts a recording in place, published, with files by FORMAT/NAME.
func (s *system) keep(id string, files map[string]string, change func(*store.Recording)) store.Recording {
	s.t.Helper()
	r := store.Recording{ID: id, MeetingID: "room", Name: "Fred's Room", State: store.Published, Start: 1530718721124, ImportedAt: time.UnixMilli(1530720000000).UTC()}
	formats := map[string]store.Format{}
	for name, content := range files {
		kind, _, _ := strings.Cut(name, "/")
		f := formats[kind]
		f.Type, f.URL, f.Files, f.Bytes = kind, linkOf(kind, id), f.Files+1, f.Bytes+int64(len(content))
		formats[kind] = f
	}
	for _, f := range formats {
		r.SetFormat(f)
	}
	if change != nil {
		change(&r)
	}
	for name, content := range files {
		s.file(r, name, content)
	}
	s.put(r)
	return r
}

// linkOf is what BBB writes into metadata.xml.
func linkOf(kind, id string) string {
	switch kind {
	case "presentation":
		return "/playback/presentation/2.3/" + id
	case "video":
		return "/playback/video/" + id + "/"
	case "screenshare":
		return "/recording/screenshare/" + id + "/"
	case "podcast":
		return "/podcast/" + id + "/audio.ogg"
	case "notes":
		return "/notes/" + id + "/notes.pdf"
	}
	return "/" + kind + "/" + id + "/"
}

func (s *system) put(r store.Recording) {
	s.t.Helper()
	if err := s.store.Update(context.Background(), func(tx *store.Tx) error { return tx.PutRecording(r) }); err != nil {
		s.t.Fatal(err)
	}
}

// dir is where the files of a format are, in the tree of the recording's state.
func (s *system) dir(r store.Recording, kind string) string {
	tree := s.web.recordingsConfig().PublishedDir
	if r.State == store.Unpublished {
		tree = s.web.recordingsConfig().UnpublishedDir
	}
	return filepath.Join(tree, kind, r.ID)
}

// file writes a file of a recording, by FORMAT/NAME, and returns its path.
func (s *system) file(r store.Recording, name, content string) string {
	s.t.Helper()
	kind, name, _ := strings.Cut(name, "/")
	path := filepath.Join(s.dir(r, kind), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// play fetches a path as it is, without compression; pairs are headers.
func (s *system) play(method, path string, pairs ...string) answer {
	s.t.Helper()
	header := http.Header{"Accept-Encoding": {"identity"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		header.Add(pairs[i], pairs[i+1])
	}
	return s.fetch(method, s.url+path, header, nil)
}

// rawGet sends a GET for a path that no client library would send like this.
func (s *system) rawGet(path string) (status int, body string) {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		s.t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.t.Fatalf("%q: %v", path, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// wantNotFound checks that there is nothing but the page that says so.
func (a answer) wantNotFound(t testing.TB, what string) {
	t.Helper()
	if a.status != http.StatusNotFound {
		t.Errorf("%s: %d %.200s", what, a.status, a.body)
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("%s: Cache-Control %q", what, got)
	}
	if got := a.header.Get("Content-Type"); got != "text/html; charset=UTF-8" {
		t.Errorf("%s: Content-Type %q", what, got)
	}
	for _, name := range []string{"ETag", "Last-Modified", "Set-Cookie", "Location"} {
		if got := a.header.Get(name); got != "" {
			t.Errorf("%s: %s %q", what, name, got)
		}
	}
}
