package playertest

import (
	"fmt"
	"image"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/recordings/recordingtest"
)

// frozen is the picture on the stage at a time.
type frozen struct {
	at      float64
	markup  string
	picture image.Image
}

func (p *tab) freeze() frozen {
	p.t.Helper()
	at := evaluate[float64](p, `document.querySelector("#camera").currentTime`)
	p.settle(at)
	p.do(`document.querySelector("#start").style.visibility = "hidden"`) // it is not of the recording
	p.frames()
	return frozen{at, p.stage(), pixels(p.t, p.screenshot("#stage"))}
}

// stage is the document of the stage. Fills that are defined apart stand where
// they are used: which others were needed before does not matter.
func (p *tab) stage() string {
	p.t.Helper()
	return evaluate[string](p, `(() => {
		const stage = document.querySelector("#stage").cloneNode(true);
		const fills = new Map([...stage.querySelectorAll("defs > [id]")].map((fill) => [fill.id, fill.innerHTML]));
		for (const element of stage.querySelectorAll("[fill^='url']")) {
			element.setAttribute("fill", fills.get(/#([^'")]+)/.exec(element.getAttribute("fill"))[1]));
		}
		stage.querySelectorAll("defs").forEach((defs) => defs.replaceChildren());
		return stage.innerHTML.replaceAll("><", ">\n<");
	})()`)
}

// TestSeekingShowsWhatPlayingDid: whoever seeks back and forth gets the same
// picture as one who watched, in the document and on the screen.
func TestSeekingShowsWhatPlayingDid(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	for _, version := range recordingtest.Versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			r := h.show(recordingtest.Options{Version: version})
			p := h.play(t, view{width: 1280, height: 800, calm: true}, r.Path())
			p.do(`const speed = document.querySelector("#speed"); speed.value = "2"; speed.dispatchEvent(new Event("change", {bubbles: true}))`)
			var watched []frozen
			for _, at := range []float64{1.6, 4.6, 8.6} {
				p.key("k")
				p.wait(fmt.Sprintf(`document.querySelector("#camera").currentTime >= %v`, at))
				p.key("k")
				p.wait(`document.querySelector("#player").dataset.playing === "false"`)
				watched = append(watched, p.freeze())
			}
			p.seek(26)
			watched = append(watched, p.freeze())
			for _, order := range [][]int{{0, 2, 1, 3}, {3, 1, 2, 0}} {
				for _, i := range order {
					p.seek(watched[i].at)
					wantSame(t, watched[i], p.freeze())
				}
			}
			p.open(h.url + r.Path() + fmt.Sprintf("?t=%ds", 26))
			p.wait(`document.querySelector("#camera").readyState >= 2`)
			p.seek(26)
			wantSame(t, watched[3], p.freeze())
		})
	}
}

func wantSame(t *testing.T, want, got frozen) {
	t.Helper()
	if got.markup != want.markup {
		t.Errorf("at %v s (-watched +sought):\n%s", want.at, cmp.Diff(strings.Split(want.markup, "\n"), strings.Split(got.markup, "\n")))
	}
	if n := different(want.picture, got.picture); n > 0 {
		t.Errorf("at %v s: %d points are different", want.at, n)
	}
}

// different counts the points in which two pictures are clearly not alike: how
// edges are smoothed may depend on what was painted before.
func different(a, b image.Image) (n int) {
	if a.Bounds() != b.Bounds() {
		return a.Bounds().Dx() * a.Bounds().Dy()
	}
	for y := a.Bounds().Min.Y; y < a.Bounds().Max.Y; y++ {
		for x := a.Bounds().Min.X; x < a.Bounds().Max.X; x++ {
			r1, g1, b1, _ := a.At(x, y).RGBA()
			r2, g2, b2, _ := b.At(x, y).RGBA()
			if max(apart(r1, r2), apart(g1, g2), apart(b1, b2)) > 0x3000 {
				n++
			}
		}
	}
	return n
}

func apart(a, b uint32) uint32 { return max(a, b) - min(a, b) }
