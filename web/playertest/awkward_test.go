package playertest

import (
	"fmt"
	"strings"
	"testing"

	"scalelite/recordings/recordingtest"
)

// TestAwkwardRecordings: what not every recording has is not missed.
func TestAwkwardRecordings(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	for _, version := range []string{recordingtest.V25, recordingtest.V27, recordingtest.V30} {
		for _, test := range []struct {
			name string
			o    recordingtest.Options
			want moment // at 20 s
		}{
			{"audio", recordingtest.Options{Audio: true}, moment{slide: "image4", screen: true}},
			{"screen", recordingtest.Options{ScreenOnly: true}, moment{slide: "image1", screen: true}},
			{"screen and audio", recordingtest.Options{ScreenOnly: true, Audio: true}, moment{slide: "image1", screen: true}},
			{"undrawn", recordingtest.Options{NoDrawings: true}, moment{slide: "image4", screen: true}},
			{"bare", recordingtest.Options{Bare: true}, moment{slide: "image4", screen: true}},
		} {
			if version != recordingtest.V30 && test.name != "audio" && test.name != "undrawn" {
				continue // the same in all of them
			}
			t.Run(version+" "+test.name, func(t *testing.T) {
				t.Parallel()
				o := test.o
				o.Version = version
				r := h.show(o)
				p := h.play(t, laptop, r.Path())
				p.seek(20)
				if got := p.state(); got.Slide != test.want.slide || !got.Screen || len(got.Shapes) != 0 {
					t.Errorf("at 20 s: %+v", got)
				}
				p.key("k")
				p.wait(`document.querySelector("#camera").currentTime > 20.3`)
				p.key("k")
				if !o.ScreenOnly {
					p.seek(3.5)
					want := map[bool]int{true: 0, false: 4}[o.NoDrawings]
					if got := p.state(); got.Slide != "image1" || len(got.Shapes) != want || got.Screen {
						t.Errorf("at 3.5 s: %+v", got)
					}
				}
				if kind := evaluate[string](p, `document.querySelector("#camera").localName`); kind != map[bool]string{true: "audio", false: "video"}[o.Audio] {
					t.Errorf("it plays a %s", kind)
				}
				if problems := p.problems(); problems != "" {
					t.Errorf("problems: %s", problems)
				}
				p.wantQuiet()
			})
		}
	}
}

// problems is what the page says that could not be read.
func (p *tab) problems() string {
	p.t.Helper()
	return evaluate[string](p, `document.querySelector("#problems").hidden ? "" : document.querySelector("#problem-list").textContent`)
}

// TestPresenterPutsSlidesBeforeTheScreen: what the presenter preferred is what
// is large (3.0), if there was a slide at all.
func TestPresenterPutsSlidesBeforeTheScreen(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	for title, preferred := range map[string]bool{"There is a slide": false, "There is none": true} {
		r := h.make(recordingtest.Options{Version: recordingtest.V30, Title: title})
		if !preferred {
			r.Put("shapes.svg", strings.Replace(r.Text("shapes.svg"), "presentation/deskshare.png", r.Slide(2), 1))
		}
		h.bring(r)
		p := h.play(t, laptop, r.Path())
		for at, want := range map[float64]bool{18.5: true, 21.5: preferred, 23: true} {
			p.seek(at)
			if got := p.state().Screen; got != want {
				t.Errorf("%s: at %v s the screen is in front: %v", title, at, got)
			}
		}
	}
}

// tooSmall names the controls that are hard to touch: that can be hit over less
// than 38 points in one direction.
const tooSmall = `[...document.querySelectorAll("button, select, summary, input, [role=slider]")].filter((element) => {
	const box = element.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
	if (box.width === 0 || element.closest("#chat, #strip") || !element.contains(document.elementFromPoint(x, y))) {
		return false;
	}
	const reach = (dx, dy) => {
		let n = 0;
		while (n < 25 && element.contains(document.elementFromPoint(x + dx * (n + 1), y + dy * (n + 1)))) n++;
		return n;
	};
	return reach(1, 0) + reach(-1, 0) < 38 || reach(0, 1) + reach(0, -1) < 38;
}).map((element) => element.id || element.className || element.localName)`

// outside names what reaches beyond the window or is cut off, but for what
// scrolls, and what only screen readers see.
const outside = `[...document.querySelectorAll("#player *")].filter((element) => {
	const box = element.getBoundingClientRect(), style = getComputedStyle(element);
	if (box.width === 0 || element.closest("#strip, #stage, .hidden, #preview, details:not([open]) .sheet")) {
		return false;
	}
	return box.left < 0 || box.right > innerWidth || box.bottom > innerHeight && !element.closest("#chat") || (style.textOverflow === "ellipsis" || element.id === "chat") && element.scrollWidth > element.clientWidth;
}).map((element) => element.id || element.className || element.localName)`

// TestPhone: nothing is wider than a phone, what is watched is on its screen, and
// what is touched is large enough.
func TestPhone(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	for name, o := range map[string]recordingtest.Options{"plain": {}, "old": {Version: recordingtest.V20}, "audio": {Audio: true}, "screen": {ScreenOnly: true}} {
		r := h.show(o)
		for _, v := range []view{phone, {width: 375, height: 667, touch: true}, {width: 320, height: 640, touch: true}, {width: 320, height: 568, touch: true},
			{width: 844, height: 390, touch: true}, {width: 812, height: 375, touch: true}, {width: 667, height: 375, touch: true},
			{width: 740, height: 360, touch: true}, {width: 620, height: 420}} {
			if v != phone && name != "plain" {
				continue
			}
			t.Run(fmt.Sprintf("%s %dx%d", name, v.width, v.height), func(t *testing.T) {
				t.Parallel()
				p := h.play(t, v, r.Path())
				if chat := evaluate[float64](p, `document.querySelector("#chat").getBoundingClientRect().height`); chat < 120 {
					t.Errorf("the chat is %v high", chat)
				}
				p.do(`document.querySelector("#now").textContent = "1:02:03"; document.querySelector("#total").textContent = "1:30:00"`)
				if out := evaluate[[]string](p, outside); len(out) > 0 {
					t.Errorf("beyond the edge, or cut off: %v", out)
				}
				for _, at := range []float64{3, 20, 26} {
					p.seek(at)
					if wide := evaluate[float64](p, `document.scrollingElement.scrollWidth`); wide > float64(v.width) {
						t.Errorf("at %v s the page is %v wide", at, wide)
					}
				}
				box := evaluate[struct{ Top, Bottom, Width float64 }](p, `(({top, bottom, width}) => ({top, bottom, width}))(document.querySelector("#content").getBoundingClientRect())`)
				if box.Top < 0 || box.Bottom > float64(v.height) || box.Width < float64(v.width)*.4 {
					t.Errorf("the picture is at %+v", box)
				}
				if small := evaluate[[]string](p, tooSmall); v.touch && len(small) > 0 {
					t.Errorf("too small to be touched: %v", small)
				}
				p.wantQuiet()
			})
		}
	}
}
