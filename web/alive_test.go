package web

import (
	"context"
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"
)

// TestAlive: the handler is asked under its own name, without a word in the log,
// and an answer that is none counts as none.
func TestAlive(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"", "lb.example.org", "lb.example.org."} {
		log := &lockedLog{}
		s := newSystem(t, settings{noSync: true, log: log, web: func(c *Config) { c.Host = host }, health: func(context.Context) error {
			t.Error("asked for the health")
			return nil
		}}).web
		if err := s.Alive(t.Context()); err != nil || log.count("component=web") > 0 {
			t.Errorf("host %q: %v, log %s", host, err, log)
		}
	}
	for what, answer := range map[string]echo.HandlerFunc{
		"failure": func(c echo.Context) error { return c.String(http.StatusInternalServerError, "no") },
		"nothing": func(echo.Context) error { return nil },
		"empty":   func(c echo.Context) error { return c.NoContent(http.StatusOK) },
	} {
		s := &Server{echo: echo.New()}
		s.live.Store(&liveConfig{})
		s.echo.GET(apiPath, answer)
		if s.Alive(t.Context()) == nil {
			t.Errorf("%s counts as an answer", what)
		}
	}
}
