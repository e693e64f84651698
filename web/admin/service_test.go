package admin_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/store"
	"scalelite/store/kv/boltkv"
	"scalelite/web/admin"
)

func TestInfo(t *testing.T) {
	both(t, func(t *testing.T, _ *world, s admin.Service) {
		got, err := s.Info(t.Context())
		want := admin.Info{Version: "1.2.3", Daemon: true, Started: "2026-11-22T08:00:00Z", Listen: ":3000", Host: "lb.example.org"}
		if err != nil || got != want {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestEmptyPool(t *testing.T) {
	both(t, func(t *testing.T, _ *world, s admin.Service) {
		servers, err := s.Servers(t.Context())
		if err != nil || servers == nil || len(servers) != 0 {
			t.Errorf("servers: %#v, %v", servers, err)
		}
		meetings, err := s.Meetings(t.Context())
		if err != nil || meetings == nil || len(meetings) != 0 {
			t.Errorf("meetings: %#v, %v", meetings, err)
		}
		ended, err := s.EndMeetings(t.Context(), nil)
		if err != nil || len(ended) != 0 {
			t.Errorf("end all: %#v, %v", ended, err)
		}
		report, err := s.Poll(t.Context())
		if err != nil || report.Servers == nil || len(report.Servers) != 0 {
			t.Errorf("poll: %#v, %v", report, err)
		}
	})
}

func TestServerIsAddedReadChangedRemoved(t *testing.T) {
	both(t, func(t *testing.T, _ *world, s admin.Service) {
		ctx := t.Context()
		secret := bbb.Secret(`a,b;c:"d$e f<&>`) // T64
		added, err := s.AddServer(ctx, balancer.NewServer{ID: "bbb1", URL: "bbb1.example.org", Secret: secret, Tag: "uni", LoadMultiplier: 2.5, MaxUsers: 100})
		if err != nil {
			t.Fatal(err)
		}
		want := balancer.ServerInfo{
			ID: "bbb1", URL: "bbb1.example.org", Secret: secret, Tag: "uni", LoadMultiplier: 2.5, MaxUsers: 100, State: store.Disabled,
		}
		if d := cmp.Diff(want, added); d != "" {
			t.Errorf("added (-want +got):\n%s", d)
		}
		if got, err := s.Server(ctx, "bbb1"); err != nil || !cmp.Equal(want, got) {
			t.Errorf("server: %+v, %v", got, err)
		}
		want.Secret, want.Tag, want.LoadMultiplier, want.State, want.Standby = "other", "", 1, store.Cordoned, true
		changed, err := s.UpdateServer(ctx, "bbb1", balancer.ServerChange{
			Secret: ptr(bbb.Secret("other")), Tag: ptr(""), LoadMultiplier: ptr(1.0), State: ptr(store.Cordoned), Standby: ptr(true),
		})
		if d := cmp.Diff(want, changed); err != nil || d != "" {
			t.Errorf("changed: %v (-want +got):\n%s", err, d)
		}
		if all, err := s.Servers(ctx); err != nil || !cmp.Equal([]balancer.ServerInfo{want}, all) {
			t.Errorf("servers: %+v, %v", all, err)
		}
		if err := s.RemoveServer(ctx, "bbb1"); err != nil {
			t.Error(err)
		}
		_, err = s.Server(ctx, "bbb1")
		wantCode(t, err, admin.NotFound)
	})
}

func TestServerThatMakesNoSense(t *testing.T) {
	both(t, func(t *testing.T, _ *world, s admin.Service) {
		ctx := t.Context()
		good := balancer.NewServer{ID: "bbb1", URL: "bbb1.example.org", Secret: "s"}
		for name, change := range map[string]func(*balancer.NewServer){
			"no URL":     func(n *balancer.NewServer) { n.URL = "" },
			"ftp URL":    func(n *balancer.NewServer) { n.URL = "ftp://x" },
			"no secret":  func(n *balancer.NewServer) { n.Secret = " " },
			"negative":   func(n *balancer.NewServer) { n.LoadMultiplier = -1 },
			"no number":  func(n *balancer.NewServer) { n.LoadMultiplier = math.NaN() },
			"limit":      func(n *balancer.NewServer) { n.MaxUsers = -1 },
			"id of path": func(n *balancer.NewServer) { n.ID = "a/b" },
		} {
			n := good
			change(&n)
			_, err := s.AddServer(ctx, n)
			if err == nil {
				t.Errorf("%s: was added", name)
				continue
			}
			wantCode(t, err, admin.Invalid)
			if strings.HasPrefix(err.Error(), "invalid:") {
				t.Errorf("%s: %q begins with the name of the sentinel", name, err)
			}
		}
		if all, _ := s.Servers(ctx); len(all) != 0 {
			t.Errorf("servers were added: %v", all)
		}
		if _, err := s.AddServer(ctx, good); err != nil {
			t.Fatal(err)
		}
		_, err := s.AddServer(ctx, good)
		wantCode(t, err, admin.Conflict, `"bbb1"`, "choose another id")
	})
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	both(t, func(t *testing.T, _ *world, s admin.Service) {
		ctx := t.Context()
		before, err := s.AddServer(ctx, balancer.NewServer{ID: "bbb1", URL: "bbb1.example.org", Secret: "s"})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []balancer.ServerChange{
			{Tag: ptr("new"), LoadMultiplier: ptr(0.0)},
			{Tag: ptr("new"), LoadMultiplier: ptr(math.Inf(1))},
			{Tag: ptr("new"), Secret: ptr(bbb.Secret(""))},
			{Tag: ptr("new"), State: ptr(store.State("asleep"))},
			{Tag: ptr("a;b"), LoadMultiplier: ptr(2.0)},
		} {
			_, err := s.UpdateServer(ctx, "bbb1", c)
			wantCode(t, err, admin.Invalid)
		}
		if after, err := s.Server(ctx, "bbb1"); err != nil || !cmp.Equal(before, after) {
			t.Errorf("changed to %+v, %v", after, err)
		}
	})
}

func TestUnknownServer(t *testing.T) {
	both(t, func(t *testing.T, _ *world, s admin.Service) {
		ctx := t.Context()
		for name, call := range map[string]func() error{
			"get":    func() error { _, err := s.Server(ctx, "nope"); return err },
			"update": func() error { _, err := s.UpdateServer(ctx, "nope", balancer.ServerChange{}); return err },
			"remove": func() error { return s.RemoveServer(ctx, "nope") },
			"panic":  func() error { _, err := s.PanicServer(ctx, "nope", balancer.PanicOptions{}); return err },
			"panic, keeping its state": func() error {
				_, err := s.PanicServer(ctx, "nope", balancer.PanicOptions{KeepState: true})
				return err
			},
		} {
			err := call()
			if err == nil {
				t.Errorf("%s: no error", name)
				continue
			}
			wantCode(t, err, admin.NotFound, `"nope"`, "scalelite servers")
		}
	})
}

func TestProbe(t *testing.T) {
	both(t, func(t *testing.T, _ *world, s admin.Service) {
		ctx := t.Context()
		b := bbbtest.Start(t, bbbtest.Options{Version: "3.0.4"})
		found, err := s.ProbeServer(ctx, b.URL(), bbb.Secret(b.Secret()))
		if err != nil || found.Version != "3.0.4" || found.Algorithm != bbb.SHA256 {
			t.Errorf("good server: %+v, %v", found, err)
		}
		found, err = s.ProbeServer(ctx, b.URL(), "not-the-secret")
		wantCode(t, err, admin.Refused, "secret")
		if found.Version != "3.0.4" {
			t.Errorf("what was found beside the error is lost: %+v", found)
		}
		b.Stop()
		_, err = s.ProbeServer(ctx, b.URL(), bbb.Secret(b.Secret()))
		wantCode(t, err, admin.Refused, "refused the connection")
		_, err = s.ProbeServer(ctx, "https://user:pw@bbb.example.org", "x")
		wantCode(t, err, admin.Invalid, "user name")
		if strings.Contains(err.Error(), "pw") {
			t.Errorf("the message repeats the password: %v", err)
		}
	})
}

func TestPollTellsWhatItFound(t *testing.T) {
	both(t, func(t *testing.T, w *world, s admin.Service) {
		good, bad := w.online("good"), w.online("bad")
		w.create("m1")
		w.create("m2")
		bad.Stop()
		report, err := s.Poll(t.Context())
		if err != nil || len(report.Servers) != 2 {
			t.Fatalf("report %+v, %v", report, err)
		}
		if got := report.Servers[1]; got.ID != "good" || !got.Online || got.Meetings != 1 || got.Error != "" {
			t.Errorf("good server: %+v", got)
		}
		if got := report.Servers[0]; got.ID != "bad" || got.Error == "" {
			t.Errorf("bad server: %+v", got)
		}
		info, err := s.Server(t.Context(), "good")
		if err != nil || !info.Online || info.Load == nil || info.Polled.IsZero() || info.BBBVersion == "" {
			t.Errorf("after the poll: %+v, %v", info, err)
		}
		good.Stop()
	})
}

func TestMeetingsAreListedAndEnded(t *testing.T) {
	both(t, func(t *testing.T, w *world, s admin.Service) {
		ctx := t.Context()
		b := w.online("bbb1")
		for _, id := range []string{"m1", "m2", "m3", `m "4" <&> ü`} {
			w.create(id)
		}
		if _, err := s.Poll(ctx); err != nil {
			t.Fatal(err)
		}
		all, err := s.Meetings(ctx)
		if err != nil || len(all) != 4 {
			t.Fatalf("meetings %+v, %v", all, err)
		}
		if m := all[1]; m.ID != "m1" || m.Server != "bbb1" || !m.ServerOnline || !m.Seen || m.Name != "Lesson m1" {
			t.Errorf("meeting %+v", m)
		}

		_, err = s.EndMeetings(ctx, []string{"m1", "unknown"})
		wantCode(t, err, admin.NotFound, `"unknown"`, "nothing was ended")
		if n := b.Count("end"); n != 0 {
			t.Errorf("%d ends were sent", n)
		}
		ended, err := s.EndMeetings(ctx, []string{`m "4" <&> ü`, "m2"})
		if err != nil || len(ended) != 2 {
			t.Fatalf("ended %+v, %v", ended, err)
		}
		for _, e := range ended {
			if e.Server != "bbb1" || e.Pending || e.Error != "" {
				t.Errorf("end of %s: %+v", e.ID, e)
			}
		}
		if d := cmp.Diff([]string{"m1", "m3"}, w.meetings()); d != "" {
			t.Errorf("left (-want +got):\n%s", d)
		}
		if ended, err = s.EndMeetings(ctx, nil); err != nil || len(ended) != 2 {
			t.Errorf("end all: %+v, %v", ended, err)
		}
		if left := w.meetings(); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
	})
}

func TestPanic(t *testing.T) {
	both(t, func(t *testing.T, w *world, s admin.Service) {
		ctx := t.Context()
		b := w.online("bbb1")
		w.create("m1")
		w.create("m2")
		got, err := s.PanicServer(ctx, "bbb1", balancer.PanicOptions{KeepState: true})
		if err != nil || got != (balancer.PanicResult{Ended: 2}) {
			t.Errorf("panic: %+v, %v", got, err)
		}
		if info, _ := s.Server(ctx, "bbb1"); info.State != store.Enabled {
			t.Errorf("its state is %s", info.State)
		}
		w.create("m3")
		b.Misbehave(bbbtest.Misbehaviour{Call: "end", Kind: bbbtest.ServerError})
		got, err = s.PanicServer(ctx, "bbb1", balancer.PanicOptions{})
		if err != nil || got != (balancer.PanicResult{Unreached: 1}) {
			t.Errorf("panic of a broken server: %+v, %v", got, err)
		}
		if info, _ := s.Server(ctx, "bbb1"); info.State != store.Disabled {
			t.Errorf("its state is %s", info.State)
		}
		if left := w.meetings(); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
	})
}

func TestPanicWithoutEndCalls(t *testing.T) {
	both(t, func(t *testing.T, w *world, s admin.Service) {
		b := w.online("bbb1")
		w.create("m1")
		if _, err := s.PanicServer(t.Context(), "bbb1", balancer.PanicOptions{SkipEndCalls: true}); err != nil {
			t.Fatal(err)
		}
		if n := b.Count("end"); n != 0 || len(w.meetings()) != 0 {
			t.Errorf("%d ends sent, left: %v", n, w.meetings())
		}
	})
}

func TestSync(t *testing.T) {
	both(t, func(t *testing.T, w *world, s admin.Service) {
		ctx := t.Context()
		if _, err := s.AddServer(ctx, balancer.NewServer{ID: "old", URL: "old.example.org", Secret: "s"}); err != nil {
			t.Fatal(err)
		}
		specs := []balancer.ServerSpec{
			{ID: "new", URL: "new.example.org", Secret: "s", Enabled: ptr(true), Tag: ptr("uni")},
		}
		actionsOf := func(actions []balancer.SyncAction, err error) string {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, a := range actions {
				all = append(all, a.Action+" "+a.ID)
			}
			return strings.Join(all, ", ")
		}
		if got := actionsOf(s.SyncServers(ctx, specs, balancer.SyncCordon, true)); got != "add new, remove old" {
			t.Errorf("dry run: %s", got)
		}
		if _, err := s.Server(ctx, "new"); err == nil {
			t.Error("the dry run added a server")
		}
		if got := actionsOf(s.SyncServers(ctx, specs, balancer.SyncKeep, false)); got != "add new, none old" {
			t.Errorf("keep: %s", got)
		}
		if got := actionsOf(s.SyncServers(ctx, specs, balancer.SyncForce, false)); got != "none new, remove old" {
			t.Errorf("force: %s", got)
		}
		all, err := s.Servers(ctx)
		if err != nil || len(all) != 1 || all[0].ID != "new" || all[0].State != store.Enabled || all[0].Tag != "uni" {
			t.Errorf("servers: %+v, %v", all, err)
		}
		_, err = s.SyncServers(ctx, specs, "sometimes", false)
		wantCode(t, err, admin.Invalid, `"sometimes"`)
		_, err = s.SyncServers(ctx, append(specs, specs...), balancer.SyncKeep, false)
		wantCode(t, err, admin.Invalid, "twice")
		if got := actionsOf(s.SyncServers(ctx, nil, balancer.SyncForce, false)); got != "remove new" {
			t.Errorf("empty list: %s", got)
		}
	})
}

func TestGeneratedSecret(t *testing.T) {
	both(t, func(t *testing.T, w *world, s admin.Service) {
		ctx := t.Context()
		first, err := s.Secrets(ctx)
		if err != nil || !first.Generated || len(first.Secrets) != 1 || len(first.Secrets[0].Reveal()) < 32 {
			t.Fatalf("generated: %v, %v", first, err)
		}
		if again, err := s.Secrets(ctx); err != nil || !cmp.Equal(first, again) {
			t.Errorf("it changed, %v", err)
		}
		rotated, err := s.RotateSecret(ctx)
		if err != nil || !rotated.Generated || cmp.Equal(first, rotated) {
			t.Errorf("it did not change, %v", err)
		}
		if now, err := s.Secrets(ctx); err != nil || !cmp.Equal(rotated, now) {
			t.Errorf("the rotated secret is not the one now, %v", err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if !cmp.Equal([][]bbb.Secret{rotated.Secrets}, w.rotated) {
			t.Error("the server was not told the new secret")
		}
	})
}

func TestConfiguredSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "first", "second")
	for name, s := range map[string]admin.Service{"local": w.local, "socket": w.overSocket(w.local)} {
		got, err := s.Secrets(t.Context())
		if err != nil || !cmp.Equal(admin.Secrets{Secrets: []bbb.Secret{"first", "second"}}, got) {
			t.Errorf("%s: %v", name, err)
		}
		_, err = s.RotateSecret(t.Context())
		wantCode(t, err, admin.Conflict, "web.secrets")
	}
	w.local.SetConfiguredSecrets(nil)
	if got, err := w.local.Secrets(t.Context()); err != nil || !got.Generated {
		t.Errorf("after web.secrets was emptied: generated %v, %v", got.Generated, err)
	}
}

// A backup opens as a database that has what was acknowledged before it (T67).
func TestBackup(t *testing.T) {
	both(t, func(t *testing.T, _ *world, s admin.Service) {
		ctx := t.Context()
		if _, err := s.AddServer(ctx, balancer.NewServer{ID: "bbb1", URL: "bbb1.example.org", Secret: "s"}); err != nil {
			t.Fatal(err)
		}
		var copied bytes.Buffer
		if err := s.Backup(ctx, &copied); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "copy.db")
		if err := os.WriteFile(path, copied.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		engine, err := boltkv.Open(ctx, path, boltkv.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer engine.Close()
		restored, err := store.New(ctx, engine, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = restored.View(ctx, func(tx *store.Tx) error {
			_, err := tx.Server("bbb1")
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestBackupIntoAFullDisk(t *testing.T) {
	both(t, func(t *testing.T, _ *world, s admin.Service) {
		full := errors.New("no space left on device")
		err := s.Backup(t.Context(), failingWriter{full})
		if err == nil || !strings.Contains(err.Error(), full.Error()) {
			t.Errorf("got %v", err)
		}
	})
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

// What nobody foresaw is an internal error, by the same words on both ways.
func TestBrokenDatabase(t *testing.T) {
	both(t, func(t *testing.T, w *world, s admin.Service) {
		ctx := t.Context()
		if err := w.store.Close(); err != nil {
			t.Fatal(err)
		}
		for name, call := range map[string]func() error{
			"servers":  func() error { _, err := s.Servers(ctx); return err },
			"server":   func() error { _, err := s.Server(ctx, "x"); return err },
			"add":      func() error { _, err := s.AddServer(ctx, balancer.NewServer{URL: "h", Secret: "s"}); return err },
			"update":   func() error { _, err := s.UpdateServer(ctx, "x", balancer.ServerChange{}); return err },
			"remove":   func() error { return s.RemoveServer(ctx, "x") },
			"panic":    func() error { _, err := s.PanicServer(ctx, "x", balancer.PanicOptions{}); return err },
			"sync":     func() error { _, err := s.SyncServers(ctx, nil, balancer.SyncKeep, false); return err },
			"meetings": func() error { _, err := s.Meetings(ctx); return err },
			"end":      func() error { _, err := s.EndMeetings(ctx, nil); return err },
			"secrets":  func() error { _, err := s.Secrets(ctx); return err },
			"rotate":   func() error { _, err := s.RotateSecret(ctx); return err },
			"backup":   func() error { return s.Backup(ctx, &bytes.Buffer{}) },
		} {
			err := call()
			var e *admin.Error
			if !errors.As(err, &e) || e.Code != admin.Internal || e.Message == "" {
				t.Errorf("%s: got %v (%T), want an internal error", name, err, err)
			}
		}
	})
}

func TestCallerGivesUp(t *testing.T) {
	both(t, func(t *testing.T, w *world, s admin.Service) {
		b := w.online("bbb1")
		b.Misbehave(bbbtest.Misbehaviour{Call: "getMeetings", Kind: bbbtest.Hang})
		asked := b.Count("getMeetings") + 1
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_ = b.WaitRequests(t.Context(), "getMeetings", asked)
			cancel()
		}()
		if _, err := s.Poll(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if _, err := s.Servers(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a call of a caller that is gone: %v", err)
		}
	})
}
