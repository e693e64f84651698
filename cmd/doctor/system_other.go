//go:build !linux

package doctor

import (
	"errors"

	"golang.org/x/sys/unix"
)

func synchronised() (bool, error) { return false, errors.ErrUnsupported }

func accessAs(identity, string, uint32) error { return errors.ErrUnsupported }

func mountOf(string) (uint64, bool) { return 0, false }

func readOnly(*unix.Statfs_t) bool { return false }
