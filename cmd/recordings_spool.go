package cmd

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"scalelite/recordings"
	"scalelite/store"
	"scalelite/web/admin"
)

func newRecordingsSpoolCommand(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "spool",
		Short: "Show the tarballs that are not imported yet, and why",
		Long: `Lists what is in recordings.spool_dir and the tarballs in recordings.failed_dir,
the oldest first. STATE is one of

  settling    it is still being written, or has been until a moment ago
  waiting     for its turn, for the next try (NEXT), for free space, or for the disk
              of the recordings to be mounted
  importing   it is being unpacked and taken in
  failed      it was given up after recordings.tries and lies in failed_dir
  ignored     it is no tarball by its name, or no file, and is never touched; names
              with a dot in front, as rsync's temporary ones, are not listed

REASON tells why the last try failed. 'recordings retry' tries a failed one again,
'recordings drop' removes it. Of the ignored ones the first 1,000 by name are
listed, the others counted.`,
		Example: `  scalelite recordings spool
  scalelite recordings spool --json | jq -r '.[] | select(.state == "failed") | .name'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.with(c.Context(), reads, func(svc admin.Service) error {
				files, err := svc.SpoolFiles(c.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(a.stdout, list(files))
				}
				return a.printSpool(files)
			})
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

func (a *app) printSpool(files []recordings.SpoolFile) error {
	if len(files) == 0 {
		_, err := fmt.Fprintln(a.stdout, "The spool is empty: no tarball waits, none has failed.")
		return err
	}
	t := newTable(a.stdout, "NAME", "SIZE", "STATE", "SINCE", "TRIES", "NEXT", "REASON")
	more := 0
	for _, f := range files {
		t.row(f.Name, byteSize(f.Size), string(f.State), stamp(f.Since), strconv.Itoa(f.Tries), stamp(f.Next), spoolReason(f))
		more += f.More
	}
	err := t.flush()
	if more > 0 {
		_, e := fmt.Fprintf(a.stdout, "\nNot listed: %s.\n", count(more, "ignored file"))
		err = errors.Join(err, e)
	}
	return err
}

// spoolReason is why a tarball is not in, on one line.
func spoolReason(f recordings.SpoolFile) string {
	if f.State == store.ImportImporting {
		return byteSize(f.Done) + " unpacked"
	}
	return strings.Join(strings.Fields(f.Reason), " ")
}

func newRecordingsRetryCommand(a *app) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "retry NAME...",
		Short: "Try failed tarballs again",
		Long: `Puts tarballs of recordings.failed_dir back into the spool, where they are tried
again, recordings.tries times. NAME is that of 'recordings spool'.

Formats that a newer tarball has brought since stay as they are; where that is all
there is in a failed one, it goes by itself.`,
		Example: `  scalelite recordings retry 183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000.tar
  scalelite recordings retry --all`,
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
				moved, err := svc.RetrySpool(c.Context(), args)
				if err != nil { // the others are tried all the same
					return errors.Join(a.printRetried(moved, moved), err)
				}
				if all && len(moved) == 0 {
					_, err := fmt.Fprintln(a.stdout, "No tarball has failed.")
					return err
				}
				return a.printRetried(args, moved)
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "all that have failed")
	return c
}

// printRetried tells of the tarballs that were asked for; of none: of all.
func (a *app) printRetried(asked, moved []string) error {
	if len(asked) == 0 {
		asked = moved
	}
	for _, name := range asked {
		text := "is in the spool already"
		if slices.Contains(moved, name) {
			text = "is tried again"
		}
		if _, err := fmt.Fprintf(a.stdout, "%s: %s\n", printable(name), text); err != nil {
			return err
		}
	}
	return nil
}

func newRecordingsRescanCommand(a *app) *cobra.Command {
	var accept, asJSON bool
	c := &cobra.Command{
		Use:   "rescan",
		Short: "Make records for files that have none",
		Long: `Reads the metadata.xml of everything in recordings.published_dir and
recordings.unpublished_dir that the database does not know, and lists what it
added: after a move from another machine, or when the database was lost. A
recording is published or not by the directory it lies in. What was deleted stays
deleted: its files are listed, and what to do to have it again.

The service knows recordings.work_dir and those two by the file .scalelite in each.
Where that is missing or of another database, as on a disk that is not mounted,
nothing is imported, published, hidden or deleted until the disk is back. If the
database has recordings whose files should be there, this command refuses then,
too, and names the directories; if it has none, as when it was lost, they are taken
as they are, and listed.

--accept-directories takes them in any case, for directories that were moved,
restored or emptied on purpose. Before you say so, make sure that no disk is to be
mounted there: afterwards it does not count as that of the recordings any more.`,
		Example: `  scalelite recordings rescan
  scalelite recordings rescan --accept-directories
  scalelite recordings rescan --json | jq '.recordings | length'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.with(c.Context(), changes, func(svc admin.Service) error {
				done, err := svc.RescanRecordings(c.Context(), accept)
				if err != nil && len(done.Added) == 0 && len(done.Accepted) == 0 {
					return err
				}
				if asJSON {
					done.Accepted, done.Added = list(done.Accepted), list(done.Added)
					err = errors.Join(printJSON(a.stdout, done), err)
				} else {
					err = errors.Join(a.printAccepted(done.Accepted), a.printRescanned(done.Added, err != nil), err)
				}
				return errors.Join(err, rescanFailures(done.Added))
			})
		},
	}
	c.Flags().BoolVar(&accept, "accept-directories", false, "take the directories as they are, though recordings have their files in others")
	jsonFlag(c, &asJSON)
	return c
}

// printAccepted tells of directories that were not in place.
func (a *app) printAccepted(dirs []recordings.AcceptedDirectory) error {
	if len(dirs) == 0 {
		return nil
	}
	t := newTable(a.stdout, "ACCEPTED", "DIRECTORY", "BEFORE")
	for _, d := range dirs {
		t.row(d.Key, d.Path, d.Before)
	}
	err := t.flush()
	_, e := fmt.Fprint(a.stdout, "\nThese are the directories of the recordings from now on. 'scalelite recordings check'\nlists the recordings that have no files there.\n\n")
	return errors.Join(err, e)
}

// printRescanned tells what was added; broke: there may be more to add.
func (a *app) printRescanned(added []recordings.ImportedRecording, broke bool) error {
	if len(added) == 0 {
		if broke {
			return nil
		}
		_, err := fmt.Fprintln(a.stdout, "Nothing to add: all files have their record.")
		return err
	}
	t := newTable(a.stdout, "RECORD ID", "FORMAT", "FILES", "SIZE", "ERROR")
	for _, r := range added {
		for _, f := range r.Formats {
			t.row(r.ID, f.Type, strconv.Itoa(f.Files), byteSize(f.Bytes), cmp.Or(f.Error, r.Error))
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	in := 0
	for _, r := range added {
		if len(idsOf(recordings.Imported{Recordings: []recordings.ImportedRecording{r}})) > 0 {
			in++
		}
	}
	_, err := fmt.Fprintf(a.stdout, "\n%s added.\n", countWas(in, "recording"))
	return err
}

// rescanFailures is the error of files that got no record.
func rescanFailures(added []recordings.ImportedRecording) error {
	failed := 0
	for _, r := range added {
		if r.Error != "" {
			failed++
		}
	}
	if failed == 0 {
		return nil
	}
	return fmt.Errorf("%s not added, or only in part", countWas(failed, "recording"))
}
