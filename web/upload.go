package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"scalelite/recordings"
	"scalelite/store"
)

const uploadPath = managementPath + "/recordings"

// uploadRoutes are the calls that servers make about their own recordings.
func (s *Server) uploadRoutes() {
	s.echo.POST(uploadPath+"/upload", s.counted("upload", s.serverCall("upload", s.upload)))
	s.show(uploadPath+"/imports/:id", s.counted("imports", s.serverCall("imports", s.importState)))
	s.show(uploadPath+"/:id", s.counted("recording", s.serverCall("recording", s.recordingState)))
}

// uploadError is an answer to a server: a status and what is wrong.
type uploadError struct {
	status int
	text   string
	// again: the same request may succeed later.
	again time.Duration
}

func (e *uploadError) Error() string { return e.text }

var (
	errUploadsOff     = &uploadError{status: http.StatusNotFound, text: "Recordings are switched off here."}
	errNoSuchImport   = &uploadError{status: http.StatusNotFound, text: "There is no such import of this recording."}
	errNoSuchUpload   = &uploadError{status: http.StatusNotFound, text: "There is no such recording."}
	errUploadTooLarge = &uploadError{status: http.StatusRequestEntityTooLarge, text: "The tarball is larger than recordings.max_upload allows."}
	errUploadNoSpace  = &uploadError{status: http.StatusInsufficientStorage, text: "There is not enough free space for the tarball.", again: 10 * time.Minute}
	errUploadsHeld    = &uploadError{status: http.StatusServiceUnavailable, text: "The disk of the recordings is not in place.", again: 10 * time.Minute}
	errUploadsBusy    = &uploadError{status: http.StatusServiceUnavailable, text: "Too many uploads run at the moment.", again: time.Minute}
	errUploadCut      = &uploadError{status: http.StatusBadRequest, text: "The upload was interrupted."}
	errUploadOther    = &uploadError{status: http.StatusBadRequest, text: "The tarball holds another recording than the one that the token is for."}
)

// errUploadDeleted refuses a recording that somebody deleted here.
func errUploadDeleted(r store.Recording) error {
	return &uploadError{status: http.StatusConflict, text: fmt.Sprintf("The recording was deleted here on %s. To have it again, bring it back with 'scalelite recordings undelete %s', or remove its last trace with 'scalelite recordings delete --purge %s' and send it again.",
		r.DeletedAt.Format(time.DateOnly), r.ID, r.ID)}
}

// badTarball is the answer to a body that is not what it should be.
func badTarball(cause error) error {
	return &uploadError{status: http.StatusBadRequest, text: strings.ToUpper(cause.Error()[:1]) + cause.Error()[1:] + "."}
}

// serverCall is what the calls of servers have in common: a token that names
// the server and the recording, and answers in JSON.
func (s *Server) serverCall(name string, do func(c echo.Context, who uploader) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set("Cache-Control", "no-store")
		if s.limited(c) {
			return s.refuseToken(c, name, errTooManyFailures)
		}
		who, err := s.uploader(c)
		if errors.Is(err, errToken) {
			return s.refuseToken(c, name, err)
		}
		if err == nil {
			s.callers.note(c, who.server.ID)
		}
		if err == nil && (s.library == nil || s.spool == nil) {
			err = errUploadsOff
		}
		if err == nil {
			err = do(c, who)
		}
		if err == nil {
			return nil
		}
		return s.refuseUpload(c, name, who, err)
	}
}

func (s *Server) refuseUpload(c echo.Context, name string, who uploader, err error) error {
	log := s.log.With("addr", c.RealIP(), "call", name, "server", who.server.ID, "recording", who.recording)
	answer, ok := errors.AsType[*uploadError](err)
	if !ok {
		log.Error("request of a server failed", "cause", err)
		return uploadAnswer(c, http.StatusInternalServerError, map[string]string{"error": "Internal error"})
	}
	log.Info("request of a server refused", "cause", err)
	if answer.again > 0 {
		c.Response().Header().Set("Retry-After", fmt.Sprint(int(answer.again.Seconds())))
	}
	return uploadAnswer(c, answer.status, map[string]string{"error": answer.text})
}

// refuseToken answers a request whose token is not good, always alike, and
// counts it against its address as a failed checksum.
func (s *Server) refuseToken(c echo.Context, name string, err error) error {
	if errors.Is(err, errTooManyFailures) {
		if s.metrics != nil {
			s.metrics.RateLimited()
		}
	} else {
		s.limiter.failed(s.suspect(c), s.live.Load().ChecksumFailuresPerMinute)
		if s.metrics != nil {
			s.metrics.ChecksumFailure()
		}
	}
	// The words of this line are what the fail2ban filter looks for.
	s.log.Warn("checksum refused", "addr", c.RealIP(), "call", name, "cause", err)
	c.Response().Header().Set("WWW-Authenticate", "Bearer")
	return uploadAnswer(c, http.StatusUnauthorized, map[string]string{"error": "The token of this request is missing or not valid."})
}

func uploadAnswer(c echo.Context, status int, answer any) error {
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return c.Blob(status, jsonType, body)
}

// upload takes a tarball in and leaves it in the spool.
func (s *Server) upload(c echo.Context, who uploader) error {
	id, bytes, err := s.receive(c, who)
	if err != nil {
		return err
	}
	s.log.Info("tarball taken", "addr", c.RealIP(), "server", who.server.ID, "recording", who.recording, "import", id, "bytes", bytes)
	c.Response().Header().Set(echo.HeaderLocation, uploadPath+"/imports/"+id)
	return uploadAnswer(c, http.StatusAccepted, map[string]string{"import": id, "recording": who.recording})
}

// importState tells a server how the import of its tarball went.
func (s *Server) importState(c echo.Context, who uploader) error {
	i, err := s.spool.Import(c.Request().Context(), c.Param("id"))
	if errors.Is(err, store.ErrNotFound) || err == nil && (i.Server != who.server.ID || recordingOf(i.File) != who.recording) {
		return errNoSuchImport
	}
	if err != nil {
		return err
	}
	return uploadAnswer(c, http.StatusOK, answerOf(i, who))
}

// importAnswer is how an import goes, or went, as a server reads it.
type importAnswer struct {
	Import    string            `json:"import"`
	Recording string            `json:"recording"`
	State     store.ImportState `json:"state"`
	Since     time.Time         `json:"since"`
	Ended     time.Time         `json:"ended,omitzero"`
	Tries     int               `json:"tries"`
	Next      time.Time         `json:"next,omitzero"`
	Error     string            `json:"error,omitempty"`
	*importBytes
}

// importBytes are in the answer as long as the tarball is in the spool.
type importBytes struct {
	Done int64 `json:"done"`
	Size int64 `json:"size"`
}

func answerOf(i recordings.ImportProgress, who uploader) importAnswer {
	a := importAnswer{
		Import: i.ID, Recording: who.recording, State: i.State, Since: i.Since,
		Ended: i.Ended, Tries: i.Tries, Next: i.Next, Error: i.Error,
	}
	if i.Size > 0 && i.Ended.IsZero() {
		a.importBytes = &importBytes{i.Done, i.Size}
	}
	return a
}

// recordingOf is the recording that an uploaded tarball is named after.
func recordingOf(file string) string {
	return strings.TrimSuffix(strings.TrimSuffix(file, ".gz"), ".tar")
}

// formatState is one format of a recording, as a server compares it with its own
// copy.
type formatState struct {
	Type  string `json:"type"`
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
	// Missing: its files are not where they should be, not as many as were
	// imported, or cannot be read. Files and Bytes are what is there.
	Missing bool `json:"missing,omitempty"`
	// Metadata is the SHA-256 of its metadata.xml in hex, empty if there is none:
	// BBB writes a new one whenever it makes a format anew, so it tells versions
	// of equal size apart.
	Metadata string `json:"metadata,omitempty"`
}

// recordingState tells a server whether its recording is safely here, so that
// it may delete its own copy: "here" says that all files of every format are in
// place. It looks at the disk, whatever the record says. Beside it stands the
// newest import of the recording, which tells those who put tarballs into the
// spool how it goes.
func (s *Server) recordingState(c echo.Context, who uploader) error {
	if c.Param("id") != who.recording {
		return errNoSuchUpload
	}
	// In this order: of what is told to be imported, the record must not be older.
	newest, err := s.newestImport(c.Request().Context(), who)
	if err != nil {
		return err
	}
	var r store.Recording
	err = s.store.View(c.Request().Context(), func(tx *store.Tx) (err error) {
		r, err = tx.Recording(who.recording)
		return err
	})
	if errors.Is(err, store.ErrNotFound) && newest == nil {
		return errNoSuchUpload
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	here, formats := len(r.Formats) > 0, []formatState{}
	for _, f := range r.Formats {
		state, err := s.formatState(r, f)
		if err != nil {
			s.log.Error("format of a recording could not be read", "recording", r.ID, "format", f.Type, "cause", err)
			state.Missing = true
		}
		here = here && !state.Missing
		formats = append(formats, state)
	}
	return uploadAnswer(c, http.StatusOK, struct {
		Recording string               `json:"recording"`
		Here      bool                 `json:"here"`
		State     store.RecordingState `json:"state,omitempty"`
		Imported  time.Time            `json:"imported,omitzero"`
		Formats   []formatState        `json:"formats"`
		Import    *importAnswer        `json:"import,omitempty"`
	}{who.recording, here, r.State, r.ImportedAt, formats, newest})
}

// newestImport is that of a recording, nil if there is none that is a server's
// business: its own upload, or a tarball that nobody knows the sender of.
func (s *Server) newestImport(ctx context.Context, who uploader) (*importAnswer, error) {
	i, err := s.spool.ImportOf(ctx, who.recording)
	if errors.Is(err, store.ErrNotFound) || err == nil && i.Server != "" && i.Server != who.server.ID {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	answer := answerOf(i, who)
	return &answer, nil
}

// formatState looks at one format. What cannot be read is an error, besides what
// was found before it.
func (s *Server) formatState(r store.Recording, f store.Format) (formatState, error) {
	files, bytes, err := s.library.CountFiles(r, f.Type)
	state := formatState{Type: f.Type, Files: files, Bytes: bytes, Missing: err != nil || files < f.Files || bytes < f.Bytes}
	if err != nil && !isNotFound(err) {
		return state, err
	}
	state.Metadata, err = s.metadataSum(r, f.Type)
	return state, err
}

func (s *Server) metadataSum(r store.Recording, format string) (string, error) {
	f, err := s.library.OpenFile(r, format, "metadata.xml")
	if isNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", fmt.Errorf("read metadata.xml of %s/%s: %w", format, r.ID, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
