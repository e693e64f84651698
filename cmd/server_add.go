package cmd

import (
	"context"
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/web/admin"
)

func newServersAddCommand(a *app) *cobra.Command {
	var s balancer.NewServer
	var noCheck, asJSON bool
	c := &cobra.Command{
		Use:   "add URL SECRET",
		Short: "Add a BBB server to the pool",
		Long: `Adds a BBB server and prints its id. The server is asked first, so that a wrong
URL or secret shows now; --no-check adds it unasked.

URL and SECRET are what 'sudo bbb-conf --secret' prints on the BBB server; the
URL may have any of the usual forms, with or without /bigbluebutton/api. A SECRET
of - is read from standard input, or asked for, so that it does not show in the
list of processes. A secret that begins with - needs -- before the URL.

The server is added disabled, unless --enable is given.`,
		Example: `  scalelite servers add https://bbb1.example.com/bigbluebutton/ SECRET --enable
  scalelite servers add bbb2.example.com - --load-multiplier 2 --tag exams
  scalelite servers add bbb3.example.com SECRET --standby --max-users 150`,
		Args: exactArgs(2, "URL and SECRET; 'sudo bbb-conf --secret' on the BBB server prints both"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkLimits(c, s.LoadMultiplier, s.MaxMeetings, s.MaxUsers); err != nil {
				return err
			}
			secret, err := a.secretArg(c.Context(), args[1])
			if err != nil {
				return err
			}
			s.URL, s.Secret = args[0], bbb.Secret(secret)
			return a.with(c.Context(), changes, func(svc admin.Service) error {
				return a.addServer(c.Context(), svc, s, noCheck, asJSON)
			})
		},
	}
	c.ValidArgsFunction = cobra.NoFileCompletions
	f := c.Flags()
	f.StringVar(&s.ID, "id", "", "the server's `ID` (default: a UUID, or the host name, see balancer.server_id_is_hostname)")
	f.BoolVar(&s.Enable, "enable", false, "enable it at once")
	f.BoolVar(&noCheck, "no-check", false, "do not ask the server first")
	limitFlags(c, &s.LoadMultiplier, &s.MaxMeetings, &s.MaxUsers, &s.Standby, &s.Tag)
	jsonFlag(c, &asJSON)
	return c
}

func (a *app) addServer(ctx context.Context, svc admin.Service, s balancer.NewServer, noCheck, asJSON bool) error {
	if !noCheck {
		probe, err := svc.ProbeServer(ctx, s.URL, s.Secret)
		if err != nil {
			return fmt.Errorf("%w\nNothing was added; --no-check adds the server without asking it", err)
		}
		fmt.Fprintf(a.stderr, "%s answers: %s, checksums with %s.\n", hostname(s.URL), versionText(probe.Version), string(probe.Algorithm))
	}
	added, err := svc.AddServer(ctx, s)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(a.stdout, withoutSecrets([]balancer.ServerInfo{added}, false)[0])
	}
	if s.Enable {
		fmt.Fprintln(a.stderr, "Added and enabled. See it with: scalelite status")
	} else {
		fmt.Fprintf(a.stderr, "Added, disabled. Enable it with: scalelite servers enable %s\n", added.ID)
	}
	_, err = fmt.Fprintln(a.stdout, added.ID)
	return err
}

func versionText(version string) string {
	if version == "" {
		return "BigBlueButton (it hides its version)"
	}
	return "BigBlueButton " + printable(version)
}

func newServersUpdateCommand(a *app) *cobra.Command {
	var secret, tag string
	var multiplier float64
	var meetings, users int
	var standby, asJSON bool
	c := &cobra.Command{
		Use:   "update ID",
		Short: "Change a server's secret, weight, tag or limits",
		Long: `Changes what the flags name, all or nothing, and leaves the rest as it is. An
empty tag removes it; a limit of 0 removes the limit. --secret - reads the secret
from standard input, or asks for it.`,
		Example: `  scalelite servers update bbb1.example.com --load-multiplier 2
  scalelite servers update bbb1.example.com --tag ""
  scalelite servers update bbb1.example.com --secret -
  scalelite servers update bbb3.example.com --standby=false --max-users 0`,
		Args:              exactArgs(1, "the ID of a server"),
		ValidArgsFunction: a.completeServers,
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkLimits(c, multiplier, meetings, users); err != nil {
				return err
			}
			var change balancer.ServerChange
			set(c, "tag", &change.Tag, tag)
			set(c, "load-multiplier", &change.LoadMultiplier, multiplier)
			set(c, "max-meetings", &change.MaxMeetings, meetings)
			set(c, "max-users", &change.MaxUsers, users)
			set(c, "standby", &change.Standby, standby)
			if c.Flags().Changed("secret") {
				text, err := a.secretArg(c.Context(), secret)
				if err != nil {
					return err
				}
				set(c, "secret", &change.Secret, bbb.Secret(text))
			}
			if change == (balancer.ServerChange{}) {
				return usage("nothing to change; say at least one of --secret, --tag, --load-multiplier, --max-meetings, --max-users, --standby")
			}
			return a.with(c.Context(), changes, func(svc admin.Service) error {
				return a.updateServer(c.Context(), svc, args[0], change, asJSON)
			})
		},
	}
	c.Flags().StringVar(&secret, "secret", "", "the server's `SECRET`")
	limitFlags(c, &multiplier, &meetings, &users, &standby, &tag)
	jsonFlag(c, &asJSON)
	return c
}

func (a *app) updateServer(ctx context.Context, svc admin.Service, arg string, change balancer.ServerChange, asJSON bool) error {
	s, err := findServer(ctx, svc, arg)
	if err != nil {
		return err
	}
	if s, err = svc.UpdateServer(ctx, s.ID, change); err != nil {
		return err
	}
	if asJSON {
		return printJSON(a.stdout, withoutSecrets([]balancer.ServerInfo{s}, false)[0])
	}
	_, err = fmt.Fprintf(a.stdout, "%s is changed.\n", label(s))
	return err
}

// limitFlags are the flags that add and update share.
func limitFlags(c *cobra.Command, multiplier *float64, meetings, users *int, standby *bool, tag *string) {
	f := c.Flags()
	f.Float64Var(multiplier, "load-multiplier", 1, "`N` weighs the server's load: 2 makes it take half as much")
	f.IntVar(meetings, "max-meetings", 0, "place no meeting when it has `N`; 0: no limit")
	f.IntVar(users, "max-users", 0, "place no meeting when it has `N` users; 0: no limit")
	f.BoolVar(standby, "standby", false, "use it only when no other server can take a meeting")
	f.StringVar(tag, "tag", "", "`TAG` for meetings that ask for it with meta_server-tag")
}

func checkLimits(c *cobra.Command, multiplier float64, meetings, users int) error {
	if c.Flags().Changed("load-multiplier") && (!(multiplier > 0) || math.IsInf(multiplier, 0)) {
		return usage("--load-multiplier %g makes no sense; a number above 0", multiplier)
	}
	if meetings < 0 || users < 0 {
		return usage("a limit cannot be negative; 0 means no limit")
	}
	return nil
}

// set makes field point to v if the flag was given.
func set[T any](c *cobra.Command, flag string, field **T, v T) {
	if c.Flags().Changed(flag) {
		*field = &v
	}
}

// exactArgs wants n arguments, and says which.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return usage("%s instead of %d: give %s", count(len(args), "argument"), n, what)
		}
		for _, arg := range args {
			if arg == "" {
				return usage("an argument is empty: give %s", what)
			}
		}
		return nil
	}
}
