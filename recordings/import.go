package recordings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"scalelite/recordings/metadata"
	"scalelite/recordings/unpack"
)

// ErrDeleted: a recording was deleted and is not brought back by an import.
var ErrDeleted = errors.New("the recording was deleted")

// PartialError is what Import returns when some of a tarball is in and some is
// not.
type PartialError struct {
	Imported Imported
	errs     []error
}

// Error names what is not in, and why.
func (e *PartialError) Error() string {
	return "only partly imported: " + errors.Join(e.errs...).Error()
}

// Unwrap returns the causes.
func (e *PartialError) Unwrap() []error { return e.errs }

// Import takes in the recordings of a tarball, each by a transaction of its own.
// It leaves the tarball where it is; once Import has returned nil, everything in
// it is durably here. Importing the same again is harmless.
//
// progress, which may be nil, is told the bytes that are unpacked and how many
// there are; it must not block.
//
// The error is ErrIncomplete, ErrNoSpace, a *PartialError, that of ctx, or why
// nothing of the tarball could be taken; ErrDeleted if that is because it was
// deleted here. Imported lists what is in, and with a *PartialError what is not.
func (l *Library) Import(ctx context.Context, path string, progress func(done, total int64)) (Imported, error) {
	return l.ImportTarball(ctx, Tarball{Path: path}, progress)
}

// ImportTarball is Import of a tarball of which more is known.
func (l *Library) ImportTarball(ctx context.Context, t Tarball, progress func(done, total int64)) (Imported, error) {
	end, err := l.beginFiles(ctx)
	if err != nil {
		return Imported{}, err
	}
	defer end()
	f, err := openRegular(t.Path)
	if err != nil {
		return Imported{}, err
	}
	defer f.Close()
	plan, room, err := l.plan(ctx, f)
	if err != nil {
		return Imported{}, err
	}
	defer room.release()
	s, err := l.newStage()
	if err != nil {
		return Imported{}, noSpace(err)
	}
	defer l.leaveStage(ctx, s)
	err = l.extract(ctx, f, plan, s, func(done int64) {
		room.use(done)
		if progress != nil {
			progress(done, plan.Bytes)
		}
	})
	if err != nil {
		return Imported{}, err
	}
	l.step("unpacked")
	all, err := s.read(plan)
	if err != nil {
		return Imported{}, err
	}
	return l.takeIn(ctx, s, t, all)
}

func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is no file", ErrInvalid, path)
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil, unreadable(err, info)
	}
	return f, err
}

// unreadable says whose a tarball is that may not be read, and what mends it.
func unreadable(err error, info fs.FileInfo) error {
	owner := "somebody else"
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		owner = userName(int(st.Uid))
	}
	return fmt.Errorf("%w: it belongs to %s, with mode %04o, and the service runs as %s, which must be able to read it: "+
		"give it away with chown, and see to the rights of the spool with 'scalelite recordings setup'", err, owner, info.Mode().Perm(), userName(os.Geteuid()))
}

// userName is a user by name, or by number where it has none.
func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return "the user " + u.Username
	}
	return fmt.Sprintf("user id %d", uid)
}

// newStage makes the directory of an import.
func (l *Library) newStage() (stage, error) {
	s := stage(filepath.Join(l.trees.work, importDir, randomName()))
	if err := os.Mkdir(string(s), 0o755); err != nil {
		return "", err
	}
	if err := os.Mkdir(s.files(), 0o755); err != nil {
		return "", errors.Join(err, os.Remove(string(s)))
	}
	return s, nil
}

// leaveStage removes the directory of an import, but not if it is needed to put
// something in order: the next start does that.
func (l *Library) leaveStage(ctx context.Context, s stage) {
	journals, err := s.journals()
	if err != nil || len(journals) > 0 {
		l.log.ErrorContext(ctx, "an import could not be put in order; the next start tries again", "path", string(s), "cause", err)
		return
	}
	l.remove(string(s))
}

// extract unpacks a tarball into the directory of the import, durably.
func (l *Library) extract(ctx context.Context, f *os.File, plan *unpack.Plan, s stage, progress func(int64)) error {
	root, err := os.OpenRoot(s.files())
	if err != nil {
		return err
	}
	defer root.Close()
	return unpackError(unpack.Extract(ctx, f, plan, root, progress))
}

// unpackError puts an error of unpack in the words of this package.
func unpackError(err error) error {
	switch {
	case errors.Is(err, unpack.ErrNoSpace):
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	case errors.Is(err, unpack.ErrIncomplete), errors.Is(err, unpack.ErrChanged):
		return &known{err, ErrIncomplete}
	}
	return err
}

// known is an error that says enough by itself, and also is one of ours.
type known struct {
	error
	ours error
}

func (k *known) Unwrap() []error { return []error{k.error, k.ours} }

// incoming is one recording of a tarball.
type incoming struct {
	id      string
	formats []incomingFormat
}

type incomingFormat struct {
	ImportedFormat
	doc  *metadata.Document // nil if err is set
	err  error
	seen time.Time // see store.Format
}

// read reads the metadata of everything that was unpacked. An ID or a format
// that is another than its directory's name refuses all of it.
func (s stage) read(plan *unpack.Plan) ([]incoming, error) {
	var all []incoming
	for _, p := range plan.Formats {
		f := incomingFormat{ImportedFormat: ImportedFormat{Type: p.Name, Files: p.Files, Bytes: p.Bytes}}
		f.doc, f.err = readMetadata(s.unpacked(p.Name, p.RecordID))
		if f.err == nil {
			if err := contradiction(f.doc, p.Name, p.RecordID); err != nil {
				return nil, err
			}
		}
		at := slices.IndexFunc(all, func(r incoming) bool { return r.id == p.RecordID })
		if at < 0 {
			at, all = len(all), append(all, incoming{id: p.RecordID})
		}
		all[at].formats = append(all[at].formats, f)
	}
	return all, nil
}

func readMetadata(dir string) (*metadata.Document, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := openIn(root, "metadata.xml")
	if errors.Is(err, os.ErrNotExist) {
		return nil, errors.New("there is no metadata.xml")
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	doc, err := metadata.Parse(f)
	if err != nil {
		return nil, fmt.Errorf("metadata.xml: %w", err)
	}
	return doc, nil
}

func contradiction(doc *metadata.Document, kind, id string) error {
	switch {
	case doc.RecordID != id:
		return fmt.Errorf("%w: metadata.xml in %s/%s is that of recording %s", ErrInvalid, kind, id, doc.RecordID)
	case doc.Format != "" && doc.Format != kind:
		return fmt.Errorf("%w: metadata.xml in %s/%s is that of format %s", ErrInvalid, kind, id, doc.Format)
	}
	return nil
}

// takeIn commits the recordings of a tarball one by one and says how it went.
func (l *Library) takeIn(ctx context.Context, s stage, t Tarball, all []incoming) (Imported, error) {
	var result Imported
	var errs []error
	some := false
	for _, in := range all {
		if ctx.Err() != nil {
			return result, context.Cause(ctx)
		}
		r := ImportedRecording{ID: in.id}
		err := l.commit(ctx, s, t, in)
		if err != nil && !permanent(err) {
			return result, fmt.Errorf("recording %s: %w", in.id, noSpace(err))
		}
		if err != nil { // said once, not for each of its formats
			errs = append(errs, fmt.Errorf("recording %s: %w", in.id, err))
		}
		for i, f := range in.formats {
			some = some || f.err == nil && err == nil
			f.Error = firstText(f.err, err)
			if f.err != nil {
				errs = append(errs, fmt.Errorf("recording %s: format %s: %w", in.id, f.Type, f.err))
			}
			in.formats[i] = f
			r.Formats = append(r.Formats, f.ImportedFormat)
		}
		r.Error = r.reason(err)
		result.Recordings = append(result.Recordings, r)
	}
	switch {
	case len(errs) == 0:
		return result, nil
	case some:
		return result, &PartialError{result, errs}
	default:
		return Imported{}, &notTaken{errors.Join(errs...), result}
	}
}

// notTaken is why nothing of a tarball is in that could be read, and what it is.
type notTaken struct {
	error
	all Imported
}

func (n *notTaken) Unwrap() error { return n.error }

// heldIn are the formats, as FORMAT/RECORDID, of a tarball that could not be
// imported for this reason; none if they are not known.
func heldIn(cause error) []string {
	var all Imported
	if partial, ok := errors.AsType[*PartialError](cause); ok {
		all = partial.Imported
	} else if none, ok := errors.AsType[*notTaken](cause); ok {
		all = none.all
	}
	return formatsOf(all, func(ImportedFormat) bool { return true })
}

// formatsOf are those formats of an import for which which says so, as
// FORMAT/RECORDID.
func formatsOf(all Imported, which func(ImportedFormat) bool) (names []string) {
	for _, r := range all.Recordings {
		for _, f := range r.Formats {
			if which(f) {
				names = append(names, f.Type+"/"+r.ID)
			}
		}
	}
	return names
}

func firstText(errs ...error) string {
	for _, err := range errs {
		if err != nil {
			return err.Error()
		}
	}
	return ""
}

// reason tells why a recording, or some of it, is not in.
func (r ImportedRecording) reason(err error) string {
	if err != nil {
		return err.Error()
	}
	var texts []string
	for _, f := range r.Formats {
		if f.Error != "" {
			texts = append(texts, f.Type+": "+f.Error)
		}
	}
	return strings.Join(texts, "; ")
}
