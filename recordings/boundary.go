package recordings

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ValidateFileSystems returns what is wrong with where the directories lie, each
// problem beginning with its key: work_dir and both trees must be on one file
// system, as directories are moved between them by renaming. One that is not
// there yet counts as lying where it would be made. player_dir must be there and
// hold a page. Unlike Open it changes nothing, so it cannot tell two mounts of
// one file system.
func (c Config) ValidateFileSystems() error {
	if !c.Enabled {
		return nil
	}
	work, err := deviceOf(c.WorkDir)
	if err != nil {
		return fmt.Errorf("recordings.work_dir: %w", err)
	}
	var errs []error
	for _, d := range []struct{ key, path string }{{"published_dir", c.PublishedDir}, {"unpublished_dir", c.UnpublishedDir}} {
		device, err := deviceOf(d.path)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("recordings.%s: %w", d.key, err))
		case device != work:
			errs = append(errs, fmt.Errorf("recordings.%s: %w", d.key, boundary(d.path, c.WorkDir)))
		}
	}
	return errors.Join(append(errs, c.validatePlayer())...)
}

func (c Config) validatePlayer() error {
	if c.PlayerDir == "" {
		return nil
	}
	info, err := os.Stat(filepath.Join(c.PlayerDir, "index.html"))
	switch {
	case absent(err) || err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("recordings.player_dir: %s has no index.html; give the directory that the player was built into", c.PlayerDir)
	case err != nil:
		return fmt.Errorf("recordings.player_dir: %w", err)
	}
	return nil
}

// boundary is the error of a tree that work_dir cannot rename into.
func boundary(tree, work string) error {
	return fmt.Errorf("%s and recordings.work_dir %s are not on one file system (or not in one mount of it); move work_dir and both trees below one directory", tree, work)
}

// deviceOf names the file system that a directory is on, or would be.
func deviceOf(path string) (uint64, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return 0, err
	}
	for {
		info, err := os.Stat(path)
		if err == nil {
			st, ok := info.Sys().(*syscall.Stat_t)
			if !ok {
				return 0, errors.ErrUnsupported
			}
			return uint64(st.Dev), nil
		}
		parent := filepath.Dir(path)
		if !absent(err) || parent == path {
			return 0, err
		}
		path = parent
	}
}
