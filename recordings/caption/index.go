package caption

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"scalelite/recordings/metadata/charset"
)

// MaxTracks bounds the text tracks of one recording.
const MaxTracks = 1000

// Track is a text track as captions.json lists it.
type Track struct {
	Lang   string // language tag
	Label  string // its name for people, in one line; the tag if there is none
	Kind   string // subtitles or captions
	Source string // live, automatic or upload
	// File is the name of the WebVTT file beside captions.json.
	File string
}

// Index is a captions.json. There are two forms of it: in a published format
// it is what the player reads, [{"locale":"en","localeName":"English"}] with
// the files caption_LOCALE.vtt; BBB's own list of a recording's tracks is
// [{"kind":"subtitles","lang":"en-US","label":"English","source":"upload"}]
// with the files KIND_LANG.vtt. Entries and members that are of neither form
// are kept as they are.
//
// The zero Index is an empty list of the player's form.
type Index struct {
	entries []json.RawMessage
	own     bool // BBB's own form
}

// ReadIndex reads a captions.json. An empty file is an empty list.
func ReadIndex(data []byte) (*Index, error) {
	text, ok := charset.Marked(data)
	if !ok {
		text = string(data)
	}
	text = charset.Clean(text)
	ix := &Index{}
	if strings.TrimSpace(text) == "" {
		return ix, nil
	}
	if err := json.Unmarshal([]byte(text), &ix.entries); err != nil {
		return nil, fmt.Errorf("read the list of captions: %w", err)
	}
	if len(ix.entries) > MaxTracks {
		return nil, fmt.Errorf("read the list of captions: more than %d entries", MaxTracks)
	}
	for _, raw := range ix.entries {
		if t, ok := read(raw); ok {
			ix.own = t.own
			break
		}
	}
	return ix, nil
}

// listed is a track with its entry's form and spelling of the language.
type listed struct {
	Track
	own  bool
	name string
}

// read returns the track of an entry, unless it names none whose file could be
// one: the names come from outside.
func read(raw json.RawMessage) (listed, bool) {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &members); err != nil {
		return listed{}, false
	}
	text := func(key string) (s string) {
		if json.Unmarshal(members[key], &s) != nil {
			return "" // missing, or no text
		}
		return s
	}
	t := listed{name: text("locale"), Track: Track{Label: text("localeName"), Kind: text("kind"), Source: text("source")}}
	if t.own = t.name == ""; t.own {
		t.name = text("lang")
	}
	if !isFileWord(t.name) || len(t.name) > maxLanguage || t.own && !ValidKind(t.Kind) {
		return listed{}, false
	}
	if !ValidKind(t.Kind) {
		t.Kind = "captions" // as the player shows them
	}
	if !isSource(t.Source) {
		t.Source = "live"
	}
	t.Lang = strings.ReplaceAll(t.name, "_", "-")
	t.Label = cleanLabel(cmp.Or(t.Label, text("label")), t.Lang)
	t.File = fileName(t.own, t.Kind, t.name)
	return t, true
}

// isSource tells whether BBB knows such a source of a track.
func isSource(s string) bool { return oneOf(s, "live", "automatic", "upload") }

func fileName(own bool, kind, name string) string {
	if own {
		return kind + "_" + name + ".vtt"
	}
	return "caption_" + name + ".vtt"
}

// isFileWord tells whether s can be part of a file's name.
func isFileWord(s string) bool {
	return s != "" && strings.Trim(s, letters+upper+digits+"-_") == ""
}

// maxLabel bounds the label of a track in bytes.
const maxLabel = 200

// cleanLabel makes a label one short line, and otherwise if nothing is left.
func cleanLabel(label, otherwise string) string {
	label = strings.Join(strings.Fields(charset.Clean(label)), " ")
	if len(label) > maxLabel {
		end := maxLabel
		for !utf8.RuneStart(label[end]) {
			end--
		}
		label = strings.TrimSpace(label[:end])
	}
	if label == "" {
		return otherwise
	}
	return label
}

// Tracks lists the tracks, each file once.
func (ix *Index) Tracks() []Track {
	var tracks []Track
	seen := map[string]bool{}
	for _, raw := range ix.entries {
		if t, ok := read(raw); ok && !seen[t.File] {
			seen[t.File] = true
			tracks = append(tracks, t.Track)
		}
	}
	return tracks
}

// Put adds a track or replaces the one whose file it takes over, and returns
// the name of that file. In the player's form there is one track a language,
// in BBB's own one of each kind. A replaced entry keeps its file, the spelling
// of its language and its members of other meaning. t.File is not looked at.
func (ix *Index) Put(t Track) (file string, err error) {
	switch {
	case !ValidLanguage(t.Lang):
		return "", errors.New("the language is no well-formed tag")
	case !ValidKind(t.Kind):
		return "", errors.New("the kind is neither subtitles nor captions")
	case !isSource(t.Source):
		return "", errors.New("the source is none of live, automatic and upload")
	}
	at, name := ix.find(t)
	if at < 0 {
		if len(ix.entries) >= MaxTracks {
			return "", fmt.Errorf("there are %d tracks already", MaxTracks)
		}
		at, name = len(ix.entries), t.Lang
		ix.entries = append(ix.entries, json.RawMessage("{}"))
	}
	t.Label = cleanLabel(t.Label, t.Lang)
	if err := ix.write(at, name, t); err != nil {
		return "", err
	}
	return fileName(ix.own, t.Kind, name), nil
}

// find returns the entry that t replaces and how it spells the language, or -1.
func (ix *Index) find(t Track) (at int, name string) {
	for i, raw := range ix.entries {
		old, ok := read(raw)
		if ok && old.own == ix.own && strings.EqualFold(old.Lang, t.Lang) && (!ix.own || old.Kind == t.Kind) {
			return i, old.name
		}
	}
	return -1, ""
}

// write sets what the entry at this place says of t.
func (ix *Index) write(at int, name string, t Track) error {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(ix.entries[at], &members); err != nil {
		return err
	}
	language, label := "locale", "localeName"
	if ix.own {
		language, label = "lang", "label"
	}
	for key, value := range map[string]string{language: name, label: t.Label, "kind": t.Kind, "source": t.Source} {
		quoted, err := json.Marshal(value)
		if err != nil {
			return err
		}
		members[key] = quoted
	}
	raw, err := json.Marshal(members)
	if err != nil {
		return err
	}
	ix.entries[at] = raw
	return nil
}

// Encode writes the list as JSON, an empty one as [].
func (ix *Index) Encode() ([]byte, error) {
	if len(ix.entries) == 0 {
		return []byte("[]\n"), nil
	}
	out, err := json.Marshal(ix.entries)
	if err != nil {
		return nil, err
	}
	return append(out, '\n'), nil
}
