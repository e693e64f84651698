package cmd

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"scalelite/cmd/config"
	"scalelite/store/backup"
)

// restoreAll restores a database to where the configuration in its backup says,
// and that configuration. It is found good before anything is touched.
func (a *app) restoreAll(ctx context.Context, from string, yes bool) error {
	settings, err := configOf(from)
	if err != nil {
		return err
	}
	target := cmp.Or(a.configFile, a.getenv("SCALELITE_CONFIG"), a.systemFile, config.SystemFile)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	sweepBeside(target)
	staged, err := newBeside(target)
	if err != nil {
		return err
	}
	defer discard(staged)
	if err := fillOpen(staged, func(w io.Writer) error {
		_, err := w.Write(settings)
		return err
	}); err != nil {
		return err
	}
	o := a.configOptions()
	o.File = staged.Name()
	l, err := config.Load(o)
	if err != nil {
		return fmt.Errorf("the configuration in %s cannot be used: %w", from, err)
	}
	if err := a.restore(ctx, l, from, yes); err != nil {
		return err
	}
	return a.replaceConfig(staged, target, settings)
}

// configOf is the configuration in a backup.
func configOf(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	if !backup.IsArchive(r) {
		return nil, fmt.Errorf("%s is a database alone; restore it without --with-config", name)
	}
	settings, err := backup.ReadConfig(r)
	if err != nil {
		return nil, fmt.Errorf("%s %w", name, err)
	}
	if settings == nil {
		return nil, fmt.Errorf("%s has no configuration: there was none when it was made; restore it without --with-config", name)
	}
	return settings, nil
}

// replaceConfig puts the configuration in place, and keeps the former one, if it
// differs.
func (a *app) replaceConfig(staged *os.File, target string, settings []byte) error {
	former, err := os.ReadFile(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := forService(staged); err != nil {
			return err
		}
	case err != nil:
		return err
	case bytes.Equal(former, settings):
		_, err := fmt.Fprintf(a.stdout, "%s was the same.\n", target)
		return err
	default:
		if err := inherit(staged, target, true); err != nil {
			return err
		}
		kept := target + ".before-restore-" + a.now().UTC().Format("20060102T150405Z")
		if err := os.Link(target, kept); err != nil {
			return err
		}
		defer fmt.Fprintf(a.stdout, "The former configuration is %s.\n", kept)
	}
	if err := unmoved(staged); err != nil {
		return err
	}
	if err := place(staged.Name(), target, true); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s is restored.\n", target)
	return err
}

// forService gives a new configuration the group that the service reads it with.
func forService(f *os.File) error {
	g, err := user.LookupGroup(adminGroup)
	if err != nil || os.Geteuid() != 0 {
		return nil
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return err
	}
	return errors.Join(f.Chown(0, gid), f.Chmod(0o640))
}
