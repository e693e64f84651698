package cmd

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"scalelite/balancer"
	"scalelite/web/admin"
)

func newServersCommand(a *app) *cobra.Command {
	var asJSON, secrets bool
	c := &cobra.Command{
		Use:     "servers",
		Aliases: []string{"server"},
		Short:   "List the servers, or manage them",
		Long: `Lists the servers with all that is known about them.

Where a command takes an ID, the host name of the server's URL does as well if
only one server has it.`,
		Example: `  scalelite servers
  scalelite servers --json
  scalelite servers --secrets
  scalelite servers add https://bbb1.example.com/bigbluebutton/ SECRET --enable`,
		GroupID: groupPool,
		Args:    groupArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.with(c.Context(), reads, func(svc admin.Service) error {
				servers, err := svc.Servers(c.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(a.stdout, list(withoutSecrets(servers, secrets)))
				}
				return printServers(a.stdout, servers, secrets)
			})
		},
	}
	jsonFlag(c, &asJSON)
	c.Flags().BoolVar(&secrets, "secrets", false, "show the secrets of the servers")
	c.AddCommand(
		newServersAddCommand(a), newServersUpdateCommand(a), newServersRemoveCommand(a),
		newServersEnableCommand(a), newServersDisableCommand(a), newServersCordonCommand(a), newServersPanicCommand(a),
		newServersMeetingsCommand(a), newServersSyncCommand(a), newServersExportCommand(a),
	)
	return c
}

// groupArgs is for commands that have commands below them: an argument is one
// that does not exist.
func groupArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	text := fmt.Sprintf("unknown command %q for %q", args[0], c.CommandPath())
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf("; did you mean %q?", near[0])
	}
	return usage("%s", text)
}

// withoutSecrets is servers as they may be shown.
func withoutSecrets(servers []balancer.ServerInfo, secrets bool) []balancer.ServerInfo {
	shown := make([]balancer.ServerInfo, len(servers))
	for i, s := range servers {
		if !secrets {
			s.Secret = ""
		}
		shown[i] = s
	}
	return shown
}

func printServers(w io.Writer, servers []balancer.ServerInfo, secrets bool) error {
	if len(servers) == 0 {
		_, err := fmt.Fprintln(w, noServers)
		return err
	}
	for i, s := range servers {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := printServer(w, s, secrets); err != nil {
			return err
		}
	}
	return nil
}

// printServer prints a block of "key: value" lines, those of the Ruby system
// first, then what is set beyond them.
func printServer(w io.Writer, s balancer.ServerInfo, secrets bool) error {
	secret := "(shown with --secrets)"
	if secrets {
		secret = s.Secret.Reveal()
	}
	p := printer{w: w}
	p.line("id", s.ID)
	p.line("url", s.URL)
	p.line("secret", secret)
	p.line("state", string(s.State))
	p.line("load", loadText(s.Load))
	p.line("load multiplier", decimal(s.LoadMultiplier))
	p.line("bbb version", s.BBBVersion)
	p.line("tag", s.Tag)
	p.line("online", yesNo(s.Online))
	if s.MaxMeetings > 0 {
		p.line("max meetings", fmt.Sprint(s.MaxMeetings))
	}
	if s.MaxUsers > 0 {
		p.line("max users", fmt.Sprint(s.MaxUsers))
	}
	if s.Standby {
		p.line("standby", yesNo(s.Standby))
	}
	if s.Error != "" {
		p.line("error", s.Error)
	}
	return p.err
}

// printer prints "key: value" lines and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(key, value string) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, "%s: %s\n", key, printable(value))
	}
}
