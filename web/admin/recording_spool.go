package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"scalelite/recordings"
	"scalelite/store"
)

// Import tells how far an import is; NotFound if there is none.
func (l *Local) Import(ctx context.Context, id string) (store.Import, error) {
	parts, err := l.parts(ctx)
	if err != nil {
		return store.Import{}, err
	}
	i, err := parts.Spool.Import(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return i.Import, &Error{NotFound, fmt.Sprintf("there is no import %q: its tarball was taken out of the spool, or its outcome was forgotten after 30 days", id)}
	}
	return i.Import, explain(ctx, err)
}

// SpoolFiles lists the tarballs that are not imported, and what is ignored, the
// oldest first.
func (l *Local) SpoolFiles(ctx context.Context) ([]recordings.SpoolFile, error) {
	parts, err := l.parts(ctx)
	if err != nil {
		return []recordings.SpoolFile{}, err
	}
	files, err := parts.Spool.Files(ctx)
	if err == nil && !l.info.Daemon {
		files, err = withUnseen(parts.Spool.Dir(), files)
	}
	return list(files), explain(ctx, err)
}

// withUnseen adds the files that nobody looks at because no daemon runs.
func withUnseen(dir string, files []recordings.SpoolFile) ([]recordings.SpoolFile, error) {
	found, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read recordings.spool_dir: %w", err)
	}
	for _, f := range found {
		info, err := f.Info()
		if err != nil || !info.Mode().IsRegular() || CheckTarName(f.Name()) != nil {
			continue
		}
		files = append(files, recordings.SpoolFile{
			Name: f.Name(), Size: info.Size(), State: store.ImportWaiting, Since: info.ModTime(), Reason: "the service does not run",
		})
	}
	files = append(files, recordings.Strays(found)...)
	slices.SortStableFunc(files, func(a, b recordings.SpoolFile) int { return a.Since.Compare(b.Since) })
	return files, nil
}

// RetrySpool has failed tarballs tried again, no names: all of them. NotFound
// if one is neither failed nor in the spool; then nothing is tried. Conflict if
// another of the same name has come into the spool meanwhile; the rest is tried.
func (l *Local) RetrySpool(ctx context.Context, names []string) ([]string, error) {
	parts, err := l.parts(ctx)
	if err != nil {
		return []string{}, err
	}
	files, err := l.SpoolFiles(ctx)
	if err != nil {
		return []string{}, err
	}
	there, failed := map[string]bool{}, map[string]bool{}
	for _, f := range files {
		there[f.Name] = there[f.Name] || f.State != store.ImportIgnored
		failed[f.Name] = failed[f.Name] || f.State == store.ImportFailed
	}
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(failed))
	}
	var wanted []string
	for _, name := range names {
		if !there[name] {
			return []string{}, &Error{NotFound, fmt.Sprintf("there is no failed tarball %q: 'scalelite recordings spool' lists those there are; nothing was tried", name)}
		}
		if failed[name] {
			wanted = append(wanted, name)
		}
	}
	if len(wanted) == 0 {
		return []string{}, nil
	}
	moved, err := parts.Spool.Retry(ctx, wanted)
	if errors.Is(err, recordings.ErrInvalid) {
		err = &Error{Conflict, without(err, recordings.ErrInvalid) + ": try again when that one is imported"}
	}
	return list(moved), explainSpool(ctx, err)
}

// DropSpool removes failed tarballs for good. NotFound if one is not among them;
// then nothing is removed.
func (l *Local) DropSpool(ctx context.Context, names []string) ([]string, error) {
	parts, err := l.parts(ctx)
	if err != nil {
		return []string{}, err
	}
	gone, err := parts.Spool.Drop(ctx, names)
	if errors.Is(err, recordings.ErrNotFound) {
		err = &Error{NotFound, without(err, recordings.ErrNotFound) + ": 'scalelite recordings spool' lists the failed tarballs there are; nothing was removed"}
	}
	return list(gone), explainSpool(ctx, err)
}
