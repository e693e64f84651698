package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"scalelite/recordings"
	"scalelite/web/admin"
)

func newRecordingsPublishCommand(a *app, publish bool) *cobra.Command {
	word, short := "publish", "Show recordings to the front-ends"
	long := `Publishes recordings: whoever has the link can open them, unless they are
protected. This stays so when they are imported again.`
	if !publish {
		word, short = "unpublish", "Hide recordings from the front-ends"
		long = `Hides recordings: their files move to recordings.unpublished_dir, and nobody can
open them from the first moment on. This stays so when they are imported again.`
	}
	return &cobra.Command{
		Use:   word + " ID...",
		Short: short,
		Long:  long,
		Example: `  scalelite recordings ` + word + ` 183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000
  scalelite recordings --meeting room-17 --json | jq -r '.[].id' | scalelite recordings ` + word + ` -`,
		Args:              someRecordings,
		ValidArgsFunction: a.completeRecordings,
		RunE: func(c *cobra.Command, args []string) error {
			o := outcome{word + "ed", "was " + word + "ed already"}
			return a.changeRecordings(c.Context(), args, o, func(svc admin.Service, ids []string) ([]admin.RecordingResult, error) {
				return svc.PublishRecordings(c.Context(), ids, publish)
			})
		},
	}
}

func newRecordingsProtectCommand(a *app, protect bool) *cobra.Command {
	var all bool
	word, short := "protect", "Let recordings be opened only from a front-end"
	long := `Protects recordings: their files open only after a link of getRecordings was
followed, which a front-end asks for when somebody clicks. Links that were handed
out before lead nowhere. With --all it is done to all recordings; whether new ones
are protected is recordings.protected.`
	if !protect {
		word, short = "unprotect", "Let recordings be opened by whoever has the link"
		long = `Takes the protection from recordings, or with --all from all: whoever has the
link can open them. Whether new ones are protected is recordings.protected.`
	}
	c := &cobra.Command{
		Use:   word + " ID...",
		Short: short,
		Long:  long,
		Example: `  scalelite recordings ` + word + ` 183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000
  scalelite recordings ` + word + ` --all`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case all && len(args) > 0:
				return usage("give IDs or --all, not both")
			case !all && len(args) == 0:
				return usage("say which: give the IDs of recordings, - to read them from standard input, or --all")
			}
			return noEmptyArgs(c, args)
		},
		ValidArgsFunction: a.completeRecordings,
		RunE: func(c *cobra.Command, args []string) error {
			if all {
				return a.with(c.Context(), changes, func(svc admin.Service) error {
					n, err := svc.ProtectAllRecordings(c.Context(), protect)
					if n > 0 || err == nil {
						fmt.Fprintf(a.stdout, "%s %sed; the others were already.\n", countWas(n, "recording"), word)
					}
					return err
				})
			}
			o := outcome{word + "ed", "was " + word + "ed already"}
			return a.changeRecordings(c.Context(), args, o, func(svc admin.Service, ids []string) ([]admin.RecordingResult, error) {
				return svc.UpdateRecordings(c.Context(), ids, recordings.Change{Protect: &protect})
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "all recordings")
	return c
}

func newRecordingsSetCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "set ID KEY=VALUE...",
		Short: "Change the metadata of a recording",
		Long: `Sets metadata, as updateRecordings of the BBB API does; an empty VALUE removes the
key. What is set stays when the recording is imported again. keep=true keeps it
from recordings.retention.`,
		Example: `  scalelite recordings set 183f0bf3 name="Algebra, lesson 4"
  scalelite recordings set 183f0bf3 keep=true description=`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 || args[0] == "" {
				return usage("give the ID of a recording, then KEY=VALUE")
			}
			for _, pair := range args[1:] {
				if key, _, ok := strings.Cut(pair, "="); !ok || key == "" {
					return usage("%q is not KEY=VALUE", pair)
				}
			}
			return nil
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return a.completeRecordings(c, args, word)
		},
		RunE: func(c *cobra.Command, args []string) error {
			change := recordings.Change{Meta: map[string]string{}}
			for _, pair := range args[1:] {
				key, value, _ := strings.Cut(pair, "=")
				change.Meta[strings.ToLower(key)] = value
			}
			o := outcome{"changed", "was so already"}
			return a.changeRecordings(c.Context(), args[:1], o, func(svc admin.Service, ids []string) ([]admin.RecordingResult, error) {
				return svc.UpdateRecordings(c.Context(), ids, change)
			})
		},
	}
}
