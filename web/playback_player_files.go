package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
)

// assetsPath is where the player's own files are, each below the version of all
// of them: what is there never changes.
const assetsPath = "/playback/assets/"

// playerFiles are the page, its style, scripts and texts. The scripts are
// modules that import each other by relative paths, so that all of a page are of
// one version.
//
//go:embed player/index.html player/*.css player/*.js player/*.svg player/locale/*.json
var playerFiles embed.FS

// asset is a file as it is answered.
type asset struct {
	mime, tag     string
	plain, packed []byte // packed is nil if that would gain nothing
}

// playerAssets are the files of the player by name, and its page.
type playerAssets struct {
	version string
	files   map[string]*asset
	index   []byte
	current atomic.Pointer[chosenPage]
}

// pageChoice is what the operator says of the page: the language for readers who
// prefer none that there is, and whether there are downloads to ask for.
type pageChoice struct {
	locale    string
	downloads bool
}

// chosenPage is the page as the operator wants it.
type chosenPage struct {
	pageChoice
	asset *asset
}

// newPlayerAssets reads the files and compresses them.
func newPlayerAssets() *playerAssets {
	p := &playerAssets{files: map[string]*asset{}}
	sum := sha256.New()
	err := fs.WalkDir(playerFiles, "player", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := playerFiles.ReadFile(name)
		if err != nil {
			return err
		}
		name = strings.TrimPrefix(name, "player/")
		content = slim(name, content)
		fmt.Fprintf(sum, "%s %d\n", name, len(content))
		_, _ = sum.Write(content)
		p.files[name] = newAsset(name, content)
		return nil
	})
	if err != nil { // the binary itself is broken
		panic(err)
	}
	p.version = hex.EncodeToString(sum.Sum(nil)[:8])
	p.index = p.complete(p.files["index.html"].plain)
	delete(p.files, "index.html") // the page has no address of its own
	return p
}

// typed matches types that stand within a line of a script.
var typed = regexp.MustCompile(`/\*\* @[^*]*\*/ ?`)

// trailing matches a comment behind a statement. With a quote behind it, it may
// be part of a text.
var trailing = regexp.MustCompile("([;{}]) // [^'\"`]*$")

// tight leaves out spaces that a style sheet does not need.
var tight = strings.NewReplacer("; }", "}", " { ", "{", ": ", ":", "; ", ";", ", ", ",")

// slim leaves out what only people read of a file: comments that have lines of
// their own or stand behind a statement, types, and indentation. The lines of
// scripts stay, so that their numbers in messages of a browser are those of the
// source; those of style sheets and texts, which end with punctuation, do not.
func slim(name string, source []byte) []byte {
	var out bytes.Buffer
	comment, end := false, "\n"
	if ext := path.Ext(name); ext == ".css" || ext == ".json" {
		end = ""
	}
	for line := range strings.Lines(string(source)) {
		text := trailing.ReplaceAllString(strings.TrimSpace(typed.ReplaceAllString(line, "")), "$1")
		if comment = comment || strings.HasPrefix(text, "/*"); comment {
			var ends bool
			_, text, ends = strings.Cut(text, "*/")
			text, comment = strings.TrimSpace(text), !ends
		}
		if strings.HasPrefix(text, "//") {
			text = ""
		}
		if path.Ext(name) == ".css" {
			text = tight.Replace(text)
		}
		out.WriteString(text + end)
	}
	return out.Bytes()
}

// imports matches what a module needs before it can run. What it imports in
// passing, import(), it fetches when it needs it.
var imports = regexp.MustCompile(`(?m)^(?:import|export)\b[^'"\n]*['"]\./([^'"]+)['"];$`)

// needed are the modules without which the page does not begin, in order.
func (p *playerAssets) needed() []string { return p.reachable("main.js") }

// reachable are a module and all that it imports.
func (p *playerAssets) reachable(from string) []string {
	seen := map[string]bool{from: true}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		file, ok := p.files[queue[0]]
		if !ok {
			continue
		}
		for _, found := range imports.FindAllSubmatch(file.plain, -1) {
			if name := string(found[1]); !seen[name] {
				seen[name] = true
				queue = append(queue, name)
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// complete writes into the page what it needs to know of its files: their
// version, the languages, and the modules, so that a browser fetches them all at
// once rather than one after another.
func (p *playerAssets) complete(index []byte) []byte {
	base := assetsPath + p.version + "/"
	var preload strings.Builder
	for _, name := range p.needed() {
		preload.WriteString(`<link rel="modulepreload" href="` + base + name + "\">\n")
	}
	return []byte(strings.NewReplacer(
		"</head>", preload.String()+"</head>",
		assetsPath, base,
		`data-locales="`+reference+`"`, `data-locales="`+strings.Join(p.locales(), " ")+`"`,
	).Replace(string(index)))
}

// locales are the languages that there are texts in, in order.
func (p *playerAssets) locales() []string {
	var tags []string
	for name := range p.files {
		if tag, ok := strings.CutPrefix(name, "locale/"); ok {
			tags = append(tags, strings.TrimSuffix(tag, ".json"))
		}
	}
	slices.Sort(tags)
	return tags
}

// page is the page as the operator wants it.
func (p *playerAssets) page(choice pageChoice) *asset {
	if known := p.current.Load(); known != nil && known.pageChoice == choice {
		return known.asset
	}
	made := strings.NewReplacer(
		`lang="`+reference+`"`, `lang="`+html.EscapeString(choice.locale)+`"`,
		`data-downloads="false"`, `data-downloads="`+strconv.FormatBool(choice.downloads)+`"`,
	).Replace(string(p.index))
	page := &chosenPage{choice, newAsset("index.html", []byte(made))}
	p.current.Store(page)
	return page.asset
}

func newAsset(name string, content []byte) *asset {
	sum := sha256.Sum256(content)
	a := &asset{mime: typeOf(name).mime, plain: content, tag: hex.EncodeToString(sum[:8])}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil { // no such level
		panic(err)
	}
	// A buffer takes everything.
	_, _ = z.Write(content)
	_ = z.Close()
	if packed.Len() < len(content) {
		a.packed = packed.Bytes()
	}
	return a
}

// playerAsset answers with a file of the player.
func (s *Server) playerAsset(c echo.Context) error {
	a, ok := s.player.files[c.Param("*")]
	if !ok {
		return s.notFound(c)
	}
	h := c.Response().Header()
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	// A page of another version asks while the program is replaced: it gets what
	// there is, and does not keep it.
	h.Set("Cache-Control", "no-cache")
	if c.Param("version") == s.player.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	return sendAsset(c, a)
}

// sendAsset answers with a file of ours, compressed if the client takes that.
func sendAsset(c echo.Context, a *asset) error {
	request, h := c.Request(), c.Response().Header()
	h.Set("Content-Type", a.mime)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept-Encoding")
	body, tag := a.plain, a.tag
	if a.packed != nil && request.Header.Get("Range") == "" && acceptsGzip(request.Header.Get("Accept-Encoding")) {
		body, tag = a.packed, a.tag+"-gz"
		h.Set("Content-Encoding", "gzip")
		h.Set(echo.HeaderContentLength, strconv.Itoa(len(body)))
	}
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(c.Response(), request, "", time.Time{}, bytes.NewReader(body))
	return nil
}
