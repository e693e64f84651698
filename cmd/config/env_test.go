package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer/bbb"
)

func TestEnvironmentOverridesTheFile(t *testing.T) {
	t.Parallel()
	l := mustLoad(t, `
[web]
host = "file.example.com"
get_meetings_disabled = false
[balancer]
poll_interval = "5s"
healthy_threshold = 3
`,
		"URL_HOST=env.example.com", "GET_MEETINGS_API_DISABLED=true", "INTERVAL=30", "SERVER_HEALTHY_THRESHOLD=",
		"LOAD_JOIN_BUFFER_TIME=5", "CONNECT_TIMEOUT=1.5", "RESPONSE_TIMEOUT=90s", "SERVER_ID_IS_HOSTNAME=1",
		"LOADBALANCER_CHECKSUM_ALGORITHM=sha256:sha512", "CREATE_EXCLUDE_PARAMS=logo, welcome,",
		"OVERRIDE_CREATE_PARAMS=record=false,meta_a=b=c", "REDIS_URL=redis://x", "SECRET_KEY_BASE=zz")
	c := l.Config
	if c.Web.Host != "env.example.com" || !c.Web.GetMeetingsDisabled || !c.Balancer.ServerIDIsHostname {
		t.Errorf("web %+v", c.Web)
	}
	got := []any{c.Balancer.PollInterval, c.Balancer.HealthyThreshold, c.Balancer.LoadJoinBuffer,
		c.Balancer.ConnectTimeout, c.Balancer.ResponseTimeout, c.Web.ChecksumAlgorithms,
		c.Balancer.CreateExcludeParams, c.Balancer.CreateOverrides}
	want := []any{30 * time.Second, 3, 5 * time.Minute,
		1500 * time.Millisecond, 90 * time.Second, []string{"sha256", "sha512"},
		[]string{"logo", "welcome"}, map[string]string{"record": "false", "meta_a": "b=c"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	sources := map[string]string{
		"web.host":                     "environment URL_HOST",
		"balancer.poll_interval":       "environment INTERVAL",
		"balancer.healthy_threshold":   "file",
		"balancer.meeting_ttl":         "default",
		"balancer.response_timeout":    "environment RESPONSE_TIMEOUT",
		"web.get_meetings_disabled":    "environment GET_MEETINGS_API_DISABLED",
		"balancer.create_overrides":    "environment OVERRIDE_CREATE_PARAMS",
		"balancer.load_min_user_count": "default",
	}
	for key, want := range sources {
		if got := l.Source(key); got != want {
			t.Errorf("source of %s = %q, want %q", key, got, want)
		}
	}
}

func TestTheFirstVariableThatIsSetWins(t *testing.T) {
	t.Parallel()
	l := mustLoad(t, "", "POLL_INTERVAL=20", "INTERVAL=30")
	if got := l.Config.Balancer.PollInterval; got != 20*time.Second {
		t.Errorf("poll_interval = %s, want 20s", got)
	}
	l = mustLoad(t, "", "POLL_INTERVAL= ", "INTERVAL=30")
	if got := l.Config.Balancer.PollInterval; got != 30*time.Second {
		t.Errorf("with POLL_INTERVAL empty: %s, want 30s", got)
	}
}

func TestPortAndBindMakeListen(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		file, port, bind string
		want, source     string
	}{
		{"", "", "", ":3000", "default"},
		{"", "8080", "", ":8080", "environment PORT"},
		{"", "", "127.0.0.1", "127.0.0.1:3000", "environment BIND"},
		{"", "8080", "127.0.0.1", "127.0.0.1:8080", "environment BIND + environment PORT"},
		{"", "8080", "tcp://[::1]", "[::1]:8080", "environment BIND + environment PORT"},
		{"", "", "tcp://0.0.0.0:4000", "0.0.0.0:4000", "environment BIND"},
		{"10.0.0.1:80", "8080", "", "10.0.0.1:8080", "file + environment PORT"},
		{"10.0.0.1:80", "", "::1", "[::1]:80", "file + environment BIND"},
		{"10.0.0.1:80", "1", "127.0.0.1", "127.0.0.1:1", "environment BIND + environment PORT"},
		{"unix:/run/x.sock", "8080", "", ":8080", "environment PORT"},
		{"", "", "unix:/run/x.sock", "unix:/run/x.sock", "environment BIND"},
	} {
		file := ""
		if tc.file != "" {
			file = "[web]\nlisten = \"" + tc.file + "\"\n"
		}
		l := mustLoad(t, file, "PORT="+tc.port, "BIND="+tc.bind)
		if l.Config.Web.Listen != tc.want || l.Source("web.listen") != tc.source {
			t.Errorf("file %q PORT %q BIND %q: %q from %q, want %q from %q",
				tc.file, tc.port, tc.bind, l.Config.Web.Listen, l.Source("web.listen"), tc.want, tc.source)
		}
	}
}

// The secrets of the environment are added, and both sources stay visible.
func TestSecretsOfTheEnvironmentAreAdded(t *testing.T) {
	t.Parallel()
	l := mustLoad(t, "[web]\nsecrets = [\"from file\", \"both\"]\n",
		"LOADBALANCER_SECRET=s1", "LOADBALANCER_SECRETS=both:s1::s2, with; \"all\" $ of é")
	want := []bbb.Secret{"from file", "both", "s1", "s2, with; \"all\" $ of é"}
	if diff := cmp.Diff(want, l.Config.Web.Secrets); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	if got, want := l.Source("web.secrets"), "file + environment LOADBALANCER_SECRET + environment LOADBALANCER_SECRETS"; got != want {
		t.Errorf("source = %q, want %q", got, want)
	}
	l = mustLoad(t, "", "LOADBALANCER_SECRET=", "LOADBALANCER_SECRETS=: :")
	if len(l.Config.Web.Secrets) != 0 || l.Source("web.secrets") != "default" {
		t.Errorf("empty variables: %d secrets from %s", len(l.Config.Web.Secrets), l.Source("web.secrets"))
	}
}

// The Ruby system switches recordings off, where we switch them on, and gives
// the interval of what is a schedule here.
func TestRecordingsOfTheEnvironment(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"true": false, "1": false, "false": true, "0": true, "": true} {
		if got := mustLoad(t, "", "RECORDING_DISABLED="+value).Config.Recordings.Enabled; got != want {
			t.Errorf("RECORDING_DISABLED=%s: enabled = %t", value, got)
		}
	}
	if l := mustLoad(t, "[recordings]\nenabled = false", "RECORDING_DISABLED=false"); !l.Config.Recordings.Enabled {
		t.Error("RECORDING_DISABLED=false leaves what the file says")
	}
	for value, want := range map[string]string{"30": "@every 30s", "0.5": "@every 500ms", "90": "@every 1m30s", "*/5 * * * *": "*/5 * * * *", "": "@every 1m"} {
		if got := mustLoad(t, "", "RECORDING_IMPORT_POLL_INTERVAL="+value).Config.Recordings.Rescan; got != want {
			t.Errorf("RECORDING_IMPORT_POLL_INTERVAL=%s: rescan = %q, want %q", value, got, want)
		}
	}
	for _, value := range []string{"0", "-5", "soon"} {
		if _, err := load(t, "", "RECORDING_IMPORT_POLL_INTERVAL="+value); err == nil || !strings.Contains(err.Error(), "RECORDING_IMPORT_POLL_INTERVAL") {
			t.Errorf("RECORDING_IMPORT_POLL_INTERVAL=%s: %v", value, err)
		}
	}
	c := mustLoad(t, "", "RECORDING_PLAYBACK_FORMATS=presentation:video", "PROTECTED_RECORDINGS_TOKEN_TIMEOUT=90", "PROTECTED_RECORDINGS_TIMEOUT=30", "PROTECTED_RECORDINGS_ENABLED=true",
		"DEFAULT_LOCALE=de", "GET_RECORDINGS_API_FILTERED=true").Config
	got := []any{c.Recordings.Formats, c.Recordings.TokenTTL, c.Recordings.CookieTTL, c.Recordings.Protected, c.Web.Locale, c.Web.GetRecordingsFiltered}
	want := []any{[]string{"presentation", "video"}, 90 * time.Minute, 30 * time.Minute, true, "de", true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
