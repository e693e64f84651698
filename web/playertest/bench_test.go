package playertest

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/performance"

	"scalelite/recordings/recordingtest"
)

// watchFirstSlide notes in every page that opens when its first slide is there.
const watchFirstSlide = `(() => {
	const look = () => {
		const image = document.querySelector("#stage image");
		const href = image && new URL(image.getAttribute("href"), location.href).href;
		const loaded = href && performance.getEntriesByName(href).find((entry) => entry.responseEnd > 0);
		if (document.documentElement?.dataset.state === "ready" && loaded) {
			window.firstSlide = performance.now();
		} else {
			requestAnimationFrame(look);
		}
	};
	look();
})()`

// ownBytes are the bytes of the page itself that came over the wire.
const ownBytes = `[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].
	filter((entry) => entry.name.includes("/playback/")).reduce((sum, entry) => sum + entry.encodedBodySize, 0)`

// BenchmarkPlayer plays a busy lesson, 200 drawings a slide and 5,000 lines of
// chat, and reports what the main thread works for a second of it, what the page
// weighs, and how soon there is a slide.
func BenchmarkPlayer(b *testing.B) {
	h := newTheatre(b, nil)
	for _, version := range []string{recordingtest.V25, recordingtest.V27, recordingtest.V30} {
		busy := h.show(recordingtest.Options{Version: version, Drawings: 200, Lines: 5000})
		usual := h.show(recordingtest.Options{Version: version})
		b.Run(version, func(b *testing.B) {
			var main, script, first, bytes float64
			for range b.N {
				p := newTab(b, laptop)
				call(p, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watchFirstSlide})
				p.open(h.url + usual.Path())
				p.wait("window.firstSlide > 0")
				first += evaluate[float64](p, "window.firstSlide")
				bytes += evaluate[float64](p, ownBytes)
				p.close()
				m, s := h.load(b, busy)
				main, script = main+m, script+s
			}
			n := float64(b.N)
			b.ReportMetric(main/n, "main-ms/s")
			b.ReportMetric(script/n, "script-ms/s")
			b.ReportMetric(first/n, "first-slide-ms")
			b.ReportMetric(bytes/n, "page-B")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// load returns what the main thread works for a second of a recording, in
// milliseconds of its own time: all of it, and that of scripts.
func (h *theatre) load(b *testing.B, r *recordingtest.Recording) (main, script float64) {
	b.Helper()
	p := h.play(b, laptop, r.Path())
	defer p.close()
	call(p, performance.Enable, performance.EnableParams{TimeDomain: "threadTicks"})
	p.wait(`document.querySelectorAll("#chat li").length > 0`)
	p.key("k")
	p.wait(`document.querySelector("#camera").currentTime > 1`)
	const until = 17.0 // two slides turn on the way
	before, from := p.metrics(), evaluate[float64](p, `document.querySelector("#camera").currentTime`)
	p.do(fmt.Sprintf(`await new Promise((done) => {
		const camera = document.querySelector("#camera");
		camera.addEventListener("timeupdate", () => { if (camera.currentTime > %v) done(); });
	})`, until))
	after, to := p.metrics(), evaluate[float64](p, `document.querySelector("#camera").currentTime`)
	each := func(name string) float64 { return 1000 * (after[name] - before[name]) / (to - from) }
	return each("TaskDuration"), each("ScriptDuration")
}

// metrics are the browser's own counts for the page.
func (p *tab) metrics() map[string]float64 {
	p.t.Helper()
	all := map[string]float64{}
	for _, m := range call(p, performance.GetMetrics, none{}).Metrics {
		all[m.Name] = m.Value
	}
	return all
}
