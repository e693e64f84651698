package doctor

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"scalelite/web/admin"
)

func TestBackups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := os.RemoveAll(w.path("db", "backups")); err != nil {
		t.Fatal(err)
	}
	only(t, w.look("backups")).want(t, Warn, "there is no backup", "config.toml backup")
	w.write("db/backups/scalelite.db", "none of those that the service makes")
	only(t, w.look("backups")).want(t, Warn, "there is no backup")
	w.backup(50 * time.Hour)
	w.write("db/backups/.scalelite-backup-1", "being written")
	only(t, w.look("backups")).want(t, Warn, "1 backup, the newest is scalelite-2", "2 d 2 h old", "config.toml backup", "journalctl")
	newest := w.backup(time.Hour)
	if err := os.Chmod(newest, 0o644); err != nil {
		t.Fatal(err)
	}
	f := only(t, w.look("backups"))
	f.want(t, Warn, "mode 0644")
	typed(t, strings.TrimPrefix(f.Commands[0], "sudo "))
	fine(t, w.look("backups"))
	if err := os.Truncate(newest, 0); err != nil {
		t.Fatal(err)
	}
	only(t, w.look("backups")).want(t, Fail, "is empty")
}

// TestBackupsThatFail: that the service itself cannot make any is told of, and a
// file that somebody else has put there does not hide it.
func TestBackupsThatFail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pool.info.Backup = &admin.BackupInfo{Directory: "/srv/backups", Failed: time.Now().Add(-2 * time.Hour), Error: "backup: mkdir: permission denied"}
	f := only(t, w.look("backups"))
	f.want(t, Fail, "/srv/backups", "could not make the last backup, 2 h ago: backup: mkdir: permission denied", "doctor --only disk,directories")
	for _, c := range f.Commands {
		if strings.HasSuffix(c, " backup") {
			t.Errorf("root makes one itself: %s", c)
		}
	}
	w.pool.info.Backup = &admin.BackupInfo{Directory: "/srv/backups"}
	fine(t, w.look("backups"))
}

// TestDirectoryOfBackups: one that the service cannot write, its unit keeps away,
// or nobody can make, is found where the others are.
func TestDirectoryOfBackups(t *testing.T) {
	t.Parallel()
	t.Run("kept away by the unit", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.mkdir("disk/backups")
		w.keys["store.backup_dir"] = fmt.Sprintf("%q", w.path("disk", "backups"))
		w.pool.exam.Unusable = map[string]string{w.path("disk", "backups"): "read-only file system"}
		only(t, w.look("directories")).want(t, Fail, "could use store.backup_dir", "ReadWritePaths="+w.path("disk", "backups"))
		w.keys["store.backup_schedule"] = `""`
		fine(t, w.look("directories"))
	})
	t.Run("not there", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.keys["store.backup_dir"] = fmt.Sprintf("%q", w.path("disk", "backups"))
		w.mkdir("disk")
		w.pool.exam.Unusable = map[string]string{w.path("disk", "backups"): "no such file or directory"}
		fine(t, w.look("directories")) // the first backup makes it
		w.pool.exam.Unusable[w.path("disk")] = "read-only file system"
		only(t, w.look("directories")).want(t, Fail, "store.backup_dir is not there, and the service cannot make it", "install -d", w.path("disk", "backups"))
	})
	t.Run("root's", func(t *testing.T) {
		t.Parallel()
		asRoot(t)
		w := newWorld(t)
		w.asNobody()
		w.stopped()
		if err := errors.Join(os.Chown(w.path("db", "backups"), 0, 0), os.Chmod(w.path("db", "backups"), 0o700)); err != nil {
			t.Fatal(err)
		}
		only(t, w.look("directories")).want(t, Fail, "cannot write to store.backup_dir", "No backup is made", "chown nobody:")
		mended(t, func() Report { return w.look("directories") })
	})
}
