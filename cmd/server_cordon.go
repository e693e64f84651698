package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"scalelite/balancer"
	"scalelite/store"
	"scalelite/web/admin"
)

func newServersCordonCommand(a *app) *cobra.Command {
	var wait bool
	c := &cobra.Command{
		Use:     "cordon ID",
		Aliases: []string{"drain"},
		Short:   "Let a server take no new meetings, before maintenance",
		Long: `Cordons a server: its meetings go on and can be joined, new ones go to others.
When a poll finds it empty it becomes disabled. With --wait the command ends
then, so that what comes after it finds the server empty.`,
		Example: `  scalelite servers cordon bbb1.example.com
  scalelite servers cordon bbb1.example.com --wait && ssh bbb1.example.com reboot`,
		Args:              exactArgs(1, oneServer),
		ValidArgsFunction: a.completeServers,
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			return a.onServer(ctx, args[0], func(svc admin.Service, s balancer.ServerInfo) error {
				if wait {
					if err := needDaemon(ctx, svc); err != nil {
						return err
					}
				}
				if s.State == store.Disabled && s.Meetings == 0 {
					_, err := fmt.Fprintf(a.stdout, "%s is empty and disabled already.\n", label(s))
					return err
				}
				if err := a.setState(ctx, svc, s, store.Cordoned); err != nil || !wait {
					return err
				}
				return a.waitEmpty(ctx, svc, s)
			})
		},
	}
	c.Flags().BoolVar(&wait, "wait", false, "wait until the server is empty")
	return c
}

// needDaemon refuses to wait for polls where nobody makes any.
func needDaemon(ctx context.Context, svc admin.Service) error {
	info, err := svc.Info(ctx)
	if err != nil {
		return err
	}
	if !info.Daemon {
		return errors.New("--wait needs the running service, which polls the servers; start it with: systemctl start scalelite")
	}
	return nil
}

// waitEmpty waits until a cordoned server is disabled, which it becomes when a
// poll finds it empty: the count alone may be older than the last meeting.
func (a *app) waitEmpty(ctx context.Context, svc admin.Service, s balancer.ServerInfo) error {
	shown := ""
	for {
		now, err := svc.Server(ctx, s.ID)
		if err != nil {
			return err
		}
		switch now.State {
		case store.Disabled:
			if a.liveOutput && shown != "" {
				fmt.Fprintln(a.stdout)
			}
			_, err := fmt.Fprintf(a.stdout, "%s is empty and disabled.\n", label(s))
			return err
		case store.Enabled:
			return fmt.Errorf("%s was enabled again by somebody else", label(s))
		}
		shown = a.progress(shown, cordonProgress(now))
		if !a.sleep(ctx, a.tick) {
			return ctx.Err()
		}
	}
}

func cordonProgress(s balancer.ServerInfo) string {
	if !s.Online {
		return "Waiting; the server does not answer, so nobody can tell whether it is empty."
	}
	return fmt.Sprintf("Waiting for the end of %s, %s.", count(s.Meetings, "meeting"), count(s.Users, "user"))
}

// progress shows line over the one before on a terminal, and elsewhere only
// when it differs. It returns what is shown now.
func (a *app) progress(shown, line string) string {
	if line == shown {
		return shown
	}
	if a.liveOutput {
		fmt.Fprintf(a.stdout, "\r\x1b[K%s", line)
	} else {
		fmt.Fprintln(a.stdout, line)
	}
	return line
}
