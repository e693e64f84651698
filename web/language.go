package web

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// localeFiles hold the texts of the pages shown to users, a file per language.
//
//go:embed locale/*.json
var localeFiles embed.FS

// reference is the language that has every text.
const reference = "en"

// Bounds of what is read from web.locale_dir.
const (
	maxLocaleFile  = 64 << 10
	maxLocaleFiles = 200
)

// languageTag is what counts as the name of a language: de, de-AT, zh-Hant-TW.
var languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$`)

// language is the texts of one language. All keys of the reference are in it.
type language struct {
	Tag   string // as in the attribute lang
	Dir   string // ltr or rtl
	texts map[string]string
}

// text returns a text with {name} replaced; names and values are in turn.
func (l language) text(key string, replace ...string) string {
	text := l.texts[key]
	for i := 0; i+1 < len(replace); i += 2 {
		text = strings.ReplaceAll(text, "{"+replace[i]+"}", replace[i+1])
	}
	return text
}

// languages are those there are texts in, by tag in lower case.
type languages struct {
	known map[string]language
	// preferred is that of readers who ask for none that is known.
	preferred language
}

// loadLanguages reads the texts. What is wrong with those of the operator is
// logged; the embedded ones stand in.
func (s *Server) loadLanguages(c Config) *languages {
	texts, err := readTexts(localeFiles, "locale")
	if err != nil { // the binary itself is broken
		panic(err)
	}
	if c.LocaleDir != "" {
		own, err := readTexts(os.DirFS(c.LocaleDir), ".")
		if err != nil {
			s.log.Error("some texts of web.locale_dir cannot be used", "dir", c.LocaleDir, "cause", err)
		}
		for tag, changed := range own {
			if texts[tag] == nil {
				texts[tag] = map[string]string{}
			}
			maps.Copy(texts[tag], changed)
		}
	}
	return newLanguages(texts, c.Locale)
}

// newLanguages fills up what a language lacks from the language that it is a
// variety of, else from the reference.
func newLanguages(texts map[string]map[string]string, preferred string) *languages {
	l := &languages{known: map[string]language{}}
	for tag, own := range texts {
		all := maps.Clone(texts[reference])
		for base, more := range texts {
			if base != reference && strings.HasPrefix(tag, base+"-") {
				maps.Copy(all, more)
			}
		}
		maps.Copy(all, own)
		dir := "ltr"
		if all["dir"] == "rtl" {
			dir = "rtl"
		}
		l.known[tag] = language{Tag: tag, Dir: dir, texts: all}
	}
	var ok bool
	if l.preferred, ok = l.lookup(preferred); !ok {
		l.preferred = l.known[reference]
	}
	return l
}

// readTexts reads TAG.json of a directory, and returns what could be read with
// what was wrong.
func readTexts(dir fs.FS, below string) (texts map[string]map[string]string, err error) {
	entries, err := fs.ReadDir(dir, below)
	if err != nil {
		return nil, err
	}
	texts = map[string]map[string]string{}
	var errs []error
	for _, entry := range entries[:min(len(entries), maxLocaleFiles)] {
		tag, isText := strings.CutSuffix(entry.Name(), ".json")
		if !isText {
			continue
		}
		if !languageTag.MatchString(tag) {
			errs = append(errs, fmt.Errorf("%s: name it after a language, like de.json", entry.Name()))
			continue
		}
		own, err := readLocale(dir, path.Join(below, entry.Name()))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", entry.Name(), err))
			continue
		}
		texts[canonicalTag(tag)] = own
	}
	return texts, errors.Join(errs...)
}

func readLocale(dir fs.FS, name string) (texts map[string]string, err error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxLocaleFile+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxLocaleFile {
		return nil, fmt.Errorf("is larger than %d KiB", maxLocaleFile>>10)
	}
	err = json.Unmarshal(content, &texts)
	return texts, err
}

func canonicalTag(tag string) string {
	return strings.ToLower(strings.ReplaceAll(tag, "_", "-"))
}

// lookup finds a language by its tag, or one that it is a variety of.
func (l *languages) lookup(tag string) (language, bool) {
	for tag = canonicalTag(tag); tag != ""; {
		if found, ok := l.known[tag]; ok {
			return found, true
		}
		cut := strings.LastIndexByte(tag, '-')
		tag = tag[:max(cut, 0)]
	}
	return language{}, false
}

// maxLanguages bounds how much of an Accept-Language header is looked at.
const maxLanguages = 30

// choose returns the language for a reader, by the Accept-Language header (RFC
// 9110, 12.5.4): the best liked one that there is.
func (l *languages) choose(accept string) language {
	type wish struct {
		tag string
		q   float64
	}
	var wishes []wish
	for item := range strings.SplitSeq(accept, ",") {
		tag, params, _ := strings.Cut(item, ";")
		if q := quality(params); q > 0 && len(wishes) < maxLanguages {
			wishes = append(wishes, wish{strings.TrimSpace(tag), q})
		}
	}
	slices.SortStableFunc(wishes, func(a, b wish) int {
		switch {
		case a.q > b.q:
			return -1
		case a.q < b.q:
			return 1
		}
		return 0
	})
	for _, w := range wishes {
		if w.tag == "*" {
			break
		}
		if found, ok := l.lookup(w.tag); ok {
			return found
		}
	}
	return l.preferred
}
