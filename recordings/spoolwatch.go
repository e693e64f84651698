package recordings

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"github.com/fsnotify/fsnotify"
)

// watch is the event side of the spool. Without a watcher it has no events.
type watch struct {
	spool   *Spool
	watcher *fsnotify.Watcher
	dir     os.FileInfo    // the directory that is watched
	last    fsnotify.Event // the one before
	problem string
}

// renew watches the directory, again if another one is there now: it may have
// been made or mounted anew. ctx is that of Run: it ends what is put in order for
// another directory.
func (w *watch) renew(ctx context.Context) {
	dir := w.spool.o.Config.SpoolDir
	info, err := os.Stat(dir)
	if err != nil {
		return // the look that follows says so
	}
	same := w.dir != nil && os.SameFile(info, w.dir)
	if !same {
		w.spool.restore(ctx)
	} else if w.spool.unresolved.Swap(false) {
		w.spool.resolve(ctx)
	}
	if w.spool.o.NoEvents || same && w.watcher != nil && slices.Contains(w.watcher.WatchList(), dir) {
		w.dir = info
		return
	}
	w.dir = info
	if err := w.add(dir); err != nil {
		if err.Error() != w.problem {
			w.spool.o.Log.Warn("no events for the spool; recordings.rescan finds its files", "cause", err)
		}
		w.problem = err.Error()
		return
	}
	w.problem = ""
}

func (w *watch) add(dir string) (err error) {
	if w.watcher == nil {
		if w.watcher, err = w.spool.newWatcher(); err != nil {
			w.watcher = nil
			return err
		}
	}
	_ = w.watcher.Remove(dir) // that of a directory which is covered by a mount
	return w.watcher.Add(dir)
}

func (w *watch) events() <-chan fsnotify.Event {
	if w.watcher == nil {
		return nil
	}
	return w.watcher.Events
}

func (w *watch) errors() <-chan error {
	if w.watcher == nil {
		return nil
	}
	return w.watcher.Errors
}

// note takes an event and tells how soon the directory should be looked at for
// it. A temporary name that becomes that of a tarball shows as a Rename directly
// followed by a Create; such a tarball is complete.
func (w *watch) note(e fsnotify.Event, ok bool) urgency {
	if !ok {
		w.watcher = nil // closed behind our back
		return soon
	}
	name, before := filepath.Base(e.Name), w.last
	w.last = e
	s := w.spool
	switch {
	case e.Name == s.o.Config.SpoolDir:
		return soon // it was removed, or moved away
	case e.Has(fsnotify.Create) && isTarball(name):
		if before.Has(fsnotify.Rename) && !isTarball(filepath.Base(before.Name)) {
			s.seen.rename(name)
		}
		return soon
	case e.Has(fsnotify.Create):
		return soon // a temporary name, to be known when it becomes another
	case e.Has(fsnotify.Write):
		return later
	case e.Has(fsnotify.Remove), e.Has(fsnotify.Rename):
		if s.lists(name) {
			return soon
		}
	}
	return never
}

// lists reports whether a file is known that nobody works on: tarballs that are
// imported are removed by the spool itself.
func (s *Spool) lists(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[name]
	return e != nil && !e.busy || isStray(s.strays, name)
}

func (w *watch) close() {
	if w.watcher != nil {
		_ = w.watcher.Close()
	}
}
