package cmd

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"scalelite/recordings"
	"scalelite/web/admin"
)

func newRecordingsCheckCommand(a *app) *cobra.Command {
	var fix, acceptLoss, asJSON bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Compare records and files, and mend what differs",
		Long: `Compares the database with the files both ways. PROBLEM is one of

  missing     a format of a record has no files
  extra       files have no record
  misplaced   files lie in the directory of the other state, or in both
  size        files or bytes differ from what was imported

With --fix, misplaced files are moved, missing ones put back if the trash still has
them, files without a record get one, and sizes are taken from files that have
become more. What was lost is not taken for the
truth: importing the tarball again or restoring the files mends it. With
--accept-loss it is: sizes are taken from what is left, and a format without files
leaves its record. A record that has lost all its files stays even then;
'recordings delete' removes it.

Files of a deleted recording that somebody put back stay as they are; DETAIL says
how they get a record again. --accept-loss removes them.

The exit status is 1 if something is wrong that was not mended.`,
		Example: `  scalelite recordings check
  scalelite recordings check --fix
  scalelite recordings check --fix --accept-loss
  scalelite recordings check --json | jq -r '.[].record_id' | sort -u`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			how, repair := reads, recordings.RepairNothing
			switch {
			case fix && acceptLoss:
				how, repair = changes, recordings.RepairLosses
			case fix:
				how, repair = changes, recordings.RepairSafe
			case acceptLoss:
				return &exitError{code: exitUsage, err: errors.New("--accept-loss says how far --fix goes: give both")}
			}
			return a.with(c.Context(), how, func(svc admin.Service) error {
				problems, err := svc.CheckRecordings(c.Context(), repair)
				if err != nil && len(problems) == 0 {
					return err
				}
				if asJSON {
					err = errors.Join(printJSON(a.stdout, list(problems)), err)
				} else {
					err = errors.Join(a.printProblems(problems), err)
				}
				return errors.Join(err, problemsLeft(problems, fix))
			})
		},
	}
	c.Flags().BoolVar(&fix, "fix", false, "mend what can be mended")
	c.Flags().BoolVar(&acceptLoss, "accept-loss", false, "with --fix, take what was lost or deleted for the truth")
	jsonFlag(c, &asJSON)
	return c
}

func (a *app) printProblems(problems []recordings.Problem) error {
	if len(problems) == 0 {
		_, err := fmt.Fprintln(a.stdout, "Records and files agree.")
		return err
	}
	t := newTable(a.stdout, "RECORD ID", "FORMAT", "PROBLEM", "FIXED", "DETAIL")
	for _, p := range problems {
		t.row(p.RecordID, p.Format, p.Kind, yesNo(p.Fixed), p.Detail)
	}
	return t.flush()
}

// problemsLeft is the error of what is wrong still.
func problemsLeft(problems []recordings.Problem, fix bool) error {
	left := 0
	for _, p := range problems {
		if !p.Fixed {
			left++
		}
	}
	switch {
	case left == 0:
		return nil
	case fix:
		return fmt.Errorf("%s could not be mended; the log of the service says why where DETAIL does not", count(left, "problem"))
	}
	return fmt.Errorf("%s; 'scalelite recordings check --fix' mends what can be mended", count(left, "problem"))
}
