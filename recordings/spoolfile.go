package recordings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"scalelite/store"
)

// tarNames are the endings of what is taken for a tarball.
var tarNames = [...]string{".tar", ".tar.gz", ".tgz"}

// isTarball: dotfiles are what rsync and our own uploads have not finished.
func isTarball(name string) bool {
	return !strings.HasPrefix(name, ".") &&
		slices.ContainsFunc(tarNames[:], func(end string) bool { return strings.HasSuffix(name, end) && len(name) > len(end) })
}

func (s *Spool) path(name string) string { return filepath.Join(s.o.Config.SpoolDir, name) }

func fingerprintOf(path string) (fingerprint, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return fingerprint{}, err
	}
	return fingerprintOfInfo(info), nil
}

func fingerprintOfInfo(info fs.FileInfo) fingerprint {
	f := fingerprint{size: info.Size(), mtime: info.ModTime()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		f.inode = st.Ino
	}
	return f
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// scan compares the directory with what is known of it.
func (s *Spool) scan(ctx context.Context) error {
	found, err := os.ReadDir(s.o.Config.SpoolDir)
	if err != nil {
		return err
	}
	tarballs, hidden := map[string]fingerprint{}, map[uint64]bool{}
	for _, f := range found {
		info, err := f.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue // gone meanwhile, or nothing to import
		}
		print := fingerprintOfInfo(info)
		if isTarball(f.Name()) {
			tarballs[f.Name()] = print
		} else {
			hidden[print.inode] = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, print := range tarballs {
		if err := s.see(ctx, name, print); err != nil {
			return err
		}
	}
	for name, e := range s.entries {
		if _, there := tarballs[name]; !there && e.State != store.ImportImporting {
			s.forgetEntry(name)
		}
	}
	s.hidden = hidden
	return nil
}

// see notes one tarball: new, changed, or as it was.
func (s *Spool) see(ctx context.Context, name string, print fingerprint) error {
	now := s.o.Now()
	e := s.entries[name]
	switch {
	case e == nil:
		i, announced, err := s.known(ctx, name, now)
		if err != nil {
			return err
		}
		// What last changed long ago has been resting since; what was announced, or
		// had a temporary name a moment ago, is complete.
		e = &entry{Import: i, print: print, restsFrom: now, whole: announced || s.hidden[print.inode]}
		if print.mtime.Before(now) {
			e.restsFrom = print.mtime
		}
		s.entries[name] = e
	case e.print != print && e.State != store.ImportImporting:
		e.print, e.restsFrom, e.whole = print, now, s.hidden[print.inode]
		e.State, e.Next, e.Tries = store.ImportSettling, time.Time{}, 0
	}
	if e.State == store.ImportSettling && e.Next.IsZero() && !s.due(e).After(now) {
		e.State = store.ImportWaiting
	}
	return nil
}

// known returns the import that a tarball continues, or a new one, and whether
// it is known to be complete.
func (s *Spool) known(ctx context.Context, name string, now time.Time) (i store.Import, announced bool, err error) {
	err = s.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		i, err = tx.ImportOf(name)
		return err
	})
	if err == nil && i.Ended.IsZero() {
		announced = i.State == store.ImportWaiting
		i.State = store.ImportSettling
		return i, announced, nil
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return i, false, fmt.Errorf("read the import of %s: %w", name, err)
	}
	return store.Import{ID: newImportID(), File: name, State: store.ImportSettling, Since: now}, false, nil
}

// newImportID returns an ID that sorts by age.
func newImportID() string { return uuid.Must(uuid.NewV7()).String() }

// Announce tells the spool of a tarball that is complete and about to get its
// name by a rename, and returns the ID of its import. server is who sent it.
func (s *Spool) Announce(ctx context.Context, name, server string) (string, error) {
	i := store.Import{ID: newImportID(), File: name, Server: server, State: store.ImportWaiting, Since: s.o.Now()}
	return i.ID, s.put(ctx, i)
}

// Dir is where an upload puts its temporary file, and what it is renamed in.
func (s *Spool) Dir() string { return s.o.Config.SpoolDir }

// Writable reports why nothing can be put into the spool, for the health check.
func (s *Spool) Writable() error {
	if err := unix.Access(s.o.Config.SpoolDir, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("the spool %s is not writable: %w", s.o.Config.SpoolDir, err)
	}
	return nil
}

// Files lists the tarballs of the spool and of failed_dir, the oldest first.
func (s *Spool) Files(ctx context.Context) ([]SpoolFile, error) {
	all, err := s.failedFiles(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	for _, e := range s.entries {
		all = append(all, SpoolFile{
			Name: e.File, Size: e.print.size, State: e.State, Since: e.Since, Done: e.done,
			Tries: e.Tries, Next: e.Next, Reason: e.Error, Import: e.ID,
		})
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b SpoolFile) int {
		if c := a.Since.Compare(b.Since); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all, nil
}

func (s *Spool) failedFiles(ctx context.Context) ([]SpoolFile, error) {
	found, err := os.ReadDir(s.o.Config.FailedDir)
	if err != nil {
		return nil, fmt.Errorf("read recordings.failed_dir: %w", err)
	}
	var all []SpoolFile
	err = s.o.Store.View(ctx, func(tx *store.Tx) error {
		all = nil
		for _, f := range found {
			info, err := f.Info()
			if err != nil || !isTarball(f.Name()) || !info.Mode().IsRegular() {
				continue
			}
			file := SpoolFile{Name: f.Name(), Size: info.Size(), State: store.ImportFailed, Since: info.ModTime(), Reason: reasonOf(s.o.Config.FailedDir, f.Name())}
			i, err := tx.ImportOf(f.Name())
			if err == nil && i.State == store.ImportFailed {
				file.Since, file.Tries, file.Import, file.Reason = i.Since, i.Tries, i.ID, i.Error
			} else if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			all = append(all, file)
		}
		return nil
	})
	return all, err
}

// reasonOf reads the reason beside a failed tarball.
func reasonOf(dir, name string) string {
	text, err := os.ReadFile(filepath.Join(dir, name+".txt"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if reason, ok := strings.CutPrefix(line, "reason: "); ok {
			return strings.TrimSpace(reason)
		}
	}
	return ""
}

// Retry moves tarballs from failed_dir back into the spool; no names: all of
// them. It returns the names; one that is not there is ErrNotFound.
func (s *Spool) Retry(ctx context.Context, names []string) ([]string, error) {
	failed, err := s.failedFiles(ctx)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		for _, f := range failed {
			names = append(names, f.Name)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(failed, func(f SpoolFile) bool { return f.Name == name }) {
			return nil, fmt.Errorf("%w: %q is not in %s", ErrNotFound, name, s.o.Config.FailedDir)
		}
	}
	for _, name := range names {
		from := filepath.Join(s.o.Config.FailedDir, name)
		if _, err := s.Announce(ctx, name, ""); err != nil {
			return nil, err
		}
		if err := moveFile(from, s.path(name)); err != nil {
			return nil, fmt.Errorf("move %s back into the spool: %w", name, err)
		}
		_ = os.Remove(from + ".txt")
	}
	s.Look()
	return names, nil
}

// Import returns how an import went, or store.ErrNotFound.
func (s *Spool) Import(ctx context.Context, id string) (store.Import, error) {
	var i store.Import
	err := s.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		i, err = tx.Import(id)
		return err
	})
	if err != nil {
		return i, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[i.File]; e != nil && e.ID == id {
		i = e.Import
	}
	return i, nil
}

// Sweep forgets imports that ended long ago.
func (s *Spool) Sweep(ctx context.Context) error {
	return s.o.Store.Update(ctx, func(tx *store.Tx) error {
		for i, err := range tx.Imports() {
			if err != nil {
				return err
			}
			if !i.Ended.IsZero() && tx.Now.Sub(i.Ended) > importsKept {
				if err := tx.DeleteImport(i.ID); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// quarantine moves a file to dir under a free name, with a text beside it.
func quarantine(path, dir, text string) error {
	name := filepath.Base(path)
	base, end := name, ""
	for _, e := range tarNames {
		if strings.HasSuffix(name, e) {
			base, end = strings.TrimSuffix(name, e), e
		}
	}
	for n := 2; ; n++ {
		if _, err := os.Lstat(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
			break
		}
		name = fmt.Sprintf("%s.%d%s", base, n, end)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".txt"), []byte(text), 0o644); err != nil {
		return fmt.Errorf("note why %s failed: %w", name, err)
	}
	if err := moveFile(path, filepath.Join(dir, name)); err != nil {
		return fmt.Errorf("move %s to recordings.failed_dir: %w", name, err)
	}
	return nil
}

// moveFile renames a file, or copies it where the file systems differ. It never
// removes the source before the target is on disk.
func moveFile(from, to string) error {
	err := os.Rename(from, to)
	if !errors.Is(err, syscall.EXDEV) {
		if err != nil {
			return err
		}
		return errors.Join(syncDir(filepath.Dir(to)), syncDir(filepath.Dir(from)))
	}
	if err := copyFile(from, to); err != nil {
		return err
	}
	return errors.Join(os.Remove(from), syncDir(filepath.Dir(from)))
}

func copyFile(from, to string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.CreateTemp(filepath.Dir(to), ".moving-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(dst.Name())
		}
	}()
	_, err = io.Copy(dst, src)
	if err = errors.Join(err, dst.Chmod(0o644), dst.Sync(), dst.Close()); err != nil {
		return err
	}
	if err := os.Rename(dst.Name(), to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// syncDir makes the names in a directory durable. File systems that cannot (some
// network ones) are forgiven.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}
