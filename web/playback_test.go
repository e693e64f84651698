package web

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"scalelite/recordings"
	"scalelite/store"
)

// allFormats are the files of a recording in every format of PLAYBACK.md.
var allFormats = map[string]string{
	"presentation/metadata.xml":                           "<recording/>",
	"presentation/shapes.svg":                             "<svg/>",
	"presentation/captions.json":                          `[{"locale":"en","localeName":"English"}]`,
	"presentation/caption_en.vtt":                         "WEBVTT\n",
	"presentation/notes.html":                             "<p>notes</p>",
	"presentation/presentation/p1/svgs/slide1.svg":        "<svg/>",
	"presentation/presentation/p1/thumbnails/thumb-1.png": "png of a slide",
	"presentation/presentation/p1/textfiles/slide-1.txt":  "text of a slide",
	"presentation/video/webcams.webm":                     "webm of the cameras",
	"presentation/audio/audio.ogg":                        "ogg of the sound",
	"presentation/deskshare/deskshare.mp4":                "mp4 of the screen",
	"video/metadata.xml":                                  "<recording/>",
	"video/index.html":                                    "<!DOCTYPE html><title>video</title>",
	"video/video-0.m4v":                                   "m4v of all",
	"video/js/video.js":                                   "1",
	"video/css/video.css":                                 "a{}",
	"screenshare/index.html":                              "<!DOCTYPE html><title>screen</title>",
	"screenshare/screenshare-0.webm":                      "webm of the screen",
	"podcast/audio.ogg":                                   "ogg of the podcast",
	"notes/notes.pdf":                                     "pdf of the notes",
}

// TestEveryLinkPlays (T14): whatever getRecordings names answers, also to HEAD
// and for a range, with its type.
func TestEveryLinkPlays(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	s.keep(recordingID, allFormats, func(r *store.Recording) {
		f, _ := r.Format("presentation")
		f.Images = []store.Image{{Width: 176, Height: 136, Path: "/presentation/" + recordingID + "/presentation/p1/thumbnails/thumb-1.png"}}
		r.SetFormat(f)
	})
	var list struct {
		Formats []struct {
			Type   string   `xml:"type"`
			URL    string   `xml:"url"`
			Images []string `xml:"preview>images>image"`
		} `xml:"recordings>recording>playback>format"`
	}
	if err := xml.Unmarshal([]byte(s.get("getRecordings", "recordID", recordingID).body), &list); err != nil {
		t.Fatal(err)
	}
	types := map[string]string{
		"presentation": "text/html; charset=utf-8", "video": "text/html; charset=utf-8", "screenshare": "text/html; charset=utf-8",
		"podcast": "audio/ogg", "notes": "application/pdf", "thumbnail": "image/png",
	}
	links := map[string]string{}
	for _, f := range list.Formats {
		links[f.Type] = f.URL
		for _, image := range f.Images {
			links["thumbnail"] = image
		}
	}
	if len(links) != len(types) {
		t.Fatalf("links: %v", links)
	}
	for kind, link := range links {
		path := s.follow(strings.TrimPrefix(link, s.url))
		get, head := s.play("GET", path), s.play("HEAD", path)
		if get.status != http.StatusOK || head.status != http.StatusOK || head.body != "" || get.body == "" {
			t.Errorf("%s: GET %d, HEAD %d %q", link, get.status, head.status, head.body)
		}
		for _, a := range []answer{get, head} {
			if got := a.header.Get("Content-Type"); got != types[kind] {
				t.Errorf("%s: Content-Type %q, want %q", link, got, types[kind])
			}
			if got := a.header.Get("Content-Length"); got != fmt.Sprint(len(get.body)) {
				t.Errorf("%s: Content-Length %q of %d", link, got, len(get.body))
			}
		}
		if kind == "presentation" { // a page of ours, of which nobody wants parts
			continue
		}
		if a := s.play("GET", path, "Range", "bytes=2-5"); a.status != http.StatusPartialContent || a.body != get.body[2:6] {
			t.Errorf("%s: a range: %d %q", link, a.status, a.body)
		}
	}
}

// follow returns where redirects within this host lead.
func (s *system) follow(path string) string {
	s.t.Helper()
	for range 5 {
		a := s.play("GET", path)
		if a.status < 300 || a.status > 399 {
			return path
		}
		path = a.header.Get("Location")
		if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
			s.t.Fatalf("redirect to %q", path)
		}
	}
	s.t.Fatalf("redirects without end, at %s", path)
	return ""
}

// TestMIMETypes are those of PLAYBACK.md, 2, whatever the machine knows.
func TestMIMETypes(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	types := map[string]string{
		"a.webm": "video/webm", "a.m4v": "video/mp4", "a.mp4": "video/mp4", "a.ogg": "audio/ogg", "a.vtt": "text/vtt; charset=utf-8",
		"a.svg": "image/svg+xml", "a.xml": "text/xml", "a.json": "application/json", "a.png": "image/png", "a.pdf": "application/pdf",
		"a.txt": "text/plain; charset=utf-8", "A.PNG": "image/png", "a.js": "text/javascript; charset=utf-8", "a.css": "text/css; charset=utf-8",
		"a.html": "text/html; charset=utf-8", "a.odt": "application/vnd.oasis.opendocument.text",
		"a": "application/octet-stream", "a.unknown": "application/octet-stream", "a.php": "application/octet-stream",
	}
	files := map[string]string{}
	for name := range types {
		files["presentation/"+name] = "<html><script>alert(1)</script>"
	}
	s.keep(recordingID, files, nil)
	for name, want := range types {
		a := s.play("GET", "/presentation/"+recordingID+"/"+name)
		if got := a.header.Get("Content-Type"); a.status != http.StatusOK || got != want {
			t.Errorf("%s: %d %q, want %q", name, a.status, got, want)
		}
		if got := a.header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options %q", name, got)
		}
	}
}

// TestPolicies (S17): slides and notes run no scripts, pages of the formats that
// bring a player only their own; other formats are saved, not shown.
func TestPolicies(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	s.keep(recordingID, map[string]string{
		"presentation/notes.html": "x", "presentation/a.svg": "x", "presentation/a.xml": "x", "presentation/a.webm": "x",
		"video/index.html": "x", "video/a.svg": "x", "screenshare/index.html": "x", "capture/index.html": "x", "notes/notes.html": "x",
		"podcast/audio.ogg": "x", `notes/a"b.txt`: "x",
	}, nil)
	for path, want := range map[string]struct{ policy, disposition string }{
		"presentation/%s/notes.html": {documentPolicy, ""},
		"presentation/%s/a.svg":      {documentPolicy, ""},
		"presentation/%s/a.xml":      {documentPolicy, ""},
		"presentation/%s/a.webm":     {dataPolicy, ""},
		"video/%s/":                  {pagesPolicy + "frame-ancestors *", ""},
		"video/%s/index.html":        {pagesPolicy + "frame-ancestors *", ""},
		"video/%s/a.svg":             {documentPolicy, ""},
		"screenshare/%s/":            {pagesPolicy + "frame-ancestors *", ""},
		"capture/%s/":                {documentPolicy, `attachment; filename="index.html"`},
		"notes/%s/notes.html":        {documentPolicy, `attachment; filename="notes.html"`},
		"notes/%s/a%%22b.txt":        {dataPolicy, `attachment; filename="a_b.txt"`},
		"podcast/%s/audio.ogg":       {dataPolicy, `attachment; filename="audio.ogg"`},
	} {
		a := s.play("GET", "/"+fmt.Sprintf(path, recordingID))
		if got := a.header.Get("Content-Security-Policy"); a.status != http.StatusOK || got != want.policy {
			t.Errorf("%s: %d, policy %q, want %q", path, a.status, got, want.policy)
		}
		if got := a.header.Get("Content-Disposition"); got != want.disposition {
			t.Errorf("%s: Content-Disposition %q, want %q", path, got, want.disposition)
		}
		if got := a.header.Get("Cache-Control"); got != "private, no-cache" {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
	}
	for _, policy := range []string{documentPolicy, dataPolicy} {
		if strings.Contains(policy, "script-src") || !strings.Contains(policy, "default-src 'none'") {
			t.Errorf("scripts may run: %s", policy)
		}
	}
	if !strings.Contains(documentPolicy, "sandbox") || strings.Contains(documentPolicy, "allow-") {
		t.Errorf("documents are not locked up: %s", documentPolicy)
	}
	if strings.Contains(pagesPolicy, "script-src 'self' 'unsafe") {
		t.Errorf("scripts within a page may run: %s", pagesPolicy)
	}
}

// TestDirectories: one with an index.html shows it, at its path with a slash;
// none is listed.
func TestDirectories(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	s.keep(recordingID, map[string]string{
		"presentation/a/b.txt": "x", "presentation/with index/index.html": "of a directory", "video/index.html": "of the video",
	}, nil)
	video, presentation := "/video/"+recordingID, "/presentation/"+recordingID
	for path, want := range map[string]string{
		video: video + "/", video + "?t=1m&x=%2f": video + "/?t=1m&x=%2f",
		presentation + "/with%20index": presentation + "/with%20index/",
	} {
		if a := s.play("GET", path); a.status != http.StatusTemporaryRedirect || a.header.Get("Location") != want {
			t.Errorf("%s: %d to %q, want %q", path, a.status, a.header.Get("Location"), want)
		}
	}
	for path, want := range map[string]string{video + "/": "of the video", presentation + "/with%20index/": "of a directory"} {
		if a := s.play("GET", path); a.status != http.StatusOK || a.body != want {
			t.Errorf("%s: %d %q", path, a.status, a.body)
		}
	}
	for _, path := range []string{
		presentation, presentation + "/", presentation + "/a", presentation + "/a/", video + "/index.html/", video + "/index.html/x",
		"/presentation/", "/video/",
	} {
		a := s.play("GET", path)
		a.wantNotFound(t, path)
		if strings.Contains(a.body, "b.txt") || strings.Contains(a.body, recordingID) {
			t.Errorf("%s lists: %s", path, a.body)
		}
	}
}

// TestNothingOutside (S17): whatever the path, only files of the recording's own
// directory come.
func TestNothingOutside(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	r := s.keep(recordingID, map[string]string{"presentation/a.txt": "mine", "presentation/d/b.txt": "mine", "presentation/d/100%25.txt": "mine"}, nil)
	s.keep(otherID, map[string]string{"presentation/a.txt": "SECRET"}, func(r *store.Recording) { r.State = store.Unpublished })
	config := s.web.recordingsConfig()
	secret := filepath.Join(filepath.Dir(config.PublishedDir), "secret.txt")
	for _, path := range []string{secret, filepath.Join(config.PublishedDir, "a.txt"), filepath.Join(config.PublishedDir, "presentation", "a.txt")} {
		if err := os.WriteFile(path, []byte("SECRET"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	own := s.dir(r, "presentation")
	for name, target := range map[string]string{
		"link.txt": secret, "up.txt": "../../../secret.txt", "dir": filepath.Dir(secret), "inside.txt": "a.txt",
		"other": filepath.Join(config.UnpublishedDir, "presentation", otherID),
	} {
		if err := os.Symlink(target, filepath.Join(own, name)); err != nil {
			t.Fatal(err)
		}
	}
	base := "/presentation/" + recordingID
	for _, path := range []string{
		base + "/../a.txt", base + "/../../a.txt", base + "/..%2fa.txt", base + "/..%2Fa.txt", base + "/%2e%2e/a.txt", base + "/%2e%2e%2fa.txt",
		base + "/..%252fa.txt", base + "/%252e%252e/a.txt", base + "/%252e%252e%252fa.txt", base + "/..%5ca.txt", base + `/..\a.txt`, base + `/d\b.txt`,
		base + "/d%2fb.txt", base + "/d%5cb.txt", base + "/a.txt%00", base + "/a.txt%00.png", base + "/%00", base + "/./a.txt", base + "/d/./b.txt",
		base + "/d/../a.txt", base + "/d/%2e/b.txt", base + "/....//a.txt", base + "/..", base + "/.", base + "/%2e%2e", base + "/..;/a.txt",
		base + "/link.txt", base + "/up.txt", base + "/dir/secret.txt", base + "/other/a.txt", base + "/inside.txt",
		"/presentation/../secret.txt", "/presentation/..%2fsecret.txt", "/presentation/../presentation/a.txt", "/presentation/a.txt",
		"/presentation/" + otherID + "/a.txt", "/presentation/" + otherID + "%2fa.txt", "/presentation/" + recordingID + "%2f..%2fa.txt",
		"/presentation/" + recordingID + "%00/a.txt", "/presentation/./" + recordingID + "/a.txt", "/presentation/.%2e/a.txt",
		"/unpublished/presentation/" + otherID + "/a.txt", "/etc/passwd", "//etc/passwd", "/presentation//etc/passwd",
		base + "/" + secret, base + "/%2f" + secret, base + "/%c0%ae%c0%ae/a.txt", base + "/%e0%80%ae%e0%80%ae/a.txt", base + "/a.txt%2f", base + "/a.txt/.",
		base + "/" + strings.Repeat("d/../", 200) + "a.txt", base + "/" + strings.Repeat("x", 5000),
	} {
		status, body := s.rawGet(path)
		if strings.Contains(body, "SECRET") || strings.Contains(body, "root:") || status == http.StatusOK && !strings.Contains(body, "unsupportedRequest") {
			t.Errorf("%s: %d %.100q", path, status, body)
		}
	}
	for _, path := range []string{base + "/a.txt", base + "/d/b.txt", "/presentation//" + recordingID + "//d///b.txt", base + "/%61.txt", base + "/d/100%2525.txt"} {
		if status, body := s.rawGet(path); status != http.StatusOK || body != "mine" {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
}

// FuzzFilePath: no path leads out of the directory it is about.
func FuzzFilePath(f *testing.F) {
	for _, path := range []string{
		"/presentation/x/a.txt", "/presentation/x/../y/a.txt", "/presentation/x/%2e%2e/a", "/presentation/x/..%2f", "/presentation/x/%00",
		`/presentation/x/\..`, "/presentation/x/", "/presentation/x", "/presentation//x/a", "/presentation/x/%", "/presentation/x/%zz",
	} {
		f.Add(path)
	}
	root := f.TempDir()
	f.Fuzz(func(t *testing.T, path string) {
		p, ok := parseFilePath(path)
		if !ok {
			return
		}
		if !recordings.PlainWord(p.format) || !recordings.PlainWord(p.id) {
			t.Fatalf("%q: format %q, ID %q", path, p.format, p.id)
		}
		for _, name := range []string{p.name, p.index()} {
			inside := filepath.Join(root, p.format, p.id)
			full := filepath.Join(inside, name)
			if name != "" && (full != inside+"/"+name || !filepath.IsLocal(name)) {
				t.Fatalf("%q: %q leads to %q", path, name, full)
			}
			if strings.ContainsAny(name, "\\\x00") {
				t.Fatalf("%q: %q", path, name)
			}
		}
	})
}

// TestHiddenAtOnce (S6): what is unpublished or deleted is gone for every
// request from then on, whatever the reader has of it; published, it is back.
func TestHiddenAtOnce(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	s.keep(recordingID, allFormats, func(r *store.Recording) { r.Protected = true })
	s.keep(otherID, allFormats, nil)
	for _, id := range []string{recordingID, otherID} {
		cookie := ""
		if id == recordingID {
			cookie = s.cookieFor("presentation", id, time.Hour)
		}
		file, player := "/presentation/"+id+"/presentation/p1/thumbnails/thumb-1.png", "/playback/presentation/2.3/"+id
		before := s.play("GET", file, "Cookie", cookie)
		if before.status != http.StatusOK || s.play("GET", player).status != http.StatusOK {
			t.Fatalf("before: %d %s", before.status, before.body)
		}
		gone := func(state string) {
			t.Helper()
			for _, path := range []string{file, player, "/presentation/" + id + "/video/webcams.webm", "/presentation/" + id + "/", "/video/" + id + "/", "/video/" + id, "/podcast/" + id + "/audio.ogg", "/recording/" + id + "/video"} {
				for _, method := range []string{"GET", "HEAD"} {
					s.play(method, path, "Cookie", cookie).wantNotFound(t, state+" "+method+" "+path)
				}
				s.play("GET", path, "Cookie", cookie, "Range", "bytes=0-1").wantNotFound(t, state+" range of "+path)
				s.play("GET", path, "Cookie", cookie, "If-None-Match", before.header.Get("ETag")).wantNotFound(t, state+" If-None-Match of "+path)
				s.play("GET", path, "Cookie", cookie, "If-Modified-Since", before.header.Get("Last-Modified")).wantNotFound(t, state+" If-Modified-Since of "+path)
			}
		}
		if a := s.get("publishRecordings", "recordID", id, "publish", "false"); !a.OK {
			t.Fatal(a.body)
		}
		gone("unpublished")
		if a := s.get("publishRecordings", "recordID", id, "publish", "true"); !a.OK {
			t.Fatal(a.body)
		}
		if a := s.play("GET", file, "Cookie", cookie); a.status != http.StatusOK || a.body != before.body {
			t.Errorf("published again: %d %s", a.status, a.body)
		}
		if a := s.get("deleteRecordings", "recordID", id); !a.OK {
			t.Fatal(a.body)
		}
		gone("deleted")
	}
	s.play("GET", "/presentation/"+strings.Repeat("0", 40)+"-1530718721124/metadata.xml").wantNotFound(t, "unknown")
}

// TestFormatsOfARecord: a directory that is there is not played unless the
// record has the format, nor a format that is not served.
func TestFormatsOfARecord(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, func(o *settings) {
		o.recordings = func(c *recordings.Config) { c.Formats = []string{"presentation", "ai-summary"} }
	})
	r := s.keep(recordingID, map[string]string{"presentation/a.txt": "x", "ai-summary/index.html": "summary", "video/index.html": "x"}, nil)
	if err := os.Rename(s.dir(r, "presentation"), s.dir(r, "presentation")+".away"); err != nil {
		t.Fatal(err)
	}
	s.play("GET", "/presentation/"+recordingID+"/a.txt").wantNotFound(t, "files that are missing")
	if a := s.play("GET", "/ai-summary/"+recordingID+"/"); a.status != http.StatusOK || a.body != "summary" {
		t.Errorf("a format of others: %d %s", a.status, a.body)
	}
	if a := s.play("GET", "/playback/ai-summary/"+recordingID+"/"); a.header.Get("Location") != "/ai-summary/"+recordingID+"/" {
		t.Errorf("its link in the form of BBB: %d %v", a.status, a.header)
	}
	if a := s.play("GET", "/video/"+recordingID+"/"); a.MessageKey != "unsupportedRequest" {
		t.Errorf("a format that is not served: %d %s", a.status, a.body)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
		if a := s.play(method, "/ai-summary/"+recordingID+"/"); a.MessageKey != "unsupportedRequest" {
			t.Errorf("%s: %d %s", method, a.status, a.body)
		}
	}
}

// TestRecordingsOff: nothing is played, and links say so politely.
func TestRecordingsOff(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{noSync: true})
	for _, path := range []string{"/presentation/" + recordingID + "/a", "/playback/presentation/2.3/" + recordingID, "/recording/" + recordingID + "/video?token=x"} {
		s.play("GET", path).wantNotFound(t, path)
	}
}
