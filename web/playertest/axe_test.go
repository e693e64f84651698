package playertest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"scalelite/recordings/recordingtest"
)

// axeFile is what checks pages for barriers; npm installs it there.
const axeFile = "testdata/axe/node_modules/axe-core/axe.min.js"

// axeSum is the SHA-256 of its version 4.14.1: only this code is run.
const axeSum = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"

func axe(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile(axeFile)
	if err != nil {
		missing(t, errors.New("axe-core is not installed: npm install --prefix web/playertest/testdata/axe --no-package-lock --ignore-scripts"))
	}
	if sum := fmt.Sprintf("%x", sha256.Sum256(script)); sum != axeSum {
		t.Fatalf("%s has the sum %s", axeFile, sum)
	}
	return string(script)
}

// wantAccessible has axe look at the page, with all that the rules of WCAG 2.2
// AA and good practice ask for.
func (p *tab) wantAccessible(script, what string) {
	p.t.Helper()
	// Evaluated by the protocol, it needs no leave of the page's policy.
	if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[chromedp.Void](script)); err != nil {
		p.t.Fatal(err)
	}
	p.do(`await Promise.all(document.getAnimations().filter((a) => a.effect.getComputedTiming().endTime !== Infinity).map((a) => a.finished.catch(() => {})))`)
	for _, violation := range evaluate[[]string](p, `axe.run(document, {resultTypes: ["violations"]}).then((results) => results.violations.flatMap((v) =>
		v.nodes.map((n) => v.id + " (" + v.impact + "): " + n.target.join(" ") + ": " + n.failureSummary.replace(/\s+/g, " "))))`) {
		p.t.Errorf("%s: %s", what, violation)
	}
}

// TestNoBarriers: axe-core finds nothing, in light and dark, large and small,
// with everything that opens open.
func TestNoBarriers(t *testing.T) {
	t.Parallel()
	script := axe(t)
	h := newTheatre(t, nil)
	rich, audio, old := h.show(recordingtest.Options{}), h.show(recordingtest.Options{Audio: true}), h.show(recordingtest.Options{Version: recordingtest.V20})
	broken := h.make(recordingtest.Options{Title: "Broken"})
	broken.Put("polls.json", "[")
	h.bring(broken)
	for _, dark := range []bool{false, true} {
		for _, v := range []view{laptop, phone} {
			v.dark, v.calm = dark, true
			t.Run(fmt.Sprintf("%dx%d dark=%v", v.width, v.height, dark), func(t *testing.T) {
				t.Parallel()
				p := h.play(t, v, rich.Path()+"?locale=en")
				p.captionsOn("en")
				p.seek(9.5)
				p.wantAccessible(script, "slides and chat")
				p.seek(20)
				p.wantAccessible(script, "a shared screen")
				for _, opener := range []struct{ what, open string }{
					{"help", `document.querySelector("#help").showModal()`},
					{"search", `document.querySelector("#help").close(); document.querySelector("#search-open").click();
						const search = document.querySelector("#search"); search.value = "light"; search.dispatchEvent(new Event("input", {bubbles: true}))`},
					{"notes", `document.querySelectorAll("[role=tab]").forEach((tab) => tab.click())`},
					{"menus", `document.querySelectorAll("details.menu:not([hidden])").forEach((menu) => { menu.open = true })`},
				} {
					p.do(opener.open)
					p.frames()
					p.wantAccessible(script, opener.what)
				}
				p.open(h.url + audio.Path() + "?locale=de")
				p.wantAccessible(script, "sound alone")
				p.open(h.url + old.Path())
				p.wantAccessible(script, "an old recording")
				p.open(h.url + broken.Path())
				p.do(`document.querySelector("#problems").open = true`)
				p.wantAccessible(script, "problems")
			})
		}
	}
	h.protect(broken)
	p := newTab(t, phone)
	p.open(h.url + broken.Path())
	if !strings.Contains(p.describe(), "expired") {
		t.Error(p.describe())
	}
	p.wantAccessible(script, "an expired link")
}
