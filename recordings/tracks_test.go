package recordings

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/recordings/caption"
	"scalelite/store"
)

const subtitles = "1\n00:00:01,000 --> 00:00:02,500\nHallo <b>Welt</b>\n"

func (s *shelf) tracks(id string) []caption.Track {
	s.t.Helper()
	found, err := s.Tracks(s.t.Context(), nil, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

func (s *shelf) putTrack(id, lang, text string) error {
	return s.PutTrack(s.t.Context(), nil, id, caption.Track{Lang: lang, Kind: "subtitles", Label: "Deutsch", Source: uploaded}, []byte(text))
}

func TestUploadedTrackIsListedAsVTT(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA).with("captions.json", `[{"locale":"en","localeName":"English"}]`).with("caption_en.vtt", "WEBVTT\n"))
	must(t, s.putTrack(idA, "de", subtitles))
	want := []caption.Track{
		{Lang: "en", Label: "English", Kind: "captions", Source: "live", File: "caption_en.vtt"},
		{Lang: "de", Label: "Deutsch", Kind: "subtitles", Source: uploaded, File: "caption_de.vtt"},
	}
	if diff := cmp.Diff(want[1], s.tracks(idA)[1]); diff != "" || len(s.tracks(idA)) != 2 {
		t.Errorf("%+v (-want +got):\n%s", s.tracks(idA), diff)
	}
	text, err := os.ReadFile(filepath.Join(s.trees.path(store.Published, trackFormat, idA), "caption_de.vtt"))
	if err != nil || !strings.HasPrefix(string(text), "WEBVTT\n") || !strings.Contains(string(text), "00:00:01.000 --> 00:00:02.500\nHallo <b>Welt</b>") {
		t.Errorf("%v:\n%s", err, text)
	}
	must(t, s.putTrack(idA, "de", strings.Replace(subtitles, "Hallo", "Servus", 1)))
	if got := len(s.tracks(idA)); got != 2 {
		t.Errorf("%d tracks after the second upload of one language, want 2", got)
	}
	s.inOrder()
}

// An import replaces what came with the files, and keeps what was uploaded.
func TestUploadedTrackOutlivesAnImport(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	first := presentation(idA).with("captions.json", `[{"locale":"en","localeName":"English"}]`).with("caption_en.vtt", "WEBVTT\n\nold")
	s.imports(first)
	must(t, s.putTrack(idA, "de", subtitles))
	s.imports(first.with("caption_en.vtt", "WEBVTT\n\nnew"))
	langs := []string{}
	for _, track := range s.tracks(idA) {
		langs = append(langs, track.Lang)
	}
	if diff := cmp.Diff([]string{"en", "de"}, langs); diff != "" {
		t.Errorf("tracks after the import (-want +got):\n%s", diff)
	}
	dir := s.trees.path(store.Published, trackFormat, idA)
	for name, want := range map[string]string{"caption_en.vtt": "new", "caption_de.vtt": "Hallo"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v %q, want something of %q", name, err, text, want)
		}
	}
	s.inOrder()
}

func TestTracksOfAnUnpublishedRecording(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	s.publish(idA, false)
	must(t, s.putTrack(idA, "de", subtitles))
	if got := len(s.tracks(idA)); got != 1 {
		t.Errorf("%d tracks, want 1", got)
	}
	s.publish(idA, true)
	if got := len(s.tracks(idA)); got != 1 {
		t.Errorf("%d tracks after publishing, want 1", got)
	}
	s.inOrder()
}

func TestTrackRefusals(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA))
	s.imports(video(idB))
	foreign := "other"
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"unknown recording", s.putTrack("nobody", "de", subtitles), ErrNotFound},
		{"another tenant's", s.PutTrack(t.Context(), &foreign, idA, caption.Track{Lang: "de", Kind: "captions", Source: uploaded}, []byte(subtitles)), ErrNotFound},
		{"no presentation", s.putTrack(idB, "de", subtitles), ErrNoFiles},
		{"no language", s.putTrack(idA, "no language", subtitles), ErrInvalid},
		{"empty", s.putTrack(idA, "de", ""), caption.ErrEmpty},
		{"no cue", s.putTrack(idA, "de", "WEBVTT\n"), caption.ErrNoCues},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.err, c.want)
		}
	}
	s.deletes(idA)
	if err := s.putTrack(idA, "de", subtitles); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted recording: %v, want not found", err)
	}
	s.inOrder()
}
