//go:build !linux

package recordings

import "errors"

// exchangeNames cannot be had here.
func exchangeNames(a, b string) error { return errors.ErrUnsupported }
