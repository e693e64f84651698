package cmd

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"scalelite/recordings"
	"scalelite/web/admin"
)

func newRecordingsCheckCommand(a *app) *cobra.Command {
	var fix, asJSON bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Compare records and files, and mend what differs",
		Long: `Compares the database with the files both ways. PROBLEM is one of

  missing     a format of a record has no files
  extra       files have no record
  misplaced   files lie in the directory of the other state, or in both
  size        files or bytes differ from what was imported

With --fix, misplaced files are moved, sizes are taken from the files, files
without a record get one, and a format without files leaves its record. A record
that has lost all its files stays: 'recordings delete' removes it, importing its
tarball again restores it.

The exit status is 1 if something is wrong that was not mended.`,
		Example: `  scalelite recordings check
  scalelite recordings check --fix
  scalelite recordings check --json | jq -r '.[].record_id' | sort -u`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			how := reads
			if fix {
				how = changes
			}
			return a.with(c.Context(), how, func(svc admin.Service) error {
				problems, err := svc.CheckRecordings(c.Context(), fix)
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
