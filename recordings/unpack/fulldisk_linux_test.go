package unpack

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestFullDisk is T2 at this level: a real, small file system runs full, the
// error says so, and the tarball is as it was.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("mounting a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(mount, 0); err != nil {
			t.Error(err)
		}
	})
	small := archive(good(), files(20, 300<<10))
	for name, data := range map[string][]byte{"small files": small, "one large file": large(1), "gzip": compressed(t, small)} {
		f := tarFile(t, data)
		before := treeHash(t, f.Name())
		root, err := os.OpenRoot(mount)
		if err != nil {
			t.Fatal(err)
		}
		err = Extract(t.Context(), f, inspect(t, f), root, nil)
		if !errors.Is(err, ErrNoSpace) || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: got %v, want ErrNoSpace", name, err)
		}
		if err := root.RemoveAll("presentation"); err != nil {
			t.Error(err)
		}
		root.Close()
		if treeHash(t, f.Name()) != before {
			t.Errorf("%s: the tarball changed", name)
		}
	}
}

// files returns n members of size bytes.
func files(n, size int) []byte {
	var b bytes.Buffer
	for i := range n {
		b.Write(member(in(fmt.Sprint("file", i)), '0', strings.Repeat("f", size)))
	}
	return b.Bytes()
}
