package caption

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func readIndex(t *testing.T, data string) *Index {
	t.Helper()
	ix, err := ReadIndex([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return ix
}

func encode(t *testing.T, ix *Index) string {
	t.Helper()
	out, err := ix.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestTracksOfThePlayer(t *testing.T) {
	t.Parallel()
	ix := readIndex(t, "\ufeff"+`[
		{"locale":"en","localeName":"English"},
		{"locale":"pt_BR","localeName":" Português\n(Brasil)\u0000 ","kind":"subtitles","source":"upload"},
		{"locale":"en","localeName":"English, once more"},
		{"locale":"de","kind":"poems","source":"heaven","label":5},
		{"Locale":"fr"}, {"locale":"../../x"}, {"locale":""}, {"locale":7}, null, 5, "x", [], {}
	]`)
	want := []Track{
		{Lang: "en", Label: "English", Kind: "captions", Source: "live", File: "caption_en.vtt"},
		{Lang: "pt-BR", Label: "Português (Brasil)", Kind: "subtitles", Source: "upload", File: "caption_pt_BR.vtt"},
		{Lang: "de", Label: "de", Kind: "captions", Source: "live", File: "caption_de.vtt"},
	}
	if diff := cmp.Diff(want, ix.Tracks()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestTracksOfBBB(t *testing.T) {
	t.Parallel()
	ix := readIndex(t, `[{"kind":"subtitles","lang":"en-US","label":"English","source":"upload"},{"lang":"de","kind":"x"}]`)
	want := []Track{{Lang: "en-US", Label: "English", Kind: "subtitles", Source: "upload", File: "subtitles_en-US.vtt"}}
	if diff := cmp.Diff(want, ix.Tracks()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestPut(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name, before string
		put          Track
		file, after  string
	}{
		{"into nothing", "",
			Track{Lang: "en-US", Label: "English", Kind: "subtitles", Source: "upload"}, "caption_en-US.vtt",
			`[{"kind":"subtitles","locale":"en-US","localeName":"English","source":"upload"}]`},
		{"without a label", "[]",
			Track{Lang: "de", Kind: "captions", Source: "live", Label: " \n"}, "caption_de.vtt",
			`[{"kind":"captions","locale":"de","localeName":"de","source":"live"}]`},
		{"beside others that stay as they are", `[{"localeName":"Eng\u006cish","locale":"en","x":{"b":1.0,"a":1e400}},7]`,
			Track{Lang: "de", Label: "Deutsch", Kind: "captions", Source: "upload"}, "caption_de.vtt",
			`[{"localeName":"Eng\u006cish","locale":"en","x":{"b":1.0,"a":1e400}},7,{"kind":"captions","locale":"de","localeName":"Deutsch","source":"upload"}]`},
		{"in place of one, with its unknown members and spelling", `[{"locale":"pt_br","localeName":"x","x":[12345678901234567890]}]`,
			Track{Lang: "pt-BR", Label: "Português", Kind: "captions", Source: "upload"}, "caption_pt_br.vtt",
			`[{"kind":"captions","locale":"pt_br","localeName":"Português","source":"upload","x":[12345678901234567890]}]`},
		{"into BBB's own list, another kind", `[{"kind":"subtitles","lang":"en","label":"E","source":"upload"}]`,
			Track{Lang: "en", Label: "C", Kind: "captions", Source: "automatic"}, "captions_en.vtt",
			`[{"kind":"subtitles","lang":"en","label":"E","source":"upload"},{"kind":"captions","label":"C","lang":"en","source":"automatic"}]`},
		{"into BBB's own list, the same kind", `[{"kind":"subtitles","lang":"en","label":"E","source":"upload"}]`,
			Track{Lang: "EN", Label: "New", Kind: "subtitles", Source: "upload"}, "subtitles_en.vtt",
			`[{"kind":"subtitles","label":"New","lang":"en","source":"upload"}]`},
		{"into a list of both forms", `[{"locale":"de"},{"kind":"captions","lang":"en"}]`,
			Track{Lang: "en", Label: "E", Kind: "captions", Source: "live"}, "caption_en.vtt",
			`[{"locale":"de"},{"kind":"captions","lang":"en"},{"kind":"captions","locale":"en","localeName":"E","source":"live"}]`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			ix := readIndex(t, row.before)
			file, err := ix.Put(row.put)
			if err != nil || file != row.file {
				t.Errorf("%q, %v", file, err)
			}
			if diff := cmp.Diff(row.after+"\n", encode(t, ix)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestPutRefuses(t *testing.T) {
	t.Parallel()
	good := Track{Lang: "en", Kind: "captions", Source: "upload"}
	for name, change := range map[string]func(*Track){
		"language": func(t *Track) { t.Lang = "../x" },
		"kind":     func(t *Track) { t.Kind = "metadata" },
		"source":   func(t *Track) { t.Source = "" },
	} {
		bad, ix := good, Index{}
		change(&bad)
		if _, err := ix.Put(bad); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if got := encode(t, &ix); got != "[]\n" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestIndexIsBounded(t *testing.T) {
	t.Parallel()
	full := "[" + strings.Repeat("0,", MaxTracks-1) + "0]"
	ix := readIndex(t, full)
	if _, err := ix.Put(Track{Lang: "en", Kind: "captions", Source: "upload"}); err == nil {
		t.Error("one more track was taken")
	}
	if _, err := ReadIndex([]byte("[0," + full[1:])); err == nil {
		t.Error("one more entry was read")
	}
	long := readIndex(t, fmt.Sprintf(`[{"locale":%q},{"locale":"en","localeName":%q}]`, strings.Repeat("a", maxLanguage+1), strings.Repeat("ä", maxLabel)))
	want := []Track{{Lang: "en", Label: strings.Repeat("ä", maxLabel/2), Kind: "captions", Source: "live", File: "caption_en.vtt"}}
	if diff := cmp.Diff(want, long.Tracks()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestReadIndexRefuses(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"{}", "[", `"x"`, "[] x", "<html>"} {
		if _, err := ReadIndex([]byte(data)); err == nil || !strings.HasPrefix(err.Error(), "read the list of captions: ") {
			t.Errorf("%q: %v", data, err)
		}
	}
}
