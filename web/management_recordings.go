package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"scalelite/recordings"
	"scalelite/store"
)

// registerRecordings adds the calls about recordings, which the Ruby system has
// none of, in the style of the others. Each is about one recording, or one
// tarball of the spool, whose id stands in the query: unlike a body that is
// signed.
func (m *management) registerRecordings(g *echo.Group) {
	for name, do := range map[string]managed{
		"getSpool":         m.getSpool,
		"getRecordingInfo": m.getRecordingInfo,
	} {
		g.GET("/"+name, m.handle(name, m.ifOn(do)))
		g.HEAD("/"+name, m.handle(name, m.ifOn(do)))
	}
	for name, do := range map[string]managed{
		"retrySpool":         m.retrySpool,
		"publishRecording":   m.recordingCall("published", func(ctx context.Context, id string) error { return m.setPublished(ctx, id, true) }),
		"unpublishRecording": m.recordingCall("unpublished", func(ctx context.Context, id string) error { return m.setPublished(ctx, id, false) }),
		"protectRecording":   m.recordingCall("protected", func(ctx context.Context, id string) error { return m.setProtected(ctx, id, true) }),
		"unprotectRecording": m.recordingCall("unprotected", func(ctx context.Context, id string) error { return m.setProtected(ctx, id, false) }),
		"deleteRecording": m.recordingCall("deleted", func(ctx context.Context, id string) error {
			_, err := m.library.Delete(ctx, nil, []string{id})
			return err
		}),
		"undeleteRecording": m.recordingCall("brought back", func(ctx context.Context, id string) error {
			_, err := m.library.Undelete(ctx, []string{id})
			return err
		}),
	} {
		g.POST("/"+name, m.bodiless(name, m.handle(name, m.ifOn(do))))
	}
}

// bodiless refuses a request with a body.
func (m *management) bodiless(call string, next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().ContentLength != 0 {
			return m.answer(c, call, nil, 0, nil, &apiError{http.StatusBadRequest, "This call takes no body: its id belongs into the signed query"})
		}
		return next(c)
	}
}

// subjectOf is what the id of a call names, for the log.
func subjectOf(call string) string {
	switch {
	case strings.HasSuffix(call, "Spool"):
		return "file"
	case strings.Contains(call, "Recording"):
		return "recording"
	}
	return "server"
}

// ifOn answers as the calls about tenants do where there are none.
func (m *management) ifOn(do managed) managed {
	return func(ctx context.Context, r managementRequest) (int, any, error) {
		if m.library == nil || m.spool == nil {
			return http.StatusPreconditionFailed, map[string]string{"message": "Recordings are disabled"}, nil
		}
		return do(ctx, r)
	}
}

// recordingCall is a call that changes one recording. What it began goes on when
// the client leaves.
func (m *management) recordingCall(done string, change func(ctx context.Context, id string) error) managed {
	return func(ctx context.Context, r managementRequest) (int, any, error) {
		id, err := r.needID()
		if err != nil {
			return 0, nil, err
		}
		if err := change(context.WithoutCancel(ctx), id); err != nil {
			return 0, nil, err
		}
		return http.StatusOK, map[string]string{"success": "Recording id=" + id + " was " + done}, nil
	}
}

func (m *management) setPublished(ctx context.Context, id string, publish bool) error {
	_, err := m.library.SetPublished(ctx, nil, []string{id}, publish)
	return err
}

// setProtected: that nothing changed may also mean that there is no such
// recording.
func (m *management) setProtected(ctx context.Context, id string, protect bool) error {
	changed, err := m.library.Update(ctx, nil, []string{id}, recordings.Change{Protect: &protect})
	if err != nil || changed {
		return err
	}
	r, err := m.recording(ctx, id)
	if err == nil && r.State == store.Deleted {
		err = recordings.ErrNotFound
	}
	return err
}

func (m *management) recording(ctx context.Context, id string) (r store.Recording, err error) {
	err = m.store.View(ctx, func(tx *store.Tx) error {
		r, err = tx.Recording(id)
		return err
	})
	return r, err
}

// recordingObject is a recording in answers.
type recordingObject struct {
	ID           string               `json:"id"`
	MeetingID    string               `json:"meeting_id"`
	Name         string               `json:"name"`
	State        store.RecordingState `json:"state"`
	Protected    bool                 `json:"protected"`
	Start        int64                `json:"start"` // ms since 1970, as in the BBB API
	End          int64                `json:"end"`
	Participants int                  `json:"participants"`
	Imported     time.Time            `json:"imported,omitzero"`
	Deleted      time.Time            `json:"deleted,omitzero"`
	Metadata     map[string]string    `json:"metadata"`
	Formats      []recordingFormat    `json:"formats"`
}

type recordingFormat struct {
	Type  string `json:"type"`
	URL   string `json:"url"`
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
}

func (m *management) getRecordingInfo(ctx context.Context, r managementRequest) (int, any, error) {
	id, err := r.needID()
	if err != nil {
		return 0, nil, err
	}
	found, err := m.recording(ctx, id)
	if err != nil {
		return 0, nil, err
	}
	object := recordingObject{
		ID: found.ID, MeetingID: found.MeetingID, Name: found.Name, State: found.State, Protected: found.Protected,
		Start: found.Start, End: found.End, Participants: found.Participants,
		Imported: found.ImportedAt, Deleted: found.DeletedAt,
		Metadata: found.Metadata(), Formats: []recordingFormat{},
	}
	for _, f := range found.Formats {
		object.Formats = append(object.Formats, recordingFormat{f.Type, f.URL, f.Files, f.Bytes})
	}
	return http.StatusOK, object, nil
}

// getSpool lists the tarballs that are not imported, with state and reason.
func (m *management) getSpool(ctx context.Context, _ managementRequest) (int, any, error) {
	files, err := m.spool.Files(ctx)
	if files == nil {
		files = []recordings.SpoolFile{}
	}
	return http.StatusOK, files, err
}

// retrySpool has a failed tarball tried again; without an id, all of them.
func (m *management) retrySpool(ctx context.Context, r managementRequest) (int, any, error) {
	var names []string
	if id := r.id(); id != "" {
		names = []string{id}
	}
	back, err := m.spool.Retry(context.WithoutCancel(ctx), names)
	switch {
	case errors.Is(err, recordings.ErrNotFound):
		return 0, nil, &apiError{http.StatusNotFound, "Couldn't find failed tarball with id=" + r.id()}
	case errors.Is(err, recordings.ErrInvalid):
		return 0, nil, &apiError{http.StatusConflict, "Another tarball in the spool has the name; try again when it is imported"}
	case err != nil:
		return 0, nil, err
	}
	if back == nil {
		back = []string{}
	}
	return http.StatusOK, map[string][]string{"retried": back}, nil
}
