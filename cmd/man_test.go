package cmd

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// TestManPageHasEveryCommand holds the manual page against the command tree.
func TestManPageHasEveryCommand(t *testing.T) {
	t.Parallel()
	var page bytes.Buffer
	if err := ManPage(&page, "1.2.3", time.Date(2026, 11, 23, 23, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	if want := `.TH "SCALELITE" "1" "2026\-11\-23" "scalelite 1.2.3" "User Commands"`; !strings.HasPrefix(page.String(), want+"\n") {
		t.Errorf("the page does not begin with %s", want)
	}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() && sub.Runnable() && !sub.HasAvailableSubCommands() && sub.Name() != "help" &&
				!strings.Contains(page.String(), "\n.SS \""+roffEscaped(sub.CommandPath())) {
				t.Errorf("%s is not in the page", sub.CommandPath())
			}
			walk(sub)
		}
	}
	walk(newRoot(&app{deps: systemDeps(os.Stdin, io.Discard, io.Discard)}))
}

// TestManPageKeepsTextAsItIs: no text becomes a request of roff.
func TestManPageKeepsTextAsItIs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		".profile is a file": `\&.profile is a file`,
		"'quoted' --flag":    `\(aqquoted\(aq \-\-flag`,
		`C:\new`:             `C:\enew`,
	} {
		if got := roffLine(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
