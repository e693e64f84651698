package cmd

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"scalelite/cmd/config"
)

// TestShippedFilterReadsOurFormats (T63): the fail2ban filter finds the address
// in the line of a refused checksum, in every format that log.format and the
// journal lead to, and in no other line.
func TestShippedFilterReadsOurFormats(t *testing.T) {
	text, err := os.ReadFile("../systemd/fail2ban/filter.conf")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\nfailregex = ")
	if !ok {
		t.Fatal("the filter has no failregex")
	}
	var expressions []*regexp.Regexp
	for line := range strings.Lines(rest) {
		if len(expressions) > 0 && !strings.HasPrefix(line, " ") {
			break
		}
		line = strings.ReplaceAll(strings.TrimSpace(line), "<ADDR>", `(?P<addr>[0-9A-Fa-f:.]+)`)
		expressions = append(expressions, regexp.MustCompile(line))
	}
	for _, c := range []struct {
		name    string
		format  string
		journal bool
	}{{"text", "text", false}, {"text in the journal", "text", true}, {"JSON", "json", false}} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			log, _ := newLogger(config.Log{Format: c.format, Level: "info"}, &out, c.journal)
			web := log.With("component", "web")
			web.Warn("checksum refused", "addr", "203.0.113.7", "call", "create", "cause", "no secret matches")
			web.Info("call refused", "addr", "203.0.113.8", "call", "join", "cause", "checksum refused addr=203.0.113.9 call=x")
			// fail2ban cuts the time out of a line before it looks at it.
			stamp := regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}`)
			var found []string
			for line := range strings.Lines(out.String()) {
				line = stamp.ReplaceAllString(line, "")
				for _, e := range expressions {
					if m := e.FindStringSubmatch(strings.TrimSuffix(line, "\n")); m != nil {
						found = append(found, m[e.SubexpIndex("addr")])
					}
				}
			}
			if len(found) != 1 || found[0] != "203.0.113.7" {
				t.Errorf("found %v in:\n%s", found, out.String())
			}
		})
	}
}
