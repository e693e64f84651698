package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

const (
	// bodyTimeout bounds the time in which a request's body must arrive.
	bodyTimeout = 30 * time.Second
	// writeTimeout bounds one write of a backup: whoever reads it may be slow,
	// but not asleep.
	writeTimeout = time.Minute
)

// HandlerOptions of NewHandler.
type HandlerOptions struct {
	// Log gets a line for each change and each failure; needed.
	Log *slog.Logger
	// Metrics answers GET /metrics; nil: nothing does.
	Metrics http.Handler
	// Version of the program, which Client compares with its own.
	Version string
}

// NewHandler returns what answers on the admin socket: Service as HTTP. It trusts
// whoever can connect, so it must be served on a unix socket only; requests that
// a browser made for a web page, with Origin or Referer, are refused all the
// same, in case something forwards them there.
//
// A failure is {"code":C,"error":MESSAGE} with a status that fits.
func NewHandler(s Service, o HandlerOptions) http.Handler {
	return &handler{service: s, log: o.Log, metrics: o.Metrics, version: o.Version, calls: calls(s)}
}

type handler struct {
	service Service
	log     *slog.Logger
	metrics http.Handler
	version string
	calls   map[string]call
}

// ServeHTTP answers one request.
func (h *handler) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w := &tracked{ResponseWriter: rw}
	defer h.recovered(w, r)
	w.Header().Set(versionHeader, h.version)
	w.Header().Set("Cache-Control", "no-store")
	if r.Header.Get("Origin") != "" || r.Header.Get("Referer") != "" {
		h.fail(w, r, http.StatusForbidden, &Error{Invalid, "requests of a browser are not answered here"}, nil)
		return
	}
	switch r.URL.Path {
	case pathBackup:
		if h.allowed(w, r, http.MethodGet) {
			h.backup(w, r)
		}
		return
	case pathImportFile:
		if h.allowed(w, r, http.MethodPost) {
			h.importFile(w, r)
		}
		return
	case pathMetrics:
		if h.metrics != nil && h.allowed(w, r, http.MethodGet) {
			h.metrics.ServeHTTP(w, r)
		}
		if h.metrics != nil {
			return
		}
	}
	c, known := h.calls[r.URL.Path]
	if !known {
		message := fmt.Sprintf("there is no %s in version %s of the daemon", r.URL.Path, h.version)
		if theirs := r.Header.Get(versionHeader); theirs != "" && theirs != h.version {
			message += fmt.Sprintf(", and the command is version %s: restart the daemon", theirs)
		}
		h.fail(w, r, http.StatusNotFound, &Error{Invalid, message}, nil)
		return
	}
	if h.allowed(w, r, c.method) {
		h.call(w, r, c)
	}
}

// recovered answers a request whose handler panicked, or cuts the connection if
// the answer has begun.
func (h *handler) recovered(w *tracked, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	h.log.Error("admin call panicked", "call", name(r), "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
	if w.started {
		panic(http.ErrAbortHandler)
	}
	answer(w, http.StatusInternalServerError, failure{Code: Internal, Message: "the daemon made a mistake: its log says which"})
}

func (h *handler) allowed(w *tracked, r *http.Request, method string) bool {
	if r.Method == method {
		return true
	}
	w.Header().Set("Allow", method)
	h.fail(w, r, http.StatusMethodNotAllowed, &Error{Invalid, fmt.Sprintf("%s takes %s", r.URL.Path, method)}, nil)
	return false
}

// call carries one call out.
func (h *handler) call(w *tracked, r *http.Request, c call) {
	body, err := readBody(w, r)
	if err != nil {
		status := http.StatusBadRequest
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			status = http.StatusRequestEntityTooLarge
		}
		h.fail(w, r, status, &Error{Invalid, "the request could not be read: " + err.Error()}, nil)
		return
	}
	result, about, err := c.run(r.Context(), body)
	if err != nil {
		if r.Context().Err() != nil {
			// The caller is gone, or this process is about to be.
			err = &Error{Internal, "the daemon stopped before the call was done: " + err.Error()}
		}
		if !c.partial {
			result = nil
		}
		e := asError(err)
		h.fail(w, r, statusOf(e.Code), e, result)
		return
	}
	if c.changes {
		h.log.Info("operator's change", append(peer(r.Context()), "call", name(r), "about", about)...)
	}
	answer(w, http.StatusOK, result)
}

// fail answers with an error and logs it.
func (h *handler) fail(w *tracked, r *http.Request, status int, e *Error, result any) {
	h.log.Warn("admin call failed", append(peer(r.Context()), "call", name(r), "code", string(e.Code), "cause", e.Message)...)
	answer(w, status, failure{Code: e.Code, Message: e.Message, Result: result})
}

// name is the call of a request, for the log.
func name(r *http.Request) string {
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	return path[:min(len(path), 64)]
}

// backup streams a copy of the database. The trailer tells whether it is whole.
func (h *handler) backup(w *tracked, r *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Trailer", resultTrailer)
	w.Header().Set("Connection", "close") // its deadline is no other request's
	err := h.service.Backup(r.Context(), paced{w, http.NewResponseController(w)})
	switch {
	case err != nil && !w.started:
		w.Header().Del("Trailer")
		e := asError(err)
		h.fail(w, r, statusOf(e.Code), e, nil)
		return
	case err != nil:
		h.log.Warn("backup failed", append(peer(r.Context()), "cause", err.Error())...)
		e := asError(err)
		text, err := json.Marshal(failure{Code: e.Code, Message: e.Message})
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set(resultTrailer, string(text))
		return
	}
	if !w.started {
		w.WriteHeader(http.StatusOK)
	}
	w.Header().Set(resultTrailer, resultComplete)
	h.log.Info("backup sent", peer(r.Context())...)
}

// readBody reads a bounded body in bounded time.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(bodyTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, err
	}
	// The call itself may last; a deadline that passes would cancel it.
	if err := control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}
	return body, nil
}

// answer writes v as JSON. An error of writing means that the caller is gone.
func answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status = http.StatusInternalServerError
		body = []byte(`{"code":"internal","error":"the answer could not be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// tracked remembers whether the answer has begun.
type tracked struct {
	http.ResponseWriter
	started bool
}

func (t *tracked) WriteHeader(status int) {
	t.started = true
	t.ResponseWriter.WriteHeader(status)
}

func (t *tracked) Write(p []byte) (int, error) {
	t.started = true
	return t.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (t *tracked) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// paced gives every write its time.
type paced struct {
	w       io.Writer
	control *http.ResponseController
}

func (p paced) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.w.Write(b)
}

// peer is the caller for the log.
func peer(ctx context.Context) []any {
	p, known := PeerOf(ctx)
	if !known {
		return nil
	}
	return []any{"uid", p.UID, "pid", p.PID}
}
