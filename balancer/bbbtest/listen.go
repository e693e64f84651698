package bbbtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// Start listens on Options.Addr and serves until Stop or Close. The URL is
// known when it returns.
func (s *Server) Start() error {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	if s.net.addr.Load() != nil {
		return errors.New("already started")
	}
	return s.listen(s.opts.Addr)
}

// Stop refuses connections from now on and cuts the open ones, as if the
// machine's web server had died; meetings and people stay. It waits for the
// requests under way. On a server that does not listen it does nothing.
func (s *Server) Stop() {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	s.stop()
	if addr := s.net.addr.Load(); addr != nil && s.net.hold == nil && !s.net.closed {
		s.net.hold = holdPort(*addr)
	}
}

// Restart listens again on the port that Start got. A server that listens is
// stopped first.
func (s *Server) Restart() error {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	addr := s.net.addr.Load()
	if addr == nil {
		return errors.New("was never started")
	}
	s.stop()
	s.release()
	return s.listen(*addr)
}

// Close stops the server for good: connections are refused, hanging requests
// are cut, and everything it started has ended when it returns.
func (s *Server) Close() {
	s.net.mu.Lock()
	s.stop()
	s.release()
	s.net.closed = true
	s.net.mu.Unlock()
	s.background.stop()
}

// URL is the base of the API, "http://127.0.0.1:PORT/bigbluebutton/api"; empty
// before Start. It stays the same through Stop and Restart.
func (s *Server) URL() string {
	if addr := s.net.addr.Load(); addr != nil {
		return "http://" + *addr + "/bigbluebutton/api"
	}
	return ""
}

func (s *Server) listen(addr string) error {
	if s.net.closed {
		return errors.New("server is closed")
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("simulated server %s: %w", s.opts.Name, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &run{cancel: cancel, served: make(chan struct{})}
	r.server = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		// Broken connections are this server's trade, not news.
		ErrorLog:  log.New(io.Discard, "", 0),
		ConnState: r.count,
	}
	bound := l.Addr().String()
	s.net.addr.Store(&bound)
	s.net.run = r
	go func() {
		defer close(r.served)
		_ = r.server.Serve(l) // always ErrServerClosed or a dead listener
	}()
	return nil
}

// count keeps the number of connections whose goroutine still runs. New ones
// are reported by the goroutine that accepts, so none come after it has ended.
func (r *run) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		r.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		r.conns.Done()
	}
}

func (s *Server) stop() {
	r := s.net.run
	if r == nil {
		return
	}
	s.net.run = nil
	r.cancel()
	_ = r.server.Close()
	<-r.served
	// A connection accepted while Close went through its list is not in it.
	_ = r.server.Close()
	r.conns.Wait()
}

func (s *Server) release() {
	if s.net.hold != nil {
		s.net.hold()
		s.net.hold = nil
	}
}
