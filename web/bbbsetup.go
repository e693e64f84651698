package web

import (
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/labstack/echo/v4"

	"scalelite/store"
	"scalelite/systemd/bbbside"
)

// scriptType is that of the setup script: to be read, not to be run by what
// shows it.
const scriptType = "text/plain; charset=utf-8"

// The answers where there is no script. They are scripts themselves: what is
// piped into a shell says what is wrong there and does nothing else.
const (
	linkExpired  = "echo 'The link to the setup script is expired. Make a new one on the load balancer: scalelite bbb-script' >&2; exit 1\n"
	linkForged   = "echo 'The link to the setup script is not whole, or its server is not in the pool any more. Make a new one on the load balancer: scalelite bbb-script' >&2; exit 1\n"
	scriptOff    = "echo 'This load balancer takes no recordings: recordings.enabled is false.' >&2; exit 1\n"
	scriptFailed = "echo 'The load balancer could not make the setup script; its log says why.' >&2; exit 1\n"
)

// setupRoutes are the scripts that set servers up.
func (s *Server) setupRoutes() {
	s.show(bbbside.Path, s.setupScript)
}

// setupScript answers with the script that a link was made for. The link is
// signed with the secret of the server that the script is for.
func (s *Server) setupScript(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	query := c.QueryParams()
	log := s.log.With("addr", c.RealIP(), "server", clip(query.Get("server")))
	script, err := s.scriptOfLink(c, query)
	switch {
	case err == nil:
		log.Info("setup script given out")
		return c.Blob(http.StatusOK, scriptType, script)
	case errors.Is(err, bbbside.ErrExpired):
		log.Info("link to a setup script refused", "cause", err)
		return c.Blob(http.StatusForbidden, scriptType, []byte(linkExpired))
	case errors.Is(err, bbbside.ErrForged):
		log.Warn("link to a setup script refused", "cause", err)
		return c.Blob(http.StatusForbidden, scriptType, []byte(linkForged))
	case errors.Is(err, errUploadsOff):
		return c.Blob(http.StatusNotFound, scriptType, []byte(scriptOff))
	}
	log.Error("setup script could not be made", "cause", err)
	return c.Blob(http.StatusInternalServerError, scriptType, []byte(scriptFailed))
}

// scriptOfLink is the script that a link leads to, if it was made here: what it
// says is believed only then. A server that does not exist has no secret, with
// which no link is good.
func (s *Server) scriptOfLink(c echo.Context, query url.Values) ([]byte, error) {
	var server store.Server
	err := s.store.View(c.Request().Context(), func(tx *store.Tx) (err error) {
		server, err = tx.Server(query.Get("server"))
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	params, err := bbbside.ReadLink(query, server.Secret.Reveal(), time.Now())
	if err != nil {
		return nil, err
	}
	if s.spool == nil {
		return nil, errUploadsOff
	}
	address, err := url.Parse(server.API)
	if err != nil {
		return nil, err
	}
	params.Host = address.Hostname()
	if params.SSH.Spool, err = filepath.Abs(s.recordingsConfig().SpoolDir); err != nil {
		return nil, err
	}
	return bbbside.Script(params)
}
