package cmd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/store"
)

func writeTemp(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "servers.yml")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func ptr[T any](v T) *T { return &v }

func parse(t *testing.T, content string) []balancer.ServerSpec {
	t.Helper()
	specs, warnings, err := parseServers(strings.NewReader(content))
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, warnings %q", err, warnings)
	}
	return specs
}

// The file as the description of the Ruby system's task has it.
func TestTheFileOfTheRubySystem(t *testing.T) {
	t.Parallel()
	got := parse(t, `
servers:
    # Example for a simple server (ID equals hostname)
    bbb1.example.com:
        secret: "1bdce5"
    02bff3a7-c95f-49d3-b1e5-c53eddd4dd68:
        secret: 0123
        url: "https://bbb2.example.com/bigbluebutton/api"
        enabled: false
        load_multiplier: 5
        tag: exams
`)
	want := []balancer.ServerSpec{
		{ID: "bbb1.example.com", URL: "https://bbb1.example.com/bigbluebutton/api", Secret: "1bdce5", Enabled: ptr(true), LoadMultiplier: ptr(1.0)},
		{ID: "02bff3a7-c95f-49d3-b1e5-c53eddd4dd68", URL: "https://bbb2.example.com/bigbluebutton/api", Secret: "0123",
			Enabled: ptr(false), LoadMultiplier: ptr(5.0), Tag: ptr("exams")},
	}
	if diff := cmp.Diff(reveal(want), reveal(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Some versions of the Ruby system write the keys as symbols, and more than
// can be set.
func TestTheFileWithSymbols(t *testing.T) {
	t.Parallel()
	got := parse(t, `---
:servers: !ruby/hash:ActiveSupport::HashWithIndifferentAccess
  bbb1.example.com:
    :id: bbb1.example.com
    :url: https://bbb1.example.com/bigbluebutton/api
    :secret: ":s"
    :enabled: true
    :load_multiplier: 2.0
    :load: 3.5
    :online: true
    :tag:
`)
	want := []balancer.ServerSpec{{ID: "bbb1.example.com", URL: "https://bbb1.example.com/bigbluebutton/api", Secret: ":s",
		Enabled: ptr(true), LoadMultiplier: ptr(2.0)}}
	if diff := cmp.Diff(reveal(want), reveal(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnchorsAndStates(t *testing.T) {
	t.Parallel()
	got := parse(t, `
common: &common {secret: shared, max_users: 100, standby: true}
servers:
  a: {<<: *common, state: cordoned, enabled: true}
  b: {<<: *common, secret: own, state: disabled, max_meetings: 3}
  c: {secret: s, state: enabled, enabled: false}
`)
	want := []balancer.ServerSpec{
		{ID: "a", Secret: "shared", MaxUsers: ptr(100), Standby: ptr(true)},
		{ID: "b", Secret: "own", MaxUsers: ptr(100), Standby: ptr(true), MaxMeetings: ptr(3), Enabled: ptr(false)},
		{ID: "c", Secret: "s", Enabled: ptr(true)},
	}
	for i := range want {
		want[i].URL, want[i].LoadMultiplier = "https://"+want[i].ID+"/bigbluebutton/api", ptr(1.0)
	}
	if diff := cmp.Diff(reveal(want), reveal(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// plainSpec is a ServerSpec whose secret can be compared and shown.
type plainSpec struct {
	balancer.ServerSpec
	Plain string
}

func reveal(specs []balancer.ServerSpec) []plainSpec {
	plain := make([]plainSpec, len(specs))
	for i, s := range specs {
		plain[i].Plain = s.Secret.Reveal()
		s.Secret = ""
		plain[i].ServerSpec = s
	}
	return plain
}

func TestFilesThatAreWrong(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ file, want string }{
		{"", `has no key "servers"; 'scalelite servers export' shows what it should look like`},
		{"- a\n- b\n", "is no valid YAML: unmarshal errors"},
		{"servers: [\n", "is no valid YAML: line 1: did not find expected node content"},
		{"servers: [a, b]\n", "line 1: servers is no map from id to server"},
		{"servers:\n  a: swordfish\n", `line 2: server "a" is no map with secret, url, ...`},
		{"servers:\n  a: {url: u}\n", `line 2: server "a" has no secret`},
		{"servers:\n  a: {secret: }\n", `line 2: server "a" has no secret`},
		{"servers:\n  a: {secret: [swordfish]}\n  b:\n    secret: s\n    enabled: swordfish\n    load_multiplier: 0\n    max_users: swordfish\n    state: swordfish\n",
			"line 2: server \"a\": secret must be text\nline 2: server \"a\" has no secret\n" +
				"line 5: server \"b\": enabled must be true or false\nline 6: server \"b\": load_multiplier must be a number above 0\n" +
				"line 7: server \"b\": max_users must be a whole number\nline 8: server \"b\": state must be enabled, cordoned or disabled"},
	} {
		_, _, err := parseServers(strings.NewReader(tc.file))
		if err == nil || err.Error() != tc.want {
			t.Errorf("%q\n got %v\nwant %s", tc.file, err, tc.want)
		}
	}
}

func TestUnknownKeysAreTold(t *testing.T) {
	t.Parallel()
	p := twoServers()
	r := newSession(t, p).run("servers:\n  a:\n    secret: s\n    load_multiplyer: 2\n", "servers", "sync", "-")
	if r.code != 0 || r.err != "standard input: line 4: server \"a\": \"load_multiplyer\" is not known and left out\n" {
		t.Errorf("%+v", r)
	}
}

// What is exported can be synchronised and gives the same servers (T64).
func TestExportRoundTrip(t *testing.T) {
	t.Parallel()
	p := twoServers()
	p.servers[1].State, p.servers[1].Standby, p.servers[1].MaxMeetings = store.Cordoned, true, 9
	for i, secret := range oddSecrets {
		p.servers = append(p.servers, balancer.ServerInfo{ID: strings.Repeat("x", i+1), URL: "https://" + secret, Secret: bbb.Secret(secret),
			Tag: secret, State: store.Enabled, LoadMultiplier: 1.25})
	}
	s := newSession(t, p)
	for _, args := range [][]string{{"servers", "export"}, {"servers", "export", "--verbose"}} {
		out := s.ok(args...)
		if r := s.run(out, "servers", "sync", "-"); r.code != 0 {
			t.Fatalf("sync: %s\n%s", r.err, out)
		}
		if len(p.specs) != len(p.servers) {
			t.Fatalf("%d servers, want %d", len(p.specs), len(p.servers))
		}
		for i, spec := range p.specs {
			compareSpec(t, p.servers[i], spec)
		}
	}
}

func compareSpec(t *testing.T, s balancer.ServerInfo, spec balancer.ServerSpec) {
	t.Helper()
	if spec.ID != s.ID || spec.URL != s.URL || spec.Secret != s.Secret || *spec.LoadMultiplier != s.LoadMultiplier {
		t.Errorf("%q %q %q became %q %q %q", s.ID, s.URL, s.Secret.Reveal(), spec.ID, spec.URL, spec.Secret.Reveal())
	}
	if s.Tag != "" && *spec.Tag != s.Tag || s.MaxMeetings != 0 && *spec.MaxMeetings != s.MaxMeetings || s.Standby && !*spec.Standby {
		t.Errorf("%s: %+v became %+v", s.ID, s, spec)
	}
	switch {
	case s.State == store.Cordoned && spec.Enabled != nil,
		s.State != store.Cordoned && *spec.Enabled != (s.State == store.Enabled):
		t.Errorf("%s: state %s became enabled %v", s.ID, s.State, spec.Enabled)
	}
}

func TestExportLooksLikeTheRubySystems(t *testing.T) {
	t.Parallel()
	got := newSession(t, twoServers()).ok("servers", "export")
	want := `servers:
  id-1:
    url: "https://bbb1.example.com/bigbluebutton/api"
    secret: "swordfish"
    tag: "exams"
  id-2:
    url: "bbb2.example.com"
    secret: "swordfish"
    enabled: false
    load_multiplier: 2.0
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestExportWithoutSecretsIsRefused(t *testing.T) {
	t.Parallel()
	p := twoServers()
	p.servers[1].Secret = ""
	newSession(t, p).run("", "servers", "export").wantFail(t, exitFailure, "bbb2.example.com (id-2) was not handed out")
}

func TestSyncTellsWhatItDid(t *testing.T) {
	t.Parallel()
	p := twoServers()
	file := writeTemp(t, "servers: {a: {secret: s}}")
	p.actions = []balancer.SyncAction{{ID: "a", Action: "add", Detail: "enabled"}, {ID: "id-1", Action: "none"}}
	s := newSession(t, p)
	if got := s.ok("servers", "sync", file); got != "ACTION  SERVER  DETAIL\nadd     a       enabled\n" {
		t.Errorf("%q", got)
	}
	if got := s.ok("servers", "sync", file, "--dry-run", "--mode", "force"); !strings.HasSuffix(got, "\nNothing was changed (--dry-run).\n") {
		t.Errorf("%q", got)
	}
	p.actions = p.actions[1:]
	if got := s.ok("servers", "sync", file, "--mode", "keep"); got != "Nothing to do: the pool is as the file says.\n" {
		t.Errorf("%q", got)
	}
	if diff := cmp.Diff([]string{"sync 1 cordon", "sync 1 keep"}, p.calls); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.run("", "servers", "sync", filepath.Join(s.dir, "none.yml")).wantFail(t, exitFailure, "none.yml: no such file")
	s.run("", "servers", "sync", writeTemp(t, "servers: {a: {}, b: {}}")).wantFail(t, exitFailure,
		`servers.yml: line 1: server "a" has no secret`+"\n", `servers.yml: line 1: server "b" has no secret`)
}

// Whatever a secret, tag and ID hold, they come back; and no file makes the
// parser panic.
func FuzzServersYAML(f *testing.F) {
	for _, secret := range oddSecrets {
		f.Add(secret, secret)
	}
	f.Add("id\n", "\x00\x85\u2028\ufeff")
	f.Add("servers:\n  a: &x {secret: *x}", "*a")
	f.Fuzz(func(t *testing.T, id, secret string) {
		_, _, _ = parseServers(strings.NewReader(id))
		if strings.TrimSpace(id) == "" || strings.HasPrefix(id, ":") || strings.TrimSpace(secret) == "" || !utf8.ValidString(id) || id == "<<" {
			return
		}
		var b bytes.Buffer
		server := balancer.ServerInfo{ID: id, URL: secret, Secret: bbb.Secret(secret), Tag: secret, State: store.Enabled, LoadMultiplier: 1}
		if err := writeServers(&b, []balancer.ServerInfo{server}, false); err != nil {
			t.Fatal(err)
		}
		specs, _, err := parseServers(&b)
		if err != nil || len(specs) != 1 {
			t.Fatalf("%v, %d servers of %q", err, len(specs), b.String())
		}
		compareSpec(t, server, specs[0])
	})
}
