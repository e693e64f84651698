package admin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"scalelite/recordings"
	"scalelite/store"
)

// ExamineService answers what only the process that has the database knows, for
// those who look for faults. It changes nothing, and touches no directory of the
// recordings but those it is asked about.
type ExamineService interface {
	Examine(ctx context.Context, q ExamineQuery) (Examination, error)
}

// ExamineQuery says what is asked beside what is always told.
type ExamineQuery struct {
	// Paths are directories and files; whether the process may use them is told.
	Paths []string `json:"paths,omitempty"`
	// Trees are directories of recordings; whether they are those that the database
	// knows is told. nil: not.
	Trees *recordings.Directories `json:"trees,omitempty"`
	// Sample is how many recordings are told of, the newest ones that are not
	// deleted.
	Sample int `json:"sample,omitempty"`
	// Records are IDs of recordings; which of them nobody knows is told.
	Records []string `json:"records,omitempty"`
	// Brief leaves out what takes long in a large database and is not asked for:
	// damage, uploads and callbacks.
	Brief bool `json:"brief,omitempty"`
}

// MaxExamined bounds each of the lists of an ExamineQuery, and Sample.
const MaxExamined = 1000

// Examination is what a process tells about itself and its database.
type Examination struct {
	Process ProcessState `json:"process"`
	// Schema is that of the database, Damage what is wrong with its indexes; empty
	// if nothing is.
	Schema int    `json:"schema"`
	Damage string `json:"damage,omitempty"`
	// Unusable says of those of the paths that the process cannot read, write and
	// enter why not.
	Unusable map[string]string `json:"unusable"`
	// NotInPlace is why Trees are other directories, empty if they are not.
	NotInPlace string `json:"not_in_place,omitempty"`
	// Uploads has by server's ID the last tarball that the server has uploaded. What
	// came through the spool does not tell which server it is from.
	Uploads map[string]Upload `json:"uploads"`
	// Calls has by server's ID the last call that the server has made about its
	// recordings since the start. Our hook makes some for each recording, also if
	// that comes through the spool.
	Calls     map[string]Call  `json:"calls,omitempty"`
	Callbacks CallbackTrouble  `json:"callbacks"`
	Sample    []RecordingFiles `json:"sample"`
	Unknown   []string         `json:"unknown"` // those of Records that have no record
	// Certificate is nil unless certificates come by ACME.
	Certificate *CertificateState `json:"certificate,omitempty"`
}

// ProcessState is what the system gives a process.
type ProcessState struct {
	PID    int   `json:"pid"`
	UID    int   `json:"uid"`
	GID    int   `json:"gid"`
	Groups []int `json:"groups"`
	// OpenFiles are those it has now, 0 if the system does not tell; MaxFiles is
	// how many it may have.
	OpenFiles int    `json:"open_files"`
	MaxFiles  uint64 `json:"max_files"`
}

// Upload is a tarball that a server has uploaded.
type Upload struct {
	Time  time.Time         `json:"time"` // when it came, or its import ended
	State store.ImportState `json:"state"`
}

// Call is a call of a server about its recordings.
type Call struct {
	Time time.Time `json:"time"`
	// Ours: by its own account the sender of our setup script made it.
	Ours bool `json:"ours"`
}

// CallbackTrouble sums up the messages that front-ends have not taken.
type CallbackTrouble struct {
	Pending int `json:"pending"`
	Retried int `json:"retried"` // those of Pending that were tried in vain
	Failed  int `json:"failed"`  // given up
	// Oldest is when the oldest of those was created that were tried in vain; the
	// rest is about that one. Of its URL only the host is told.
	Oldest time.Time `json:"oldest,omitzero"`
	ID     string    `json:"id,omitempty"`
	Host   string    `json:"host,omitempty"`
	Error  string    `json:"error,omitempty"`
}

// RecordingFiles is a recording with where its files should be.
type RecordingFiles struct {
	ID      string               `json:"id"`
	State   store.RecordingState `json:"state"`
	Moving  bool                 `json:"moving,omitempty"` // its files are on their way
	Formats []string             `json:"formats"`
}

// CertificateState is the certificate that came by ACME.
type CertificateState struct {
	Names    []string  `json:"names,omitempty"` // none: there is no certificate
	NotAfter time.Time `json:"not_after,omitzero"`
	// Error is why the last attempt to get or renew it failed; empty if it did not.
	Error string `json:"error,omitempty"`
}

// Examine tells what q asks for; Invalid if that is too much.
func (l *Local) Examine(ctx context.Context, q ExamineQuery) (Examination, error) {
	if len(q.Paths) > MaxExamined || len(q.Records) > MaxExamined || q.Sample > MaxExamined || q.Sample < 0 {
		return Examination{}, &Error{Invalid, fmt.Sprintf("more than %d paths, recordings or samples are not told of at once", MaxExamined)}
	}
	e := Examination{Process: processState(), Unusable: map[string]string{}, Schema: store.SchemaVersion()}
	if l.calls != nil {
		e.Calls = l.calls()
	}
	for _, path := range q.Paths {
		if err := usable(path); err != nil {
			e.Unusable[path] = err.Error()
		}
	}
	if q.Trees != nil {
		if err := recordings.CheckInPlace(ctx, l.store, *q.Trees); errors.Is(err, recordings.ErrNotInPlace) {
			e.NotInPlace = err.Error()
		} else if err != nil {
			return e, explain(ctx, err)
		}
	}
	if !q.Brief {
		if err := l.store.Check(ctx); ctx.Err() != nil {
			return e, ctx.Err()
		} else if err != nil {
			e.Damage = err.Error()
		}
	}
	err := l.store.View(ctx, func(tx *store.Tx) error { return e.read(tx, q) })
	if err == nil && l.certificate != nil {
		e.Certificate, err = l.certificate(ctx)
	}
	return e, explain(ctx, err)
}

// usable reports why this process cannot use a directory, or cannot read and
// write a file.
func usable(path string) error {
	mode := uint32(unix.R_OK | unix.W_OK)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		mode |= unix.X_OK
	}
	return unix.Access(path, mode)
}

func processState() ProcessState {
	p := ProcessState{PID: os.Getpid(), UID: os.Geteuid(), GID: os.Getegid(), Groups: []int{}}
	if groups, err := os.Getgroups(); err == nil {
		p.Groups = list(groups)
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		p.MaxFiles = limit.Cur
	}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		p.OpenFiles = len(open)
	}
	return p
}

// read gathers what the database knows. It may run more than once.
func (e *Examination) read(tx *store.Tx, q ExamineQuery) error {
	e.Uploads, e.Callbacks = map[string]Upload{}, CallbackTrouble{}
	e.Sample, e.Unknown = []RecordingFiles{}, []string{}
	if !q.Brief {
		if err := e.movements(tx); err != nil {
			return err
		}
	}
	for _, id := range q.Records {
		_, err := tx.Recording(id)
		if errors.Is(err, store.ErrNotFound) {
			e.Unknown = append(e.Unknown, id)
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return e.sample(tx, q.Sample)
}

// movements gathers what came from the servers, and what goes to front-ends.
func (e *Examination) movements(tx *store.Tx) error {
	for i, err := range tx.Imports() {
		if err != nil {
			return err
		}
		at := i.Since
		if !i.Ended.IsZero() {
			at = i.Ended
		}
		if last, known := e.Uploads[i.Server]; i.Server != "" && (!known || at.After(last.Time)) {
			e.Uploads[i.Server] = Upload{Time: at, State: i.State}
		}
	}
	for c, err := range tx.Callbacks() {
		if err != nil {
			return err
		}
		e.Callbacks.add(c)
	}
	return nil
}

func (e *Examination) sample(tx *store.Tx, n int) error {
	if n == 0 {
		return nil
	}
	filter := store.RecordingFilter{States: []store.RecordingState{store.Published, store.Unpublished}}
	for r, err := range tx.Recordings(filter, nil) {
		if err != nil {
			return err
		}
		files := RecordingFiles{ID: r.ID, State: r.State, Moving: r.Moving != "", Formats: []string{}}
		for _, f := range r.Formats {
			files.Formats = append(files.Formats, f.Type)
		}
		if e.Sample = append(e.Sample, files); len(e.Sample) == n {
			break
		}
	}
	return nil
}

// hostAlone is what of a URL can be shown to everybody.
func hostAlone(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "(a URL that makes no sense)"
	}
	return u.Host
}

// add counts one more; they come by age.
func (t *CallbackTrouble) add(c store.Callback) {
	switch {
	case c.Failed():
		t.Failed++
	case c.Tries > 0:
		t.Pending++
		t.Retried++
	default:
		t.Pending++
		return
	}
	if t.Oldest.IsZero() {
		t.Oldest, t.ID, t.Host, t.Error = c.Created, c.ID, hostAlone(c.URL), c.Error
	}
}
