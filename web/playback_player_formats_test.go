package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"scalelite/recordings"
	"scalelite/store"
)

// downloadFiles are a recording with something to save in each way.
var downloadFiles = map[string]string{
	"presentation/metadata.xml": "<recording/>",
	"video/index.html":          "page", "video/video-0.m4v": "m4v of all", "video/video-1.webm": "webm", "video/js/video.js": "1",
	"screenshare/screenshare-0.webm": "webm of the screen", "podcast/audio.ogg": "ogg of the podcast", "notes/notes.pdf": "pdf",
	"statistics/index.html": "page",
}

// TestDownloads: what can be saved is listed and sent, if the operator lets it.
func TestDownloads(t *testing.T) {
	t.Parallel()
	on := func(c *recordings.Config) { c.PlayerDownloads = true }
	s := newLibrary(t, func(o *settings) { o.recordings = on })
	s.keep(recordingID, downloadFiles, nil)
	base := "/presentation/" + recordingID + "/.downloads"
	var got struct{ Downloads []savable }
	a := s.play("GET", base+".json")
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.header.Get("Cache-Control") != "private, no-cache" {
		t.Fatalf("%d %v %v %s", a.status, a.header, err, a.body)
	}
	want := map[string]string{
		"video/video-0.m4v": "m4v of all", "video/video-1.webm": "webm", "screenshare/screenshare-0.webm": "webm of the screen",
		"podcast/audio.ogg": "ogg of the podcast", "notes/notes.pdf": "pdf",
	}
	if len(got.Downloads) != len(want) {
		t.Errorf("listed: %v", got.Downloads)
	}
	for _, d := range got.Downloads {
		content := want[d.Format+"/"+d.Name]
		a := s.play("GET", d.URL)
		if d.URL != base+"/"+d.Format+"/"+d.Name || a.status != 200 || a.body != content || d.Size != int64(len(content)) {
			t.Errorf("%v: %d %q", d, a.status, a.body)
		}
		if got := a.header.Get("Content-Disposition"); got != `attachment; filename="`+d.Name+`"` {
			t.Errorf("%s: %q", d.URL, got)
		}
		if a := s.play("GET", d.URL, "Range", "bytes=1-2"); a.status != http.StatusPartialContent || a.body != content[1:3] {
			t.Errorf("a part of %s: %d %q", d.URL, a.status, a.body)
		}
	}
	for _, name := range []string{
		"video/index.html", "video/js%2fvideo.js", "video/video-0.m4v%00", "video/..%2f..%2fpresentation%2f" + recordingID + "%2fmetadata.xml",
		"presentation/metadata.xml", "podcast/metadata.xml", "statistics/index.html", "none/none", "x",
	} {
		s.play("GET", base+"/"+name).wantNotFound(t, name)
	}
	s.web.Reconfigure(DefaultConfig(), recordings.DefaultConfig(), nil)
	for _, path := range []string{base + ".json", base + "/podcast/audio.ogg"} {
		s.play("GET", path).wantNotFound(t, "switched off: "+path)
	}
}

// TestProtectedDownloads: who was let into a protected presentation can save its
// other formats, and nobody else.
func TestProtectedDownloads(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, func(o *settings) { o.recordings = func(c *recordings.Config) { c.PlayerDownloads = true } })
	s.keep(recordingID, downloadFiles, protected)
	s.keep(otherID, downloadFiles, func(r *store.Recording) { r.Protected, r.State = true, store.Unpublished })
	cookie := s.cookieFor("presentation", recordingID, time.Hour)
	for _, name := range []string{".downloads.json", ".downloads/video/video-0.m4v", ".downloads/podcast/audio.ogg"} {
		path := "/presentation/" + recordingID + "/" + name
		if a := s.play("GET", path, "Cookie", cookie); a.status != 200 {
			t.Errorf("%s with the cookie: %d", name, a.status)
		}
		s.play("GET", path).wantNotFound(t, name+" without a cookie")
		s.play("GET", path, "Cookie", s.cookieFor("video", recordingID, time.Hour)).wantNotFound(t, name+" with another format's")
		s.play("GET", path, "Cookie", s.cookieFor("presentation", recordingID, -time.Second)).wantNotFound(t, name+" with one that expired")
		s.play("GET", "/presentation/"+otherID+"/"+name, "Cookie", s.cookieFor("presentation", otherID, time.Hour)).wantNotFound(t, name+" of an unpublished one")
	}
}

// TestPodcastPage: a browser that goes to a podcast gets the page, everything
// else the sound.
func TestPodcastPage(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	s.keep(recordingID, map[string]string{"podcast/audio.ogg": "ogg of the podcast", "podcast/metadata.xml": "<recording/>"}, nil)
	s.keep(otherID, map[string]string{"podcast/audio.ogg": "x"}, protected)
	sound := "/podcast/" + recordingID + "/audio.ogg"
	const chrome = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
	for _, headers := range [][]string{
		{"Accept", chrome}, {"Accept", acceptFirefox, "Sec-Fetch-Dest", "document"}, {"Accept", chrome, "Sec-Fetch-Dest", "iframe"},
	} {
		a := s.play("GET", sound, headers...)
		if a.status != 200 || !strings.Contains(a.body, `id="player"`) || a.header.Get("Content-Security-Policy") != playerPolicyOpen ||
			a.header.Get("Content-Disposition") != "" || !slices.Contains(a.header.Values("Vary"), "Accept, Range, Sec-Fetch-Dest") {
			t.Errorf("%q: %d %v %.100s", headers, a.status, a.header, a.body)
		}
	}
	for _, headers := range [][]string{
		{}, {"Accept", "*/*"}, {"Accept", chrome, "Range", "bytes=0-"}, {"Accept", "text/html;q=0, */*"}, {"Accept", chrome, "Sec-Fetch-Dest", "empty"},
		{"Accept", "audio/webm,audio/ogg,audio/wav,audio/*;q=0.9,application/ogg;q=0.7,video/*;q=0.6,*/*;q=0.5", "Sec-Fetch-Dest", "audio"},
	} {
		a := s.play("GET", sound, headers...)
		if a.status/100 != 2 || a.body != "ogg of the podcast" || a.header.Get("Content-Type") != "audio/ogg" || !slices.Contains(a.header.Values("Vary"), "Accept, Range, Sec-Fetch-Dest") {
			t.Errorf("%q: %d %v %.100s", headers, a.status, a.header, a.body)
		}
	}
	if a := s.play("GET", sound+"?file", "Accept", chrome); a.body != "ogg of the podcast" {
		t.Errorf("the page asks for its sound: %.100s", a.body)
	}
	if a := s.play("GET", "/podcast/"+recordingID+"/metadata.xml", "Accept", chrome); a.body != "<recording/>" {
		t.Errorf("what is no sound: %.100s", a.body)
	}
	for _, path := range []string{"/podcast/" + recordingID + "/none.ogg", "/podcast/unknown/audio.ogg"} {
		s.play("GET", path, "Accept", chrome).wantNotFound(t, path)
	}
	// Of a protected one the page says that the link has expired; which files it
	// has, it does not tell.
	for _, name := range []string{"audio.ogg", "none.ogg"} {
		path := "/podcast/" + otherID + "/" + name
		if a := s.play("GET", path, "Accept", chrome); a.status != 200 || !strings.Contains(a.body, `id="player"`) {
			t.Errorf("%s, protected: %d %.100s", name, a.status, a.body)
		}
		a := s.play("GET", path+"?file", "Accept", chrome)
		a.wantNotFound(t, path)
		if a.header.Get("X-Recording-State") != "protected" {
			t.Errorf("%s: the page is not told why: %v", name, a.header)
		}
	}
	if a := s.play("GET", "/podcast/"+otherID+"/audio.ogg", "Accept", chrome, "Cookie", s.cookieFor("podcast", otherID, time.Hour)); !strings.Contains(a.body, `id="player"`) {
		t.Errorf("a protected one with its cookie: %d %.100s", a.status, a.body)
	}
}

// TestPlayerOfFormatsNotServed: what recordings.formats leaves out has no page
// and no downloads either.
func TestPlayerOfFormatsNotServed(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, func(o *settings) {
		o.recordings = func(c *recordings.Config) { c.PlayerDownloads, c.Formats = true, []string{"presentation", "video"} }
	})
	s.keep(recordingID, downloadFiles, nil)
	if a := s.play("GET", "/podcast/"+recordingID+"/audio.ogg", "Accept", "text/html"); a.status == 200 && a.MessageKey != "unsupportedRequest" {
		t.Errorf("%d %s", a.status, a.body)
	}
	list := s.play("GET", "/presentation/"+recordingID+"/.downloads.json").body
	if strings.Contains(list, "podcast") || !strings.Contains(list, "video-0.m4v") {
		t.Error(list)
	}
	s.play("GET", "/presentation/"+recordingID+"/.downloads/podcast/audio.ogg").wantNotFound(t, "podcast")
}
