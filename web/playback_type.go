package web

import (
	"path"
	"strings"
)

// fileType is how files with one ending are answered.
type fileType struct {
	mime string
	// text is worth compressing.
	text bool
	// page can run scripts, if it is let.
	page bool
}

// fileTypes are the types of what recordings consist of, by ending. What the
// machine knows of types does not count: a recording plays everywhere alike.
var fileTypes = map[string]fileType{
	".html": {"text/html; charset=utf-8", true, true},
	".htm":  {"text/html; charset=utf-8", true, true},
	".svg":  {"image/svg+xml", true, true},
	".xml":  {"text/xml", true, true},
	".json": {"application/json", true, false},
	".js":   {"text/javascript; charset=utf-8", true, false},
	".mjs":  {"text/javascript; charset=utf-8", true, false},
	".css":  {"text/css; charset=utf-8", true, false},
	".vtt":  {"text/vtt; charset=utf-8", true, false},
	".srt":  {"text/plain; charset=utf-8", true, false},
	".txt":  {"text/plain; charset=utf-8", true, false},
	".md":   {"text/markdown; charset=utf-8", true, false},
	".csv":  {"text/csv; charset=utf-8", true, false},

	".webm": {mime: "video/webm"},
	".mp4":  {mime: "video/mp4"},
	".m4v":  {mime: "video/mp4"},
	".mov":  {mime: "video/quicktime"},
	".ogv":  {mime: "video/ogg"},
	".ogg":  {mime: "audio/ogg"},
	".oga":  {mime: "audio/ogg"},
	".opus": {mime: "audio/ogg"},
	".m4a":  {mime: "audio/mp4"},
	".mp3":  {mime: "audio/mpeg"},
	".wav":  {mime: "audio/wav"},
	".png":  {mime: "image/png"},
	".jpg":  {mime: "image/jpeg"},
	".jpeg": {mime: "image/jpeg"},
	".gif":  {mime: "image/gif"},
	".webp": {mime: "image/webp"},
	".ico":  {mime: "image/x-icon"},

	".woff":  {mime: "font/woff"},
	".woff2": {mime: "font/woff2"},
	".ttf":   {mime: "font/ttf"},
	".pdf":   {mime: "application/pdf"},
	".odt":   {mime: "application/vnd.oasis.opendocument.text"},
	".doc":   {mime: "application/msword"},
	".docx":  {mime: "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
	".pptx":  {mime: "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
	".zip":   {mime: "application/zip"},
}

func typeOf(name string) fileType {
	if t, ok := fileTypes[strings.ToLower(path.Ext(name))]; ok {
		return t
	}
	return fileType{mime: "application/octet-stream"}
}

// Policies for files of recordings. A slide or a note is made of what people
// typed and uploaded, and shows without scripts, as if it came from nowhere;
// others show what a browser wraps around them.
const (
	documentPolicy = "default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'; font-src 'self' data:; sandbox"
	dataPolicy     = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"
	// pagesPolicy is for the pages of the formats video and screenshare. Their
	// scripts are files beside them, which set styles and read captions and chat;
	// a script within the page would be one that somebody smuggled in, as a name
	// of a meeting. Who may show them in a frame follows, as with the player.
	pagesPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
		"media-src 'self' blob:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
)

// hasPages are the formats that bring their own player.
func hasPages(format string) bool { return format == "video" || format == "screenshare" }

// policy is the one for a file of a format; frames are the sites that may show
// its pages within theirs.
func (t fileType) policy(format, frames string) string {
	switch {
	case !t.page:
		return dataPolicy
	case hasPages(format) && strings.HasPrefix(t.mime, "text/html"):
		return pagesPolicy + ancestors(frames)
	default:
		return documentPolicy
	}
}

// disposition lets a file of a format without a player be saved rather than
// shown. Audio and video elements play it all the same.
func disposition(format, name string) string {
	if format == "presentation" || hasPages(format) {
		return ""
	}
	return `attachment; filename="` + quotable(path.Base(name)) + `"`
}

// quotable leaves of a file's name what can stand between quotes in a header.
func quotable(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' || r == '%' {
			return '_'
		}
		return r
	}, name)
}
