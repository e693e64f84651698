package recordingtest

import (
	"fmt"
	"maps"
	"slices"
)

// object is what becomes an object of JSON.
type object = map[string]any

// snapshot is the whole of one drawing from a time on.
type snapshot struct {
	at, undo float64
	data     object
}

// tldrawFile is the content of tldraw.json.
func (r *Recording) tldrawFile() object {
	file := object{"bbb_version": r.Version}
	if r.NoDrawings || r.ScreenOnly {
		return file
	}
	for image, snapshots := range r.snapshots() {
		var shapes []any
		for i, s := range snapshots {
			shapes = append(shapes, object{"id": i + 1, "timestamp": s.at, "undo": s.undo, "shape_data": s.data})
		}
		file[fmt.Sprint(image)] = object{"timestamp": r.begin(image), "shapes": shapes}
	}
	return file
}

// begin is when an image is shown.
func (r *Recording) begin(image int) float64 {
	for _, s := range r.showings() {
		if s.image == image {
			return s.in
		}
	}
	return 0
}

// brush makes the drawings of one generation of tldraw, at places that are
// fractions of the page.
type brush interface {
	stroke(id string, points ...float64) object
	dot(id string, x, y float64) object
	rectangle(id string, x, y, w, h float64) object
	ellipse(id string, x, y, w, h float64) object
	triangle(id string, x, y, w, h float64) object
	line(id string, x1, y1, x2, y2 float64) object
	text(id string, x, y float64, text string) object
	poll(id string, x, y, w, h float64) object
	gallery() []object
}

func (r *Recording) brush(image int) brush {
	w, h := r.Page(image)
	if r.minor() < 30 {
		return &brush1{w, h}
	}
	return &brush2{w, h}
}

// snapshots are the drawings by their image.
func (r *Recording) snapshots() map[int][]snapshot {
	if r.Drawings > 0 {
		return r.manySnapshots()
	}
	one, two, three, five := r.brush(1), r.brush(2), r.brush(3), r.brush(5)
	all := map[int][]snapshot{
		1: {
			{1, -1, one.stroke("d1", .06, .66, .08, .69)},
			{1.5, -1, one.stroke("d1", .06, .66, .08, .69, .12, .66)},
			{2, -1, one.stroke("d1", .06, .66, .08, .69, .12, .66, .15, .64, .18, .66, .2, .71)},
			{2.5, 5, one.rectangle("r2", .25, .55, .06, .1)},
			{2.8, 5, one.rectangle("r2", .25, .55, .18, .22)},
			{3, -1, one.ellipse("e3", .47, .58, .18, .18)},
			{3.4, -1, one.triangle("t4", .44, .78, .12, .16)},
			{3.8, -1, one.line("l5", .06, .89, .31, .94)},
			{4, -1, one.text("x6", .69, .66, "He")},
			{4.4, -1, one.text("x6", .69, .66, "Hello\nthere <3")},
		},
		2: {
			{7, 11, two.dot("d1", .19, .33)}, {8, 11, two.poll("poll-result-2", .68, .66, .25, .25)},
			{11.4, -1, two.line("l4", .06, .1, .3, .55)},
		},
		3: {{13, -1, three.rectangle("r1", .1, .6, .7, .25)}},
	}
	for _, data := range five.gallery() {
		all[5] = append(all[5], snapshot{24.5, -1, data})
		if data["type"] != "group" { // of which nothing is to be seen
			r.Gallery++
		}
	}
	if r.Segments {
		all[5] = append(all[5], snapshot{after, -1, five.rectangle("late", 0, 0, 1, 1)})
		for i := range 3 {
			all[1][i].undo = after
		}
		all[2] = append([]snapshot{{0, 0, two.rectangle("early", 0, 0, 1, 1)}}, all[2]...)
	}
	return all
}

// manySnapshots is what a busy slide has: many drawings, each of them in ten
// versions.
func (r *Recording) manySnapshots() map[int][]snapshot {
	all := map[int][]snapshot{}
	for _, s := range r.showings() {
		if s.page < 1 || s.in == s.out {
			continue
		}
		b := r.brush(s.image)
		for n := range r.Drawings {
			x, y := .04+float64(n%20)*.046, .06+float64(n/20)*.09
			points := []float64{x, y}
			for v := range 10 {
				points = append(points, x+.004*float64(v), y+.01*float64(v%3))
				at := r.drawnAt(s, n, v)
				all[s.image] = append(all[s.image], snapshot{at, -1, b.stroke(fmt.Sprintf("d%d", n), slices.Clone(points)...)})
			}
		}
	}
	r.Gallery = r.Drawings
	return all
}

// with returns a copy of an object with more, or other, members.
func with(o object, more object) object {
	o = maps.Clone(o)
	maps.Copy(o, more)
	return o
}
