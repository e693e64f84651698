package recordings

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"scalelite/store"
)

// entry is one tarball of the spool.
type entry struct {
	store.Import
	stored bool // the store has the Import
	print  fingerprint
	rests  time.Time // since when the fingerprint is the same
	seen   time.Time // since when that is known here
	whole  bool      // it was renamed into place
	todo   task
	fails  int           // of todo, where it is not the import
	busy   bool          // somebody works on it
	again  bool          // meanwhile another file was seen under its name
	moved  chan struct{} // while it is moved to failed_dir; closed then
	done   int64
	held   []string  // its formats, if it failed and they are known; see failure
	at     time.Time // when it may be worked on
	index  int       // in the agenda
}

// task is what is to be done with a tarball.
type task int

const (
	takeIn   task = iota // import it
	discard              // it is imported: remove it
	setAside             // it is given up: move it to failed_dir
)

// sightings are what was seen of the directory beside the tarballs themselves.
type sightings struct {
	hidden   map[uint64]bool        // inodes that had a temporary name at the last look
	renamed  map[string]bool        // tarballs that had one, by the events since then
	complete map[string]fingerprint // tarballs that are complete for one of both reasons
}

func (s *sightings) rename(name string) {
	if s.renamed == nil {
		s.renamed = map[string]bool{}
	}
	s.renamed[name] = true
}

// whole tells whether a tarball got its name by a rename.
func (s *sightings) whole(name string, print fingerprint) bool {
	return s.hidden[print.inode] || s.renamed[name] || s.complete[name] == print
}

// note keeps what one look has found for the next ones.
func (s *sightings) note(tarballs map[string]fingerprint, hidden map[uint64]bool) {
	complete := map[string]fingerprint{}
	for name, print := range tarballs {
		if s.whole(name, print) {
			complete[name] = print
		}
	}
	s.hidden, s.renamed, s.complete = hidden, nil, complete
}

// scan compares the directory with what is known of it.
func (s *Spool) scan(ctx context.Context) error {
	found, err := os.ReadDir(s.o.Config.SpoolDir)
	if err != nil {
		return err
	}
	tarballs, hidden, strays := map[string]fingerprint{}, map[uint64]bool{}, Strays(found)
	for _, f := range found {
		info, err := f.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue // gone meanwhile, or nothing to import
		}
		print := fingerprintOfInfo(info)
		if isTarball(f.Name()) {
			tarballs[f.Name()] = print
			continue
		}
		hidden[print.inode] = true
		if isUnfinished(f.Name()) && s.o.Now().Sub(changed(info)) > unfinishedLife {
			s.abandon(f.Name(), info.Size())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, print := range tarballs {
		if err := s.see(ctx, name, print); err != nil {
			return err
		}
	}
	for name, e := range s.entries {
		if _, there := tarballs[name]; !there && !e.busy {
			s.lose(e)
		}
	}
	s.strays = strays
	s.seen.note(tarballs, hidden)
	return nil
}

// abandon removes what rsync began to write and nobody goes on with: a transfer
// that is begun anew takes another name.
func (s *Spool) abandon(name string, size int64) {
	if err := ignoreMissing(removeFile(s.path(name))); err != nil {
		s.o.Log.Warn("spool could not remove an unfinished transfer", "file", name, "cause", err)
		return
	}
	s.o.Log.Info("unfinished transfer removed", "file", name, "bytes", size, "unchanged_for", unfinishedLife.String())
}

// see notes one tarball: new, changed, or as it was.
func (s *Spool) see(ctx context.Context, name string, print fingerprint) error {
	e, now := s.entries[name], s.o.Now()
	if e != nil && e.busy {
		e.again = e.again || e.print != print
		return nil // its end looks at the file again
	}
	whole := s.seen.whole(name, print)
	if e != nil && e.print == print && (e.whole || !whole) {
		return nil
	}
	if e == nil || e.print != print {
		fresh, announced, err := s.known(ctx, name, print, now)
		if err != nil {
			return err
		}
		whole = whole || announced && (e == nil || e.ID != fresh.ID)
		if e != nil {
			// It changes under our eyes, whatever time of change it shows.
			fresh.rests, fresh.seen = now, now
			fresh.Tries, fresh.Next = 0, time.Time{}
			if !fresh.stored && e.todo == takeIn {
				fresh.ID, fresh.Since, fresh.Error = e.ID, e.Since, e.Error
			}
			s.forget(e)
		}
		e = fresh
		s.entries[name] = e
	}
	e.whole = whole
	s.plan(e)
	return nil
}

// known returns the entry of a tarball that is new here, and whether it was
// announced, which is to say complete. An import that a restart interrupted goes
// on.
func (s *Spool) known(ctx context.Context, name string, print fingerprint, now time.Time) (e *entry, announced bool, err error) {
	e = &entry{print: print, rests: now, seen: now, index: -1}
	err = s.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		e.Import, err = tx.ImportOf(name)
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, false, fmt.Errorf("read the import of %s: %w", name, err)
	}
	// What last changed long ago has been resting since.
	mtime := time.Unix(0, print.mtime)
	if mtime.Before(now) {
		e.rests = mtime
	}
	if err != nil || !e.Ended.IsZero() {
		e.Import = store.Import{ID: newImportID(), File: name, State: store.ImportSettling, Since: now}
		return e, false, nil
	}
	if r := e.Retried; r != nil && (r.Size != print.size || r.Changed.UnixNano() != print.mtime) {
		e.Retried = nil // another one took its name
	}
	if e.seen = e.Since; mtime.After(e.seen) && mtime.Before(now) {
		e.seen = mtime
	}
	announced = e.State == store.ImportWaiting && e.Tries == 0
	e.stored, e.File, e.State = true, name, store.ImportSettling
	return e, announced, nil
}

// newImportID returns an ID that sorts by age.
func newImportID() string { return uuid.Must(uuid.NewV7()).String() }

// plan puts an entry on the agenda, or where it belongs there now.
func (s *Spool) plan(e *entry) {
	e.at = e.rests
	if !e.whole {
		e.at = e.rests.Add(s.settleTime)
	}
	if e.Next.After(e.at) {
		e.at = e.Next
	}
	s.agenda.put(e)
}

// lose forgets an entry whose tarball has left the spool without our doing.
func (s *Spool) lose(e *entry) {
	if e.Ended.IsZero() {
		s.o.Log.Warn("tarball was taken out of the spool before it was imported", "file", e.File, "import", e.ID)
	}
	s.forget(e)
}

func (s *Spool) forget(e *entry) {
	delete(s.entries, e.File)
	s.agenda.remove(e)
}

// agenda is a heap of entries; the first is the one that is due first.
type agenda []*entry

func (a *agenda) put(e *entry) {
	if e.index >= 0 {
		heap.Fix(a, e.index)
	} else {
		heap.Push(a, e)
	}
}

func (a *agenda) remove(e *entry) {
	if e.index >= 0 {
		heap.Remove(a, e.index)
	}
}

// Len and the others are those of heap.Interface.
func (a agenda) Len() int { return len(a) }

func (a agenda) Less(i, j int) bool {
	if c := a[i].at.Compare(a[j].at); c != 0 {
		return c < 0
	}
	return strings.Compare(a[i].File, a[j].File) < 0
}

func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].index, a[j].index = i, j
}

// Push is for container/heap.
func (a *agenda) Push(x any) {
	e := x.(*entry)
	e.index = len(*a)
	*a = append(*a, e)
}

// Pop is for container/heap.
func (a *agenda) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	(*a)[last], *a = nil, (*a)[:last]
	e.index = -1
	return e
}
