package recordings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"scalelite/store"
)

// Dir is where an upload puts its temporary file, and what it is renamed in.
func (s *Spool) Dir() string { return s.o.Config.SpoolDir }

// Announce tells the spool of a tarball that is complete and about to get its
// name by a rename, and returns the ID of its import. server is who sent it. If
// nothing comes of it, Withdraw says so.
func (s *Spool) Announce(ctx context.Context, name, server string) (string, error) {
	if !isTarball(name) || filepath.Base(name) != name {
		return "", fmt.Errorf("%w: %q is no name of a tarball", ErrInvalid, name)
	}
	return s.announce(ctx, store.Import{File: name, Server: server})
}

// announce tells of the tarball of an import that is to begin.
func (s *Spool) announce(ctx context.Context, i store.Import) (string, error) {
	name, now := i.File, s.o.Now()
	busy := s.busyWith(name)
	i.ID, i.State, i.Since = newImportID(), store.ImportWaiting, now
	err := s.o.Store.Update(ctx, func(tx *store.Tx) error {
		before, err := tx.ImportOf(name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		// One that is worked on says itself how it ends.
		if err == nil && before.Ended.IsZero() && before.ID != busy {
			if err := tx.PutImport(replaced(before, now)); err != nil {
				return err
			}
		}
		return tx.PutImport(i)
	})
	if err != nil {
		return "", fmt.Errorf("announce %s: %w", name, err)
	}
	return i.ID, nil
}

// busyWith returns the ID of the import that works on a tarball, if one does.
func (s *Spool) busyWith(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[name]; e != nil && e.busy {
		return e.ID
	}
	return ""
}

// Withdraw takes back an announcement.
func (s *Spool) Withdraw(ctx context.Context, id string) error {
	return s.o.Store.Update(ctx, func(tx *store.Tx) error { return tx.DeleteImport(id) })
}

// shown is an entry's import as people see it.
func (s *Spool) shown(e *entry) store.Import {
	i := e.Import
	if i.State == store.ImportSettling && i.Next.IsZero() && !e.at.After(s.o.Now()) {
		i.State = store.ImportWaiting
	}
	return i
}

// Files lists the tarballs of the spool and of failed_dir, and the Strays, the
// oldest first. A spool that cannot be read is an error, not an empty one.
func (s *Spool) Files(context.Context) ([]SpoolFile, error) {
	if err := unix.Access(s.o.Config.SpoolDir, unix.R_OK|unix.X_OK); err != nil {
		return nil, fmt.Errorf("read recordings.spool_dir %s: %w", s.o.Config.SpoolDir, err)
	}
	all, err := s.failedFiles()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	busy := map[string]bool{}
	for _, e := range s.entries {
		busy[e.ID] = e.busy
	}
	// One that is just being moved there is shown once.
	all = slices.DeleteFunc(all, func(f SpoolFile) bool { return busy[f.Import] })
	for _, e := range s.entries {
		i := s.shown(e)
		all = append(all, SpoolFile{
			Name: e.File, Size: e.print.size, State: i.State, Since: i.Since, Done: e.done,
			Tries: i.Tries, Next: i.Next, Reason: i.Error, Import: i.ID,
		})
	}
	all = append(all, s.strays...)
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b SpoolFile) int {
		if c := a.Since.Compare(b.Since); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all, nil
}

// Import returns how an import went, or goes, or store.ErrNotFound: also if
// somebody took its tarball away before it came to an end.
func (s *Spool) Import(ctx context.Context, id string) (ImportProgress, error) {
	i, err := s.stored(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) || err == nil && !i.Ended.IsZero() {
		return i, err
	}
	if now, ok := s.running(id); ok {
		return now, nil
	}
	if err != nil || !s.gone(i.File) {
		return i, err
	}
	if _, away := s.o.Place(ctx); away != nil {
		return i, nil // the tarball may be on the same disk
	}
	// It may have come to its end since it was read.
	if i, err = s.stored(ctx, id); err == nil && i.Ended.IsZero() {
		return ImportProgress{}, store.ErrNotFound
	}
	return i, err
}

// stored is an import as far as the store knows it.
func (s *Spool) stored(ctx context.Context, id string) (i ImportProgress, err error) {
	err = s.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		i.Import, err = tx.Import(id)
		return err
	})
	return i, err
}

// running returns an import whose tarball is known to be in the spool.
func (s *Spool) running(id string) (ImportProgress, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		if e.ID == id {
			return s.progressOf(e), true
		}
	}
	return ImportProgress{}, false
}

// gone reports that a tarball is not in the spool, while the spool is there.
func (s *Spool) gone(name string) bool {
	for _, path := range []string{s.path(name), filepath.Join(s.o.Config.SpoolDir, takenDir, name)} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	_, err := os.Stat(s.o.Config.SpoolDir)
	return err == nil
}

// progressOf is an entry's import with how far it is.
func (s *Spool) progressOf(e *entry) ImportProgress {
	return ImportProgress{Import: s.shown(e), Done: e.done, Size: e.print.size}
}

// Sweep forgets imports that ended, or whose tarball was last seen, long ago.
func (s *Spool) Sweep(ctx context.Context) error {
	s.resolve(ctx)
	here := map[string]bool{}
	s.mu.Lock()
	for _, e := range s.entries {
		here[e.ID] = true
	}
	s.mu.Unlock()
	return s.o.Store.Update(ctx, func(tx *store.Tx) error {
		for i, err := range tx.Imports() {
			if err != nil {
				return err
			}
			last := i.Ended
			if last.IsZero() {
				last = i.Since
			}
			if here[i.ID] || tx.Now.Sub(last) <= importsKept {
				continue
			}
			if err := tx.DeleteImport(i.ID); err != nil {
				return err
			}
		}
		return nil
	})
}
