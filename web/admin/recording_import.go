package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode"

	"scalelite/recordings"
	"scalelite/store"
)

// SpoolService is what the command line can do to tarballs.
type SpoolService interface {
	// ImportRecording puts a tarball of size bytes into the spool and returns the
	// ID of its import. The import itself goes on behind it; see Import.
	ImportRecording(ctx context.Context, name string, size int64, r io.Reader) (importID string, err error)
	// Import tells how far an import is, or how it ended.
	Import(ctx context.Context, id string) (store.Import, error)
	// SpoolFiles lists the tarballs that are not imported, and what else lies in the
	// spool and is ignored, the oldest first.
	SpoolFiles(ctx context.Context) ([]recordings.SpoolFile, error)
	// RetrySpool has failed tarballs tried again, no names: all of them. It returns
	// those that were failed; one that waits in the spool is left as it is.
	RetrySpool(ctx context.Context, names []string) ([]string, error)
	// DropSpool removes failed tarballs for good, and returns those that are gone.
	DropSpool(ctx context.Context, names []string) ([]string, error)
}

// DirectImporter is a Service in whose process no spool works, because no
// daemon runs: it takes a tarball in itself, from where it lies.
type DirectImporter interface {
	// ImportFile takes in what is in the tarball and leaves the file. progress is
	// told the bytes that are unpacked, of how many. Beside an error the result
	// has what is in all the same.
	ImportFile(ctx context.Context, path string, progress func(done, total int64)) (recordings.Imported, error)
}

var _ DirectImporter = (*Local)(nil)

// ImportFile takes in the recordings of a tarball, in this process.
func (l *Local) ImportFile(ctx context.Context, path string, progress func(done, total int64)) (recordings.Imported, error) {
	parts, err := l.parts(ctx)
	if err != nil {
		return recordings.Imported{}, err
	}
	imported, err := parts.Library.Import(ctx, path, progress)
	var partial *recordings.PartialError
	if errors.As(err, &partial) {
		imported = partial.Imported
	}
	return imported, explainImport(ctx, err)
}

func explainImport(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, recordings.ErrIncomplete):
		return &Error{Invalid, err.Error() + ": copy it anew"}
	case errors.Is(err, recordings.ErrNoSpace):
		return &Error{Conflict, err.Error() + ": make room, or lower recordings.min_free"}
	}
	return explain(ctx, err)
}

const (
	// partPrefix begins the name of a tarball that is being written into the
	// spool, which passes over names with a dot.
	partPrefix = ".import-"
	// partKept is after how long one counts as left behind.
	partKept = 24 * time.Hour
	// maxTarName bounds the name of a tarball in bytes, with room for a number.
	maxTarName = 200
)

// tarEndings are those of the files that the spool takes.
var tarEndings = [...]string{".tar.gz", ".tgz", ".tar"}

// splitTarName splits a name before its ending, which is empty for a file that
// the spool does not take.
func splitTarName(name string) (base, ending string) {
	for _, end := range tarEndings {
		if base, ok := strings.CutSuffix(name, end); ok && base != "" {
			return base, end
		}
	}
	return name, ""
}

// CheckTarName says what is wrong with the name of a tarball, without a
// directory.
func CheckTarName(name string) error {
	_, ending := splitTarName(name)
	bad := func(r rune) bool { return !unicode.IsPrint(r) || r == '/' }
	switch {
	case ending == "":
		return &Error{Invalid, fmt.Sprintf("%q is no tarball by its name: it must end in .tar, .tar.gz or .tgz", name)}
	case strings.HasPrefix(name, "."), strings.ContainsFunc(name, bad), len(name) > maxTarName:
		return &Error{Invalid, fmt.Sprintf("%.64q cannot be the name of a tarball: no dot at its beginning, nothing unprintable, at most %d bytes", name, maxTarName)}
	}
	return nil
}

// ImportRecording puts a tarball into the spool: Invalid if its name is none or
// it does not have size bytes, Conflict if there is no room for it beside
// recordings.min_free. One of the same
// name that is there already stays; the new one then gets a number.
func (l *Local) ImportRecording(ctx context.Context, name string, size int64, r io.Reader) (importID string, err error) {
	parts, err := l.parts(ctx)
	if err != nil {
		return "", err
	}
	if err := CheckTarName(name); err != nil {
		return "", err
	}
	if err := parts.Library.InPlace(ctx); err != nil {
		return "", explain(ctx, err) // the spool may be on the disk that is away
	}
	if err := parts.Spool.MakeDirs(ctx); err != nil {
		return "", explainSpool(ctx, err)
	}
	dir := parts.Spool.Dir()
	sweepParts(dir)
	size = max(size, 0)
	if err := l.coming.begin(dir, size, parts.Library.MinFree()); err != nil {
		return "", explainSpool(ctx, err)
	}
	coming := &arriving{of: &l.coming, left: size}
	defer coming.end()
	part := filepath.Join(dir, partPrefix+rand.Text())
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreMissing(os.Remove(part)))
			err = explainSpool(ctx, err)
		}
	}()
	if err := writePart(ctx, part, size, io.TeeReader(r, coming)); err != nil {
		return "", err
	}
	importID, err = l.place(ctx, parts.Spool, part, name)
	if err == nil {
		parts.Spool.Look()
	}
	return importID, err
}

// explainSpool is explain for what went wrong in the spool.
func explainSpool(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &Error{Conflict, "the spool is full: make room in recordings.spool_dir"}
	case errors.Is(err, fs.ErrPermission):
		return &Error{Internal, err.Error() + ": the service must be able to write into recordings.spool_dir"}
	case errors.Is(err, fs.ErrNotExist):
		return &Error{Internal, err.Error() + ": mount the disk of recordings.spool_dir, or make the directory; 'scalelite doctor' says how"}
	}
	return explain(ctx, err)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// sweepParts removes what transfers have left that were cut by a crash.
func sweepParts(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, partPrefix+"*"))
	for _, path := range left {
		if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > partKept {
			_ = os.Remove(path)
		}
	}
}

// writePart writes size bytes of r to a new file, durably.
func writePart(ctx context.Context, path string, size int64, r io.Reader) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	n, err := io.Copy(f, io.LimitReader(&contextReader{ctx, r}, size+1))
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("take the tarball after %d of %d bytes: %w", n, size, err)
	case n != size:
		return &Error{Invalid, fmt.Sprintf("the tarball has not the %d bytes that were announced: it changed, or was cut; nothing was imported", size)}
	}
	return f.Sync()
}

// contextReader ends when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// place gives a complete tarball its name in the spool, or that name with a
// number. The spool learns of it before it can see it, so that it knows that the
// tarball is complete.
func (l *Local) place(ctx context.Context, spool *recordings.Spool, part, name string) (importID string, err error) {
	l.placing.Lock()
	defer l.placing.Unlock()
	base, ending := splitTarName(name)
	for n := 2; ; n++ {
		path := filepath.Join(spool.Dir(), name)
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			importID, err = placeAs(ctx, spool, part, name)
			if !errors.Is(err, fs.ErrExist) {
				return importID, err
			}
		}
		name = fmt.Sprintf("%s.%d%s", base, n, ending)
	}
}

// placeAs is place under one name; fs.ErrExist if it is taken.
func placeAs(ctx context.Context, spool *recordings.Spool, part, name string) (string, error) {
	id, err := spool.Announce(ctx, name, "")
	if err != nil {
		return "", err
	}
	path := filepath.Join(spool.Dir(), name)
	err = os.Link(part, path) // unlike a rename it never replaces another tarball
	switch {
	case err == nil:
		_ = os.Remove(part) // it has two names; sweepParts gets this one
	case !errors.Is(err, fs.ErrExist): // a file system without hard links
		err = os.Rename(part, path)
	}
	if err == nil {
		return id, syncDir(spool.Dir())
	}
	return "", errors.Join(err, spool.Withdraw(context.WithoutCancel(ctx), id))
}

// syncDir makes the names in a directory durable, where the file system can.
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
