package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"scalelite/balancer"
	"scalelite/web/admin"
)

// noServers is what a listing of an empty pool says.
const noServers = "No servers yet. Add one with: scalelite servers add URL SECRET"

func newStatusCommand(a *app) *cobra.Command {
	var asJSON, watch bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the servers of the pool and their load",
		Long: `Shows a line for each server: what the administrator wants of it (STATE), whether
it answers (STATUS), and what the last poll found there. LOAD is what decides
where the next meeting goes: users, times the server's load multiplier.`,
		Example: `  scalelite status
  scalelite status --watch
  scalelite status --json | jq '.[] | select(.online | not) | .hostname'`,
		GroupID: groupPool,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if watch && asJSON {
				return usage("--watch and --json do not go together")
			}
			return a.with(c.Context(), reads, func(svc admin.Service) error {
				if watch {
					return a.watchStatus(c.Context(), svc)
				}
				servers, err := svc.Servers(c.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(a.stdout, statusRows(servers))
				}
				return printStatus(a.stdout, servers)
			})
		},
	}
	jsonFlag(c, &asJSON)
	c.Flags().BoolVarP(&watch, "watch", "w", false, "show it again every 2 seconds")
	return c
}

// statusRow is a server as status prints it.
type statusRow struct {
	Hostname string `json:"hostname"`
	balancer.ServerInfo
}

func statusRows(servers []balancer.ServerInfo) []statusRow {
	rows := make([]statusRow, len(servers))
	for i, s := range servers {
		s.Secret = ""
		rows[i] = statusRow{Hostname: hostname(s.URL), ServerInfo: s}
	}
	return rows
}

func printStatus(w io.Writer, servers []balancer.ServerInfo) error {
	if len(servers) == 0 {
		_, err := fmt.Fprintln(w, noServers)
		return err
	}
	t := newTable(w, "HOSTNAME", "STATE", "STATUS", "MEETINGS", "USERS", "LARGEST MEETING", "VIDEOS", "LOAD", "BBB VERSION", "TAG")
	for _, s := range servers {
		t.row(hostname(s.URL), string(s.State), onlineText(s.Online), strconv.Itoa(s.Meetings), strconv.Itoa(s.Users),
			strconv.Itoa(s.LargestMeeting), strconv.Itoa(s.Videos), loadText(s.Load), s.BBBVersion, s.Tag)
	}
	return t.flush()
}

func onlineText(online bool) string {
	if online {
		return "online"
	}
	return "offline"
}

// clearScreen is what terminals take for: home, and erase what follows.
const clearScreen = "\x1b[H\x1b[2J"

// watchStatus shows the status again and again until ctx ends. A service that
// restarts in between is waited for.
func (a *app) watchStatus(ctx context.Context, svc admin.Service) error {
	if !a.liveOutput {
		return usage("--watch needs a terminal")
	}
	info, err := svc.Info(ctx)
	if err != nil {
		return err
	}
	if !info.Daemon {
		return errors.New("--watch needs the running service, since nothing changes without it; start it with: systemctl start scalelite")
	}
	for {
		servers, err := svc.Servers(ctx)
		if ctx.Err() != nil {
			return nil
		}
		fmt.Fprintf(a.stdout, "%s%s, every %s, Ctrl-C ends\n\n", clearScreen, a.now().Format(time.TimeOnly), a.tick)
		if err != nil {
			fmt.Fprintf(a.stdout, "The service does not answer: %v\n", err)
		} else if err := printStatus(a.stdout, servers); err != nil {
			return err
		}
		if !a.sleep(ctx, a.tick) {
			return nil
		}
	}
}

// sleep waits; false if ctx ended first.
func (a *app) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
