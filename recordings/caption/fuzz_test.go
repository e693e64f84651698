package caption

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// vttBlock is a cue as Encode has to write it.
var (
	vttTiming = regexp.MustCompile(`^(\d{2,4}:[0-5]\d:[0-5]\d\.\d{3}) --> (\d{2,4}:[0-5]\d:[0-5]\d\.\d{3})( [a-z]+:[-a-z0-9.%,]+)*$`)
	vttTag    = regexp.MustCompile(`</?(?:[biucv]|lang|ruby|rt)(?:\.[A-Za-z0-9_-]+)*(?: [^<>]+)?>`)
)

// checkVTT checks what ToVTT promises, without the package's own parser but for
// the last step.
func checkVTT(t testing.TB, out []byte) {
	t.Helper()
	text := string(out)
	bad := func(r rune) bool { return r != '\n' && unicode.IsControl(r) }
	if !utf8.ValidString(text) || strings.ContainsFunc(text, bad) {
		t.Errorf("bad characters in %q", text)
	}
	blocks := strings.Split(strings.TrimSuffix(text, "\n"), "\n\n")
	if blocks[0] != "WEBVTT" || len(blocks) < 2 {
		t.Fatalf("%q", text)
	}
	last := ""
	for _, block := range blocks[1:] {
		head, body, _ := strings.Cut(block, "\n")
		times := vttTiming.FindStringSubmatch(head)
		if times == nil {
			t.Fatalf("timing %q in %q", head, text)
		}
		start, end := padded(times[1]), padded(times[2])
		if start < last || start >= end {
			t.Errorf("%s follows %s, ends at %s", start, last, end)
		}
		last = start
		checkCueText(t, body)
	}
	again, err := ToVTT(out)
	if err != nil {
		t.Fatalf("read again: %v\n%q", err, text)
	}
	if diff := cmp.Diff(text, string(again)); diff != "" {
		t.Errorf("read again (-first +second)\n%s", diff)
	}
}

func checkCueText(t testing.TB, body string) {
	t.Helper()
	if strings.Contains(body, "-->") || strings.TrimSpace(body) == "" {
		t.Errorf("cue %q", body)
	}
	for line := range strings.SplitSeq(body, "\n") {
		if strings.TrimSpace(line) != line || line == "" {
			t.Errorf("line %q", line)
		}
	}
	var open []string
	for _, tag := range vttTag.FindAllString(body, -1) {
		name := strings.TrimLeft(tag, "</")
		name = name[:strings.IndexAny(name, ". >")]
		if !strings.HasPrefix(tag, "</") {
			open = append(open, name)
		} else if len(open) == 0 || open[len(open)-1] != name {
			t.Errorf("%s closes nothing in %q", tag, body)
		} else {
			open = open[:len(open)-1]
		}
	}
	if rest := vttTag.ReplaceAllString(body, ""); strings.ContainsAny(rest, "<>") || len(open) > 0 {
		t.Errorf("markup in %q, open %q", rest, open)
	}
}

// padded makes times comparable as text.
func padded(s string) string { return strings.Repeat("0", len("9999:59:59.999")-len(s)) + s }

func FuzzToVTT(f *testing.F) {
	files, err := filepath.Glob("testdata/*.in")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if out, err := ToVTT(data); err == nil {
			checkVTT(t, out)
		}
	})
}

// The text of a cue alone: most of what can go wrong is there.
func FuzzCueText(f *testing.F) {
	for _, s := range []string{"a<i>b<b>c</i>d", "{<font>\\an8}{\\x}", "<v.a- B-->&am<s>p;</s>", "1\n\n2\n", "<ruby>a<rt>b</ruby><lang de>", "a --> b\n00:01.0 -> 00:02.0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, head := range []string{"", "WEBVTT\n\n"} {
			if out, err := ToVTT([]byte(head + second + "\n" + text)); err == nil {
				checkVTT(t, out)
			}
		}
	})
}

func FuzzIndex(f *testing.F) {
	for _, s := range []string{"", "[]", `[{"locale":"en","localeName":"English"}]`, `[null,1,{"kind":"captions","lang":"de","x":[1e400]}]`, `[{"locale":"../x"}]`} {
		f.Add([]byte(s), "en-US", "\u0000English\n")
	}
	f.Fuzz(func(t *testing.T, data []byte, lang, label string) {
		ix, err := ReadIndex(data)
		if err != nil {
			return
		}
		file, err := ix.Put(Track{Lang: lang, Label: label, Kind: "subtitles", Source: "upload"})
		if (err == nil) != ValidLanguage(lang) && len(ix.entries) < MaxTracks {
			t.Fatalf("language %q: %v", lang, err)
		}
		first, encErr := ix.Encode()
		if encErr != nil {
			t.Fatal(encErr)
		}
		again, readErr := ReadIndex(first)
		if readErr != nil {
			t.Fatal(readErr)
		}
		if diff := cmp.Diff(ix.Tracks(), again.Tracks()); diff != "" {
			t.Errorf("(-written +read)\n%s", diff)
		}
		second, _ := again.Encode()
		if !bytes.Equal(first, second) {
			t.Errorf("%q becomes %q", first, second)
		}
		checkTracks(t, again.Tracks(), file)
	})
}

// checkTracks checks that names of files are harmless and one is among them.
func checkTracks(t *testing.T, tracks []Track, file string) {
	t.Helper()
	found := file == ""
	for _, tr := range tracks {
		if !regexp.MustCompile(`^(caption|captions|subtitles)_[A-Za-z0-9_-]{1,64}\.vtt$`).MatchString(tr.File) {
			t.Errorf("file %q", tr.File)
		}
		if !utf8.ValidString(tr.Label) || strings.ContainsFunc(tr.Label, unicode.IsControl) || tr.Label == "" || len(tr.Label) > maxLabel {
			t.Errorf("label %q", tr.Label)
		}
		found = found || tr.File == file
	}
	if !found {
		t.Errorf("%q is not in %v", file, tracks)
	}
}
