package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"scalelite/store"
	"scalelite/web/admin"
)

func newRecordingsDropCommand(a *app) *cobra.Command {
	var all, yes bool
	c := &cobra.Command{
		Use:   "drop NAME...",
		Short: "Remove failed tarballs for good",
		Long: `Removes tarballs from recordings.failed_dir, with the texts beside them. NAME is
that of 'recordings spool'. What was imported of them stays. The BBB server that
recorded it may have deleted its copy, so that nothing else has what is removed.`,
		Example: `  scalelite recordings drop 183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000.2.tar
  scalelite recordings drop --all --yes`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case all && len(args) > 0:
				return usage("give names or --all, not both")
			case !all && len(args) == 0:
				return usage("say which tarballs: give their names, or --all")
			}
			return noEmptyArgs(c, args)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), changes, func(svc admin.Service) error {
				return a.dropTarballs(c.Context(), svc, args, yes)
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "all that have failed")
	yesFlag(c, &yes)
	return c
}

// dropTarballs drops failed tarballs, without names all.
func (a *app) dropTarballs(ctx context.Context, svc admin.Service, names []string, yes bool) error {
	files, err := svc.SpoolFiles(ctx)
	if err != nil {
		return err
	}
	failed, bytes, all := []string{}, int64(0), len(names) == 0
	for _, f := range files {
		if f.State == store.ImportFailed && (all || slices.Contains(names, f.Name)) {
			failed, bytes = append(failed, f.Name), bytes+f.Size
		}
	}
	if all {
		names = failed
	}
	if len(names) == 0 {
		_, err := fmt.Fprintln(a.stdout, "No tarball has failed.")
		return err
	}
	if len(failed) > 0 { // else there is nothing to ask about
		if err := a.confirm(ctx, yes, dropQuestion(failed, bytes)); err != nil {
			return err
		}
	}
	gone, err := svc.DropSpool(ctx, names)
	for _, name := range gone {
		if _, printErr := fmt.Fprintf(a.stdout, "%s: is removed\n", printable(name)); printErr != nil {
			return errors.Join(err, printErr)
		}
	}
	return err
}

func dropQuestion(names []string, bytes int64) string {
	shown := make([]string, 0, maxNamed+1)
	for _, name := range names[:min(len(names), maxNamed)] {
		shown = append(shown, "  "+printable(name))
	}
	if more := len(names) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("  and %d more", more))
	}
	return fmt.Sprintf("%s with %s will be removed for good:\n%s\n", count(len(names), "failed tarball"), byteSize(bytes), strings.Join(shown, "\n"))
}
