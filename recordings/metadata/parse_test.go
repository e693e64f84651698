package metadata

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the expected documents anew")

const testID = "3f2a9c0d5b7e41f6a8c2d0e9b1f37465ac28de90-1714557600123"

// Every file in testdata is one oddity of the field (T13), or a whole file as a
// format of BBB writes it.
func TestParseFixtures(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.xml")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".xml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := Parse(iotest.OneByteReader(bytes.NewReader(data)))
			if err != nil {
				t.Fatal(err)
			}
			checkDocument(t, doc)
			compareGolden(t, "testdata/"+name+".json", doc)
		})
	}
}

func compareGolden(t *testing.T, file string, doc *Document) {
	t.Helper()
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "\t")
	if err := enc.Encode(doc); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The same document in another encoding or with other ends of lines says the
// same.
func TestParseEncodingsAgree(t *testing.T) {
	t.Parallel()
	want := parseFile(t, "testdata/presentation.xml")
	got := parseFile(t, "testdata/bom-crlf.xml")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func parseFile(t testing.TB, file string) *Document {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// S15 and S16 are among these: ids that are paths, and documents made to hurt.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	rows := []struct{ doc, want string }{
		{"", "line 1: the file is empty"},
		{"\ufeff \n\x00\x00", "line 1: the file is empty"},
		{"<!-- x -->\n<?y?>", "line 2: there is no XML element"},
		{"\nNot found", "line 2: this is no XML: it does not begin with an element"},
		{`{"recording":1}`, "line 1: this is no XML: it does not begin with an element"},
		{"</recording>", "line 1: this is no XML: it does not begin with an element"},
		{"<!DOCTYPE html>\n<html><body>502</body></html>", "line 2: the root element is <html>, not <recording>"},
		{"<recording/>", "line 1: there is no <id> in <recording>"},
		{"<recording>\n<id> </id>\n</recording>", "line 3: there is no <id> in <recording>"},
		{"<recording>\n<id>../../x</id></recording>", `line 2: the id "../../x" is no plain word`},
		{"<recording><id>a b</id></recording>", `line 1: the id "a b" is no plain word`},
		{"<recording><id>.</id></recording>", `line 1: the id "." is no plain word`},
		{"<recording><id>&#228;</id></recording>", `line 1: the id "ä" is no plain word`},
		{"<recording><id>a</id>\n\n<id>b</id></recording>", `line 3: there are two ids, "a" and "b"`},
		{"<recording><id>a</id>\n<playback><format>a/b</format></playback></recording>", `line 2: the format "a/b" is no plain word`},
		{"<recording><id>a</id>\n<meta>\n<x>1", "line 3: the document ends within <x>"},
		{"<recording><id>a</id>\n<meta", "line 2: the document ends in the middle of its markup"},
		{"<recording><id>a</id><!-- ", "line 1: the document ends in the middle of its markup"},
		{"<recording><id>a</id><![CDATA[ ]]", "line 1: the document ends in the middle of its markup"},
		{"<recording><id>a</id><meeting id=\"x", "line 1: the document ends in the middle of its markup"},
		{"<!DOCTYPE recording [ <!ENTITY a \"b", "line 1: the document ends in the middle of its markup"},
		{"<recording>" + strings.Repeat("<a>", maxDepth), "line 1: elements are nested deeper than 64"},
	}
	for _, row := range rows {
		doc, err := Parse(strings.NewReader(row.doc))
		if err == nil {
			t.Errorf("%.60q: accepted: %+v", row.doc, doc)
		} else if diff := cmp.Diff(row.want, err.Error()); diff != "" {
			t.Errorf("%.60q: (-want +got)\n%s", row.doc, diff)
		}
	}
}

// An id that could not be a directory's name beside others is refused.
func TestParseLongID(t *testing.T) {
	t.Parallel()
	for _, size := range []int{maxWord, maxWord + 1} {
		_, err := Parse(strings.NewReader("<recording><id>" + strings.Repeat("a", size) + "</id></recording>"))
		if (err == nil) != (size == maxWord) {
			t.Errorf("%d characters: %v", size, err)
		}
	}
}

func TestParseDepthIsEnough(t *testing.T) {
	t.Parallel()
	doc := recording("<x>" + strings.Repeat("<a>", maxDepth-2) + strings.Repeat("</a>", maxDepth-2) + "</x>")
	if _, err := Parse(strings.NewReader(doc)); err != nil {
		t.Error(err)
	}
}

func TestParseTooLarge(t *testing.T) {
	t.Parallel()
	doc := recording("")
	for _, extra := range []int{0, 1} {
		padded := doc + strings.Repeat(" ", maxDocument-len(doc)+extra)
		if _, err := Parse(strings.NewReader(padded)); (err == nil) != (extra == 0) {
			t.Errorf("%d bytes: %v", len(padded), err)
		}
	}
}

// What comes behind the bound is not even read.
func TestParseStopsReading(t *testing.T) {
	t.Parallel()
	r := strings.NewReader(recording(strings.Repeat(" ", 2*maxDocument)))
	if _, err := Parse(r); err == nil || r.Size()-int64(r.Len()) > maxDocument+1 {
		t.Errorf("%v, %d bytes left", err, r.Len())
	}
}

func TestParseAttributesAreOneLine(t *testing.T) {
	t.Parallel()
	d := parseString(t, recording("<meeting name='a\n\tb&#10;c' externalId=' x '/>"))
	if d.Name != "a  b\nc" || d.MeetingID != "x" {
		t.Errorf("%q, %q", d.Name, d.MeetingID)
	}
}

// Times that no calendar has are as good as missing.
func TestParseImpossibleTimes(t *testing.T) {
	t.Parallel()
	d := parseString(t, recording("<start_time>253402300800000</start_time><end_time>1e18</end_time><playback><duration>1000</duration></playback>"))
	if d.Start != 1714557600123 || d.End != d.Start+1000 {
		t.Errorf("from %d to %d", d.Start, d.End)
	}
	d = parseString(t, recording("<end_time>253402300799999</end_time>"))
	if d.End != maxTime {
		t.Errorf("to %d", d.End)
	}
}

func TestParseReadError(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	_, err := Parse(io.MultiReader(strings.NewReader("<recording>"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Error(err)
	}
}

// recording is a document with something in it.
func recording(inside string) string {
	return "<recording><id>" + testID + "</id>" + inside + "</recording>"
}

func parseString(t testing.TB, doc string) *Document {
	t.Helper()
	d, err := Parse(strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestParseBoundsMetadata(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range maxMetadata + 50 {
		fmt.Fprintf(&b, "<k%d>v</k%d>", i, i)
	}
	b.WriteString("<k0>again</k0>")
	d := parseString(t, recording("<meta>"+b.String()+"</meta>"))
	if len(d.Metadata) != maxMetadata || d.Metadata[0].Value != "again" {
		t.Errorf("%d entries, the first %v", len(d.Metadata), d.Metadata[0])
	}
	if len(d.Notes) != maxNotes {
		t.Errorf("%d notes", len(d.Notes))
	}
}

// Keys count in lower case; one that is in lower case in the file has the last
// word.
func TestParseMetadataKeysInLowerCase(t *testing.T) {
	t.Parallel()
	for inside, want := range map[string][]Pair{
		"<Course-ID>7</Course-ID>":                                                     {{"course-id", "7"}},
		"<Course-ID>7</Course-ID><COURSE-ID>8</COURSE-ID>":                             {{"course-id", "8"}},
		"<course-id>7</course-id><x>1</x><Course-ID>8</Course-ID>":                     {{"course-id", "7"}, {"x", "1"}},
		"<Course-ID>8</Course-ID><x>1</x><course-id>7</course-id>":                     {{"course-id", "7"}, {"x", "1"}},
		"<course-id>6</course-id><COURSE-id>8</COURSE-id><course-id>7</course-id>":     {{"course-id", "7"}},
		"<meetingId>m</meetingId><meetingID>n</meetingID><MeetingName>o</MeetingName>": {{"meetingid", "n"}, {"meetingname", "o"}},
	} {
		if diff := cmp.Diff(want, parseString(t, recording("<meta>"+inside+"</meta>")).Metadata); diff != "" {
			t.Errorf("%s (-want +got)\n%s", inside, diff)
		}
	}
}

func TestParseBoundsValues(t *testing.T) {
	t.Parallel()
	d := parseString(t, recording("<meta><a>x"+strings.Repeat("ä", maxValue)+"</a><b>kept</b></meta>"))
	want := []Pair{{"a", "x" + strings.Repeat("ä", maxValue/2-1)}, {"b", "kept"}}
	if diff := cmp.Diff(want, d.Metadata); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"line 1: <a> is longer than 65536 bytes and was cut"}, d.Notes); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestParseBoundsLists(t *testing.T) {
	t.Parallel()
	d := parseString(t, recording("<breakoutRooms>"+strings.Repeat("<breakoutRoom>a</breakoutRoom>", maxRooms+1)+"</breakoutRooms>"+
		"<playback><images>"+strings.Repeat("<image>/a.png</image>", maxImages+1)+"</images></playback>"))
	if len(d.BreakoutRooms) != maxRooms || len(d.Images) != maxImages {
		t.Errorf("%d rooms, %d images", len(d.BreakoutRooms), len(d.Images))
	}
}

// A playback counts more than a download, in whatever order they come.
func TestParsePlaybackBeforeDownload(t *testing.T) {
	t.Parallel()
	play, down := "<playback><format>video</format></playback>", "<download><format>mconf</format></download>"
	for _, doc := range []string{play + down, down + play} {
		if d := parseString(t, recording(doc)); d.Format != "video" {
			t.Errorf("%s: %s", doc, d.Format)
		}
	}
}

func TestMinutesAreRounded(t *testing.T) {
	t.Parallel()
	for ms, want := range map[int64]int64{0: 0, 29_999: 0, 30_000: 1, 89_999: 1, 90_000: 2, 3_600_000: 60} {
		if got := (&Document{LengthMS: ms}).Minutes(); got != want {
			t.Errorf("%d ms: %d minutes, want %d", ms, got, want)
		}
	}
}
