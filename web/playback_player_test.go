package web

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"scalelite/recordings"
	"scalelite/store"
)

const playerPolicyOpen = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors *"

// TestPlayerPage: the page is the same for every recording, also for a protected
// one, of which it tells nothing; it is asked for anew each time, and is not
// there without a recording that is published (S6).
func TestPlayerPage(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	const name = `<script>alert("Fred")</script>`
	s.keep(recordingID, allFormats, func(r *store.Recording) { r.Name = name })
	s.keep(otherID, map[string]string{"presentation/audio/audio.webm": "x"}, protected)
	const hidden = "fedcba9876543210fedcba9876543210fedcba98-1530718721126"
	s.keep(hidden, allFormats, func(r *store.Recording) { r.State = store.Unpublished })
	const soundOnly = "fedcba9876543210fedcba9876543210fedcba98-1530718721127"
	s.keep(soundOnly, map[string]string{"podcast/audio.ogg": "x"}, nil)

	open, other := s.play("GET", playerPath+recordingID+"?t=1m"), s.play("GET", playerPath+otherID)
	if open.body != other.body || strings.Contains(open.body, "Fred") {
		t.Errorf("the page is not the same for all: %s", cmp.Diff(open.body, other.body))
	}
	for _, a := range []answer{open, other, s.play("GET", playerPath+recordingID+"/")} {
		h := a.header
		if a.status != 200 || h.Get("Content-Security-Policy") != playerPolicyOpen || h.Get("Cache-Control") != "private, no-cache" ||
			h.Get("Referrer-Policy") != "no-referrer" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Set-Cookie") != "" {
			t.Errorf("%d %v", a.status, h)
		}
	}
	if a := s.play("GET", playerPath+recordingID, "If-None-Match", open.header.Get("ETag")); a.status != http.StatusNotModified {
		t.Errorf("unchanged: %d", a.status)
	}
	for _, id := range []string{hidden, soundOnly, "unknown", "..%2f" + recordingID, "a.b"} {
		s.play("GET", playerPath+id, "If-None-Match", open.header.Get("ETag")).wantNotFound(t, id)
	}
}

// TestPlayerPageNeedsNothingElse: all that the page loads is a file of ours, no
// script and no style stands in it, and what it says of its files is true.
func TestPlayerPageNeedsNothingElse(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, func(o *settings) {
		o.web = func(c *Config) { c.Locale = "de" }
		o.recordings = func(c *recordings.Config) { c.PlayerDownloads = true }
	})
	s.keep(recordingID, allFormats, nil)
	page := s.play("GET", playerPath+recordingID)
	root, err := html.Parse(strings.NewReader(page.body))
	if err != nil {
		t.Fatal(err)
	}
	loaded := map[string]int{}
	ids := map[string]int{}
	for node := range root.Descendants() {
		for _, a := range node.Attr {
			switch {
			case a.Key == "style", strings.HasPrefix(a.Key, "on"):
				t.Errorf("<%s %s=%q>: the policy forbids it", node.Data, a.Key, a.Val)
			case a.Key == "src", a.Key == "href":
				loaded[a.Val]++
			case a.Key == "id":
				ids[a.Val]++
			}
		}
		if inline := node.Data == "script" && node.FirstChild != nil; inline || node.Type == html.ElementNode && node.Data == "style" {
			t.Errorf("<%s> within the page: the policy forbids it", node.Data)
		}
	}
	for name := range loaded {
		if a := s.play("GET", name); !strings.HasPrefix(name, assetsPath+s.web.player.version+"/") || a.status != 200 {
			t.Errorf("the page loads %q: %d", name, a.status)
		}
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("id %q is there %d times", id, n)
		}
	}
	for _, module := range s.web.player.needed() {
		if loaded[assetsPath+s.web.player.version+"/"+module] == 0 {
			t.Errorf("%s is not loaded in advance", module)
		}
	}
	if !strings.Contains(page.body, `<html lang="de" dir="ltr" data-state="loading" data-locales="de en" data-downloads="true">`) {
		t.Errorf("the page says wrongly what the operator chose: %.200s", page.body)
	}
	s.web.Reconfigure(DefaultConfig(), recordings.DefaultConfig(), nil)
	if a := s.play("GET", playerPath+recordingID); !strings.Contains(a.body, `<html lang="en" dir="ltr" data-state="loading" data-locales="de en" data-downloads="false">`) || a.header.Get("ETag") == page.header.Get("ETag") {
		t.Errorf("a reload is not taken over: %.200s", a.body)
	}
}

// TestPlayerModules: each file that a module imports is there, and none is left
// that nothing needs; no module reaches for markup or for another host.
func TestPlayerModules(t *testing.T) {
	t.Parallel()
	modules := map[string]string{}
	entries, err := os.ReadDir("player")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if path.Ext(entry.Name()) == ".js" {
			text, err := os.ReadFile(filepath.Join("player", entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			modules[entry.Name()] = string(text)
		}
	}
	used := map[string]bool{"main.js": true}
	imported := regexp.MustCompile(`(?:from |import |import\()'\./([^']+)'`)
	forbidden := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\('style'`)
	for name, text := range modules {
		if !strings.HasPrefix(text, "// ") {
			t.Errorf("%s does not say what it is", name)
		}
		if found := forbidden.FindString(text); found != "" {
			t.Errorf("%s uses %s", name, found)
		}
		for _, found := range imported.FindAllStringSubmatch(text, -1) {
			used[found[1]] = true
			if _, ok := modules[found[1]]; !ok {
				t.Errorf("%s imports %s, which is not there", name, found[1])
			}
		}
		// slim reads lines, so that nothing may reach over their ends.
		for line := range strings.Lines(text) {
			if strings.Count(line, "`")%2 != 0 {
				t.Errorf("%s: a text reaches over the end of a line: %s", name, line)
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(modules))); diff != "" {
		t.Errorf("modules that are used (-) and that are there (+):\n%s", diff)
	}
}

// TestPlayerWeight: what a visit loads of ours is at most 60 KB, whichever
// drawings the recording has. What is fetched when somebody first uses it, and
// all of the files, are told as docs/player.md does.
func TestPlayerWeight(t *testing.T) {
	t.Parallel()
	p := newPlayerAssets()
	base := len(p.page(pageChoice{locale: reference}).packed) + len(p.files["player.css"].packed) + len(p.files["icon.svg"].packed)
	locale := 0
	for _, tag := range p.locales() {
		locale = max(locale, len(p.files["locale/"+tag+".json"].packed))
	}
	needed := p.needed()
	for _, painter := range []string{"shapes.js", "tldraw1.js", "tldraw2.js"} {
		sum := base + locale
		modules := map[string]bool{}
		for _, name := range append(slices.Clone(needed), p.reachable(painter)...) {
			modules[name] = true
		}
		for name := range modules {
			sum += len(p.files[name].packed)
		}
		t.Logf("with %s: %d bytes in %d files", painter, sum, len(modules)+4) // page, style, icon, texts
		if sum > 60_000 {
			t.Errorf("with %s the page weighs %d bytes", painter, sum)
		}
	}
	all := len(p.page(pageChoice{locale: reference}).packed)
	for _, file := range p.files {
		all += len(file.packed)
	}
	t.Logf("later: search.js %d bytes, podcast.js %d; all %d files: %d bytes", len(p.files["search.js"].packed), len(p.files["podcast.js"].packed), len(p.files)+1, all)
}

// TestPlayerAssets: files are kept for good under the address of their version,
// and not under another one; they come compressed to whoever takes that.
func TestPlayerAssets(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	base := assetsPath + s.web.player.version + "/"
	for name, mime := range map[string]string{
		"main.js": "text/javascript; charset=utf-8", "player.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml", "locale/de.json": "application/json",
	} {
		plain := s.play("GET", base+name)
		packed := s.packed("GET", base+name)
		if plain.status != 200 || plain.header.Get("Content-Type") != mime || plain.header.Get("Cache-Control") != "public, max-age=31536000, immutable" ||
			plain.header.Get("X-Content-Type-Options") != "nosniff" || plain.header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %d %v", name, plain.status, plain.header)
		}
		if packed.header.Get("Content-Encoding") != "gzip" || packed.header.Get("Content-Length") == "" || packed.header.Get("ETag") == plain.header.Get("ETag") {
			t.Errorf("%s, compressed: %v", name, packed.header)
		}
		z, err := gzip.NewReader(strings.NewReader(packed.body))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if unpacked, err := io.ReadAll(z); err != nil || string(unpacked) != plain.body {
			t.Errorf("%s is another one when it is compressed: %v", name, err)
		}
		for _, a := range []answer{s.play("GET", base+name, "If-None-Match", plain.header.Get("ETag")), s.packed("GET", base+name, "If-None-Match", packed.header.Get("ETag"))} {
			if a.status != http.StatusNotModified || a.body != "" || a.header.Get("Content-Encoding") != "" {
				t.Errorf("%s, unchanged: %d %v", name, a.status, a.header)
			}
		}
		if a := s.play("HEAD", base+name); a.status != 200 || a.body != "" {
			t.Errorf("HEAD of %s: %d", name, a.status)
		}
		if a := s.play("GET", assetsPath+"former/"+name); a.status != 200 || a.header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s of another version: %d %v", name, a.status, a.header)
		}
	}
	for _, name := range []string{"", "index.html", "none.js", "../main.js", "..%2fmain.js", "locale", "locale/", "player/main.js"} {
		s.play("GET", base+name).wantNotFound(t, name)
	}
}

// TestSlim: what is left out is read by people only.
func TestSlim(t *testing.T) {
	t.Parallel()
	const style = "/* one */\na > b, #c:hover { margin: 0 1px; transition: opacity .1s, color 1s; }\n"
	if diff := cmp.Diff("a > b,#c:hover{margin:0 1px;transition:opacity .1s,color 1s}", string(slim("a.css", []byte(style)))); diff != "" {
		t.Error(diff)
	}
	const source = "// what it is\n\n/**\n * @param {string} a // not code\n */\n\tfoo('// stays'); // this goes\nbar('; // stays');\n/* one */\n\t/** @type {any} */ (a).b = '*/';\n\t/* several\n\tlines */ c();\n"
	const want = "\n\n\n\n\nfoo('// stays');\nbar('; // stays');\n\n(a).b = '*/';\n\nc();\n"
	if diff := cmp.Diff(want, string(slim("a.js", []byte(source)))); diff != "" {
		t.Error(diff)
	}
}

// TestPlayerTexts: each language has every text, with the same places to fill
// in, and every text that the page asks for is there.
func TestPlayerTexts(t *testing.T) {
	t.Parallel()
	texts := map[string]map[string]string{}
	for _, tag := range newPlayerAssets().locales() {
		content, err := os.ReadFile("player/locale/" + tag + ".json")
		if err != nil {
			t.Fatal(err)
		}
		own := map[string]string{}
		if err := json.Unmarshal(content, &own); err != nil {
			t.Fatalf("%s: %v", tag, err)
		}
		texts[tag] = own
	}
	places := regexp.MustCompile(`\{\w+\}`)
	keys := func(tag string) map[string][]string {
		all := map[string][]string{}
		for key, text := range texts[tag] {
			all[key] = slices.Sorted(slices.Values(places.FindAllString(text, -1)))
		}
		return all
	}
	if len(texts) < 2 || len(texts[reference]) == 0 {
		t.Fatalf("languages: %v", texts)
	}
	for tag := range texts {
		if diff := cmp.Diff(keys(reference), keys(tag)); diff != "" {
			t.Errorf("%s (-%s +%s, with the places to fill in):\n%s", tag, reference, tag, diff)
		}
	}
	for name := range newPlayerAssets().files {
		if path.Ext(name) != ".js" {
			continue
		}
		content, err := os.ReadFile("player/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`\bsay\('([a-z_]+)'`).FindAllSubmatch(content, -1) {
			if _, ok := texts[reference][string(found[1])]; !ok {
				t.Errorf("%s says %q, for which there is no text", name, found[1])
			}
		}
	}
	content, err := os.ReadFile("player/index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`data-(?:text|label|placeholder)="([^"]+)"`).FindAllSubmatch(content, -1) {
		if _, ok := texts[reference][string(found[1])]; !ok {
			t.Errorf("the page says %q, for which there is no text", found[1])
		}
	}
}

// TestFrameAncestors: who may show the player, and the pages that other formats
// bring, in a frame is the operator's choice, and a reload takes it over.
func TestFrameAncestors(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	s.keep(recordingID, allFormats, nil)
	s.keep(otherID, map[string]string{"video/index.html": "x", "screenshare/index.html": "x"}, nil)
	c := DefaultConfig()
	c.FrameAncestors = "'self'   https://lms.example.org"
	s.web.Reconfigure(c, recordings.DefaultConfig(), nil)
	for _, path := range []string{playerPath + recordingID, "/video/" + otherID + "/", "/screenshare/" + otherID + "/index.html"} {
		policy := s.play("GET", path).header.Get("Content-Security-Policy")
		if !strings.HasSuffix(policy, "; frame-ancestors 'self' https://lms.example.org") {
			t.Errorf("%s: %s", path, policy)
		}
	}
	for _, good := range []string{"*", "'none'", "'self'", "https:", "https://*.example.org:8443", "example.org", "https://lms.example.org https://b.example.org", "localhost:*"} {
		c.FrameAncestors = good
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", " ", "'none' https://a.example.org", "self;", "https://a.example.org; script-src *", "https://a.example.org,b", "'unsafe-inline'", "https://a.example.org/path", "a\r\nb: c", "'self"} {
		c.FrameAncestors = bad
		if err := c.Validate(); bad != "a\r\nb: c" && (err == nil || !strings.HasPrefix(err.Error(), "web.frame_ancestors: ")) {
			t.Errorf("%q: %v", bad, err)
		}
		if strings.ContainsAny(ancestors(bad), "\r\n") {
			t.Errorf("%q breaks the header", bad)
		}
	}
}

// TestProtectedIsToldApart: the player's reader learns that a link has expired;
// of what there is not, nobody learns anything.
func TestProtectedIsToldApart(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	s.keep(recordingID, allFormats, protected)
	for _, name := range []string{"metadata.xml", "video/webcams.webm", "none"} {
		for _, method := range []string{"GET", "HEAD"} {
			a := s.play(method, "/presentation/"+recordingID+"/"+name)
			a.wantNotFound(t, name)
			if got := a.header.Get("X-Recording-State"); got != "protected" {
				t.Errorf("%s %s: %q", method, name, got)
			}
		}
	}
	for _, path := range []string{"/presentation/" + otherID + "/metadata.xml", "/capture/" + recordingID + "/x"} {
		if got := s.play("GET", path).header.Get("X-Recording-State"); got != "" {
			t.Errorf("%s: %q", path, got)
		}
	}
	if a := s.play("GET", "/presentation/"+recordingID+"/metadata.xml", "Cookie", s.cookieFor("presentation", recordingID, time.Hour)); a.status != 200 || a.header.Get("X-Recording-State") != "" {
		t.Errorf("with the cookie: %d %v", a.status, a.header)
	}
}
