package cmd

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write the reference anew instead of comparing it")

// TestCommandReferenceIsTrue holds docs/commands.md against the command tree.
func TestCommandReferenceIsTrue(t *testing.T) {
	const file, begin, end = "../docs/commands.md", "<!-- commands -->\n", "<!-- /commands -->"
	var text strings.Builder
	describe(&text, newRoot(&app{deps: systemDeps(os.Stdin, os.Stdout, os.Stderr)}))
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(raw), begin)
	got, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no marks", file)
	}
	if *update {
		if err := os.WriteFile(file, []byte(head+begin+text.String()+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != text.String() {
		t.Errorf("%s is out of date: run this test with -update", file)
	}
}

// describe writes a section for each command that does something.
func describe(out *strings.Builder, c *cobra.Command) {
	if c.Runnable() && c.HasParent() {
		fmt.Fprintf(out, "\n## %s\n\n%s\n\n```\n%s\n```\n", c.CommandPath(), strings.TrimSpace(c.Long), c.UseLine())
		if flags := c.NonInheritedFlags(); flags.HasAvailableFlags() {
			var usages bytes.Buffer
			usages.WriteString(flags.FlagUsagesWrapped(100))
			fmt.Fprintf(out, "\n```\n%s\n```\n", strings.TrimRight(usages.String(), "\n"))
		}
		if c.Example != "" {
			fmt.Fprintf(out, "\n```\n%s\n```\n", c.Example)
		}
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "completion" && sub.Name() != "help" {
			describe(out, sub)
		}
	}
}

// TestReferenceNamesWhatIsReadAtStart: the table of docs/configuration.md has
// the keys that a reload leaves out, and no others.
func TestReferenceNamesWhatIsReadAtStart(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(raw), "| section | read at start only |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var got []string
	for row := range strings.Lines(table) {
		section, keys, _ := strings.Cut(strings.Trim(row, "| \n"), " | ")
		for key := range strings.SplitSeq(keys, ", ") {
			got = append(got, strings.Trim(section, "`[]")+"."+strings.Trim(key, "`"))
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(slices.Sorted(slices.Values(settled)), got); diff != "" {
		t.Errorf("keys that are read at start only (-settled +docs):\n%s", diff)
	}
}

// TestFirstMinutesAreTrue: what the first five minutes show of status has the lines
// that a new installation prints.
func TestFirstMinutesAreTrue(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, ok := strings.Cut(string(raw), "\n# scalelite status\n")
	shown, _, ok2 := strings.Cut(shown, "\n# ")
	if !ok || !ok2 {
		t.Fatal("there is no status in it")
	}
	p := newProcess(t, "")
	p.start()
	printed, errOut, err := p.run("status")
	if err != nil {
		t.Fatal(errOut)
	}
	// Below the table of the servers, or what stands in its place.
	labels := func(text string) (all []string) {
		_, text, _ = strings.Cut(text, "\n\n")
		for line := range strings.Lines(text) {
			if label, _, ok := strings.Cut(line, "  "); ok {
				all = append(all, label)
			}
		}
		return all
	}
	if diff := cmp.Diff(labels(printed), labels(shown)); diff != "" || len(labels(shown)) < 3 {
		t.Errorf("status prints other lines than docs/install.md shows (-prints +shows):\n%s", diff)
	}
}
