package web

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"scalelite/store"
	"scalelite/systemd/bbbside"
)

// scriptType is that of the setup script: to be read, not to be run by what
// shows it.
const scriptType = "text/plain; charset=utf-8"

// The answers to links that lead to no script. They are scripts themselves: what
// is piped into a shell says what is wrong there and does nothing else.
const (
	linkExpired = "echo 'The link to the setup script is expired. Make a new one on the load balancer: scalelite bbb-script' >&2; exit 1\n"
	linkForged  = "echo 'The link to the setup script is not whole, or its server is not in the pool any more. Make a new one on the load balancer: scalelite bbb-script' >&2; exit 1\n"
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
	server, err := s.serverOfLink(c, query)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	log := s.log.With("addr", c.RealIP(), "server", clip(query.Get("server")))
	params, refused := bbbside.ReadLink(query, server.Secret.Reveal(), time.Now())
	if refused != nil {
		log.Info("link to a setup script refused", "cause", refused)
		text := linkForged
		if errors.Is(refused, bbbside.ErrExpired) {
			text = linkExpired
		}
		return c.Blob(http.StatusForbidden, scriptType, []byte(text))
	}
	address, err := url.Parse(server.API)
	if err != nil {
		return err
	}
	params.Host, params.SSH.Spool = address.Hostname(), s.recordingsConfig().SpoolDir
	script, err := bbbside.Script(params)
	if err != nil {
		return err
	}
	log.Info("setup script given out")
	return c.Blob(http.StatusOK, scriptType, script)
}

// serverOfLink is the server that a link names, which need not be true.
func (s *Server) serverOfLink(c echo.Context, query url.Values) (server store.Server, err error) {
	err = s.store.View(c.Request().Context(), func(tx *store.Tx) error {
		server, err = tx.Server(query.Get("server"))
		return err
	})
	return server, err
}
