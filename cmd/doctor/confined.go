package doctor

import (
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// isConfined is about a directory that the user could use, but not the process:
// the unit keeps the rest of the system out of its reach.
func (p *patient) isConfined(t tree) bool {
	if !p.live() {
		return strings.HasPrefix(t.key, "recordings.") && isDir(t.path) && p.forbidden(t.path)
	}
	_, asked := p.exam.Unusable[t.path]
	return p.live() && asked && isDir(t.path) && p.mayUse(t.path, unix.R_OK|unix.W_OK|unix.X_OK) == nil
}

// forbidden is about a path that the unit will not let the service write to, by
// what systemd says of it: all but what it names is read-only.
func (p *patient) forbidden(path string) bool {
	if p.unitState["LoadState"] != "loaded" || p.unitState["ProtectSystem"] != "strict" {
		return false
	}
	return !slices.ContainsFunc(strings.Fields(p.unitState["ReadWritePaths"]), func(allowed string) bool {
		allowed = filepath.Clean(strings.TrimLeft(allowed, "-+"))
		return parentOf(allowed, path) == allowed
	})
}

// confined is the finding about all such directories: what is to be typed for
// them is one line of the unit.
func (p *patient) confined(outside []tree) Finding {
	var keys []string
	for _, t := range outside {
		keys = append(keys, t.key)
	}
	subject, it := outside[0].path, "it"
	for _, t := range outside[1:] {
		subject, it = parentOf(subject, t.path), "them"
	}
	f := fail(subject, "the unit of the service does not let it write to %s", strings.Join(keys, ", "))
	if p.live() {
		f = fail(subject, "the user %s could use %s, but the running service cannot: %s", p.who.name, strings.Join(keys, ", "), p.exam.Unusable[outside[0].path])
	}
	f = f.because("systemd lets the service write only where its unit allows it, ReadWritePaths; what is mounted later it may not see either.")
	paths := p.writePaths(outside)
	if len(paths) == 0 {
		return f.do("let work_dir, published_dir and unpublished_dir lie below one directory that the unit can allow: each that it allows is a mount of its own, and files cannot be renamed from one to another", p.edit(true)...)
	}
	for i, path := range paths {
		paths[i] = unitWord(path)
	}
	return f.do("allow "+it+", and restart the service", p.dropIn("paths", "ReadWritePaths="+strings.Join(paths, " "))...)
}

// tooWide are directories that the unit must not give to the service for what
// lies below them.
var tooWide = []string{"/", "/etc", "/home", "/usr", "/var"}

// writePaths are the paths that the unit has to allow, none if no such paths would
// do. Each becomes a mount of its own, so there is one for all directories that
// files are renamed between.
func (p *patient) writePaths(outside []tree) []string {
	c := p.cfg.Recordings
	renamed := []string{c.WorkDir, c.PublishedDir, c.UnpublishedDir}
	var paths []string
	if slices.ContainsFunc(outside, func(t tree) bool { return slices.Contains(renamed, t.path) }) {
		one := parentOf(parentOf(c.WorkDir, c.PublishedDir), c.UnpublishedDir)
		if slices.Contains(tooWide, one) {
			return nil
		}
		paths = append(paths, one)
	}
	for _, t := range outside {
		if !slices.ContainsFunc(paths, func(path string) bool { return parentOf(path, t.path) == path }) {
			paths = append(paths, t.path)
		}
	}
	return paths
}

// parentOf is the longest path that two lie in, or are.
func parentOf(a, b string) string {
	for a = filepath.Clean(a); a != filepath.Dir(a); a = filepath.Dir(a) {
		if rest, err := filepath.Rel(a, b); err == nil && filepath.IsLocal(rest) {
			break
		}
	}
	return a
}

// unitWord writes a path so that a list in a unit takes it as it is.
func unitWord(path string) string {
	path = strings.ReplaceAll(path, "%", "%%")
	if quote(path) == path {
		return path
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
}
