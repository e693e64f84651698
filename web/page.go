package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"scalelite/balancer/bbb"
)

//go:embed page.html
var pageSource string

//go:embed page.css
var pageStyle string

var page = template.Must(template.New("page").Parse(pageSource))

// pagePolicy lets the page use its own style and nothing else.
var pagePolicy = func() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'"
}()

// retryAfter is how often the page tries again while the meeting's server may
// be coming back, in seconds.
const retryAfter = 10

// advice is what a person can do about a join that failed. Again: the same link
// may work later; Retry: the page tries by itself.
type advice struct {
	Title, Text  string
	Again, Retry bool
}

func adviceFor(e *bbb.Error) advice {
	switch e.Key {
	case bbb.ErrServerUnavailable.Key:
		return advice{"The meeting is not reachable right now",
			"The server that runs this meeting does not answer. This page tries again by itself; you will be let in as soon as the server is back. If it takes longer than a few minutes, ask your teacher to start the meeting again.", true, true}
	case bbb.ErrNotFound.Key:
		return advice{"This meeting is not running",
			"It has not begun yet, or it is over. Go back to your course and open the meeting from there, or ask your teacher when it starts.", true, false}
	case bbb.ErrChecksum.Key:
		return advice{"This link is not valid",
			"It may be incomplete or out of date. Go back to your course and open the meeting from there.", false, false}
	case bbb.ErrMissingMeetingID.Key:
		return advice{"This link is incomplete",
			"It does not say which meeting you want to join. Go back to your course and open the meeting from there.", false, false}
	default:
		return advice{"The meeting could not be opened",
			"Something went wrong on our side. Please try again in a minute; if it happens again, tell your administrator.", true, false}
	}
}

// joinPage tells a person why a join link did not work and what to do.
func (s *Server) joinPage(c echo.Context, e *bbb.Error) {
	data := struct {
		advice
		Style template.CSS
		Key   string
		Every int
	}{adviceFor(e), template.CSS(pageStyle), e.Key, retryAfter}
	var out bytes.Buffer
	if err := page.Execute(&out, data); err != nil {
		s.log.Error("page could not be made", "cause", err)
		_ = c.Blob(http.StatusOK, xmlType, e.XML())
		return
	}
	h := c.Response().Header()
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	if data.Retry {
		h.Set("Refresh", strconv.Itoa(retryAfter))
	}
	_ = c.HTMLBlob(http.StatusOK, out.Bytes())
}

// prefersHTML reports whether an Accept header puts HTML before XML, as those
// of browsers do and those of API clients do not.
func prefersHTML(accept string) bool {
	var html, xml float64
	for item := range strings.SplitSeq(accept, ",") {
		kind, params, _ := strings.Cut(item, ";")
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "text/html", "application/xhtml+xml":
			html = max(html, quality(params))
		case "application/xml", "text/xml":
			xml = max(xml, quality(params))
		}
	}
	return html > xml
}

func quality(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		if value, ok := strings.CutPrefix(strings.TrimSpace(param), "q="); ok {
			q, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0
			}
			return q
		}
	}
	return 1
}
