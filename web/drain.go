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
	conns  sync.Map            // net.Conn: their state, as *atomic.Int32
	open   atomic.Int64        // how many there are
	before atomic.Int64        // requests to wait for, begun before Retire
	silent func(net.Conn) bool // see silent

	mu   sync.Mutex
	cuts map[*cuttable]bool
}

// cuttable is a request that may be cut: its client tries again by itself.
type cuttable struct {
	control *http.ResponseController
	upload  bool
}

func newGate(s *Server, next http.Handler) *gate {
	return &gate{server: s, next: next, silent: silent, cuts: map[*cuttable]bool{}}
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
		g.conns.Store(conn, new(atomic.Int32)) // StateNew is 0
	case http.StateClosed, http.StateHijacked:
		g.open.Add(-1)
		g.conns.Delete(conn)
	default:
		if known, ok := g.conns.Load(conn); ok {
			known.(*atomic.Int32).Store(int32(state))
		}
	}
}

// settle waits, while everybody is let in through ln, for the requests that ran at
// the time of Retire, for connections to turn over, and shortly for those who
// stand outside.
func (g *gate) settle(ln net.Listener) {
	g.server.Retire()
	since := *g.server.retired.since.Load()
	var settled time.Time
	for time.Since(since) < drainTimeout-closeTimeout {
		turned := g.open.Load() == 0 || time.Since(since) >= turnTime
		if settled.IsZero() && turned && g.before.Load() == 0 {
			settled = time.Now()
		}
		if !settled.IsZero() && (!queued(ln) || time.Since(settled) >= turnTime) {
			return
		}
		time.Sleep(drainTick)
	}
}

// finish waits for those who were let in. http.Server.Shutdown does not: it
// drops a request whose header comes after it was called.
func (g *gate) finish(ctx context.Context) {
	for began := time.Now(); ctx.Err() == nil; time.Sleep(drainTick) {
		waits := false
		g.conns.Range(func(conn, state any) bool {
			switch http.ConnState(state.(*atomic.Int32).Load()) {
			case http.StateIdle:
			case http.StateNew:
				waits = time.Since(began) < turnTime || !g.silent(conn.(net.Conn))
			default:
				waits = true
			}
			return !waits
		})
		if !waits {
			return
		}
		if time.Since(began) >= turnTime {
			g.cut(false)
		}
	}
}

// dismiss closes the connections that nothing came over, which Shutdown would
// wait for.
func (g *gate) dismiss() {
	g.conns.Range(func(conn, state any) bool {
		if c := conn.(net.Conn); http.ConnState(state.(*atomic.Int32).Load()) == http.StateNew && g.silent(c) {
			_ = c.Close()
		}
		return true
	})
}

// silent reports that nothing has ever come over a connection, not even the
// beginning of a handshake: browsers open some in advance. Of other connections
// than TCP that is not known.
func silent(conn net.Conn) bool {
	tcp := tcpOf(conn)
	return tcp != nil && nothingReceived(tcp)
}

// serveOn is Serve for one server, whose limits it sets.
func (s *Server) serveOn(ctx context.Context, ln net.Listener, server *http.Server) error {
	return newGate(s, server.Handler).serveOn(ctx, ln, server)
}

// serveOn is that with the gate before the handler.
func (g *gate) serveOn(ctx context.Context, ln net.Listener, server *http.Server) error {
	server.Handler, server.ConnState = g, g.noteConn
	server.ReadHeaderTimeout = readHeaderTimeout
	server.ReadTimeout = readTimeout
	server.WriteTimeout = writeTimeout
	server.IdleTimeout = idleTimeout
	server.MaxHeaderBytes = maxHeaderBytes
	server.ErrorLog = slog.NewLogLogger(g.server.log.Handler(), slog.LevelDebug)
	serve := server.Serve
	if server.TLSConfig != nil {
		serve = func(ln net.Listener) error { return server.ServeTLS(ln, "", "") }
	}
	served := make(chan error, 1)
	go func() { served <- serve(holding{ln, new(sync.Pool)}) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	g.settle(ln)
	// From here on nobody is let in.
	closed := ignoreClosed(ln.Close())
	return errors.Join(closed, ignoreClosed(<-served), g.end(context.WithoutCancel(ctx), server))
}

// end answers those who were let in, as long as there is time.
func (g *gate) end(ctx context.Context, server *http.Server) error {
	since := *g.server.retired.since.Load()
	ctx, cancel := context.WithTimeout(ctx, max(drainTimeout-time.Since(since), lastTimeout))
	defer cancel()
	g.cut(true)
	g.finish(ctx)
	g.dismiss()
	err := server.Shutdown(ctx) // of idle connections, and of HTTP/2
	if errors.Is(err, context.DeadlineExceeded) {
		// A client that dawdles is no failure of the stop.
		g.server.log.Warn("requests still ran and were cut", "after", time.Since(since).Round(time.Second).String())
		err = nil
	}
	return errors.Join(err, server.Close())
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
