package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"path"

	"github.com/labstack/echo/v4"

	"scalelite/balancer/bbb"
)

// Outcomes of a call, for the metrics.
const (
	ok      = "ok"
	refused = "refused" // answered FAILED
	failed  = "error"   // FAILED because of us or a server
)

// refusedKey marks a context whose answer says FAILED although its status is 200.
const refusedKey = "refused"

// errTooManyFailures is why a request was refused unseen; errLimited is the
// answer to it, that of a wrong checksum. By its words alone that answer could
// not be told from one.
var (
	errTooManyFailures = errors.New("too many failed checksums from this address")
	errLimited         = bbb.ErrChecksum.With(errTooManyFailures)
)

// fail answers a call that went wrong, with one line in the log, and returns
// the outcome for the metrics.
func (s *Server) fail(c echo.Context, call string, err error) string {
	if errors.Is(err, bbb.ErrChecksum) {
		_ = s.refuseChecksum(c, call, err)
		return refused
	}
	answer := bbb.ErrInternal
	if !errors.As(err, &answer) {
		answer = bbb.ErrInternal.With(err)
	}
	outcome, level := refused, slog.LevelInfo
	// Of a caller who has left it is neither our fault nor a server's.
	left := c.Response().Committed || errors.Is(err, context.Canceled)
	if answer.Key == bbb.ErrInternal.Key && !left {
		outcome, level = failed, slog.LevelError
	}
	s.observe(c, call, outcome, err, level)
	if !c.Response().Committed {
		s.answer(c, call, answer)
	}
	return outcome
}

// suspect returns the address that failed checksums count against, "" if none:
// this machine is exempt, but not what a proxy passes on as from this machine,
// for anybody may have claimed that.
func (s *Server) suspect(c echo.Context) string {
	addr := c.RealIP()
	forwarded := c.Request().Header.Get(echo.HeaderXForwardedFor) != "" && s.fromProxy(c)
	if ip, err := netip.ParseAddr(addr); err == nil && ip.Unmap().IsLoopback() && !forwarded {
		return ""
	}
	return addr
}

// limited reports whether a request is to be refused unseen.
func (s *Server) limited(c echo.Context) bool {
	return s.limiter.blocked(s.suspect(c), s.live.Load().ChecksumFailuresPerMinute)
}

// unlessLimited is limited for the calls of the management API.
func (s *Server) unlessLimited(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.limited(c) {
			return s.refuseChecksum(c, path.Base(c.Path()), errLimited)
		}
		return next(c)
	}
}

// countedByPath is counted for the calls of the management API.
func (s *Server) countedByPath(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error { return s.counted(path.Base(c.Path()), next)(c) }
}

// refuseChecksum answers a request whose checksum is not good and counts it
// against its address.
func (s *Server) refuseChecksum(c echo.Context, call string, err error) error {
	if errors.Is(err, errTooManyFailures) {
		if s.metrics != nil {
			s.metrics.RateLimited()
		}
	} else {
		s.limiter.failed(s.suspect(c), s.live.Load().ChecksumFailuresPerMinute)
		if s.metrics != nil {
			s.metrics.ChecksumFailure()
		}
	}
	cause := bbb.Reason(err)
	if cause == "" {
		cause = errTooManyFailures.Error()
	}
	// The words of this line are what the fail2ban filter looks for.
	s.log.Warn("checksum refused", "addr", c.RealIP(), "call", call, "cause", cause)
	c.Set(refusedKey, true)
	s.answer(c, call, bbb.ErrChecksum)
	return nil
}

// observe logs a refused or failed call: who, which, why.
func (s *Server) observe(c echo.Context, call, outcome string, err error, level ...slog.Level) {
	at := slog.LevelInfo
	if len(level) > 0 {
		at = level[0]
	}
	s.log.Log(c.Request().Context(), at, "call "+outcome, "addr", c.RealIP(), "call", call, "cause", clip(err.Error()))
}

// answer writes an error: XML, or for a person whose browser opened a join link
// a page.
func (s *Server) answer(c echo.Context, call string, e *bbb.Error) {
	if call == "join" && prefersHTML(c.Request().Header.Get("Accept")) {
		s.joinPage(c, e)
		return
	}
	_ = c.Blob(http.StatusOK, xmlType, e.XML())
}
