package unpack

import (
	"context"
	"os"
	"path"
)

const (
	fileMode = 0o644
	dirMode  = 0o755

	// bigFile is from where on a file is preallocated, and written back to
	// the disk while it is still growing, in bytes.
	bigFile = 1 << 20
)

// writer creates files and directories below a directory.
type writer struct {
	ctx      context.Context // of the one Extract it serves
	dst      *os.Root
	progress func(int64)
	written  int64
	disk     *durable

	// The directory of the last entry stays open: entries come directory by
	// directory, and a name within an open one is looked up in one step.
	at    string
	below *os.Root
}

// newWriter returns a writer into dst.
func newWriter(ctx context.Context, dst *os.Root, progress func(int64)) (*writer, error) {
	if progress == nil {
		progress = func(int64) {}
	}
	disk, err := newDurable(dst)
	if err != nil {
		return nil, err
	}
	return &writer{ctx: ctx, dst: dst, progress: progress, disk: disk}, nil
}

// close gives back what is open. It does not close dst.
func (w *writer) close() {
	w.disk.close()
	if w.below != nil {
		w.below.Close()
	}
}

// parent returns the open directory that name lies in.
func (w *writer) parent(name string) (*os.Root, error) {
	dir := path.Dir(name)
	if dir == "." {
		return w.dst, nil
	}
	if w.below != nil && w.at == dir {
		return w.below, nil
	}
	next, err := w.dst.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	if w.below != nil {
		w.below.Close()
	}
	w.at, w.below = dir, next
	return next, nil
}

// entry writes one file or directory.
func (w *writer) entry(e entry, data content) error {
	if err := w.ctx.Err(); err != nil {
		return context.Cause(w.ctx)
	}
	parent, err := w.parent(e.name)
	if err != nil {
		return written(e.name, err)
	}
	if e.dir {
		err = makeDir(parent, path.Base(e.name))
	} else {
		err = w.file(parent, e, data)
	}
	if err != nil {
		return written(e.name, err)
	}
	return nil
}

// makeDir creates a directory with our mode.
func makeDir(parent *os.Root, name string) error {
	if err := parent.Mkdir(name, dirMode); err != nil {
		return err
	}
	dir, err := parent.Open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	return setMode(dir, dirMode)
}

// setMode gives f the permissions mode if the umask or an access list took some
// away, and leaves it alone otherwise.
func setMode(f *os.File, mode os.FileMode) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Mode().Perm() == mode {
		return nil
	}
	return f.Chmod(mode | info.Mode()&os.ModeSetgid)
}

// file creates a file and fills it.
func (w *writer) file(parent *os.Root, e entry, data content) error {
	f, err := parent.OpenFile(path.Base(e.name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	if err := w.fill(f, e.size, data); err != nil {
		f.Close()
		return err
	}
	return w.disk.done(f)
}

// fill writes size bytes of data to f.
func (w *writer) fill(f *os.File, size int64, data content) error {
	if err := setMode(f, fileMode); err != nil {
		return err
	}
	if size >= bigFile {
		if err := preallocate(f, size); err != nil {
			return err
		}
	}
	for at := int64(0); at < size; {
		if err := w.ctx.Err(); err != nil {
			return context.Cause(w.ctx)
		}
		n, err := data.copyTo(f, size-at)
		if err != nil {
			return err
		}
		if size >= bigFile {
			startWriteback(f, at, n)
		}
		at += n
		w.written += n
		w.progress(w.written)
	}
	return nil
}
