package cmd

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"scalelite/web/admin"
)

const noCallbacks = "No callbacks: every front-end that asked to be told of its recordings was told."

func newCallbacksCommand(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "callbacks",
		Aliases: []string{"callback"},
		Short:   "List the messages that front-ends have not taken",
		Long: `Lists the messages "this recording is ready" that are not delivered, the oldest
first. A pending one is tried again at NEXT, for 24 hours; then it has failed, and
stays here for 30 days. URL is shown without its query, which may hold a secret.

Where a command takes an ID, its first 8 characters or more do as well if no other
begins with them.`,
		Example: `  scalelite callbacks
  scalelite callbacks --json | jq '.[] | select(.failed)'
  scalelite callbacks retry --all`,
		GroupID: groupRecords,
		Args:    groupArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.with(c.Context(), reads, func(svc admin.Service) error {
				all, err := svc.Callbacks(c.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(a.stdout, list(all))
				}
				return a.printCallbacks(all)
			})
		},
	}
	jsonFlag(c, &asJSON)
	c.AddCommand(newCallbacksRetryCommand(a), newCallbacksDropCommand(a))
	return c
}

func (a *app) printCallbacks(all []admin.CallbackInfo) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(a.stdout, noCallbacks)
		return err
	}
	t := newTable(a.stdout, "ID", "STATE", "MEETING ID", "CREATED", "TRIES", "NEXT", "URL", "ERROR")
	for _, c := range all {
		state := "pending"
		if c.Failed {
			state = "failed"
		}
		t.row(c.ID, state, c.MeetingID, stamp(c.Created), strconv.Itoa(c.Tries), stamp(c.Next), c.URL, c.Error)
	}
	return t.flush()
}

func newCallbacksRetryCommand(a *app) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "retry ID...",
		Short: "Send callbacks again now",
		Long: `Has callbacks sent now, and for another 24 hours if that fails: those with the
given IDs, or with --all every one.`,
		Example: `  scalelite callbacks retry 18c5a0f3b2d41e00-183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000
  scalelite callbacks retry --all`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case all && len(args) > 0:
				return usage("give IDs or --all, not both")
			case !all && len(args) == 0:
				return usage("say which callbacks: give their IDs, or --all")
			}
			return noEmptyArgs(c, args)
		},
		ValidArgsFunction: a.completeCallbacks,
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), changes, func(svc admin.Service) error {
				if !all {
					return a.eachCallback(args, "is sent again", false, func(id string) (admin.CallbackInfo, error) {
						return svc.RetryCallback(c.Context(), id)
					})
				}
				there, err := svc.Callbacks(c.Context())
				if err != nil {
					return err
				}
				if len(there) == 0 {
					_, err := fmt.Fprintln(a.stdout, noCallbacks)
					return err
				}
				var ids []string
				for _, cb := range there {
					ids = append(ids, cb.ID)
				}
				// One that is gone meanwhile was delivered.
				return a.eachCallback(ids, "is sent again", true, func(id string) (admin.CallbackInfo, error) {
					return svc.RetryCallback(c.Context(), id)
				})
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "all of them")
	return c
}

func newCallbacksDropCommand(a *app) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "drop ID...",
		Short: "Forget callbacks",
		Long: `Forgets callbacks: the front-end is not told that the recording is ready. It finds
the recording all the same when it asks for its recordings.`,
		Example:           `  scalelite callbacks drop 18c5a0f3b2d41e00-183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000`,
		ValidArgsFunction: a.completeCallbacks,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("say which callbacks: give their IDs")
			}
			return noEmptyArgs(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), changes, func(svc admin.Service) error {
				question := fmt.Sprintf("%s will not be sent.", count(len(args), "callback"))
				if err := a.confirm(c.Context(), yes, question); err != nil {
					return err
				}
				return a.eachCallback(args, "is dropped", false, func(id string) (admin.CallbackInfo, error) {
					return svc.DropCallback(c.Context(), id)
				})
			})
		},
	}
	yesFlag(c, &yes)
	return c
}

// eachCallback does something to each callback; forgiving one that is gone if
// goneIsFine.
func (a *app) eachCallback(ids []string, done string, goneIsFine bool, do func(id string) (admin.CallbackInfo, error)) error {
	for _, id := range ids {
		cb, err := do(id)
		var e *admin.Error
		if goneIsFine && errors.As(err, &e) && e.Code == admin.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(a.stdout, "%s: %s\n", printable(cb.ID), done); err != nil {
			return err
		}
	}
	return nil
}

// completeCallbacks offers the IDs of callbacks. Only the running service is
// asked.
func (a *app) completeCallbacks(_ *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp
	l, err := a.config()
	if err != nil {
		return nil, directive
	}
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	all, err := a.dial(l.Config.Web.AdminSocket).Callbacks(ctx)
	if err != nil {
		return nil, directive
	}
	var offers []string
	for _, cb := range all {
		offers = append(offers, cb.ID+"\t"+printable(cb.MeetingID))
	}
	return offers, directive
}
