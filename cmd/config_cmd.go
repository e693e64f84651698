package cmd

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"scalelite/cmd/config"
)

func newConfigCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Check and show the configuration",
		Long: `The configuration is read from --config FILE, else the file that the environment
variable SCALELITE_CONFIG names, else ` + config.SystemFile + `. Without any file
the program keeps everything below ./data. Environment variables override the
file; for ` + config.SystemFile + ` they are those that its service
has, from /etc/default/scalelite, and after them those of the shell.
config.toml.example has every key.`,
		Example: `  scalelite config check
  scalelite config show`,
		GroupID: groupSetup,
		Args:    groupArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newConfigCheckCommand(a), newConfigShowCommand(a))
	return c
}

func newConfigCheckCommand(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Tell everything that is wrong with the configuration",
		Long: `Reads file and environment as the service would, and tells each problem with its
line, its key, what is wrong and what would be right.`,
		Example: `  scalelite config check
  scalelite config check --config new.toml && mv new.toml /etc/scalelite/config.toml`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			l, err := serviceConfig(a.configOptions())
			var problems config.Problems
			if err != nil && !errors.As(err, &problems) {
				return err
			}
			if asJSON {
				return errors.Join(printJSON(a.stdout, checkResult{err == nil, list(problems)}), err)
			}
			if err != nil {
				return err
			}
			name := l.File
			if name == "" {
				name = "no configuration file, defaults below ./data"
			}
			_, err = fmt.Fprintf(a.stdout, "%s: ok\n", name)
			return err
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

// checkResult is what config check --json prints.
type checkResult struct {
	OK       bool             `json:"ok"`
	Problems []config.Problem `json:"problems"`
}

func newConfigShowCommand(a *app) *cobra.Command {
	var asJSON, asTOML, secrets bool
	c := &cobra.Command{
		Use:   "show",
		Short: "Show what holds, and where it comes from",
		Long: `Shows every key with its value and source: default, file, or an environment
variable. Secrets are masked unless --secrets is given. --toml prints a file that
gives the same configuration (with --secrets; a masked one cannot be loaded).`,
		Example: `  scalelite config show
  scalelite config show --toml --secrets > config.toml`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON && asTOML {
				return usage("--json and --toml do not go together")
			}
			l, err := a.config()
			if err != nil {
				return err
			}
			switch {
			case asTOML:
				_, err = fmt.Fprint(a.stdout, l.TOML(secrets))
				return err
			case asJSON:
				return printJSON(a.stdout, l.Entries(secrets))
			}
			t := newTable(a.stdout, "KEY", "VALUE", "SOURCE")
			for _, e := range l.Entries(secrets) {
				t.row(e.Key, e.Text(), e.Source)
			}
			return t.flush()
		},
	}
	jsonFlag(c, &asJSON)
	c.Flags().BoolVar(&asTOML, "toml", false, "print a configuration file")
	c.Flags().BoolVar(&secrets, "secrets", false, "show secrets")
	return c
}
