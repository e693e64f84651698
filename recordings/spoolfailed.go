package recordings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"scalelite/store"
)

// failure is what the text beside a tarball in failed_dir says. The store
// forgets it some day, and may be lost; the text stays with the tarball.
type failure struct {
	file     string // its name in the spool
	importID string
	first    time.Time // when it was first seen
	since    time.Time // when it was given up
	tries    int
	times    int // how often it came and was given up; 0: once
	reason   string
	held     []string // its formats as FORMAT/RECORDID; none if they are not known
}

// maxFailureText is how much of a text is read, in bytes.
const maxFailureText = 64 << 10

// maxHeld is how much of a text the formats of a tarball may be, in bytes.
const maxHeld = maxFailureText / 2

func noteOf(e *entry) failure {
	return failure{file: e.File, importID: e.ID, first: firstSeen(e.Import), since: e.Ended, tries: e.Tries, reason: e.Error, held: e.held}
}

// firstSeen is when a tarball was first seen, be it before it failed.
func firstSeen(i store.Import) time.Time {
	if i.Retried != nil {
		return i.Retried.First
	}
	return i.Since
}

// text is the failure of the tarball that failed_dir has by this name.
func (f failure) text(name string) string {
	times, formats := "", ""
	if f.times > 1 {
		times = fmt.Sprintf("times: %d\n", f.times)
	}
	if held := strings.Join(f.held, " "); held != "" && len(held) <= maxHeld {
		formats = "formats: " + held + "\n"
	}
	// Which of two tarballs is the newer is told by when they were first seen.
	return fmt.Sprintf("file: %s\nimport: %s\nfirst seen: %s\nsince: %s\ntries: %d\n%s%sreason: %s\n\nTry again with: scalelite recordings retry %s\nRemove it with: scalelite recordings drop %[9]s\n",
		strings.Map(printable, f.file), f.importID, f.first.Format(time.RFC3339Nano), f.since.Format(time.RFC3339), f.tries, times, formats, f.reason, strings.Map(printable, name))
}

// failureOf reads the text beside a failed tarball. What it does not say is
// zero: anyone can put tarballs there.
func (s *Spool) failureOf(name string) failure {
	var f failure
	file, err := os.Open(s.failedPath(name + ".txt"))
	if err != nil {
		return f
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFailureText))
	if err != nil {
		return f
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "file":
			f.file = value
		case "first seen":
			f.first, _ = time.Parse(time.RFC3339, value)
		case "times":
			f.times, _ = strconv.Atoi(value)
		case "formats":
			f.held = strings.Fields(value)
		case "import":
			f.importID = value
		case "since":
			f.since, _ = time.Parse(time.RFC3339, value)
		case "tries":
			f.tries, _ = strconv.Atoi(value)
		case "reason":
			f.reason = value
		case "":
			return f // what follows is for people
		}
	}
	return f
}

// removeStaleTexts removes the texts of tarballs that are back in the spool, or
// never came to failed_dir: a crash was between.
func (s *Spool) removeStaleTexts() {
	if !s.failing.TryLock() {
		return // a tarball is just moved, which may take long; the next start does it
	}
	defer s.failing.Unlock()
	found, _ := os.ReadDir(s.o.Config.FailedDir)
	for _, f := range found {
		tarball, isText := strings.CutSuffix(f.Name(), ".txt")
		if !isText || !isTarball(tarball) || s.failureOf(tarball).since.IsZero() {
			continue // not ours
		}
		if _, err := os.Lstat(s.failedPath(tarball)); errors.Is(err, fs.ErrNotExist) {
			_ = os.Remove(s.failedPath(f.Name()))
		}
	}
}

func (s *Spool) failedFiles() ([]SpoolFile, error) {
	found, err := os.ReadDir(s.o.Config.FailedDir)
	if ignoreMissing(err) != nil {
		return nil, fmt.Errorf("read recordings.failed_dir: %w", err)
	}
	var all []SpoolFile
	for _, f := range found {
		info, err := f.Info()
		if err != nil || !isTarball(f.Name()) || !info.Mode().IsRegular() {
			continue
		}
		why := s.failureOf(f.Name())
		if why.since.IsZero() {
			why.since = info.ModTime()
		}
		all = append(all, SpoolFile{
			Name: f.Name(), Size: info.Size(), State: store.ImportFailed,
			Since: why.since, Tries: why.tries, Reason: why.reason, Import: why.importID,
		})
	}
	return all, nil
}

// Retry moves tarballs from failed_dir back into the spool, where they are tried
// as if they were new; no names: all of them. One that is not there is
// ErrNotFound, and then none is moved. It returns the names of those that are
// back; one whose name another tarball in the spool has stays where it is, and
// the error, ErrInvalid, names it.
func (s *Spool) Retry(ctx context.Context, names []string) ([]string, error) {
	if err := s.awaitMoves(ctx); err != nil {
		return nil, err
	}
	failed, err := s.failedFiles()
	if err != nil {
		return nil, err
	}
	stuck := s.stuck()
	if len(names) == 0 {
		for _, f := range failed {
			names = append(names, f.Name)
		}
		names = append(names, stuck...)
	}
	for _, name := range names {
		if !slices.Contains(stuck, name) && !slices.ContainsFunc(failed, func(f SpoolFile) bool { return f.Name == name }) {
			return nil, fmt.Errorf("%w: %q is not in %s", ErrNotFound, name, s.o.Config.FailedDir)
		}
	}
	var back []string
	var errs []error
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		if unstuck, err := s.unstick(ctx, name); err != nil {
			errs = append(errs, err)
			continue
		} else if unstuck {
			back = append(back, name)
			continue
		}
		if err := s.retry(ctx, name); err != nil {
			errs = append(errs, fmt.Errorf("move %s back into the spool: %w", name, err))
			continue
		}
		back = append(back, name)
	}
	s.Look()
	return back, errors.Join(errs...)
}

// awaitMoves waits for the tarballs that are on their way to failed_dir: their
// failure is known already.
func (s *Spool) awaitMoves(ctx context.Context) error {
	s.mu.Lock()
	var moves []chan struct{}
	for _, e := range s.entries {
		if e.busy && e.moved != nil {
			moves = append(moves, e.moved)
		}
	}
	s.mu.Unlock()
	for _, moved := range moves {
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// stuck lists the tarballs that are given up and could not be moved to
// failed_dir yet.
func (s *Spool) stuck() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name, e := range s.entries {
		if e.todo == setAside && !e.busy {
			names = append(names, name)
		}
	}
	return names
}

// unstick has one of them tried again where it is.
func (s *Spool) unstick(ctx context.Context, name string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[name]
	if e == nil || e.todo != setAside || e.busy {
		return false, nil
	}
	i := store.Import{
		ID: newImportID(), File: name, Server: e.Server, State: store.ImportWaiting, Since: s.o.Now(),
		Retried: &store.Retried{First: firstSeen(e.Import), Size: e.print.size, Changed: time.Unix(0, e.print.mtime)},
	}
	if err := s.o.Store.Update(ctx, func(tx *store.Tx) error { return tx.PutImport(i) }); err != nil {
		return false, fmt.Errorf("announce %s: %w", name, err)
	}
	s.forget(e)
	return true, nil
}

func (s *Spool) retry(ctx context.Context, name string) error {
	if _, err := os.Lstat(s.path(name)); err == nil {
		return fmt.Errorf("%w: another tarball has its name there", ErrInvalid)
	}
	info, err := os.Lstat(s.failedPath(name))
	if err != nil {
		return err
	}
	again := store.Retried{First: s.failureOf(name).first, Size: info.Size(), Changed: info.ModTime()}
	if again.First.IsZero() {
		again.First = info.ModTime()
	}
	id, err := s.announce(ctx, store.Import{File: name, Retried: &again})
	if err != nil {
		return err
	}
	s.o.Step("announced the tarball")
	err = s.unfail(ctx, name)
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%w: another tarball has its name there", ErrInvalid)
	}
	if err != nil {
		return errors.Join(err, s.Withdraw(context.WithoutCancel(ctx), id))
	}
	return nil
}

// unfail moves a tarball from failed_dir to the spool, and removes the text that
// was beside it: before it can fail there again and get another one.
func (s *Spool) unfail(ctx context.Context, name string) error {
	s.failing.Lock()
	defer s.failing.Unlock()
	if err := s.moveFile(ctx, s.failedPath(name), s.path(name)); err != nil {
		return err
	}
	_ = os.Remove(s.failedPath(name + ".txt"))
	s.o.Step("removed the reason")
	return nil
}
