package recordingtest

import "fmt"

// brush2 draws as tldraw's second version does, on a page of a size.
type brush2 struct{ w, h float64 }

func (b *brush2) shape(kind, id string, x, y float64, props object) object {
	common := object{"color": "red", "size": "s", "dash": "draw", "fill": "none"}
	switch kind {
	case "group", "frame", "image":
		common = object{}
	}
	return object{
		"id": "shape:" + id, "typeName": "shape", "type": kind, "x": x * b.w, "y": y * b.h, "rotation": 0, "opacity": 1,
		"index": "a1", "parentId": "page:1", "isLocked": false, "isModerator": true, "meta": object{"createdBy": "w_abc"},
		"props": with(common, props),
	}
}

// styled returns the shape with other properties.
func styled(o object, props object) object {
	return with(o, object{"props": with(o["props"].(object), props)})
}

func (b *brush2) points(points []float64) (x, y float64, all []any) {
	x, y = points[0], points[1]
	for i := 0; i < len(points); i += 2 {
		all = append(all, object{"x": (points[i] - x) * b.w, "y": (points[i+1] - y) * b.h, "z": .5})
	}
	return x, y, all
}

func (b *brush2) stroke(id string, points ...float64) object {
	return b.freehand("draw", id, points)
}

func (b *brush2) freehand(kind, id string, points []float64) object {
	x, y, all := b.points(points)
	return b.shape(kind, id, x, y, object{"segments": []any{object{"type": "free", "points": all}}, "isClosed": false, "isComplete": true, "isPen": false})
}

func (b *brush2) dot(id string, x, y float64) object {
	return styled(b.stroke(id, x, y), object{"color": "blue", "size": "xl"})
}

func (b *brush2) geo(geo, id string, x, y, w, h float64) object {
	return b.shape("geo", id, x, y, object{
		"geo": geo, "w": w * b.w, "h": h * b.h, "growY": 0, "text": "", "align": "middle", "verticalAlign": "middle", "labelColor": "black", "font": "draw", "url": "",
	})
}

func (b *brush2) rectangle(id string, x, y, w, h float64) object {
	return b.geo("rectangle", id, x, y, w, h)
}

func (b *brush2) ellipse(id string, x, y, w, h float64) object {
	return b.geo("ellipse", id, x, y, w, h)
}

func (b *brush2) triangle(id string, x, y, w, h float64) object {
	return b.geo("triangle", id, x, y, w, h)
}

func (b *brush2) line(id string, x1, y1, x2, y2 float64) object {
	handle := func(name, index string, x, y float64) object {
		return object{"id": name, "type": "vertex", "index": index, "canBind": false, "canSnap": true, "x": x, "y": y}
	}
	return b.shape("line", id, x1, y1, object{"spline": "line", "handles": object{
		"start": handle("start", "a1", 0, 0), "end": handle("end", "a2", (x2-x1)*b.w, (y2-y1)*b.h),
	}})
}

func (b *brush2) text(id string, x, y float64, text string) object {
	return b.shape("text", id, x, y, object{"text": text, "w": .2 * b.w, "align": "start", "font": "draw", "size": "m", "scale": 1, "autoSize": true})
}

func (b *brush2) poll(id string, x, y, w, h float64) object {
	answer := func(id int, key string, votes int) object {
		return object{"id": id, "key": key, "numVotes": votes}
	}
	return b.shape("poll", id, x, y, object{
		"w": w * b.w, "h": h * b.h, "question": "Do plants breathe?", "questionText": "Do plants breathe?", "questionType": "YN",
		"answers": []any{answer(0, "Yes", 2), answer(1, "No", 1)}, "numResponders": 3, "numRespondents": 4, "color": "black", "fill": "solid",
	})
}

func (b *brush2) arrow(id string, x1, y1, x2, y2, bend float64, start, end string) object {
	return b.shape("arrow", id, x1, y1, object{
		"start": object{"type": "point", "x": 0, "y": 0}, "end": object{"type": "point", "x": (x2 - x1) * b.w, "y": (y2 - y1) * b.h},
		"bend": bend, "arrowheadStart": start, "arrowheadEnd": end, "text": "", "font": "draw", "labelColor": "black",
	})
}

var (
	colors2 = []string{"black", "grey", "light-violet", "violet", "blue", "light-blue", "yellow", "orange", "green", "light-green", "light-red", "red"}
	geos2   = []string{
		"rectangle", "ellipse", "triangle", "diamond", "pentagon", "hexagon", "octagon", "star", "rhombus", "rhombus-2", "oval", "trapezoid", "cloud",
		"arrow-left", "arrow-right", "arrow-up", "arrow-down", "x-box", "check-box",
	}
)

// gallery is one of everything, from the middle of the page downwards.
func (b *brush2) gallery() []object {
	all := append(b.boxes(), b.lines()...)
	all = append(all, b.letters()...)
	all = append(all, b.nested()...)
	return all
}

func (b *brush2) boxes() (all []object) {
	fills, dashes, sizes := []string{"none", "solid", "semi", "pattern"}, []string{"draw", "solid", "dashed", "dotted"}, []string{"s", "m", "l", "xl"}
	for i, geo := range geos2 {
		shape := styled(b.geo(geo, "g-"+geo, .02+.051*float64(i), .62, .042, .08), object{
			"color": colors2[i%12], "fill": fills[i%4], "dash": dashes[i/4%4], "size": sizes[i/8],
		})
		all = append(all, shape)
	}
	for i, color := range colors2 {
		x := .02 + .08*float64(i)
		all = append(all, styled(b.stroke("g-draw-"+color, x, .56, x+.02, .53, x+.04, .59, x+.06, .55), object{"color": color, "size": sizes[i%4], "dash": dashes[i/4]}))
		all = append(all, with(styled(b.freehand("highlight", "g-highlight-"+color, []float64{x, .5, x + .03, .5, x + .06, .5}), object{"color": color, "size": "s"}), object{"index": "a0"}))
	}
	loop := styled(b.stroke("g-loop", .93, .73, .97, .73, .97, .79, .93, .79, .93, .73), object{"isClosed": true, "fill": "pattern", "color": "green"})
	labelled := styled(b.rectangle("g-label", .8, .72, .1, .06), object{"text": "a label that grows", "growY": 20, "fill": "semi", "align": "start", "verticalAlign": "start", "labelColor": "red"})
	return append(all, loop, labelled, with(b.rectangle("g-turned", .73, .73, .06, .06), object{"rotation": .6, "opacity": .5}))
}

func (b *brush2) lines() (all []object) {
	heads := []string{"none", "arrow", "triangle", "inverted", "square", "diamond", "dot", "bar", "pipe"}
	for i, head := range heads {
		x := .02 + .075*float64(i)
		all = append(all, styled(b.arrow("g-head-"+head, x, .74, x+.06, .78, 0, heads[(i+3)%9], head), object{"size": "m", "color": colors2[i]}))
	}
	cubic := b.line("g-cubic", .02, .85, .14, .85)
	handles := cubic["props"].(object)["handles"].(object)
	handles["handle:a1V"] = object{"id": "handle:a1V", "type": "vertex", "index": "a1V", "x": .06 * b.w, "y": -.04 * b.h}
	bound := func(id string, x, y float64) object {
		return object{"type": "binding", "boundShapeId": "shape:" + id, "normalizedAnchor": object{"x": x, "y": y}, "isExact": false, "isPrecise": true}
	}
	binding := b.arrow("g-bound", 0, 0, 0, 0, 0, "none", "arrow")
	binding = styled(binding, object{"start": bound("g-label", .5, .5), "end": bound("g-frame", .5, .1), "text": "bound", "size": "m"})
	return append(all,
		styled(cubic, object{"spline": "cubic", "color": "violet"}),
		styled(b.line("g-line", .16, .82, .24, .88), object{"dash": "dashed", "size": "l"}),
		b.arrow("g-arc", .27, .86, .37, .86, 40, "none", "arrow"),
		styled(b.arrow("g-arc-up", .4, .86, .5, .86, -60, "arrow", "arrow"), object{"color": "blue", "dash": "dotted", "text": "arc"}),
		binding,
	)
}

func (b *brush2) letters() (all []object) {
	for i, font := range []string{"draw", "sans", "serif", "mono"} {
		all = append(all, styled(b.text("g-text-"+font, .02+.11*float64(i), .92, font+" fonts"), object{"font": font, "color": colors2[i], "size": []string{"s", "m", "s", "m"}[i], "w": .1 * b.w}))
	}
	wrapped := styled(b.text("g-text-wrapped", .47, .9, "Text that is as wide as it was made, and wraps"), object{"autoSize": false, "w": .12 * b.w, "align": "middle", "size": "s"})
	return append(all, wrapped, b.note("g-note", .61, .78, "yellow", "A note"), with(b.note("g-note-blue", .61, .78, "light-blue", "And another one, turned"), object{"x": .78 * b.w, "rotation": .1}))
}

func (b *brush2) note(id string, x, y float64, color, text string) object {
	return styled(b.shape("note", id, x, y, object{"text": text, "growY": 0, "font": "draw", "align": "middle", "verticalAlign": "middle", "url": ""}), object{"color": color})
}

// nested are what is placed within something else: a frame, which clips, and a
// group. And there are a picture and a poll.
func (b *brush2) nested() []object {
	within := func(o object, parent, index string) object {
		return with(o, object{"parentId": "shape:" + parent, "index": index})
	}
	image := b.shape("image", "g-image", .72, .36, object{"w": .1 * b.w, "h": .1 * b.h, "assetId": "asset:42", "playing": true, "url": ""})
	return []object{
		b.shape("frame", "g-frame", .83, .35, object{"w": .15 * b.w, "h": .12 * b.h, "name": "A frame"}),
		within(styled(b.ellipse("g-clipped", .1, .03, .1, .1), object{"fill": "solid", "color": "orange"}), "g-frame", "a2"),
		within(b.rectangle("g-inner", .01, .02, .05, .05), "g-frame", "a1"),
		with(b.shape("group", "g-group", .83, .22, object{}), object{"rotation": .1}),
		within(b.rectangle("g-member-1", 0, 0, .04, .05), "g-group", "a1"),
		within(b.ellipse("g-member-2", .06, 0, .04, .05), "g-group", "a2"),
		image,
		with(b.poll("g-poll", .55, .25, .15, .2), object{"meta": object{"n": fmt.Sprint(1)}}),
	}
}
