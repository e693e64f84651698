package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of the listener. A create may ask three servers in turn, each of which
// may take its time: the answer's limit leaves room for that.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 60 * time.Second
	writeTimeout      = 3 * time.Minute
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// Limits of a stop, see Retire.
const (
	// drainTimeout is how long running requests are waited for. A create that
	// tries three servers may take most of it.
	drainTimeout = 110 * time.Second
	// closeTimeout is the part of it in which nobody is let in any more, and
	// lastTimeout what remains of that if other parts took longer to stop.
	closeTimeout = 15 * time.Second
	lastTimeout  = 5 * time.Second
	// turnTime is how long clients have to notice that their connection ends.
	turnTime = time.Second
	// retryUploads is after how many seconds a refused upload may come again.
	retryUploads = "10"
	drainTick    = 5 * time.Millisecond
)

// StopTimeout is how long Serve takes at most to return after the end of its
// context, if Retire was called no later than that.
const StopTimeout = drainTimeout + lastTimeout

// retirement is when Retire was called.
type retirement struct{ since atomic.Pointer[time.Time] }

// Retire prepares the end of Serve while everything is still answered: each
// answer tells that its connection ends with it, so that clients come back on
// new ones, and tarballs are asked to come later.
//
// Serve, when its context ends, does so too; it goes on answering until the
// requests that ran at that moment are done, and then lets nobody in any more
// while it answers the last ones. So those who connect at that time wait
// shortly, if the socket stays open elsewhere. Files that are being sent are
// not waited for: their readers ask for the rest.
func (s *Server) Retire() {
	now := time.Now()
	s.retired.since.CompareAndSwap(nil, &now)
}

// gate stands before the handler of one listener and knows what runs behind it.
type gate struct {
	next   http.Handler
	server *Server
	open   atomic.Int64 // connections
	fresh  sync.Map     // net.Conn that have not asked for anything yet
	before atomic.Int64 // requests to wait for, begun before Retire

	mu   sync.Mutex
	cuts map[*cuttable]bool
}

// cuttable is a request that may be cut: its client tries again by itself.
type cuttable struct {
	control *http.ResponseController
	upload  bool
}

func newGate(s *Server, next http.Handler) *gate {
	return &gate{server: s, next: next, cuts: map[*cuttable]bool{}}
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	retired := g.server.retired.since.Load() != nil
	if retired {
		w.Header().Set("Connection", "close")
	}
	upload, download := isUpload(r), isDownload(r)
	switch {
	case upload && retired:
		refuseWhileStopping(w)
		return
	case upload || download:
		defer g.track(&cuttable{http.NewResponseController(w), upload})()
	}
	if !retired && !download {
		g.before.Add(1)
		defer g.before.Add(-1)
	}
	g.next.ServeHTTP(w, r)
}

func isUpload(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Path == uploadPath+"/upload"
}

// isDownload tells the files of recordings from calls, which lie below the two
// fixed paths.
func isDownload(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		!strings.HasPrefix(r.URL.Path, "/bigbluebutton") && !strings.HasPrefix(r.URL.Path, managementPath)
}

func refuseWhileStopping(w http.ResponseWriter) {
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Retry-After", retryUploads)
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write([]byte(`{"error":"The service is being restarted."}`))
}

func (g *gate) track(c *cuttable) (done func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cuts[c] = true
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.cuts, c)
	}
}

// cut ends uploads, or everything that may be cut. A request that moves on puts
// its deadlines off: one that passed between two blocks is cut the next time.
func (g *gate) cut(uploadsOnly bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	past := time.Unix(1, 0)
	for c := range g.cuts {
		if c.upload {
			_ = c.control.SetReadDeadline(past)
		} else if !uploadsOnly {
			_ = c.control.SetWriteDeadline(past)
		}
	}
}

// noteConn is the http.Server.ConnState of the listener.
func (g *gate) noteConn(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		g.open.Add(1)
		g.fresh.Store(conn, true)
	case http.StateActive:
		g.fresh.Delete(conn)
	case http.StateClosed, http.StateHijacked:
		g.open.Add(-1)
		g.fresh.Delete(conn)
	}
}

// settle waits, while everybody is let in, for the requests that ran at the time
// of Retire, and for connections to turn over.
func (g *gate) settle(since time.Time) {
	for time.Since(since) < drainTimeout-closeTimeout {
		turned := g.open.Load() == 0 || time.Since(since) >= turnTime
		if turned && g.before.Load() == 0 {
			return
		}
		time.Sleep(drainTick)
	}
}

// hasten keeps those from holding up the end who need not be waited for, until
// ctx ends.
func (g *gate) hasten(ctx context.Context) {
	timer := time.NewTimer(turnTime)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			timer.Reset(10 * drainTick)
		case <-ctx.Done():
			return
		}
		g.cut(false)
		g.fresh.Range(func(conn, _ any) bool {
			_ = conn.(net.Conn).Close()
			return true
		})
	}
}

// serveOn is Serve for one server, whose limits it sets.
func (s *Server) serveOn(ctx context.Context, ln net.Listener, server *http.Server) error {
	g := newGate(s, server.Handler)
	server.Handler, server.ConnState = g, g.noteConn
	server.ReadHeaderTimeout = readHeaderTimeout
	server.ReadTimeout = readTimeout
	server.WriteTimeout = writeTimeout
	server.IdleTimeout = idleTimeout
	server.MaxHeaderBytes = maxHeaderBytes
	server.ErrorLog = slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)
	serve := server.Serve
	if server.TLSConfig != nil {
		serve = func(ln net.Listener) error { return server.ServeTLS(ln, "", "") }
	}
	served := make(chan error, 1)
	go func() { served <- serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	return errors.Join(g.end(context.WithoutCancel(ctx), server), ignoreClosed(<-served))
}

// end stops the server as Retire describes it.
func (g *gate) end(ctx context.Context, server *http.Server) error {
	g.server.Retire()
	since := *g.server.retired.since.Load()
	g.settle(since)
	g.cut(true)
	ctx, cancel := context.WithTimeout(ctx, max(drainTimeout-time.Since(since), lastTimeout))
	defer cancel()
	var hastening sync.WaitGroup
	hastening.Go(func() { g.hasten(ctx) })
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		// A client that dawdles is no failure of the stop.
		g.server.log.Warn("requests still ran and were cut", "after", time.Since(since).Round(time.Second).String())
		err = nil
	}
	cancel()
	hastening.Wait()
	return errors.Join(err, server.Close())
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
