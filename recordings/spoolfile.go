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

	"golang.org/x/sys/unix"
)

const (
	// takenDir, below the spool, has what is just being taken out of it.
	takenDir = ".taken"
	// movingPrefix begins the names of copies that are not complete.
	movingPrefix = ".moving-"
	// maxName is how many bytes a file name has at most.
	maxName = 255
	// unfinishedLife is how long after the last change to it a file with one of
	// rsync's temporary names is left alone.
	unfinishedLife = 3 * day
)

// errReplaced: another tarball has the name now, or none.
var errReplaced = errors.New("a newer tarball took its name")

// tarNames are the endings of what is taken for a tarball.
var tarNames = [...]string{".tar", ".tar.gz", ".tgz"}

// isTarball: dotfiles are what rsync and our own uploads have not finished.
func isTarball(name string) bool {
	_, end := splitTarball(name)
	return end != "" && !strings.HasPrefix(name, ".")
}

// isUnfinished tells rsync's temporary names of tarballs: ".NAME.XXXXXX", the end
// being of letters and digits.
func isUnfinished(name string) bool {
	dot := strings.LastIndexByte(name, '.')
	if dot < 1 || name[0] != '.' || len(name)-dot-1 != 6 || !isTarball(name[1:dot]) {
		return false
	}
	return strings.Trim(name[dot+1:], "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// splitTarball splits a name before its ending; "" if it has none of those.
func splitTarball(name string) (base, end string) {
	for _, end := range tarNames {
		if base, ok := strings.CutSuffix(name, end); ok && base != "" {
			return base, end
		}
	}
	return name, ""
}

func (s *Spool) path(name string) string { return filepath.Join(s.o.Config.SpoolDir, name) }

func (s *Spool) failedPath(name string) string { return filepath.Join(s.o.Config.FailedDir, name) }

// fingerprint tells whether a file is still the one that was seen.
type fingerprint struct {
	inode uint64
	size  int64
	mtime int64 // in nanoseconds
}

func fingerprintOf(path string) (fingerprint, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return fingerprint{}, err
	}
	return fingerprintOfInfo(info), nil
}

func fingerprintOfInfo(info fs.FileInfo) fingerprint {
	f := fingerprint{size: info.Size(), mtime: info.ModTime().UnixNano()}
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

func removeFile(path string) error { return os.Remove(path) }

// take takes a tarball out of the spool and has out do the rest with it. It does
// so only if it is still the one that was worked on; else it returns errReplaced.
// Between a look at a file and its removal another one could get its name, so it
// is moved to a name that nobody else uses, and looked at there.
func (s *Spool) take(ctx context.Context, e *entry, out func(path string) error) error {
	taken := filepath.Join(s.o.Config.SpoolDir, takenDir, e.File)
	if err := os.Mkdir(filepath.Dir(taken), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := renameFree(s.path(e.File), taken); errors.Is(err, fs.ErrNotExist) {
		return errReplaced // by nothing
	} else if err != nil {
		return err
	}
	s.o.Step("took the tarball")
	print, err := fingerprintOf(taken)
	if err == nil && print != e.print {
		err = errReplaced
	}
	if err == nil {
		if err = out(taken); err == nil {
			s.o.Step("let the tarball go")
			return nil
		}
	}
	return errors.Join(err, s.giveBack(ctx, e.File))
}

// giveBack puts what was taken back. If another tarball has the name by now, the
// sender replaced what was taken, and it goes to failed_dir; where ctx ends that,
// with the next start.
func (s *Spool) giveBack(ctx context.Context, name string) error {
	taken := filepath.Join(s.o.Config.SpoolDir, takenDir, name)
	err := renameFree(taken, s.path(name))
	s.o.Step("gave the tarball back")
	if !errors.Is(err, fs.ErrExist) {
		return ignoreMissing(err)
	}
	now := s.o.Now()
	return s.quarantine(ctx, taken, failure{file: name, since: now, first: now, reason: errReplaced.Error()})
}

// restore puts in order what a crash may have left in the directories.
func (s *Spool) restore(ctx context.Context) {
	s.resolve(ctx)
	taken, _ := os.ReadDir(filepath.Join(s.o.Config.SpoolDir, takenDir))
	for _, f := range taken {
		if err := s.giveBack(ctx, f.Name()); err != nil && ctx.Err() == nil {
			s.o.Log.Error("spool could not take back a tarball", "file", f.Name(), "cause", err)
		}
	}
	for _, dir := range []string{s.o.Config.SpoolDir, s.o.Config.FailedDir} {
		found, _ := os.ReadDir(dir)
		for _, f := range found {
			if strings.HasPrefix(f.Name(), movingPrefix) {
				_ = os.Remove(filepath.Join(dir, f.Name()))
			}
		}
	}
	s.removeStaleTexts()
}

// quarantine moves a file to failed_dir under a free name, with a text beside it.
// If the same tarball lies there already, that one stays, with the newer text.
func (s *Spool) quarantine(ctx context.Context, path string, why failure) error {
	if err := os.MkdirAll(s.o.Config.FailedDir, 0o775); err != nil {
		return err
	}
	for {
		alike := s.alike(path, why)
		same, err := s.failedBefore(ctx, path, alike) // which may take long: others need not wait for it
		if err != nil {
			return err
		}
		s.o.Step("compared the tarball")
		if done, err := s.fail(ctx, path, why, alike, same); done || err != nil {
			return err
		}
	}
}

// setApart moves a file to failed_dir. The caller holds failing.
func (s *Spool) setApart(ctx context.Context, path string, why failure) error {
	name := s.freeFailedName(filepath.Base(path))
	note := s.failedPath(name + ".txt")
	if err := os.WriteFile(note, []byte(why.text(name)), 0o644); err != nil {
		return fmt.Errorf("note why %s failed: %w", name, err)
	}
	s.o.Step("wrote the reason")
	if err := s.moveFile(ctx, path, s.failedPath(name)); err != nil {
		return errors.Join(fmt.Errorf("move %s to recordings.failed_dir: %w", name, err), os.Remove(note))
	}
	return nil
}

// freeFailedName returns name, or name with a number, such that failed_dir has
// none like it and the text beside it can be named too.
func (s *Spool) freeFailedName(name string) string {
	base, end := splitTarball(name)
	for n := 1; ; n++ {
		tail := end
		if n > 1 {
			tail = fmt.Sprintf(".%d%s", n, end)
		}
		free := strings.ToValidUTF8(base[:min(len(base), maxName-len(tail)-len(".txt"))], "") + tail
		if _, err := os.Lstat(s.failedPath(free)); errors.Is(err, fs.ErrNotExist) {
			return free
		}
	}
}

// renameLooking is renameFree where the kernel or the file system has none.
func renameLooking(from, to string) error {
	_, err := os.Lstat(to)
	switch {
	case err == nil:
		return renameError(from, to, syscall.EEXIST)
	case errors.Is(err, fs.ErrNotExist):
		return os.Rename(from, to)
	}
	return err
}

func renameError(from, to string, err error) error {
	if err == nil {
		return nil
	}
	return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
}

// moveFile renames a file, or copies it where the file systems differ. It never
// replaces a file, and never removes the source before the target is on disk.
func (s *Spool) moveFile(ctx context.Context, from, to string) error {
	err := renameFree(from, to)
	if !errors.Is(err, syscall.EXDEV) {
		if err != nil {
			return err
		}
		s.o.Step("renamed the tarball")
		return errors.Join(syncDir(filepath.Dir(to)), syncDir(filepath.Dir(from)))
	}
	if err := copyFile(ctx, from, to); err != nil {
		return err
	}
	s.o.Step("copied the tarball")
	return errors.Join(os.Remove(from), syncDir(filepath.Dir(from)))
}

// copyFile copies a file with its time of change. Under its name it appears only
// when it is complete and on disk.
func copyFile(ctx context.Context, from, to string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	dst, err := os.CreateTemp(filepath.Dir(to), movingPrefix+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(dst.Name())
		}
	}()
	err = copyAll(ctx, dst, src)
	err = errors.Join(err, dst.Chmod(0o644), dst.Sync(), dst.Close())
	if err != nil {
		return err
	}
	if err := os.Chtimes(dst.Name(), time.Time{}, info.ModTime()); err != nil {
		return err
	}
	if err := renameFree(dst.Name(), to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// copyAll copies in pieces, between which ctx may end it.
func copyAll(ctx context.Context, dst io.Writer, src io.Reader) error {
	for ctx.Err() == nil {
		n, err := io.CopyN(dst, src, 64<<20)
		if errors.Is(err, io.EOF) || err == nil && n == 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return context.Cause(ctx)
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

// oneLine is the text of an error for a table or a line of a file.
func oneLine(err error) string {
	const limit = 2000 // bytes
	text := strings.Join(slices.DeleteFunc(strings.Split(err.Error(), "\n"), func(l string) bool { return l == "" }), "; ")
	text = strings.ToValidUTF8(strings.Map(printable, text), "?")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + " ..."
	}
	return text
}

// printable replaces what would end a line, or steer a terminal.
func printable(r rune) rune {
	if r < ' ' || r >= 0x7f && r < 0xa0 {
		return ' '
	}
	return r
}

// Writable reports why nothing can be put into the spool, for the health check.
func (s *Spool) Writable() error {
	// The dot makes it a directory: a file in its place may be writable too.
	if err := unix.Access(s.o.Config.SpoolDir+"/.", unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("the spool %s is not writable: %w", s.o.Config.SpoolDir, err)
	}
	return nil
}
