//go:build !linux

package sshspool

import "errors"

// confine exists on Linux only.
func confine(string, bool) error { return errors.ErrUnsupported }
