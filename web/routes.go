package web

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/labstack/echo/v4"

	"scalelite/balancer/bbb"
)

const (
	apiPath        = "/bigbluebutton/api"
	managementPath = "/scalelite/api"
	xmlType        = "application/xml; charset=utf-8"
	jsonType       = "application/json; charset=utf-8"
)

// routes is the whole tree. What no route takes is answered as BBB answers a
// call that it does not know, see onError.
func (s *Server) routes() {
	e := s.echo
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.onError
	e.IPExtractor = s.ipExtractor()
	e.Pre(singleSlashes)
	e.Use(s.recovered, s.strictTransport, s.hostChecked, noOptions)

	for _, path := range []string{"/bigbluebutton", "/bigbluebutton/", apiPath, apiPath + "/"} {
		e.Match([]string{http.MethodGet, http.MethodHead, http.MethodPost}, path, s.counted("index", s.index))
	}
	for _, call := range append(s.calls(), s.recordingCalls()...) {
		e.Match(call.methods(), apiPath+"/"+call.name, s.serve(call))
	}
	m := management{
		pool: s.pool, store: s.store, library: s.library, spool: s.spool, log: s.log,
		verify: func() bbb.Verifier { return s.live.Load().management },
		refuse: s.refuseChecksum,
	}
	m.register(e.Group(managementPath, s.countedByPath, s.unlessLimited))
	s.uploadRoutes()
	s.setupRoutes()
	s.playbackRoutes()

	for _, path := range []string{"/", "/health_check"} {
		e.Match([]string{http.MethodGet, http.MethodHead}, path, s.health)
	}
	e.Match([]string{http.MethodGet, http.MethodHead}, "/robots.txt", robots)
	if s.metrics != nil && s.live.Load().Metrics {
		guarded := metricsGuard(s.live.Load().MetricsToken, s.metrics.Handler())
		e.Match([]string{http.MethodGet, http.MethodHead}, "/metrics", echo.WrapHandler(guarded))
	}
}

func (s *Server) ipExtractor() echo.IPExtractor {
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, network := range s.trusted {
		options = append(options, echo.TrustIPRange(network))
	}
	extract := echo.ExtractIPFromXFFHeader(options...)
	return func(r *http.Request) string {
		if overSocket(r) {
			local := *r
			local.RemoteAddr = localPeer
			r = &local
		}
		return extract(r)
	}
}

// localPeer stands for those who come over a unix socket, which have no address
// and can only be of this machine.
const localPeer = "127.0.0.1:0"

func overSocket(r *http.Request) bool {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return local != nil && local.Network() == "unix"
}

// singleSlashes makes doubled slashes in the path count as one.
func singleSlashes(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		u := c.Request().URL
		for strings.Contains(u.Path, "//") {
			u.Path = strings.ReplaceAll(u.Path, "//", "/")
		}
		for strings.Contains(u.RawPath, "//") {
			u.RawPath = strings.ReplaceAll(u.RawPath, "//", "/")
		}
		return next(c)
	}
}

// recovered turns a panic of a handler into an internal error.
func (s *Server) recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler {
				panic(cause)
			}
			s.log.Error("handler panicked", "path", c.Path(), "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
			err = errPanic
		}()
		return next(c)
	}
}

// noOptions keeps Echo from answering OPTIONS itself, with an empty 204: to a
// front-end it is a method like others that no call has.
func noOptions(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().Method == http.MethodOptions {
			return echo.ErrMethodNotAllowed
		}
		return next(c)
	}
}

var errPanic = errors.New("internal error")

const otherHost = "This host name is not served here."

// hostChecked refuses requests for a host that is not ours. Probes ask the
// health check by address.
func (s *Server) hostChecked(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Path() == "/health_check" || s.live.Load().Serves(s.host(c)) {
			return next(c)
		}
		s.log.Warn("request for another host refused", "addr", c.RealIP(), "host", clip(s.host(c)))
		return echo.NewHTTPError(http.StatusForbidden, otherHost)
	}
}

// host returns the name that the client asked for, without the port.
func (s *Server) host(c echo.Context) string {
	host := c.Request().Host
	if forwarded := c.Request().Header.Get("X-Forwarded-Host"); forwarded != "" && s.fromProxy(c) {
		host, _, _ = strings.Cut(forwarded, ",")
	}
	if name, _, err := net.SplitHostPort(strings.TrimSpace(host)); err == nil {
		host = name
	}
	return strings.TrimSuffix(strings.Trim(strings.TrimSpace(host), "[]"), ".")
}

// fromProxy reports whether the peer is one whose X-Forwarded-* headers count.
func (s *Server) fromProxy(c echo.Context) bool {
	addr := c.Request().RemoteAddr
	if overSocket(c.Request()) {
		addr = localPeer
	}
	peer, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(peer)
	for _, network := range s.trusted {
		if network.Contains(ip) {
			return true
		}
	}
	return false
}

// onError renders what no handler answered, in the form of the route: JSON for
// the management API, XML with status 200 for everything else, as BBB does.
func (s *Server) onError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	status := http.StatusInternalServerError
	if h := (*echo.HTTPError)(nil); errors.As(err, &h) {
		status = h.Code
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	managed, answer := strings.HasPrefix(c.Path(), managementPath+"/"), bbb.ErrInternal
	switch status {
	case http.StatusForbidden:
		if managed {
			_ = c.Blob(status, jsonType, []byte(`{"error":"`+otherHost+`"}`))
			return
		}
		_ = c.Blob(status, xmlType, (&bbb.Error{Key: "forbidden", Message: otherHost}).XML())
		return
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		answer = bbb.ErrUnsupportedRequest
		s.observe(c, unknownCall(c), refused, answer)
	default:
		s.log.Error("request failed", "addr", c.RealIP(), "path", c.Path(), "cause", err)
		if managed {
			_ = c.Blob(status, jsonType, []byte(`{"error":"Internal error"}`))
			return
		}
	}
	_ = c.Blob(http.StatusOK, xmlType, answer.XML())
}

// unknownCall is what the log calls a request that no route took.
func unknownCall(c echo.Context) string {
	if name, ok := strings.CutPrefix(c.Request().URL.Path, apiPath+"/"); ok {
		return clip(name)
	}
	return "other"
}

func robots(c echo.Context) error {
	return c.String(http.StatusOK, "User-agent: *\nDisallow: /\n")
}

// health answers "success", or 503 with the reason.
func (s *Server) health(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	if err := s.options.Health(c.Request().Context()); err != nil {
		s.log.Error("not healthy", "cause", err)
		return c.String(http.StatusServiceUnavailable, "failure: "+err.Error()+"\n")
	}
	return c.String(http.StatusOK, "success")
}
