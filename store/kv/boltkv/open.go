package boltkv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"

	"scalelite/store/kv"
)

const (
	defaultLockTimeout = 5 * time.Second
	lockRetry          = 20 * time.Millisecond
	// newSuffix names the file in which a database is made before it gets its
	// name, so that a crash during its first writes leaves no half database.
	newSuffix = ".new"
	// mapSize is the address space for the file from the start: bbolt blocks
	// readers while it maps a file that outgrew its map.
	mapSize = 1 << 30
)

// Open opens the database at path for one process, and makes it, with its
// directory, if nothing is there. An existing file is verified from end to end
// first, because bbolt trusts what it reads.
//
// The error is kv.ErrLocked when another process keeps the database for longer
// than o.LockTimeout. Every error names the path and what can be done.
func Open(ctx context.Context, path string, o Options) (*Engine, error) {
	if o.LockTimeout <= 0 {
		o.LockTimeout = defaultLockTimeout
	}
	if err := makeDir(path); err != nil {
		return nil, explain("open", path, err)
	}
	f, fresh, err := openFile(ctx, path, o.LockTimeout)
	if err != nil {
		return nil, explain("open", path, err)
	}
	e, err := open(ctx, f, path, fresh, o)
	if err != nil {
		_ = f.Close()
		return nil, explain("open", path, err)
	}
	return e, nil
}

// open makes an engine of a locked file. If fresh, the file has the name of a
// new one and is given path's when it is complete.
func open(ctx context.Context, f *os.File, path string, fresh bool, o Options) (*Engine, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > 0 && !fresh {
		if err := verify(ctx, f, info.Size(), true); err != nil {
			return nil, err
		}
	}
	db, err := openBolt(f, path, o)
	if err != nil {
		return nil, err
	}
	err = ensureBucket(db)
	if err == nil && fresh {
		if err = os.Rename(path+newSuffix, path); err == nil {
			err = syncDir(filepath.Dir(path))
		}
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	e := &Engine{db: db, path: path, pageSize: int64(db.Info().PageSize), snapshots: make(chan struct{}, 1)}
	return e, nil
}

// ensureBucket writes only if it has to: a full disk can still be opened.
func ensureBucket(db *bolt.DB) error {
	there := false
	err := db.View(func(btx *bolt.Tx) error {
		there = btx.Bucket([]byte(bucketName)) != nil
		return nil
	})
	if err != nil || there {
		return err
	}
	return db.Update(func(btx *bolt.Tx) error {
		_, err := btx.CreateBucket([]byte(bucketName))
		return err
	})
}

// openBolt gives the open, locked file to bbolt, whose own attempt to lock it
// then succeeds at once.
func openBolt(f *os.File, path string, o Options) (db *bolt.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, damaged("%v", r)
		}
	}()
	return bolt.Open(path, 0o640, &bolt.Options{
		Timeout:         o.LockTimeout,
		NoSync:          o.NoSync,
		NoFreelistSync:  true,
		FreelistType:    bolt.FreelistMapType,
		InitialMmapSize: mapSize,
		OpenFile:        func(string, int, os.FileMode) (*os.File, error) { return f, nil },
	})
}

// makeDir makes the directory of path, durably.
func makeDir(path string) error {
	dir := filepath.Dir(path)
	var parents []string // of directories that are not there yet
	for d := dir; d != filepath.Dir(d); d = filepath.Dir(d) {
		if _, err := os.Stat(d); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		parents = append(parents, filepath.Dir(d))
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	for _, d := range parents {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	return nil
}

// syncDir makes the names in dir durable. File systems that cannot do that for
// a directory do it by themselves.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

// openFile opens and locks the file at path, or, if there is none, an empty
// one beside it that will become it: then fresh is true.
func openFile(ctx context.Context, path string, timeout time.Duration) (f *os.File, fresh bool, err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, false, fmt.Errorf("is a %s, not a file; give the path of the database file itself", kind(info.Mode()))
	}
	deadline := time.Now().Add(timeout)
	for {
		f, err = openLocked(ctx, path, os.O_RDWR, syscall.LOCK_EX, deadline)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, false, err
		}
		f, err = openLocked(ctx, path+newSuffix, os.O_RDWR|os.O_CREATE, syscall.LOCK_EX, deadline)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, false, err
		}
		if err != nil {
			continue
		}
		fresh, err = claim(f, path)
		if err == nil && fresh {
			return f, true, nil
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, false, err
		}
	}
}

// claim empties f, the locked new file beside path, to become the database;
// unless another process made that before f was locked.
func claim(f *os.File, path string) (bool, error) {
	switch _, err := os.Stat(path); {
	case err == nil:
		return false, os.Remove(path + newSuffix)
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	return true, f.Truncate(0)
}

// openLocked opens the file at path and locks it; flag is as for os.OpenFile,
// lock is syscall.LOCK_EX or LOCK_SH. It returns kv.ErrLocked at the deadline.
// fs.ErrNotExist means that there is no such file, or not any more.
func openLocked(ctx context.Context, path string, flag, lock int, deadline time.Time) (*os.File, error) {
	f, err := os.OpenFile(path, flag, 0o640)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), lock|syscall.LOCK_NB)
		if err == nil {
			if err = sameFile(f, path); err == nil {
				return f, nil
			}
			break
		}
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("lock: %w", err)
			break
		}
		if err = kv.ErrLocked; !time.Now().Before(deadline) {
			break
		}
		select {
		case <-time.After(lockRetry):
			continue
		case <-ctx.Done():
			err = ctx.Err()
		}
		break
	}
	_ = f.Close()
	return nil, err
}

// sameFile returns fs.ErrNotExist unless f still is the file at path: it may
// have been renamed or replaced while the lock was waited for.
func sameFile(f *os.File, path string) error {
	open, err := f.Stat()
	if err != nil {
		return err
	}
	named, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !os.SameFile(open, named) {
		return fs.ErrNotExist
	}
	return nil
}
