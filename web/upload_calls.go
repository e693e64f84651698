package web

import (
	"maps"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// Agent is how the sender of our setup script names itself in its requests.
const Agent = "scalelite-send"

// maxCallers bounds of how many servers the last call is remembered.
const maxCallers = 1000

// ServerCall is the last call that a server made about its recordings.
type ServerCall struct {
	Time  time.Time
	Agent string // what made it, by its own account
}

// serverCalls has the last call of each server since the start, by its ID.
// Those whose token was refused are not among them.
type serverCalls struct {
	mu   sync.Mutex
	last map[string]ServerCall
}

func (s *serverCalls) note(c echo.Context, server string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.last[server]; !known && len(s.last) >= maxCallers {
		clear(s.last) // most of them are no servers any more
	}
	if s.last == nil {
		s.last = map[string]ServerCall{}
	}
	s.last[server] = ServerCall{time.Now().UTC(), clip(c.Request().UserAgent())}
}

// ServerCalls returns by server's ID the last call that the server made about
// its recordings since the start, whatever way they themselves take.
func (s *Server) ServerCalls() map[string]ServerCall {
	s.callers.mu.Lock()
	defer s.callers.mu.Unlock()
	return maps.Clone(s.callers.last)
}
