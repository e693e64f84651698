package recordings

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// exchangeNames swaps two directories in one step. The error matches
// errors.ErrUnsupported where the file system cannot.
func exchangeNames(a, b string) error {
	err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
	switch {
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOTSUP):
		return fmt.Errorf("exchange %s and %s: %w", a, b, errors.ErrUnsupported)
	case err != nil:
		return fmt.Errorf("exchange %s and %s: %w", a, b, err)
	}
	return nil
}
