package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"scalelite/balancer"
	"scalelite/web/admin"
)

const noMeetings = "No meetings are running. Front-ends make them; 'scalelite secret' prints what they need."

func newMeetingsCommand(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "meetings [ID...]",
		Aliases: []string{"meeting"},
		Short:   "List the meetings, or end them",
		Long: `Lists the meetings that are known, all or those with the given meeting IDs, with
what the last poll of their server saw.`,
		Example: `  scalelite meetings
  scalelite meetings --json | jq length
  scalelite meetings info MEETING-ID
  scalelite meetings end MEETING-ID`,
		GroupID: groupPool,
		Args:    noEmptyArgs,
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), reads, func(svc admin.Service) error {
				meetings, missing, err := findMeetings(c.Context(), svc, args)
				if err != nil {
					return err
				}
				if asJSON {
					err = printJSON(a.stdout, list(meetings))
				} else if len(meetings) > 0 || len(args) == 0 {
					err = a.printMeetings(c.Context(), svc, meetings)
				}
				return errors.Join(err, missing)
			})
		},
	}
	jsonFlag(c, &asJSON)
	c.AddCommand(newMeetingsInfoCommand(a), newMeetingsEndCommand(a))
	return c
}

// noEmptyArgs refuses an empty ID: it is a slip in a script, never a meeting.
func noEmptyArgs(_ *cobra.Command, args []string) error {
	if slices.Contains(args, "") {
		return usage("an ID is empty")
	}
	return nil
}

// findMeetings returns the meetings with these IDs, all of them if there are
// none; missing is the error about IDs that no meeting has.
func findMeetings(ctx context.Context, svc admin.Service, ids []string) (found []balancer.MeetingInfo, missing, err error) {
	all, err := svc.Meetings(ctx)
	if err != nil || len(ids) == 0 {
		return all, nil, err
	}
	seen := map[string]bool{}
	for _, m := range all {
		if slices.Contains(ids, m.ID) {
			found = append(found, m)
			seen[m.ID] = true
		}
	}
	var unknown []string
	for _, id := range ids {
		if !seen[id] {
			unknown = append(unknown, strconv.Quote(id))
		}
	}
	if len(unknown) > 0 {
		missing = fmt.Errorf("there is no meeting %s; 'scalelite meetings' lists those there are", strings.Join(unknown, ", "))
	}
	return found, missing, nil
}

// printMeetings prints a table; the tenant's column only where there are some.
func (a *app) printMeetings(ctx context.Context, svc admin.Service, meetings []balancer.MeetingInfo) error {
	if len(meetings) == 0 {
		_, err := fmt.Fprintln(a.stdout, noMeetings)
		return err
	}
	servers, err := svc.Servers(ctx)
	if err != nil {
		return err
	}
	hosts := map[string]string{}
	for _, s := range servers {
		hosts[s.ID] = hostname(s.URL)
	}
	tenants := slices.ContainsFunc(meetings, func(m balancer.MeetingInfo) bool { return m.Tenant != "" })
	row := func(tenant string, cells ...string) []string {
		if tenants {
			return append([]string{tenant}, cells...)
		}
		return cells
	}
	t := newTable(a.stdout, row("TENANT", "MEETING ID", "NAME", "SERVER", "STATUS", "USERS", "VIDEOS", "CREATED")...)
	for _, m := range meetings {
		t.row(row(m.Tenant, m.ID, m.Name, hosts[m.Server], meetingStatus(m),
			strconv.Itoa(m.Users), strconv.Itoa(m.Videos), stamp(m.Created))...)
	}
	return t.flush()
}

// meetingStatus is what a meeting does, in a word.
func meetingStatus(m balancer.MeetingInfo) string {
	switch {
	case !m.ServerOnline:
		return "server offline"
	case !m.Seen:
		return "not polled yet"
	case m.Running:
		return "running"
	}
	return "empty"
}

func newMeetingsInfoCommand(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "info ID",
		Short:   "Show all that is known about a meeting",
		Long:    `Shows the meeting with this ID; of each tenant, if several have one.`,
		Example: `  scalelite meetings info MEETING-ID`,
		Args:    exactArgs(1, "the ID of a meeting"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), reads, func(svc admin.Service) error {
				meetings, missing, err := findMeetings(c.Context(), svc, args)
				if err := errors.Join(err, missing); err != nil {
					return err
				}
				if asJSON {
					return printJSON(a.stdout, meetings)
				}
				for i, m := range meetings {
					if i > 0 {
						fmt.Fprintln(a.stdout)
					}
					if err := printMeeting(a.stdout, m); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

func printMeeting(w io.Writer, m balancer.MeetingInfo) error {
	p := printer{w: w}
	p.line("id", m.ID)
	if m.Tenant != "" {
		p.line("tenant", m.Tenant)
	}
	p.line("name", m.Name)
	p.line("server", m.Server)
	p.line("status", meetingStatus(m))
	p.line("voice bridge", m.VoiceBridge)
	p.line("created", stamp(m.Created))
	p.line("users", strconv.Itoa(m.Users))
	p.line("moderators", strconv.Itoa(m.Moderators))
	p.line("videos", strconv.Itoa(m.Videos))
	p.line("adopted", yesNo(m.Adopted))
	return p.err
}
