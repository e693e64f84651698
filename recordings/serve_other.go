//go:build !linux

package recordings

import (
	"errors"
	"os"
)

func openBeneath(dir, name string) (*os.File, error) { return nil, errors.ErrUnsupported }
