package balancer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/store"
)

func ptr[T any](v T) *T { return &v }

func TestNewServerIsDisabledAndOffline(t *testing.T) {
	r := newPool(t, 0)
	sim := bbbtest.Start(t, bbbtest.Options{})
	host := strings.TrimPrefix(strings.TrimSuffix(sim.URL(), "/bigbluebutton/api"), "http://")
	for _, form := range []string{"http://" + host, " http://" + host + "/bigbluebutton/ ", sim.URL() + "/"} {
		info, err := r.AddServer(t.Context(), balancer.NewServer{URL: form, Secret: bbb.Secret(sim.Secret())})
		if err != nil {
			t.Fatal(err)
		}
		if info.State != store.Disabled || info.Online || info.Load != nil || info.LoadMultiplier != 1 || len(info.ID) != 36 || info.URL != strings.TrimSpace(form) {
			t.Errorf("%+v", info)
		}
	}
	for _, s := range r.poll().Servers { // a disabled server is polled too
		if !s.Online {
			t.Errorf("%+v", s)
		}
	}
	servers, err := r.Servers(t.Context())
	if err != nil || len(servers) != 3 || servers[0].Load != nil {
		t.Errorf("%+v %v", servers, err)
	}
	_, err = r.Create(t.Context(), createOf("lesson-1"))
	wantErr(t, err, bbb.ErrNoServer)
}

func TestServerIDCanBeTheHostName(t *testing.T) {
	r := newPool(t, 0, func(c *balancer.Config) { c.ServerIDIsHostname = true })
	n := balancer.NewServer{URL: "https://BBB1.Example.org/bigbluebutton/", Secret: "x"}
	if info, err := r.AddServer(t.Context(), n); err != nil || info.ID != "bbb1.example.org" {
		t.Errorf("%+v %v", info, err)
	}
	if _, err := r.AddServer(t.Context(), n); !errors.Is(err, balancer.ErrExists) {
		t.Errorf("adding it again: %v", err)
	}
}

func TestServersThatCannotWorkAreRefused(t *testing.T) {
	r := newPool(t, 1)
	for name, n := range map[string]balancer.NewServer{
		"no url":       {Secret: "x"},
		"bad url":      {URL: "ftp://x", Secret: "x"},
		"no secret":    {URL: "https://h"},
		"blank secret": {URL: "https://h", Secret: " \t"},
		"negative":     {URL: "https://h", Secret: "x", LoadMultiplier: -1},
		"bad id":       {URL: "https://h", Secret: "x", ID: "a/b"},
		"id no text":   {URL: "https://h", Secret: "x", ID: "a\xffb"},
		"long id":      {URL: "https://h", Secret: "x", ID: strings.Repeat("x", 257)},
		"tag":          {URL: "https://h", Secret: "x", Tag: "a;b"},
		"tag no text":  {URL: "https://h", Secret: "x", Tag: "\xff"},
		"limit":        {URL: "https://h", Secret: "x", MaxUsers: -1},
	} {
		if _, err := r.AddServer(t.Context(), n); !errors.Is(err, balancer.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	before := r.info("s1")
	for name, c := range map[string]balancer.ServerChange{
		"state":      {State: ptr(store.State("x")), Tag: ptr("new")},
		"multiplier": {LoadMultiplier: ptr(0.0), Tag: ptr("new")},
		"secret":     {Secret: ptr(bbb.Secret("")), Tag: ptr("new")},
	} {
		if _, err := r.UpdateServer(t.Context(), "s1", c); !errors.Is(err, balancer.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if diff := cmp.Diff(before, r.info("s1")); diff != "" {
		t.Errorf("a refused change changed something:\n%s", diff)
	}
	servers, _ := r.Servers(t.Context())
	if len(servers) != 1 {
		t.Errorf("%d servers", len(servers))
	}
}

// T64
func TestSecretsAndTagsRoundTrip(t *testing.T) {
	r := newPool(t, 0)
	secret := ` ,;:"'$ \ %20 é <&> +=` + "\xff\x80\n"
	sim := bbbtest.Start(t, bbbtest.Options{Secret: secret})
	info, err := r.AddServer(t.Context(), balancer.NewServer{ID: "s1", URL: sim.URL(), Secret: bbb.Secret(secret), Tag: `a, "b" $c`, Enable: true})
	if err != nil {
		t.Fatal(err)
	}
	r.sims["s1"] = sim
	r.restart()
	info = r.info("s1")
	if info.Secret.Reveal() != secret || info.Tag != `a, "b" $c` {
		t.Errorf("secret %q, tag %q", info.Secret.Reveal(), info.Tag)
	}
	if report := r.poll(); !report.Servers[0].Online {
		t.Errorf("%+v", report)
	}
}

func TestCallsAboutAServerThatIsNotThere(t *testing.T) {
	r := newPool(t, 1)
	_, e1 := r.Server(t.Context(), "x")
	_, e2 := r.UpdateServer(t.Context(), "x", balancer.ServerChange{})
	e3 := r.RemoveServer(t.Context(), "x")
	_, e4 := r.PanicServer(t.Context(), "x", balancer.PanicOptions{})
	_, e5 := r.PanicServer(t.Context(), "x", balancer.PanicOptions{KeepState: true})
	for i, err := range []error{e1, e2, e3, e4, e5} {
		if !errors.Is(err, balancer.ErrNoSuchServer) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestChangedSecretIsUsedAtOnce(t *testing.T) {
	r := newPool(t, 1)
	r.create("lesson-1")
	r.sims["s1"].SetSecret("another-secret")
	if _, err := r.UpdateServer(t.Context(), "s1", balancer.ServerChange{Secret: ptr(bbb.Secret("another-secret"))}); err != nil {
		t.Fatal(err)
	}
	if err := r.join("lesson-1"); err != nil {
		t.Error(err)
	}
	r.create("lesson-2")
}

// T34
func TestRemovedServersMeetingsAreForgottenWithIt(t *testing.T) {
	for _, dead := range []bool{false, true} {
		t.Run(fmt.Sprintf("dead=%v", dead), func(t *testing.T) {
			r := newPool(t, 1)
			for i := range 4 {
				r.create(fmt.Sprintf("class-%d", i))
			}
			r.addServer(balancer.NewServer{ID: "s2"}, bbbtest.Options{})
			r.poll()
			if dead {
				r.offline("s1")
			}
			if err := r.RemoveServer(t.Context(), "s1"); err != nil {
				t.Fatal(err)
			}
			if meetings, err := r.Meetings(t.Context()); err != nil || len(meetings) != 0 {
				t.Errorf("%+v %v", meetings, err)
			}
			r.poll()
			for i := range 4 {
				id := fmt.Sprintf("class-%d", i)
				if got := r.create(id); got != "s2" {
					t.Errorf("created on %s", got)
				}
				if err := r.join(id); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestPollOfAServerThatIsRemovedMeanwhile(t *testing.T) {
	r := newPool(t, 2, impatient, func(c *balancer.Config) { c.PollTimeout, c.ResponseTimeout = time.Minute, time.Minute })
	r.makeOn("s1", "foreign")
	r.sims["s1"].Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.Slow, Delay: time.Minute})
	r.sims["s2"].Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.Slow, Delay: time.Minute})
	for _, sim := range r.sims {
		sim.ResetRequests()
	}
	done := make(chan error)
	go func() { _, err := r.Poll(t.Context()); done <- err }()
	for id, sim := range r.sims {
		if err := sim.WaitRequests(t.Context(), "getMeetings", 1); err != nil {
			t.Fatal(err)
		}
		if err := r.RemoveServer(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	r.sims["s2"].Stop() // one poll fails, the other is good
	r.sims["s1"].Behave()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if servers, err := r.Servers(t.Context()); err != nil || len(servers) != 0 || len(r.Pool().Servers()) != 0 || r.known("foreign") {
		t.Errorf("%+v %v are left", servers, err)
	}
}

func TestPanicEndsForgetsAndDisables(t *testing.T) {
	r := newPool(t, 1)
	for i := range 20 {
		r.create(fmt.Sprintf("class-%d", i), "moderatorPW=mmm", "attendeePW=aaa")
	}
	r.sims["s1"].Forget("class-3")
	got, err := r.PanicServer(t.Context(), "s1", balancer.PanicOptions{})
	if diff := cmp.Diff(balancer.PanicResult{Ended: 20}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if n := len(r.sims["s1"].Meetings()); n != 0 || r.info("s1").State != store.Disabled {
		t.Errorf("%d meetings still run, the server is %s", n, r.info("s1").State)
	}
	if meetings, _ := r.Meetings(t.Context()); len(meetings) != 0 {
		t.Errorf("%d meetings are known", len(meetings))
	}
}

func TestPanicWithOptions(t *testing.T) {
	r := newPool(t, 1)
	r.create("class-1")
	if got, err := r.PanicServer(t.Context(), "s1", balancer.PanicOptions{KeepState: true}); err != nil || got.Ended != 1 || r.info("s1").State != store.Enabled {
		t.Errorf("%+v %v, the server is %s", got, err, r.info("s1").State)
	}
	r.create("class-2")
	ends := r.calls("end")
	got, err := r.PanicServer(t.Context(), "s1", balancer.PanicOptions{SkipEndCalls: true})
	if err != nil || got.Unreached != 1 || r.calls("end") != ends || r.known("class-2") || r.info("s1").State != store.Disabled {
		t.Errorf("%+v %v", got, err)
	}
	r.wantOn("class-2", "s1")
}

func TestPanicOfADeadServerOwesTheEnds(t *testing.T) {
	r := newPool(t, 1)
	for i := range 3 {
		r.create(fmt.Sprintf("class-%d", i))
		r.enter("s1", fmt.Sprintf("class-%d", i))
	}
	r.sims["s1"].Stop()
	got, err := r.PanicServer(t.Context(), "s1", balancer.PanicOptions{})
	if err != nil || got.Unreached != 3 || r.known("class-0") || r.info("s1").State != store.Disabled {
		t.Errorf("%+v %v", got, err)
	}
	r.restart()
	r.comeBack("s1")
	r.poll()
	r.eventually("the meetings are ended", func() bool { return len(r.on("class-0"))+len(r.on("class-1"))+len(r.on("class-2")) == 0 })
}

// section 9: nothing acknowledged is lost, and nobody waits for a poll.
func TestRestartLosesNothing(t *testing.T) {
	for name, again := range map[string]func(*rig){"restart": (*rig).restart, "crash": (*rig).crash} {
		t.Run(name, func(t *testing.T) {
			r := newPool(t, 3)
			r.create("old")
			r.enter(r.record("old").Server, "old")
			r.clock.forward(time.Hour)
			r.poll()
			r.setState("s3", store.Cordoned)
			r.addServer(balancer.NewServer{ID: "dead"}, bbbtest.Options{})
			r.poll()
			r.offline("dead")
			r.create("young") // after the poll
			before, err := r.Servers(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			again(r)
			for _, sim := range r.sims {
				sim.ResetRequests()
			}
			after, err := r.Servers(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("servers changed:\n%s", diff)
			}
			for _, id := range []string{"old", "young"} {
				if err := r.join(id); err != nil {
					t.Errorf("join %s: %v", id, err)
				}
			}
			busy := r.record("young").Server
			if got := r.create("next"); got == busy || got == "s3" || got == "dead" {
				t.Errorf("a new meeting went to %s; %s has a young one", got, busy)
			}
			if r.calls("getMeetings") != 0 {
				t.Error("a poll was made")
			}
		})
	}
}

func spec(r *rig, id string) balancer.ServerSpec {
	return balancer.ServerSpec{ID: id, URL: r.sims[id].URL(), Secret: bbb.Secret(r.sims[id].Secret())}
}

func actions(list []balancer.SyncAction) string {
	var out []string
	for _, a := range list {
		out = append(out, a.ID+":"+a.Action)
	}
	return strings.Join(out, " ")
}

func TestSyncModes(t *testing.T) {
	for mode, want := range map[balancer.SyncMode]struct {
		actions string
		servers map[string]store.State
		runs    bool
	}{
		balancer.SyncKeep:   {"s1:none busy:none idle:none", map[string]store.State{"s1": "enabled", "busy": "enabled", "idle": "enabled"}, true},
		balancer.SyncCordon: {"s1:none busy:cordon idle:remove", map[string]store.State{"s1": "enabled", "busy": "cordoned"}, true},
		balancer.SyncForce:  {"s1:none busy:remove idle:remove", map[string]store.State{"s1": "enabled"}, false},
	} {
		t.Run(string(mode), func(t *testing.T) {
			r := newPool(t, 0)
			r.addServer(balancer.NewServer{ID: "busy"}, bbbtest.Options{})
			r.poll()
			r.create("lesson-1")
			r.addServer(balancer.NewServer{ID: "idle"}, bbbtest.Options{})
			r.addServer(balancer.NewServer{ID: "s1"}, bbbtest.Options{})
			before, _ := r.Servers(t.Context())
			for _, dry := range []bool{true, false} {
				got, err := r.SyncServers(t.Context(), []balancer.ServerSpec{spec(r, "s1")}, mode, dry)
				if err != nil || actions(got) != want.actions {
					t.Fatalf("dry=%v: %v, want %s; %v", dry, actions(got), want.actions, err)
				}
				if after, _ := r.Servers(t.Context()); dry && cmp.Diff(before, after) != "" {
					t.Errorf("a dry run changed something:\n%s", cmp.Diff(before, after))
				}
			}
			got := map[string]store.State{}
			servers, _ := r.Servers(t.Context())
			for _, s := range servers {
				got[s.ID] = s.State
			}
			if diff := cmp.Diff(want.servers, got); diff != "" {
				t.Error(diff)
			}
			if m, ok := r.sims["busy"].Meeting("lesson-1"); want.runs != (ok && !m.Ended) || want.runs != r.known("lesson-1") {
				t.Errorf("the meeting runs: %v, is known: %v", ok, r.known("lesson-1"))
			}
			again, err := r.SyncServers(t.Context(), []balancer.ServerSpec{spec(r, "s1")}, mode, false)
			for _, a := range again {
				if a.Action != "none" || err != nil {
					t.Errorf("a second sync does %+v, %v", a, err)
				}
			}
		})
	}
}

func TestSyncAddsAndUpdates(t *testing.T) {
	r := newPool(t, 1)
	change, added := spec(r, "s1"), balancer.ServerSpec{ID: "new", URL: "https://new.example/", Secret: "s-secret-word"}
	change.LoadMultiplier, change.Tag, change.Enabled = ptr(2.5), ptr("x"), ptr(false)
	change.Secret = "other-secret-word"
	added.Enabled, added.MaxUsers, added.Standby = ptr(true), ptr(50), ptr(true)
	got, err := r.SyncServers(t.Context(), []balancer.ServerSpec{change, added}, balancer.SyncKeep, false)
	if err != nil || actions(got) != "s1:update new:add" {
		t.Fatalf("%v %v", actions(got), err)
	}
	if text, _ := json.Marshal(got); strings.Contains(string(text), "secret-word") {
		t.Errorf("a secret is told: %s", text)
	}
	if s := r.info("s1"); s.LoadMultiplier != 2.5 || s.Tag != "x" || s.State != store.Disabled || s.Secret != "other-secret-word" {
		t.Errorf("%+v", s)
	}
	if s := r.info("new"); s.State != store.Enabled || s.MaxUsers != 50 || !s.Standby || s.Secret != "s-secret-word" {
		t.Errorf("%+v", s)
	}
	got, err = r.SyncServers(t.Context(), []balancer.ServerSpec{{ID: "s1", Enabled: ptr(true)}, {ID: "new"}}, balancer.SyncForce, false)
	if err != nil || actions(got) != "s1:enable new:none" {
		t.Errorf("%v %v", actions(got), err)
	}
}

func TestSyncOfAListThatMakesNoSenseDoesNothing(t *testing.T) {
	r := newPool(t, 1)
	good := balancer.ServerSpec{ID: "new", URL: "https://new.example/", Secret: "x"}
	for name, specs := range map[string][]balancer.ServerSpec{
		"twice":        {good, good},
		"no id":        {good, {URL: "https://x", Secret: "x"}},
		"no secret":    {good, {ID: "b", URL: "https://x"}},
		"bad url":      {good, {ID: "s1", URL: "ftp://x"}},
		"bad multiple": {good, {ID: "s1", LoadMultiplier: ptr(-1.0)}},
	} {
		if _, err := r.SyncServers(t.Context(), specs, balancer.SyncForce, false); !errors.Is(err, balancer.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.SyncServers(t.Context(), nil, "x", false); !errors.Is(err, balancer.ErrInvalid) {
		t.Errorf("unknown mode: %v", err)
	}
	if servers, _ := r.Servers(t.Context()); len(servers) != 1 {
		t.Errorf("%d servers", len(servers))
	}
}

func TestMeetingsTellWhatTheLastPollsSaw(t *testing.T) {
	r := newPool(t, 1)
	r.create("seen")
	if _, err := r.sims["s1"].Join("seen", "A", true); err != nil {
		t.Fatal(err)
	}
	r.poll()
	r.create("unseen")
	got, err := r.Meetings(t.Context())
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v %v", got, err)
	}
	if m := got[0]; m.ID != "seen" || !m.Seen || !m.Running || m.Users != 1 || m.Moderators != 1 || m.Name != "Lesson" || !m.ServerOnline {
		t.Errorf("%+v", m)
	}
	if m := got[1]; m.ID != "unseen" || m.Seen || m.Running || m.Users != 0 {
		t.Errorf("%+v", m)
	}
	r.offline("s1")
	if got, _ = r.Meetings(t.Context()); got[0].Running || got[0].ServerOnline {
		t.Errorf("on an offline server: %+v", got[0])
	}
}

func TestReconfigureHoldsForWhatComes(t *testing.T) {
	r := newPool(t, 1)
	r.create("lesson-1")
	cfg := r.cfg
	cfg.LoadMinUserCount, cfg.MaxMeetingDuration = 40, 30
	r.Reconfigure(cfg)
	if load := *r.info("s1").Load; load != 40 {
		t.Errorf("the load is %v", load)
	}
	r.create("lesson-2")
	if d := last(t, r.sims["s1"], "create").Params.Get("duration"); d != "30" {
		t.Errorf("the duration is %q", d)
	}
}
