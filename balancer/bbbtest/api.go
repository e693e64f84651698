package bbbtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

const (
	mediaForm      = "application/x-www-form-urlencoded"
	mediaMultipart = "multipart/form-data"
	mediaXML       = "application/xml"
	mediaTextXML   = "text/xml"

	apiPrefix = "/bigbluebutton/api/"
)

// apiError is a refusal as BigBlueButton words it. The key may be empty. list
// asks for the rarer form with an <errors> element.
type apiError struct {
	key, message string
	list         bool
}

func (e *apiError) Error() string { return e.key + ": " + e.message }

func errChecksum() *apiError {
	return &apiError{key: "checksumError", message: "Checksums do not match"}
}

func errContentType() *apiError {
	return &apiError{key: "unsupportedContentType", message: "POST request Content-Type is missing or unsupported"}
}

func errNotFound() *apiError {
	return &apiError{key: "notFound", message: "A meeting with that ID does not exist"}
}

func invalid(message string) *apiError { return &apiError{key: "validationError", message: message} }

// route is what is known about one call.
type route struct {
	methods string   // those allowed, as in an Allow header
	media   []string // content types that a body may have
	handle  func(*call) *answer
	refuse  func(*call, *apiError) *answer
}

func (s *Server) routes() map[string]route {
	form := []string{mediaForm, mediaMultipart}
	both := []string{mediaForm, mediaMultipart, mediaXML, mediaTextXML}
	refuse := func(_ *call, e *apiError) *answer { return failed(e) }
	return map[string]route{
		"create":           {"GET, POST", both, s.create, refuse},
		"join":             {"GET", form, s.join, s.refuseJoin},
		"isMeetingRunning": {"GET, POST", form, s.isMeetingRunning, refuse},
		"getMeetingInfo":   {"GET, POST", form, s.getMeetingInfo, refuse},
		"getMeetings":      {"GET, POST", form, s.getMeetings, refuse},
		"getSessions":      {"GET, POST", form, s.getSessions, refuse},
		"end":              {"GET, POST", form, s.end, refuse},
		"insertDocument":   {"POST", both[2:], s.insertDocument, refuse},
		"sendChatMessage":  {"GET", form, s.sendChatMessage, refuse},
	}
}

// answer is what goes back, complete before its first byte is written: a
// misbehaviour may still mangle it.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a *answer) write(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that is gone is no concern
}

// ServeHTTP answers API calls below /bigbluebutton, the simulated client below
// /html5client and the server's own root page.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case path == "/bigbluebutton", path == "/bigbluebutton/", path == "/bigbluebutton/api":
		s.serveAPI(w, r, "")
	case strings.HasPrefix(path, apiPrefix):
		s.serveAPI(w, r, strings.TrimPrefix(path, apiPrefix))
	case strings.HasPrefix(path, clientPath):
		s.serveClient(w, r)
	case path == "/":
		s.serveRoot(w, r)
	default:
		htmlError(http.StatusNotFound).write(w)
	}
}

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request, name string) {
	c, err := s.readCall(name, r)
	if errors.Is(err, errTooLarge) {
		htmlError(http.StatusRequestEntityTooLarge).write(w)
		return
	}
	if err != nil {
		panic(http.ErrAbortHandler) // the client broke off in mid-request
	}
	algorithm, refusal := s.check(c)
	rule := s.rules.take(recordName(name))
	s.record.add(Request{
		Time:        c.now,
		Call:        recordName(name),
		Method:      c.method,
		RawQuery:    c.rawQuery,
		Params:      c.params,
		ContentType: c.contentType,
		Body:        c.body,
		BodySize:    len(c.body),
		Refused:     refusal != nil,
		Algorithm:   algorithm,
		Kind:        rule.Kind,
	})
	s.deliver(w, r, rule, c, func() *answer { return s.answer(c, refusal) })
}

// recordName is the name a call has in the record and for misbehaviour.
func recordName(name string) string {
	if name == "" {
		return "index"
	}
	return name
}

// check is the part of a call that comes before its parameters are looked at:
// the content type, then the checksum. Calls without these rules pass.
func (s *Server) check(c *call) (algorithm string, refusal *apiError) {
	rt, known := s.calls[c.name]
	if !known || !rt.allows(c.method) {
		return "", nil
	}
	algorithm, ok := s.verify(c, s.Secret())
	if c.hasBody && !slices.Contains(rt.media, c.media) {
		return algorithm, errContentType()
	}
	if !ok {
		return algorithm, errChecksum()
	}
	return algorithm, nil
}

func (rt route) allows(method string) bool {
	return slices.Contains(strings.Split(rt.methods, ", "), method)
}

func (s *Server) answer(c *call, refusal *apiError) *answer {
	if c.name == "" {
		return s.index(c)
	}
	rt, known := s.calls[c.name]
	switch {
	case !known:
		return htmlError(http.StatusNotFound)
	case !rt.allows(c.method):
		a := htmlError(http.StatusMethodNotAllowed)
		a.header.Set("Allow", rt.methods)
		return a
	case refusal != nil:
		return rt.refuse(c, refusal)
	}
	return rt.handle(c)
}

// index answers with the versions. It asks for no checksum and ignores one.
func (s *Server) index(c *call) *answer {
	version := s.opts.Version
	if s.opts.HideVersion {
		version = ""
	}
	if c.contentType == "application/json" {
		return indexJSON(version)
	}
	return success(func(d *document) {
		d.text("version", "2.0")
		d.text("apiVersion", "2.0")
		d.text("bbbVersion", version)
		d.text("html5PluginSdkVersion", "")
		d.text("graphqlWebsocketUrl", "")
		d.text("graphqlApiUrl", "")
	})
}

func indexJSON(version string) *answer {
	type response struct {
		Returncode            string `json:"returncode"`
		Version               string `json:"version"`
		APIVersion            string `json:"apiVersion"`
		BBBVersion            string `json:"bbbVersion"`
		HTML5PluginSDKVersion string `json:"html5PluginSdkVersion"`
		GraphqlWebsocketURL   string `json:"graphqlWebsocketUrl"`
		GraphqlAPIURL         string `json:"graphqlApiUrl"`
	}
	// A struct of strings always marshals.
	body, _ := json.Marshal(map[string]response{"response": {
		Returncode: "SUCCESS", Version: "2.0", APIVersion: "2.0", BBBVersion: version,
	}})
	return &answer{
		status: http.StatusOK,
		header: http.Header{"Content-Type": {"application/json;charset=utf-8"}, "Cache-Control": {"no-cache"}},
		body:   body,
	}
}

// htmlError is an error page as the servlet container in a real server sends it.
func htmlError(status int) *answer {
	title := fmt.Sprintf("HTTP Status %d – %s", status, http.StatusText(status))
	return &answer{
		status: status,
		header: http.Header{"Content-Type": {"text/html;charset=utf-8"}, "Content-Language": {"en"}},
		body: []byte(`<!doctype html><html lang="en"><head><title>` + title + `</title></head><body><h1>` +
			title + `</h1><hr class="line" /><h3>Apache Tomcat</h3></body></html>`),
	}
}
