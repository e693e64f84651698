package cmd

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/store"
	"scalelite/web/admin"
)

func withMeetings() *pool {
	p := twoServers()
	created := time.Date(2026, 11, 23, 8, 0, 0, 0, time.Local)
	p.meetings = []balancer.MeetingInfo{
		{MeetingKey: store.MeetingKey{ID: "m1"}, Name: "Maths\x1b[2J", Server: "id-1", ServerOnline: true, Seen: true, Running: true, Users: 30, Videos: 4, Created: created},
		{MeetingKey: store.MeetingKey{ID: "m2"}, Name: "Art", Server: "id-1", ServerOnline: true, Seen: true, Created: created},
		{MeetingKey: store.MeetingKey{ID: "m3"}, Server: "id-1", ServerOnline: true, Created: created, VoiceBridge: "12345"},
		{MeetingKey: store.MeetingKey{ID: "m4"}, Server: "id-2", Created: created},
	}
	return p
}

func TestMeetingsTable(t *testing.T) {
	t.Parallel()
	s := newSession(t, withMeetings())
	got := s.ok("meetings")
	want := "MEETING ID  NAME       SERVER            STATUS          USERS  VIDEOS  CREATED\n" +
		"m1          Maths\uFFFD[2J  bbb1.example.com  running         30     4       2026-11-23 08:00:00\n" +
		"m2          Art        bbb1.example.com  empty           0      0       2026-11-23 08:00:00\n" +
		"m3          -          bbb1.example.com  not polled yet  0      0       2026-11-23 08:00:00\n" +
		"m4          -          bbb2.example.com  server offline  0      0       2026-11-23 08:00:00\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := s.ok("servers", "meetings", "bbb2.example.com", "id-2"); strings.Count(got, "\n") != 2 || !strings.Contains(got, "m4 ") {
		t.Errorf("meetings of a server: %s", got)
	}
	if got := s.ok("servers", "meetings"); got != want {
		t.Errorf("meetings of all servers: %s", got)
	}
}

func TestMeetingsOfTenantsHaveTheirColumn(t *testing.T) {
	t.Parallel()
	p := withMeetings()
	p.meetings[1].Tenant, p.meetings[1].ID = "school", "m1"
	s := newSession(t, p)
	if got := s.ok("meetings", "m1"); !strings.HasPrefix(got, "TENANT  MEETING ID") || !strings.Contains(got, "\nschool  m1 ") || strings.Contains(got, "m3") {
		t.Errorf("%s", got)
	}
	if got := s.ok("meetings", "info", "m1"); strings.Count(got, "id: m1\n") != 2 || !strings.Contains(got, "tenant: school\n") {
		t.Errorf("%s", got)
	}
}

func TestUnknownMeetings(t *testing.T) {
	t.Parallel()
	p := withMeetings()
	s := newSession(t, p)
	r := s.run("", "meetings", "m1", "x", "y")
	r.wantFail(t, exitFailure, `there is no meeting "x", "y"; 'scalelite meetings' lists those there are`)
	if !strings.Contains(r.out, "m1") {
		t.Error("the meeting that there is is not listed")
	}
	s.run("", "meetings", "info", "x").wantFail(t, exitFailure, `there is no meeting "x"`)
	s.run("", "meetings", "end", "m1", "x", "--yes").wantFail(t, exitFailure, "nothing was ended")
	if len(p.calls) != 0 {
		t.Errorf("calls %q", p.calls)
	}
}

func TestEndTellsWhatBecameOfEachMeeting(t *testing.T) {
	t.Parallel()
	p := withMeetings()
	p.ends = []balancer.EndResult{
		{MeetingKey: store.MeetingKey{ID: "m1"}},
		{MeetingKey: store.MeetingKey{ID: "m4"}, Pending: true, Error: "connection refused"},
		{MeetingKey: store.MeetingKey{ID: "m2", Tenant: "school"}, Error: "wrong password"},
	}
	r := newSession(t, p).run("", "meetings", "end", "--all", "--yes")
	want := "m1: ended\nm4: will be ended when its server answers\nm2 (tenant school): not ended: wrong password\n"
	if r.out != want {
		t.Errorf("got %q, want %q", r.out, want)
	}
	r.wantFail(t, exitFailure, "1 meeting could not be ended: m2")
	p.ends = p.ends[:2]
	if r := newSession(t, p).run("", "meetings", "end", "m1", "m4", "--yes"); r.code != 0 {
		t.Errorf("a pending end is a failure: %+v", r)
	}
}

func TestEndingAllOfNoneDoesNothing(t *testing.T) {
	t.Parallel()
	p := twoServers()
	if out := newSession(t, p).ok("meetings", "end", "--all"); out != "No meetings are running.\n" || len(p.calls) != 0 {
		t.Errorf("%q, calls %q", out, p.calls)
	}
}

func TestPoll(t *testing.T) {
	t.Parallel()
	p := twoServers()
	p.report = balancer.PollReport{OwnNetwork: true, Servers: []balancer.PolledServer{
		{ID: "id-1", Online: true, Meetings: 3, Users: 40, Adopted: 1, Ended: 2, Duration: 12345 * time.Microsecond},
		{ID: "gone", Duration: time.Second, Error: "connection refused"},
	}}
	s := newSession(t, p)
	want := `HOSTNAME          STATUS   MEETINGS  USERS  ADOPTED  ENDED  TIME  ERROR
bbb1.example.com  online   3         40     1        2      12ms  -
gone              offline  0         0      0        0      1s    connection refused

So many servers failed at once that the network of this machine is taken for the cause; no server goes offline for it.
`
	if diff := cmp.Diff(want, s.ok("poll")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var report balancer.PollReport
	if err := json.Unmarshal([]byte(s.ok("poll", "--json")), &report); err != nil || len(report.Servers) != 2 || !report.OwnNetwork {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	p := twoServers()
	p.secrets = admin.Secrets{Secrets: []bbb.Secret{"first", "second"}}
	s := newSession(t, p)
	if out := s.ok("secret"); out != "first\nsecond\n" {
		t.Errorf("%q", out)
	}
	var got struct {
		Secrets   []string
		Generated bool
	}
	if err := json.Unmarshal([]byte(s.ok("secret", "--json")), &got); err != nil || len(got.Secrets) != 2 || got.Secrets[0] != "first" {
		t.Errorf("%+v, %v", got, err)
	}
	if out := s.ok("secret", "--rotate", "--yes"); out != "rotated\n" {
		t.Errorf("%q", out)
	}
}
