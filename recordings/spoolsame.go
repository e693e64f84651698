package recordings

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// alike are the tarballs of failed_dir, by name, that may be the same as one: they
// had the same name in the spool, and are as large.
func (s *Spool) alike(path string, why failure) map[string]fingerprint {
	all := map[string]fingerprint{}
	info, err := os.Lstat(path)
	if err != nil {
		return all
	}
	found, _ := os.ReadDir(s.o.Config.FailedDir)
	for _, f := range found {
		other, err := f.Info()
		if err != nil || !isTarball(f.Name()) || !other.Mode().IsRegular() || other.Size() != info.Size() {
			continue
		}
		if s.failureOf(f.Name()).file == strings.TrimSpace(strings.Map(printable, why.file)) {
			all[f.Name()] = fingerprintOfInfo(other)
		}
	}
	return all
}

// failedBefore returns the name in failed_dir of the same tarball, among those
// that are alike the one with the same content, "" if there is none. One that
// cannot be read is not the same. The error is that of ctx.
func (s *Spool) failedBefore(ctx context.Context, path string, alike map[string]fingerprint) (string, error) {
	for _, name := range slices.Sorted(maps.Keys(alike)) {
		same, err := sameContent(ctx, path, s.failedPath(name))
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		if err == nil && same {
			return name, nil
		}
	}
	return "", nil
}

func sameContent(ctx context.Context, a, b string) (bool, error) {
	one, err := os.Open(a)
	if err != nil {
		return false, err
	}
	defer one.Close()
	two, err := os.Open(b)
	if err != nil {
		return false, err
	}
	defer two.Close()
	const block = 256 << 10
	p, q := make([]byte, block), make([]byte, block)
	for ctx.Err() == nil {
		n, err := io.ReadFull(one, p)
		m, otherErr := io.ReadFull(two, q)
		if !bytes.Equal(p[:n], q[:m]) {
			return false, nil
		}
		if n < block { // both are at their end, or cannot be read
			return atEnd(err) && atEnd(otherErr), nil
		}
	}
	return false, context.Cause(ctx)
}

func atEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// fail does what quarantine is for, by what failedBefore has found among those
// that were alike. If these are others by now, it does nothing and tells so.
func (s *Spool) fail(ctx context.Context, path string, why failure, alike map[string]fingerprint, same string) (bool, error) {
	s.failing.Lock()
	defer s.failing.Unlock()
	if !maps.Equal(alike, s.alike(path, why)) {
		return false, nil
	}
	if same != "" {
		return true, s.failAgain(path, same, why)
	}
	return true, s.setApart(ctx, path, why)
}

// failAgain notes that a tarball of failed_dir came and failed once more, and
// removes the one that came. The caller holds failing.
func (s *Spool) failAgain(path, name string, why failure) error {
	former := s.failureOf(name)
	if !former.first.IsZero() {
		why.first = former.first
	}
	if len(why.held) == 0 {
		why.held = former.held
	}
	why.tries += former.tries
	why.times = max(1, former.times) + 1
	if err := s.rewrite(s.failedPath(name+".txt"), why.text(name)); err != nil {
		return fmt.Errorf("note why %s failed again: %w", name, err)
	}
	return removeFile(path)
}

// rewrite replaces a text in failed_dir as a whole.
func (s *Spool) rewrite(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), movingPrefix+"*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}
