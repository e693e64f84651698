package playertest

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"scalelite/recordings/recordingtest"
)

// moment is what is to be seen at a time, in fractions of the slide: so it is the
// same in every generation.
type moment struct {
	at       float64
	slide    string
	drawings int // -1: as many as the recording's gallery has
	view     [4]float64
	cursor   *[2]float64 // nil: hidden
	screen   bool
	caption  string
	past     int // lines that were sent
	cleared  bool
}

var (
	whole, middle = [4]float64{0, 0, 1, 1}, [4]float64{.25, .25, .5, .5}
	upper, centre = &[2]float64{.5, .25}, &[2]float64{.5, .5}
	spoken        = [3]string{"Good morning everybody.", "Light goes in, sugar comes out.", "This is my screen."}
)

// moments of every recording, in an order that goes back and forth. Lines that
// were sent are those of the chat, the poll at 10 s, and the video at 14 s.
var moments = []moment{
	{at: 0, slide: "image1", view: whole},
	{at: 1.2, slide: "image1", drawings: 1, view: whole, caption: spoken[0], past: 1},
	{at: 0.9, slide: "image1", view: whole},
	{at: 2.5, slide: "image1", drawings: 2, view: whole, cursor: upper, caption: spoken[0], past: 1},
	{at: 4.2, slide: "image1", drawings: 6, view: whole, cursor: upper, caption: spoken[0], past: 2},
	{at: 26, slide: "image5", drawings: -1, view: whole, past: 7, cleared: true},
	{at: 4.95, slide: "image1", drawings: 6, view: whole, cursor: upper, past: 2},
	{at: 5, slide: "image1", drawings: 5, view: whole, past: 2},
	{at: 6, slide: "image2", view: whole, past: 2},
	{at: 7.2, slide: "image2", drawings: 1, view: whole, caption: spoken[1], past: 2},
	{at: 8.2, slide: "image2", drawings: 2, view: whole, caption: spoken[1], past: 3},
	{at: 9.2, slide: "image2", drawings: 2, view: middle, cursor: centre, caption: spoken[1], past: 4},
	{at: 20, slide: "image4", screen: true, caption: spoken[2], past: 7, cleared: true},
	{at: 8.6, slide: "image2", drawings: 2, view: middle, caption: spoken[1], past: 3},
	{at: 10, slide: "image2", drawings: 2, view: whole, caption: spoken[1], past: 5},
	{at: 11, slide: "image2", view: whole, past: 5},
	{at: 11.6, slide: "image2", drawings: 1, view: whole, past: 5},
	{at: 12, slide: "image3", view: whole, past: 5},
	{at: 13.5, slide: "image3", drawings: 1, view: whole, past: 5},
	{at: 14.9, slide: "image3", drawings: 1, view: whole, past: 6},
	{at: 15, slide: "image3", drawings: 1, view: whole, past: 6, cleared: true},
	{at: 17.9, slide: "image3", drawings: 1, view: whole, past: 7, cleared: true},
	{at: 18, slide: "image4", screen: true, past: 7, cleared: true},
	{at: 23.9, slide: "image4", screen: true, past: 7, cleared: true},
	{at: 24, slide: "image5", view: whole, past: 7, cleared: true},
	{at: 29.5, slide: "image5", drawings: -1, view: whole, past: 7, cleared: true},
	{at: 2, slide: "image1", drawings: 1, view: whole, cursor: upper, caption: spoken[0], past: 1},
}

// TestMoments: at chosen times everything that is to be seen is on the page, in
// every generation, however the player got to that time.
func TestMoments(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	for _, version := range recordingtest.Versions() {
		for _, pieces := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s in pieces=%v", version, pieces), func(t *testing.T) {
				t.Parallel()
				r := h.show(recordingtest.Options{Version: version, Segments: pieces})
				p := h.play(t, laptop, r.Path()+"?locale=en")
				p.showCaptions("en")
				for _, m := range moments {
					p.seek(m.at)
					wantMoment(t, r, m, p.state())
				}
				p.wantQuiet()
			})
		}
	}
}

func wantMoment(t *testing.T, r *recordingtest.Recording, m moment, got state) {
	t.Helper()
	number, _ := strconv.Atoi(strings.TrimPrefix(m.slide, "image"))
	slide, drawings := m.slide, m.drawings
	if drawings < 0 {
		drawings = r.Gallery
	}
	if r.Version == recordingtest.V20 && !r.Segments && number == 5 {
		slide = "image1-2" // its second showing
		if m.at == 24 {    // the drawings of the first time are still on it
			drawings = 5
		}
	}
	bad := func(what string, got, want any) { t.Errorf("at %v s: %s %v, want %v", m.at, what, got, want) }
	if got.Slide != slide {
		bad("slide", got.Slide, slide)
	}
	if got.Drawings != float64(drawings) {
		bad("drawings", got.Drawings, drawings)
	}
	if (got.Screen == "on") != m.screen {
		bad("screen", got.Screen, m.screen)
	}
	w, h := r.Page(number)
	if m.view != [4]float64{} && !near(got.Viewbox, m.view[0]*w, m.view[1]*h, m.view[2]*w, m.view[3]*h) {
		bad("view", got.Viewbox, m.view)
	}
	if m.cursor == nil && got.Cursor != "" || m.cursor != nil && !near(got.Cursor, m.cursor[0]*w, m.cursor[1]*h) {
		bad("cursor", got.Cursor, m.cursor)
	}
	if got.Caption != m.caption {
		bad("caption", got.Caption, m.caption)
	}
	if got.Past != fmt.Sprint(m.past) {
		bad("lines that were sent", got.Past, m.past)
	}
	if got.Cleared != map[bool]string{true: "1", false: "0"}[m.cleared] {
		bad("lines that were cleared", got.Cleared, m.cleared)
	}
}

// near compares numbers in a text with others.
func near(text string, want ...float64) bool {
	numbers := strings.Fields(text)
	if len(numbers) != len(want) {
		return false
	}
	for i, n := range numbers {
		if got, err := strconv.ParseFloat(n, 64); err != nil || math.Abs(got-want[i]) > 0.5 {
			return false
		}
	}
	return true
}
