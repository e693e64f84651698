package config

import (
	"strings"
	"testing"
)

// Each problem of the file, told with its line, key and remedy.
func TestProblemsOfTheFile(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, file, want string }{
		{"duration without unit", "[balancer]\npoll_interval = 60",
			`FILE:2: balancer.poll_interval: 60 has no unit; a duration like "60s"`},
		{"duration in minutes without unit", "[balancer]\nload_join_buffer = 15",
			`FILE:2: balancer.load_join_buffer: 15 has no unit; a duration like "15m"`},
		{"no duration", "[balancer]\n\npoll_interval = \"one minute\"",
			`FILE:3: balancer.poll_interval: "one minute" is no duration; a duration like "60s"`},
		{"duration as a list", "[balancer]\npoll_interval = [1]",
			`FILE:2: balancer.poll_interval: is a list; a duration like "60s"`},
		{"text for a number", "[balancer]\npoll_concurrency = \"16\"",
			`FILE:2: balancer.poll_concurrency: "16" is text; a whole number like 16`},
		{"fraction for a whole number", "[balancer]\npoll_concurrency = 1.5",
			`FILE:2: balancer.poll_concurrency: 1.5 is a number; a whole number like 16`},
		{"text for a boolean", "[web]\nmetrics = \"yes\"",
			`FILE:2: web.metrics: "yes" is text; true or false, without quotes`},
		{"number for text", "[web]\nlisten = 3000",
			`FILE:2: web.listen: 3000 is a number; text in quotes like ":3000"`},
		{"text for a list", "[balancer]\ncreate_exclude_params = \"logo\"",
			`FILE:2: balancer.create_exclude_params: "logo" is text; a list like ["one", "two"]`},
		{"number in a list", "[web]\nchecksum_algorithms = [\"sha1\", 2]",
			`FILE:2: web.checksum_algorithms: item 2 = 2 is a number; texts in quotes like ["sha1", "sha256", "sha384", "sha512"]`},
		{"text for a table", "[balancer]\ncreate_defaults = \"a=b\"",
			`FILE:2: balancer.create_defaults: "a=b" is text; a table [balancer.create_defaults] with lines like name = "value"`},
		{"list in a table", "[balancer.create_defaults]\na = []",
			`FILE:1: balancer.create_defaults: a is a list; text in quotes, a whole number, true or false`},
		{"text for a fraction", "[balancer]\nload_per_video = \"2\"",
			`FILE:2: balancer.load_per_video: "2" is text; a number like 1.5`},
		{"no number", "[balancer]\nload_per_video = nan",
			`FILE:2: balancer.load_per_video: NaN is a number; a number like 1.5`},
		{"secret as text", "[web]\nsecrets = \"swordfish\"",
			`FILE:2: web.secrets: is text; a list like ["one", "two"]`},
		{"secret as number", "[web]\nsecrets = [\"swordfish\", 8675309]",
			`FILE:2: web.secrets: item 2 is a number; texts in quotes like ["one", "two"]`},
		{"slip of the pen", "[web]\nhostt = \"h\"",
			`FILE:2: web.hostt: unknown key; did you mean "host"?`},
		{"hyphens", "[balancer]\npoll-interval = \"5s\"",
			`FILE:2: balancer.poll-interval: unknown key; did you mean "poll_interval"?`},
		{"other section", "[web]\npoll_interval = \"5s\"",
			`FILE:2: web.poll_interval: unknown key; it belongs in [balancer]`},
		{"unlike any", "[web]\nquux_frobnicate = 1",
			`FILE:2: web.quux_frobnicate: unknown key; 'scalelite config show' lists those there are`},
		{"section", "[balancr]\npoll_interval = \"5s\"",
			`FILE:1: balancr: unknown section; did you mean [balancer]?`},
		{"unlike any section", "[redis]\nenabled = true",
			`FILE:1: redis: unknown section; the sections are log, web, store, balancer, recordings`},
		{"no section", "listen = \":3000\"",
			`FILE:1: listen: unknown key, outside of any section; it belongs below a line [web]`},
		{"no section, unknown", "frob = 1",
			`FILE:1: frob: unknown key, outside of any section; keys stand below a section like [web]`},
		{"section as key", "web = 3",
			`FILE:1: web: is a section, not a key; write [web] on a line of its own`},
		{"array of tables", "[[web]]\nlisten = \":1\"",
			`FILE:1: web: is a section, not a key; write [web] on a line of its own`},
		{"host with a scheme", "[web]\nhost = \"https://bbb.example.com\"",
			`FILE:2: web.host: "https://bbb.example.com" is no host name; give the name alone, without https:// and without a port`},
		{"negative interval", "[balancer]\n# a comment\npoll_interval = \"-5s\"",
			`FILE:3: balancer.poll_interval: -5s is too short; at least 1s`},
		{"log format", "[log]\nformat = \"xml\"",
			`FILE:2: log.format: "xml" is not known; "text" or "json"`},
		{"log level", "[log]\nlevel = \"loud\"",
			`FILE:2: log.level: "loud" is not known; "debug", "info", "warn" or "error"`},
		{"value of a dotted key", "web.host = \"a:1\"",
			`FILE:1: web.host: "a:1" is no host name; give the name alone, without https:// and without a port`},
		{"the mask of config show", "[web]\nsecrets = [\"[secret]\"]",
			`FILE:2: web.secrets: is the mask that 'config show' prints for a secret, which anybody could guess; ` +
				`write the secret itself, see 'scalelite config show --toml --secrets'`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, tc.file)
			if err == nil {
				t.Fatal("no error")
			}
			if err.Error() != tc.want {
				t.Errorf("got  %s\nwant %s", err, tc.want)
			}
		})
	}
}

func TestProblemsOfTheEnvironment(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ variable, want string }{
		{"POLL_INTERVAL=soon", `environment POLL_INTERVAL: balancer.poll_interval: "soon" is no duration; a number of seconds like 60, or a duration like "90s"`},
		{"LOAD_JOIN_BUFFER_TIME=x", `environment LOAD_JOIN_BUFFER_TIME: balancer.load_join_buffer: "x" is no duration; a number of minutes like 60, or a duration like "90s"`},
		{"POLL_INTERVAL=1e300", `environment POLL_INTERVAL: balancer.poll_interval: "1e300" is out of range; a number like 60 or a duration like "90s"`},
		{"POLL_INTERVAL=0", `environment POLL_INTERVAL: balancer.poll_interval: 0s is too short; at least 1s`},
		{"POLLER_THREADS=many", `environment POLLER_THREADS: balancer.poll_concurrency: "many" is no whole number; one like 16`},
		{"SERVER_ID_IS_HOSTNAME=yes", `environment SERVER_ID_IS_HOSTNAME: balancer.server_id_is_hostname: "yes" is no boolean; true or false`},
		{"DEFAULT_CREATE_PARAMS=a=1,b", `environment DEFAULT_CREATE_PARAMS: balancer.create_defaults: "b" has no name and value; write name=value,name=value`},
		{"URL_HOST=https://bbb.example.com", `environment URL_HOST: web.host: "https://bbb.example.com" is no host name; give the name alone, without https:// and without a port`},
		{"PORT=http", `environment PORT: web.listen: "http" is no port; a number from 1 to 65535`},
		{"PORT=70000", `environment PORT: web.listen: "70000" is no port; a number from 1 to 65535`},
		{"LOADBALANCER_CHECKSUM_ALGORITHM=md5", `environment LOADBALANCER_CHECKSUM_ALGORITHM: web.checksum_algorithms: "md5" is not known; use sha1, sha256, sha384 or sha512`},
		{"CREATE_EXCLUDE_PARAMS=meetingID", `environment CREATE_EXCLUDE_PARAMS: balancer.create_exclude_params: meetingID cannot be left out; every server needs it`},
	} {
		_, err := load(t, "", tc.variable)
		if err == nil {
			t.Errorf("%s: no error", tc.variable)
		} else if err.Error() != tc.want {
			t.Errorf("got  %s\nwant %s", err, tc.want)
		}
	}
}

func TestEveryProblemIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := load(t, `[web]
listen = 3000
host = "https://x"
prot = 1

[balancer]
poll_interval = 60
healthy_threshold = 0
[extra]
`, "POLLER_THREADS=x", "SERVER_ID_IS_HOSTNAME=maybe")
	want := []string{"FILE:2: web.listen", "FILE:3: web.host", "FILE:4: web.prot", "FILE:7: balancer.poll_interval",
		"FILE:8: balancer.healthy_threshold", "FILE:9: extra", "environment POLLER_THREADS", "environment SERVER_ID_IS_HOSTNAME"}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d problems, want %d:\n%s", len(lines), len(want), err)
	}
	for i, w := range want {
		if !strings.HasPrefix(lines[i], w+":") {
			t.Errorf("problem %d is %s\nwant it to begin with %s", i+1, lines[i], w)
		}
	}
}

func TestSyntaxErrorsShowThePlace(t *testing.T) {
	t.Parallel()
	_, err := load(t, "[web]\nhost = \"a\"\nlisten = :3000\n")
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"FILE:3: is no valid TOML", "3 | listen = :3000", "^"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%s", want, err)
		}
	}
}

// T68: not even a broken file makes a secret appear.
func TestSyntaxErrorsDoNotShowSecrets(t *testing.T) {
	t.Parallel()
	for _, file := range []string{
		"[web]\nsecrets = [\"swordfish]\n",
		"[web]\nsecrets = [swordfish]\n",
		"[web]\nsecrets = swordfish\n",
		"[web]\nsecrets = [\n  \"a\",\n\n\n  swordfish,\n]\n",
		"[web]\nsecrets = [\"swordfish\"]\nlisten = :3000\n",
		"[web]\nmetrics_token = swordfish\n",
		"[web]\nmanagement_secrets = [\n\"swordfish\"\n\"b\"]\n",
		"web.secrets = [\"swordfish\"\n[balancer]\n",
		"[web]\nsecrets = [\"\"\"\na = 1\nb = 2\nc = 3\nd = 4\n\\q swordfish\n\"\"\"]\n",
	} {
		_, err := load(t, file)
		if err == nil {
			t.Errorf("no error for %q", file)
		} else if strings.Contains(err.Error(), "sword") || !strings.HasPrefix(err.Error(), "FILE:") {
			t.Errorf("%q is told as:\n%s", file, err)
		}
	}
}

func TestASecretIsNotTakenForAnExample(t *testing.T) {
	t.Parallel()
	_, err := load(t, "[web]\nsecrets = \"swordfish\"\nmetrics_token = [\"swordfish\"]\n", "LOADBALANCER_SECRET=swordfish")
	if err == nil || strings.Contains(err.Error(), "swordfish") {
		t.Errorf("error = %v", err)
	}
}
