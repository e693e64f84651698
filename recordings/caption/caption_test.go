package caption

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the expected files anew")

// Every file in testdata is read as it is and becomes the WebVTT beside it.
func TestToVTTFixtures(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.in")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".in"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ToVTT(data)
			if err != nil {
				t.Fatal(err)
			}
			checkVTT(t, got)
			golden := strings.TrimSuffix(file, ".in") + ".vtt"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

const second = "00:00:01.000 --> 00:00:02.000"

// What the text of one cue becomes: in both formats if they agree, else in SRT
// and then in WebVTT.
func TestCueText(t *testing.T) {
	t.Parallel()
	rows := []struct{ in, srt, vtt string }{
		{in: "Hello", srt: "Hello"},
		{in: "  two \t\n lines  ", srt: "two\nlines"},
		{in: "a < b > c & d", srt: "a &lt; b &gt; c &amp; d"},
		{in: "AT&amp;T &lt;3 &nbsp;x &uuml; &#65;&#0; &bogus;", srt: "AT&amp;T &lt;3 \u00a0x ü A &amp;bogus;"},
		{in: "I <3 you <- yes -> no --> maybe", srt: "I &lt;3 you &lt;- yes -&gt; no --&gt; maybe"},
		{in: "<i>a</i> <B>b</B> <u>c</u>", srt: "<i>a</i> <b>b</b> <u>c</u>"},
		{in: `<font color="#ff0000">red</font> <s>x</s>`, srt: "red x"},
		{in: "<font size='3'>{\\an8}{\\pos(1,2)}up</font>{\\", srt: "up{\\"},
		{in: "{{\\i1}\\b1}x{\\a{\\b}}y {plain} \\N", srt: "xy {plain} \\N"},
		{in: "{\\a\nb}", srt: "{\\a\nb}"},
		{in: "<i>{</i>\\an8}", srt: "<i>{</i>\\an8}"},
		{in: "<b>one <i>two</b> three", srt: "<b>one <i>two</i></b> three"},
		{in: "</i>stray", srt: "stray"},
		{in: "<i>open", srt: "<i>open</i>"},
		{in: "one<br>two<br/>three<BR />", srt: "one\ntwo\nthree"},
		{in: "<laughs> ha", srt: "&lt;laughs&gt; ha", vtt: "ha"},
		{in: "<script>alert(1)</script>", srt: "&lt;script&gt;alert(1)&lt;/script&gt;", vtt: "alert(1)"},
		{in: "<b/>x<i/ >", srt: "x&lt;i/ &gt;", vtt: "x"},
		{in: "<>x</>", srt: "&lt;&gt;x&lt;/&gt;"},
		{in: "<v Fred>Hi", srt: "<v Fred>Hi</v>"},
		{in: "<v.loud.x-  Mary \t Ann &amp; Bob--> Hi</v>", srt: "<v.loud.x Mary Ann &amp; Bob> Hi</v>"},
		{in: "<v>no name</v>", srt: "no name"},
		{in: "<c.yellow.bg_blue.--.a&b>x</c>", srt: "<c.yellow.bg_blue>x</c>"},
		{in: "<c.a-->x</c>", srt: "<c.a>x</c>"},
		{in: "<lang en-GB>x</lang> <lang a_b>y</lang>", srt: "<lang en-GB>x</lang> y"},
		{in: "<ruby>kan<rt>ji</rt></ruby> <rt>alone</rt>", srt: "<ruby>kan<rt>ji</rt></ruby> alone"},
		{in: "kara<00:00:01.500>oke <00:01>now", srt: "karaoke now"},
		{in: "a&#10;&#10;b&#13;c&#9;d", srt: "a\nb\nc d"},
		{in: strings.Repeat("<b>", maxNesting+1) + "x", srt: strings.Repeat("<b>", maxNesting) + "x" + strings.Repeat("</b>", maxNesting)},
		{in: "\ufeff&#xFEFF;x\u202e\u0085", srt: "x\u202e"},
		{in: "NOTE no comment here", srt: "NOTE no comment here"},
	}
	for _, row := range rows {
		if row.vtt == "" {
			row.vtt = row.srt
		}
		for head, want := range map[string]string{"": row.srt, "WEBVTT\n\n": row.vtt} {
			got, err := ToVTT([]byte(head + second + "\n" + row.in + "\n"))
			if err != nil {
				t.Errorf("%q: %v", head+row.in, err)
				continue
			}
			checkVTT(t, got)
			if diff := cmp.Diff("WEBVTT\n\n"+second+"\n"+want+"\n", string(got)); diff != "" {
				t.Errorf("%q: (-want +got)\n%s", head+row.in, diff)
			}
		}
	}
}

// Files that were joined have byte order marks in the middle.
func TestJoinedFiles(t *testing.T) {
	t.Parallel()
	got, err := ToVTT([]byte("\ufeff1\n" + second + "\na\n\n\ufeff1\n" + second + "\nb\n"))
	if want := "WEBVTT\n\n" + second + "\na\n\n" + second + "\nb\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTiming(t *testing.T) {
	t.Parallel()
	const h, m, s, ms = time.Hour, time.Minute, time.Second, time.Millisecond
	rows := []struct {
		line       string
		start, end time.Duration
		rest       string
	}{
		{"00:00:01,500 --> 00:00:02,750", 1500 * ms, 2750 * ms, ""},
		{"00:00:01.500 --> 00:00:02.750 align:start", 1500 * ms, 2750 * ms, "align:start"},
		{"01:02.003 --> 03:04.005", m + 2*s + 3*ms, 3*m + 4*s + 5*ms, ""},
		{"1:2:3,4-->1:2:3,45", h + 2*m + 3*s + 400*ms, h + 2*m + 3*s + 450*ms, ""},
		{" 00:00:01\t->\t00:00:02 ", 1 * s, 2 * s, ""},
		{"00:00:01:500 --> 00:00:02:750", 1500 * ms, 2750 * ms, ""},
		{"9999:59:59.9999999 --> 9999:59:59.0", 9999*h + 59*m + 59*s + 999*ms, 9999*h + 59*m + 59*s, ""},
		{"00:00:01,000 --> 00:00:02,000  X1:40 X2:600", 1 * s, 2 * s, "X1:40 X2:600"},
	}
	for _, row := range rows {
		got, ok := parseTiming(row.line)
		if !ok || got != (timing{row.start, row.end, row.rest}) {
			t.Errorf("%q: %v, %v", row.line, got, ok)
		}
	}
	for _, line := range []string{
		"", "-->", "00:00:01", "00:00:01 --> ", "1 --> 2", "00:00:01 00:00:02", "00:00:01 ---> 00:00:02", "00:00:01 > 00:00:02",
		"00:60:00.000 --> 01:00:00.000", "00:00:60.000 --> 00:01:00.000", "-00:00:01.000 --> 00:00:02.000",
		"00:00:01.000 --> 00:00:02.000x", "10000:00:00.000 --> 10000:00:01.000", "00:00:01:50 --> 00:00:02:50",
		"a 00:00:01.000 --> 00:00:02.000", "00::01 --> 00:00:02", "00:00:01. --> 00:00:02.",
	} {
		if got, ok := parseTiming(line); ok {
			t.Errorf("%q: accepted as %v", line, got)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	rows := []struct{ in, want string }{
		{"align:start position:10%", "position:10% align:start"},
		{"vertical:rl line:-1 position:5%,line-left size:33.3% align:middle", "vertical:rl line:-1 position:5%,line-left size:33.3% align:center"},
		{"line:90%,end line:0", "line:0"},
		{"region:fred line:x position:101% size:-1% align:justify vertical:up", ""},
		{"line:1.5 line:12345 position:10 size:1e1% size:.5% size:5.% size:1.2.3%", ""},
		{"line:1, line:1,top position:1%,start size:1%,end align: :x x", ""},
		{"X1:40 X2:600 <b>", ""},
	}
	for _, row := range rows {
		if got := cleanSettings(row.in); got != row.want {
			t.Errorf("%q: %q, want %q", row.in, got, row.want)
		}
	}
}

func TestToVTTRefuses(t *testing.T) {
	t.Parallel()
	rows := []struct {
		in   string
		is   error
		want string
	}{
		{"", ErrEmpty, "the file is empty"},
		{"\xef\xbb\xbf \r\n\x00", ErrEmpty, "the file is empty"},
		{"WEBVTT", ErrNoCues, "lines 1 to 1: there is no cue with valid times and a text"},
		{"hello\nworld", ErrNoCues, "lines 1 to 2: there is no cue with valid times and a text"},
		{"1\n00:00:aa,000 --> 00:00:02,000\nx", ErrNoCues, "line 2: the times of a cue can't be read: there is no cue with valid times and a text"},
		{"WEBVTT\n\n00:02.000 --> 00:01.000\nx\n\nx", ErrNoCues, "line 3: a cue ends before it starts: there is no cue with valid times and a text"},
		{"1\n00:00:01,000 --> 00:00:02,000\n<i> </i>{\\an8}", ErrNoCues, "line 3: a cue above has no text: there is no cue with valid times and a text"},
	}
	for _, row := range rows {
		out, err := ToVTT([]byte(row.in))
		if !errors.Is(err, row.is) || out != nil {
			t.Errorf("%q: %q, %v", row.in, out, err)
		} else if diff := cmp.Diff(row.want, err.Error()); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", row.in, diff)
		}
	}
}

func TestTooManyCues(t *testing.T) {
	t.Parallel()
	text := "WEBVTT\n\n" + strings.Repeat(second+"\nx\n\n", MaxCues)
	if out, err := ToVTT([]byte(text)); err != nil || strings.Count(string(out), second) != MaxCues {
		t.Errorf("%d bytes, %v", len(out), err)
	}
	_, err := ToVTT([]byte(text + second + "\nx\n\n"))
	if err == nil || err.Error() != "line 300005: there are more than 100000 cues" {
		t.Error(err)
	}
}

func TestParseTellsTheFormats(t *testing.T) {
	t.Parallel()
	cue := second + " align:start\n<laughs> ha\n"
	want := []Cue{{Start: time.Second, End: 2 * time.Second, Settings: "align:start", Text: "ha"}}
	got, err := ParseVTT([]byte("\xef\xbb\xbf\nWEBVTT Kind: captions\n\n" + cue))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if _, err := ParseVTT([]byte("WEBVTTX\n\n" + cue)); err == nil || !strings.Contains(err.Error(), "line 1:") {
		t.Error(err)
	}
	want = []Cue{{Start: time.Second, End: 2 * time.Second, Text: "&lt;laughs&gt; ha"}}
	got, err = ParseSRT([]byte(cue))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}
