package boltkv

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"scalelite/store/kv"
)

// What cannot be had as root, or without another disk, is at least explained.
func TestExplain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "not", "there", "db")
	for cause, remedy := range map[error]string{
		syscall.EACCES: "run as " + owner(os.TempDir()),
		syscall.EROFS:  "mount the file system for writing",
		syscall.ENOSPC: "make room on the disk",
		kv.ErrLocked:   "stop the one that runs",
	} {
		err := explain("open", path, &fs.PathError{Op: "open", Path: path, Err: cause})
		if !errors.Is(err, cause) || !strings.Contains(err.Error(), remedy) || strings.Count(err.Error(), path) != 1 {
			t.Errorf("%v; want one that wraps %q, names %s once and says %q", err, cause, path, remedy)
		}
	}
}
