package cmd

import (
	"bytes"
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
	var asJSON, watch, records bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the servers of the pool and their load, and the recordings",
		Long: `Shows a line for each server: what the administrator wants of it (STATE), whether
it answers (STATUS), and what the last poll found there. LOAD is what decides
where the next meeting goes: users, times the server's load multiplier. Below the
table it sums up the recordings, their disk, the spool and the callbacks, and
says when the last good backup was made.

--json prints the list of the servers and nothing else; with --recordings it
prints the sums about recordings, as one object.`,
		Example: `  scalelite status
  scalelite status --watch
  scalelite status --json | jq '.[] | select(.online | not) | .hostname'
  scalelite status --recordings --json | jq .spool.failed`,
		GroupID: groupPool,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if watch && asJSON {
				return usage("--watch and --json do not go together")
			}
			return a.with(c.Context(), reads, func(svc admin.Service) error {
				switch {
				case watch:
					return a.watchStatus(c.Context(), svc, records)
				case records && asJSON:
					st, err := svc.RecordingsStatus(c.Context())
					if err != nil {
						return err
					}
					return printJSON(a.stdout, st)
				case asJSON:
					servers, err := svc.Servers(c.Context())
					if err != nil {
						return err
					}
					return printJSON(a.stdout, statusRows(servers))
				}
				return a.showStatus(c.Context(), svc, a.stdout, records)
			})
		},
	}
	jsonFlag(c, &asJSON)
	c.Flags().BoolVarP(&watch, "watch", "w", false, "show it again every 2 seconds")
	c.Flags().BoolVar(&records, "recordings", false, "only what concerns recordings, without the servers")
	return c
}

// showStatus prints the servers, unless only the recordings are wanted, and the
// recordings.
func (a *app) showStatus(ctx context.Context, svc admin.Service, w io.Writer, onlyRecordings bool) error {
	if !onlyRecordings {
		servers, err := svc.Servers(ctx)
		if err != nil {
			return err
		}
		if err := printStatus(w, servers); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	st, err := svc.RecordingsStatus(ctx)
	if err != nil {
		return err
	}
	if err := printRecordingsStatus(w, st); err != nil || onlyRecordings {
		return err
	}
	info, err := svc.Info(ctx)
	if err != nil {
		return err
	}
	return printBackups(w, info.Backup)
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
func (a *app) watchStatus(ctx context.Context, svc admin.Service, onlyRecordings bool) error {
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
		var text bytes.Buffer
		err := a.showStatus(ctx, svc, &text, onlyRecordings)
		if ctx.Err() != nil {
			return nil
		}
		fmt.Fprintf(a.stdout, "%s%s, every %s, Ctrl-C ends\n\n", clearScreen, a.now().Format(time.TimeOnly), a.tick)
		if err != nil {
			fmt.Fprintf(&text, "The service does not answer: %v\n", err)
		}
		if _, err := text.WriteTo(a.stdout); err != nil {
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
