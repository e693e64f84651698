package recordings

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"scalelite/store"
)

// The spool's part of the crash tests of the Library: whatever comes goes through
// a real one.

const crashTar = "crash.tar"

// crashSpool is a spool whose steps count as those of its Library. It tries a
// tarball once, and at once.
func crashSpool(l *Library, dir string) (*Spool, error) {
	c := shelfConfig(dir)
	c.Tries, c.Rescan = 1, "@every 24h"
	s, err := NewSpool(SpoolOptions{Config: c, Importer: l, Store: l.store, Log: slog.New(slog.DiscardHandler), NoEvents: true, Step: l.step})
	if err == nil {
		s.settleTime = 0
	}
	return s, err
}

// throughSpool runs a spool until nothing is left for it to do.
func throughSpool(ctx context.Context, l *Library, dir string) error {
	s, err := crashSpool(l, dir)
	if err != nil {
		return err
	}
	return s.runOut(ctx)
}

// retryAll has what is in failed_dir tried again. Where a crash left a tarball in
// both directories, it is told to come again, and does.
func retryAll(ctx context.Context, l *Library, dir string) error {
	s, err := crashSpool(l, dir)
	if err != nil {
		return err
	}
	_, err = s.Retry(ctx, nil)
	if errors.Is(err, ErrInvalid) {
		if err := s.runOut(ctx); err != nil {
			return err
		}
		_, err = s.Retry(ctx, nil)
	}
	if err != nil {
		return err
	}
	return s.runOut(ctx)
}

func (s *Spool) runOut(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	defer running.Wait()
	defer stop()
	for {
		busy, err := s.unfinished()
		if err != nil || !busy {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.New("the spool comes to no end")
		case <-time.After(time.Millisecond):
		}
	}
}

// unfinished reports whether tarballs are in the spool, or on their way out.
func (s *Spool) unfinished() (bool, error) {
	s.mu.Lock()
	busy := len(s.entries) > 0
	s.mu.Unlock()
	for _, dir := range []string{s.Dir(), s.path(takenDir)} {
		found, err := os.ReadDir(dir)
		if ignoreMissing(err) != nil {
			return false, err
		}
		busy = busy || slices.ContainsFunc(found, func(f fs.DirEntry) bool { return isTarball(f.Name()) })
	}
	return busy, nil
}

// drops puts a file into the spool as a tarball.
func (s *shelf) drops(content []byte) {
	s.t.Helper()
	spool := shelfConfig(s.dir).SpoolDir
	must(s.t, os.MkdirAll(spool, 0o755))
	writeWhole(s.t, filepath.Join(spool, crashTar), string(content))
}

// brings puts a tarball of these formats there.
func (s *shelf) brings(formats ...fixture) {
	s.t.Helper()
	s.drops(content(s.t, tarball(s.t, formats...)))
}

// failsApart gives failed_dir another file system.
func (s *shelf) failsApart() {
	s.t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "scalelite-failed-")
	if err != nil {
		s.t.Skipf("no other file system: %v", err)
	}
	s.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if sameDevice(s.t, dir, s.dir) {
		s.t.Skip("/dev/shm is on the file system of the temporary directory")
	}
	failed := shelfConfig(s.dir).FailedDir
	must(s.t, os.MkdirAll(filepath.Dir(failed), 0o755), os.Symlink(dir, failed))
}

func sameDevice(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y syscall.Stat_t
	must(t, syscall.Stat(a, &x), syscall.Stat(b, &y))
	return x.Dev == y.Dev
}

// copyApart gives the copy of a scene a failed_dir of its own, as failsApart.
func copyApart(t *testing.T, from, to string) {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "scalelite-failed-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if out, err := exec.Command("cp", "-a", shelfConfig(from).FailedDir+"/.", dir).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
	link := shelfConfig(to).FailedDir
	must(t, os.Remove(link), os.Symlink(dir, link))
}

// tarballsIn are the contents of the tarballs in directories, each once.
func (s *shelf) tarballsIn(dirs ...string) []string {
	s.t.Helper()
	var all []string
	for _, dir := range dirs {
		for _, name := range s.names(dir) {
			if isTarball(name) {
				all = append(all, string(content(s.t, filepath.Join(dir, name))))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (s *shelf) failedTarballs() []string { return s.tarballsIn(shelfConfig(s.dir).FailedDir) }

// tarballs are the contents of all that a spool has not done with.
func (s *shelf) tarballs() []string {
	c := shelfConfig(s.dir)
	return s.tarballsIn(c.SpoolDir, filepath.Join(c.SpoolDir, takenDir), c.FailedDir)
}

// importEnd is how the last import of the tarball ended, "" if it did not.
func (s *shelf) importEnd() (state store.ImportState) {
	s.t.Helper()
	must(s.t, s.db.View(s.t.Context(), func(tx *store.Tx) error {
		state = ""
		i, err := tx.ImportOf(crashTar)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return nil
		case err == nil && !i.Ended.IsZero():
			state = i.State
		}
		return err
	}))
	return state
}

// spoolInOrder fails the test unless nothing is left in the spool, and failed_dir
// has tarballs with their reasons and nothing else.
func (s *shelf) spoolInOrder() {
	s.t.Helper()
	c := shelfConfig(s.dir)
	left := slices.DeleteFunc(s.names(c.SpoolDir), func(name string) bool { return name == takenDir })
	if left = append(left, s.names(filepath.Join(c.SpoolDir, takenDir))...); len(left) > 0 {
		s.t.Errorf("left in the spool: %v", left)
	}
	failed := s.names(c.FailedDir)
	for _, name := range failed {
		tarball := strings.TrimSuffix(name, ".txt")
		text := tarball + ".txt"
		if !isTarball(tarball) || !slices.Contains(failed, tarball) || !slices.Contains(failed, text) {
			s.t.Errorf("left in failed_dir: %s of %v", name, failed)
			continue
		}
		if !strings.Contains(string(content(s.t, filepath.Join(c.FailedDir, text))), "\nreason: ") {
			s.t.Errorf("%s has no reason", name)
		}
	}
}
