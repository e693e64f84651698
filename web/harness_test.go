package web

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/store"
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
	log      io.Writer
	noSync   bool
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
	if s.store, err = store.New(ctx, engine, store.Options{}); err != nil {
		t.Fatal(err)
	}
	config := balancer.DefaultConfig()
	config.ConnectTimeout, config.ResponseTimeout, config.PollTimeout = 2*time.Second, 2*time.Second, 2*time.Second
	if o.balancer != nil {
		o.balancer(&config)
	}
	limits := bbb.ClientConfig{ConnectTimeout: config.ConnectTimeout, ResponseTimeout: config.ResponseTimeout}
	var out io.Writer = io.Discard
	if o.log != nil {
		out = o.log
	}
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	metrics := NewMetrics("test")
	s.pool, err = balancer.New(ctx, balancer.Options{
		Store: s.store, Client: bbb.NewClient(bbb.NewTransport(limits), limits),
		Config: config, Algorithm: bbb.SHA256, Log: log, Hooks: metrics.Hooks(),
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
	s.web = New(Options{
		Config: webConfig, Version: "test", Pool: s.pool, Secrets: []bbb.Secret{testSecret},
		Health: s.store.Healthy, Metrics: metrics, Log: log,
	})
	s.listen()
	s.addServers(o.servers)
	return s
}

func (s *system) listen() {
	s.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.web.Serve(ctx, ln) }()
	s.url = "http://" + ln.Addr().String()
	s.base = s.url + apiPath
	s.client = &http.Client{
		Timeout:       30 * time.Second,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 256},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
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
		server := bbbtest.Start(s.t, bbbtest.Options{Name: name})
		s.servers = append(s.servers, server)
		_, err := s.pool.AddServer(context.Background(), balancer.NewServer{
			ID: name, URL: server.URL(), Secret: bbb.Secret(server.Secret()), Enable: true,
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	s.poll()
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

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	bbb.Reply
}

// get calls with a signed GET and reads the XML.
func (s *system) get(call string, pairs ...string) answer {
	s.t.Helper()
	return s.fetch(http.MethodGet, s.link(call, pairs...), nil, nil)
}

// fetch sends a request. An XML answer is parsed.
func (s *system) fetch(method, url string, header http.Header, body io.Reader) answer {
	s.t.Helper()
	request, err := http.NewRequest(method, url, body)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
		if name == "Host" {
			request.Host = values[0]
		}
	}
	response, err := s.client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := answer{status: response.StatusCode, header: response.Header, body: string(text)}
	if response.Header.Get("Content-Type") == xmlType && method != http.MethodHead {
		if a.Reply, err = bbb.ParseReply("scalelite", text); err != nil {
			s.t.Fatalf("%s %s: %v", method, url, err)
		}
	}
	return a
}
