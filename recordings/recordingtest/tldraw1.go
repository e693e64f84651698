package recordingtest

import "fmt"

// brush1 draws as tldraw's first version does, on a page of a size.
type brush1 struct{ w, h float64 }

// style1 is the style of a drawing.
func style1(color, size, dash string, filled bool) object {
	return object{"color": color, "size": size, "dash": dash, "isFilled": filled, "scale": 1, "font": "script", "textAlign": "middle"}
}

func (b *brush1) shape(kind, id string, x, y float64) object {
	return object{
		"id": id, "type": kind, "name": kind, "parentId": "1", "childIndex": 1, "rotation": 0, "isGenerated": false,
		"point": []float64{x * b.w, y * b.h}, "style": style1("red", "small", "draw", false), "label": "", "labelPoint": []float64{.5, .5},
	}
}

func (b *brush1) sized(kind, id string, x, y, w, h float64) object {
	return with(b.shape(kind, id, x, y), object{"size": []float64{w * b.w, h * b.h}})
}

func (b *brush1) stroke(id string, points ...float64) object {
	x, y := points[0], points[1]
	for i := 0; i < len(points); i += 2 {
		x, y = min(x, points[i]), min(y, points[i+1])
	}
	var relative []any
	for i := 0; i < len(points); i += 2 {
		relative = append(relative, []float64{(points[i] - x) * b.w, (points[i+1] - y) * b.h, .5})
	}
	return with(b.shape("draw", id, x, y), object{"points": relative, "isComplete": true})
}

func (b *brush1) dot(id string, x, y float64) object {
	return with(b.stroke(id, x, y), object{"style": style1("blue", "large", "draw", false)})
}

func (b *brush1) rectangle(id string, x, y, w, h float64) object {
	return b.sized("rectangle", id, x, y, w, h)
}

func (b *brush1) triangle(id string, x, y, w, h float64) object {
	return b.sized("triangle", id, x, y, w, h)
}

func (b *brush1) ellipse(id string, x, y, w, h float64) object {
	return with(b.shape("ellipse", id, x, y), object{"radius": []float64{w * b.w / 2, h * b.h / 2}})
}

func (b *brush1) line(id string, x1, y1, x2, y2 float64) object {
	return b.arrow(id, x1, y1, x2, y2, 0)
}

// arrow is bent by so many units; heads are added by whoever wants them.
func (b *brush1) arrow(id string, x1, y1, x2, y2, bend float64) object {
	dx, dy := (x2-x1)*b.w, (y2-y1)*b.h
	handle := func(name string, x, y float64) object {
		return object{"id": name, "index": 0, "canBind": true, "point": []float64{x, y}}
	}
	return with(b.shape("arrow", id, x1, y1), object{
		"bend": bend, "decorations": object{},
		"handles": object{"start": handle("start", 0, 0), "end": handle("end", dx, dy), "bend": handle("bend", dx/2, dy/2+bend)},
	})
}

func (b *brush1) text(id string, x, y float64, text string) object {
	return with(b.shape("text", id, x, y), object{"text": text})
}

func (b *brush1) poll(id string, x, y, w, h float64) object {
	return with(b.rectangle(id, x, y, w, h), object{
		"name": "poll-result-" + id, "label": "Do plants breathe?\nYes: ■■■■ 66%\nNo: ■■ 33%", "style": style1("black", "small", "solid", true),
	})
}

var colors1 = []string{"white", "lightGray", "gray", "black", "green", "cyan", "blue", "indigo", "violet", "red", "orange", "yellow"}

// gallery is one of everything, from the middle of the page downwards.
func (b *brush1) gallery() []object {
	all := append(b.boxes(), b.lines()...)
	all = append(all, b.letters()...)
	return append(all, b.groups()...)
}

func (b *brush1) boxes() (all []object) {
	for i, color := range colors1 {
		x := .03 + .08*float64(i)
		all = append(all, with(b.stroke(fmt.Sprintf("g-draw-%d", i), x, .56, x+.02, .53, x+.04, .59, x+.06, .55), object{"style": style1(color, "medium", "draw", false)}))
		all = append(all, with(b.rectangle(fmt.Sprintf("g-box-%d", i), x, .61, .06, .06), object{"style": style1(color, "small", "draw", true), "label": "ab"}))
	}
	for i, dash := range []string{"draw", "solid", "dashed", "dotted"} {
		x, size := .03+.16*float64(i), []string{"small", "medium", "large", "small"}[i]
		all = append(all, with(b.ellipse("g-oval-"+dash, x, .69, .07, .08), object{"style": style1("indigo", size, dash, i == 1)}))
		all = append(all, with(b.triangle("g-triangle-"+dash, x+.08, .69, .06, .08), object{"style": style1("orange", size, dash, i == 2)}))
	}
	turned := with(b.rectangle("g-turned", .7, .7, .1, .06), object{"rotation": .5, "label": "turned", "style": style1("violet", "medium", "dashed", true)})
	loop := with(b.stroke("g-loop", .85, .7, .9, .69, .93, .73, .9, .77, .85, .76, .85, .7), object{"style": style1("green", "small", "dotted", true)})
	return append(all, turned, loop)
}

func (b *brush1) lines() []object {
	ends := func(o object, start, end any) object {
		return with(o, object{"decorations": object{"start": start, "end": end}})
	}
	return []object{
		b.line("g-line", .03, .8, .13, .86),
		ends(b.arrow("g-arrow", .16, .8, .26, .86, 0), nil, "arrow"),
		ends(with(b.arrow("g-both", .29, .8, .39, .86, 0), object{"style": style1("blue", "large", "dashed", false)}), "arrow", "arrow"),
		ends(with(b.arrow("g-bent", .42, .84, .52, .84, -30), object{"style": style1("green", "medium", "draw", false)}), nil, "arrow"),
		ends(with(b.arrow("g-arc", .55, .82, .65, .82, 40), object{"style": style1("red", "small", "dotted", false), "label": "arc"}), nil, "arrow"),
	}
}

func (b *brush1) letters() (all []object) {
	for i, font := range []string{"script", "sans", "serif", "mono"} {
		style := with(style1(colors1[i+6], "small", "draw", false), object{"font": font, "textAlign": []string{"start", "middle", "end", "justify"}[i]})
		all = append(all, with(b.text("g-text-"+font, .03+.13*float64(i), .89, font+"\nline 2"), object{"style": style}))
	}
	large := with(style1("black", "large", "draw", false), object{"scale": .5, "font": "erif"})
	all = append(all, with(b.text("g-text-large", .55, .89, "Scaled"), object{"style": large}))
	for i, color := range []string{"yellow", "blue", "red"} {
		all = append(all, with(b.sized("sticky", "g-sticky-"+color, .7+.1*float64(i), .8, .09, .16), object{"text": "A note that is longer than its line", "style": style1(color, "small", "draw", false)}))
	}
	return all
}

// groups have two members, which say where they are themselves.
func (b *brush1) groups() []object {
	return []object{
		with(b.sized("group", "g-group", .8, .5, .1, .05), object{"children": []string{"g-member-1", "g-member-2"}}),
		with(b.rectangle("g-member-1", .8, .5, .04, .05), object{"parentId": "g-group"}),
		with(b.ellipse("g-member-2", .86, .5, .04, .05), object{"parentId": "g-group", "childIndex": 2}),
	}
}
