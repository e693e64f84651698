package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"scalelite/recordings"
)

// What the file system of the database must have free, in bytes: below the first
// it is a matter of days, below the second nothing can be written safely.
const (
	databaseLow  = 500 << 20
	databaseNone = 50 << 20
)

// room is what a file system has.
type room struct {
	free, total  int64
	inodes, left uint64
	readOnly     bool
}

// roomOf tells of the file system that a path is on, or would be.
func roomOf(path string) (room, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(existing(path), &st); err != nil {
		return room{}, err
	}
	block := int64(st.Bsize)
	return room{
		free: int64(st.Bavail) * block, total: int64(st.Blocks) * block,
		inodes: st.Files, left: st.Ffree, readOnly: readOnly(&st),
	}, nil
}

// disk looks at each file system once.
func (p *patient) disk(context.Context) []Finding {
	keep, err := recordings.ParseSize(p.cfg.Recordings.MinFree)
	if err != nil {
		return []Finding{skip("", "recordings.min_free is no size")} // which the configuration check tells
	}
	var found []Finding
	for _, group := range p.fileSystems() {
		found = append(found, p.treeSpace(group, keep))
	}
	return append(found, p.databaseSpace())
}

// fileSystems are the trees by the file system that they are on.
func (p *patient) fileSystems() (groups [][]tree) {
	place := map[uint64]int{}
	for _, t := range p.trees() {
		var st unix.Stat_t
		if err := unix.Stat(existing(t.path), &st); err != nil {
			groups = append(groups, []tree{t})
			continue
		}
		at, seen := place[uint64(st.Dev)]
		if !seen {
			at, place[uint64(st.Dev)] = len(groups), len(groups)
			groups = append(groups, nil)
		}
		groups[at] = append(groups[at], t)
	}
	return groups
}

// treeSpace is about a file system with trees on it, of which it names the keys.
func (p *patient) treeSpace(trees []tree, keep int64) Finding {
	path := trees[0].path
	var keys []string
	for _, t := range trees {
		keys = append(keys, strings.TrimPrefix(t.key, "recordings."))
	}
	r, err := roomOf(path)
	if err != nil {
		return p.spaceError(path, err)
	}
	what := fmt.Sprintf("%s of %s free for %s", size(r.free), size(r.total), strings.Join(keys, ", "))
	const tight = "When less is free than recordings.min_free, tarballs wait in the spool and uploads are refused."
	mend := "make the file system larger, or delete old recordings; recordings.retention does that by itself"
	commands := []string{shell("df", "-h", existing(path)), p.asOperator("recordings", "prune", "--dry-run")}
	f := good(path, "%s; %s must stay free", what, p.cfg.Recordings.MinFree)
	switch {
	case r.readOnly:
		return fail(path, "the file system is mounted read-only").because("No recording can be imported, moved or deleted.").
			do("see why in the log of the kernel, and mount it writable", shell("findmnt", "--target", existing(path)), p.root("dmesg", "--level=err,warn"))
	case r.free < keep:
		return fail(path, "%s, less than recordings.min_free = %s", what, p.cfg.Recordings.MinFree).
			because("Imports have stopped: tarballs wait in the spool, uploads are refused.").do(mend, commands...)
	case r.inodes > 0 && r.left <= r.inodes/100:
		return warn(path, "%d of %d inodes are left", r.left, r.inodes).
			because("A recording has hundreds of files; without inodes none can be made, however much space is free.").
			do(mend, shell("df", "-i", existing(path)), commands[1])
	case r.free < 2*keep:
		return warn(path, "%s, less than twice recordings.min_free = %s", what, p.cfg.Recordings.MinFree).because(tight).do(mend, commands...)
	}
	return f
}

// databaseSpace is about where the database is: a copy of it must fit beside it.
func (p *patient) databaseSpace() Finding {
	path := p.cfg.Store.Path
	r, err := roomOf(path)
	if err != nil {
		return p.spaceError(path, err)
	}
	what := fmt.Sprintf("%s of %s free for the database", size(r.free), size(r.total))
	var bytes int64
	if info, err := os.Stat(path); err == nil {
		bytes = info.Size()
	}
	make := "make room on this file system"
	commands := []string{shell("df", "-h", existing(path)), p.root("du", "-xh", "--max-depth=1", existing(filepath.Dir(path)))}
	switch {
	case r.readOnly:
		return fail(path, "the file system is mounted read-only").because("No meeting can be placed and no server changed.").
			do("see why in the log of the kernel, and mount it writable", shell("findmnt", "--target", existing(path)), p.root("dmesg", "--level=err,warn"))
	case r.free < databaseNone:
		return fail(path, "%s", what).because("When it is full no meeting can be placed.").do(make, commands...)
	case r.free < max(databaseLow, 2*bytes):
		return warn(path, "%s, which has %s", what, size(bytes)).
			because("An upgrade copies the database first, and so does each backup.").do(make, commands...)
	}
	return good(path, "%s", what)
}

func (p *patient) spaceError(path string, err error) Finding {
	if errors.Is(err, unix.EACCES) {
		return p.needsRoot(path, "you may not look at its file system")
	}
	return fail(path, "its file system does not tell its free space: %v", err).
		because("The service cannot tell either, and imports nothing.").
		do("look at how it is mounted", shell("findmnt", "--target", existing(path)))
}
