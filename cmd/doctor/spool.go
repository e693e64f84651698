package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"scalelite/recordings"
	"scalelite/store"
	"scalelite/web/admin"
)

// longWait is how long a tarball may wait, or not be complete, before it is told
// of.
const longWait = time.Hour

// spool looks for tarballs that wait for long or have failed, and for what will
// never be imported.
func (p *patient) spool(ctx context.Context) []Finding {
	if !p.cfg.Recordings.Enabled {
		return []Finding{good("", "recordings are switched off")}
	}
	files, err := p.spooled(ctx)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return []Finding{p.needsRoot("", "you may not look into the spool")}
	case err != nil:
		return []Finding{fail("", "the spool cannot be listed: %s", firstLine(err.Error())).because("Recordings do not come in.").
			do("the check 'directories' tells more", p.rootScalelite("doctor", "--only", "directories"))}
	}
	var waiting, incomplete, failed, strays []recordings.SpoolFile
	ignored := 0
	for _, f := range files {
		long := p.sys.Now().Sub(f.Since) > longWait
		switch {
		case f.State == store.ImportFailed:
			failed = append(failed, f)
		case f.State == store.ImportIgnored:
			ignored += 1 + f.More
			if long { // a copy may get its name at its end
				strays = append(strays, f)
			}
		case f.State == store.ImportSettling && long:
			incomplete = append(incomplete, f)
		case f.State == store.ImportWaiting && long:
			waiting = append(waiting, f)
		}
	}
	found := p.failedFiles(failed)
	found = append(found, p.waitingFiles(waiting)...)
	found = append(found, p.incompleteFiles(incomplete)...)
	found = append(found, p.ignoredFiles(strays, ignored)...)
	if len(found) == 0 {
		healthy := good("", "%s on the way, none for longer than %s, none failed", count(len(files)-ignored, "tarball"), age(longWait))
		if ignored > 0 {
			healthy.Found += fmt.Sprintf("; %s, see 'scalelite recordings spool'", countIgnored(ignored))
		}
		found = append(found, healthy)
	}
	return found
}

// spooled lists the tarballs; where no service runs, by a look at the
// directories.
func (p *patient) spooled(ctx context.Context) ([]recordings.SpoolFile, error) {
	if p.live() {
		return p.pool.SpoolFiles(ctx)
	}
	var all []recordings.SpoolFile
	for dir, state := range map[string]store.ImportState{p.cfg.Recordings.SpoolDir: store.ImportWaiting, p.cfg.Recordings.FailedDir: store.ImportFailed} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil || !info.Mode().IsRegular() || admin.CheckTarName(e.Name()) != nil {
				continue
			}
			f := recordings.SpoolFile{Name: e.Name(), State: state, Since: info.ModTime(), Size: info.Size()}
			if state == store.ImportFailed {
				f.Reason = reasonBeside(filepath.Join(dir, e.Name()))
			} else {
				f.Reason = "the service does not run"
			}
			all = append(all, f)
		}
		if state == store.ImportWaiting {
			all = append(all, recordings.Strays(entries)...)
		}
	}
	return all, nil
}

// reasonBeside is why a tarball failed, by the text beside it.
func reasonBeside(path string) string {
	const most = 64 << 10
	info, err := os.Stat(path + ".txt")
	if err != nil || info.Size() > most {
		return ""
	}
	text, err := os.ReadFile(path + ".txt")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if reason, ok := strings.CutPrefix(line, "reason: "); ok {
			return strings.TrimSpace(reason)
		}
	}
	return ""
}

// oldest is the one that has been there longest.
func oldest(files []recordings.SpoolFile) recordings.SpoolFile {
	first := files[0]
	for _, f := range files {
		if f.Since.Before(first.Since) {
			first = f
		}
	}
	return first
}

// since is "NAME, 3 h 5 min ago".
func (p *patient) since(f recordings.SpoolFile) string {
	return f.Name + ", " + age(p.sys.Now().Sub(f.Since)) + " ago"
}

func (p *patient) failedFiles(files []recordings.SpoolFile) []Finding {
	if len(files) == 0 {
		return nil
	}
	f := oldest(files)
	reason := firstLine(f.Reason)
	if reason == "" {
		reason = "no reason is known"
	}
	return []Finding{fail(p.cfg.Recordings.FailedDir, "%s given up, the first is %s: %s", countWere(len(files), "tarball"), p.since(f), reason).
		because("These recordings do not appear.").
		do("mend the cause and have them tried again; if nothing can be mended, remove the tarball: "+p.asOperator("recordings", "drop", f.Name),
			p.asOperator("recordings", "spool"), p.asOperator("recordings", "retry", f.Name))}
}

func (p *patient) waitingFiles(files []recordings.SpoolFile) []Finding {
	if len(files) == 0 {
		return nil
	}
	f := oldest(files)
	reason := firstLine(f.Reason)
	if reason == "" {
		reason = "for their turn"
	}
	finding := warn(p.cfg.Recordings.SpoolDir, "%s for longer than %s, the first is %s: %s", countWait(len(files)), age(longWait), p.since(f), reason).
		because("These recordings do not appear before they are imported.")
	switch {
	case !p.live():
		return []Finding{finding.do("start the service", p.control("start"))}
	case strings.Contains(f.Reason, recordings.ErrNoSpace.Error()):
		return []Finding{finding.rated(Fail).do("make room; they go on by themselves within a minute", shell("df", "-h", p.cfg.Recordings.PublishedDir), p.asOperator("recordings", "prune", "--dry-run"))}
	}
	return []Finding{finding.do("see what they wait for", p.asOperator("recordings", "spool"))}
}

func (p *patient) incompleteFiles(files []recordings.SpoolFile) []Finding {
	if len(files) == 0 {
		return nil
	}
	f := oldest(files)
	return []Finding{warn(p.cfg.Recordings.SpoolDir, "%s incomplete for longer than %s, the first is %s", countAre(len(files), "tarball"), age(longWait), p.since(f)).
		because("The copy broke off, or is very slow; after a day they count as failed.").
		do("have the BBB server send them again, a new copy takes the place of the old one", p.asOperator("recordings", "spool"))}
}

// ignoredFiles tells of files that are no tarballs; n are ignored in all.
func (p *patient) ignoredFiles(files []recordings.SpoolFile, n int) []Finding {
	if len(files) == 0 {
		return nil
	}
	f := oldest(files)
	return []Finding{warn(p.cfg.Recordings.SpoolDir, "%s, the oldest is %s: %s", countIgnored(n), p.since(f), firstLine(f.Reason)).
		because("If they are recordings, these do not appear: only files that end in .tar, .tar.gz or .tgz are imported.").
		do("give a tarball its right name, and move away what is none", p.asOperator("recordings", "spool"))}
}

func countIgnored(n int) string {
	if n == 1 {
		return "1 file is ignored"
	}
	return count(n, "file") + " are ignored"
}

func countWere(n int, noun string) string {
	if n == 1 {
		return count(n, noun) + " was"
	}
	return count(n, noun) + " were"
}

func countAre(n int, noun string) string {
	if n == 1 {
		return count(n, noun) + " is"
	}
	return count(n, noun) + " are"
}

func countWait(n int) string {
	if n == 1 {
		return "1 tarball waits"
	}
	return count(n, "tarball") + " wait"
}
