package unpack

import (
	"context"
	"errors"
	"os"
	"syscall"
)

// maxPending is how many written files are kept open until they are
// synchronised together.
const maxPending = 64

// durable brings what was written to the disk: all at once by syncfs where that
// can be relied on, else file by file.
type durable struct {
	dst     *os.Root
	all     *os.File // dst, opened before the first write; nil: file by file
	pending []*os.File
}

// newDurable returns how to synchronise what is about to be written below dst.
// It must be called before that, since syncfs reports the write errors that
// happened after its file was opened.
func newDurable(dst *os.Root) (*durable, error) {
	dir, err := dst.Open(".")
	if err != nil {
		return nil, err
	}
	if !syncsWhole(dir) {
		return &durable{dst: dst}, dir.Close()
	}
	return &durable{dst: dst, all: dir}, nil
}

// done takes over f, whose content is complete.
func (d *durable) done(f *os.File) error {
	if d.all != nil {
		return f.Close()
	}
	// All of them are on their way before the first is waited for.
	startWriteback(f, 0, 0)
	if d.pending = append(d.pending, f); len(d.pending) < maxPending {
		return nil
	}
	return d.flush()
}

// flush synchronises and closes the pending files.
func (d *durable) flush() error {
	var errs []error
	for _, f := range d.pending {
		errs = append(errs, f.Sync(), f.Close())
	}
	d.pending = d.pending[:0]
	return errors.Join(errs...)
}

// finish returns when everything of plan is on the disk.
func (d *durable) finish(ctx context.Context, plan *Plan) error {
	if d.all != nil {
		return written(".", syncWhole(d.all))
	}
	if err := d.flush(); err != nil {
		return written(".", err)
	}
	for _, e := range plan.entries {
		if !e.dir {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := syncDir(d.dst, e.name); err != nil {
			return written(e.name, err)
		}
	}
	return written(".", syncDir(d.dst, "."))
}

// close gives back what is open without synchronising it.
func (d *durable) close() {
	for _, f := range d.pending {
		f.Close()
	}
	if d.all != nil {
		d.all.Close()
	}
}

// syncDir synchronises a directory, where the file system knows how to.
func syncDir(root *os.Root, name string) error {
	dir, err := root.Open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	err = dir.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}
