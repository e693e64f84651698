package recordings

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"scalelite/store"
)

// recover puts in order what a crash left. What cannot be is logged and stays as
// it is, so that one broken directory does not keep the program from starting.
func (l *Library) recover(ctx context.Context) error {
	if err := l.recoverImports(ctx); err != nil {
		return err
	}
	if err := l.resumeAll(ctx); err != nil {
		return err
	}
	if err := l.trySweepTrash(ctx); err != nil {
		return err
	}
	l.sweep(filepath.Join(l.trees.work, asideDir))
	return l.sweepProbes()
}

// recoverImports settles the imports that were interrupted.
func (l *Library) recoverImports(ctx context.Context) error {
	dir := filepath.Join(l.trees.work, importDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		s := stage(filepath.Join(dir, e.Name()))
		if err := l.settleAll(ctx, s); err != nil {
			if ctx.Err() != nil {
				return err
			}
			l.log.Error("an interrupted import could not be put in order; its directory is kept", "path", string(s), "cause", err)
			continue
		}
		l.remove(string(s))
	}
	return nil
}

func (l *Library) settleAll(ctx context.Context, s stage) error {
	journals, err := s.journals()
	if errors.Is(err, fs.ErrNotExist) || isNotDir(string(s)) {
		return nil
	}
	for _, j := range journals {
		err = errors.Join(err, l.settle(ctx, s, j))
	}
	return err
}

func isNotDir(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && !info.IsDir()
}

// resumeAll finishes every move that was begun. It takes the locks, as it also
// runs later.
func (l *Library) resumeAll(ctx context.Context) error {
	var ids []string
	err := l.store.View(ctx, func(tx *store.Tx) (err error) {
		ids, err = store.Collect(tx.MovingRecordings())
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		release, err := l.locks.lock(ctx, id)
		if err != nil {
			return err
		}
		r, err := l.recording(ctx, nil, id)
		if err == nil {
			err = l.resume(ctx, r)
		}
		release()
		switch {
		case ctx.Err() != nil:
			return err
		case err != nil && !errors.Is(err, ErrNotFound):
			l.log.Error("the files of a recording could not be moved; that is tried again", "recording", id, "cause", err)
		}
	}
	return nil
}

// sweep removes everything in a directory.
func (l *Library) sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		l.log.Warn("old files could not be removed; the next start tries again", "path", dir, "cause", err)
	}
	for _, e := range entries {
		l.remove(filepath.Join(dir, e.Name()))
	}
}

// sweepProbes removes what a crash within prepare left.
func (l *Library) sweepProbes() error {
	for _, dir := range []string{l.trees.work, l.trees.published, l.trees.unpublished} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), probePrefix) {
				l.remove(filepath.Join(dir, e.Name()))
			}
		}
	}
	return nil
}
