package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"scalelite/cmd/config"
	"scalelite/store/backup"
	"scalelite/web/admin"
)

// archiveSuffix is that of a FILE that is to hold the configuration, too.
const archiveSuffix = ".tar.gz"

func newBackupCommand(a *app) *cobra.Command {
	var force, listing, asJSON bool
	c := &cobra.Command{
		Use:   "backup [FILE]",
		Short: "Write a copy of database and configuration",
		Long: `Writes a consistent copy of the database, while the service runs, and looks
through it. Without FILE it is one more of the backups that the service makes
every night: database and configuration in store.backup_dir, of which the newest
store.backup_keep stay. --list shows them.

A FILE whose name ends in .tar.gz is such a backup; any other is the database
alone. FILE appears when it is complete, readable for its owner only: it holds
the secrets of the servers. - is the database on standard output. An existing
FILE is kept unless --force is given.

'scalelite restore' takes both.`,
		Example: `  scalelite backup
  scalelite backup --list
  scalelite backup /mnt/usb/scalelite.tar.gz --force
  scalelite backup - | ssh backup.example.com 'cat > scalelite.db'`,
		GroupID: groupSetup,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return exactArgs(1, "the name of the file to write, or - for standard output")(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			l, err := a.config()
			switch {
			case err != nil:
				return err
			case asJSON && !listing:
				return usage("--json goes with --list")
			case listing && len(args) > 0:
				return usage("--list takes no FILE")
			case listing:
				return a.listBackups(l, asJSON)
			case len(args) == 0:
				return a.backupNow(c.Context(), l)
			}
			return a.backupTo(c.Context(), l, args[0], force)
		},
	}
	c.Flags().BoolVar(&force, "force", false, "overwrite FILE")
	c.Flags().BoolVar(&listing, "list", false, "list the backups in store.backup_dir")
	jsonFlag(c, &asJSON)
	return c
}

// backupNow makes a backup as the service does every night.
func (a *app) backupNow(ctx context.Context, l *config.Loaded) error {
	return a.with(ctx, reads, func(svc admin.Service) error {
		o := backupOptions(l)
		o.Snapshot, o.Verify, o.Now = svc.Backup, a.verify, a.now
		f, err := backup.New(o).Make(ctx)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stdout, "%s: %s.\n", f.Path, byteSize(f.Bytes))
		return err
	})
}

// backupRow is a backup as --list --json prints it.
type backupRow struct {
	File  string    `json:"file"`
	Made  time.Time `json:"made"`
	Bytes int64     `json:"bytes"`
}

func (a *app) listBackups(l *config.Loaded, asJSON bool) error {
	dir := l.Config.Store.Backups()
	files, err := backup.List(dir)
	if err != nil {
		return err
	}
	var rows []backupRow
	for _, f := range files {
		rows = append(rows, backupRow{f.Path, f.Made, f.Bytes})
	}
	switch {
	case asJSON:
		return printJSON(a.stdout, list(rows))
	case len(rows) == 0:
		_, err := fmt.Fprintf(a.stdout, "No backups in %s.\n", dir)
		return err
	}
	t := newTable(a.stdout, "MADE", "SIZE", "FILE")
	for _, r := range rows {
		t.row(stamp(r.Made), byteSize(r.Bytes), r.File)
	}
	return t.flush()
}

// backupTo makes a backup in a file that somebody named.
func (a *app) backupTo(ctx context.Context, l *config.Loaded, name string, force bool) error {
	if name == "-" && a.liveOutput {
		return usage("a database cannot be shown on a terminal; give the name of a file")
	}
	if !force && name != "-" && !missing(name) {
		return existsError(name)
	}
	return a.with(ctx, reads, func(svc admin.Service) error {
		switch {
		case name == "-":
			return svc.Backup(ctx, a.stdout)
		case strings.HasSuffix(name, archiveSuffix):
			return a.backupArchive(ctx, svc, l, name, force)
		}
		return a.backup(ctx, svc, name, force)
	})
}

func (a *app) backup(ctx context.Context, svc admin.Service, path string, force bool) error {
	copied, err := a.copyOfDatabase(ctx, svc, path)
	if err != nil {
		return err
	}
	defer os.Remove(copied) // gone already if all went well
	return a.deliver(copied, path, force)
}

// backupArchive writes database and configuration into one file.
func (a *app) backupArchive(ctx context.Context, svc admin.Service, l *config.Loaded, path string, force bool) error {
	copied, err := a.copyOfDatabase(ctx, svc, path)
	if err != nil {
		return err
	}
	defer os.Remove(copied)
	f, err := newBeside(path)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already if all went well
	write := func(w io.Writer) error { return backup.Write(ctx, w, copied, backupConfig(l), a.now()) }
	if err := fill(f, write); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return a.deliver(f.Name(), path, force)
}

// copyOfDatabase writes a copy beside path and looks through it.
func (a *app) copyOfDatabase(ctx context.Context, svc admin.Service, path string) (name string, err error) {
	f, err := newBeside(path)
	if err != nil {
		return "", err
	}
	err = fill(f, func(w io.Writer) error { return svc.Backup(ctx, w) })
	if err == nil {
		if err = a.verify(ctx, f.Name()); err != nil {
			err = fmt.Errorf("the copy is no good: %w", err)
		}
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("backup: %w", err), os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// deliver gives a file that is complete its name and tells of it.
func (a *app) deliver(made, path string, force bool) error {
	info, err := os.Stat(made)
	if err != nil {
		return err
	}
	if err := place(made, path, force); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s: %s.\n", path, byteSize(info.Size()))
	return err
}
