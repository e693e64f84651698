package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/store"
	"scalelite/web/admin"
)

func TestStatusTable(t *testing.T) {
	t.Parallel()
	got := newSession(t, twoServers()).ok("status")
	want := `HOSTNAME          STATE     STATUS   MEETINGS  USERS  LARGEST MEETING  VIDEOS  LOAD         BBB VERSION  TAG
bbb1.example.com  enabled   online   3         40     30               5       42.5         3.0.4        exams
bbb2.example.com  disabled  offline  0         0      0                0       unavailable  -            -

Recordings  switched off (recordings.enabled)
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStatusJSON(t *testing.T) {
	t.Parallel()
	out := newSession(t, twoServers()).ok("status", "--json")
	var rows []map[string]any
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || rows[0]["hostname"] != "bbb1.example.com" || rows[0]["load"] != 42.5 || rows[1]["load"] != nil {
		t.Errorf("%v", rows)
	}
	if strings.Contains(out, "swordfish") {
		t.Error("a secret is shown")
	}
}

// Every listing of an empty pool says what to do next, and is [] in JSON.
func TestEmptyListings(t *testing.T) {
	t.Parallel()
	s := newSession(t, &pool{daemon: true})
	for _, args := range []string{"status", "servers", "poll"} {
		if out, _, _ := strings.Cut(s.ok(args), "\n\n"); strings.TrimSpace(out) != noServers {
			t.Errorf("%s: %q", args, out)
		}
	}
	for _, args := range [][]string{{"meetings"}, {"servers", "meetings"}} {
		if out := s.ok(args...); out != noMeetings+"\n" {
			t.Errorf("%s: %q", args, out)
		}
	}
	for _, args := range [][]string{{"status"}, {"servers"}, {"meetings"}, {"servers", "meetings"}, {"meetings", "end", "--all"}} {
		if out := s.ok(append(args, "--json")...); out != "[]\n" {
			t.Errorf("%s --json: %q", args, out)
		}
	}
}

func TestServersBlocks(t *testing.T) {
	t.Parallel()
	p := twoServers()
	p.servers[1].MaxUsers, p.servers[1].Standby = 150, true
	got := newSession(t, p).ok("servers", "--secrets")
	want := `id: id-1
url: https://bbb1.example.com/bigbluebutton/api
secret: swordfish
state: enabled
load: 42.5
load multiplier: 1.0
bbb version: 3.0.4
tag: exams
online: yes

id: id-2
url: bbb2.example.com
secret: swordfish
state: disabled
load: unavailable
load multiplier: 2.0
bbb version: 
tag: 
online: no
max users: 150
standby: yes
error: connection refused
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestServersShowsSecretsOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	s := newSession(t, twoServers())
	for _, args := range [][]string{{"servers"}, {"servers", "--json"}} {
		if out := s.ok(args...); strings.Contains(out, "swordfish") {
			t.Errorf("%q shows a secret", args)
		}
		if out := s.ok(append(args, "--secrets")...); strings.Count(out, "swordfish") != 2 {
			t.Errorf("%q --secrets: %s", args, out)
		}
	}
}

func TestAddAsksTheServerFirst(t *testing.T) {
	t.Parallel()
	p := twoServers()
	r := newSession(t, p).run("", "servers", "add", "https://BBB3.example.com/bigbluebutton/", "s3",
		"--id", "three", "--tag", "exams", "--load-multiplier", "1.5", "--max-meetings", "20", "--max-users", "150", "--standby", "--enable")
	if r.code != 0 || r.out != "three\n" {
		t.Errorf("%+v", r)
	}
	if !strings.Contains(r.err, "bbb3.example.com answers: BigBlueButton 3.0.4, checksums with sha256.") {
		t.Errorf("stderr: %s", r.err)
	}
	want := balancer.NewServer{ID: "three", URL: "https://BBB3.example.com/bigbluebutton/", Secret: "s3", Tag: "exams",
		LoadMultiplier: 1.5, MaxMeetings: 20, MaxUsers: 150, Standby: true, Enable: true}
	if p.added != want {
		t.Errorf("added %+v, want %+v", p.added, want)
	}
	if diff := cmp.Diff([]string{"probe https://BBB3.example.com/bigbluebutton/", "add https://BBB3.example.com/bigbluebutton/"}, p.calls); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// T51: a wrong secret is refused, in words, and nothing is added.
func TestAddWithAWrongSecret(t *testing.T) {
	t.Parallel()
	p := twoServers()
	p.probe = func(string, bbb.Secret) (bbb.ProbeResult, error) {
		return bbb.ProbeResult{}, &admin.Error{Code: admin.Refused, Message: "bbb3.example.com: secret refused; 'bbb-conf --secret' prints the right one"}
	}
	s := newSession(t, p)
	r := s.run("", "servers", "add", "https://bbb3.example.com", "wrong-swordfish")
	r.wantFail(t, exitFailure, "secret refused", "Nothing was added")
	if strings.Contains(r.err, "swordfish") {
		t.Errorf("stderr shows the secret: %s", r.err)
	}
	if len(p.calls) != 1 {
		t.Errorf("calls: %q", p.calls)
	}
	s.ok("servers", "add", "https://bbb3.example.com", "s", "--no-check")
	if diff := cmp.Diff([]string{"probe https://bbb3.example.com", "add https://bbb3.example.com"}, p.calls); diff != "" {
		t.Errorf("with --no-check (-want +got):\n%s", diff)
	}
}

// oddSecrets are secrets that have broken command lines and files (T64).
var oddSecrets = []string{`,`, `;`, `:`, `"`, `$`, `a b`, ` lead and trail `, `a,b;c:d"e$f g'h\i#j{k}[l]|m>n&o*p!q%r@s` + "`t", "日本 é\u0301 🙂",
	"0123", "1e5", "yes", "null", "~", "12:30:45", "0x1F", "- x", "? x", "---", "tab\there", "-x", "=", "!!binary x", "<<"}

// T64: what comes in as an argument is what is stored.
func TestSecretsInArguments(t *testing.T) {
	t.Parallel()
	for _, secret := range oddSecrets {
		p := twoServers()
		s := newSession(t, p)
		if r := s.run("", "servers", "add", "--", "https://bbb3.example.com", secret); r.code != 0 || p.added.Secret.Reveal() != secret {
			t.Errorf("add %q: stored %q, %s", secret, p.added.Secret.Reveal(), r.err)
		}
		if r := s.run("", "servers", "update", "id-1", "--secret="+secret); r.code != 0 || p.change.Secret.Reveal() != secret {
			t.Errorf("update %q: stored %q, %s", secret, p.change.Secret.Reveal(), r.err)
		}
		if strings.Contains(secret, "\t") {
			continue
		}
		if r := s.run(secret+"\n", "servers", "add", "https://bbb3.example.com", "-"); r.code != 0 || p.added.Secret.Reveal() != secret {
			t.Errorf("from stdin %q: stored %q, %s", secret, p.added.Secret.Reveal(), r.err)
		}
	}
}

func TestASecretIsTypedUnseen(t *testing.T) {
	t.Parallel()
	p := twoServers()
	s := newSession(t, p).interactive()
	r := s.run("", "servers", "update", "bbb1.example.com", "--secret", "-")
	if r.code != 0 || p.change.Secret.Reveal() != "typed secret" || !strings.Contains(r.err, "not shown") {
		t.Errorf("%+v, secret %q", r, p.change.Secret.Reveal())
	}
	newSession(t, p).run("\n", "servers", "update", "id-1", "--secret", "-").wantFail(t, exitUsage, "the secret is empty")
}

func TestUpdateSendsOnlyWhatWasGiven(t *testing.T) {
	t.Parallel()
	p := twoServers()
	s := newSession(t, p)
	s.ok("servers", "update", "id-1", "--tag", "", "--standby=false", "--max-users", "0")
	empty, no, zero := "", false, 0
	if diff := cmp.Diff(balancer.ServerChange{Tag: &empty, Standby: &no, MaxUsers: &zero}, p.change); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.ok("servers", "update", "bbb2.example.com", "--load-multiplier", "2.5", "--max-meetings", "7")
	weight, seven := 2.5, 7
	if diff := cmp.Diff(balancer.ServerChange{LoadMultiplier: &weight, MaxMeetings: &seven}, p.change); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestServersAreFoundByHost(t *testing.T) {
	t.Parallel()
	p := twoServers()
	p.servers = append(p.servers, balancer.ServerInfo{ID: "id-3", URL: "https://bbb3.example.com:8443/", State: store.Enabled},
		balancer.ServerInfo{ID: "id-4", URL: "http://bbb3.example.com/", State: store.Enabled})
	s := newSession(t, p)
	for _, arg := range []string{"id-1", "bbb1.example.com", "BBB1.example.com"} {
		if out := s.ok("servers", "enable", arg); !strings.Contains(out, "(id-1) is already enabled") {
			t.Errorf("%s: %s", arg, out)
		}
	}
	s.ok("servers", "enable", "bbb3.example.com:8443")
	s.run("", "servers", "enable", "bbb3.example.com").wantFail(t, exitFailure,
		`2 servers have the host "bbb3.example.com"`, "  id-3  bbb3.example.com:8443\n  id-4  bbb3.example.com")
	s.run("", "servers", "enable", "bbb9").wantFail(t, exitFailure, `there is no server "bbb9"; there are:`, "  id-2  bbb2.example.com\n")
}

func TestTheListOfAnUnknownServerIsBounded(t *testing.T) {
	t.Parallel()
	p := &pool{daemon: true}
	for i := range 200 {
		p.servers = append(p.servers, balancer.ServerInfo{ID: strings.Repeat("x", i+1), URL: "u"})
	}
	r := newSession(t, p).run("", "servers", "enable", "nobody")
	r.wantFail(t, exitFailure, "and 190 more")
	if n := strings.Count(r.err, "\n"); n > 13 {
		t.Errorf("%d lines", n)
	}
	newSession(t, &pool{daemon: true}).run("", "servers", "enable", "x").wantFail(t, exitFailure, noServers)
}

// A second run does no harm and says so.
func TestStatesAreSetOnce(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args []string
		want store.State
	}{
		{[]string{"enable", "id-2"}, store.Enabled},
		{[]string{"disable", "id-1", "--yes"}, store.Disabled},
		{[]string{"cordon", "id-1"}, store.Cordoned},
	} {
		p := twoServers()
		s := newSession(t, p)
		args := append([]string{"servers"}, tc.args...)
		if out := s.ok(args...); !strings.Contains(out, " is "+string(tc.want)+".") {
			t.Errorf("%q: %s", args, out)
		}
		if out := s.ok(args...); !strings.Contains(out, "is already "+string(tc.want)) {
			t.Errorf("%q again: %s", args, out)
		}
		if len(p.calls) != 1 {
			t.Errorf("%q: calls %q", args, p.calls)
		}
	}
}

// Whatever destroys something asks, or needs --yes where nobody can be asked.
func TestDestructiveCommandsAsk(t *testing.T) {
	t.Parallel()
	fill := func() *pool {
		p := twoServers()
		p.meetings = []balancer.MeetingInfo{{MeetingKey: store.MeetingKey{ID: "m1"}, Server: "id-1", Users: 7}}
		p.actions = []balancer.SyncAction{{ID: "id-2", Action: "remove"}}
		p.ends = []balancer.EndResult{{MeetingKey: store.MeetingKey{ID: "m1"}}}
		return p
	}
	const list = "servers:\n  b: {secret: s}\n"
	for _, tc := range []struct {
		args     []string
		question string
		call     string
	}{
		{[]string{"servers", "remove", "id-1"}, "its 3 meetings forgotten", "remove id-1"},
		{[]string{"servers", "panic", "id-1"}, "3 at its last poll, 40 users", "panic id-1 {KeepState:false SkipEndCalls:false}"},
		{[]string{"servers", "disable", "id-1"}, "nobody can join them", "state id-1 disabled"},
		{[]string{"meetings", "end", "m1"}, "1 meeting with 7 users will be ended", `end ["m1"]`},
		{[]string{"meetings", "end", "--all"}, "1 meeting with 7 users will be ended", `end []`},
		{[]string{"secret", "--rotate"}, "Every front-end needs the new secret", "rotate"},
		{[]string{"servers", "sync", writeTemp(t, list), "--mode", "force"}, "1 server (id-2) will be removed", "sync 1 force"},
		{[]string{"servers", "sync", writeTemp(t, "servers: {}")}, "the file has no servers at all", "sync 0 cordon"},
	} {
		p := fill()
		newSession(t, p).run("", tc.args...).wantFail(t, exitUsage, tc.question, "--yes")
		newSession(t, p).interactive().run("n\n", tc.args...).wantFail(t, exitFailure, tc.question, "cancelled, nothing was changed")
		newSession(t, p).interactive().run("", tc.args...).wantFail(t, exitFailure, "cancelled, nothing was changed")
		if len(p.calls) != 0 {
			t.Errorf("%q did without leave: %q", tc.args, p.calls)
		}
		for _, r := range []result{newSession(t, p).interactive().run("yes\n", tc.args...), newSession(t, fill()).run("", append(tc.args, "--yes")...)} {
			if r.code != 0 {
				t.Errorf("%q: status %d: %s", tc.args, r.code, r.err)
			}
		}
		if diff := cmp.Diff([]string{tc.call}, p.calls); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tc.args, diff)
		}
	}
}

func TestDisablingAnIdleServerAsksNothing(t *testing.T) {
	t.Parallel()
	p := twoServers()
	p.servers[0].Meetings = 0
	newSession(t, p).ok("servers", "disable", "id-1")
}

func TestPanicTellsWhatBecameOfTheMeetings(t *testing.T) {
	t.Parallel()
	p := twoServers()
	out := newSession(t, p).ok("servers", "panic", "id-1", "--yes", "--keep-state", "--skip-end-calls")
	want := "bbb1.example.com (id-1) is enabled; 2 meetings ended.\n1 meeting could not be reached and will be ended when the server answers again.\n"
	if out != want {
		t.Errorf("got %q", out)
	}
	if p.calls[0] != "panic id-1 {KeepState:true SkipEndCalls:true}" {
		t.Errorf("calls %q", p.calls)
	}
}

// FIELD 21: cordon --wait returns when the server is empty.
func TestCordonWaits(t *testing.T) {
	t.Parallel()
	p := twoServers()
	p.onServer = func(s *balancer.ServerInfo) {
		if s.Meetings > 0 {
			s.Meetings--
		} else {
			s.State = store.Disabled // as a poll does
		}
	}
	got := newSession(t, p).ok("servers", "cordon", "bbb1.example.com", "--wait")
	want := `bbb1.example.com (id-1) is cordoned.
Waiting for the end of 2 meetings, 40 users.
Waiting for the end of 1 meeting, 40 users.
Waiting for the end of 0 meetings, 40 users.
bbb1.example.com (id-1) is empty and disabled.
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCordonStopsWaiting(t *testing.T) {
	t.Parallel()
	p := twoServers()
	p.onServer = func(s *balancer.ServerInfo) { s.State = store.Enabled }
	newSession(t, p).run("", "servers", "cordon", "id-1", "--wait").wantFail(t, exitFailure, "was enabled again by somebody else")

	p = twoServers()
	ctx, cancel := context.WithCancel(context.Background())
	p.onServer = func(*balancer.ServerInfo) { cancel() }
	newSession(t, p).runContext(ctx, "", "servers", "cordon", "id-1", "--wait").wantFail(t, exitFailure, "interrupted")

	p = twoServers()
	p.daemon = false
	newSession(t, p).run("", "servers", "cordon", "id-1", "--wait").wantFail(t, exitFailure, "--wait needs the running service")
	if len(p.calls) != 0 {
		t.Errorf("calls %q", p.calls)
	}
}

// A disabled server on which meetings still run can be drained; an idle one is
// left alone.
func TestCordonOfADisabledServer(t *testing.T) {
	t.Parallel()
	p := twoServers()
	if out := newSession(t, p).ok("servers", "cordon", "id-2"); !strings.Contains(out, "empty and disabled already") || len(p.calls) != 0 {
		t.Errorf("%q, calls %q", out, p.calls)
	}
	p.servers[1].Meetings = 1
	newSession(t, p).ok("servers", "cordon", "id-2")
	if diff := cmp.Diff([]string{"state id-2 cordoned"}, p.calls); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStatusIsWatchedUntilTheEnd(t *testing.T) {
	t.Parallel()
	p := twoServers()
	s := newSession(t, p)
	s.deps.liveOutput = true
	ctx, cancel := context.WithCancel(context.Background())
	shown := 0
	s.deps.dial = func(string) admin.Service { return counting{p, func() { shown++; failSecond(p, shown, cancel) }} }
	r := s.runContext(ctx, "", "status", "--watch")
	if r.code != 0 || strings.Count(r.out, clearScreen) != 3 || !strings.Contains(r.out, "The service does not answer: restarting") {
		t.Errorf("%+v", r)
	}
}

// counting calls fn after each Servers.
type counting struct {
	*pool
	after func()
}

func (c counting) Servers(ctx context.Context) ([]balancer.ServerInfo, error) {
	defer c.after()
	return c.pool.Servers(ctx)
}

func failSecond(p *pool, shown int, cancel func()) {
	p.fail = nil
	switch shown {
	case 1:
		p.fail = errors.New("restarting")
	case 4:
		cancel()
	}
}
