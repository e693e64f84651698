package web

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"scalelite/recordings"
	"scalelite/store"
)

// playbackRoutes are those of the recordings' files, of the links to protected
// ones, of the player, and of the shapes that links had in older versions of
// BBB, see playback_redirect.go.
func (s *Server) playbackRoutes() {
	for _, format := range s.recordingsConfig().Formats {
		s.show("/"+format+"/*", s.playFile)
		if format != "presentation" {
			s.show("/playback/"+format+"/*", redirectPrefix("/playback"))
		}
	}
	s.show("/recording/screenshare/*", redirectPrefix("/recording"))
	s.show("/recording/:id/:format", s.openLink)
	s.playerRoutes()
	s.show("/playback/presentation/playback.html", redirectOldest)
	for _, version := range []string{"0.81", "0.9.0", "2.0"} {
		s.show("/playback/presentation/"+version+"/playback.html", s.redirectOld)
	}
	s.show("/playback/*", s.notFound)
	s.show("/recording/*", s.notFound)
}

// show registers what answers GET and HEAD.
func (s *Server) show(path string, handler echo.HandlerFunc) {
	s.echo.Match([]string{http.MethodGet, http.MethodHead}, path, handler)
}

// filePath is the path of a file of a recording, taken apart.
type filePath struct {
	format, id string
	name       string // within FORMAT/ID, with slashes; empty for that itself
	slash      bool   // the path ends in a slash: a directory is meant
}

// parseFilePath takes /FORMAT/ID/NAME apart, percent-encoded as it came. False
// means that it names no file: a part that is empty, "." or ".." or holds what
// no part can, once it is decoded.
func parseFilePath(escaped string) (p filePath, ok bool) {
	parts := strings.Split(strings.TrimPrefix(escaped, "/"), "/")
	if last := len(parts) - 1; last >= 2 && parts[last] == "" {
		p.slash, parts = true, parts[:last]
	}
	for i, part := range parts {
		name, err := url.PathUnescape(part)
		if err != nil || name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
			return p, false
		}
		parts[i] = name
	}
	if len(parts) < 2 || !recordings.PlainWord(parts[0]) || !recordings.PlainWord(parts[1]) {
		return p, false
	}
	p.format, p.id, p.name = parts[0], parts[1], strings.Join(parts[2:], "/")
	return p, true
}

// index is the file that stands for the path if that is a directory.
func (p filePath) index() string { return strings.TrimPrefix(p.name+"/index.html", "/") }

// playFile answers with a file of a recording.
func (s *Server) playFile(c echo.Context) error {
	p, ok := parseFilePath(c.Request().URL.EscapedPath())
	if !ok {
		return s.notFound(c)
	}
	r, err := s.playable(c.Request().Context(), p.format, p.id)
	if err != nil {
		return s.notPlayed(c, err)
	}
	admitted := !r.Protected || s.admitted(c.Request(), p.format, p.id)
	if !admitted {
		if admitted, err = s.admittedToTrack(c, p); err != nil {
			return s.notPlayed(c, err)
		}
	}
	if !admitted {
		c.Response().Header().Set("X-Recording-State", "protected") // the player tells its reader
		return s.notFound(c)
	}
	name := p.name
	if p.slash || name == "" {
		name = p.index()
	}
	f, err := s.library.OpenFile(r, p.format, name)
	if isNotFound(err) && !p.slash && p.name != "" {
		name = p.index()
		f, err = s.library.OpenFile(r, p.format, name)
	}
	if err != nil {
		return s.notPlayed(c, err)
	}
	defer f.Close()
	if name != p.name && !p.slash {
		return redirect(c, http.StatusTemporaryRedirect, c.Request().URL.EscapedPath()+"/")
	}
	return s.send(c, r, sent{file: f, format: p.format, name: name})
}

// playable returns the recording if it is published and has the format. The
// store decides, at every request anew: what was unpublished a moment ago is
// not there.
func (s *Server) playable(ctx context.Context, format, id string) (r store.Recording, err error) {
	if s.library == nil {
		return r, store.ErrNotFound
	}
	err = s.store.View(ctx, func(tx *store.Tx) error {
		r, err = s.played.Recording(tx, id)
		return err
	})
	if err != nil {
		return r, err
	}
	if _, ok := r.Format(format); !ok || r.State != store.Published {
		return r, store.ErrNotFound
	}
	return r, nil
}

func isNotFound(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, recordings.ErrNotFound) || errors.Is(err, fs.ErrNotExist)
}

// notPlayed answers when there is nothing to play.
func (s *Server) notPlayed(c echo.Context, err error) error {
	if isNotFound(err) || c.Request().Context().Err() != nil {
		return s.notFound(c)
	}
	s.log.Error("recording could not be read", "addr", c.RealIP(), "cause", err)
	c.Response().Header().Set("Retry-After", "60")
	return s.recordingPage(c, http.StatusServiceUnavailable, "recording_unavailable")
}

// notFound is the answer for whatever there is not, or is not for this reader:
// they cannot tell which.
func (s *Server) notFound(c echo.Context) error {
	return s.recordingPage(c, http.StatusNotFound, "recording_not_found")
}

func (s *Server) recordingPage(c echo.Context, status int, text string) error {
	lang := s.language(c)
	c.Response().Header().Set("Cache-Control", "no-store")
	return s.showPage(c, status, lang, pageData{Title: lang.text(text + "_title"), Text: lang.text(text + "_text")})
}
