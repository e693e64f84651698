package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/store"
)

// notice is what a front-end got and saw when it was told of a recording.
type notice struct {
	claims jwt.MapClaims
	err    error    // of the signature
	listed []string // by a getRecordings at once
	files  int      // status of a file of it
}

// TestRecordingReady (T24, FIELD F): the front-end whose create asked for it is
// told with the secret that it signed with, and finds the recording at once.
func TestRecordingReady(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{servers: 1})
	s.web.SetSecrets([]bbb.Secret{testSecret, "the-second-secret"})
	outbox := balancer.NewOutbox(balancer.OutboxOptions{
		Store: s.store, Secrets: s.web.Secrets, AllowPrivate: true, UserAgent: "scalelite/test", Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() { defer close(stopped); outbox.Run(ctx) }()
	defer func() { cancel(); <-stopped }()

	calls := make(chan notice, 10)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var call notice
		_, call.err = jwt.ParseWithClaims(r.PostFormValue("signed_parameters"), &call.claims,
			func(*jwt.Token) (any, error) { return []byte("the-second-secret"), nil }, jwt.WithValidMethods([]string{"HS256"}))
		id, _ := call.claims["record_id"].(string)
		call.listed = s.list("recordID", id).ids()
		call.files = s.fetch(http.MethodGet, s.url+"/presentation/"+id+"/a/file.txt", nil, nil).status
		if r.Method != http.MethodPost || r.URL.RawQuery != "room=1" {
			w.WriteHeader(http.StatusBadRequest)
		}
		calls <- call
	}))
	defer front.Close()

	const meeting = "room/7 é"
	p := params("meetingID", meeting, "name", "Algebra", "record", "true", "meta_bbb-recording-ready-url", "http://127.0.0.1:1/wrong",
		"meta_Bn-Recording-Ready-URL", front.URL+"/ready?room=1", "meta_other", "stays")
	create := s.base + "/create?" + bbb.Sign(bbb.SHA512, "create", p.Encode(), "the-second-secret")
	if a := s.fetch(http.MethodGet, create, nil, nil); !a.OK {
		t.Fatalf("create: %s", a.body)
	}
	sent := s.asked(0, "create").Params
	for _, name := range []string{"meta_bbb-recording-ready-url", "meta_Bn-Recording-Ready-URL", "meta_bn-recording-ready-url"} {
		if _, leaked := sent[name]; leaked {
			t.Errorf("the server was sent %s", name)
		}
	}
	s.takeIn(tape{id: tapeB, meeting: "another room", name: "B"})
	s.takeIn(tape{id: tapeA, meeting: meeting, name: "A"})
	outbox.Wake()
	select {
	case got := <-calls:
		if got.err != nil || got.claims["meeting_id"] != meeting || got.claims["record_id"] != tapeA || len(got.claims) != 2 {
			t.Errorf("told %v: %v", got.claims, got.err)
		}
		if !slices.Equal(got.listed, []string{tapeA}) || got.files != http.StatusOK {
			t.Errorf("the front-end saw %v, and its file with status %d", got.listed, got.files)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("the front-end was not told")
	}
	s.await("the callback is done", func() bool { return len(s.callbacks()) == 0 })
	if len(calls) > 0 {
		t.Errorf("told again: %v", <-calls)
	}
}

// callbacks are the messages that are still owed.
func (s *system) callbacks() (all []store.Callback) {
	s.t.Helper()
	err := s.store.View(context.Background(), func(tx *store.Tx) (err error) {
		all, err = store.Collect(tx.Callbacks())
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// await waits for a condition.
func (s *system) await(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain for: %s", what)
		}
	}
}
