package recordingtest

import (
	"encoding/json"
	"fmt"
	"strings"
)

// presentationID is that of the uploaded file.
const presentationID = "d2d9a672040fbde2a47a10bf6c37b6a4b5ae187f-1767258000123"

// slide is one page of the uploaded file, in pixels.
type slide struct {
	width, height int
	title, line   string
}

// deck is the uploaded file. Its last page stands on end.
var deck = []slide{
	{1600, 900, "Welcome", "Leaves and light"},
	{1600, 900, "Photosynthesis", "What goes in and what comes out"},
	{900, 1200, "A page on end", "The inside of a leaf"},
}

// showing is one time that a page, the screen (page 0) or nothing (-1) was shown.
type showing struct {
	image   int
	in, out float64
	page    int
}

func (r *Recording) showings() []showing {
	if r.ScreenOnly {
		return []showing{{1, 0, Length, 0}}
	}
	all := []showing{{1, 0, 6, 1}, {2, 6, 12, 2}, {3, 12, 18, 3}, {4, 18, 24, 0}, {5, 24, Length, 1}}
	if r.Segments {
		// What was shown while nothing was recorded falls together where the next
		// piece begins, and what came after it beyond the end.
		all = []showing{
			{6, 0, 0, -1}, {7, 0, 0, 2}, {1, 0, 6, 1}, {2, 6, 12, 2}, {8, 12, 12, 1}, {9, 12, 12, 2}, {3, 12, 18, 3},
			{4, 18, 24, 0}, {5, 24, 33.4, 1}, {10, 33.4, 33.4, 2},
		}
	}
	return all
}

func slideName(version, page int) string {
	if version < 26 {
		return fmt.Sprintf("presentation/%s/slide-%d.png", presentationID, page)
	}
	return fmt.Sprintf("presentation/%s/svgs/slide%d.svg", presentationID, page)
}

// Slide is the name of the picture of a page, counted from 1.
func (r *Recording) Slide(page int) string { return slideName(r.minor(), page) }

func thumbnailName(page int) string {
	return fmt.Sprintf("presentation/%s/thumbnails/thumb-%d.png", presentationID, page)
}

func textName(page int) string {
	return fmt.Sprintf("presentation/%s/textfiles/slide-%d.txt", presentationID, page)
}

// putSlides writes the pages as pictures, thumbnails and texts.
func (r *Recording) putSlides() {
	r.Put("presentation/deskshare.png", placeholder(1280, 720))
	if r.ScreenOnly {
		return
	}
	r.Put("presentation/logo.png", placeholder(1600, 1200))
	texts := map[string]string{}
	for i, s := range deck {
		if r.svgDrawn() {
			r.Put(slideName(r.minor(), i+1), s.png(i+1))
		} else {
			r.Put(slideName(r.minor(), i+1), s.svg(i+1))
		}
		r.Put(thumbnailName(i+1), s.thumbnail(i+1))
		texts[fmt.Sprintf("slide-%d", i+1)] = s.title + "\n" + s.line
		r.Put(textName(i+1), s.title+"\n"+s.line+"\n")
	}
	if !r.Bare {
		r.Put("presentation_text.json", marshal(map[string]any{presentationID: texts}))
	}
}

// Page returns the size of what drawings are placed on, in their own units, for
// the page of an image.
func (r *Recording) Page(image int) (width, height float64) {
	s := slide{width: 1280, height: 720}
	for _, shown := range r.showings() {
		if shown.image == image && shown.page > 0 {
			s = deck[shown.page-1]
		}
	}
	width, height = float64(s.width), float64(s.height)
	scale := r.scale(s)
	return width * scale, height * scale
}

// scale is how large one pixel of a slide is in the units of its drawings.
func (r *Recording) scale(s slide) float64 {
	if r.svgDrawn() {
		return 1
	}
	w, h := 1440.0, 1080.0
	if r.Version == V260 {
		w, h = 2048, 1536
	}
	return min(w/float64(s.width), h/float64(s.height))
}

// putEvents writes what moves the picture: view, pointer, shared screen.
func (r *Recording) putEvents() {
	views, pointers := r.views(), r.pointers()
	r.Put("panzooms.xml", r.eventFile("panzoom_events", "viewBox", views))
	r.Put("cursor.xml", r.eventFile("cursor_events", "cursor", pointers))
	var shares string
	if r.ScreenOnly {
		shares = share(0, Length)
	} else {
		shares = share(18, 24)
	}
	r.Put("deskshare.xml", xmlHead+`<recording id="deskshare_events">`+"\n"+shares+"</recording>\n")
	if r.minor() >= 30 && !r.ScreenOnly && !r.Bare {
		r.Put("layout.xml", xmlHead+`<recording id="layout_swap_events">
  <event timestamp="18.0" show_screenshare="true"/>
  <event timestamp="21.0" show_screenshare="false"/>
  <event timestamp="22.5" show_screenshare="true"/>
</recording>
`)
	}
}

const xmlHead = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

func share(from, to float64) string {
	return fmt.Sprintf(`  <event start_timestamp="%.1f" stop_timestamp="%.1f" video_width="1280" video_height="720"/>`+"\n", from, to)
}

// timed is one event with numbers.
type timed struct {
	at      float64
	numbers []float64
}

func (r *Recording) eventFile(id, element string, events []timed) string {
	var b strings.Builder
	attribute := fmt.Sprintf(" tldraw=\"%v\"", !r.svgDrawn())
	if r.minor() == 20 {
		attribute = ""
	}
	fmt.Fprintf(&b, "%s<recording id=%q%s>\n", xmlHead, id, attribute)
	for _, e := range events {
		var numbers []string
		for _, n := range e.numbers {
			numbers = append(numbers, decimal(n))
		}
		fmt.Fprintf(&b, "  <event timestamp=\"%.1f\"><%s>%s</%[2]s></event>\n", e.at, element, strings.Join(numbers, " "))
	}
	b.WriteString("</recording>\n")
	return b.String()
}

// decimal writes a number as Ruby does: always with a point.
func decimal(n float64) string {
	text := fmt.Sprint(n)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// views are the events of panzooms.xml: the whole of every slide that is not of
// the size of the one before, and once the middle half of the second.
func (r *Recording) views() []timed {
	if r.ScreenOnly {
		return []timed{{0, []float64{0, 0, 1280, 720}}}
	}
	middle := []float64{400, 225, 800, 450}
	if !r.svgDrawn() {
		w, h := r.Page(2)
		middle = []float64{-w / 4, -h / 4, 800, 450}
	}
	whole := []float64{0, 0, 1600, 900}
	views := []timed{
		{0, whole}, {8.4, middle}, {10, whole}, {12, []float64{0, 0, 900, 1200}},
		{18, []float64{0, 0, 1280, 720}}, {24, whole},
	}
	if r.Segments {
		views = append([]timed{{0, middle}, {0, []float64{0, 0, 900, 1200}}}, views...)
		views = append(views, timed{33.4, middle})
	}
	return views
}

// pointers are the events of cursor.xml.
func (r *Recording) pointers() []timed {
	hidden := []float64{-1, -1}
	if r.ScreenOnly {
		return []timed{{0, hidden}}
	}
	first, second := []float64{0.5, 0.25}, []float64{0.5, 0.5}
	if !r.svgDrawn() {
		w, h := r.Page(1)
		first, second = []float64{w / 2, h / 4}, []float64{w / 2, h / 2}
	}
	pointers := []timed{{0, hidden}, {2, first}, {5, hidden}, {9, second}, {10, hidden}}
	if r.Segments {
		pointers = append([]timed{{0, second}, {0, first}}, pointers...)
		pointers = append(pointers, timed{33.4, first})
	}
	return pointers
}

func marshal(value any) string {
	text, err := json.Marshal(value)
	if err != nil { // of maps, lists, numbers and texts: it cannot be
		panic(err)
	}
	return string(text) + "\n"
}
