// Package bbbtest is a simulated BigBlueButton server: as strict as a real one
// about checksums, parameters and methods, and as badly behaved as it is told
// to be. It serves tests and the demo.
//
// It owns its listener, its meetings and the record of what it was asked. It
// must import nothing of this module: its checksum code is an independent
// judge of the client's. Nor does it import package testing, so that the demo
// can use it.
package bbbtest

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of everything that could grow without end.
const (
	defaultMaxBody = 64 << 20  // bytes of one request's body
	maxMeetings    = 100_000   // meetings held at once
	maxUsers       = 10_000    // people in one meeting that sets no limit itself
	maxChat        = 1_000     // chat messages kept for each meeting
	maxDocuments   = 100       // documents kept for each meeting
	maxRequests    = 10_000    // requests kept in the record
	maxBodies      = 128 << 20 // bytes of bodies kept in the record
	maxCallNames   = 256       // different call names counted
)

// Options of New; zero values are usable.
type Options struct {
	// Name is what the join page calls the server. Default "bbb1".
	Name string
	// Secret is the shared secret. Default: a random one.
	Secret string
	// Version is the bbbVersion of the index answer. Default "3.0.19".
	Version string
	// HideVersion leaves bbbVersion empty, as servers do that keep it to
	// themselves.
	HideVersion bool
	// Algorithms are the accepted checksum algorithms: sha1, sha256, sha384,
	// sha512. Default: all four.
	Algorithms []string
	// Legacy makes the server verify a POST without query over its sorted and
	// encoded body, as BigBlueButton 2.4 to 2.6 did.
	Legacy bool
	// Now tells the time that meetings live in. Default time.Now. Delays of
	// misbehaviour always run in real time.
	Now func() time.Time
	// EndDelay is how long an ended meeting stays listed, with
	// hasBeenForciblyEnded set. 0: it is gone once the answer is out.
	EndDelay time.Duration
	// MaxParticipants limits meetings that were created without
	// maxParticipants. 0: no limit but the one of this package, 10,000.
	MaxParticipants int
	// MaxBody is the longest request body in bytes; a longer one gets status
	// 413 as from the nginx in front of a real server. Default 64 MiB.
	MaxBody int64
	// Addr is what Start listens on. Default "127.0.0.1:0".
	Addr string
}

// Server is one simulated BigBlueButton server. It is an http.Handler; Start
// gives it a listener of its own. All methods may be called at any time from
// any goroutine.
type Server struct {
	opts       Options
	algorithms map[string]bool
	calls      map[string]route
	record     recorder
	rules      rules
	net        network
	background tasks

	mu         sync.Mutex // guards what follows
	secret     string
	meetings   map[string]*meeting // by internal meeting ID
	newest     map[string]*meeting // by external meeting ID: the latest one
	bridges    map[string]*meeting // by voice bridge: meetings that have not ended
	sessions   map[string]*session // by session token
	lastCreate int64               // the latest createTime given out, in ms
	due        time.Time           // no meeting expires or vanishes before
}

// New returns a server that does not listen yet.
func New(o Options) *Server {
	if o.Name == "" {
		o.Name = "bbb1"
	}
	if o.Secret == "" {
		o.Secret = rand.Text()
	}
	if o.Version == "" {
		o.Version = "3.0.19"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxBody <= 0 {
		o.MaxBody = defaultMaxBody
	}
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if len(o.Algorithms) == 0 {
		o.Algorithms = []string{"sha1", "sha256", "sha384", "sha512"}
	}
	s := &Server{
		opts:       o,
		secret:     o.Secret,
		algorithms: make(map[string]bool),
		meetings:   make(map[string]*meeting),
		newest:     make(map[string]*meeting),
		bridges:    make(map[string]*meeting),
		sessions:   make(map[string]*session),
	}
	for _, a := range o.Algorithms {
		s.algorithms[strings.ReplaceAll(strings.ToLower(a), "-", "")] = true
	}
	s.calls = s.routes()
	s.record.init()
	s.rules.init()
	s.background.init()
	return s
}

// Name is the server's name as its pages show it.
func (s *Server) Name() string { return s.opts.Name }

// Secret is the shared secret that calls must be signed with.
func (s *Server) Secret() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secret
}

// SetSecret changes the shared secret from the next request on.
func (s *Server) SetSecret(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secret = secret
}

// tasks are the goroutines that outlive the request that started them. They
// end when their context does, and stop waits for them.
type tasks struct {
	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex
	wg     sync.WaitGroup
	closed bool
}

func (t *tasks) init() { t.ctx, t.cancel = context.WithCancel(context.Background()) }

// start runs fn in a goroutine of its own, unless stop was called.
func (t *tasks) start(fn func(context.Context)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.wg.Go(func() { fn(t.ctx) })
}

// stop cancels the tasks and waits for their end.
func (t *tasks) stop() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.cancel()
	t.wg.Wait()
}

// network is the part of the server that holds a port.
type network struct {
	mu     sync.Mutex // serializes Start, Stop, Restart and Close
	addr   atomic.Pointer[string]
	run    *run
	hold   func() // gives the port up that Stop has reserved
	closed bool
}

// run is one span of listening.
type run struct {
	server *http.Server
	cancel context.CancelFunc // ends the requests under way
	served chan struct{}      // closed once nothing more is accepted
	conns  sync.WaitGroup     // one for each open connection
}

func sha1hex(s string) string {
	sum := sha1.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}
