package playertest

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"scalelite/recordings/recordingtest"
)

// TestHostileRecordings: whatever somebody typed, drew or uploaded, none of it
// is executed, nothing is asked of another host, and the recording plays.
func TestHostileRecordings(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	for _, version := range recordingtest.Versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			r := h.make(recordingtest.Options{Version: version, Title: "Hostile"})
			r.Tempt()
			h.bring(r)
			p := h.play(t, laptop, r.Path()+"?locale=en")
			p.captionsOn("en")
			for at := 0.0; at < recordingtest.Length; at += 2.6 {
				p.seek(at)
				p.wantHarmless(h)
			}
			p.look()
			p.key("k")
			p.wait(`document.querySelector("#camera").currentTime > 29.2`)
			p.wantHarmless(h)
			if !strings.Contains(evaluate[string](p, `document.querySelector("#chat").textContent`), "one") {
				t.Error("the chat is not there")
			}
			for _, name := range []string{"notes.html", r.Slide(1), "shapes.svg", "slides_new.xml"} {
				p.visit(h.url + "/presentation/" + r.ID + "/" + name)
				p.wantNothingExecuted()
			}
		})
	}
}

// look has everything shown that the page has: notes, help, search.
func (p *tab) look() {
	p.t.Helper()
	p.do(`
		document.querySelectorAll("[role=tab]").forEach((tab) => tab.click());
		document.querySelectorAll("details").forEach((menu) => { menu.open = true });
		document.querySelectorAll("#notes *, #chat li, #stage *").forEach((element) => {
			for (const name of ["mouseover", "focus", "load", "error"]) element.dispatchEvent(new Event(name, {bubbles: false}));
		});`)
	for _, text := range []string{"script", "poll", "text", "four"} {
		p.do(fmt.Sprintf(`
			const search = document.querySelector("#search");
			search.value = %q; search.dispatchEvent(new Event("input", {bubbles: true}));`, text))
		p.frames()
	}
	p.key("Escape")
}

// TestStrangerCounts: a page that does ask the stranger is noticed.
func TestStrangerCounts(t *testing.T) {
	p := newTab(t, laptop)
	before := shared.strangers.Load()
	p.do("fetch('http://" + recordingtest.Stranger + "/').catch(() => {})")
	for end := time.Now().Add(patience); shared.strangers.Load() == before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nobody asked")
		}
	}
	shared.strangers.Store(before)
}

// wantNothingExecuted fails the test if a script of the recording ran, or the
// stranger was reached.
func (p *tab) wantNothingExecuted() {
	p.t.Helper()
	if n := shared.strangers.Load(); n > 0 {
		p.t.Errorf("%d requests to another host", n)
	}
	if evaluate[bool](p, fmt.Sprintf("%q in window", recordingtest.Marker)) {
		p.t.Fatal("a script of the recording was executed")
	}
	for _, message := range p.said() {
		if strings.HasPrefix(message, "dialog:") {
			p.t.Error(message)
		}
	}
}

// wantOwnRequests fails the test if another host was asked.
func (p *tab) wantOwnRequests(h *theatre) {
	p.t.Helper()
	for _, request := range p.asked() {
		address, err := url.Parse(request)
		if err != nil || address.Scheme != "data" && address.Scheme != "blob" && address.Scheme+"://"+address.Host != h.url {
			p.t.Errorf("it asked for %s", request)
		}
	}
}

// loose names what must not be in the document: handlers, addresses that run,
// and whatever would be fetched from another host.
const loose = `[...document.querySelectorAll("*")].flatMap((element) => [...element.attributes].filter(({name, value}) =>
	/^on/i.test(name) || /^\s*(javascript|data:text|vbscript)/i.test(value) ||
	["src", "srcset", "href", "xlink:href", "action", "ping", "formaction", "poster"].includes(name) && element.localName !== "a" && value.includes("stranger") ||
	/url\(\s*['"]?[^#'")]/.test(value) && element.closest("#stage")).map(({name, value}) => element.localName + " " + name + "=" + value.slice(0, 80))).concat(
	[...document.querySelectorAll("a[href]")].filter((a) => !["http:", "https:"].includes(a.protocol) || a.host !== location.host && !/noopener|noreferrer/.test(a.rel)).map((a) => a.outerHTML.slice(0, 200)))`

// wantHarmless fails the test if the page did something that the recording asked
// for, or has it in its document.
func (p *tab) wantHarmless(h *theatre) {
	p.t.Helper()
	p.wantNothingExecuted()
	p.wantOwnRequests(h)
	p.wantQuiet()
	if evaluate[bool](p, `"slide-1" in {} || ({}).polluted !== undefined`) {
		p.t.Fatal("a prototype was changed")
	}
	if found := evaluate[[]string](p, loose); len(found) > 0 {
		p.t.Errorf("in the document there is %q", found)
	}
}
