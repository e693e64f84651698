package cmd

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"scalelite/recordings/sshspool"
)

func newRecordingsKeysCommand(a *app) *cobra.Command {
	var user string
	var asJSON bool
	c := &cobra.Command{
		Use:   "keys",
		Short: "List the keys that may send recordings over SSH",
		Long: `Lists the keys that 'scalelite recordings authorize-key' let in, with the
fingerprints that 'ssh-keygen -l' shows.`,
		Example: `  scalelite recordings keys
  scalelite recordings keys --json | jq -r '.[].comment'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, home, err := a.senderHome(c.Context(), user)
			if err != nil {
				return err
			}
			defer home.Close()
			keys, err := home.Read()
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.stdout, list(keyRows(keys.Grants())))
			}
			return a.printKeys(keys, home.Path())
		},
	}
	userFlag(c, &user)
	jsonFlag(c, &asJSON)
	return c
}

// keyRow is a key as keys --json prints it.
type keyRow struct {
	Fingerprint string    `json:"fingerprint"`
	Type        string    `json:"type"`
	Comment     string    `json:"comment"`
	Since       time.Time `json:"since"`
	SpoolDir    string    `json:"spool_dir"`
}

func keyRows(grants []sshspool.Grant) []keyRow {
	var rows []keyRow
	for _, g := range grants {
		rows = append(rows, keyRow{g.Key.Fingerprint(), g.Key.Type, g.Key.Comment, g.Since, g.Spool})
	}
	return rows
}

func (a *app) printKeys(keys *sshspool.Keys, file string) error {
	spool, err := a.spoolDir()
	if err != nil {
		return err
	}
	rows := keyRows(keys.Grants())
	if len(rows) == 0 {
		fmt.Fprintln(a.stdout, "No key may send recordings. Let one in with: scalelite recordings authorize-key KEY")
		return a.warnOfOthers(file, keys.Others())
	}
	t := newTable(a.stdout, "FINGERPRINT", "TYPE", "COMMENT", "SINCE")
	for _, r := range rows {
		t.row(r.Fingerprint, r.Type, r.Comment, stamp(r.Since))
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, r := range rows {
		if r.SpoolDir != spool {
			fmt.Fprintf(a.stderr, "%s writes into %s, but recordings.spool_dir is %s now: authorize it again.\n", r.Fingerprint, r.SpoolDir, spool)
		}
	}
	return a.warnOfOthers(file, keys.Others())
}
