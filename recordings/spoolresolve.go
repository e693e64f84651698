package recordings

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"scalelite/store"
)

// resolve removes those failed tarballs of which newer ones have brought all
// formats since: nothing is left for which they should be tried again. It looks
// at those that are named after the recordings, without any at all there are. It
// goes by what is in place and on record, so that it may be left to the next
// time.
func (s *Spool) resolve(ctx context.Context, recordings ...string) {
	found, err := os.ReadDir(s.o.Config.FailedDir)
	if ignoreMissing(err) != nil {
		s.o.Log.Warn("failed tarballs could not be looked through", "cause", err)
	}
	for _, f := range found {
		named := func(id string) bool { return strings.HasPrefix(f.Name(), id) }
		if !isTarball(f.Name()) || len(recordings) > 0 && !slices.ContainsFunc(recordings, named) {
			continue
		}
		if err := s.resolveOne(ctx, f.Name()); err != nil && ctx.Err() == nil {
			s.o.Log.Warn("a failed tarball that is not needed any more could not be removed", "file", f.Name(), "cause", err)
		}
	}
}

func (s *Spool) resolveOne(ctx context.Context, name string) error {
	if !s.failing.TryLock() {
		s.unresolved.Store(true) // a tarball is just moved, which may take long; a later look does it
		return nil
	}
	defer s.failing.Unlock()
	info, err := os.Lstat(s.failedPath(name))
	if err != nil {
		return ignoreMissing(err)
	}
	why := s.failureOf(name)
	// One that changed there since is none that the text tells of.
	changed := info.ModTime().After(why.since.Add(time.Second)) // the text has whole seconds
	if len(why.held) == 0 || why.first.IsZero() || !info.Mode().IsRegular() || changed {
		return nil
	}
	all, err := s.haveAll(ctx, why)
	if err != nil || !all {
		return err
	}
	if err := s.removeFailed(name); err != nil {
		return err
	}
	s.o.Log.Info("failed tarball removed: newer ones brought all that it has", "file", name, "formats", strings.Join(why.held, " "))
	return nil
}

// removeFailed removes a tarball from failed_dir, and then its text: one without
// would not tell why it is there. The caller holds failing.
func (s *Spool) removeFailed(name string) error {
	if err := removeFile(s.failedPath(name)); err != nil {
		return err
	}
	return ignoreMissing(removeFile(s.failedPath(name + ".txt")))
}

// haveAll reports whether every format of a failed tarball is in place in a
// version that is no older. Its own may be among them, where it was imported in
// part. As with newerFormat, a time that is still to come tells nothing.
func (s *Spool) haveAll(ctx context.Context, why failure) (all bool, err error) {
	now, trees := s.o.Now(), treesOf(s.o.Config)
	var paths []string
	err = s.o.Store.View(ctx, func(tx *store.Tx) error {
		for _, name := range why.held {
			kind, id, _ := strings.Cut(name, "/")
			r, err := tx.Recording(id)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("read recording %s: %w", id, err)
			}
			f, ok := r.Format(kind)
			if all = ok && !f.Age().Before(why.first) && !f.Age().After(now); !all {
				return nil
			}
			paths = append(paths, trees.path(r.State, kind, id))
		}
		return nil
	})
	// A disk that hangs must not hang the database.
	for _, path := range paths {
		if err != nil || !all {
			break
		}
		all, err = exists(path)
	}
	return all, err
}
