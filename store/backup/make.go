package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func (k *Keeper) make(ctx context.Context) (made File, removed int, err error) {
	if err := k.prepareDir(); err != nil {
		return made, 0, err
	}
	unlock, err := lock(ctx, k.o.Dir)
	if err != nil {
		return made, 0, err
	}
	defer unlock()
	if err := sweep(k.o.Dir); err != nil {
		return made, 0, err
	}
	if err := k.checkSpace(); err != nil {
		return made, 0, err
	}
	if made, err = k.stage(ctx); err != nil {
		return made, 0, errors.Join(err, sweep(k.o.Dir))
	}
	removed, err = k.rotate(made)
	return made, removed, err
}

// prepareDir makes the directory, for its owner and group only: what is in it
// holds secrets. It belongs to whom the directory around it does.
func (k *Keeper) prepareDir() error {
	err := os.Mkdir(k.o.Dir, 0o750)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no directory %s to make %s in", filepath.Dir(k.o.Dir), filepath.Base(k.o.Dir))
	case err != nil:
		return err
	}
	give := func(uid, gid int) error { return os.Lchown(k.o.Dir, uid, gid) }
	return errors.Join(likeParent(k.o.Dir, give), syncDir(filepath.Dir(k.o.Dir)))
}

// likeParent has give give what root made to the owner of the directory around
// it: the service must be able to remove it. give must not go by the name and
// follow links: the service may have put one there.
func likeParent(path string, give func(uid, gid int) error) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return give(int(st.Uid), int(st.Gid))
	}
	return nil
}

// lockName is a file that stays: unlike directories, files can be locked on
// network file systems, too.
const lockName = ".scalelite-backup.lock"

// lock keeps other processes from the directory until unlock is called.
func lock(ctx context.Context, dir string) (unlock func(), err error) {
	f, err := openLock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(err, f.Close())
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		}
	}
}

// openLock opens the file, and makes it where it is missing. A link is refused,
// symbolic or hard: root would give away what it leads to.
func openLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s is a link; remove it", path)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !info.Mode().IsRegular() || ok && st.Nlink > 1 {
		return nil, errors.Join(fmt.Errorf("%s is no file of its own; remove it", path), f.Close())
	}
	if err := likeParent(path, f.Chown); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sweep removes what a crash has left half done.
func sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), stagePrefix) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// stage makes a copy under another name, looks through it, and gives it its name
// then. What it leaves behind if it fails, sweep removes.
func (k *Keeper) stage(ctx context.Context) (made File, err error) {
	database, err := k.create("db")
	if err != nil {
		return made, err
	}
	if err := finish(database, func(w io.Writer) error { return k.o.Snapshot(ctx, w) }); err != nil {
		return made, err
	}
	if err := k.o.Verify(ctx, database.Name()); err != nil {
		return made, fmt.Errorf("the copy is no good: %w", err)
	}
	archive, err := k.create("tar.gz")
	if err != nil {
		return made, err
	}
	var config []byte
	if k.o.Config != nil {
		config = k.o.Config()
	}
	now := k.o.Now().UTC().Truncate(time.Second)
	if err := finish(archive, func(w io.Writer) error { return Write(ctx, w, database.Name(), config, now) }); err != nil {
		return made, err
	}
	if err := same(ctx, archive.Name(), database.Name()); err != nil {
		return made, fmt.Errorf("the copy is no good: %w", err)
	}
	return k.place(archive.Name(), now, database.Name())
}

// create makes a file that only its owner can read.
func (k *Keeper) create(kind string) (*os.File, error) {
	f, err := os.CreateTemp(k.o.Dir, stagePrefix+"*."+kind)
	if err != nil {
		return nil, err
	}
	if err := likeParent(f.Name(), f.Chown); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// finish has write fill f and makes it durable. It closes f.
func finish(f *os.File, write func(io.Writer) error) (err error) {
	defer func() { err = errors.Join(err, f.Close()) }()
	b := bufio.NewWriterSize(f, bufferSize)
	if err := write(b); err != nil {
		return err
	}
	return errors.Join(b.Flush(), f.Sync())
}

// same reads an archive back and compares the database in it with the one that
// went in.
func same(ctx context.Context, archive, database string) error {
	a, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer a.Close()
	d, err := os.Open(database)
	if err != nil {
		return err
	}
	defer d.Close()
	var sums [2]hash.Hash
	for i := range sums {
		sums[i] = sha256.New()
	}
	if _, err := Read(ctx, a, sums[0]); err != nil {
		return err
	}
	if _, err := io.Copy(sums[1], contextReader{ctx, d}); err != nil {
		return err
	}
	if string(sums[0].Sum(nil)) != string(sums[1].Sum(nil)) {
		return errors.New("what was written is not what is read")
	}
	return nil
}

// place gives an archive its name, durably, and takes the database away that it
// was made of. A name that is taken belongs to a copy of the same second.
func (k *Keeper) place(archive string, made time.Time, database string) (File, error) {
	for {
		f := File{Name: nameOf(made), Path: filepath.Join(k.o.Dir, nameOf(made)), Made: made}
		if _, err := os.Lstat(f.Path); err == nil {
			made = made.Add(time.Second)
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		if err := errors.Join(os.Rename(archive, f.Path), os.Remove(database), syncDir(k.o.Dir)); err != nil {
			return f, err
		}
		info, err := os.Stat(f.Path)
		if err == nil {
			f.Bytes = info.Size()
		}
		return f, err
	}
}

// rotate removes the oldest copies beyond those that stay; the one just made
// stays in any case, whatever the clock said before.
func (k *Keeper) rotate(made File) (removed int, err error) {
	files, err := List(k.o.Dir)
	if err != nil {
		return 0, err
	}
	kept := 1
	for _, f := range files {
		if f.Name == made.Name {
			continue
		}
		if kept++; kept <= k.o.Keep {
			continue
		}
		if err := os.Remove(f.Path); err != nil {
			return removed, err
		}
		removed++
	}
	if removed == 0 {
		return 0, nil
	}
	return removed, syncDir(k.o.Dir)
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) { // a file system that does so by itself
		err = nil
	}
	return errors.Join(err, d.Close())
}
