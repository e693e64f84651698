package recordings

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"scalelite/store"
)

// ImportProgress is an import and how far it is.
type ImportProgress struct {
	store.Import
	// Done is how many bytes are unpacked, while it is imported.
	Done int64
	// Size is that of the tarball in bytes, 0 when it is not in the spool any more.
	Size int64
}

// maxNumbered is up to which number the names in failed_dir are looked for.
const maxNumbered = 9

// tarballsOf lists the names that tarballs of a recording have: senders call them
// by its ID, and failed_dir puts a number to a name that it has already.
func tarballsOf(recording string) []string {
	var names []string
	for _, end := range tarNames {
		names = append(names, recording+end)
		for n := 2; n <= maxNumbered; n++ {
			names = append(names, fmt.Sprintf("%s.%d%s", recording, n, end))
		}
	}
	return names
}

// ImportOf returns the newest import of the tarballs that are named after a
// recording, or store.ErrNotFound. Of one that failed so long ago that the store
// has forgotten it, the text in failed_dir tells.
func (s *Spool) ImportOf(ctx context.Context, recording string) (ImportProgress, error) {
	names := tarballsOf(recording)
	known, err := s.importsOf(ctx, names)
	if err != nil {
		return ImportProgress{}, err
	}
	var newest ImportProgress
	for name, i := range known {
		if i.Size == 0 && i.Ended.IsZero() {
			info, err := os.Lstat(s.path(name))
			if err != nil {
				continue // somebody took it away
			}
			i.Size = info.Size() // it was announced, and not seen yet
		}
		if newest.ID == "" || strings.Compare(newest.ID, i.ID) < 0 { // IDs sort by age
			newest = i
		}
	}
	if newest.ID != "" {
		return newest, nil
	}
	return s.failureAmong(names)
}

// importsOf returns the imports of tarballs by name, as far as there are any.
func (s *Spool) importsOf(ctx context.Context, names []string) (known map[string]ImportProgress, err error) {
	err = s.o.Store.View(ctx, func(tx *store.Tx) error {
		known = map[string]ImportProgress{}
		for _, name := range names {
			i, err := tx.ImportOf(name)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return fmt.Errorf("read the import of %s: %w", name, err)
			}
			known[name] = ImportProgress{Import: i}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if e := s.entries[name]; e != nil && strings.Compare(known[name].ID, e.ID) <= 0 {
			known[name] = s.progressOf(e)
		}
	}
	return known, nil
}

// failureAmong returns the latest failure that failed_dir knows of by one of
// these names.
func (s *Spool) failureAmong(names []string) (latest ImportProgress, err error) {
	err = store.ErrNotFound
	for _, name := range names {
		info, missing := os.Lstat(s.failedPath(name))
		if missing != nil || !info.Mode().IsRegular() {
			continue
		}
		why := s.failureOf(name)
		if why.since.IsZero() {
			why.since = info.ModTime()
		}
		if err == nil && !why.since.After(latest.Ended) {
			continue
		}
		err = nil
		latest.Import = store.Import{
			ID: why.importID, File: name, State: store.ImportFailed, Since: why.since, Ended: why.since, Tries: why.tries, Error: why.reason,
		}
	}
	return latest, err
}
