package admin

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

const (
	headerTimeout  = 5 * time.Second
	idleTimeout    = time.Minute
	maxHeaderBytes = 64 << 10
	// grace is how long calls may still run when the service stops; then their
	// context ends, and they have cutTime to notice.
	grace   = 15 * time.Second
	cutTime = 5 * time.Second
)

// Serve answers on ln with handler until ctx ends, then lets the calls that run
// come to their end and returns nil. It closes ln, and with it removes the
// socket. Any other end is an error.
//
// An answer has no time limit: a poll or a backup takes as long as it takes.
func Serve(ctx context.Context, ln net.Listener, handler http.Handler) error {
	calls, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return calls },
		ConnContext:       PeerContext,
		ErrorLog:          log.New(io.Discard, "", 0), // callers that went away are no news
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("admin socket: %w", errors.Join(err, server.Close()))
	case <-ctx.Done():
	}
	err := shutdown(calls, server, grace)
	if err != nil {
		cut()
		err = shutdown(context.WithoutCancel(calls), server, cutTime)
	}
	<-served
	if err != nil {
		return fmt.Errorf("admin socket: stop the calls that run: %w", errors.Join(err, server.Close()))
	}
	return nil
}

func shutdown(ctx context.Context, server *http.Server, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return server.Shutdown(ctx)
}
