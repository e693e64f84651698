package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"scalelite/recordings"
	"scalelite/web/admin"
)

func newRecordingsDeleteCommand(a *app) *cobra.Command {
	var purge, yes bool
	c := &cobra.Command{
		Use:   "delete ID...",
		Short: "Delete recordings",
		Long: `Deletes recordings. For as long as recordings.trash says they can be brought back
with 'recordings undelete'. That they were there is remembered, so that a tarball
that comes in again does not bring them back unseen.

With --purge nothing is left of them, not in the trash either, and a tarball that
comes in again is taken for a new recording. Of one that is deleted already, files
that somebody put back since stay where they are, for 'recordings rescan'. A BBB
server that still has them sends them again when they are published or changed
there, or by 'scalelite-send existing', and may do so by itself if its setup was
not run again since an upgrade: delete them there, too.`,
		Example: `  scalelite recordings delete 183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000
  scalelite recordings --until 2020-01-01 --json | jq -r '.[].id' |
    scalelite recordings delete - --yes
  scalelite recordings delete 183f0bf3 --purge --yes`,
		Aliases:           []string{"rm"},
		Args:              someRecordings,
		ValidArgsFunction: a.completeRecordings,
		RunE: func(c *cobra.Command, args []string) error {
			if !yes && slices.Contains(args, "-") {
				return &exitError{code: exitUsage, err: errNotAsked}
			}
			o := outcome{"deleted", "was deleted already"}
			if purge {
				o = outcome{"deleted for good", "was deleted for good already"}
			}
			return a.changeRecordings(c.Context(), args, o, func(svc admin.Service, ids []string) ([]admin.RecordingResult, error) {
				if !yes {
					var err error
					if ids, err = a.confirmDelete(c.Context(), svc, ids, purge); err != nil {
						return nil, err
					}
				}
				return svc.DeleteRecordings(c.Context(), ids, purge)
			})
		},
	}
	c.Flags().BoolVar(&purge, "purge", false, "leave nothing of them, not in the trash either")
	yesFlag(c, &yes)
	return c
}

// confirmDelete asks before recordings are deleted, and returns their whole IDs.
func (a *app) confirmDelete(ctx context.Context, svc admin.Service, ids []string, purge bool) ([]string, error) {
	var whole, names []string
	var bytes int64
	for _, id := range ids {
		r, err := svc.Recording(ctx, id)
		if err != nil {
			return nil, err
		}
		whole = append(whole, r.ID)
		bytes += r.Bytes
		if len(names) < maxNamed {
			names = append(names, fmt.Sprintf("  %s  %s  %s", r.ID, stamp(r.Start), r.Name))
		}
	}
	if len(whole) > len(names) {
		names = append(names, fmt.Sprintf("  and %d more", len(whole)-len(names)))
	}
	then := "deleted"
	if purge {
		then = "deleted for good, without a trace"
	}
	for i, name := range names {
		names[i] = printable(name)
	}
	question := fmt.Sprintf("%s with %s will be %s:\n%s\n", count(len(whole), "recording"), byteSize(bytes), then, strings.Join(names, "\n"))
	return whole, a.confirm(ctx, false, question)
}

func newRecordingsUndeleteCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "undelete ID...",
		Short: "Bring deleted recordings back from the trash",
		Long: `Brings deleted recordings back as they were, while they are in the trash. 'scalelite
recordings --state deleted' shows which are.`,
		Example: `  scalelite recordings --state deleted
  scalelite recordings undelete 183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000`,
		Args:              someRecordings,
		ValidArgsFunction: a.completeRecordings,
		RunE: func(c *cobra.Command, args []string) error {
			o := outcome{"brought back", "is not deleted"}
			return a.changeRecordings(c.Context(), args, o, func(svc admin.Service, ids []string) ([]admin.RecordingResult, error) {
				return svc.UndeleteRecordings(c.Context(), ids)
			})
		},
	}
}

func newRecordingsPruneCommand(a *app) *cobra.Command {
	var dryRun, asJSON bool
	c := &cobra.Command{
		Use:   "prune",
		Short: "Delete what is older than retention and trash allow",
		Long: `Does now, without asking, what the service does by recordings.retention_schedule:
recordings older than recordings.retention are deleted, unless their metadata has
keep=true, and what is in the trash for longer than recordings.trash is removed,
also what no record knows there, unless its recording misses files.

With --dry-run it lists exactly what would go, and changes nothing.`,
		Example: `  scalelite recordings prune --dry-run
  scalelite recordings prune
  scalelite recordings prune --dry-run --json | jq 'map(.bytes) | add'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			how := changes
			if dryRun {
				how = reads
			}
			return a.with(c.Context(), how, func(svc admin.Service) error {
				pruned, err := svc.PruneRecordings(c.Context(), dryRun)
				if asJSON {
					if err == nil || len(pruned) > 0 {
						err = errors.Join(printJSON(a.stdout, list(pruned)), err)
					}
					return err
				}
				if len(pruned) == 0 && err != nil {
					return err
				}
				return errors.Join(a.printPruned(pruned, dryRun), err)
			})
		},
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would be deleted")
	jsonFlag(c, &asJSON)
	return c
}

func (a *app) printPruned(pruned []recordings.Pruned, dryRun bool) error {
	if len(pruned) == 0 {
		_, err := fmt.Fprintln(a.stdout, "Nothing to prune: nothing is older than recordings.retention, nor longer in the trash than recordings.trash.")
		return err
	}
	var bytes int64
	t := newTable(a.stdout, "RECORD ID", "START", "SIZE", "REASON", "NAME")
	for _, p := range pruned {
		t.row(p.ID, stamp(p.Start), byteSize(p.Bytes), p.Reason, p.Name)
		bytes += p.Bytes
	}
	if err := t.flush(); err != nil {
		return err
	}
	then := "deleted"
	if dryRun {
		then = "would be deleted"
	}
	_, err := fmt.Fprintf(a.stdout, "\n%s, %s %s.\n", count(len(pruned), "recording"), byteSize(bytes), then)
	return err
}
