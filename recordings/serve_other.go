//go:build !linux

package recordings

import "errors"

func openBeneath(dir, name string) (*File, error) { return nil, errors.ErrUnsupported }
