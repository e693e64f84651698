package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
)

// Limits of bodies. XML carries slides.
const (
	maxForm = 2 << 20
	maxXML  = 32 << 20
)

// xmlReadTimeout is how long 32 MiB of slides may take to come in; only a
// request whose checksum is good gets it.
const xmlReadTimeout = 5 * time.Minute

const (
	typeForm      = "application/x-www-form-urlencoded"
	typeMultipart = "multipart/form-data"
)

// Answers about bodies, which BBB has no key of their own for.
var (
	errFormTooLarge = bbb.ValidationError(fmt.Sprintf("The body of this request must not be larger than %d MiB", maxForm>>20))
	errXMLTooLarge  = bbb.ValidationError(fmt.Sprintf("The body of this request must not be larger than %d MiB", maxXML>>20))
	errBody         = bbb.ValidationError("The body of this request could not be read")
)

// read checks a request and decodes it: content type, then checksum. done
// releases the body.
func (s *Server) read(c echo.Context, call call) (r balancer.Request, done func(), err error) {
	done = func() {}
	contentType, params, err := bodyType(c.Request(), call)
	if err != nil {
		return r, done, err
	}
	if s.limited(c) {
		return r, done, errLimited
	}
	signed, err := s.verify(c, call, contentType, params)
	if err != nil {
		return r, done, err
	}
	r = balancer.Request{Call: call.name, Params: signed.Params, SignedBy: s.live.Load().fingerprint(signed.Secret)}
	if call.xml && (isXML(contentType) || call.postOnly) {
		r.Body, done, err = s.readXML(c)
	}
	return r, done, err
}

// bodyType returns the type of the body, "" if there is none, or
// bbb.ErrUnsupportedContentType.
func bodyType(r *http.Request, call call) (string, map[string]string, error) {
	if r.ContentLength == 0 || r.Body == http.NoBody {
		return "", nil, nil
	}
	contentType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err != nil:
		return "", nil, bbb.ErrUnsupportedContentType.With(err)
	case isXML(contentType) && call.xml:
	case call.xml && call.postOnly || contentType != typeForm && contentType != typeMultipart:
		return "", nil, bbb.ErrUnsupportedContentType.With(fmt.Errorf("a body of type %q", contentType))
	}
	return contentType, params, nil
}

func isXML(contentType string) bool {
	return contentType == "application/xml" || contentType == "text/xml"
}

// verify checks the signature. A form counts only if the query has no
// parameters; else it is not even read, and a signed link cannot be extended.
func (s *Server) verify(c echo.Context, call call, contentType string, params map[string]string) (bbb.Signed, error) {
	verifier, r := s.live.Load().frontends, c.Request()
	form := contentType == typeForm || contentType == typeMultipart
	if r.Method != http.MethodPost || !form || call.file || hasParams(r.URL.RawQuery) {
		signed, err := verifier.VerifyQuery(call.name, r.URL.RawQuery)
		if err == nil && form && !call.file {
			drain(r, nil)
		}
		return signed, err
	}
	body := http.MaxBytesReader(c.Response(), r.Body, maxForm)
	if contentType == typeMultipart {
		fields, repeated, err := readFields(multipart.NewReader(body, params["boundary"]))
		if err != nil {
			return bbb.Signed{}, tooLarge(err, errFormTooLarge)
		}
		return verifier.VerifyFields(call.name, r.URL.RawQuery, fields, repeated...)
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		return bbb.Signed{}, tooLarge(err, errFormTooLarge)
	}
	return verifier.VerifyForm(call.name, r.URL.RawQuery, raw)
}

func hasParams(rawQuery string) bool {
	p := bbb.ParseQuery(rawQuery)
	p.Del("checksum")
	return p.Len() > 0
}

// readFields reads the fields of a multipart form, those that came more than
// once named beside it; files are passed over.
func readFields(r *multipart.Reader) (fields bbb.Params, repeated []string, err error) {
	for {
		part, err := r.NextPart()
		if err == io.EOF { // wrapped, it is the end of a form that was cut
			return fields, repeated, nil
		}
		if err != nil {
			return fields, nil, err
		}
		name := part.FormName()
		if name == "" || part.FileName() != "" {
			continue
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return fields, nil, err
		}
		before := fields.Len()
		fields.Set(name, string(value))
		if fields.Len() == before { // the names are compared as they are cleaned
			repeated = append(repeated, name)
		}
	}
}

// readXML takes in a body that is to be passed on, byte for byte, perhaps to
// several servers.
func (s *Server) readXML(c echo.Context) (*bbb.Body, func(), error) {
	r := c.Request()
	if r.ContentLength > maxXML {
		return nil, func() {}, errXMLTooLarge
	}
	deadline := http.NewResponseController(c.Response())
	_ = deadline.SetReadDeadline(time.Now().Add(xmlReadTimeout))
	_ = deadline.SetWriteDeadline(time.Now().Add(xmlReadTimeout + writeTimeout))
	spooled, err := spool(http.MaxBytesReader(c.Response(), r.Body, maxXML))
	if err != nil {
		return nil, func() {}, tooLarge(err, errXMLTooLarge)
	}
	body := &bbb.Body{ContentType: r.Header.Get("Content-Type"), Length: spooled.size, Open: spooled.open}
	return body, spooled.close, nil
}

// drain reads what a client still sends of a body that nobody wants: many send
// all of it before they look at the answer, and would see their connection
// reset. One that waits to be asked for its body is not asked, and the time for
// reading a request holds here as well.
func drain(r *http.Request, err error) {
	_, begun := errors.AsType[*http.MaxBytesError](err)
	if waits := r.Header.Get("Expect") != ""; waits && !begun || errors.Is(err, errTooManyFailures) {
		return
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxXML))
}

// tooLarge is the answer to a body that could not be read: answer, if it is too
// large; an internal error, if it could not be kept.
func tooLarge(err error, answer *bbb.Error) error {
	if e := (*http.MaxBytesError)(nil); errors.As(err, &e) {
		return answer.With(err)
	}
	if _, ours := errors.AsType[*fs.PathError](err); ours || errors.Is(err, context.Canceled) {
		return err
	}
	return errBody.With(err)
}
