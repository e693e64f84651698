package config

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestReferenceIsTrue holds docs/configuration.md against the sections' struct
// tags and defaults.
func TestReferenceIsTrue(t *testing.T) {
	const file = "../../docs/configuration.md"
	c := Default()
	var text strings.Builder
	section := ""
	for _, f := range fieldsOf(&c) {
		if f.section != section {
			section = f.section
			fmt.Fprintf(&text, "\n## [%s]\n\n| key | default | environment | meaning |\n|---|---|---|---|\n", section)
		}
		fmt.Fprintf(&text, "| `%s` | `%s` | %s | %s |\n", f.name,
			strings.ReplaceAll(tomlValue(f.plain(true)), "|", `\|`), environment(f), strings.ReplaceAll(f.doc, "|", `\|`))
	}
	compareGenerated(t, file, "keys", text.String()+"\n")
}

func environment(f field) string {
	names := f.env
	switch f.key() {
	case "web.listen":
		names = []string{"PORT", "BIND"}
	case "web.secrets":
		names = []string{"LOADBALANCER_SECRET", "LOADBALANCER_SECRETS"}
	}
	var quoted []string
	for _, name := range names {
		quoted = append(quoted, "`"+name+"`")
	}
	text := strings.Join(quoted, ", ")
	if f.inverted {
		text += " (inverted)"
	}
	return text
}

// compareGenerated compares what stands between two marks of a file, or writes
// it with -update.
func compareGenerated(t *testing.T, file, mark, want string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(raw), "<!-- "+mark+" -->\n")
	got, tail, ok2 := strings.Cut(rest, "<!-- /"+mark+" -->")
	if !ok || !ok2 {
		t.Fatalf("%s has no marks for %s", file, mark)
	}
	if *update {
		text := head + "<!-- " + mark + " -->\n" + want + "<!-- /" + mark + " -->" + tail
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("%s is out of date: run this test with -update", file)
	}
}
