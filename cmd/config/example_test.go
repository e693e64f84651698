package config

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write config.toml.example anew from the struct tags")

const exampleFile = "../../config.toml.example"

// exampleHead begins the file.
const exampleHead = `# Configuration of scalelite, /etc/scalelite/config.toml.
#
# Every key is here with its default, commented out: remove the # to change it.
# "scalelite config check" tells what is wrong with this file, "scalelite config
# show" what holds and where it comes from. A running service takes changes up
# with "systemctl reload scalelite" where it can, and logs where it cannot.
# Environment variables override this file.
`

// groups are the headings within a section, by the key they stand before.
var groups = map[string]string{
	"log.format":                       "How the service logs (to standard error, so to the journal).",
	"web.listen":                       "Where front-ends reach the service.",
	"web.tls":                          "TLS. With it, listen is usually \":443\".",
	"web.secrets":                      "Who may call. Keep this file unreadable for others when it holds secrets.",
	"web.checksum_failures_per_minute": "Limits and what stands in front of the service.",
	"web.get_meetings_disabled":        "What the BBB API answers.",
	"web.locale":                       "The pages that people see.",
	"web.admin_socket":                 "For the administrator.",
	"store.path":                       "What the service remembers.",
	"balancer.poll_interval":           "Watching the BBB servers.",
	"balancer.healthy_threshold":       "When a server counts as online or offline.",
	"balancer.load_min_user_count":     "What a meeting weighs when a server is chosen.",
	"balancer.max_meeting_duration":    "Meetings and servers.",
	"balancer.create_exclude_params":   "Parameters that are never forwarded.",
	"balancer.voice_bridge_len":        "Dial-in.",
	"balancer.meeting_ttl":             "Servers that are gone for good.",
	"recordings.enabled":               "Whether recordings are taken in and played.",
	"recordings.spool_dir":             "Where the files are. All but spool_dir and failed_dir lie on one file system.",
	"recordings.rescan":                "Taking recordings in.",
	"recordings.protected":             "Protected recordings.",
	"recordings.retention":             "How long recordings are kept.",
	"recordings.min_free":              "Limits.",
	"balancer.create_defaults":         "Parameters of create and join, as { name = \"value\", ... }.",
}

// moreEnv are the variables that no tag names.
var moreEnv = map[string]string{
	"web.listen":  "PORT, BIND",
	"web.secrets": "LOADBALANCER_SECRET, LOADBALANCER_SECRETS (separated by \":\"), both added to these",
}

// example is the file as the struct tags have it.
func example() string {
	var b strings.Builder
	b.WriteString(exampleHead)
	c := Default()
	section := ""
	for _, f := range fieldsOf(&c) {
		if f.section != section {
			section = f.section
			fmt.Fprintf(&b, "\n\n[%s]\n", section)
		}
		if g := groups[f.key()]; g != "" {
			fmt.Fprintf(&b, "\n### %s\n", g)
		}
		fmt.Fprintf(&b, "\n# %s\n", capital(f.doc))
		if vars := strings.Join(f.env, ", ") + moreEnv[f.key()]; vars != "" {
			if f.inverted {
				vars += " (which means the opposite)"
			}
			fmt.Fprintf(&b, "# Environment: %s\n", vars)
		}
		fmt.Fprintf(&b, "#%s = %s\n", f.name, tomlValue(f.plain(true)))
	}
	return b.String()
}

// capital leaves names like getMeetings as they are.
func capital(doc string) string {
	word, _, _ := strings.Cut(doc, " ")
	if strings.ToLower(word) != word {
		return doc
	}
	return strings.ToUpper(doc[:1]) + doc[1:]
}

func TestExampleIsWhatTheTagsSay(t *testing.T) {
	want := example()
	if *update {
		if err := os.WriteFile(exampleFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("config.toml.example differs from the struct tags; go test ./cmd/config -run Example -update\n(-want +got):\n%s", diff)
	}
}

// Uncommented, the example sets every key, to its default.
func TestExampleLoadsAsTheDefaults(t *testing.T) {
	content, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{string(content), uncomment(string(content))} {
		l := mustLoad(t, file)
		if diff := cmp.Diff(values(&Loaded{Config: Default()}), values(l)); diff != "" {
			t.Errorf("(-defaults +example):\n%s", diff)
		}
	}
	l := mustLoad(t, uncomment(string(content)))
	for _, e := range l.Entries(false) {
		if e.Source != "file" {
			t.Errorf("%s is not in the example", e.Key)
		}
		if e.Doc == "" {
			t.Errorf("%s has no doc tag", e.Key)
		}
	}
}

// values are the effective values of l, wherever they came from.
func values(l *Loaded) map[string]string {
	m := map[string]string{}
	for _, e := range l.Entries(true) {
		m[e.Key] = e.Text()
	}
	return m
}

func uncomment(s string) string {
	return regexp.MustCompile(`(?m)^#([a-z_]+ = )`).ReplaceAllString(s, "$1")
}
