package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"scalelite/store/backup"
)

// backupAge is how old the newest backup may be: a nightly one, and a night in
// which the machine did not run.
const backupAge = 48 * time.Hour

const withoutBackup = "The servers and their secrets, the records of recordings and what was decided about them are in the database alone."

// backups looks whether the service can make them, and how old the newest is.
func (p *patient) backups(context.Context) []Finding {
	dir := p.cfg.Store.Backups()
	files, err := backup.List(dir)
	if b := p.info.Backup; b != nil && b.Error != "" {
		return []Finding{fail(b.Directory, "the service could not make the last backup, %s ago: %s", age(max(0, p.sys.Now().Sub(b.Failed))), firstLine(b.Error)).
			because(withoutBackup).
			do("mend that; it is tried again every hour", append([]string{p.rootScalelite("doctor", "--only", "disk,directories")}, p.log("--grep", "backup", "-n", "20")...)...)}
	}
	write := p.rootScalelite("backup")
	switch {
	case errors.Is(err, fs.ErrPermission):
		return []Finding{p.needsRoot(dir, "you may not look at the backups")}
	case err != nil:
		return []Finding{fail(dir, "the backups cannot be listed: %v", err).because(withoutBackup).do("look at the directory", p.root("ls", "-la", dir))}
	case len(files) == 0:
		return []Finding{warn(dir, "there is no backup").because(withoutBackup).do("write one now; one is written each night while store.backup_schedule says so", write)}
	}
	newest := files[0]
	old := p.sys.Now().Sub(newest.Made)
	what := count(len(files), "backup") + ", the newest is " + newest.Name + " of " + size(newest.Bytes) + ", " + age(max(0, old)) + " old"
	info, err := os.Lstat(newest.Path)
	switch {
	case newest.Bytes == 0:
		return []Finding{fail(newest.Path, "the newest backup is empty").because(withoutBackup).do("make room on that file system, and write one", shell("df", "-h", dir), write)}
	case old > backupAge:
		return []Finding{warn(dir, "%s", what).because(withoutBackup).
			do("find out why no new one is written, and write one now", append(p.log("--grep", "backup", "-n", "20"), write)...)}
	case err == nil && info.Mode().Perm()&0o007 != 0:
		return []Finding{warn(newest.Path, "everybody on this machine can read the newest backup, mode %04o", info.Mode().Perm()).
			because("It holds the secrets of all servers.").do("take the right away", p.root("chmod", "0640", newest.Path))}
	}
	return []Finding{good(dir, "%s", what)}
}

// backupTree is the directory that the service writes its backups into, if it
// makes any.
func (p *patient) backupTree() (tree, bool) {
	return tree{backupKey, p.cfg.Store.Backups()}, p.cfg.Store.BackupSchedule != ""
}

// missingBackups is about a directory of backups that is not there: the first
// backup makes it, if the one around it lets the service.
func (p *patient) missingBackups(t tree) []Finding {
	around := filepath.Dir(t.path)
	_, unusable := p.exam.Unusable[around]
	err := p.mayUse(around, unix.W_OK|unix.X_OK)
	if p.live() && !unusable || !p.live() && (err == nil || errors.Is(err, errNotJudged)) {
		return nil // the check of the backups themselves tells that there are none
	}
	return []Finding{fail(t.path, "%s is not there, and the service cannot make it", t.key).because("No backup is made.").
		do("mount what belongs there, or make it", p.install(t))}
}
