package web

import (
	"bytes"
	_ "embed"
	"html/template"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"scalelite/recordings"
	"scalelite/recordings/caption"
	"scalelite/store"
)

// playerPath is where the links to presentations lead.
const playerPath = "/playback/presentation/2.3/"

//go:embed playback_player.html
var playerSource string

var playerPage = template.Must(template.New("player").Parse(playerSource))

// playerPolicy lets the page show what the recording has, and use its own style.
var playerPolicy = strings.Replace(pagePolicy, "; base-uri", "; media-src 'self'; base-uri", 1)

// player is what the page shows.
type player struct {
	Lang, Dir, Title, Date, Nothing, More string
	Style                                 template.CSS
	Media                                 []playerMedia
	Links                                 []playerLink
}

// playerMedia is one element that plays, from the first source that can be.
type playerMedia struct {
	Label   string
	Sound   bool
	Sources []playerFile
	Tracks  []playerTrack
}

type playerFile struct{ URL, Type string }

type playerTrack struct{ URL, Lang, Label string }

type playerLink struct{ URL, Label string }

// play answers with the page that plays a presentation. It is open to whoever
// knows the link, what it loads is not: of a protected recording it therefore
// tells nothing.
func (s *Server) play(c echo.Context) error {
	id := c.Param("id")
	if !recordings.PlainWord(id) {
		return s.notFound(c)
	}
	r, err := s.playable(c.Request().Context(), "presentation", id)
	if err != nil {
		return s.notPlayed(c, err)
	}
	lang := s.language(c)
	p := player{
		Lang: lang.Tag, Dir: lang.Dir, Style: template.CSS(pageStyle), Title: lang.text("recording"),
		Nothing: lang.text("player_nothing"), More: lang.text("player_more"),
	}
	s.addMedia(&p, r, lang)
	if !r.Protected {
		if name := strings.TrimSpace(r.Name); name != "" {
			p.Title = name
		}
		if r.Start > 0 {
			p.Date = time.UnixMilli(r.Start).UTC().Format(time.DateOnly)
		}
		s.addLinks(&p, r, lang)
	}
	var out bytes.Buffer
	if err := playerPage.Execute(&out, p); err != nil {
		return s.notPlayed(c, err)
	}
	c.Response().Header().Set("Cache-Control", "private, no-cache")
	return sendPage(c, http.StatusOK, lang, playerPolicy, out.Bytes())
}

// mediaOf are the media of a presentation by what they show: the file that is
// tried first stands first. The sound is in the picture of the cameras, if there
// is one.
var mediaOf = []struct {
	label string
	sound bool
	files []string
}{
	{"player_camera", false, []string{"video/webcams.mp4", "video/webcams.webm"}},
	{"player_sound", true, []string{"audio/audio.webm", "audio/audio.ogg"}},
	{"player_screen", false, []string{"deskshare/deskshare.mp4", "deskshare/deskshare.webm"}},
}

func (s *Server) addMedia(p *player, r store.Recording, lang language) {
	base := "/presentation/" + r.ID + "/"
	for _, m := range mediaOf {
		if m.sound && len(p.Media) > 0 {
			continue
		}
		media := playerMedia{Label: lang.text(m.label), Sound: m.sound}
		for _, name := range m.files {
			if s.has(r, name) {
				media.Sources = append(media.Sources, playerFile{base + name, typeOf(name).mime})
			}
		}
		if len(media.Sources) == 0 {
			continue
		}
		if len(p.Media) == 0 {
			media.Tracks = s.tracks(r, base)
		}
		p.Media = append(p.Media, media)
	}
}

// has reports whether the presentation has a file.
func (s *Server) has(r store.Recording, name string) bool {
	f, err := s.library.OpenFile(r, "presentation", name)
	if err != nil {
		return false
	}
	_ = f.Close()
	return true
}

// maxCaptionList bounds a captions.json in bytes.
const maxCaptionList = 1 << 20

// tracks are the captions of a presentation; a list that cannot be read has
// none.
func (s *Server) tracks(r store.Recording, base string) []playerTrack {
	f, err := s.library.OpenFile(r, "presentation", "captions.json")
	if err != nil {
		return nil
	}
	defer f.Close()
	list, err := io.ReadAll(io.LimitReader(f, maxCaptionList))
	if err != nil {
		return nil
	}
	index, err := caption.ReadIndex(list)
	if err != nil {
		return nil
	}
	var tracks []playerTrack
	for _, t := range index.Tracks() {
		tracks = append(tracks, playerTrack{base + t.File, t.Lang, t.Label})
	}
	return tracks
}

// addLinks names what else there is of an open recording.
func (s *Server) addLinks(p *player, r store.Recording, lang language) {
	if s.has(r, "notes.html") {
		p.Links = append(p.Links, playerLink{"/presentation/" + r.ID + "/notes.html", lang.text("player_notes")})
	}
	for _, f := range r.Formats {
		if f.Type == "presentation" {
			continue
		}
		label := lang.text("format_" + f.Type)
		if label == "" {
			label = f.Type
		}
		p.Links = append(p.Links, playerLink{localURL(r.ID, f), label})
	}
}

// localURL is the address of a format on this host.
func localURL(id string, f store.Format) string {
	own := strings.HasPrefix(f.URL, "/") && !strings.HasPrefix(f.URL, "//") && !strings.ContainsAny(f.URL, "\\\r\n")
	if !own {
		return "/" + f.Type + "/" + id + "/"
	}
	return f.URL
}
