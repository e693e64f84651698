package playertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience bounds every wait for the browser.
const patience = 60 * time.Second

// tab is one page in a profile of its own.
type tab struct {
	t   testing.TB
	ctx context.Context
	end context.CancelFunc

	mu       sync.Mutex
	requests []string // URLs
	messages []string // of the console and the log, exceptions, dialogs
}

// view is how a tab looks at the page.
type view struct {
	width, height int64
	touch         bool
	dark          bool
	calm          bool // prefers reduced motion
}

var (
	laptop = view{width: 1280, height: 800}
	phone  = view{width: 390, height: 844, touch: true}
)

// newTab opens an empty tab that writes down what its page does.
func newTab(t testing.TB, v view) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser(t), chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	p := &tab{t: t, ctx: ctx, end: cancel}
	if err := chromedp.Listen(ctx, p.note); err != nil {
		t.Fatal(err)
	}
	scheme, motion := "light", "no-preference"
	if v.dark {
		scheme = "dark"
	}
	if v.calm {
		motion = "reduce"
	}
	call(p, network.Enable, network.EnableParams{})
	call(p, log.Enable, cdp.Empty{})
	call(p, page.Enable, page.EnableParams{})
	call(p, runtime.Enable, cdp.Empty{})
	call(p, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: v.width, Height: v.height, DeviceScaleFactor: 1, Mobile: v.touch})
	call(p, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: v.touch})
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: motion},
	}})
	return p
}

// call sends a command of the browser's protocol, which must succeed.
func call[P, R any](p *tab, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		p.t.Fatalf("%s: %v; the page said %q", command.Method, err, p.said())
	}
	return result
}

// note writes down what an event tells.
func (p *tab) note(event any) {
	var message string
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		p.mu.Lock()
		p.requests = append(p.requests, e.Request.URL)
		p.mu.Unlock()
		return
	case *network.EventWebSocketCreated:
		message = "websocket " + e.URL
	case *runtime.EventExceptionThrown:
		message = "exception: " + fmt.Sprintf("%+v", e.ExceptionDetails)
	case *runtime.EventConsoleAPICalled:
		if e.Type != runtime.ConsoleAPICalledTypeError && e.Type != runtime.ConsoleAPICalledTypeWarning {
			return
		}
		message = "console:"
		for _, arg := range e.Args {
			message += " " + string(arg.Value) + arg.Description
		}
	case *log.EventEntryAdded:
		if e.Entry.Level != log.EntryLevelError && e.Entry.Level != log.EntryLevelWarning {
			return
		}
		message = fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
	case *page.EventJavascriptDialogOpening:
		message = "dialog: " + e.Message
		go p.dismiss()
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.messages = append(p.messages, message)
}

func (p *tab) dismiss() {
	_, _ = chromedp.Call(p.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{})
}

// said is what the page let the developer know.
func (p *tab) said() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.messages...)
}

// asked is what the page requested.
func (p *tab) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.requests...)
}

// evaluate returns the value of an expression, which may be a promise.
func evaluate[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte]("(async () => (await ("+expression+")) ?? null)()", chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v; the page said %q", expression, err, p.said())
	}
	var result T
	if err := json.Unmarshal(value, &result); err != nil {
		p.t.Fatalf("%s: %v: %s", expression, err, value)
	}
	return result
}

// do runs statements.
func (p *tab) do(statements string) {
	p.t.Helper()
	evaluate[any](p, "(async () => {"+statements+"})()")
}

// wait waits until an expression is true.
func (p *tab) wait(expression string) {
	p.t.Helper()
	for end := time.Now().Add(patience); !evaluate[bool](p, "Boolean(await ("+expression+"))"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("never: %s\n%s\nthe page said %q", expression, p.describe(), p.said())
		}
	}
}

// describe is what the page shows of itself, for messages.
func (p *tab) describe() string {
	return evaluate[string](p, "JSON.stringify({...document.documentElement.dataset, ...document.querySelector('#player')?.dataset})")
}

// open goes to an address and waits until the page is ready or has failed.
func (p *tab) open(url string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		p.t.Fatalf("%s: %v", url, err)
	}
	p.wait(`["ready", "failed"].includes(document.documentElement?.dataset.state)`)
}

// play opens the player in a new tab, and waits until it can play.
func (h *theatre) play(t testing.TB, v view, path string) *tab {
	t.Helper()
	p := newTab(t, v)
	p.open(h.url + path)
	p.wait(`document.documentElement?.dataset.state === "ready"`)
	p.wait(`document.querySelector("#camera").readyState >= 2 && !document.querySelector("#camera").seeking`)
	return p
}

// state is what is to be seen: all of it read from the document as it is laid
// out, but for what the page alone can know.
type state struct {
	Time, Rate     float64 // as the page says
	Slide, Playing string  // as the page says

	Picture string     // address of the slide; empty if it is not to be seen
	View    string     // what of the slide is cut out
	Area    [4]float64 // where the corners of the stage are, in the units of the drawings: x, y, width, height
	Cursor  string     // where its middle is, in the same units; empty if it is hidden
	Shapes  []string   // identities of the drawings
	Screen  bool       // whether the shared screen is in front of the content, and the stage not
	Caption string
	Past    int // lines that were sent
	Cleared int // lines that were cleared
}

// readState looks at the document.
const readState = `(() => {
	const find = (selector) => document.querySelector(selector);
	const box = (element) => element.getBoundingClientRect();
	const seen = (element) => element.checkVisibility({visibilityProperty: true, opacityProperty: true}) && box(element).width + box(element).height > 0;
	const content = find("#content"), stage = find("#stage"), screen = find("#screen"), caption = find("#caption-text"), player = find("#player").dataset;
	// The first layer is the paper; the others are moved and scaled with it.
	const paper = find("#stage svg svg > g"), picture = paper.querySelector(":scope > image"), dot = find("#stage [data-cursor]");
	const units = paper.getScreenCTM()?.inverse() ?? {}, place = (x, y) => new DOMPoint(x, y).matrixTransform(units);
	const from = place(box(stage).left, box(stage).top), to = place(box(stage).right, box(stage).bottom);
	const at = dot.getScreenCTM(), cursor = place(at?.e, at?.f);
	// What only holds others is not to be seen itself.
	const own = (shape) => [shape, ...shape.querySelectorAll("*")].some((part) => part.localName !== "g" && part.localName !== "svg" && part.closest("[data-shape]") === shape && seen(part));
	const middle = box(content), top = document.elementsFromPoint(middle.x + middle.width / 2, middle.y + middle.height / 2).find((element) => content.contains(element));
	const shared = !screen.hidden && screen.offsetWidth > 0 && top === screen && !seen(paper);
	return {
		time: Number(player.time), rate: Number(player.rate), slide: player.slide, playing: player.playing,
		picture: picture && seen(picture) ? picture.getAttribute("href") : "",
		view: find("#stage svg svg").getAttribute("viewBox"), area: [from.x, from.y, to.x - from.x, to.y - from.y],
		cursor: dot.checkVisibility({visibilityProperty: true}) ? cursor.x + " " + cursor.y : "",
		shapes: [...document.querySelectorAll("#stage [data-shape]")].filter(own).map((shape) => shape.dataset.shape).sort(),
		screen: shared, caption: caption.hidden ? "" : caption.textContent.trim(),
		past: document.querySelectorAll("#chat li[data-time]:not(.future)").length,
		cleared: [...document.querySelectorAll("#chat li.cleared")].filter((line) => !seen(line)).length,
	};
})()`

func (p *tab) state() state {
	p.t.Helper()
	return evaluate[state](p, readState)
}

// seek goes to a time and waits until all of the page is there.
func (p *tab) seek(at float64) {
	p.t.Helper()
	p.do(fmt.Sprintf(`document.querySelector("#camera").currentTime = %v`, at))
	p.settle(at)
}

// settle waits until the page shows a time, stands still and has painted.
func (p *tab) settle(at float64) {
	p.t.Helper()
	p.wait(fmt.Sprintf(`(() => {
		const camera = document.querySelector("#camera");
		const time = Number(document.querySelector("#player").dataset.time);
		return !camera.seeking && Math.abs(camera.currentTime - %v) < 0.02 && Math.abs(time - %[1]v) < 0.02;
	})()`, at))
	p.frames()
}

// frames waits until the browser has painted.
func (p *tab) frames() {
	p.t.Helper()
	p.do("await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
}

// key presses a key as a person does; modifiers stand before it, as in
// "alt+shift+ArrowLeft".
func (p *tab) key(name string) {
	p.t.Helper()
	parts := strings.Split(name, "+")
	for _, event := range keyEvents(parts[len(parts)-1], parts[:len(parts)-1]) {
		call(p, input.DispatchKeyEvent, event)
	}
}

// click clicks on the middle of an element, which must be there to be clicked.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.wait(fmt.Sprintf("document.querySelector(%q)?.getBoundingClientRect().width > 0", selector))
	// What the page has just been told may still move it.
	p.frames()
	at := evaluate[struct {
		X, Y float64
		Free bool
	}](p, fmt.Sprintf(`(() => {
		const element = document.querySelector(%q);
		element.scrollIntoView({block: "nearest", inline: "nearest", behavior: "instant"});
		const box = element.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
		const hit = document.elementFromPoint(x, y);
		return {x, y, free: element.contains(hit)};
	})()`, selector))
	if !at.Free {
		p.t.Fatalf("%s is covered", selector)
	}
	p.clickAt(at.X, at.Y)
}

// screenshot is the picture of an element, or of the whole window if selector is
// empty.
func (p *tab) screenshot(selector string) []byte {
	p.t.Helper()
	params := page.CaptureScreenshotParams{}
	if selector != "" {
		box := evaluate[page.Viewport](p, fmt.Sprintf("(({x, y, width, height}) => ({x, y, width, height, scale: 1}))(document.querySelector(%q).getBoundingClientRect())", selector))
		params.Clip = &box
	}
	return call(p, page.CaptureScreenshot, params).Data
}

// pixels decodes a screenshot.
func pixels(t testing.TB, shot []byte) image.Image {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// showCaptions switches captions on, in a language.
func (p *tab) showCaptions(language string) {
	p.t.Helper()
	p.captionsOn(language)
	p.wait(fmt.Sprintf(`[...document.querySelector("#camera").textTracks].some((t) => t.language === %q && t.cues?.length > 0)`, language))
}

// wantQuiet fails the test if the page complained about something but files that
// a recording need not have.
func (p *tab) wantQuiet() {
	p.t.Helper()
	seen := map[string]bool{}
	for _, message := range p.said() {
		if strings.Contains(message, "404 (Not Found)") && strings.Contains(message, "/presentation/") {
			continue
		}
		if kind, _, _ := strings.Cut(message, ","); !seen[kind] {
			seen[kind] = true
			p.t.Errorf("the page said %.600q", message)
		}
	}
}

// clickAt clicks on a place of the window.
func (p *tab) clickAt(x, y float64) {
	p.t.Helper()
	for _, kind := range []input.DispatchMouseEventType{"mouseMoved", "mousePressed", "mouseReleased"} {
		call(p, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: kind, X: x, Y: y, Button: "left", ClickCount: 1})
	}
}

type none = cdp.Empty

// clearCookies forgets all cookies of the browser.
var clearCookies = network.ClearBrowserCookies

// captionsOn is showCaptions for a language whose file need not be readable.
func (p *tab) captionsOn(language string) {
	p.t.Helper()
	p.do(fmt.Sprintf(`
		const select = document.querySelector("#caption-language"), button = document.querySelector("#captions");
		if (button.getAttribute("aria-pressed") !== "true") button.click();
		const option = [...select.options].find((o) => o.lang === %q);
		if (option) {
			select.value = option.value;
			select.dispatchEvent(new Event("change", {bubbles: true}));
		}`, language))
}

// visit goes to an address that is none of the player's.
func (p *tab) visit(url string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		p.t.Fatalf("%s: %v", url, err)
	}
}

// close closes the tab before the test ends.
func (p *tab) close() { p.end() }
