package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"scalelite/balancer"
	"scalelite/web/admin"
)

func newServersMeetingsCommand(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "meetings [ID...]",
		Short: "List the meetings of servers",
		Long:  `Lists the meetings that run on the given servers, on all if none is given.`,
		Example: `  scalelite servers meetings
  scalelite servers meetings bbb1.example.com bbb2.example.com`,
		Args:              noEmptyArgs,
		ValidArgsFunction: a.completeServers,
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), reads, func(svc admin.Service) error {
				meetings, err := meetingsOn(c.Context(), svc, args)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(a.stdout, list(meetings))
				}
				return a.printMeetings(c.Context(), svc, meetings)
			})
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

// meetingsOn returns the meetings of the servers that args mean, server by
// server; of all servers if there are none.
func meetingsOn(ctx context.Context, svc admin.Service, args []string) ([]balancer.MeetingInfo, error) {
	servers, err := svc.Servers(ctx)
	if err != nil {
		return nil, err
	}
	chosen := servers
	if len(args) > 0 {
		chosen = nil
		for _, arg := range args {
			s, err := pickServer(servers, arg)
			if err != nil {
				return nil, err
			}
			chosen = append(chosen, s)
		}
	}
	meetings, err := svc.Meetings(ctx)
	if err != nil {
		return nil, err
	}
	byServer := map[string][]balancer.MeetingInfo{}
	for _, m := range meetings {
		byServer[m.Server] = append(byServer[m.Server], m)
	}
	var found []balancer.MeetingInfo
	for _, s := range chosen {
		found = append(found, byServer[s.ID]...)
		delete(byServer, s.ID) // a server that was named twice is listed once
	}
	return found, nil
}
