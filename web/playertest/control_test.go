package playertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"

	"scalelite/recordings/recordingtest"
)

// is waits until an attribute of the player has a value.
func (p *tab) is(name, value string) {
	p.t.Helper()
	p.wait(fmt.Sprintf(`document.querySelector("#player").dataset[%q] === %q`, name, value))
}

// at waits until the player is at a time.
func (p *tab) at(seconds float64) {
	p.t.Helper()
	p.wait(fmt.Sprintf(`Math.abs(Number(document.querySelector("#player").dataset.time) - %v) < 0.3`, seconds))
}

// TestKeyboard: everything is done by keys, ours and those of the player that
// people know.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	r := h.show(recordingtest.Options{})
	p := h.play(t, laptop, r.Path())
	for _, key := range []string{"Space", "k", "alt+shift+Enter"} {
		p.key(key)
		p.is("playing", "true")
		p.key(key)
		p.is("playing", "false")
	}
	p.seek(1)
	for _, step := range []struct {
		key string
		at  float64
	}{
		{"ArrowRight", 16}, {"ArrowLeft", 1}, {"l", 16}, {"j", 1}, {"alt+shift+ArrowRight", 16}, {"alt+shift+ArrowLeft", 1},
		{"PageDown", 6}, {"shift+ArrowRight", 12}, {"alt+shift+ArrowUp", 18}, {"alt+shift+ArrowDown", 12}, {"PageUp", 6}, {"shift+ArrowLeft", 0},
	} {
		p.key(step.key)
		t.Log(step.key)
		p.at(step.at)
	}
	volume := evaluate[float64](p, `document.querySelector("#camera").volume`)
	p.key("ArrowDown")
	p.wait(fmt.Sprintf(`document.querySelector("#camera").volume < %v`, volume))
	p.key("ArrowUp")
	p.wait(fmt.Sprintf(`document.querySelector("#camera").volume >= %v`, volume))
	p.key("m")
	p.wait(`document.querySelector("#camera").muted`)
	p.key("m")
	p.wait(`!document.querySelector("#camera").muted`)
	p.key(">")
	p.is("rate", "1.25")
	p.wait(`document.querySelector("#camera").playbackRate === 1.25`)
	p.key("<")
	p.is("rate", "1")
	p.key("c")
	p.wait(`document.querySelector("#captions").getAttribute("aria-pressed") === "true"`)
	for _, key := range []string{"s", "alt+shift+m"} {
		before := evaluate[string](p, `document.querySelector("#swap").getAttribute("aria-pressed")`)
		p.key(key)
		p.wait(fmt.Sprintf(`document.querySelector("#swap").getAttribute("aria-pressed") !== %q`, before))
	}
	p.key("/")
	p.wait(`document.activeElement?.id === "search"`)
	p.key("Escape")
	p.wait(`document.activeElement?.id !== "search"`)
	p.key("?")
	p.wait(`document.querySelector("#help").open`)
	p.key("Escape")
	p.wait(`!document.querySelector("#help").open`)
	// The slider has the arrows as its own.
	p.seek(1)
	p.do(`document.querySelector("#seek").focus()`)
	p.key("ArrowUp")
	p.at(16)
	p.key("ArrowDown")
	p.at(1)
	p.wait(fmt.Sprintf(`document.querySelector("#camera").volume >= %v`, volume))
	// The slides are one stop, in which the arrows go on.
	p.do(`document.querySelector("#strip button").focus()`)
	p.key("ArrowRight")
	p.wait(`document.activeElement === document.querySelectorAll("#strip button")[1]`)
	p.key("ArrowLeft")
	p.wait(`document.activeElement === document.querySelector("#strip button")`)
	p.at(1)
	for _, key := range []string{"f", "alt+shift+k"} {
		p.key(key)
		p.wait(`document.querySelector("#player").dataset.full === "true"`)
		p.key(key)
		p.wait(`document.querySelector("#player").dataset.full === "false"`)
	}
	// The full screen has no column, and no room to search.
	p.key("f")
	p.wait(`document.querySelector("#player").dataset.full === "true"`)
	p.key("b")
	p.wait(`document.querySelector("#player").dataset.side === "open"`)
	p.key("/")
	p.wait(`document.activeElement?.id === "search" && document.querySelector("#player").dataset.full === "false"`)
	p.wantQuiet()
}

// TestTabReachesEverything: whoever has only the Tab key gets to every control,
// and sees where they are.
func TestTabReachesEverything(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	r := h.show(recordingtest.Options{})
	p := h.play(t, laptop, r.Path())
	var reached []string
	for range 80 {
		p.key("Tab")
		focus := evaluate[struct {
			ID      string
			Visible bool
		}](p, `(() => {
			const element = document.activeElement, style = getComputedStyle(element);
			const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none";
			return {id: element.id || element.closest("[id]")?.id || "", visible: element === document.body || ring};
		})()`)
		if !focus.Visible {
			t.Errorf("one cannot see that %q has the focus", focus.ID)
		}
		reached = append(reached, focus.ID)
	}
	for i, id := range reached[1:] {
		if id == "strip" && reached[i] == id {
			t.Error("every slide is a stop of its own")
			break
		}
	}
	for _, id := range []string{"play", "back", "forward", "previous", "next", "seek", "speed", "volume", "mute", "captions", "fullscreen", "swap", "side-toggle", "search", "chat", "strip"} {
		if !slices.Contains(reached, id) {
			t.Errorf("Tab does not reach %s, but %v", id, slices.Compact(reached))
		}
	}
}

// TestFocusGoesOn: when what has the focus goes from the page, something near it
// has it.
func TestFocusGoesOn(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	r := h.show(recordingtest.Options{})
	for _, v := range []view{laptop, phone} {
		p := h.play(t, v, r.Path())
		has := func(id string) {
			t.Helper()
			p.wait(fmt.Sprintf(`document.activeElement?.id === %q && document.activeElement.offsetWidth > 0`, id))
		}
		p.do(`document.querySelector("#start").focus()`)
		p.key("Enter")
		p.is("playing", "true")
		has("play")
		p.key("k")
		p.is("playing", "false")
		for _, within := range []string{"#chat .when", "#side [role=tab]"} {
			p.do(fmt.Sprintf(`document.querySelector(%q).focus()`, within))
			p.key("b")
			p.is("side", "closed")
			has("side-toggle")
			p.key("b")
			p.is("side", "open")
		}
		for _, within := range []string{"#chat .when", "#strip [tabindex='0']", "#help-open"} {
			p.do(fmt.Sprintf(`document.querySelector(%q).focus()`, within))
			p.key("f")
			p.is("full", "true")
			if within != "#help-open" || v == laptop { // which touch screens do without
				has("fullscreen")
			}
			p.key("f")
			p.is("full", "false")
		}
		p.key("/")
		has("search")
		p.search("leaf", 3)
		p.key("Enter")
		p.wait(`document.activeElement?.closest("#hits")`)
		p.key("Escape")
		p.wait(`document.querySelector("#results").hidden`)
		has(map[bool]string{false: "search", true: "search-open"}[v.touch])
		p.wantQuiet()
	}
	// Who points at things sees the controls go.
	p := h.play(t, laptop, r.Path())
	for _, way := range []func(){func() { p.click("#strip button"); p.key("f") }, func() { p.click("#fullscreen") }} {
		way()
		p.is("full", "true")
		p.seek(0)
		p.key("k")
		p.is("idle", "true")
		p.key("k")
		p.key("f")
		p.is("full", "false")
	}
}

// TestMouse: what is clicked does what it says.
func TestMouse(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	r := h.show(recordingtest.Options{})
	p := h.play(t, laptop, r.Path()+"?locale=en")
	p.click("#play")
	p.is("playing", "true")
	p.click("#play")
	p.is("playing", "false")
	p.seek(0)
	for _, step := range []struct {
		selector string
		at       float64
	}{
		{"#next", 6}, {"#forward", 21}, {"#back", 6}, {"#previous", 0},
		{`#strip button[data-slide="image3"]`, 12}, {`#strip button[data-slide="image5"]`, 24},
		{`#chat li[data-time="7.5"] .head`, 7.5},
	} {
		p.followed()
		p.click(step.selector)
		t.Log(step.selector)
		p.at(step.at)
	}
	// A quarter of the way along the bar.
	box := evaluate[struct{ X, Y float64 }](p, `(() => { const b = document.querySelector("#seek").getBoundingClientRect(); return {x: b.x + b.width / 4, y: b.y + b.height / 2} })()`)
	p.clickAt(box.X, box.Y)
	p.wait(fmt.Sprintf(`Math.abs(Number(document.querySelector("#player").dataset.time) - %v) < 1`, recordingtest.Length/4.0))
	open := `document.querySelector("#side").getBoundingClientRect().width > 0 && getComputedStyle(document.querySelector("#side")).visibility !== "hidden"`
	if !evaluate[bool](p, open) {
		t.Error("the column at the side is not there")
	}
	p.click("#side-toggle")
	p.wait("!(" + open + ")")
	p.click("#side-toggle")
	p.wait(open)
	if t.Failed() {
		t.Log(p.describe())
	}
	p.wantQuiet()
}

// TestClickedButtonsLeaveTheKeys: whoever clicked on something plays and pauses
// with the keys that are told, and the chat goes on following the time.
func TestClickedButtonsLeaveTheKeys(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	r := h.show(recordingtest.Options{})
	p := h.play(t, laptop, r.Path())
	plays := func(clicked string) {
		t.Helper()
		t.Log(clicked)
		for _, playing := range []string{"true", "false"} {
			p.key("Space")
			p.is("playing", playing)
		}
	}
	for _, selector := range []string{"#start", "#forward", `#strip button[data-slide="image3"]`, "#mute", "#side-toggle", "#side-toggle", `#chat li[data-time="7.5"] .when`} {
		p.seek(1) // far from the end, also after a while
		p.followed()
		p.click(selector)
		if selector == "#start" {
			p.is("playing", "true")
			p.key("Space")
			p.is("playing", "false")
		}
		plays(selector)
	}
	p.seek(26)
	p.followed()
	p.wait(`document.querySelector("#follow").hidden`)
	p.search("leaf", 3)
	p.click("#hits button")
	plays("a result")
	p.click("#help-open")
	p.wait(`document.querySelector("#help").open`)
	p.key("Escape")
	p.wait(`!document.querySelector("#help").open && document.activeElement === document.body`)
	plays("the list of keys")
	// Who gets to a button by Tab presses it with Space.
	p.seek(1)
	p.do(`document.querySelector("#forward").focus()`)
	p.key("Space")
	p.at(16)
	p.is("playing", "false")
	p.wantQuiet()
}

// followed waits until the chat has scrolled to the last line that was sent.
func (p *tab) followed() {
	p.t.Helper()
	p.wait(`(() => {
		const list = document.querySelector("#chat").getBoundingClientRect(), sent = [...document.querySelectorAll("#chat > li:not(.future):not(.cleared)")].at(-1);
		const line = sent?.getBoundingClientRect();
		return !line || list.height === 0 || line.height === 0 || line.bottom <= list.bottom + 1 && line.bottom > list.top;
	})()`)
	p.frames()
}

// TestChatFollows: the chat scrolls with the time, also a long one, and leaves
// whoever reads in it alone.
func TestChatFollows(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	for _, lines := range []int{0, 5000} {
		r := h.show(recordingtest.Options{Lines: lines})
		p := h.play(t, phone, r.Path())
		for _, at := range []float64{26, 2, 16, 0.5, 29} {
			p.seek(at)
			p.followed()
		}
		p.click("#chat > li:not(.cleared):not(.future) .head")
		p.wait(`!document.querySelector("#camera").seeking`)
		p.wait(`document.querySelector("#chat > [aria-current]") === [...document.querySelectorAll("#chat > li:not(.future)")].at(-1) && document.querySelectorAll("#chat > [aria-current]").length === 1`)
		p.do(`document.querySelector("#chat .when").focus()`)
		p.seek(29)
		p.wait(`!document.querySelector("#follow").hidden`)
		p.do(`document.querySelector("#follow").focus()`)
		p.key("Enter")
		p.wait(`document.querySelector("#follow").hidden && document.activeElement?.id === "chat"`)
		p.followed()
		if lines > 0 && evaluate[int](p, `document.querySelectorAll("#chat li").length`) > 500 {
			t.Error("all of a long chat is in the page at once")
		}
		p.wantQuiet()
	}
}

// TestSearch finds slides by their text and lines by what was said, and leads to
// them.
func TestSearch(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	r := h.show(recordingtest.Options{})
	p := h.play(t, laptop, r.Path()+"?locale=en")
	for _, find := range []struct {
		text string
		at   []float64 // in the order of time
	}{
		{"photosynth", []float64{6}}, {"LEAF", []float64{7.5, 12, 14}}, {"cleared later", []float64{9}}, {"شكرا", []float64{16}}, {"zzzz", nil},
	} {
		for i, at := range find.at {
			p.search(find.text, len(find.at))
			p.do(fmt.Sprintf(`document.querySelectorAll("#results button")[%d].click()`, i))
			t.Log(find.text, i)
			p.at(at)
		}
		if find.at == nil {
			p.search(find.text, 0)
		}
	}
	p.search("leaf", 3)
	p.do(`document.querySelector("#share summary").focus()`)
	p.wait(`document.querySelector("#results").hidden`)
	p.do(`document.querySelector("#share").open = true`)
	p.wait(`document.activeElement?.id === "link"`)
	p.do(`document.querySelector("#play").focus()`)
	p.wait(`!document.querySelector("#share").open`)
	p.wantQuiet()
}

// search types a text and waits until so much was found.
func (p *tab) search(text string, n int) {
	p.t.Helper()
	p.do(fmt.Sprintf(`
		const search = document.querySelector("#search");
		search.focus(); search.value = %q; search.dispatchEvent(new Event("input", {bubbles: true}));`, text))
	p.wait(fmt.Sprintf(`!document.querySelector("#results").hidden && document.querySelectorAll("#results button").length === %d`, n))
}

// TestAddress: a link may name a time, a layout and a language; older links lead
// to the player, too.
func TestAddress(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	r := h.show(recordingtest.Options{Version: recordingtest.V20})
	p := newTab(t, laptop)
	for address, at := range map[string]float64{
		r.Path() + "?t=8s": 8, r.Path() + "?t=0m9s": 9, r.Path() + "?t=0h0m10s": 10, r.Path() + "?t=11": 11, r.Path() + "?t=soon": 0, r.Path() + "?t=1h": recordingtest.Length,
		"/playback/presentation/2.0/playback.html?meetingId=" + r.ID + "&t=12s":   12,
		"/playback/presentation/playback.html?meetingId=" + r.ID:                  0,
		"/playback/presentation/0.9.0/playback.html?meetingId=" + r.ID + "&t=13s": 13,
	} {
		p.open(h.url + address)
		p.wait(fmt.Sprintf(`Math.abs(Number(document.querySelector("#player").dataset.time) - %v) < 0.5`, at))
		if p.state().Playing != "false" {
			t.Errorf("%s plays by itself", address)
		}
	}
	german := h.play(t, laptop, r.Path()+"?locale=de")
	if lang, label := evaluate[string](german, "document.documentElement.lang"), evaluate[string](german, `document.querySelector("#play").getAttribute("aria-label")`); lang != "de" || !strings.HasPrefix(label, "Abspielen") && !strings.HasPrefix(label, "Wiedergabe") {
		t.Errorf("in German: %q %q", lang, label)
	}
}

// TestSharedLink: the link to a moment names the time, and not how the one who
// shares it has the page.
func TestSharedLink(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	r := h.show(recordingtest.Options{})
	p := h.play(t, laptop, r.Path()+"?locale=de&l=swapped&t=3#there")
	p.seek(8)
	p.click("#share summary")
	p.wait(`document.activeElement?.id === "link"`)
	if got, want := evaluate[string](p, `document.querySelector("#link").value`), h.url+r.Path()+"?t=8s"; got != want {
		t.Errorf("the link is %s, want %s", got, want)
	}
}

// TestMemory: who comes back goes on where they left, as fast as they had it.
func TestMemory(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	r, other := h.show(recordingtest.Options{}), h.show(recordingtest.Options{Title: "Another"})
	p := h.play(t, laptop, r.Path())
	p.key(">")
	p.seek(11) // far from both ends, also after a while
	p.key("k")
	p.wait(`document.querySelector("#camera").currentTime > 11.5`)
	p.key("k")
	p.is("playing", "false")
	left := evaluate[float64](p, `document.querySelector("#camera").currentTime`)
	p.open(h.url + r.Path())
	p.wait(fmt.Sprintf(`Math.abs(Number(document.querySelector("#player").dataset.time) - %v) < 1`, left))
	p.is("rate", "1.25")
	p.open(h.url + other.Path())
	p.at(0)
	p.open(h.url + r.Path() + "?t=3s")
	p.at(3)
	// Without a memory it plays, too.
	call(p, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `Storage.prototype.getItem = Storage.prototype.setItem = () => { throw new Error("no storage") }`,
	})
	p.open(h.url + r.Path())
	p.at(0)
	p.is("rate", "1")
	p.key("k")
	p.wait(`document.querySelector("#camera").currentTime > 0.3`)
	p.key("k")
	p.is("playing", "false")
	p.wantQuiet()
}

// TestTouchWakesTheFullScreen: a touch that brings the controls back does nothing
// else; the next one does.
func TestTouchWakesTheFullScreen(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	p := h.play(t, phone, h.show(recordingtest.Options{}).Path())
	p.key("f")
	p.is("full", "true")
	p.key("k")
	p.is("playing", "true")
	p.is("idle", "true")
	// Once they are back, the controls stay, however long the next touch takes.
	p.do(`const later = setTimeout; window.setTimeout = (work, wait) => wait === 3000 ? 0 : later(work, wait)`)
	for _, playing := range []string{"true", "false"} {
		at := evaluate[input.TouchPoint](p, `(({x, y, width, height}) => ({x: x + width / 2, y: y + height / 2}))(document.querySelector("#play").getBoundingClientRect())`)
		call(p, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: "touchStart", TouchPoints: []*input.TouchPoint{&at}})
		call(p, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: "touchEnd", TouchPoints: []*input.TouchPoint{}})
		p.wait(`document.querySelector("#player").dataset.idle === undefined`)
		p.frames()
		p.is("playing", playing)
	}
}

// TestSoundThatDies: when the sound ends on the way, the page goes on saying why
// to whoever tries to play.
func TestSoundThatDies(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	r := h.show(recordingtest.Options{})
	for cause, said := range map[string]string{"NETWORK": "could not be loaded", "DECODE": "cannot be played"} {
		p := h.play(t, laptop, r.Path()+"?locale=en")
		p.do(fmt.Sprintf(`
			const camera = document.querySelector("#camera");
			Object.defineProperty(camera, "error", {value: {code: MediaError.MEDIA_ERR_%s}});
			camera.dispatchEvent(new Event("error"));`, cause))
		says := fmt.Sprintf(`document.querySelector("#toast button") && document.querySelector("#toast").textContent.includes(%q)`, said)
		p.wait(says)
		p.do(`document.querySelector("#toast").replaceChildren()`)
		p.key("k")
		p.wait(says)
	}
}
