package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"scalelite/store"
	"scalelite/store/backup"
	"scalelite/store/kv"
)

// database tells whether it answers, and whether it is sound.
func (p *patient) database(context.Context) []Finding {
	path := p.cfg.Store.Path
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && p.poolError != nil:
		return []Finding{warn(path, "there is no database yet").
			because("It is made by the first start of the service, or with the first server.").
			do("add a server, or start the service", p.scalelite("servers", "add", "URL", "SECRET"), p.control("start"))}
	case p.poolError != nil:
		return []Finding{p.databaseError()}
	case p.exam.Damage != "":
		return []Finding{fail(path, "its indexes do not agree with its records: %s", firstLine(p.exam.Damage)).
			because("Meetings may be looked for on a server that does not run them.").
			do("restore the last backup; what runs on the servers is adopted by the first poll", p.restore()...)}
	case err != nil: // another user's directory, but the service answers
		return []Finding{good(path, "it answers, schema %d", p.exam.Schema)}
	}
	found := []Finding{good(path, "it answers, schema %d, %s", p.exam.Schema, size(info.Size()))}
	if p.exam.Schema != store.SchemaVersion() {
		found[0] = warn(path, "its schema is %d, this version of the program writes %d", p.exam.Schema, store.SchemaVersion()).
			because("The running service is of another version than the one that is installed.").
			do("restart the service; it copies the database before it changes it", p.control("restart"))
	}
	return append(found, p.databaseFile(path, info)...)
}

// databaseFile looks at who may read and write the file.
func (p *patient) databaseFile(path string, info fs.FileInfo) (found []Finding) {
	if info.Mode().Perm()&0o007 != 0 {
		found = append(found, warn(path, "everybody on this machine can read it, mode %04o", info.Mode().Perm()).
			because("It holds the secrets of all servers.").do("take the right away", p.root("chmod", "0640", path)))
	}
	err := p.mayUse(path, unix.R_OK|unix.W_OK)
	if err != nil && !errors.Is(err, errNotJudged) && !p.live() {
		found = append(found, fail(path, "the service's user %s cannot write it: %v", p.who.name, err).
			because("The service does not start.").do("give it to that user", p.root("chown", p.who.owner(), path)))
	}
	return found
}

// databaseError is about a database that could not be asked.
func (p *patient) databaseError() Finding {
	path := p.cfg.Store.Path
	switch {
	case errors.Is(p.poolError, fs.ErrPermission):
		return p.needsRoot(path, "you may not use the admin socket, nor read the database")
	case errors.Is(p.poolError, kv.ErrLocked) || p.unanswered():
		return skip(path, "another process has it, which does not answer; see the check 'service'")
	case errors.Is(p.poolError, store.ErrNewerSchema):
		f := fail(path, "%s", firstLine(p.poolError.Error())).because("The service does not start.")
		if file := p.beforeUpgrade(); file != "" {
			return f.do("install the newer version again, or go back to the copy made before the upgrade", p.restoreFrom(file)...)
		}
		commands := append([]string{p.rootScalelite("backup", "--list")}, p.restoreFrom("BACKUP")...)
		return f.do("install the newer version again, or restore one of the backups, if it was made before the upgrade", commands...)
	}
	return fail(path, "it does not answer: %s", firstLine(p.poolError.Error())).
		because("Without it the service serves nobody.").
		do("if the file is damaged, restore the last backup; what runs on the servers is adopted by the first poll", p.restore()...)
}

// restore is how the newest backup takes the database's place.
func (p *patient) restore() []string {
	file := filepath.Join(p.cfg.Store.Backups(), "BACKUP")
	if files, err := backup.List(p.cfg.Store.Backups()); err == nil && len(files) > 0 {
		file = files[0].Path
	}
	return p.restoreFrom(file)
}

// restoreFrom is how a file takes the database's place.
func (p *patient) restoreFrom(file string) []string {
	return []string{p.control("stop"), p.rootScalelite("restore", file), p.control("start")}
}

// beforeUpgrade is a copy of the database that this version can read although it
// cannot read the database itself: the one that the newer version made when it
// changed the schema, else the last one that the package made when this version
// was replaced. The newest backup is none: it may have been made after the upgrade.
func (p *patient) beforeUpgrade() string {
	if p.o.Former != "" {
		return p.o.Former
	}
	dir := filepath.Join(filepath.Dir(p.cfg.Store.Path), "upgrade")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	newest := ""
	for _, e := range entries { // by name, and so by time
		rest, ours := strings.CutPrefix(e.Name(), "scalelite-"+p.o.Version+"-")
		if _, err := time.Parse("20060102T150405Z.db", rest); ours && err == nil && e.Type().IsRegular() {
			newest = filepath.Join(dir, e.Name())
		}
	}
	return newest
}
