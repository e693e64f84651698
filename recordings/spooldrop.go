package recordings

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Drop removes failed tarballs for good. One that is not there is ErrNotFound,
// and then none is removed. It returns the names of those that are gone.
func (s *Spool) Drop(ctx context.Context, names []string) ([]string, error) {
	if err := s.awaitMoves(ctx); err != nil {
		return nil, err
	}
	failed, err := s.failedFiles()
	if err != nil {
		return nil, err
	}
	stuck := s.stuck()
	for _, name := range names {
		if !slices.Contains(stuck, name) && !slices.ContainsFunc(failed, func(f SpoolFile) bool { return f.Name == name }) {
			return nil, fmt.Errorf("%w: %q is not in %s", ErrNotFound, name, s.o.Config.FailedDir)
		}
	}
	var gone []string
	var errs []error
	for _, name := range distinct(names) {
		if err := s.drop(name); err != nil {
			errs = append(errs, fmt.Errorf("drop %s: %w", name, err))
			continue
		}
		s.o.Log.Info("failed tarball dropped", "file", name)
		gone = append(gone, name)
	}
	return gone, errors.Join(errs...)
}

func (s *Spool) drop(name string) error {
	if dropped, err := s.dropStuck(name); dropped || err != nil {
		return err
	}
	s.failing.Lock()
	defer s.failing.Unlock()
	return s.removeFailed(name)
}

// dropStuck removes one that could not be moved to failed_dir from the spool, if
// it is still the one that failed.
func (s *Spool) dropStuck(name string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[name]
	if e == nil || e.todo != setAside || e.busy {
		return false, nil
	}
	if print, err := fingerprintOf(s.path(name)); err != nil || print != e.print {
		return true, errReplaced
	}
	if err := removeFile(s.path(name)); err != nil {
		return true, err
	}
	s.forget(e)
	return true, nil
}
