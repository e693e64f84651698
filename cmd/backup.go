package cmd

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"scalelite/web/admin"
)

func newBackupCommand(a *app) *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a copy of the database",
		Long: `Writes a consistent copy of the database, while the service runs. FILE appears
when it is complete, readable for its owner only: it holds the secrets of the
servers. - is standard output. An existing FILE is kept unless --force is given.`,
		Example: `  scalelite backup /var/backups/scalelite.db --force
  scalelite backup - | ssh backup.example.com 'cat > scalelite.db'`,
		GroupID: groupSetup,
		Args:    exactArgs(1, "the name of the file to write, or - for standard output"),
		RunE: func(c *cobra.Command, args []string) error {
			if args[0] == "-" && a.liveOutput {
				return usage("a database cannot be shown on a terminal; give the name of a file")
			}
			if !force && args[0] != "-" && !missing(args[0]) {
				return existsError(args[0])
			}
			return a.with(c.Context(), reads, func(svc admin.Service) error {
				if args[0] == "-" {
					return svc.Backup(c.Context(), a.stdout)
				}
				return a.backup(c.Context(), svc, args[0], force)
			})
		},
	}
	c.Flags().BoolVar(&force, "force", false, "overwrite FILE")
	return c
}

func (a *app) backup(ctx context.Context, svc admin.Service, path string, force bool) error {
	f, err := newBeside(path)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already if all went well
	if err := fill(f, func(w io.Writer) error { return svc.Backup(ctx, w) }); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := a.verify(ctx, f.Name()); err != nil {
		return fmt.Errorf("backup: the copy is no good: %w", err)
	}
	info, err := os.Stat(f.Name())
	if err != nil {
		return err
	}
	if err := place(f.Name(), path, force); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s: %s.\n", path, byteSize(info.Size()))
	return err
}
