package playertest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"scalelite/recordings/recordingtest"
)

// readTimes defines in the page what reads from the picture of a film what time
// it shows, as the generator painted it: that is what a person sees, whatever
// the element says of itself.
var readTimes = fmt.Sprintf(`window.timeOf = (() => {
	const canvas = document.createElement("canvas"), painter = canvas.getContext("2d", {willReadFrequently: true});
	return (film) => {
		canvas.width = film.videoWidth;
		canvas.height = film.videoHeight;
		painter.drawImage(film, 0, 0);
		let number = 0;
		for (let bit = 0; bit < %[1]d; bit++) {
			const [red] = painter.getImageData(Math.floor((bit + 0.5) * film.videoWidth / %[1]d), Math.floor(film.videoHeight * 0.975), 1, 1).data;
			number = number * 2 + (red > 127 ? 1 : 0);
		}
		return number / 10;
	};
})()`, recordingtest.Bits)

// look is what both films show at one moment.
type look struct{ Camera, Screen float64 }

// watch looks at both films ten times a second, for so many seconds.
func (p *tab) watch(seconds float64) []look {
	p.t.Helper()
	return evaluate[[]look](p, fmt.Sprintf(`(async () => {
		const looks = [], camera = document.querySelector("#camera"), screen = document.querySelector("#screen");
		for (const end = performance.now() + %v * 1000; performance.now() < end;) {
			looks.push({camera: timeOf(camera), screen: timeOf(screen)});
			await new Promise((done) => setTimeout(done, 100));
		}
		return looks;
	})()`, seconds))
}

// maxDrift is how far the media may be apart, in seconds.
const maxDrift = 0.3

// wantTogether checks that the films were together, but for a few looks: where
// the machine is busy, a picture may come late.
func wantTogether(t *testing.T, what string, looks []look) {
	t.Helper()
	var drifts []float64
	for _, l := range looks {
		drifts = append(drifts, max(l.Camera, l.Screen)-min(l.Camera, l.Screen))
	}
	slices.Sort(drifts)
	if len(drifts) < 5 {
		t.Fatalf("%s: only %d looks", what, len(drifts))
	}
	t.Logf("%s: apart by %.1f s in the middle, %.1f s at most", what, drifts[len(drifts)/2], drifts[len(drifts)-1])
	if usual := drifts[len(drifts)*9/10]; usual >= maxDrift {
		t.Errorf("%s: the films are %v s apart: %v", what, usual, looks)
	}
	if looks[len(looks)-1].Camera <= looks[0].Camera {
		t.Errorf("%s: it does not play: %v", what, looks)
	}
}

// TestFilmsStayTogether: camera and screen show the same moment, at every speed,
// after jumps, and when the speed changes.
func TestFilmsStayTogether(t *testing.T) {
	h := newTheatre(t, nil)
	r := h.show(recordingtest.Options{Version: recordingtest.V30, ScreenOnly: true})
	p := h.play(t, laptop, r.Path())
	p.do(readTimes)
	p.key("k")
	p.wait(`document.querySelector("#screen").readyState >= 3 && document.querySelector("#camera").currentTime > 1`)
	wantTogether(t, "at the beginning", p.watch(2))
	p.do(`document.querySelector("#camera").currentTime = 9`)
	p.wait(`document.querySelector("#camera").currentTime > 10`)
	wantTogether(t, "after a jump", p.watch(2))
	p.speed("2")
	p.wait(`document.querySelector("#camera").playbackRate === 2 && Math.abs(document.querySelector("#screen").playbackRate - 2) < 0.3`)
	p.wait(`document.querySelector("#camera").currentTime > 16`)
	wantTogether(t, "twice as fast", p.watch(2))
	p.speed("0.5")
	p.wait(`document.querySelector("#camera").playbackRate === 0.5 && Math.abs(document.querySelector("#screen").playbackRate - 0.5) < 0.1`)
	p.do("await new Promise((done) => setTimeout(done, 1000))")
	wantTogether(t, "at half the speed", p.watch(2))
	p.do(`document.querySelector("#camera").playbackRate = 1.4`) // as an extension does
	p.wait(`document.querySelector("#speed").value === "1.4" && Math.abs(document.querySelector("#screen").playbackRate - 1.4) < 0.3`)
	p.key("k")
	p.wait(`document.querySelector("#camera").paused && document.querySelector("#screen").paused`)
	p.seek(5)
	p.wait(`Math.abs(timeOf(document.querySelector("#screen")) - 5) < 0.15 && Math.abs(timeOf(document.querySelector("#camera")) - 5) < 0.15`)
}

func (p *tab) speed(rate string) {
	p.t.Helper()
	p.do(fmt.Sprintf(`const speed = document.querySelector("#speed"); speed.value = %q; speed.dispatchEvent(new Event("change", {bubbles: true}))`, rate))
}

// narrow lets a file through up to a position, and the rest of it when released;
// but its last piece, where the browser looks up what lies where, at once.
type narrow struct {
	suffix   string
	from, to int64
	released chan struct{}
	once     sync.Once
}

func (n *narrow) release() { n.once.Do(func() { close(n.released) }) }

func (n *narrow) disturb(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
	if !strings.HasSuffix(r.URL.Path, n.suffix) {
		return false
	}
	next.ServeHTTP(&narrowWriter{ResponseWriter: w, narrow: n, request: r}, r)
	return true
}

// narrowWriter is the way of one answer.
type narrowWriter struct {
	http.ResponseWriter
	narrow  *narrow
	request *http.Request
	at      int64
}

func (w *narrowWriter) WriteHeader(status int) {
	_, _ = fmt.Sscanf(w.Header().Get("Content-Range"), "bytes %d-", &w.at)
	w.ResponseWriter.WriteHeader(status)
}

func (w *narrowWriter) Write(p []byte) (written int, err error) {
	for len(p) > 0 {
		n := int64(len(p))
		if w.at+n > w.narrow.from && w.at < w.narrow.to {
			if n = w.narrow.from - w.at; n <= 0 {
				select {
				case <-w.narrow.released:
					n = int64(len(p))
				case <-w.request.Context().Done():
					return written, w.request.Context().Err()
				}
			}
		}
		m, err := w.ResponseWriter.Write(p[:n])
		written, w.at, p = written+m, w.at+int64(m), p[m:]
		if err != nil {
			return written, err
		}
		if flusher, ok := w.ResponseWriter.(http.Flusher); ok {
			flusher.Flush()
		}
	}
	return written, nil
}

// TestOneFilmWaitsForTheOther: when the data of one do not come, both stand; when
// they come, both go on.
func TestOneFilmWaitsForTheOther(t *testing.T) {
	h := newTheatre(t, nil)
	for _, file := range []string{"deskshare/deskshare.webm", "video/webcams.webm"} {
		r := h.show(recordingtest.Options{Version: recordingtest.V30, ScreenOnly: true, Title: file})
		size := int64(len(r.Text(file)))
		n := &narrow{suffix: file, from: size / 3, to: size - 16<<10, released: make(chan struct{})}
		h.disturb(func(w http.ResponseWriter, request *http.Request) bool { return n.disturb(w, request, h.server) })
		p := newTab(t, laptop)
		p.open(h.url + r.Path())
		p.do(readTimes)
		p.speed("2")
		p.key("k")
		// A stall is only one if it lasts: the page may wait for the first pictures.
		stands := `(async () => {
			const times = () => ["#camera", "#screen"].map((id) => document.querySelector(id).currentTime);
			const before = times();
			await new Promise((done) => setTimeout(done, 700));
			const after = times();
			return after.every((time, i) => time === before[i]) && before[0] > 1;
		})()`
		p.wait(stands)
		at := p.watch(0.5)
		t.Logf("without data for %s they stand at %+v", file, at[len(at)-1])
		if at[0].Camera > recordingtest.Length-5 {
			t.Fatalf("without data for %s it played to its end", file)
		}
		if l := at[len(at)-1]; max(l.Camera, l.Screen)-min(l.Camera, l.Screen) >= 2*maxDrift {
			t.Errorf("without data for %s they stand at %+v", file, l)
		}
		if playing := p.state().Playing; playing != "true" {
			t.Errorf("it does not want to play any more: %s", playing)
		}
		n.release()
		p.wait(fmt.Sprintf(`document.querySelector("#camera").currentTime > %v + 1.5`, at[0].Camera))
		wantTogether(t, "after "+file+" came", p.watch(1.5))
		p.close()
	}
}
