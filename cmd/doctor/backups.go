package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// backupAge is how old the newest backup may be: a nightly one, and a night in
// which the machine did not run.
const backupAge = 48 * time.Hour

// backups looks how old the newest backup is.
func (p *patient) backups(context.Context) []Finding {
	dir := p.cfg.Store.Backups()
	newest, n, err := newestFile(dir)
	const why = "The servers and their secrets, the records of recordings and what was decided about them are in the database alone."
	write := p.rootScalelite("backup")
	switch {
	case errors.Is(err, fs.ErrPermission):
		return []Finding{p.needsRoot(dir, "you may not look at the backups")}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return []Finding{fail(dir, "the backups cannot be listed: %v", err).because(why).do("look at the directory", p.root("ls", "-la", dir))}
	case newest == nil:
		return []Finding{warn(dir, "there is no backup").because(why).do("write one now; one is written each night while store.backup_schedule says so", write)}
	}
	old := p.sys.Now().Sub(newest.ModTime())
	what := count(n, "backup") + ", the newest is " + newest.Name() + " of " + size(newest.Size()) + ", " + age(max(0, old)) + " old"
	path := filepath.Join(dir, newest.Name())
	switch {
	case newest.Size() == 0:
		return []Finding{fail(path, "the newest backup is empty").because(why).do("make room on that file system, and write one", shell("df", "-h", dir), write)}
	case old > backupAge:
		return []Finding{warn(dir, "%s", what).because(why).
			do("find out why no new one is written, and write one now", append(p.log("--grep", "backup", "-n", "20"), write)...)}
	case newest.Mode().Perm()&0o007 != 0:
		return []Finding{warn(path, "everybody on this machine can read the newest backup, mode %04o", newest.Mode().Perm()).
			because("It holds the secrets of all servers.").do("take the right away", p.root("chmod", "0640", path))}
	}
	return []Finding{good(dir, "%s", what)}
}

// newestFile returns the youngest file of a directory, nil if there is none, and
// how many there are. Names with a dot in front are of files that are being
// written.
func newestFile(dir string) (newest fs.FileInfo, n int, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, 0, err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		n++
		if newest == nil || info.ModTime().After(newest.ModTime()) {
			newest = info
		}
	}
	return newest, n, nil
}
