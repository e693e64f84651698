package cmd

import (
	"archive/tar"
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const sampleFile = "sample.tar"

// maxSample is what the sample recording may add to the binary, in bytes.
const maxSample = 300 << 10

// TestSampleRecording holds the demo's recording against its bounds. With
// -update it is made anew, with ffmpeg and GNU tar.
func TestSampleRecording(t *testing.T) {
	if *update {
		makeSample(t)
	}
	info, err := os.Stat(sampleFile)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > maxSample {
		t.Errorf("the sample has %d bytes, more than %d", info.Size(), maxSample)
	}
	f, err := os.Open(sampleFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	found := map[string]bool{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		found[h.Name] = true
	}
	for _, name := range []string{"presentation/" + sampleID + "/metadata.xml", "presentation/" + sampleID + "/video/webcams.webm", "podcast/" + sampleID + "/metadata.xml"} {
		if !found[name] {
			t.Errorf("the sample has no %s", name)
		}
	}
}

// slideTexts are the slides of the sample: a title and a line each.
var slideTexts = [][2]string{
	{"Welcome", "This recording came in through the spool"},
	{"How it travels", "BBB server → tarball → spool → imported → played"},
	{"What is kept", "Slides, drawings, chat, notes, captions, camera and sound"},
}

const (
	sampleStart    = 1767258000000
	sampleSeconds  = 24
	samplePresID   = "d2d9a672040fbde2a47a10bf6c37b6a4b5ae187f-1767258000123"
	sampleMeeting  = "demo-recording"
	sampleTitle    = "Demo recording"
	slideW, slideH = 1600, 900
)

func makeSample(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	pres := filepath.Join(dir, "presentation", sampleID)
	write := func(name, text string) {
		path := filepath.Join(pres, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var shapes, texts, images strings.Builder
	shapes.WriteString(`<?xml version="1.0"?>
<svg id="svgfile" xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1" viewBox="0 0 800 600">
`)
	for i, s := range slideTexts {
		n, from := i+1, i*8
		base := "presentation/" + samplePresID
		write(fmt.Sprintf("%s/svgs/slide%d.svg", base, n), slideSVG(s))
		write(fmt.Sprintf("%s/textfiles/slide-%d.txt", base, n), s[0]+"\n"+s[1]+"\n")
		write(fmt.Sprintf("%s/thumbnails/thumb-%d.png", base, n), thumbnail(t, i))
		fmt.Fprintf(&shapes, `<image id="image%d" class="slide" in="%d.0" out="%d.0" xlink:href="%s/svgs/slide%d.svg" width="%d" height="%d" x="0" y="0" style="visibility:hidden" text="%s/textfiles/slide-%d.txt"/>`+"\n",
			n, from, from+8, base, n, slideW, slideH, base, n)
		fmt.Fprintf(&texts, `,"slide-%d":%q`, n, s[0]+"\n"+s[1])
		fmt.Fprintf(&images, `<image width="176" height="99" alt="%s">https://bbb1.example.org/presentation/%s/%s/thumbnails/thumb-%d.png</image>`, s[0], sampleID, base, n)
	}
	write("shapes.svg", shapes.String()+"</svg>\n")
	write("presentation_text.json", fmt.Sprintf("{%q:{%s}}\n", samplePresID, texts.String()[1:]))
	write("panzooms.xml", panzooms)
	write("cursor.xml", cursor)
	write("slides_new.xml", chat)
	write("deskshare.xml", "<recording id=\"deskshare_events\"></recording>\n")
	write("captions.json", `[{"locale":"en","localeName":"English"}]`+"\n")
	write("caption_en.vtt", "WEBVTT\n\n00:00:01.000 --> 00:00:06.000\nWelcome to the demo.\n\n00:00:09.000 --> 00:00:14.000\nThis is how a recording travels.\n")
	write("notes.html", "<!DOCTYPE html><html><body><p>Shared notes of the demo.</p></body></html>\n")
	write("tldraw.json", tldraw)
	write("polls.json", `[{"timestamp":12,"type":"YN","question":"Can you hear me?","answers":[{"id":0,"key":"Yes","numVotes":3},{"id":1,"key":"No","numVotes":0}],"respondents":3,"responders":3}]`+"\n")
	write("metadata.xml", metadataXML("presentation", "/playback/presentation/2.3/"+sampleID,
		"<extensions><preview><images>"+images.String()+"</images></preview></extensions>"))
	write("../../podcast/"+sampleID+"/metadata.xml", metadataXML("podcast", "/podcast/"+sampleID+"/audio.ogg", ""))
	if err := os.MkdirAll(filepath.Join(pres, "video"), 0o755); err != nil {
		t.Fatal(err)
	}
	runTool(t, dir, "ffmpeg", "-v", "error", "-y",
		"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=320x240:rate=10:duration=%d", sampleSeconds),
		"-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=330:beep_factor=3:duration=%d", sampleSeconds),
		"-c:v", "libvpx", "-b:v", "40k", "-crf", "50", "-g", "50", "-c:a", "libvorbis", "-ac", "1", "-q:a", "0", filepath.Join(pres, "video/webcams.webm"))
	runTool(t, dir, "ffmpeg", "-v", "error", "-y", "-i", filepath.Join(pres, "video/webcams.webm"), "-vn", "-c:a", "copy",
		filepath.Join(dir, "podcast", sampleID, "audio.ogg"))
	out, err := filepath.Abs(sampleFile)
	if err != nil {
		t.Fatal(err)
	}
	runTool(t, dir, "tar", "--create", "--file", out, "--owner=0", "--group=0", "--mtime=@1767258000", "--sort=name",
		"presentation/"+sampleID, "podcast/"+sampleID)
}

func runTool(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	c := exec.Command(name, args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func slideSVG(s [2]string) string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d">
<rect width="%[1]d" height="%[2]d" fill="#f7f9fc"/><rect width="%[1]d" height="24" fill="#0f5cc0"/>
<text x="110" y="330" font-family="sans-serif" font-size="110" font-weight="bold" fill="#1d2733">%[3]s</text>
<text x="115" y="470" font-family="sans-serif" font-size="52" fill="#5a6775">%[4]s</text>
</svg>
`, slideW, slideH, s[0], s[1])
}

func thumbnail(t *testing.T, n int) string {
	t.Helper()
	picture := image.NewPaletted(image.Rect(0, 0, 176, 99), color.Palette{color.RGBA{247, 249, 252, 255}, color.RGBA{15, 92, 192, 255}})
	for x := range 176 {
		for y := range 4 {
			picture.SetColorIndex(x, y, 1)
		}
	}
	for bar := range n + 1 {
		for x := 14; x < 100; x++ {
			for y := 30 + 16*bar; y < 38+16*bar; y++ {
				picture.SetColorIndex(x, y, 1)
			}
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func metadataXML(format, link, extensions string) string {
	return fmt.Sprintf(`<recording>
  <id>%[1]s</id>
  <state>published</state>
  <published>true</published>
  <start_time>%[2]d</start_time>
  <end_time>%[3]d</end_time>
  <participants>3</participants>
  <meeting id="%[1]s" externalId="%[4]s" name="%[5]s" breakout="false"/>
  <meta><meetingId>%[4]s</meetingId><meetingName>%[5]s</meetingName><isBreakout>false</isBreakout><bbb-origin>demo</bbb-origin></meta>
  <playback>
    <format>%[6]s</format>
    <link>https://bbb1.example.org%[7]s</link>
    <processing_time>7177</processing_time>
    <duration>%[8]d</duration>
    %[9]s
  </playback>
  <raw_size>5319873</raw_size>
</recording>
`, sampleID, sampleStart, sampleStart+sampleSeconds*1000, sampleMeeting, sampleTitle, format, link, sampleSeconds*1000, extensions)
}

const panzooms = `<?xml version="1.0" encoding="UTF-8"?>
<recording id="panzoom_events" tldraw="true">
  <event timestamp="0.0"><viewBox>0.0 0.0 1600.0 900.0</viewBox></event>
  <event timestamp="11.0"><viewBox>-60.0 -120.0 1200.0 675.0</viewBox></event>
  <event timestamp="16.0"><viewBox>0.0 0.0 1600.0 900.0</viewBox></event>
</recording>
`

const cursor = `<?xml version="1.0" encoding="UTF-8"?>
<recording id="cursor_events" tldraw="true">
  <event timestamp="0.0"><cursor>-1.0 -1.0</cursor></event>
  <event timestamp="2.0"><cursor>200.0 300.0</cursor></event>
  <event timestamp="3.0"><cursor>420.0 330.0</cursor></event>
  <event timestamp="6.0"><cursor>-1.0 -1.0</cursor></event>
</recording>
`

const chat = `<?xml version="1.0" encoding="UTF-8"?>
<popcorn>
  <chattimeline in="3.0" id="msg-1" direction="down" name="Teacher" chatEmphasizedText="true" senderRole="MODERATOR" message="Good morning!" target="chat"/>
  <chattimeline in="7.5" id="msg-2" direction="down" name="Viewer 1" chatEmphasizedText="false" senderRole="VIEWER" message="Hello" target="chat"/>
</popcorn>
`

const tldraw = `{"bbb_version":"2.7.3","1":{"timestamp":0.0,"shapes":[
{"id":1,"timestamp":4.0,"undo":-1,"shape_data":{"id":"r1","type":"rectangle","parentId":"1","childIndex":1,"point":[80,430],"size":[900,110],"rotation":0,
"style":{"color":"red","size":"medium","dash":"draw","isFilled":false,"scale":1,"font":"script","textAlign":"middle"},"label":"","labelPoint":[0.5,0.5]}}]}}
`
