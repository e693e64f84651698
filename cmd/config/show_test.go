package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What is shown can be loaded again and gives the same configuration, whatever
// characters it holds (T64).
func TestTOMLRoundTrip(t *testing.T) {
	t.Parallel()
	const odd = `, ; : " $ ' \ é 日本 #[x] = {}`
	l := mustLoad(t, `[balancer]
create_defaults = { "a.b" = "1", welcome = "line\nline" }
load_join_buffer = "1h30m"
load_per_video = 2.5
[web]
host = "bbb.example.com"
management_secrets = []
trusted_proxies = []
`, "LOADBALANCER_SECRET="+odd, "DEFAULT_JOIN_PARAMS=k="+strings.ReplaceAll(odd, ",", ""))
	text := l.TOML(true)
	again, err := load(t, text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if diff := cmp.Diff(values(l), values(again)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := again.Config.Web.Secrets[0].Reveal(); got != odd {
		t.Errorf("secret = %q", got)
	}
	if got := again.Config.Balancer.CreateDefaults["welcome"]; got != "line\nline" {
		t.Errorf("welcome = %q", got)
	}
}

// Without a file the defaults are others: the file that is printed keeps them.
func TestTOMLOfTheDefaultsWithoutFile(t *testing.T) {
	t.Parallel()
	l, err := Load(Options{SystemFile: t.TempDir() + "/none", Getenv: env()})
	if err != nil {
		t.Fatal(err)
	}
	again := mustLoad(t, l.TOML(false))
	if diff := cmp.Diff(values(l), values(again)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for key, want := range map[string]bool{"store.path": true, "web.checksum_algorithms": false} {
		if got := again.IsSet(key); got != want {
			t.Errorf("%s is set: %v, want %v", key, got, want)
		}
	}
}

func TestSecretsAreMasked(t *testing.T) {
	t.Parallel()
	l := mustLoad(t, "[web]\nsecrets = [\"swordfish\", \"swordfish2\"]\nmetrics_token = \"swordfish3\"\n")
	if text := l.TOML(false); strings.Contains(text, "swordfish") {
		t.Errorf("masked TOML shows a secret:\n%s", text)
	}
	for _, e := range l.Entries(false) {
		if strings.Contains(e.Text(), "swordfish") {
			t.Errorf("%s = %s", e.Key, e.Text())
		}
		if e.Key == "web.secrets" && e.Text() != `["[secret]", "[secret]"]` {
			t.Errorf("web.secrets = %s", e.Text())
		}
		if e.Key == "web.management_secrets" && e.Text() != `[]` {
			t.Errorf("web.management_secrets = %s", e.Text())
		}
	}
	if _, err := load(t, l.TOML(false)); err == nil {
		t.Error("a masked file can be loaded: its secrets would be known to everybody")
	}
}

func TestDurationText(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", time.Minute: "1m", 10 * time.Minute: "10m", 24 * time.Hour: "24h", 90 * time.Second: "1m30s",
		90 * time.Minute: "1h30m", time.Hour + time.Second: "1h0m1s", 20 * time.Second: "20s", 100 * time.Millisecond: "100ms",
	} {
		if got := durationText(d); got != want {
			t.Errorf("%d = %q, want %q", d, got, want)
		}
		if back, err := time.ParseDuration(durationText(d)); err != nil || back != d {
			t.Errorf("%q parses as %s, %v", durationText(d), back, err)
		}
	}
}
