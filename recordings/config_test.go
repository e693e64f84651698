package recordings

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestConfigRefusesPathsOfItsOwn(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, format := range ownPaths {
		c.Formats = []string{"presentation", format}
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), "recordings.formats: /"+format+"/ ") {
			t.Errorf("%s: %v", format, err)
		}
	}
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0": 0, "512": 512, "1GB": 1e9, "1.5 MiB": 3 << 19, "2 kb": 2000} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "nan", "NaN GB", "inf", "-1", "1e30", "9000000TB", "1zB", "GB", "1 2"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q: %d, want an error", text, got)
		}
	}
}

// A player that is not there is found before the start.
func TestPlayerDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := DefaultConfig().Below(dir)
	for _, player := range []string{filepath.Join(dir, "none"), dir} {
		c.PlayerDir = player
		if err := c.ValidateFileSystems(); err == nil || !strings.HasPrefix(err.Error(), "recordings.player_dir: "+player+" has no index.html") {
			t.Errorf("%s: %v", player, err)
		}
	}
	must(t, os.WriteFile(filepath.Join(dir, "index.html"), nil, 0o644))
	if err := c.ValidateFileSystems(); err != nil {
		t.Error(err)
	}
	c.PlayerDir, c.Enabled = filepath.Join(dir, "none"), false
	if err := c.ValidateFileSystems(); err != nil {
		t.Errorf("switched off: %v", err)
	}
}

// A tree on another file system is found before anything is made there, also
// where the directory is still missing.
func TestFileSystemBoundary(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	if err := os.Mkdir(other, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", other, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("another file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(other, syscall.MNT_DETACH)) })
	c := DefaultConfig().Below(dir)
	if err := c.ValidateFileSystems(); err != nil {
		t.Errorf("on one file system: %v", err)
	}
	c.UnpublishedDir = filepath.Join(other, "a", "b")
	err := c.ValidateFileSystems()
	if err == nil || !strings.HasPrefix(err.Error(), "recordings.unpublished_dir: "+c.UnpublishedDir+" and recordings.work_dir") {
		t.Errorf("across: %v", err)
	}
	if found, err := os.ReadDir(other); err != nil || len(found) > 0 {
		t.Errorf("it made %v, %v", found, err)
	}
	c.Enabled = false
	if err := c.ValidateFileSystems(); err != nil {
		t.Errorf("switched off: %v", err)
	}
}
