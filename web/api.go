package web

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
)

// call is one call of the BBB API.
type call struct {
	name string
	// getOnly and postOnly restrict the methods; xml: the body may be, or for
	// postOnly must be, XML. file: the parameters are in the query, and the body
	// has a file that the call itself reads.
	getOnly, postOnly, xml, file bool
	// off answers instead of everything else while it is not nil; offJSON: in JSON.
	off     func() []byte
	offJSON bool
	handle  func(c echo.Context, r balancer.Request) error
}

func (c call) methods() []string {
	switch {
	case c.getOnly:
		return []string{http.MethodGet, http.MethodHead}
	case c.postOnly:
		return []string{http.MethodPost}
	default:
		return []string{http.MethodGet, http.MethodHead, http.MethodPost}
	}
}

// calls is the table of the calls that concern meetings.
func (s *Server) calls() []call {
	return []call{
		{name: "create", xml: true, handle: s.relay(s.pool.Create)},
		{name: "join", getOnly: true, handle: s.join},
		{name: "isMeetingRunning", handle: s.relay(s.pool.IsMeetingRunning)},
		{name: "getMeetingInfo", handle: s.relay(s.pool.Forward)},
		{name: "end", handle: s.relay(s.pool.End)},
		{name: "insertDocument", postOnly: true, xml: true, handle: s.relay(s.pool.Forward)},
		{name: "sendChatMessage", handle: s.relay(s.pool.Forward)},
		{name: "getMeetings", off: s.noMeetings, handle: s.getMeetings},
	}
}

// serve is what all calls have in common: the content type, then the checksum,
// then the call itself.
func (s *Server) serve(call call) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := time.Now()
		c.Response().Header().Set("Cache-Control", "no-cache")
		outcome, err := ok, error(nil)
		if body := call.switchedOff(); body != nil {
			err = c.Blob(http.StatusOK, call.offType(), body)
		} else {
			err = s.carryOut(c, call)
		}
		if err != nil {
			drain(c.Request(), err)
			outcome = s.fail(c, call.name, err)
		} else if c.Get(refusedKey) != nil {
			outcome = refused
		}
		if s.metrics != nil {
			s.metrics.Call(call.name, outcome, time.Since(began))
		}
		return nil
	}
}

// counted counts a route that is no call of the table in the metrics.
func (s *Server) counted(name string, next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := time.Now()
		err := next(c)
		if s.metrics != nil {
			s.metrics.Call(name, outcomeOf(c, err), time.Since(began))
		}
		return err
	}
}

// outcomeOf tells by an answer, or the error that leads to one, how a call went.
func outcomeOf(c echo.Context, err error) string {
	status := c.Response().Status
	if e, is := errors.AsType[*echo.HTTPError](err); is {
		status = e.Code
	} else if err != nil {
		return failed
	}
	switch {
	case status >= http.StatusInternalServerError:
		return failed
	case status >= http.StatusBadRequest || c.Get(refusedKey) != nil:
		return refused
	}
	return ok
}

func (c call) switchedOff() []byte {
	if c.off == nil {
		return nil
	}
	return c.off()
}

func (c call) offType() string {
	if c.offJSON {
		return trackType
	}
	return xmlType
}

func (s *Server) carryOut(c echo.Context, call call) error {
	r, done, err := s.read(c, call)
	if err != nil {
		return err
	}
	defer done()
	return call.handle(c, r)
}

// relay hands a server's answer on as it is.
func (s *Server) relay(do func(context.Context, balancer.Request) (bbb.Reply, error)) func(echo.Context, balancer.Request) error {
	return func(c echo.Context, r balancer.Request) error {
		reply, err := do(c.Request().Context(), r)
		if err != nil {
			return err
		}
		if !reply.OK {
			c.Set(refusedKey, true)
			s.log.Info("server refused a call", "addr", c.RealIP(), "call", r.Call, "cause", clip(reply.MessageKey))
		}
		return c.Blob(http.StatusOK, xmlType, reply.Body)
	}
}

func (s *Server) join(c echo.Context, r balancer.Request) error {
	location, err := s.pool.Join(c.Request().Context(), r, c.Request().Method == http.MethodGet)
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusFound, location)
}

func (s *Server) getMeetings(c echo.Context, _ balancer.Request) error {
	reply, err := s.pool.GetMeetings(c.Request().Context(), func(m bbb.Meeting) bool { return m.TenantID == "" })
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, xmlType, reply.Body)
}

func (s *Server) noMeetings() []byte {
	if !s.live.Load().GetMeetingsDisabled {
		return nil
	}
	return balancer.NoMeetings().Body
}

// apiVersion is that of the BBB API itself, by which clients tell what they
// speak to.
const apiVersion = "2.0"

// index answers the call without a name. Nobody's checksum is looked at.
func (s *Server) index(c echo.Context) error {
	build := s.live.Load().BuildNumber
	if build == "" {
		build = s.options.Version
	}
	var out bytes.Buffer
	out.WriteString("<response><returncode>SUCCESS</returncode>")
	for _, element := range []struct{ name, text string }{
		{"version", apiVersion}, {"apiVersion", apiVersion},
		{"bbbVersion", s.pool.BBBVersion()}, {"build", build},
	} {
		if element.text == "" {
			continue
		}
		out.WriteString("<" + element.name + ">")
		_ = xml.EscapeText(&out, []byte(element.text))
		out.WriteString("</" + element.name + ">")
	}
	out.WriteString("</response>")
	c.Response().Header().Set("Cache-Control", "no-cache")
	return c.Blob(http.StatusOK, xmlType, out.Bytes())
}
