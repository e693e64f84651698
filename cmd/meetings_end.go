package cmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"scalelite/balancer"
	"scalelite/web/admin"
)

func newMeetingsEndCommand(a *app) *cobra.Command {
	var all, yes, asJSON bool
	c := &cobra.Command{
		Use:   "end [ID...]",
		Short: "End meetings",
		Long: `Ends the meetings with the given IDs, or all meetings with --all. Everybody in
them is sent out. A meeting whose server does not answer is ended when it does.`,
		Example: `  scalelite meetings end MEETING-ID
  scalelite meetings end --all --yes`,
		Args: noEmptyArgs,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case all && len(args) > 0:
				return usage("give IDs or --all, not both")
			case !all && len(args) == 0:
				return usage("say which meetings: give their IDs, or --all")
			}
			return a.with(c.Context(), changes, func(svc admin.Service) error {
				return a.endMeetings(c.Context(), svc, args, yes, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "end all meetings")
	yesFlag(c, &yes)
	jsonFlag(c, &asJSON)
	return c
}

// endMeetings ends the meetings with these IDs; no IDs means all.
func (a *app) endMeetings(ctx context.Context, svc admin.Service, ids []string, yes, asJSON bool) error {
	meetings, missing, err := findMeetings(ctx, svc, ids)
	if err != nil {
		return err
	}
	if missing != nil {
		return fmt.Errorf("%w; nothing was ended", missing)
	}
	var results []balancer.EndResult
	if len(meetings) > 0 {
		users := 0
		for _, m := range meetings {
			users += m.Users
		}
		question := fmt.Sprintf("%s with %s will be ended.", count(len(meetings), "meeting"), count(users, "user"))
		if err := a.confirm(ctx, yes, question); err != nil {
			return err
		}
		if results, err = svc.EndMeetings(ctx, ids); err != nil {
			return err
		}
	}
	if asJSON {
		err = printJSON(a.stdout, list(results))
	} else {
		err = a.printEnds(results)
	}
	if err != nil {
		return err
	}
	return endFailures(results)
}

func (a *app) printEnds(results []balancer.EndResult) error {
	if len(results) == 0 {
		_, err := fmt.Fprintln(a.stdout, "No meetings are running.")
		return err
	}
	for _, r := range results {
		outcome := "ended"
		switch {
		case r.Pending:
			outcome = "will be ended when its server answers"
		case r.Error != "":
			outcome = "not ended: " + r.Error
		}
		if _, err := fmt.Fprintf(a.stdout, "%s: %s\n", printable(r.MeetingKey.String()), printable(outcome)); err != nil {
			return err
		}
	}
	return nil
}

// endFailures is the error of meetings that are not ended and will not be.
func endFailures(results []balancer.EndResult) error {
	var failed []string
	for _, r := range results {
		if r.Error != "" && !r.Pending {
			failed = append(failed, r.ID)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("%s could not be ended: %s", count(len(failed), "meeting"), printable(strings.Join(failed[:min(len(failed), maxNamed)], ", ")))
}
