package admin_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/store"
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
