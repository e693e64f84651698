package playertest

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"scalelite/recordings/recordingtest"
)

// damages are what can happen to a file.
var damages = map[string]func(string) string{
	"torn":    func(text string) string { return text[:len(text)*2/3] },
	"garbage": func(string) string { return "\x00\xff\xfe<<<{{{ no file of this kind }}}>>>\x01" },
	"empty":   func(string) string { return "" },
	"a page":  func(string) string { return "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1><br></body></html>" },
	"another": func(string) string { return `{"a":[1,{"b":null}],"c":"<x>"}` },
}

// optional are the files that a recording plays without.
func optional(r *recordingtest.Recording) (names []string) {
	for _, name := range r.Names() {
		if !strings.Contains(name, "/") && path.Ext(name) != "" {
			names = append(names, name)
		}
	}
	return names
}

// TestBrokenFiles: whatever is damaged, all that is not still plays, and what
// could not be read is named.
func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	for _, version := range []string{recordingtest.V25, recordingtest.V27, recordingtest.V30} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			h := newTheatre(t, nil)
			r := h.show(recordingtest.Options{Version: version})
			for _, name := range optional(r) {
				if version != recordingtest.V30 && !slices.Contains([]string{"shapes.svg", "tldraw.json"}, name) {
					continue // the same in all of them
				}
				kind := "torn"
				if strings.HasSuffix(name, ".vtt") {
					kind = "garbage" // a torn text is only a shorter one
				}
				h.replace(r, name, damages[kind](r.Text(name)))
				p := h.play(t, laptop, r.Path())
				if strings.HasSuffix(name, ".vtt") {
					p.captionsOn(strings.TrimSuffix(strings.TrimPrefix(name, "caption_"), ".vtt"))
				}
				p.goesOn(name)
				if name != "notes.html" { // which browsers read whatever it is
					p.wait(fmt.Sprintf(`document.querySelector("#problem-list").textContent.includes(%q)`, name))
				}
				p.close()
			}
		})
	}
}

// replace answers requests for one file of a recording with other content.
func (h *theatre) replace(r *recordingtest.Recording, name, content string) {
	h.disturb(func(w http.ResponseWriter, request *http.Request) bool {
		if request.URL.Path != "/presentation/"+r.ID+"/"+name {
			return false
		}
		_, _ = w.Write([]byte(content))
		return true
	})
}

// goesOn checks that the recording plays, forwards and backwards.
func (p *tab) goesOn(what string) {
	p.t.Helper()
	p.seek(20)
	p.seek(3.5)
	p.key("k")
	p.wait(`document.querySelector("#camera").currentTime > 3.7`)
	p.key("k")
	for _, message := range p.said() {
		if strings.HasPrefix(message, "exception") {
			p.t.Errorf("%s: %s", what, message)
		}
	}
}

// TestMissingPictures: slides that do not come are named, and without the facts
// of the recording a link still leads to its time.
func TestMissingPictures(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	r := h.show(recordingtest.Options{})
	h.disturb(func(w http.ResponseWriter, request *http.Request) bool {
		gone := strings.Contains(request.URL.Path, "/svgs/") || strings.HasSuffix(request.URL.Path, "/metadata.xml")
		if gone {
			http.NotFound(w, request)
		}
		return gone
	})
	p := h.play(t, laptop, r.Path()+"?t=7")
	p.wait(`document.querySelector("#problem-list").textContent.includes("svgs/slide")`)
	p.wait(`Math.abs(document.querySelector("#camera").currentTime - 7) < 0.1`)
}

// TestSearchComesLater: when the search does not come, the page says so, and gets
// it when it is asked again.
func TestSearchComesLater(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	r := h.show(recordingtest.Options{})
	var fails atomic.Int64
	h.disturb(func(w http.ResponseWriter, request *http.Request) bool {
		fail := strings.HasSuffix(request.URL.Path, "/search.js") && fails.Add(-1) >= 0
		if fail {
			http.Error(w, "busy", http.StatusServiceUnavailable)
		}
		return fail
	})
	for opener, v := range map[string]view{"#search": laptop, "#search-open": phone} {
		fails.Store(2)
		p := h.play(t, v, r.Path()+"?locale=en")
		for _, selector := range []string{opener, "#toast button"} {
			p.click(selector)
			p.wait(`document.querySelector("#toast").textContent.includes("Search slides and chat: could not be loaded")`)
		}
		p.do(`document.querySelector("#toast").replaceChildren()`)
		p.click(opener)
		p.wait(`document.activeElement?.id === "search"`)
		p.search("leaf", 3)
		if v == phone {
			for _, open := range []string{"false", "true"} {
				p.click(opener)
				p.wait(fmt.Sprintf(`document.querySelector("#search-open").getAttribute("aria-expanded") === %q`, open))
			}
		}
		for _, message := range p.said() {
			if strings.HasPrefix(message, "exception") {
				t.Error(message)
			}
		}
		// Some browsers do not ask twice for a module that did not come.
		asked := slices.DeleteFunc(p.asked(), func(url string) bool { return !strings.Contains(url, "/search.js") })
		if slices.Sort(asked); len(asked) != 3 || len(slices.Compact(slices.Clone(asked))) != 3 {
			t.Errorf("it asked for %v", asked)
		}
	}
}

// TestEverythingBroken: with all of its files damaged at once, or gone, what is
// left is the sound and the picture of the cameras, and those play.
func TestEverythingBroken(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	r := h.show(recordingtest.Options{})
	for kind, damage := range damages {
		h.disturb(func(w http.ResponseWriter, request *http.Request) bool {
			name, ok := strings.CutPrefix(request.URL.Path, "/presentation/"+r.ID+"/")
			if !ok || strings.Contains(name, "/") || r.Text(name) == "" {
				return false
			}
			_, _ = w.Write([]byte(damage(r.Text(name))))
			return true
		})
		p := h.play(t, laptop, r.Path())
		p.goesOn("everything, " + kind)
		problems := p.problems()
		for _, name := range []string{"shapes.svg", "tldraw.json", "cursor.xml", "polls.json"} {
			if kind == "another" && strings.HasSuffix(name, ".json") {
				continue // it is what it should be, but that nothing is in it
			}
			if !strings.Contains(problems, name) {
				t.Errorf("everything, %s: %s is not among the problems %q", kind, name, problems)
			}
		}
		p.close()
	}
	h.disturb(func(w http.ResponseWriter, request *http.Request) bool {
		name, ok := strings.CutPrefix(request.URL.Path, "/presentation/"+r.ID+"/")
		if gone := ok && !strings.HasPrefix(name, "video/"); gone {
			http.NotFound(w, request)
			return true
		}
		return false
	})
	p := h.play(t, laptop, r.Path())
	p.key("k")
	p.wait(`document.querySelector("#camera").currentTime > 0.3`)
}
