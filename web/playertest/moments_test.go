package playertest

import (
	"fmt"
	"math"
	"slices"
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
	drawings string // the figures at the end of their identities; "all": as many as the recording's gallery has
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
	{at: 1.2, slide: "image1", drawings: "1", view: whole, caption: spoken[0], past: 1},
	{at: 0.9, slide: "image1", view: whole},
	{at: 2.5, slide: "image1", drawings: "12", view: whole, cursor: upper, caption: spoken[0], past: 1},
	{at: 4.2, slide: "image1", drawings: "123456", view: whole, cursor: upper, caption: spoken[0], past: 2},
	{at: 26, slide: "image5", drawings: "all", view: whole, past: 7, cleared: true},
	{at: 4.95, slide: "image1", drawings: "123456", view: whole, cursor: upper, past: 2},
	{at: 5, slide: "image1", drawings: "13456", view: whole, past: 2},
	{at: 6, slide: "image2", view: whole, past: 2},
	{at: 7.2, slide: "image2", drawings: "1", view: whole, caption: spoken[1], past: 2},
	{at: 8.2, slide: "image2", drawings: "12", view: whole, caption: spoken[1], past: 3},
	{at: 9.2, slide: "image2", drawings: "12", view: middle, cursor: centre, caption: spoken[1], past: 4},
	{at: 20, slide: "image4", screen: true, caption: spoken[2], past: 7, cleared: true},
	{at: 8.6, slide: "image2", drawings: "12", view: middle, caption: spoken[1], past: 3},
	{at: 10, slide: "image2", drawings: "12", view: whole, caption: spoken[1], past: 5},
	{at: 11, slide: "image2", view: whole, past: 5},
	{at: 11.6, slide: "image2", drawings: "4", view: whole, past: 5},
	{at: 12, slide: "image3", view: whole, past: 5},
	{at: 13.5, slide: "image3", drawings: "1", view: whole, past: 5},
	{at: 14.9, slide: "image3", drawings: "1", view: whole, past: 6},
	{at: 15, slide: "image3", drawings: "1", view: whole, past: 6, cleared: true},
	{at: 17.9, slide: "image3", drawings: "1", view: whole, past: 7, cleared: true},
	{at: 18, slide: "image4", screen: true, past: 7, cleared: true},
	{at: 23.9, slide: "image4", screen: true, past: 7, cleared: true},
	{at: 24, slide: "image5", view: whole, past: 7, cleared: true},
	{at: 29.5, slide: "image5", drawings: "all", view: whole, past: 7, cleared: true},
	{at: 2, slide: "image1", drawings: "1", view: whole, cursor: upper, caption: spoken[0], past: 1},
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

// pages are those of the file that images show.
var pages = map[string]int{"image1": 1, "image2": 2, "image3": 3, "image5": 1}

func wantMoment(t *testing.T, r *recordingtest.Recording, m moment, got state) {
	t.Helper()
	bad := func(what string, got, want any) { t.Errorf("at %v s: %s %v, want %v", m.at, what, got, want) }
	slide := m.slide
	again := r.Version == recordingtest.V20 && !r.Segments && slide == "image5"
	if again {
		slide = "image1-2" // its second showing
	}
	if got.Slide != slide {
		bad("slide", got.Slide, slide)
	}
	drawn := m.drawings
	if again && m.at == 24 {
		drawn = "13456" // the drawings of the first time are still on it
	}
	if drawn == "all" {
		if len(got.Shapes) != r.Gallery {
			bad("drawings", got.Shapes, r.Gallery)
		}
	} else if figures(got.Shapes) != drawn {
		bad("drawings", got.Shapes, drawn)
	}
	if got.Screen != m.screen {
		bad("screen", got.Screen, m.screen)
	}
	if !m.screen {
		wantPicture(t, r, m, got)
	}
	if got.Caption != m.caption {
		bad("caption", got.Caption, m.caption)
	}
	if got.Past != m.past {
		bad("lines that were sent", got.Past, m.past)
	}
	if (got.Cleared == 1) != m.cleared {
		bad("lines that were cleared", got.Cleared, m.cleared)
	}
}

// wantPicture checks the slide, which part of it fills the stage, and where the
// pointer is on it.
func wantPicture(t *testing.T, r *recordingtest.Recording, m moment, got state) {
	t.Helper()
	bad := func(what string, got, want any) { t.Errorf("at %v s: %s %v, want %v", m.at, what, got, want) }
	if want := "/presentation/" + r.ID + "/" + r.Slide(pages[m.slide]); got.Picture != want {
		bad("picture", got.Picture, want)
	}
	number, _ := strconv.Atoi(strings.TrimPrefix(m.slide, "image"))
	w, h := r.Page(number)
	x, y, width, height := m.view[0]*w, m.view[1]*h, m.view[2]*w, m.view[3]*h
	if !near(got.View, x, y, width, height) {
		bad("view", got.View, m.view)
	}
	// It is as large as it can be, and in the middle.
	ratio := min(got.Area[2]/width, got.Area[3]/height)
	middle := fmt.Sprint(got.Area[0]+got.Area[2]/2, got.Area[1]+got.Area[3]/2)
	if math.Abs(ratio-1) > 0.01 || !near(middle, x+width/2, y+height/2) {
		bad("the stage's corners", got.Area, m.view)
	}
	if m.cursor == nil && got.Cursor != "" || m.cursor != nil && !near(got.Cursor, m.cursor[0]*w, m.cursor[1]*h) {
		bad("cursor", got.Cursor, m.cursor)
	}
}

// figures are the ends of the identities of drawings, which are numbered.
func figures(identities []string) string {
	var ends []byte
	for _, identity := range identities {
		ends = append(ends, identity[len(identity)-1])
	}
	slices.Sort(ends)
	return string(ends)
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
