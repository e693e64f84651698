package web

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sys/unix"

	"scalelite/recordings"
	"scalelite/recordings/unpack"
	"scalelite/store"
)

// Bounds of uploads.
const (
	maxUploads  = 16        // at once
	uploadBlock = 256 << 10 // bytes copied at once
	uploadCheck = 64 << 20  // bytes between two looks at the free space
	// answerTime is what answering may take once a tarball has come in, which
	// includes looking through it.
	answerTime = 15 * time.Minute
)

// uploads are those that run: how many there are, and how many bytes they are
// still going to bring, so that two of them do not count on the same space.
type uploads struct {
	mu     sync.Mutex
	n      int
	coming int64
}

// begin admits an upload of size bytes, 0 if nobody knows, if dir has the room
// for it beside what must remain free.
func (u *uploads) begin(dir string, size, keep int64) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.n >= maxUploads {
		return errUploadsBusy
	}
	if err := room(dir, u.coming+size+keep); err != nil {
		return err
	}
	u.n, u.coming = u.n+1, u.coming+size
	return nil
}

// came notes bytes that were announced and need no more room.
func (u *uploads) came(n int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.coming -= n
}

func (u *uploads) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.n--
}

// room returns errUploadNoSpace if dir has less than need bytes free.
func room(dir string, need int64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("ask for the free space of the spool %s: %w", dir, err)
	}
	if free := int64(st.Bavail) * int64(st.Bsize); free < need {
		return errUploadNoSpace
	}
	return nil
}

// receive writes the tarball of a request to the spool, under a name that
// nobody takes for a tarball until it is whole, on disk and known to hold the
// one recording. It returns the ID of the import and the size.
func (s *Server) receive(c echo.Context, who uploader) (id string, size int64, err error) {
	if err := s.refuseDeleted(c.Request().Context(), who.recording); err != nil {
		return "", 0, err
	}
	limits, err := s.uploadLimits()
	if err != nil {
		return "", 0, err
	}
	announced := max(c.Request().ContentLength, 0)
	if announced > limits.max {
		return "", 0, errUploadTooLarge
	}
	// The spool may be on the disk that is away: what comes now would be hidden.
	if err := s.library.InPlace(c.Request().Context()); errors.Is(err, recordings.ErrNotInPlace) {
		return "", 0, errUploadsHeld
	} else if err != nil {
		return "", 0, err
	}
	if err := s.uploads.begin(s.spool.Dir(), announced, limits.keep); err != nil {
		return "", 0, err
	}
	defer s.uploads.end()
	u := &incoming{server: s, body: s.uploadBody(c), who: who, announced: announced, limits: limits}
	defer func() { s.uploads.came(u.announced) }() // what did not come
	f, err := createUpload(s.spool.Dir(), who.recording)
	if err != nil {
		return "", 0, storing(err)
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if id == "" {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := u.copyTo(f); err != nil {
		return "", 0, err
	}
	_ = http.NewResponseController(c.Response()).SetWriteDeadline(time.Now().Add(answerTime))
	if err := u.inspect(c.Request().Context(), f); err != nil {
		return "", 0, err
	}
	id, err = u.hand(c.Request().Context(), f)
	return id, u.size, err
}

// refuseDeleted refuses a recording that is deleted: its tarball would not be
// imported.
func (s *Server) refuseDeleted(ctx context.Context, id string) error {
	var r store.Recording
	err := s.store.View(ctx, func(tx *store.Tx) (err error) {
		r, err = tx.Recording(id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) || err == nil && !recordings.IsDeleted(r) {
		return nil
	}
	if err != nil {
		return err
	}
	return errUploadDeleted(r)
}

// uploadLimits are what holds for uploads now, in bytes.
type uploadLimits struct {
	max  int64 // of one tarball
	keep int64 // to remain free
}

func (s *Server) uploadLimits() (l uploadLimits, err error) {
	config := s.recordingsConfig()
	if l.max, err = recordings.ParseSize(config.MaxUpload); err != nil {
		return l, fmt.Errorf("recordings.max_upload: %w", err)
	}
	if l.keep, err = recordings.ParseSize(config.MinFree); err != nil {
		return l, fmt.Errorf("recordings.min_free: %w", err)
	}
	return l, nil
}

// uploadBody is the body of a request, which may take as long as it moves on.
func (s *Server) uploadBody(c echo.Context) io.Reader {
	control := http.NewResponseController(c.Response())
	return readerFunc(func(p []byte) (int, error) {
		_ = control.SetReadDeadline(time.Now().Add(s.patience))
		_ = control.SetWriteDeadline(time.Now().Add(s.patience + writeTimeout))
		return c.Request().Body.Read(p)
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// incoming is one tarball on its way in.
type incoming struct {
	server    *Server
	body      io.Reader
	who       uploader
	limits    uploadLimits
	announced int64 // bytes that are still reserved
	size      int64 // bytes that came
	checked   int64 // size at the last look at the free space
	packed    bool  // it is compressed
}

// copyTo writes the body to f and makes it durable. The beginning is looked at
// before the rest is read: a tarball of another recording is not worth waiting
// for.
func (u *incoming) copyTo(f *os.File) error {
	buf := make([]byte, uploadBlock)
	for first, end := true, false; !end; first = false {
		var n int
		var err error
		if n, end, err = fill(u.body, buf); err != nil {
			return errUploadCut
		}
		if first {
			if u.packed, err = checkHead(buf[:n], u.who.recording); err != nil {
				return err
			}
		}
		if err := u.write(f, buf[:n]); err != nil {
			return err
		}
	}
	return storing(f.Sync())
}

// fill reads until buf is full or r is at its end.
func fill(r io.Reader, buf []byte) (n int, end bool, err error) {
	for n < len(buf) {
		m, err := r.Read(buf[n:])
		n += m
		if err == io.EOF {
			return n, true, nil
		}
		if err != nil {
			return n, false, err
		}
	}
	return n, false, nil
}

func (u *incoming) write(f *os.File, p []byte) error {
	if u.size += int64(len(p)); u.size > u.limits.max {
		return errUploadTooLarge
	}
	if _, err := f.Write(p); err != nil {
		return storing(err)
	}
	reserved := min(int64(len(p)), u.announced)
	u.announced -= reserved
	u.server.uploads.came(reserved)
	if u.size-u.checked < uploadCheck {
		return nil
	}
	u.checked = u.size
	return room(filepath.Dir(f.Name()), u.limits.keep)
}

// storing explains an error of writing.
func storing(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return errUploadNoSpace
	}
	return err
}

// inspect makes sure that the tarball is whole, and of one recording: the one
// that the token is for.
func (u *incoming) inspect(ctx context.Context, f *os.File) error {
	// What a compressed one unpacks to is bounded as well; media do not shrink.
	plan, err := unpack.Inspect(ctx, f, unpack.Limits{MaxBytes: 2 * u.limits.max})
	switch refused := (*unpack.Refused)(nil); {
	case errors.Is(err, unpack.ErrNoSpace):
		return errUploadTooLarge
	case errors.As(err, &refused), errors.Is(err, unpack.ErrIncomplete), errors.Is(err, unpack.ErrCorrupt):
		return badTarball(err)
	case ctx.Err() != nil:
		return errUploadCut
	case err != nil:
		return err
	}
	for _, format := range plan.Formats {
		if format.RecordID != u.who.recording {
			return errUploadOther
		}
	}
	return nil
}

// hand gives the file its name and lets the spool know. From here on it happens
// even if the client is gone.
func (u *incoming) hand(ctx context.Context, f *os.File) (string, error) {
	ctx = context.WithoutCancel(ctx)
	name := u.who.recording + ".tar"
	if u.packed {
		name += ".gz"
	}
	spool := u.server.spool
	id, err := spool.Announce(ctx, name, u.who.server.ID)
	if err != nil {
		return "", err
	}
	if err := os.Rename(f.Name(), filepath.Join(spool.Dir(), name)); err != nil {
		forget := u.server.store.Update(ctx, func(tx *store.Tx) error { return tx.DeleteImport(id) })
		return "", errors.Join(storing(err), forget)
	}
	defer spool.Look()
	return id, syncDir(spool.Dir())
}

// syncDir makes the names in a directory durable, where the file system can.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}

// uploadName is what a tarball is called while it comes in.
var uploadName = regexp.MustCompile(`^\.[A-Za-z0-9_-]+\.upload-[A-Z2-7]{26}$`)

func createUpload(dir, recording string) (*os.File, error) {
	name := filepath.Join(dir, "."+recording+".upload-"+rand.Text())
	return os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o640)
}

// sweepUploads removes what uploads left behind when the process was killed. No
// upload may run.
func (s *Server) sweepUploads() {
	if s.spool == nil {
		return
	}
	entries, err := os.ReadDir(s.spool.Dir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Error("left-over uploads could not be looked for", "cause", err)
	}
	for _, e := range entries {
		if !uploadName.MatchString(e.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(s.spool.Dir(), e.Name())); err != nil {
			s.log.Error("left-over upload could not be removed", "file", e.Name(), "cause", err)
			continue
		}
		s.log.Info("left-over upload removed", "file", e.Name())
	}
}
