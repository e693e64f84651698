package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"scalelite/balancer"
	"scalelite/store"
	"scalelite/web/admin"
)

const oneServer = "the ID of a server, or its host name"

// onServer runs fn with the server that arg means.
func (a *app) onServer(ctx context.Context, arg string, fn func(admin.Service, balancer.ServerInfo) error) error {
	return a.with(ctx, changes, func(svc admin.Service) error {
		s, err := findServer(ctx, svc, arg)
		if err != nil {
			return err
		}
		return fn(svc, s)
	})
}

// setState sets the state of a server unless it has it already.
func (a *app) setState(ctx context.Context, svc admin.Service, s balancer.ServerInfo, state store.State) error {
	if s.State == state {
		_, err := fmt.Fprintf(a.stdout, "%s is already %s.\n", label(s), state)
		return err
	}
	if _, err := svc.UpdateServer(ctx, s.ID, balancer.ServerChange{State: &state}); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "%s is %s.\n", label(s), state)
	return err
}

func newServersEnableCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "enable ID",
		Short: "Let a server take meetings",
		Long: `Enables a server. It takes new meetings as soon as it is online, which the next
poll finds out.`,
		Example:           `  scalelite servers enable bbb1.example.com`,
		Args:              exactArgs(1, oneServer),
		ValidArgsFunction: a.completeServers,
		RunE: func(c *cobra.Command, args []string) error {
			return a.onServer(c.Context(), args[0], func(svc admin.Service, s balancer.ServerInfo) error {
				return a.setState(c.Context(), svc, s, store.Enabled)
			})
		},
	}
}

func newServersDisableCommand(a *app) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "disable ID",
		Short: "Let a server take neither meetings nor joins",
		Long: `Disables a server. It takes no new meetings, and nobody can join those that run
on it any more, so it asks first if there are any. To let them come to their end
use 'servers cordon'. A disabled server is still polled.`,
		Example: `  scalelite servers disable bbb1.example.com
  scalelite servers disable bbb1.example.com --yes`,
		Args:              exactArgs(1, oneServer),
		ValidArgsFunction: a.completeServers,
		RunE: func(c *cobra.Command, args []string) error {
			return a.onServer(c.Context(), args[0], func(svc admin.Service, s balancer.ServerInfo) error {
				if s.Meetings > 0 && s.State != store.Disabled {
					question := fmt.Sprintf("%s runs %s, %s: nobody can join them any more ('servers cordon' lets them end by themselves).",
						label(s), count(s.Meetings, "meeting"), count(s.Users, "user"))
					if err := a.confirm(c.Context(), yes, question); err != nil {
						return err
					}
				}
				return a.setState(c.Context(), svc, s, store.Disabled)
			})
		},
	}
	yesFlag(c, &yes)
	return c
}

func newServersRemoveCommand(a *app) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "remove ID",
		Short: "Take a server out of the pool for good",
		Long: `Removes a server and forgets its meetings: the next create of such a meeting
places it on another server. The meetings themselves are not ended; use 'servers
panic' before to end them, or 'servers cordon --wait' to wait for their end.`,
		Example: `  scalelite servers cordon bbb1.example.com --wait
  scalelite servers remove bbb1.example.com`,
		Aliases:           []string{"rm"},
		Args:              exactArgs(1, oneServer),
		ValidArgsFunction: a.completeServers,
		RunE: func(c *cobra.Command, args []string) error {
			return a.onServer(c.Context(), args[0], func(svc admin.Service, s balancer.ServerInfo) error {
				question := fmt.Sprintf("%s will be removed.", label(s))
				if s.Meetings > 0 {
					question = fmt.Sprintf("%s will be removed and its %s forgotten.", label(s), count(s.Meetings, "meeting"))
				}
				if err := a.confirm(c.Context(), yes, question); err != nil {
					return err
				}
				if err := svc.RemoveServer(c.Context(), s.ID); err != nil {
					return err
				}
				_, err := fmt.Fprintf(a.stdout, "%s is removed.\n", label(s))
				return err
			})
		},
	}
	yesFlag(c, &yes)
	return c
}

func newServersPanicCommand(a *app) *cobra.Command {
	var yes bool
	var o balancer.PanicOptions
	c := &cobra.Command{
		Use:   "panic ID",
		Short: "End all meetings of a server and disable it",
		Long: `For a server that has crashed or must be emptied at once: ends its meetings,
forgets them, and disables it. People who come back get a new meeting on another
server. Meetings that cannot be reached are ended when the server answers again.`,
		Example: `  scalelite servers panic bbb1.example.com
  scalelite servers panic bbb1.example.com --yes --keep-state
  scalelite servers panic bbb1.example.com --yes --skip-end-calls`,
		Args:              exactArgs(1, oneServer),
		ValidArgsFunction: a.completeServers,
		RunE: func(c *cobra.Command, args []string) error {
			return a.onServer(c.Context(), args[0], func(svc admin.Service, s balancer.ServerInfo) error {
				return a.panicServer(c.Context(), svc, s, o, yes)
			})
		},
	}
	c.Flags().BoolVar(&o.KeepState, "keep-state", false, "leave it enabled or cordoned")
	c.Flags().BoolVar(&o.SkipEndCalls, "skip-end-calls", false, "forget the meetings without ending them")
	yesFlag(c, &yes)
	return c
}

func (a *app) panicServer(ctx context.Context, svc admin.Service, s balancer.ServerInfo, o balancer.PanicOptions, yes bool) error {
	what := "ended and forgotten"
	if o.SkipEndCalls {
		what = "forgotten"
	}
	question := fmt.Sprintf("All meetings of %s (%d at its last poll, %s) will be %s.", label(s), s.Meetings, count(s.Users, "user"), what)
	if err := a.confirm(ctx, yes, question); err != nil {
		return err
	}
	r, err := svc.PanicServer(ctx, s.ID, o)
	if err != nil {
		return err
	}
	state := "disabled"
	if o.KeepState {
		state = string(s.State)
	}
	fmt.Fprintf(a.stdout, "%s is %s; %s ended.\n", label(s), state, count(r.Ended, "meeting"))
	if r.Unreached > 0 {
		fmt.Fprintf(a.stdout, "%s could not be reached and will be ended when the server answers again.\n", count(r.Unreached, "meeting"))
	}
	return nil
}
