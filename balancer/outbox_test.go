package balancer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/store"
	"scalelite/store/storetest"
)

// frontEnd is a front-end that is told of recordings.
type frontEnd struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    []string // the signed parameters of each call
}

func newFrontEnd(t *testing.T) *frontEnd {
	f := &frontEnd{status: http.StatusOK}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.got = append(f.got, r.PostFormValue("signed_parameters"))
		if f.status/100 == 3 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(f.status)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *frontEnd) answer(status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = status
}

func (f *frontEnd) calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.got...)
}

// post is an outbox at work.
type post struct {
	*balancer.Outbox
	t     *testing.T
	db    *storetest.File
	clock *clock
	log   *logged
	stop  func()
}

func newPost(t *testing.T, secrets []bbb.Secret, tweak ...func(*balancer.OutboxOptions)) *post {
	t.Helper()
	p := &post{t: t, clock: &clock{}, log: &logged{}}
	p.db = storetest.OpenFile(t, filepath.Join(t.TempDir(), "outbox.db"), p.clock.Now)
	p.run(secrets, tweak...)
	t.Cleanup(func() { p.stop() })
	return p
}

func (p *post) run(secrets []bbb.Secret, tweak ...func(*balancer.OutboxOptions)) {
	o := balancer.OutboxOptions{
		Store: p.db.Store, Secrets: func() []bbb.Secret { return secrets }, AllowPrivate: true, UserAgent: "scalelite/test",
		Log: slog.New(slog.NewTextHandler(p.log, nil)), Now: p.clock.Now,
	}
	for _, f := range tweak {
		f(&o)
	}
	p.Outbox = balancer.NewOutbox(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	p.stop = sync.OnceFunc(func() { cancel(); <-done })
}

func (p *post) add(c store.Callback) {
	p.t.Helper()
	err := p.db.Update(p.t.Context(), func(tx *store.Tx) error { return tx.AddCallback(c) })
	if err != nil {
		p.t.Fatal(err)
	}
	p.Wake()
}

func (p *post) pending() []store.Callback {
	p.t.Helper()
	all, err := p.Callbacks(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return all
}

func (p *post) await(what string, cond func() bool) {
	p.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !cond() {
		if time.Now().After(deadline) {
			p.t.Fatalf("waited in vain for: %s\n%s", what, p.log)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func callback(url string, secret bbb.Secret, record string) store.Callback {
	return store.Callback{Meeting: store.MeetingKey{ID: "a-class"}, RecordID: record, URL: url, SignedBy: secret.Fingerprint()}
}

// claims verifies a token as a front-end does that knows one secret.
func claims(t *testing.T, token string, secret bbb.Secret, method string) map[string]any {
	t.Helper()
	parsed, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return []byte(secret.Reveal()), nil }, jwt.WithValidMethods([]string{method}))
	if err != nil {
		t.Fatalf("token: %v", err)
	}
	return parsed.Claims.(jwt.MapClaims)
}

// T24: signed with the secret that signed the create, and with no other.
func TestCallbackIsSignedWithTheSecretOfTheCreate(t *testing.T) {
	t.Parallel()
	front := newFrontEnd(t)
	secrets := []bbb.Secret{"first", "second"}
	p := newPost(t, secrets)
	p.add(callback(front.URL, "second", "rec-1"))
	p.await("the callback", func() bool { return len(p.pending()) == 0 })
	got := front.calls()
	if len(got) != 1 {
		t.Fatalf("%d calls, want 1", len(got))
	}
	c := claims(t, got[0], "second", "HS256")
	if c["meeting_id"] != "a-class" || c["record_id"] != "rec-1" || len(c) != 2 {
		text, _ := json.Marshal(c)
		t.Errorf("claims %s", text)
	}
}

func TestCallbackOfARemovedSecretIsSignedWithTheFirst(t *testing.T) {
	t.Parallel()
	front := newFrontEnd(t)
	p := newPost(t, []bbb.Secret{"first", "second"}, func(o *balancer.OutboxOptions) { o.HS512 = true })
	p.add(callback(front.URL, "gone", "rec-1"))
	p.await("the callback", func() bool { return len(p.pending()) == 0 })
	claims(t, front.calls()[0], "first", "HS512")
}

// T26: what ends a callback and what does not.
func TestStatusDecidesWhatBecomesOfACallback(t *testing.T) {
	t.Parallel()
	for status, done := range map[int]bool{200: true, 202: true, 404: true, 410: true, 301: false, 400: false, 401: false, 429: false, 500: false, 503: false} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			front := newFrontEnd(t)
			front.answer(status)
			p := newPost(t, []bbb.Secret{"s"})
			p.add(callback(front.URL, "s", "rec-1"))
			p.await("a decision", func() bool {
				all := p.pending()
				return len(all) == 0 || all[0].Tries > 0
			})
			if got := len(p.pending()) == 0; got != done {
				t.Errorf("done %v, want %v", got, done)
			}
			if n := len(front.calls()); n != 1 {
				t.Errorf("%d calls, want 1: redirects are not followed", n)
			}
			if !done {
				if c := p.pending()[0]; c.Status != status || c.Error == "" || !c.Next.After(c.Created) {
					t.Errorf("callback %+v", c)
				}
			}
		})
	}
}

// T25: the front-end is down for two hours, and we restart in between.
func TestCallbackSurvivesOutageAndRestart(t *testing.T) {
	t.Parallel()
	front := newFrontEnd(t)
	front.answer(http.StatusServiceUnavailable)
	p := newPost(t, []bbb.Secret{"s"})
	p.add(callback(front.URL, "s", "rec-1"))
	for n := 1; n <= 12; n++ {
		p.await("a try", func() bool { return len(front.calls()) >= n })
		p.await("its outcome", func() bool { return p.pending()[0].Tries >= n })
		if n == 4 {
			p.stop()
			p.db.Reopen(t)
			p.run([]bbb.Secret{"s"})
		}
		p.clock.forward(p.pending()[0].Next.Sub(p.clock.Now()) + time.Millisecond)
		if n == 12 {
			front.answer(http.StatusOK)
		}
		p.Wake()
	}
	p.await("delivery", func() bool { return len(p.pending()) == 0 })
}

func TestCallbackIsGivenUpAfterADayAndStaysVisible(t *testing.T) {
	t.Parallel()
	front := newFrontEnd(t)
	front.answer(http.StatusInternalServerError)
	p := newPost(t, []bbb.Secret{"s"})
	p.add(callback(front.URL, "s", "rec-1"))
	tries := 0
	for tries < 100 {
		tries++
		p.await("a try", func() bool { return p.pending()[0].Tries >= tries })
		if c := p.pending()[0]; c.Failed() {
			break
		} else {
			p.clock.forward(c.Next.Sub(p.clock.Now()) + time.Millisecond)
		}
		p.Wake()
	}
	c := p.pending()[0]
	if age := p.clock.Now().Sub(c.Created); !c.Failed() || age < 22*time.Hour || age > 25*time.Hour {
		t.Fatalf("after %s and %d tries: %+v", age, tries, c)
	}
	if err := p.Retry(t.Context(), "nonsense"); err == nil {
		t.Error("an unknown callback could be retried")
	}
	front.answer(http.StatusOK)
	if err := p.Retry(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	p.await("delivery", func() bool { return len(p.pending()) == 0 })
}

func TestDroppedCallbackIsForgotten(t *testing.T) {
	t.Parallel()
	front := newFrontEnd(t)
	front.answer(http.StatusInternalServerError)
	p := newPost(t, []bbb.Secret{"s"})
	p.add(callback(front.URL, "s", "rec-1"))
	p.await("a try", func() bool { return p.pending()[0].Tries > 0 })
	if err := p.Drop(t.Context(), p.pending()[0].ID); err != nil {
		t.Fatal(err)
	}
	if left := p.pending(); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}

// One slow front-end holds up nobody else's callbacks.
func TestSlowFrontEndHoldsUpNobody(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer slow.Close()
	defer close(release)
	front := newFrontEnd(t)
	p := newPost(t, []bbb.Secret{"s"})
	for i := range 100 {
		p.add(callback(slow.URL, "s", fmt.Sprint("slow-", i)))
	}
	p.add(callback(front.URL, "s", "quick"))
	p.await("the quick one", func() bool { return len(front.calls()) == 1 })
}

// S18: what an outgoing callback may not reach.
func TestCallbackAddresses(t *testing.T) {
	t.Parallel()
	front := newFrontEnd(t)
	for _, c := range []struct {
		name, url string
		private   bool
		want      string
	}{
		{"loopback refused", front.URL, false, "callback_allow_private"},
		{"cloud metadata", "http://169.254.169.254/latest", true, "not allowed"},
		{"link-local", "http://[fe80::1%25lo]/", true, "not allowed"},
		{"cloud metadata, IPv6", "http://[fd00:ec2::254]/latest", true, "not allowed"},
		{"cloud metadata, mapped", "http://[::ffff:169.254.169.254]/latest", true, "not allowed"},
		{"cloud metadata, shared", "http://100.100.100.200/latest", true, "not allowed"},
		{"shared refused", "http://100.64.0.1/", false, "callback_allow_private"},
		{"no URL", "://", true, "none that can be called"},
		{"other scheme", "file:///etc/passwd", true, "none that can be called"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPost(t, []bbb.Secret{"s"}, func(o *balancer.OutboxOptions) { o.AllowPrivate = c.private })
			p.add(callback(c.url, "s", "rec-1"))
			p.await("a try", func() bool { return p.pending()[0].Tries > 0 })
			if got := p.pending()[0].Error; !strings.Contains(got, c.want) {
				t.Errorf("error %q, want something of %q", got, c.want)
			}
		})
	}
	if n := len(front.calls()); n != 0 {
		t.Errorf("%d calls reached loopback", n)
	}
}

func TestEndlessAnswerOfAFrontEndIsCut(t *testing.T) {
	t.Parallel()
	var sent int
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 32<<10)
		for range 10_000 {
			n, err := w.Write(chunk)
			sent += n
			if err != nil {
				return
			}
		}
	}))
	p := newPost(t, []bbb.Secret{"s"})
	p.add(callback(front.URL, "s", "rec-1"))
	p.await("the callback", func() bool { return len(p.pending()) == 0 })
	front.Close()
	if sent >= 10_000*(32<<10) {
		t.Errorf("all %d bytes were read", sent)
	}
}

// The parameters never reach a server; the first that is given is remembered and
// outlives the meeting.
func TestReadyURLIsTakenOutOfTheCreate(t *testing.T) {
	t.Parallel()
	const bn, bbbURL, canvas = "meta_bn-recording-ready-url", "meta_bbb-recording-ready-url", "meta_canvas-recording-ready-url"
	for _, c := range []struct {
		name  string
		given map[string]string
		want  string
	}{
		{"moodle first", map[string]string{bn: "https://a.example/1", bbbURL: "https://a.example/2", canvas: "https://a.example/3"}, "https://a.example/1"},
		{"then bbb", map[string]string{bbbURL: "https://a.example/2", canvas: "https://a.example/3"}, "https://a.example/2"},
		{"then canvas", map[string]string{canvas: "https://a.example/3"}, "https://a.example/3"},
		{"any case", map[string]string{"meta_BBB-Recording-Ready-Url": "https://a.example/2"}, "https://a.example/2"},
		{"none", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newPool(t, 1)
			r.recordings = true
			r.restart()
			p := bbb.ParseQuery("meetingID=a-class&name=A+class&meta_endCallbackUrl=https%3A%2F%2Fa.example%2Fend")
			for name, value := range c.given {
				p.Set(name, value)
			}
			reply, err := r.Create(t.Context(), balancer.Request{Call: "create", Params: p, SignedBy: "fingerprint"})
			if err != nil || !reply.OK {
				t.Fatalf("create: %v %+v", err, reply)
			}
			m, _ := r.sims["s1"].Meeting("a-class")
			if _, ok := m.Metadata["endcallbackurl"]; !ok || len(m.Metadata) != 1 {
				t.Errorf("the server got %v", m.Metadata)
			}
			if _, err := r.End(t.Context(), about("end", "a-class")); err != nil {
				t.Fatal(err)
			}
			var u store.ReadyURL
			err = r.db.View(t.Context(), func(tx *store.Tx) (err error) {
				u, err = tx.ReadyURL(store.MeetingKey{ID: "a-class"})
				return err
			})
			if (err == nil) != (c.want != "") || u.URL != c.want {
				t.Errorf("remembered %q %v, want %q", u.URL, err, c.want)
			}
			if c.want != "" && u.SignedBy != "fingerprint" {
				t.Errorf("signed by %q", u.SignedBy)
			}
		})
	}
}

// A retry that an operator asks for while the callback is on its way stands.
func TestRetryDuringADeliveryStands(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		once.Do(func() { close(arrived); <-release })
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer front.Close()
	p := newPost(t, []bbb.Secret{"s"})
	p.add(callback(front.URL, "s", "rec-1"))
	<-arrived
	p.clock.forward(20 * time.Hour)
	id := p.pending()[0].ID
	if err := p.Retry(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	want := p.pending()[0].GiveUp
	close(release)
	p.await("the try that was asked for", func() bool { return p.pending()[0].Tries > 0 })
	if got := p.pending()[0].GiveUp; !got.Equal(want) {
		t.Errorf("it is given up at %s, want %s", got, want)
	}
}
