package bbbtest

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
)

// call is one API request, read whole.
type call struct {
	name        string // "" for the index
	method      string
	rawQuery    string
	contentType string
	media       string     // contentType without its parameters, lower case
	params      url.Values // names and values cleaned; query before form
	form        url.Values // as sent in the body, not cleaned
	hasBody     bool
	body        []byte
	host        string
	now         time.Time
}

// get is the first value of a parameter; the query wins over the form.
func (c *call) get(name string) string { return c.params.Get(name) }

// errTooLarge is what readCall returns for a body above the limit.
var errTooLarge = errors.New("request body too large")

// readCall reads the request to its end, so that the connection can notice the
// client going away.
func (s *Server) readCall(name string, r *http.Request) (*call, error) {
	c := &call{
		name:        name,
		method:      r.Method,
		rawQuery:    r.URL.RawQuery,
		contentType: r.Header.Get("Content-Type"),
		hasBody:     r.ContentLength > 0 || len(r.TransferEncoding) > 0,
		host:        r.Host,
		now:         s.opts.Now(),
	}
	c.media, _, _ = mime.ParseMediaType(c.contentType)
	body, err := io.ReadAll(io.LimitReader(r.Body, s.opts.MaxBody+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > s.opts.MaxBody {
		return nil, errTooLarge
	}
	c.body = body
	c.form = parseForm(c)
	c.params = make(url.Values)
	addClean(c.params, parsePairs(c.rawQuery))
	addClean(c.params, c.form)
	return c, nil
}

// parseForm reads the parameters in a form body; other bodies have none.
func parseForm(c *call) url.Values {
	switch c.media {
	case mediaForm:
		return parsePairs(string(c.body))
	case mediaMultipart:
		return parseMultipart(c)
	}
	return nil
}

// parsePairs splits a query the way a servlet container does: at "&" only, and
// a pair whose encoding is broken is left out.
func parsePairs(raw string) url.Values {
	v := make(url.Values)
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || name == "" {
			continue
		}
		value, err = url.QueryUnescape(value)
		if err != nil {
			continue
		}
		v.Add(strings.ToValidUTF8(name, "\uFFFD"), strings.ToValidUTF8(value, "\uFFFD"))
	}
	return v
}

// parseMultipart reads the fields of a multipart form; files are no parameters.
func parseMultipart(c *call) url.Values {
	v := make(url.Values)
	_, params, err := mime.ParseMediaType(c.contentType)
	if err != nil {
		return v
	}
	mr := multipart.NewReader(bytes.NewReader(c.body), params["boundary"])
	for {
		part, err := mr.NextPart()
		if err != nil {
			return v // the end, or where it is broken
		}
		value, err := io.ReadAll(part)
		if err == nil && part.FileName() == "" && part.FormName() != "" {
			v.Add(part.FormName(), string(value))
		}
	}
}

// addClean adds src to dst, names and values stripped of control characters
// and trimmed.
func addClean(dst, src url.Values) {
	names := make([]string, 0, len(src))
	for name := range src {
		names = append(names, name)
	}
	slices.Sort(names) // two names may become one: their order must not be luck
	for _, name := range names {
		for _, value := range src[name] {
			dst.Add(clean(name), clean(value))
		}
	}
}

func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
	return strings.Trim(s, " ")
}
