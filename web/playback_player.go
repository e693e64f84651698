package web

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"scalelite/recordings"
	"scalelite/store"
)

// playerPath is where the links to presentations lead.
const playerPath = "/playback/presentation/2.3/"

// playerRoutes are those of the player: its page, its own files, and what the
// page lets one save. A player that the operator installed takes the place of
// the page, see playback_player_dir.go.
func (s *Server) playerRoutes() {
	if s.options.Player != nil {
		s.show(playerPath+"*", s.playInstalled)
	} else {
		s.show(playerPath+":id", s.play)
		s.show(playerPath+":id/*", s.play)
	}
	s.show(assetsPath+":version/*", s.playerAsset)
	served := s.recordingsConfig().Formats
	if slices.Contains(served, "presentation") {
		s.show("/presentation/:id/"+downloadsName+".json", s.listDownloads)
		s.show("/presentation/:id/"+downloadsName+"/:format/:name", s.download)
	}
	if slices.Contains(served, "podcast") {
		s.show("/podcast/:id/:name", s.playSound)
	}
}

// play answers with the page that plays a presentation. It is open to whoever
// knows the link, and the same for every recording: what it shows it loads, and
// of a protected recording it loads nothing without the cookie.
func (s *Server) play(c echo.Context) error {
	if _, err := s.playableHere(c, "presentation", c.Param("id")); err != nil {
		return s.notPlayed(c, err)
	}
	return s.sendPlayer(c)
}

// playableHere is playable for an ID as it came.
func (s *Server) playableHere(c echo.Context, format, id string) (store.Recording, error) {
	if !recordings.PlainWord(id) || !recordings.PlainWord(format) {
		return store.Recording{}, store.ErrNotFound
	}
	return s.playable(c.Request().Context(), format, id)
}

// sendPlayer answers with the page.
func (s *Server) sendPlayer(c echo.Context) error {
	live := s.live.Load()
	h := c.Response().Header()
	h.Set("Content-Security-Policy", playerPolicy+ancestors(live.FrameAncestors))
	h.Set("Referrer-Policy", "no-referrer")
	// Whether there is a page is asked anew each time: the recording may be gone.
	h.Set("Cache-Control", "private, no-cache")
	return sendAsset(c, s.player.page(pageChoice{live.Locale, live.recordings.PlayerDownloads}))
}

// playerPolicy lets the page load its own files and the recording's, and nothing
// from elsewhere; styles and scripts are files. Who may show it in a frame is
// the operator's choice, and follows.
const playerPolicy = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; " +
	"base-uri 'none'; form-action 'none'; "

// ancestors is the directive for web.frame_ancestors.
func ancestors(sources string) string {
	return "frame-ancestors " + strings.Join(strings.Fields(sources), " ")
}

// playSound answers for the files of a podcast. A browser that goes to the sound
// gets the page that plays it; programs, players, the page itself, and whoever
// saves the file get the file.
func (s *Server) playSound(c echo.Context) error {
	request := c.Request()
	p, ok := parseFilePath(request.URL.EscapedPath())
	if !ok || !strings.HasPrefix(typeOf(p.name).mime, "audio/") {
		return s.playFile(c)
	}
	c.Response().Header().Set("Vary", "Accept, Range, Sec-Fetch-Dest")
	if !wantsPage(request) {
		return s.playFile(c)
	}
	r, err := s.playable(request.Context(), p.format, p.id)
	if err != nil {
		return s.playFile(c)
	}
	if r.Protected && !s.admitted(request, p.format, p.id) {
		return s.sendPlayer(c) // which gets no file, and says that the link has expired
	}
	f, err := s.library.OpenFile(r, p.format, p.name)
	if err != nil {
		return s.notPlayed(c, err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	return s.sendPlayer(c)
}

// wantsPage reports whether a request is that of a browser which goes somewhere,
// rather than one for the file: its Accept header names HTML (media elements and
// programs take anything), and what it is for, where it says so, is a document.
func wantsPage(r *http.Request) bool {
	if r.URL.Query().Has("file") || r.Header.Get("Range") != "" {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "", "document", "iframe", "frame":
	default:
		return false
	}
	for item := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		kind, params, _ := strings.Cut(item, ";")
		if strings.EqualFold(strings.TrimSpace(kind), "text/html") {
			return quality(params) > 0
		}
	}
	return false
}

// ancestorSource is what may stand in web.frame_ancestors: a host, perhaps with
// scheme, wildcard and port, or a scheme alone.
var ancestorSource = regexp.MustCompile(`^(\*|[a-z][a-z0-9+.-]*:|([a-z][a-z0-9+.-]*://)?(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?(:([0-9]{1,5}|\*))?)$`)

// checkAncestors explains what is wrong with web.frame_ancestors.
func checkAncestors(sources string) error {
	all := strings.Fields(sources)
	if len(all) == 0 {
		return errors.New(`is empty; write "*" for any site, or "'none'"`)
	}
	for _, source := range all {
		switch {
		case source == "'self'", source == "'none'" && len(all) == 1:
		case !ancestorSource.MatchString(source):
			return fmt.Errorf("%q is no site; write it like https://lms.example.org, *, 'self' or, alone, 'none'", source)
		}
	}
	return nil
}

// localURL is the address of a format on this host.
func localURL(id string, f store.Format) string {
	own := strings.HasPrefix(f.URL, "/") && !strings.HasPrefix(f.URL, "//") && !strings.ContainsAny(f.URL, "\\\r\n")
	if !own {
		return "/" + f.Type + "/" + id + "/"
	}
	return f.URL
}
