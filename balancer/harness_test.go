package balancer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/store"
	"scalelite/store/storetest"
)

// clock runs with the real one and can be put forward.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
	asked  atomic.Pointer[func()] // called whenever the time is asked for
}

func (c *clock) Now() time.Time {
	if asked := c.asked.Load(); asked != nil {
		(*asked)()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// logged collects what is logged.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// rig is a balancer on a real database, with simulated servers s1, s2 ... that
// it reaches over real HTTP.
type rig struct {
	*balancer.Balancer
	t     *testing.T
	cfg   balancer.Config
	clock *clock
	log   *logged
	hooks balancer.Hooks
	db    *storetest.File
	sims  map[string]*bbbtest.Server

	recordings bool // as Options.Recordings, from the next start
}

// newPool returns a rig with n servers, enabled and polled.
func newPool(t *testing.T, n int, tweak ...func(*balancer.Config)) *rig {
	t.Helper()
	r := &rig{t: t, cfg: balancer.DefaultConfig(), clock: &clock{}, log: &logged{}, sims: map[string]*bbbtest.Server{}}
	for _, f := range tweak {
		f(&r.cfg)
	}
	r.db = storetest.OpenFile(t, filepath.Join(t.TempDir(), "pool.db"), r.clock.Now)
	r.start()
	t.Cleanup(r.leaks)
	t.Cleanup(func() { r.Close() })
	for i := range n {
		r.addServer(balancer.NewServer{ID: fmt.Sprintf("s%d", i+1)}, bbbtest.Options{})
	}
	if n > 0 {
		r.poll()
	}
	return r
}

// impatient makes calls to servers time out soon.
func impatient(c *balancer.Config) {
	c.ConnectTimeout, c.ResponseTimeout, c.PollTimeout = 2*time.Second, 700*time.Millisecond, 1500*time.Millisecond
}

func (r *rig) start() {
	r.t.Helper()
	config := bbb.ClientConfig{ConnectTimeout: r.cfg.ConnectTimeout, ResponseTimeout: r.cfg.ResponseTimeout}
	transport := bbb.NewTransport(config)
	r.t.Cleanup(transport.CloseIdleConnections)
	b, err := balancer.New(r.t.Context(), balancer.Options{
		Store: r.db.Store, Client: bbb.NewClient(transport, config), Config: r.cfg, Algorithm: bbb.SHA256,
		Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now: r.clock.Now, Hooks: r.hooks, Recordings: r.recordings,
	})
	if err != nil {
		r.t.Fatalf("start the balancer: %v", err)
	}
	r.Balancer = b
}

// restart ends the process in an orderly way and starts it again.
func (r *rig) restart() {
	r.t.Helper()
	r.Close()
	r.db.Reopen(r.t)
	r.start()
}

// crash goes on with what is on the disk.
func (r *rig) crash() {
	r.t.Helper()
	r.Close() // only so that nothing of the former process goes on
	r.db.Crash(r.t)
	r.start()
}

// leaks fails the test if a secret was logged.
func (r *rig) leaks() {
	text := r.log.String()
	for id, sim := range r.sims {
		if strings.Contains(text, sim.Secret()) {
			r.t.Errorf("the secret of server %s is in the log", id)
		}
	}
	for _, word := range []string{"checksum=", "-secret-word"} {
		if strings.Contains(text, word) {
			r.t.Errorf("the log has %q in it:\n%s", word, text)
		}
	}
}

// addServer starts a simulated server and adds it, enabled, to the pool.
func (r *rig) addServer(n balancer.NewServer, o bbbtest.Options) *bbbtest.Server {
	r.t.Helper()
	o.Name = n.ID
	sim := bbbtest.Start(r.t, o)
	r.sims[n.ID] = sim
	n.URL, n.Secret, n.Enable = sim.URL(), bbb.Secret(sim.Secret()), true
	if _, err := r.AddServer(r.t.Context(), n); err != nil {
		r.t.Fatalf("add server %s: %v", n.ID, err)
	}
	return sim
}

func (r *rig) poll() balancer.PollReport {
	r.t.Helper()
	report, err := r.Poll(r.t.Context())
	if err != nil {
		r.t.Fatalf("poll: %v", err)
	}
	return report
}

// stop makes a server refuse connections, and polls until that is known.
func (r *rig) offline(id string) {
	r.t.Helper()
	r.sims[id].Stop()
	for range r.cfg.UnhealthyThreshold {
		r.poll()
	}
	if r.info(id).Online {
		r.t.Fatalf("server %s is still online", id)
	}
}

// back lets a server answer again and polls until that is known and what it
// was owed has been sent.
func (r *rig) back(id string) {
	r.t.Helper()
	r.comeBack(id)
	for range r.cfg.HealthyThreshold {
		r.poll()
	}
	if !r.info(id).Online {
		r.t.Fatalf("server %s is still offline", id)
	}
}

func (r *rig) comeBack(id string) {
	r.t.Helper()
	if err := r.sims[id].Restart(); err != nil {
		r.t.Fatalf("restart server %s: %v", id, err)
	}
}

func (r *rig) info(id string) balancer.ServerInfo {
	r.t.Helper()
	info, err := r.Server(r.t.Context(), id)
	if err != nil {
		r.t.Fatalf("server %s: %v", id, err)
	}
	return info
}

func (r *rig) setState(id string, s store.State) {
	r.t.Helper()
	if _, err := r.UpdateServer(r.t.Context(), id, balancer.ServerChange{State: &s}); err != nil {
		r.t.Fatalf("set the state of server %s: %v", id, err)
	}
}

// request makes a request of a call name and a query string.
func request(call, query string) balancer.Request {
	return balancer.Request{Call: call, Params: bbb.ParseQuery(query), SignedBy: "fp-1"}
}

// about is a request about a meeting; more is appended to the query.
func about(call, id string, more ...string) balancer.Request {
	query := "meetingID=" + url.QueryEscape(id)
	for _, m := range more {
		query += "&" + m
	}
	return request(call, query)
}

// createOf is a create call for a meeting that does not run out by itself.
func createOf(id string, more ...string) balancer.Request {
	return about("create", id, append([]string{"name=Lesson", "meetingExpireIfNoUserJoinedInMinutes=0", "meetingExpireWhenLastUserLeftInMinutes=0"}, more...)...)
}

// create makes a meeting and returns the server that the record names.
func (r *rig) create(id string, more ...string) string {
	r.t.Helper()
	reply, err := r.Create(r.t.Context(), createOf(id, more...))
	if err != nil || !reply.OK {
		r.t.Fatalf("create %q: %v %s", id, err, reply.Body)
	}
	return r.record(id).Server
}

// record is what the store has of a meeting, which must be there.
func (r *rig) record(id string) store.Meeting {
	r.t.Helper()
	m, err := r.lookup(store.MeetingKey{ID: id})
	if err != nil {
		r.t.Fatalf("record of meeting %q: %v", id, err)
	}
	return m
}

func (r *rig) lookup(k store.MeetingKey) (m store.Meeting, err error) {
	err = r.db.View(context.Background(), func(tx *store.Tx) (err error) {
		m, err = tx.Meeting(k)
		return err
	})
	return m, err
}

func (r *rig) known(id string) bool {
	r.t.Helper()
	_, err := r.lookup(store.MeetingKey{ID: id})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		r.t.Fatalf("record of meeting %q: %v", id, err)
	}
	return err == nil
}

// on lists the servers that run a meeting, without those that have ended it.
func (r *rig) on(id string) []string {
	var on []string
	for _, s := range r.Pool().Servers() {
		if m, ok := r.sims[s.ID].Meeting(id); ok && !m.Ended {
			on = append(on, s.ID)
		}
	}
	return on
}

func (r *rig) wantOn(id string, servers ...string) {
	r.t.Helper()
	if got := r.on(id); strings.Join(got, " ") != strings.Join(servers, " ") {
		r.t.Errorf("meeting %q runs on %v, want %v", id, got, servers)
	}
}

// calls counts the calls of a name on all servers.
func (r *rig) calls(name string) int {
	var n int
	for _, sim := range r.sims {
		n += sim.Count(name)
	}
	return n
}

// last is the latest request of a call on a server.
func last(t *testing.T, sim *bbbtest.Server, call string) bbbtest.Request {
	t.Helper()
	var found *bbbtest.Request
	for _, q := range sim.Requests() {
		if q.Call == call {
			found = &q
		}
	}
	if found == nil {
		t.Fatalf("no %s was asked of %s", call, sim.Name())
	}
	return *found
}

// wantErr fails unless err is that entry of the catalogue.
func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

// eventually polls until ok, which something in the background brings about.
func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			r.t.Fatalf("never: %s\n%s", what, r.log)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// follow does what a browser does with a join link and returns the status.
func follow(t *testing.T, link string) *http.Response {
	t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(link)
	if err != nil {
		t.Fatalf("follow a join link: %v", err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// join sends somebody into a meeting through the balancer.
func (r *rig) join(id string) error {
	r.t.Helper()
	link, err := r.Join(r.t.Context(), about("join", id, "fullName=Somebody", "role=VIEWER"), true)
	if err != nil {
		return err
	}
	resp := follow(r.t, link)
	if resp.StatusCode != http.StatusFound || strings.Contains(resp.Header.Get("Location"), "errors=") {
		return fmt.Errorf("the server answered %d to the join, %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	return nil
}

// enter puts somebody into a meeting on its server, without us.
func (r *rig) enter(server, id string) (user string) {
	r.t.Helper()
	user, err := r.sims[server].Join(id, "Somebody", false)
	if err != nil {
		r.t.Fatalf("join %q on %s: %v", id, server, err)
	}
	return user
}

// makeOn makes a meeting on a server without us.
func (r *rig) makeOn(server, id string, more ...string) bbbtest.Meeting {
	r.t.Helper()
	params := map[string]string{
		"meetingID": id, "name": "Lesson",
		"meetingExpireIfNoUserJoinedInMinutes": "0", "meetingExpireWhenLastUserLeftInMinutes": "0",
	}
	for _, m := range more {
		name, value, _ := strings.Cut(m, "=")
		params[name] = value
	}
	m, err := r.sims[server].Create(params)
	if err != nil {
		r.t.Fatalf("create %q on %s: %v", id, server, err)
	}
	return m
}
