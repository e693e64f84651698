//go:build !linux

package unpack

import "os"

// copyRange says that the kernel does not copy.
func copyRange(_, _ *os.File, _, _ int64) (int64, error) { return 0, nil }

// preallocate does nothing.
func preallocate(*os.File, int64) error { return nil }

// startWriteback does nothing.
func startWriteback(*os.File, int64, int64) {}

// syncsWhole reports false: every file is synchronised by itself.
func syncsWhole(*os.File) bool { return false }

// syncWhole is never called here; it does what it can for one directory.
func syncWhole(dir *os.File) error { return dir.Sync() }
