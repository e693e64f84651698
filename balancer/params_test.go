package balancer_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/store"
)

func TestParametersOfACreate(t *testing.T) {
	r := newPool(t, 1, func(c *balancer.Config) {
		c.CreateDefaults = map[string]string{"welcome": "default", "record": "false", "logo": "default", "meta_a": ""}
		c.CreateOverrides = map[string]string{"muteOnStart": "true", "record": "true", "guestPolicy": "ALWAYS_DENY"}
		c.CreateExcludeParams = []string{"lockSettingsDisableCam", "logo"}
	})
	r.create("lesson-1", "welcome=asked", "record=false", "lockSettingsDisableCam=true", "guestPolicy=ASK_MODERATOR",
		"checksum=0123", "moderatorPW=mmm", "attendeePW=aaa", "welcome=last", "anything=new", "meta_server-tag=", "empty=")
	want := map[string][]string{
		"meetingID": {"lesson-1"}, "name": {"Lesson"},
		"meetingExpireIfNoUserJoinedInMinutes": {"0"}, "meetingExpireWhenLastUserLeftInMinutes": {"0"},
		"welcome": {"last"}, "record": {"true"}, "meta_a": {""}, "muteOnStart": {"true"}, "guestPolicy": {"ALWAYS_DENY"},
		"moderatorPW": {"mmm"}, "attendeePW": {"aaa"}, "anything": {"new"}, "empty": {""},
		"voiceBridge": {r.record("lesson-1").VoiceBridge},
	}
	if diff := cmp.Diff(want, sent(last(t, r.sims["s1"], "create"))); diff != "" {
		t.Errorf("parameters that the server got:\n%s", diff)
	}
}

func TestDurationIsCapped(t *testing.T) {
	r := newPool(t, 1, func(c *balancer.Config) { c.MaxMeetingDuration = 90 })
	for i, row := range []struct{ asked, want string }{
		{"", "90"}, {"duration=", "90"}, {"duration=0", "90"}, {"duration=-5", "90"}, {"duration=abc", "90"},
		{"duration=91", "90"}, {"duration=90", "90"}, {"duration=89", "89"}, {"duration=1", "1"}, {"duration=99999999999999999999", "90"},
	} {
		r.create(fmt.Sprintf("lesson-%d", i), row.asked)
		if got := last(t, r.sims["s1"], "create").Params.Get("duration"); got != row.want {
			t.Errorf("%q became %q, want %q", row.asked, got, row.want)
		}
	}
	free := newPool(t, 1)
	free.create("lesson-1", "duration=0")
	free.create("lesson-2")
	for _, q := range free.sims["s1"].Requests() {
		if d := q.Params["duration"]; q.Call == "create" && len(d) > 0 && d[0] != "0" {
			t.Errorf("without a limit the duration became %v", d)
		}
	}
}

// T55
func TestTags(t *testing.T) {
	const refused = "serverTagUnavailable"
	pool := map[string]string{"plain": "", "red": "red", "blue": "blue"}
	for _, row := range []struct {
		wish string
		off  []string // servers that are not available
		want string   // the server, or the refusal
		text string   // T of its message
	}{
		{wish: "", want: "plain"},
		{wish: "red", want: "red"},
		{wish: "red!", want: "red"},
		{wish: " red ! ", want: "red"},
		{wish: "none", want: "plain"},
		{wish: "none!", want: "plain"},
		{wish: "green", want: "plain"},
		{wish: "green!", want: refused, text: "green"},
		{wish: "green;blue", want: "blue"},
		{wish: "green;blue!", want: "blue"},
		{wish: "green;yellow!", want: refused, text: "green;yellow"},
		{wish: "!", want: "plain"},
		{wish: "red", off: []string{"red"}, want: "plain"},
		{wish: "red!", off: []string{"red"}, want: refused, text: "red"},
		{wish: "red;none!", off: []string{"red"}, want: "plain"},
		{wish: "none!", off: []string{"plain"}, want: refused, text: "none"},
		{wish: "", off: []string{"plain"}, want: "internalError"},
		{wish: "green", off: []string{"plain"}, want: "internalError"},
		{wish: "RED!", want: refused, text: "RED"},
	} {
		t.Run(fmt.Sprintf("%q without %v", row.wish, row.off), func(t *testing.T) {
			t.Parallel()
			r := newPool(t, 0)
			for id, tag := range pool {
				r.addServer(balancer.NewServer{ID: id, Tag: tag}, bbbtest.Options{})
			}
			r.poll()
			for _, id := range row.off {
				r.setState(id, store.Cordoned)
			}
			query := "name=Lesson&meetingID=lesson-1"
			if row.wish != "" {
				var p bbb.Params
				p.Set("meta_server-tag", row.wish)
				query += "&" + p.Encode()
			}
			_, err := r.Create(t.Context(), request("create", query))
			if e, ok := errors.AsType[*bbb.Error](err); ok {
				if e.Key != row.want || row.want == refused && !errors.Is(err, bbb.TagUnavailable(row.text)) {
					t.Errorf("got %v, want %s %s", err, row.want, row.text)
				}
				return
			}
			if err != nil || r.record("lesson-1").Server != row.want {
				t.Fatalf("got %v and server %s, want %s", err, r.record("lesson-1").Server, row.want)
			}
			got, given := last(t, r.sims[row.want], "create").Params["meta_server-tag"]
			if given != (pool[row.want] != "") || given && got[0] != pool[row.want] {
				t.Errorf("the tag sent on is %q, want that of the server, %q", got, pool[row.want])
			}
		})
	}
}

// T55
func TestTagFallbackToAnyServer(t *testing.T) {
	r := newPool(t, 0, func(c *balancer.Config) { c.TagFallback = balancer.FallbackAny })
	r.addServer(balancer.NewServer{ID: "red", Tag: "red"}, bbbtest.Options{})
	r.poll()
	for i, tag := range []string{"", "meta_server-tag=green"} {
		if got := r.create(fmt.Sprintf("lesson-%d", i), tag); got != "red" {
			t.Errorf("created on %s", got)
		}
	}
	_, err := r.Create(t.Context(), createOf("lesson-9", "meta_server-tag=green!"))
	wantErr(t, err, bbb.TagUnavailable("green"))
}

func TestPrecedenceOfTheTag(t *testing.T) {
	for _, row := range []struct{ override, asked, def, want string }{
		{"red", "blue", "green", "red"},
		{"", "blue", "green", "blue"},
		{"", "", "green", "green"},
	} {
		r := newPool(t, 1, func(c *balancer.Config) {
			if row.override != "" {
				c.CreateOverrides = map[string]string{balancer.TagParam: row.override}
			}
			c.CreateDefaults = map[string]string{balancer.TagParam: row.def}
		})
		for _, tag := range []string{"red", "blue", "green"} {
			r.addServer(balancer.NewServer{ID: tag, Tag: tag}, bbbtest.Options{})
		}
		r.poll()
		var more string
		if row.asked != "" {
			more = "meta_server-tag=" + row.asked
		}
		if got := r.create("lesson-1", more); got != row.want {
			t.Errorf("%+v: created on %s", row, got)
		}
	}
}

// A repeated create of a meeting whose tag has lost its servers still works.
func TestTagDoesNotMatterForAKnownMeeting(t *testing.T) {
	r := newPool(t, 0)
	r.addServer(balancer.NewServer{ID: "red", Tag: "red"}, bbbtest.Options{})
	r.poll()
	r.create("lesson-1", "meta_server-tag=red!")
	none := ""
	if _, err := r.UpdateServer(t.Context(), "red", balancer.ServerChange{Tag: &none}); err != nil {
		t.Fatal(err)
	}
	if got := r.create("lesson-1", "meta_server-tag=red!"); got != "red" {
		t.Errorf("created on %s", got)
	}
}

// Without tenants nobody may claim to be one: the polls would take the meeting
// for that tenant's.
func TestTenantCannotBeForged(t *testing.T) {
	r := newPool(t, 1)
	r.create("lesson-1", "meta_tenant-id=t1", "meta_Tenant-Id=t2", "meta_tenant-name=school", "meta_TENANT-NAME=x")
	for name := range sent(last(t, r.sims["s1"], "create")) {
		if len(name) > 10 && (name[5:] == "tenant-id" || name[5:] == "Tenant-Id" || name[5:] == "tenant-name" || name[5:] == "TENANT-NAME") {
			t.Errorf("%s was sent on", name)
		}
	}
	request := createOf("lesson-2", "meta_tenant-id=forged")
	request.Tenant = "t9"
	if reply, err := r.Create(t.Context(), request); err != nil || !reply.OK {
		t.Fatal(err)
	}
	if got := last(t, r.sims["s1"], "create").Params["meta_tenant-id"]; len(got) != 1 || got[0] != "t9" {
		t.Errorf("the tenant sent on is %v", got)
	}
	r.clock.forward(2 * 60 * 1e9)
	if report := r.poll(); report.Servers[0].Adopted != 0 || report.Servers[0].Ended != 0 {
		t.Errorf("the poll took the meetings for others: %+v", report.Servers[0])
	}
	if err := r.join("lesson-1"); err != nil {
		t.Error(err)
	}
}

func TestVoiceBridges(t *testing.T) {
	r := newPool(t, 1)
	seen := map[string]bool{}
	for i := range 50 {
		id := fmt.Sprintf("lesson-%d", i)
		r.create(id, "voiceBridge=71234")
		b := r.record(id).VoiceBridge
		if n, err := strconv.Atoi(b); err != nil || len(b) != 9 || b[0] == '0' || n <= 0 || seen[b] {
			t.Errorf("voice bridge %q is no number of 9 digits of its own", b)
		}
		seen[b] = true
		if m, _ := r.sims["s1"].Meeting(id); m.VoiceBridge != b {
			t.Errorf("the server has voice bridge %q, the record %q", m.VoiceBridge, b)
		}
	}
	// The same ID gets the same number again, also on another installation.
	was := r.record("lesson-7").VoiceBridge
	if _, err := r.End(t.Context(), about("end", "lesson-7")); err != nil {
		t.Fatal(err)
	}
	r.create("lesson-7")
	other := newPool(t, 1)
	other.create("lesson-7")
	if a, b := r.record("lesson-7").VoiceBridge, other.record("lesson-7").VoiceBridge; a != was || b != was {
		t.Errorf("the same meeting got the numbers %s, %s and %s", was, a, b)
	}
}

func TestVoiceBridgesRunOut(t *testing.T) {
	r := newPool(t, 1, func(c *balancer.Config) { c.VoiceBridgeLen = 1 })
	var refused error
	for i := range 10 {
		if _, err := r.Create(t.Context(), createOf(fmt.Sprintf("lesson-%d", i))); err != nil {
			refused = err
		}
	}
	wantErr(t, refused, bbb.ErrCreateFailed)
	meetings, err := r.Meetings(t.Context())
	if err != nil || len(meetings) > 9 {
		t.Errorf("%d meetings have one of 9 numbers, %v", len(meetings), err)
	}
	if n := len(r.sims["s1"].Meetings()); n != len(meetings) {
		t.Errorf("the server has %d meetings, %d are known", n, len(meetings))
	}
}

func TestVoiceBridgeOfFiveDigitsIsNeverTheReservedOne(t *testing.T) {
	r := newPool(t, 1, func(c *balancer.Config) { c.VoiceBridgeLen, c.UseExternalVoiceBridge = 5, true })
	r.create("lesson-1", "voiceBridge=99999")
	if b := r.record("lesson-1").VoiceBridge; b == "99999" || len(b) != 5 {
		t.Errorf("the voice bridge is %s", b)
	}
}

func TestExternalVoiceBridge(t *testing.T) {
	r := newPool(t, 1, func(c *balancer.Config) { c.UseExternalVoiceBridge = true })
	r.create("lesson-1", "voiceBridge=71234")
	if b := r.record("lesson-1").VoiceBridge; b != "71234" {
		t.Errorf("the voice bridge is %s, asked was for 71234", b)
	}
	r.create("lesson-1", "voiceBridge=71234")
	r.create("lesson-2", "voiceBridge=71234") // taken
	if b := r.record("lesson-2").VoiceBridge; len(b) != 9 {
		t.Errorf("the second meeting got %s", b)
	}
	for i, odd := range []string{"0123", "12a", "1234567890123", "-5"} {
		id := fmt.Sprintf("odd-%d", i)
		r.create(id, "voiceBridge="+odd)
		if b := r.record(id).VoiceBridge; len(b) != 9 {
			t.Errorf("%q was taken as a number: %s", odd, b)
		}
	}
	if _, err := r.End(t.Context(), about("end", "lesson-1")); err != nil {
		t.Fatal(err)
	}
	r.create("lesson-3", "voiceBridge=71234")
	if b := r.record("lesson-3").VoiceBridge; b != "71234" {
		t.Errorf("a number that was freed is not given out again: %s", b)
	}
}

// A meeting keeps its number when it moves: people have it in their calendar.
func TestVoiceBridgeMovesWithTheMeeting(t *testing.T) {
	r := newPool(t, 2)
	server := r.create("lesson-1")
	was := r.record("lesson-1").VoiceBridge
	r.sims[server].Stop()
	now := r.create("lesson-1")
	if m, _ := r.sims[now].Meeting("lesson-1"); m.VoiceBridge != was || r.record("lesson-1").VoiceBridge != was {
		t.Errorf("the number went from %s to %s", was, m.VoiceBridge)
	}
}
