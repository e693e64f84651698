package recordings

import (
	"errors"

	"golang.org/x/sys/unix"
)

// renameFree renames a file to a name that nothing has; fs.ErrExist if one has.
func renameFree(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTSUP) {
		return renameLooking(from, to)
	}
	return renameError(from, to, err)
}
