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

// advice names the texts that tell a person what to do about a join that
// failed: KEY_title and KEY_text. again: the same link may work later; retry:
// the page tries by itself.
type advice struct {
	key          string
	again, retry bool
}

func adviceFor(e *bbb.Error) advice {
	switch e.Key {
	case bbb.ErrServerUnavailable.Key:
		return advice{"join_unavailable", true, true}
	case bbb.ErrNotFound.Key:
		return advice{"join_not_running", true, false}
	case bbb.ErrChecksum.Key:
		return advice{"join_invalid", false, false}
	case bbb.ErrMissingMeetingID.Key:
		return advice{"join_incomplete", false, false}
	default:
		return advice{"join_failed", true, false}
	}
}

// joinPage tells a person why a join link did not work and what to do.
func (s *Server) joinPage(c echo.Context, e *bbb.Error) {
	advice, lang := adviceFor(e), s.language(c)
	hint := lang.text("for_administrator") + " " + e.Key
	if advice.retry {
		c.Response().Header().Set("Refresh", strconv.Itoa(retryAfter))
		hint = lang.text("trying_again", "seconds", strconv.Itoa(retryAfter)) + " " + hint
	}
	p := pageData{
		Title: lang.text(advice.key + "_title"), Text: lang.text(advice.key + "_text"),
		Hint: hint,
	}
	if advice.again {
		p.Again = lang.text("try_again")
	}
	if err := s.showPage(c, http.StatusOK, lang, p); err != nil {
		s.log.Error("page could not be made", "cause", err)
		c.Response().Header().Del("Refresh")
		_ = c.Blob(http.StatusOK, xmlType, e.XML())
	}
}

// pageData is what a page says; Again, the words of a link to the same address,
// and Hint may be empty.
type pageData struct{ Title, Text, Again, Hint string }

// language is that of the reader.
func (s *Server) language(c echo.Context) language {
	return s.live.Load().languages.choose(c.Request().Header.Get("Accept-Language"))
}

// showPage answers with a page in a language.
func (s *Server) showPage(c echo.Context, status int, lang language, p pageData) error {
	var out bytes.Buffer
	err := page.Execute(&out, struct {
		pageData
		Lang, Dir string
		Style     template.CSS
	}{p, lang.Tag, lang.Dir, template.CSS(pageStyle)})
	if err != nil {
		return err
	}
	return sendPage(c, status, lang, pagePolicy, out.Bytes())
}

// sendPage is what all our pages have in common.
func sendPage(c echo.Context, status int, lang language, policy string, body []byte) error {
	h := c.Response().Header()
	h.Set(echo.HeaderContentLength, strconv.Itoa(len(body)))
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Language", lang.Tag)
	h.Add("Vary", "Accept-Language")
	return c.HTMLBlob(status, body)
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
