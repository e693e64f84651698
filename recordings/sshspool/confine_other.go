//go:build !linux

package sshspool

import (
	"errors"
	"syscall"
)

// confine exists on Linux only.
func confine(string, bool) error { return errors.ErrUnsupported }

func diesWithUs() *syscall.SysProcAttr { return nil }
