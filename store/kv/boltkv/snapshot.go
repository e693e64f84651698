package boltkv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// Snapshot writes a copy of the database, itself a database file, to w.
//
// The copy is first made beside the database, in a file without a name, and no
// transaction is open while it is written to w: w may be slow. One snapshot is
// made at a time; the next waits until its turn or the end of ctx.
func (e *Engine) Snapshot(ctx context.Context, w io.Writer) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer e.running.Done()
	select {
	case e.snapshots <- struct{}{}:
		defer func() { <-e.snapshots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	f, err := namelessFile(e.path)
	if err != nil {
		return fmt.Errorf("snapshot of %s: %w", e.path, err)
	}
	defer f.Close()
	err = e.db.View(func(btx *bolt.Tx) error {
		_, err := btx.WriteTo(contextWriter{ctx, f})
		return err
	})
	if err != nil {
		return e.wrap("snapshot of", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("snapshot of %s: %w", e.path, err)
	}
	if _, err := io.Copy(contextWriter{ctx, w}, f); err != nil {
		return fmt.Errorf("write snapshot of %s: %w", e.path, err)
	}
	return nil
}

// namelessFile makes a file in the directory of path that vanishes with its
// descriptor, even if the process is killed.
func namelessFile(path string) (*os.File, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".snapshot-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// contextWriter is w until ctx ends.
type contextWriter struct {
	ctx context.Context
	w   io.Writer
}

func (c contextWriter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.w.Write(p)
}

// Check lets bbolt look through the whole database and returns everything it
// finds wrong. Updates wait until it is done.
func (e *Engine) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer e.running.Done()
	// A write transaction, for bbolt reads its list of free pages meanwhile.
	btx, err := e.begin()
	if err != nil {
		return err
	}
	defer rollback(btx)
	var errs []error
	for err := range btx.Check() {
		if len(errs) < maxFindings {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("check %s: %w", e.path, errors.Join(errs...))
	}
	return nil
}

// maxFindings bounds what Check reports: one bad page can make thousands.
const maxFindings = 100
