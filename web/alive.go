package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// Alive has the handler answer a call, as if it had come from this machine, and
// returns why it did not. It waits for nothing that lies outside the process.
func (s *Server) Alive(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, apiPath, nil)
	if err != nil {
		return err
	}
	r.Host, r.RemoteAddr = s.live.Load().Host, localPeer
	w := &noted{header: http.Header{}}
	s.echo.ServeHTTP(w, r)
	switch {
	case w.status != http.StatusOK:
		return fmt.Errorf("status %d", w.status)
	case w.bytes == 0:
		return errors.New("an empty answer")
	}
	return nil
}

// noted is a response of which only that it came is of interest.
type noted struct {
	header        http.Header
	status, bytes int
}

func (w *noted) Header() http.Header { return w.header }

func (w *noted) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *noted) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.bytes += len(p)
	return len(p), nil
}
