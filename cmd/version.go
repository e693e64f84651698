package cmd

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker: -X scalelite/cmd.version=1.2.3. Empty: what the
// build information says.
var version string

// buildInfo is what version prints.
type buildInfo struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"` // the sources differed from the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func build() buildInfo {
	b := buildInfo{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		if b.Version == "" && info.Main.Version != "(devel)" {
			b.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
	}
	if b.Version == "" {
		b.Version = "devel"
	}
	return b
}

func newVersionCommand(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of the program",
		Long:    `Prints the version of this program and what it was built from.`,
		Example: `  scalelite version --json`,
		GroupID: groupSetup,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			b := build()
			if asJSON {
				return printJSON(a.stdout, b)
			}
			text := "scalelite " + b.Version + " (" + b.Go + ", " + b.Platform
			if b.Commit != "" {
				text += ", commit " + b.Commit
			}
			if b.Modified {
				text += " with changes"
			}
			_, err := fmt.Fprintln(a.stdout, text+")")
			return err
		},
	}
	jsonFlag(c, &asJSON)
	return c
}
