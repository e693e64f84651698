package web

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/recordings"
	"scalelite/store"
	"scalelite/store/kv"
	"scalelite/store/kv/boltkv"
)

// testSecret is what the front-end of the tests signs with.
const testSecret = bbb.Secret("a-secret-for-tests")

// system is the whole HTTP side on a real store and simulated servers.
type system struct {
	t       testing.TB
	store   *store.Store
	pool    *balancer.Balancer
	web     *Server
	library *recordings.Library // with settings.recordings
	spool   *recordings.Spool   // with settings.recordings; it works when a test lets it
	servers []*bbbtest.Server
	base    string // of the BBB API
	url     string // of everything
	client  *http.Client
}

// settings of newSystem.
type settings struct {
	servers  int
	web      func(*Config)
	balancer func(*balancer.Config)
	// recordings are switched on if it is there, below a directory of the test.
	recordings func(*recordings.Config)
	importer   func(recordings.Importer) recordings.Importer // of the spool; nil: the library
	log        io.Writer
	handler    func(io.Writer) slog.Handler // of the log; nil: text
	engine     func(kv.Engine) kv.Engine    // wraps the database's
	health     func(context.Context) error  // nil: the store's
	// certificates make the listener speak TLS; they are run until the test ends.
	certificates func(Config, *slog.Logger) *Certificates
	player       *InstalledPlayer
	noSync       bool
}

// newSystem starts a listener with simulated servers that are enabled and were
// polled.
func newSystem(t testing.TB, o settings) *system {
	t.Helper()
	ctx := context.Background()
	engine, err := boltkv.Open(ctx, filepath.Join(t.TempDir(), "scalelite.db"), boltkv.Options{NoSync: o.noSync})
	if err != nil {
		t.Fatal(err)
	}
	s := &system{t: t}
	var below kv.Engine = engine
	if o.engine != nil {
		below = o.engine(engine)
	}
	if s.store, err = store.New(ctx, below, store.Options{}); err != nil {
		t.Fatal(err)
	}
	config := balancer.DefaultConfig()
	config.ConnectTimeout, config.ResponseTimeout, config.PollTimeout = 10*time.Second, 10*time.Second, 10*time.Second
	if o.balancer != nil {
		o.balancer(&config)
	}
	limits := bbb.ClientConfig{ConnectTimeout: config.ConnectTimeout, ResponseTimeout: config.ResponseTimeout}
	var out io.Writer = io.Discard
	if o.log != nil {
		out = o.log
	}
	handler := func(w io.Writer) slog.Handler {
		return slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})
	}
	if o.handler != nil {
		handler = o.handler
	}
	log := slog.New(handler(out))
	metrics := NewMetrics("test")
	s.pool, err = balancer.New(ctx, balancer.Options{
		Store: s.store, Client: bbb.NewClient(bbb.NewTransport(limits), limits),
		Config: config, Algorithm: bbb.SHA256, Log: log.With("component", "balancer"), Hooks: metrics.Hooks(),
		Recordings: o.recordings != nil,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.pool.Close()
		if err := s.store.Check(ctx); err != nil {
			t.Errorf("the store is not consistent: %v", err)
		}
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
	metrics.Watch(s.pool)
	webConfig := DefaultConfig()
	if o.web != nil {
		o.web(&webConfig)
	}
	health := o.health
	if health == nil {
		health = s.store.Healthy
	}
	recordingsConfig := recordings.DefaultConfig().Below(t.TempDir())
	if o.recordings != nil {
		recordingsConfig.MinFree = "1MB"
		o.recordings(&recordingsConfig)
		s.openRecordings(recordingsConfig, o.importer, log)
	}
	var certificates *Certificates
	if o.certificates != nil {
		certificates = o.certificates(webConfig, log.With("component", "tls"))
	}
	s.web = New(Options{
		Config: webConfig, Certificates: certificates, Version: "test", Pool: s.pool, Secrets: []bbb.Secret{testSecret},
		Store: s.store, Library: s.library, Spool: s.spool, Recordings: recordingsConfig,
		Health: health, Metrics: metrics, Log: log.With("component", "web"), Player: o.player,
	})
	s.listen()
	s.addServers(o.servers)
	return s
}

// openRecordings opens the library and a spool on it.
func (s *system) openRecordings(config recordings.Config, wrap func(recordings.Importer) recordings.Importer, log *slog.Logger) {
	s.t.Helper()
	var err error
	log = log.With("component", "recordings")
	s.library, err = recordings.Open(context.Background(), recordings.Options{Store: s.store, Config: config, Log: log})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := s.library.Close(); err != nil {
			s.t.Error(err)
		}
	})
	var importer recordings.Importer = s.library
	if wrap != nil {
		importer = wrap(importer)
	}
	s.spool, err = recordings.NewSpool(recordings.SpoolOptions{Config: config, Importer: importer, Store: s.store, Log: log})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *system) listen() {
	s.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.url = "http://" + ln.Addr().String()
	if s.web.options.Certificates != nil {
		s.url = "https://" + ln.Addr().String()
	}
	s.base = s.url + apiPath
	s.client = &http.Client{
		Timeout:       2 * time.Minute,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 256},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	s.serve(ln)
}

// serve answers on a listener until the test ends.
func (s *system) serve(ln net.Listener) {
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.web.Serve(ctx, ln) }()
	if certificates := s.web.options.Certificates; certificates != nil {
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { certificates.Run(ctx) })
		s.t.Cleanup(func() {
			cancel()
			running.Wait()
		})
	}
	s.t.Cleanup(func() {
		s.client.CloseIdleConnections()
		cancel()
		if err := <-served; err != nil {
			s.t.Errorf("serve: %v", err)
		}
	})
}

// addServers starts n simulated servers and takes them into the pool as bbb1,
// bbb2 and so on.
func (s *system) addServers(n int) {
	s.t.Helper()
	for i := range n {
		name := fmt.Sprintf("bbb%d", i+1)
		s.enlist(name, bbbtest.Start(s.t, bbbtest.Options{Name: name}))
	}
	s.poll()
}

// startServer starts one simulated server with options and takes it into the
// pool.
func (s *system) startServer(id string, o bbbtest.Options) *bbbtest.Server {
	s.t.Helper()
	server := bbbtest.Start(s.t, o)
	s.enlist(id, server)
	s.poll()
	return server
}

func (s *system) enlist(id string, server *bbbtest.Server) {
	s.t.Helper()
	s.servers = append(s.servers, server)
	_, err := s.pool.AddServer(context.Background(), balancer.NewServer{
		ID: id, URL: server.URL(), Secret: bbb.Secret(server.Secret()), Enable: true,
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// addBackend takes a server into the pool that answers as handler does; what
// polls ask is answered for it unless it is among the calls.
func (s *system) addBackend(id string, calls map[string]http.HandlerFunc) {
	s.t.Helper()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, apiPath), "/")
		if handler, ok := calls[call]; ok {
			handler(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/xml")
		_, _ = io.WriteString(w, "<response><returncode>SUCCESS</returncode><version>2.0</version><meetings/></response>")
	}))
	s.t.Cleanup(backend.Close)
	_, err := s.pool.AddServer(context.Background(), balancer.NewServer{
		ID: id, URL: backend.URL + apiPath, Secret: "secret-of-the-backend", Enable: true,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.poll()
}

// create creates a meeting and fails the test if that is refused.
func (s *system) create(id string, pairs ...string) {
	s.t.Helper()
	a := s.get("create", append([]string{"meetingID", id, "name", "Algebra", "attendeePW", "apw", "moderatorPW", "mpw"}, pairs...)...)
	if !a.OK {
		s.t.Fatalf("create %s: %s", id, a.body)
	}
}

// asked returns the latest request of a call that a simulated server saw.
func (s *system) asked(server int, call string) bbbtest.Request {
	s.t.Helper()
	requests := s.servers[server].Requests()
	for i := len(requests) - 1; i >= 0; i-- {
		if requests[i].Call == call {
			return requests[i]
		}
	}
	s.t.Fatalf("server %d was never asked for %s", server, call)
	return bbbtest.Request{}
}

func (s *system) poll() {
	s.t.Helper()
	if _, err := s.pool.Poll(context.Background()); err != nil {
		s.t.Fatal(err)
	}
}

// link returns the signed URL of a call; pairs are names and values in turn.
func (s *system) link(call string, pairs ...string) string {
	return s.base + "/" + call + "?" + bbb.Sign(bbb.SHA256, call, params(pairs...).Encode(), testSecret)
}

func params(pairs ...string) bbb.Params {
	var p bbb.Params
	for i := 0; i+1 < len(pairs); i += 2 {
		p.Set(pairs[i], pairs[i+1])
	}
	return p
}
