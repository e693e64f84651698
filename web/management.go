package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/recordings"
	"scalelite/store"
)

// management is the management API: JSON, signed as the BBB API is, but over the
// query alone, for the contract of the Ruby system leaves the JSON bodies of its
// POSTs out.
type management struct {
	pool *balancer.Balancer
	// store, library and spool are for the calls about recordings; the latter two
	// are nil while recordings are switched off.
	store   *store.Store
	library *recordings.Library
	spool   *recordings.Spool
	// verify returns what checks a request now.
	verify func() bbb.Verifier
	// refuse answers a request whose checksum is not good.
	refuse func(c echo.Context, call string, err error) error
	log    *slog.Logger
}

// maxManagementBody bounds the JSON of a request in bytes.
const maxManagementBody = 2 << 20

// managed carries out one call; nil: the call is about tenants, of which this
// pool has none. Its error is an *apiError, or one of the pool.
type managed func(ctx context.Context, r managementRequest) (status int, answer any, err error)

// register adds the calls to g. Other methods of their paths are not taken.
func (m *management) register(g *echo.Group) {
	for name, do := range map[string]managed{
		"getServers":    m.getServers,
		"getServerInfo": m.getServerInfo,
		"getTenants":    nil,
		"getTenantInfo": nil,
	} {
		g.GET("/"+name, m.handle(name, do))
		g.HEAD("/"+name, m.handle(name, do))
	}
	for name, do := range map[string]managed{
		"addServer":    m.addServer,
		"updateServer": m.updateServer,
		"deleteServer": m.deleteServer,
		"panicServer":  m.panicServer,
		"addTenant":    nil,
		"updateTenant": nil,
		"deleteTenant": nil,
	} {
		g.POST("/"+name, m.handle(name, do))
	}
	m.registerRecordings(g)
}

// handle checks content type and checksum, in this order, before it looks at
// anything else of a request.
func (m *management) handle(call string, do managed) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Method == http.MethodPost && !isJSON(r) {
			return m.answer(c, call, nil, 0, nil, &apiError{http.StatusBadRequest, "POST request Content-Type must be application/json"})
		}
		signed, err := m.verify().VerifyQuery(call, r.URL.RawQuery)
		if err != nil {
			return m.refuse(c, call, err)
		}
		if do == nil {
			return m.answer(c, call, nil, http.StatusPreconditionFailed, map[string]string{"message": "Multitenancy is disabled"}, nil)
		}
		request, err := readManagement(c.Response(), r, signed.Params)
		if err != nil {
			return m.answer(c, call, request, 0, nil, err)
		}
		status, result, err := do(r.Context(), request)
		return m.answer(c, call, request, status, result, err)
	}
}

// isJSON reports whether a POST may have the body it has. One without a body
// needs no type.
func isJSON(r *http.Request) bool {
	header := r.Header.Get("Content-Type")
	if header == "" {
		return r.ContentLength == 0
	}
	kind, _, err := mime.ParseMediaType(header)
	return err == nil && kind == "application/json"
}

// apiError is an answer with an error for the client.
type apiError struct {
	status  int
	message string
}

func (e *apiError) Error() string { return e.message }

// asAPIError gives an error of the pool the form of the API.
func asAPIError(err error, id string) *apiError {
	if e, is := errors.AsType[*apiError](err); is {
		return e
	}
	switch {
	case errors.Is(err, balancer.ErrNoSuchServer):
		return &apiError{http.StatusNotFound, "Couldn't find server with id=" + id}
	case errors.Is(err, recordings.ErrNotFound), errors.Is(err, store.ErrNotFound):
		return &apiError{http.StatusNotFound, "Couldn't find recording with id=" + id}
	case errors.Is(err, recordings.ErrNoFiles):
		return &apiError{http.StatusConflict, "The files of the recording are missing"}
	case errors.Is(err, recordings.ErrNotInPlace):
		return &apiError{http.StatusServiceUnavailable, err.Error()}
	case errors.Is(err, balancer.ErrInvalid):
		return &apiError{http.StatusBadRequest, strings.Replace(err.Error(), balancer.ErrInvalid.Error()+": ", "", 1)}
	case errors.Is(err, balancer.ErrExists):
		return &apiError{http.StatusConflict, strings.Replace(err.Error(), balancer.ErrExists.Error()+": ", "", 1)}
	}
	return &apiError{http.StatusInternalServerError, "Internal error"}
}

// answer writes the result of a call, and logs what failed and what changed.
func (m *management) answer(c echo.Context, call string, r managementRequest, status int, result any, err error) error {
	about := []any{"addr", c.RealIP(), "call", call}
	if id, has := r.lookup("id"); has {
		about = append(about, subjectOf(call), clip(id))
	}
	switch {
	case err != nil:
		e := asAPIError(err, r.id())
		level := slog.LevelInfo
		if e.status >= http.StatusInternalServerError {
			level = slog.LevelError
		}
		m.log.Log(c.Request().Context(), level, "management call failed", append(about, "status", e.status, "cause", clip(err.Error()))...)
		status, result = e.status, map[string]string{"error": e.message}
	case c.Request().Method == http.MethodPost:
		if added, is := result.(serverObject); is {
			about = append(about[:4], "server", added.ID)
		}
		m.log.Info("management call", append(about, "status", status)...)
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(result); err != nil {
		return fmt.Errorf("encode the answer of %s: %w", call, err)
	}
	c.Response().Header().Set("Cache-Control", "no-store") // it may hold secrets
	// Not c.JSON, which indents when a query has "pretty" in it.
	return c.Blob(status, "application/json; charset=utf-8", bytes.TrimSuffix(body.Bytes(), []byte("\n")))
}

// clip keeps what came from outside short in the log.
func clip(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
