package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/recordings"
)

// recordingCalls are the calls that concern recordings.
func (s *Server) recordingCalls() []call {
	return append(s.trackCalls(), []call{
		{name: "getRecordings", off: s.ifOff(noRecordings), handle: s.getRecordings},
		{name: "publishRecordings", getOnly: true, off: s.ifOff(recordingsNotFound), handle: notHead(s.publishRecordings)},
		{name: "updateRecordings", off: s.ifOff(recordingsNotFound), handle: notHead(s.updateRecordings)},
		{name: "deleteRecordings", getOnly: true, off: s.ifOff(recordingsNotFound), handle: notHead(s.deleteRecordings)},
	}...)
}

// notHead keeps a HEAD, which looks and does not touch, from changing anything.
func notHead(handle func(echo.Context, balancer.Request) error) func(echo.Context, balancer.Request) error {
	return func(c echo.Context, r balancer.Request) error {
		if c.Request().Method == http.MethodHead {
			return bbb.ErrUnsupportedRequest
		}
		return handle(c, r)
	}
}

// ifOff answers with body while recordings are switched off.
func (s *Server) ifOff(body string) func() []byte {
	return func() []byte {
		if s.library != nil {
			return nil
		}
		return []byte(body)
	}
}

// The constant answers of the recording calls.
const (
	noRecordings = "<response><returncode>SUCCESS</returncode><recordings></recordings>" +
		"<messageKey>noRecordings</messageKey><message>There are not recordings for the meetings</message></response>"
	recordingsNotFound = "<response><returncode>FAILED</returncode><messageKey>notFound</messageKey><message>We could not find recordings</message></response>"
)

// items splits a list at commas; empty elements, a trailing comma, are skipped.
func items(list string) []string {
	found := []string{}
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			found = append(found, item)
		}
	}
	return found
}

// recordIDs returns the list of a call that needs one.
func recordIDs(p bbb.Params) ([]string, error) {
	ids := items(p.ID("recordID"))
	if len(ids) == 0 {
		return nil, bbb.ErrMissingRecordID
	}
	return ids, nil
}

// publishRecordings shows recordings or hides them.
func (s *Server) publishRecordings(c echo.Context, r balancer.Request) error {
	ids, err := recordIDs(r.Params)
	if err != nil {
		return err
	}
	value := r.Params.ID("publish")
	if value == "" {
		return bbb.ErrMissingPublish
	}
	publish := strings.EqualFold(value, "true")
	_, err = s.library.SetPublished(lasting(c), nil, ids, publish)
	switch {
	case errors.Is(err, recordings.ErrNotFound):
		return bbb.ErrRecordingsNotFound
	case err != nil:
		return bbb.ErrPublishFailed.With(err)
	}
	return success(c, "published", strconv.FormatBool(publish))
}

// deleteRecordings removes recordings.
func (s *Server) deleteRecordings(c echo.Context, r balancer.Request) error {
	ids, err := recordIDs(r.Params)
	if err != nil {
		return err
	}
	_, err = s.library.Delete(lasting(c), nil, ids)
	switch {
	case errors.Is(err, recordings.ErrNotFound):
		return bbb.ErrRecordingsNotFound
	case err != nil:
		return bbb.ErrInternal.With(err)
	}
	return success(c, "deleted", "true")
}

// updateRecordings sets or removes metadata, and the protection.
func (s *Server) updateRecordings(c echo.Context, r balancer.Request) error {
	ids, err := recordIDs(r.Params)
	if err != nil {
		return err
	}
	change := recordings.Change{Meta: map[string]string{}}
	for name, value := range r.Params.All() {
		if key, ok := strings.CutPrefix(name, "meta_"); ok {
			change.Meta[strings.ToLower(key)] = strings.TrimSpace(value)
		}
	}
	if value := r.Params.ID("protect"); value != "" {
		protect := strings.EqualFold(value, "true")
		if !protect && !strings.EqualFold(value, "false") {
			return errProtect
		}
		change.Protect = &protect
	}
	updated, err := s.library.Update(lasting(c), nil, ids, change)
	switch {
	case errors.Is(err, recordings.ErrInvalid):
		return bbb.ValidationError(err.Error()).With(err)
	case err != nil:
		return bbb.ErrInternal.With(err)
	}
	return success(c, "updated", strconv.FormatBool(updated))
}

// errProtect: a value that is neither must not open a recording to everybody.
var errProtect = bbb.ValidationError("The parameter protect must be true or false")

// lasting is the request's context for work that must not stop halfway because
// the client left.
func lasting(c echo.Context) context.Context {
	return context.WithoutCancel(c.Request().Context())
}

func success(c echo.Context, element, text string) error {
	body := "<response><returncode>SUCCESS</returncode><" + element + ">" + text + "</" + element + "></response>"
	return c.Blob(http.StatusOK, xmlType, []byte(body))
}
