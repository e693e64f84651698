package web

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/recordings"
)

// TestPlaybackRedirects: the shapes that links had, with their query.
func TestPlaybackRedirects(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	s.keep(recordingID, allFormats, nil)
	const id = recordingID
	for path, want := range map[string]struct {
		status   int
		location string
	}{
		"/playback/video/" + id:                                             {307, "/video/" + id},
		"/playback/video/" + id + "/":                                       {307, "/video/" + id + "/"},
		"/playback/video/" + id + "/video-0.m4v?x=1&y=%2f":                  {307, "/video/" + id + "/video-0.m4v?x=1&y=%2f"},
		"/playback/video/" + id + "/?t=1m":                                  {307, "/video/" + id + "/?t=1m"},
		"/recording/screenshare/" + id:                                      {307, "/screenshare/" + id},
		"/recording/screenshare/" + id + "/":                                {307, "/screenshare/" + id + "/"},
		"/recording/screenshare/" + id + "/screenshare-0.webm":              {307, "/screenshare/" + id + "/screenshare-0.webm"},
		"/playback/screenshare/" + id + "/":                                 {307, "/screenshare/" + id + "/"},
		"/playback/presentation/playback.html?meetingId=" + id + "&t=5":     {301, "/playback/presentation/0.81/playback.html?meetingId=" + id + "&t=5"},
		"/playback/presentation/0.81/playback.html?meetingId=" + id:         {301, "/playback/presentation/2.3/" + id + "?meetingId=" + id},
		"/playback/presentation/0.9.0/playback.html?meetingId=" + id:        {301, "/playback/presentation/2.3/" + id + "?meetingId=" + id},
		"/playback/presentation/2.0/playback.html?a=%20b&meetingId=" + id:   {301, "/playback/presentation/2.3/" + id + "?a=%20b&meetingId=" + id},
		"/playback/presentation/2.0/playback.html?meetingId=../../evil":     {404, ""},
		"/playback/presentation/2.0/playback.html?meetingId=%2f%2fevil.org": {404, ""},
		"/playback/presentation/2.0/playback.html":                          {404, ""},
		"/playback/presentation/2.3/" + id + "/":                            {200, ""},
		"/playback/presentation/2.3/":                                       {404, ""},
		"/playback/presentation/3.0/" + id:                                  {404, ""},
		"/playback/video/%2f%2fevil.org/":                                   {307, "/video/evil.org/"},
		"/playback//evil.org/x":                                             {404, ""},
		"/playback":                                                         {200, ""},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			a := s.play(method, path)
			if a.status != want.status || a.header.Get("Location") != want.location {
				t.Errorf("%s %s: %d %q", method, path, a.status, a.header.Get("Location"))
			}
			if want.location != "" && a.header.Get("Cache-Control") != "no-cache" {
				t.Errorf("%s is kept: %q", path, a.header.Get("Cache-Control"))
			}
		}
	}
}

// TestNotFoundPage is in the language of the reader.
func TestNotFoundPage(t *testing.T) {
	t.Parallel()
	own := t.TempDir()
	for name, content := range map[string]string{
		"de.json":    `{"recording_not_found_title": "Aufnahme <weg>"}`,
		"ar.json":    `{"dir": "rtl", "recording_not_found_title": "لم يتم العثور على التسجيل"}`,
		"de_AT.json": `{"recording_not_found_text": "Leider."}`,
		"fr.json":    `{"recording_not_found_title": `,
		"x.txt":      "no text",
		"9.json":     "{}",
	} {
		if err := os.WriteFile(filepath.Join(own, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	log := &logBuffer{}
	s := newLibrary(t, nil)
	german := newLibrary(t, func(o *settings) { o.web = func(c *Config) { c.Locale = "de-CH" } })
	changed := newLibrary(t, func(o *settings) {
		o.log = log
		o.web = func(c *Config) { c.LocaleDir = own }
	})
	const en, de = "Recording Not Found", "Aufzeichnung nicht gefunden"
	for _, test := range []struct {
		s                          *system
		accept, lang, dir, heading string
	}{
		{s, "", "en", "ltr", en},
		{s, "de", "de", "ltr", de},
		{s, "de-AT,de;q=0.9,en;q=0.8", "de", "ltr", de},
		{s, "fr,de;q=0.5,en;q=0.7", "en", "ltr", en},
		{s, "fr, de;q=0.5, en;q=0.4", "de", "ltr", de},
		{s, "en;q=0, de;q=0.1", "de", "ltr", de},
		{s, "DE", "de", "ltr", de},
		{s, "*", "en", "ltr", en},
		{s, "zh-Hant-TW", "en", "ltr", en},
		{s, "deutsch", "en", "ltr", en},
		{s, "de;q=x, ;q=1, ,", "en", "ltr", en},
		{s, strings.Repeat("xx,", 5000) + "de", "en", "ltr", en},
		{german, "", "de", "ltr", de},
		{german, "fr", "de", "ltr", de},
		{german, "en", "en", "ltr", en},
		{german, "fr, *;q=0.5", "de", "ltr", de},
		{changed, "de", "de", "ltr", "Aufnahme &lt;weg&gt;"},
		{changed, "de-at", "de-at", "ltr", "Aufnahme &lt;weg&gt;"},
		{changed, "ar-EG", "ar", "rtl", "لم يتم العثور على التسجيل"},
		{changed, "fr", "en", "ltr", en},
	} {
		a := test.s.play("GET", "/presentation/"+recordingID+"/x", "Accept-Language", test.accept)
		a.wantNotFound(t, test.accept)
		for _, want := range []string{`<html lang="` + test.lang + `" dir="` + test.dir + `">`, "<h1>" + test.heading + "</h1>", "<title>" + test.heading + "</title>"} {
			if !strings.Contains(a.body, want) {
				t.Errorf("%q: the page lacks %q: %s", test.accept, want, a.body)
			}
		}
		if a.header.Get("Content-Language") != test.lang || a.header.Get("Vary") != "Accept-Language" || a.header.Get("Content-Security-Policy") != pagePolicy {
			t.Errorf("%q: %v", test.accept, a.header)
		}
	}
	if a := changed.play("GET", "/presentation/x", "Accept-Language", "de-AT"); !strings.Contains(a.body, "Leider.") {
		t.Errorf("a variety of a language has its own text: %s", a.body)
	}
	for _, name := range []string{"fr.json", "9.json"} {
		if !strings.Contains(log.String(), name) {
			t.Errorf("the log does not name %s: %s", name, log.String())
		}
	}
	if a := s.play("HEAD", "/presentation/"+recordingID+"/x"); a.status != http.StatusNotFound || a.body != "" {
		t.Errorf("HEAD: %d %q", a.status, a.body)
	}
}

// TestJoinPageLanguage: the page of a failed join has the same texts.
func TestJoinPageLanguage(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{noSync: true})
	header := http.Header{"Accept": {acceptFirefox}, "Accept-Language": {"de-DE,de;q=0.8,en;q=0.3"}}
	a := s.fetch("GET", s.link("join", "meetingID", "none", "fullName", "a"), header, nil)
	for _, want := range []string{`<html lang="de" dir="ltr">`, "<h1>Diese Konferenz läuft nicht</h1>", "Noch einmal versuchen", "Für die Technik: notFound"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the page lacks %q: %s", want, a.body)
		}
	}
}

// TestTexts: each language has every text, and none that nobody knows.
func TestTexts(t *testing.T) {
	t.Parallel()
	texts, err := readTexts(localeFiles, "locale")
	if err != nil {
		t.Fatal(err)
	}
	keys := func(tag string) map[string]int {
		all := map[string]int{}
		for key, text := range texts[tag] {
			all[key] = strings.Count(text, "{")
		}
		return all
	}
	if len(texts) < 2 || len(keys(reference)) == 0 {
		t.Fatalf("languages: %v", texts)
	}
	for tag := range texts {
		if diff := cmp.Diff(keys(reference), keys(tag)); diff != "" {
			t.Errorf("%s (-%s +%s, with the number of places to fill in):\n%s", tag, reference, tag, diff)
		}
	}
}

// TestLocaleIsReconfigured: a reload takes over language and texts.
func TestLocaleIsReconfigured(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	c := DefaultConfig()
	c.Locale = "de"
	s.web.Reconfigure(c, recordings.DefaultConfig(), nil)
	if a := s.play("GET", "/presentation/x"); !strings.Contains(a.body, "Aufzeichnung nicht gefunden") {
		t.Error(a.body)
	}
}
