package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxSpooled bounds how many tarballs are looked at one by one.
const maxSpooled = 1000

// directories looks at each directory with the eyes of the service's user.
func (p *patient) directories(context.Context) []Finding {
	var found []Finding
	var outside []tree
	trees := p.trees()
	all := append(slices.Clip(trees), tree{storeKey, filepath.Dir(p.cfg.Store.Path)})
	if t, ok := p.backupTree(); ok {
		all = append(all, t)
	}
	for _, t := range all {
		if p.isConfined(t) {
			outside = append(outside, t)
			continue
		}
		found = append(found, p.directory(t)...)
	}
	if len(outside) > 0 {
		found = append(found, p.confined(outside))
	}
	if len(trees) == 0 {
		return found
	}
	if p.exam.NotInPlace != "" {
		found = append(found, p.notInPlace())
	}
	return append(found, p.sameFileSystem())
}

// directory looks at one.
func (p *patient) directory(t tree) []Finding {
	info, err := os.Stat(t.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && t.key == backupKey:
		return p.missingBackups(t)
	case errors.Is(err, fs.ErrNotExist):
		return []Finding{p.missing(t)}
	case errors.Is(err, fs.ErrPermission) && p.live() && p.exam.Unusable[t.path] == "":
		return []Finding{good(t.path, "%s: the running service can use it", t.key)}
	case errors.Is(err, fs.ErrPermission) && p.sys.UID != 0 && p.who.uid != p.sys.UID:
		return []Finding{p.needsRoot(t.path, t.key+" cannot be looked at by you")}
	case err != nil && !errors.Is(err, fs.ErrPermission):
		return []Finding{fail(t.path, "%s cannot be looked at: %v", t.key, err).because("The service cannot use it either.").
			do("look at the file system that it is on", shell("findmnt", "--target", existing(t.path)))}
	case err == nil && !info.IsDir():
		return []Finding{fail(t.path, "%s is no directory", t.key).because(t.harm()).
			do("move it away and make a directory", p.root("mv", t.path, t.path+".old"), p.install(t))}
	}
	if f := p.unusable(t, info); f != nil {
		return []Finding{*f}
	}
	f := good(t.path, "%s is %s, and %s can use it", t.key, ownership(t.path, info), p.who.name)
	if p.mayUse(t.path, unix.R_OK) == errNotJudged && !p.live() {
		f = p.needsRoot(t.path, "whether the service's user "+p.who.name+" can use it is for root to find out")
	}
	found := []Finding{f}
	if t.key == "recordings.spool_dir" {
		found = append(found, p.spoolGroup(t, info)...)
		found = append(found, p.spoolFiles(t)...)
	}
	return found
}

// notInPlace is the finding of directories that are not those of the recordings,
// as the database knows them.
func (p *patient) notInPlace() Finding {
	path := p.cfg.Recordings.PublishedDir
	return fail(path, "%s", p.exam.NotInPlace).
		because("Until then tarballs wait, nothing is published, hidden or deleted, and recordings do not play; meetings are not affected.").
		do("mount what belongs there; only if the directories were moved, restored or emptied on purpose, accept them as they are",
			shell("findmnt", "--target", existing(path)), p.asOperator("recordings", "rescan", "--accept-directories"))
}

// install is the command that makes a directory as the service needs it.
func (p *patient) install(t tree) string {
	group, mode := p.who.group, "0750"
	if t.key == "recordings.spool_dir" && p.spoolGroupIs() {
		group, mode = spoolGroup, "2775"
	}
	return p.root("install", "-d", "-o", p.who.name, "-g", group, "-m", mode, t.path)
}

func (p *patient) missing(t tree) Finding {
	if p.exam.NotInPlace != "" && slices.Contains(p.trees(), t) {
		return fail(t.path, "%s is not there", t.key).because("The database has recordings, so the service does not make it until their directories are in place: a file system may not be mounted.").
			do("mount what belongs there", shell("findmnt", "--target", existing(t.path)))
	}
	why := "The service makes it when it starts, if it may."
	if p.mayUse(existing(t.path), unix.W_OK|unix.X_OK) == nil && !p.live() {
		return warn(t.path, "%s is not there yet", t.key).because(why).do("start the service, or make it", p.install(t))
	}
	if p.live() {
		why = "It was there when the service started: a file system may not be mounted. Recordings neither come in nor play."
	}
	return fail(t.path, "%s is not there", t.key).because(why).do("mount what belongs there, or make it", p.install(t))
}

// unusable is the finding of a directory that the service cannot use, nil if it
// can or nobody knows.
func (p *patient) unusable(t tree, info fs.FileInfo) *Finding {
	why := t.harm()
	err := p.mayUse(t.path, unix.R_OK|unix.W_OK|unix.X_OK)
	_, asked := p.exam.Unusable[t.path]
	switch {
	case p.live() && !asked: // it says itself that it can
		return nil
	case err == nil || errors.Is(err, errNotJudged) && !p.live():
		return nil
	}
	if dir := p.blocked(t.path); dir != "" {
		f := fail(t.path, "the service's user %s cannot get to %s: it may not enter %s", p.who.name, t.key, dir).because(why).
			do("let everybody pass through that directory", p.root("chmod", "o+x", dir))
		return &f
	}
	state := "is not accessible"
	if info != nil {
		state = "is " + ownership(t.path, info)
	}
	f := fail(t.path, "the service's user %s cannot write to %s, which %s", p.who.name, t.key, state).because(why)
	uid, _, ok := ownerOf(t.path)
	switch {
	case ok && uid == p.who.uid:
		f = f.do("give its owner the rights back", p.root("chmod", "u+rwx", t.path))
	case t.key == "recordings.spool_dir" && p.spoolGroupIs():
		f = f.do("give it to the service, and let the group of those who bring tarballs write", p.root("chown", p.who.name+":"+spoolGroup, t.path), p.root("chmod", "2775", t.path))
	default:
		f = f.do("give it to the service", p.root("chown", p.who.owner(), t.path), p.root("chmod", "u+rwx", t.path))
	}
	return &f
}

func (p *patient) spoolGroupIs() bool {
	_, ok := p.sys.Group(spoolGroup)
	return ok
}

// spoolGroup looks whether those who bring tarballs by ssh can write, and whether
// the service can take away what they brought.
func (p *patient) spoolGroup(t tree, info fs.FileInfo) (found []Finding) {
	gid, there := p.sys.Group(spoolGroup)
	if !there {
		return nil
	}
	const why = "BBB servers that send by ssh write as members of that group; without the bit their files are of another one, and the service may not be able to take them away."
	if _, has, ok := ownerOf(t.path); ok && has != gid {
		found = append(found, warn(t.path, "the spool is of group %s, not of %s", groupOf(has), spoolGroup).because(why).
			do("give it to that group", p.root("chgrp", spoolGroup, t.path), p.root("chmod", "g+rwxs", t.path)))
	} else if info.Mode()&fs.ModeSetgid == 0 || info.Mode().Perm()&0o020 == 0 {
		found = append(found, warn(t.path, "the spool lacks the setgid bit or the right of its group to write, mode %04o", info.Mode().Perm()).because(why).
			do("set them", p.root("chmod", "g+rwxs", t.path)))
	}
	return found
}

// spoolFiles looks for tarballs that the service cannot read.
func (p *patient) spoolFiles(t tree) []Finding {
	names, err := readNames(t.path, maxSpooled)
	if err != nil {
		return nil // told by the directory's own finding
	}
	var foreign []string
	for _, name := range names {
		path := filepath.Join(t.path, name)
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(name, ".") {
			continue
		}
		if err := p.mayUse(path, unix.R_OK); errors.Is(err, syscall.EACCES) {
			foreign = append(foreign, path)
		}
	}
	if len(foreign) == 0 {
		return nil
	}
	slices.Sort(foreign)
	const shown = 20
	listed := foreign[:min(len(foreign), shown)]
	return []Finding{fail(t.path, "the service's user %s cannot read %s in the spool, the first is %s", p.who.name, count(len(foreign), "file"), filepath.Base(foreign[0])).
		because("They are never imported.").
		do("give them to the service", p.root(append([]string{"chown", p.who.owner(), "--"}, listed...)...))}
}

// readNames lists a directory, up to a number of names.
func readNames(dir string, most int) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(most)
	if len(names) > 0 || errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return names, ignoreEOF(err)
}

// sameFileSystem looks whether files can be renamed between the trees.
func (p *patient) sameFileSystem() Finding {
	const why = "Files of recordings are moved by renaming, so that none is ever half there; the service does not start otherwise."
	c := p.cfg.Recordings
	if err := c.ValidateFileSystems(); err != nil {
		return fail("", "%s", firstLine(err.Error())).because(why).
			do("let work_dir and both trees lie below one directory", p.edit(true)...)
	}
	work, ok := mountOf(existing(c.WorkDir))
	for _, path := range []string{c.PublishedDir, c.UnpublishedDir} {
		mount, known := mountOf(existing(path))
		if ok && known && mount != work {
			return fail(path, "it and recordings.work_dir %s are two mounts, if of one file system", c.WorkDir).because(why).
				do("mount one directory above both, or let work_dir lie in the same mount", shell("findmnt", "--target", existing(path)), shell("findmnt", "--target", existing(c.WorkDir)))
		}
	}
	return good("", "work_dir, published_dir and unpublished_dir are on one file system")
}
