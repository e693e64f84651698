package web

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"scalelite/recordings"
)

// redirect sends the reader on to a path of ours, with the query of the request.
// What it leads to may be hidden or protected later, so it is asked for anew
// each time.
func redirect(c echo.Context, status int, path string) error {
	if query := c.Request().URL.RawQuery; query != "" {
		path += "?" + query
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	return c.Redirect(status, path)
}

// redirectPrefix sends the reader of PREFIX/FORMAT/ID/... to /FORMAT/ID/...:
// where BBB has the files of the formats that are no presentation.
func redirectPrefix(prefix string) echo.HandlerFunc {
	return func(c echo.Context) error {
		path := strings.TrimPrefix(c.Request().URL.EscapedPath(), prefix)
		return redirect(c, http.StatusTemporaryRedirect, path)
	}
}

// redirectOldest leads links of BBB before 0.81 to where BBB has its oldest
// player.
func redirectOldest(c echo.Context) error {
	return redirect(c, http.StatusMovedPermanently, "/playback/presentation/0.81/playback.html")
}

// redirectOld leads the links of BBB before 2.3, which name the recording in
// the query, to the player: it plays them all.
func (s *Server) redirectOld(c echo.Context) error {
	id := c.QueryParam("meetingId")
	if !recordings.PlainWord(id) {
		return s.notFound(c)
	}
	return redirect(c, http.StatusMovedPermanently, playerPath+id)
}
