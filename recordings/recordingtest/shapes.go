package recordingtest

import (
	"fmt"
	"strings"
)

// after is a time beyond the end, as an event has that came after the last
// recorded moment.
const after = 33.4

// version is what one drawing looked like from a time on.
type version struct {
	at, undo float64 // undo -1: it stays
	key      string
	style    string
	child    string // elements
}

// putDrawings writes shapes.svg and, where they are not in there, the drawings.
func (r *Recording) putDrawings() error {
	r.Put("shapes.svg", r.shapesFile())
	if r.svgDrawn() {
		return nil
	}
	r.Put("tldraw.json", marshal(r.tldrawFile()))
	return nil
}

func (r *Recording) shapesFile() string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg id="svgfile" style="position:absolute;height:600px;width:800px" xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1" viewBox="0 0 800 600">
`)
	canvas := map[int][]version{}
	if r.svgDrawn() && !r.NoDrawings && !r.ScreenOnly {
		canvas = r.canvases()
	}
	for _, s := range r.showings() {
		in, out := fmt.Sprintf("%.1f", s.in), fmt.Sprintf("%.1f", s.out)
		if r.minor() == 20 && !r.ScreenOnly && !r.Segments {
			switch s.image { // one image for all the times that a page was shown
			case 1:
				in, out = "0.0 24.0", "6.0 30.0"
			case 5:
				continue
			}
		}
		b.WriteString(r.imageElement(s, in, out))
		if len(canvas[s.image]) > 0 {
			b.WriteString(canvasElement(s.image, canvas[s.image]))
		}
	}
	return b.String() + "</svg>\n"
}

func (r *Recording) imageElement(s showing, in, out string) string {
	href, text, width, height := "presentation/deskshare.png", "", 1280, 720
	switch {
	case s.page < 0:
		href, width, height = "presentation/logo.png", 1600, 1200
	case s.page > 0:
		href, width, height = slideName(r.minor(), s.page), deck[s.page-1].width, deck[s.page-1].height
		text = fmt.Sprintf(` text="%s"`, textName(s.page))
	}
	return fmt.Sprintf(`<image id="image%d" class="slide" in="%s" out="%s" xlink:href="%s" width="%d" height="%d" x="0" y="0" style="visibility:hidden"%s/>`+"\n",
		s.image, in, out, href, width, height, text)
}

func canvasElement(image int, versions []version) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<g class="canvas" id="canvas%d" image="image%[1]d" display="none">`+"\n", image)
	for i, v := range versions {
		fmt.Fprintf(&b, `<g id="image%d-draw%d" class="shape" timestamp="%.1f" undo="%s" shape="image%[1]d-%[5]s" style="%[6]s;visibility:hidden">%[7]s</g>`+"\n",
			image, i+1, v.at, undone(v.undo), v.key, v.style, v.child)
	}
	return b.String() + "</g>\n"
}

func undone(at float64) string {
	if at < 0 {
		return "-1"
	}
	return fmt.Sprintf("%.1f", at)
}

// penned is the style of a stroke.
func penned(color string, width float64) string {
	return fmt.Sprintf("stroke:%s;stroke-linecap:round;stroke-linejoin:round;stroke-width:%g;fill:none", color, width)
}

func stroked(d string) string { return `<path d="` + d + `"/>` }

// box is a rectangle as BBB writes it.
func box(x, y, w, h int) string { return stroked(fmt.Sprintf("M%d %dh%dv%dh-%dz", x, y, w, h, w)) }

// oval is an ellipse as BBB writes it.
func oval(x, y, rx, ry int) string {
	return stroked(fmt.Sprintf("M%d %da%d %d 0 1 1 %d 0a%[3]d %[4]d 0 1 1 -%[5]d 0z", x-rx, y, rx, ry, 2*rx))
}

func segment(x1, y1, x2, y2 int) string {
	return fmt.Sprintf(`<line x1="%d" y1="%d" x2="%d" y2="%d"/>`, x1, y1, x2, y2)
}

// lettered is a text, indented as BBB writes it, and its style.
func lettered(x, y, w, h, size int, color string, lines ...string) (style, child string) {
	style = fmt.Sprintf("color:%s;word-wrap:break-word;font-family:Arial;font-size:%dpx", color, size)
	child = fmt.Sprintf("\n  <switch>\n    <foreignObject x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\">\n      <p xmlns=\"http://www.w3.org/1999/xhtml\" style=\"margin:0\">%s</p>\n    </foreignObject>\n  </switch>\n",
		x, y, w, h, strings.Join(lines, "<br/>"))
	return style, child
}

// canvases are the drawings of shapes.svg by their image.
func (r *Recording) canvases() map[int][]version {
	if r.Drawings > 0 {
		return r.manyVersions()
	}
	textStyle, hello := lettered(1100, 600, 400, 100, 48, "#ff0000", "He")
	_, helloThere := lettered(1100, 600, 400, 200, 48, "#ff0000", "Hello", "there &lt;3")
	red, blue := penned("#ff0000", 4.8), penned("#0000ff", 3)
	all := map[int][]version{
		1: {
			{1, -1, "pencil1", red, stroked("M100 600L150 620")},
			{1.5, -1, "pencil1", red, stroked("M100 600L150 620L200 600")},
			{2, -1, "pencil1", red, stroked("M100 600L150 620L200 600C220 580 260 580 280 600L330 640")},
			{2.5, 5, "rectangle2", blue, box(400, 500, 100, 100)},
			{2.8, 5, "rectangle2", blue, box(400, 500, 300, 200)},
			{3, -1, "ellipse3", penned("#00aa00", 3), oval(900, 600, 150, 80)},
			{3.4, -1, "triangle4", penned("#ff8800", 3), stroked("M700 850L800 700L900 850Z")},
			{3.8, -1, "line5", blue, segment(100, 800, 500, 850)},
			{4, -1, "text6", textStyle, hello},
			{4.4, -1, "text6", textStyle, helloThere},
		},
		2: append([]version{{7, 11, "pencil1", "stroke:none;fill:#ff0000", `<circle cx="300" cy="300" r="12"/>`}},
			append(r.pollVersions(), version{11.4, -1, "line4", blue, segment(100, 100, 500, 500)})...),
		3: {{13, -1, "rectangle1", red, box(100, 700, 600, 300)}},
		5: galleryVersions(),
	}
	r.Gallery = len(all[5])
	if r.minor() == 20 && !r.Segments {
		all[1], all[5] = append(all[1], all[5]...), nil
		r.Gallery += 5 // what was not undone is still on the page
	}
	if r.Segments {
		all[5] = append(all[5], version{after, -1, "late", red, box(0, 0, 900, 900)})
		all[1][0].undo, all[1][1].undo, all[1][2].undo = after, after, after
		all[2] = append([]version{{0, 0, "early", red, box(0, 0, 900, 900)}}, all[2]...)
	}
	return all
}

// pollVersions are the result of a poll on the slide: a picture, in 2.0 turned
// and on a rectangle.
func (r *Recording) pollVersions() []version {
	name := fmt.Sprintf("presentation/%s/poll_result7.svg", presentationID)
	turned, width, height := "", 400, 200
	if r.minor() == 20 {
		turned, width, height = ` transform="translate(0,400) rotate(-90)"`, height, width
	}
	r.Put(name, fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d"><g%[3]s><rect width="400" height="200" fill="#ffffff" stroke="#000000"/>
<text x="20" y="70" font-family="Arial" font-size="40">Yes</text><rect x="120" y="35" width="200" height="50" fill="#333333"/><text x="340" y="70" font-family="Arial" font-size="40">2</text>
<text x="20" y="150" font-family="Arial" font-size="40">No</text><rect x="120" y="115" width="100" height="50" fill="#333333"/><text x="340" y="150" font-family="Arial" font-size="40">1</text></g></svg>
`, width, height, turned))
	style := "stroke:#333333;fill:#ffffff"
	if r.minor() == 20 {
		return []version{{8, 11, "poll_result2", style, fmt.Sprintf(
			`<rect x="1100" y="600" width="400" height="200"/><image xlink:href="%s" width="200" height="400" x="1100" y="600" transform="rotate(90, 1300, 800)"/>`, name)}}
	}
	return []version{{8, 11, "poll_result2", style, fmt.Sprintf(`<image xlink:href="%s" width="400" height="200" x="1100" y="600"/>`, name)}}
}

// galleryVersions are one of each kind, in colours and widths.
func galleryVersions() []version {
	colors := []string{"#000000", "#ffffff", "#ff0000", "#ff8800", "#ccff00", "#00ff00", "#00ffff", "#0088ff", "#0000ff", "#8800ff", "#ff00ff", "#c0c0c0"}
	var all []version
	add := func(style, child string) {
		all = append(all, version{24.5, -1, fmt.Sprintf("gallery%d", len(all)+1), style, child})
	}
	for i, color := range colors {
		x := 100 + 120*i
		add(penned(color, float64(1+i)), stroked(fmt.Sprintf("M%d 560C%d 480 %d 640 %d 560", x, x+30, x+60, x+90)))
	}
	add("stroke:none;fill:#ff0000", `<circle cx="150" cy="700" r="10"/>`)
	add(penned("#000000", 2), box(220, 650, 140, 100))
	add(penned("#ff0000", 6), oval(480, 700, 80, 50))
	add(penned("#0000ff", 4), stroked("M600 750L670 650L740 750Z"))
	add(penned("#00aa00", 8), segment(800, 650, 940, 750))
	add(penned("#8800ff", 3), `<polyline points="980,750 1020,650 1060,750 1100,650"/>`)
	add("stroke:#000000;stroke-width:2;fill:#ccff00", `<polygon points="1150,750 1200,650 1250,750"/>`)
	style, child := lettered(1300, 640, 250, 200, 32, "#8800ff", "Text in", "two lines")
	add(style, child)
	return all
}

// manyVersions is what a busy slide has: many drawings, each of them in ten
// versions.
func (r *Recording) manyVersions() map[int][]version {
	all := map[int][]version{}
	for _, s := range r.showings() {
		if s.page < 1 || s.in == s.out {
			continue
		}
		for n := range r.Drawings {
			d := fmt.Sprintf("M%d %d", 60+n%20*70, 60+n/20*70)
			for v := range 10 {
				d += fmt.Sprintf("L%d %d", 60+n%20*70+5*v, 60+n/20*70+v%3*12)
				at := r.drawnAt(s, n, v)
				all[s.image] = append(all[s.image], version{at, -1, fmt.Sprintf("pencil%d", n), penned("#ff0000", 3), stroked(d)})
			}
		}
	}
	r.Gallery = r.Drawings
	return all
}

// drawnAt is when one of ten versions of one of many drawings came.
func (r *Recording) drawnAt(s showing, drawing, version int) float64 {
	if late := drawing - max(0, r.Drawings-10); late >= 0 {
		return s.in + (s.out-s.in)*float64(10*late+version)/110
	}
	return s.in
}
