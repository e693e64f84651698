package unpack

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// copyRange appends up to limit bytes of src from offset on to dst inside the
// kernel, and returns how many it were. 0 without an error means that the
// kernel does not do that for these two files.
func copyRange(dst, src *os.File, offset, limit int64) (int64, error) {
	var n int
	err := withFD(dst, func(to int) error {
		return withFD(src, func(from int) (err error) {
			n, err = retry(func() (int, error) {
				return unix.CopyFileRange(from, &offset, to, nil, int(limit), 0)
			})
			return err
		})
	})
	switch {
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EXDEV), errors.Is(err, unix.EINVAL),
		errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPERM):
		return 0, nil
	case err != nil:
		return 0, os.NewSyscallError("copy_file_range", err)
	}
	return int64(n), nil
}

// preallocate reserves the space for size bytes of f, whose size becomes that.
// Where the file system cannot, it does nothing.
func preallocate(f *os.File, size int64) error {
	err := withFD(f, func(fd int) error {
		_, err := retry(func() (int, error) { return 0, unix.Fallocate(fd, 0, 0, size) })
		return err
	})
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	return os.NewSyscallError("fallocate", err)
}

// startWriteback asks the kernel to begin writing n bytes of f from offset on
// to the disk, all to the end if n is 0. It is a hint and nothing depends on it.
func startWriteback(f *os.File, offset, n int64) {
	_ = withFD(f, func(fd int) error {
		return unix.SyncFileRange(fd, offset, n, unix.SYNC_FILE_RANGE_WRITE)
	})
}

// syncsWhole reports whether syncfs on the file system of dir writes everything
// to the disk and says so if that went wrong. That is known of the local file
// systems here, and of kernels since 5.8.
func syncsWhole(dir *os.File) bool {
	var fs unix.Statfs_t
	err := withFD(dir, func(fd int) error { return unix.Fstatfs(fd, &fs) })
	if err != nil {
		return false
	}
	switch int64(fs.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return kernelAtLeast(5, 8)
	}
	return false
}

// syncWhole writes everything in the file system of dir to the disk.
func syncWhole(dir *os.File) error {
	return os.NewSyscallError("syncfs", withFD(dir, unix.Syncfs))
}

// kernelAtLeast reports whether the running kernel is of that version or later.
func kernelAtLeast(major, minor int) bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	var version [2]int
	field := 0
	for _, c := range u.Release {
		switch {
		case c >= '0' && c <= '9':
			version[field] = version[field]*10 + int(c-'0')
			continue
		case c == '.' && field == 0:
			field = 1
			continue
		}
		break
	}
	return version[0] > major || version[0] == major && version[1] >= minor
}

// withFD calls fn with the descriptor of f, which stays open until it returns.
func withFD(f *os.File, fn func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := conn.Control(func(fd uintptr) { inner = fn(int(fd)) }); err != nil {
		return err
	}
	return inner
}

// retry calls fn until no signal interrupts it.
func retry(fn func() (int, error)) (int, error) {
	for {
		n, err := fn()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
