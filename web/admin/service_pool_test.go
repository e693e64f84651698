package admin_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer"
	"scalelite/balancer/bbbtest"
	"scalelite/store"
	"scalelite/web/admin"
)

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
