package cmd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"scalelite/cmd/config"
	"scalelite/store/backup"
	"scalelite/web/admin"
)

func newRestoreCommand(a *app) *cobra.Command {
	var yes, withConfig bool
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the place of the database",
		Long: `Replaces the database by FILE, which 'scalelite backup' or the service wrote; - is
standard input. The service must not run. FILE is looked through first, and the
database that was there is kept beside the new one as NAME.before-restore-TIME.

With --with-config the configuration in FILE takes the place of the present one,
which is kept in the same way: so a new machine gets to be what the old one was.
The files of recordings are not in a backup.`,
		Example: `  systemctl stop scalelite
  scalelite restore /var/lib/scalelite/backups/scalelite-20261123T023000Z.tar.gz
  systemctl start scalelite`,
		GroupID: groupSetup,
		Args:    exactArgs(1, "the name of a backup, or - for standard input"),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case args[0] == "-" && !yes:
				return usage("a restore from standard input needs --yes: nobody can be asked")
			case args[0] == "-" && withConfig:
				return usage("--with-config needs the name of a FILE")
			case withConfig:
				return a.restoreAll(c.Context(), args[0], yes)
			}
			l, err := a.config()
			if err != nil {
				return err
			}
			return a.restore(c.Context(), l, args[0], yes)
		},
	}
	yesFlag(c, &yes)
	c.Flags().BoolVar(&withConfig, "with-config", false, "restore the configuration, too")
	return c
}

// restore checks and copies first, and touches the database last, with one
// rename.
func (a *app) restore(ctx context.Context, l *config.Loaded, from string, yes bool) error {
	path := l.Config.Store.Path
	if err := a.refuseDaemon(ctx, l); err != nil {
		return err
	}
	unlock, exists, err := lockFile(path)
	if err != nil {
		return err
	}
	defer unlock()
	if err := makeStoreDirectory(path); err != nil {
		return err
	}
	sweepBeside(path)
	copied, settings, err := a.copyVerified(ctx, from, path)
	if err != nil {
		return err
	}
	defer discard(copied)
	if exists {
		if err := a.confirm(ctx, yes, fmt.Sprintf("The database %s will be replaced; it is kept beside it.", path)); err != nil {
			return err
		}
	}
	former, err := a.replace(copied, path, exists)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s is restored.\n", path)
	if former != "" {
		fmt.Fprintf(a.stdout, "The former database is %s.\n", former)
	}
	if settings != nil && !bytes.Equal(settings, backupConfig(l)) {
		fmt.Fprintln(a.stdout, "The backup has another configuration than the one here, which stays; --with-config restores it, too.")
	}
	return nil
}

// refuseDaemon is an error while the service runs.
func (a *app) refuseDaemon(ctx context.Context, l *config.Loaded) error {
	_, err := a.dial(l.Config.Web.AdminSocket).Info(ctx)
	switch {
	case err == nil:
		return errors.New("the service runs; stop it first: systemctl stop scalelite")
	case errors.Is(err, admin.ErrNoDaemon):
		return nil
	}
	return fmt.Errorf("admin socket %s: %w", l.Config.Web.AdminSocket, err)
}

// lockFile takes the lock that every process with the database open holds. A
// database that is not there needs none.
func lockFile(path string) (unlock func(), exists bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = &exitError{code: exitTempFail, err: fmt.Errorf("the database %s is in use by another process; stop the service first: systemctl stop scalelite", path)}
		}
		return nil, false, err
	}
	return func() { _ = f.Close() }, true, nil
}

// copyVerified copies the database of a backup beside path and looks through the
// copy: what was looked at is what is put in place. The copy stays open, so that
// its rights are given to it and not to what its name leads to later. It returns
// the configuration that is in the backup, nil if there is none.
func (a *app) copyVerified(ctx context.Context, from, path string) (copied *os.File, settings []byte, err error) {
	in, shown := a.stdin, "standard input"
	if from != "-" {
		f, err := os.Open(from)
		if err != nil {
			return nil, nil, err
		}
		defer f.Close()
		in, shown = f, from
	}
	out, err := newBeside(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			discard(out)
		}
	}()
	if err := fillOpen(out, func(w io.Writer) (err error) {
		settings, err = unpack(ctx, in, w)
		return err
	}); err != nil {
		return nil, nil, fmt.Errorf("copy %s: %w", shown, err)
	}
	if err := a.verify(ctx, out.Name()); err != nil {
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		reason := strings.ReplaceAll(err.Error(), out.Name(), "the copy")
		return nil, nil, fmt.Errorf("%s cannot be restored: %s", shown, reason)
	}
	return out, settings, nil
}

// unpack writes the database of a backup to w, whether it is a database or one
// of ours with a configuration, and returns that.
func unpack(ctx context.Context, in io.Reader, w io.Writer) ([]byte, error) {
	r := bufio.NewReaderSize(in, 64<<10)
	if backup.IsArchive(r) {
		return backup.Read(ctx, r, w)
	}
	_, err := io.Copy(w, r)
	return nil, err
}

// replace puts the file copied in the place of the database, and keeps that
// under the name it returns. There is a database at path at every moment.
func (a *app) replace(copied *os.File, path string, exists bool) (former string, err error) {
	if err := errors.Join(inherit(copied, path, exists), unmoved(copied)); err != nil {
		return "", err
	}
	if exists {
		former = path + ".before-restore-" + a.now().UTC().Format("20060102T150405Z")
		err := os.Link(path, former)
		if errors.Is(err, fs.ErrExist) {
			return "", err
		}
		if err != nil { // a file system without hard links
			if err := os.Rename(path, former); err != nil {
				return "", err
			}
		}
	}
	return former, place(copied.Name(), path, true)
}

// inherit gives the new file the owner and mode of the database it replaces,
// or else of its directory's owner: the service must be able to open it.
func inherit(copied *os.File, path string, exists bool) error {
	like, mode := filepath.Dir(path), fs.FileMode(0o640)
	if exists {
		like = path
	}
	info, err := os.Stat(like)
	if err != nil {
		return err
	}
	if exists {
		mode = info.Mode().Perm()
	}
	if err := copied.Chmod(mode); err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		return copied.Chown(int(st.Uid), int(st.Gid))
	}
	return nil
}
