package cmd

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"scalelite/balancer"
	"scalelite/web/admin"
)

func newPollCommand(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "poll",
		Short: "Ask all servers now, and show what was found",
		Long: `Polls all servers at once, as the service does every balancer.poll_interval, and
prints what it found. ADOPTED are meetings that run on a server and were not
known, ENDED known ones that are over.`,
		Example: `  scalelite poll
  scalelite poll --json`,
		GroupID: groupPool,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.with(c.Context(), reads, func(svc admin.Service) error {
				report, err := svc.Poll(c.Context())
				if err != nil {
					return err
				}
				if asJSON {
					report.Servers = list(report.Servers)
					return printJSON(a.stdout, report)
				}
				servers, err := svc.Servers(c.Context())
				if err != nil {
					return err
				}
				return a.printPoll(report, servers)
			})
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

func (a *app) printPoll(report balancer.PollReport, servers []balancer.ServerInfo) error {
	if len(report.Servers) == 0 {
		_, err := fmt.Fprintln(a.stdout, noServers)
		return err
	}
	hosts := map[string]string{}
	for _, s := range servers {
		hosts[s.ID] = hostname(s.URL)
	}
	t := newTable(a.stdout, "HOSTNAME", "STATUS", "MEETINGS", "USERS", "ADOPTED", "ENDED", "TIME", "ERROR")
	for _, s := range report.Servers {
		host := hosts[s.ID]
		if host == "" {
			host = s.ID
		}
		t.row(host, onlineText(s.Online), strconv.Itoa(s.Meetings), strconv.Itoa(s.Users), strconv.Itoa(s.Adopted),
			strconv.Itoa(s.Ended), s.Duration.Round(time.Millisecond).String(), s.Error)
	}
	if err := t.flush(); err != nil {
		return err
	}
	if report.OwnNetwork {
		_, err := fmt.Fprintln(a.stdout, "\nSo many servers failed at once that the network of this machine is taken for the cause; no server goes offline for it.")
		return err
	}
	return nil
}
