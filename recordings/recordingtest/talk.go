package recordingtest

import (
	"fmt"
	"strings"
)

// line is one message of the public chat.
type line struct {
	in, out   float64 // out 0: never cleared
	name      string
	moderator bool
	message   string // as it is before it becomes an attribute: HTML
	reply     int    // number of the line it answers, from 1
	edited    bool
	reactions []string // of emoji
}

var chatLines = []line{
	{in: 1, name: "Ada Teacher", moderator: true, message: "Good morning &amp; welcome!", reactions: []string{"👍", "🎉"}},
	{in: 4, name: "Ben", message: "1 &lt; 2, isn't it?"},
	{in: 7.5, name: "Ada Teacher", moderator: true, message: `Read <a href="https://example.org/leaf?a=1&amp;b=2" rel="nofollow"><u>https://example.org/leaf?a=1&amp;b=2</u></a> at home`, edited: true},
	{in: 9, out: 15, name: "Çağrı", message: "This was cleared later"},
	{in: 16, name: "نور", message: "شكرا", reply: 1},
}

// putTalk writes chat, polls, videos, captions and notes.
func (r *Recording) putTalk() {
	r.putChat()
	r.Put("polls.json", marshal([]any{map[string]any{
		"timestamp": 10, "type": "YN", "question": "Do plants breathe?", "respondents": 4, "responders": 3,
		"answers": []any{map[string]any{"id": 0, "key": "Yes", "numVotes": 2}, map[string]any{"id": 1, "key": "No", "numVotes": 1}},
	}}))
	r.Put("external_videos.json", marshal([]any{map[string]any{"timestamp": 14, "external_video_url": "https://example.org/watch?v=leaf"}}))
	r.Put("notes.html", `<!DOCTYPE HTML><html><head><title>notes</title><meta charset="utf-8"><style>ol { counter-reset: item }</style></head>
<body><h1>What we learned</h1><ul><li>Leaves are <strong>green</strong></li><li>Light is needed</li></ul>See <a href="https://example.org/leaf">more</a><br></body></html>
`)
	r.putCaptions()
}

func (r *Recording) putChat() {
	lines := chatLines
	if r.Lines > 0 {
		lines = nil
		for i := range r.Lines {
			lines = append(lines, line{in: r.saidAt(i), name: fmt.Sprintf("Pupil %d", i%30), message: fmt.Sprintf("Line %d: what about the roots, and the stem, and the light?", i)})
		}
	}
	var b strings.Builder
	b.WriteString(xmlHead + "<popcorn>\n")
	for i, l := range lines {
		b.WriteString(r.chatElement(i+1, l))
	}
	b.WriteString("</popcorn>\n")
	r.Put("slides_new.xml", b.String())
}

// saidAt is when one of many lines came.
func (r *Recording) saidAt(line int) float64 {
	const during = 2 * Length
	switch before := (r.Lines - during) / 2; {
	case line < before:
		return 0
	case line < before+during:
		return float64(line-before) / 2
	default:
		return Length + float64(line-before-during)
	}
}

func (r *Recording) chatElement(n int, l line) string {
	var b strings.Builder
	fmt.Fprintf(&b, `  <chattimeline in="%.1f"`, l.in)
	if l.out > 0 {
		fmt.Fprintf(&b, ` out="%.1f"`, l.out)
	}
	fmt.Fprintf(&b, ` direction="down" name="%s" message="%s" target="chat"`, escape(l.name), escape(l.message))
	if r.minor() >= 25 {
		role := "VIEWER"
		if l.moderator {
			role = "MODERATOR"
		}
		fmt.Fprintf(&b, ` senderRole="%s" chatEmphasizedText="%v"`, role, l.moderator)
	}
	if r.minor() < 30 {
		return b.String() + "/>\n"
	}
	reply, edited := "", ""
	if l.reply > 0 {
		reply = fmt.Sprintf("msg-%d", l.reply)
	}
	if l.edited {
		edited = fmt.Sprint(Start.UnixMilli())
	}
	fmt.Fprintf(&b, ` id="msg-%d" replyToMessageId="%s" lastEditedTimestamp="%s">`, n, reply, edited)
	if len(l.reactions) > 0 {
		b.WriteString("<reactions>")
		for i, emoji := range l.reactions {
			fmt.Fprintf(&b, `<reaction emoji="%s" count="%d"/>`, emoji, i+1)
		}
		b.WriteString("</reactions>")
	}
	return b.String() + "</chattimeline>\n"
}

// captionTexts are what is spoken, by language.
var captionTexts = []struct {
	locale, name string
	cues         [3]string
}{
	{"en", "English", [3]string{"Good morning everybody.", "Light goes in, sugar comes out.", "This is my screen."}},
	{"de", "Deutsch", [3]string{"Guten Morgen zusammen.", "Licht geht hinein, Zucker kommt heraus.", "Das ist mein Bildschirm."}},
	{"ar", "العربية", [3]string{"صباح الخير جميعا.", "يدخل الضوء ويخرج السكر.", "هذه شاشتي."}},
}

func (r *Recording) putCaptions() {
	var index []any
	for _, c := range captionTexts {
		index = append(index, map[string]any{"locale": c.locale, "localeName": c.name})
		r.Put("caption_"+c.locale+".vtt", fmt.Sprintf(`WEBVTT

00:00:01.000 --> 00:00:04.800
%s

00:00:07.000 --> 00:00:10.800 align:start
<v Ada>%s</v>

00:00:19.000 --> 00:00:23.000
%s
`, c.cues[0], c.cues[1], c.cues[2]))
	}
	r.Put("captions.json", marshal(index))
}
