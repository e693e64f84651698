package cmd

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

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

// callbackChoice is which callbacks a command is for, if not for those that are
// named.
type callbackChoice struct {
	all, failed bool
	host        string
}

func (o *callbackChoice) flags(c *cobra.Command) {
	c.Flags().BoolVar(&o.all, "all", false, "all of them")
	c.Flags().BoolVar(&o.failed, "failed", false, "all that are not tried any more")
	c.Flags().StringVar(&o.host, "host", "", "all to this `host` of a front-end, as it is in URL")
}

func (o *callbackChoice) args(c *cobra.Command, args []string) error {
	given := o.all || o.failed || o.host != ""
	switch {
	case given && len(args) > 0:
		return usage("give IDs, or --all, --failed or --host, not both")
	case o.all && (o.failed || o.host != ""):
		return usage("--all is all of them, without --failed and --host")
	case !given && len(args) == 0:
		return usage("say which callbacks: give their IDs, or --all, --failed or --host")
	}
	return noEmptyArgs(c, args)
}

// ids returns the callbacks that are meant: the named ones, or those there are.
func (o *callbackChoice) ids(ctx context.Context, svc admin.Service, named []string) ([]string, error) {
	if len(named) > 0 {
		return named, nil
	}
	there, err := svc.Callbacks(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, c := range there {
		target, err := url.Parse(c.URL)
		at := err == nil && (strings.EqualFold(target.Host, o.host) || strings.EqualFold(target.Hostname(), o.host))
		if (o.host == "" || at) && (!o.failed || c.Failed) {
			ids = append(ids, c.ID)
		}
	}
	return ids, nil
}

// none says that there is nothing to do.
func (o *callbackChoice) none(a *app) error {
	text := noCallbacks
	if !o.all {
		text = "No callback is like that; 'scalelite callbacks' lists those there are."
	}
	_, err := fmt.Fprintln(a.stdout, text)
	return err
}

func newCallbacksRetryCommand(a *app) *cobra.Command {
	var choice callbackChoice
	c := &cobra.Command{
		Use:   "retry ID...",
		Short: "Send callbacks again now",
		Long: `Has callbacks sent now, and for another 24 hours if that fails: those with the
given IDs, or all that --all, --failed and --host say.`,
		Example: `  scalelite callbacks retry 18c5a0f3b2d41e00-183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000
  scalelite callbacks retry --all`,
		Args:              choice.args,
		ValidArgsFunction: a.completeCallbacks,
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), changes, func(svc admin.Service) error {
				ids, err := choice.ids(c.Context(), svc, args)
				if err != nil {
					return err
				}
				if len(ids) == 0 {
					return choice.none(a)
				}
				// One that was listed and is gone meanwhile was delivered.
				return a.eachCallback(ids, "is sent again", len(args) == 0, func(id string) (admin.CallbackInfo, error) {
					return svc.RetryCallback(c.Context(), id)
				})
			})
		},
	}
	choice.flags(c)
	return c
}

func newCallbacksDropCommand(a *app) *cobra.Command {
	var yes bool
	var choice callbackChoice
	c := &cobra.Command{
		Use:   "drop ID...",
		Short: "Forget callbacks",
		Long: `Forgets callbacks: the front-end is not told that the recording is ready. It finds
the recording all the same when it asks for its recordings. They are those with
the given IDs, or all that --all, --failed and --host say.`,
		Example: `  scalelite callbacks drop 18c5a0f3b2d41e00-183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000
  scalelite callbacks drop --host old-moodle.example.org`,
		ValidArgsFunction: a.completeCallbacks,
		Args:              choice.args,
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), changes, func(svc admin.Service) error {
				ids, err := choice.ids(c.Context(), svc, args)
				if err != nil {
					return err
				}
				if len(ids) == 0 {
					return choice.none(a)
				}
				question := fmt.Sprintf("%s will not be sent.", count(len(ids), "callback"))
				if err := a.confirm(c.Context(), yes, question); err != nil {
					return err
				}
				return a.eachCallback(ids, "is dropped", len(args) == 0, func(id string) (admin.CallbackInfo, error) {
					return svc.DropCallback(c.Context(), id)
				})
			})
		},
	}
	choice.flags(c)
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
