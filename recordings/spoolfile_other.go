//go:build !linux

package recordings

import (
	"io/fs"
	"time"
)

// renameFree renames a file to a name that nothing has; fs.ErrExist if one has.
func renameFree(from, to string) error { return renameLooking(from, to) }

// changed is when a file last changed.
func changed(info fs.FileInfo) time.Time { return info.ModTime() }
