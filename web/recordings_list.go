package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/store"
)

// listBatch is how many recordings are read in one transaction: a long list must
// not keep one open while a slow client reads it.
const listBatch = 200

func (s *Server) getRecordings(c echo.Context, r balancer.Request) error {
	if s.live.Load().GetRecordingsFiltered && r.Params.ID("recordID") == "" && r.Params.ID("meetingID") == "" {
		return bbb.ErrMissingParameters
	}
	q := parseRecordingQuery(r.Params)
	l := &recordingList{server: s, query: q, out: &bytes.Buffer{}, view: s.view(c)}
	return l.write(c)
}

// recordingList writes the answer of getRecordings, batch by batch.
type recordingList struct {
	server *Server
	query  recordingQuery
	view   recordingView
	out    *bytes.Buffer
	count  int   // recordings that were rendered
	began  bool  // something was written to the client
	total  int64 // of all pages
}

func (l *recordingList) write(c echo.Context) error {
	ctx := c.Request().Context()
	wanted := int64(-1)
	if l.query.paged {
		wanted = l.query.limit
	}
	var after *store.Position
	skip := l.query.offset
	for !l.query.nothing {
		batch, more, err := l.read(ctx, after, skip, wanted)
		if err != nil {
			return l.broken(ctx, err)
		}
		if err := l.render(ctx, batch); err != nil {
			return l.broken(ctx, err)
		}
		if wanted >= 0 {
			wanted -= int64(len(batch))
		}
		if !more || wanted == 0 {
			break
		}
		last := batch[len(batch)-1]
		skip = 0
		after = &store.Position{Start: last.Start, ID: last.ID}
		if err := l.flush(c); err != nil {
			return l.broken(ctx, err)
		}
	}
	return l.end(c)
}

// broken: once a part of the list is out, an error must not look like its end.
func (l *recordingList) broken(ctx context.Context, err error) error {
	if l.began {
		level := slog.LevelError
		if ctx.Err() != nil { // the client left
			level = slog.LevelInfo
		}
		l.server.log.Log(ctx, level, "list of recordings was cut", "cause", err)
		panic(http.ErrAbortHandler)
	}
	return bbb.ErrInternal.With(err)
}

// read returns the next recordings, and whether there may be more.
func (l *recordingList) read(ctx context.Context, after *store.Position, skip, wanted int64) (batch []store.Recording, more bool, err error) {
	size := int64(listBatch)
	if wanted >= 0 {
		size = min(size, wanted)
	}
	err = l.server.store.View(ctx, func(tx *store.Tx) error {
		batch, more = nil, false
		if l.query.paged && after == nil {
			if l.total, err = tx.CountRecordings(l.query.filter); err != nil {
				return err
			}
		}
		for r, err := range tx.RecordingsFrom(l.query.filter, after, skip) {
			if err != nil {
				return err
			}
			if int64(len(batch)) == size {
				more = true
				return nil
			}
			batch = append(batch, r)
		}
		return nil
	})
	return batch, more, err
}

func (l *recordingList) render(ctx context.Context, batch []store.Recording) error {
	if len(batch) == 0 {
		return nil
	}
	if l.count == 0 {
		l.out.WriteString("<response><returncode>SUCCESS</returncode><recordings>")
	}
	links, err := l.view.links(ctx, batch)
	if err != nil {
		return err
	}
	for _, r := range batch {
		l.view.recording(l.out, r, links)
	}
	l.count += len(batch)
	return nil
}

func (l *recordingList) flush(c echo.Context) error {
	w := c.Response()
	// However long the list is, each part has its time.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	if !l.began {
		l.began = true
		w.Header().Set(echo.HeaderContentType, xmlType)
		w.WriteHeader(http.StatusOK)
	}
	_, err := io.Copy(w, l.out)
	l.out.Reset()
	return err
}

func (l *recordingList) end(c echo.Context) error {
	if l.count == 0 {
		l.out.WriteString(strings.TrimSuffix(noRecordings, "</response>"))
	} else {
		l.out.WriteString("</recordings>")
	}
	if l.query.paged {
		fmt.Fprintf(l.out, "<pagination><pageable><offset>%d</offset><limit>%d</limit><paged>true</paged><unpaged>false</unpaged></pageable>"+
			"<totalElements>%d</totalElements><empty>%t</empty></pagination>", l.query.offset, l.query.limit, l.total, l.count == 0)
	}
	l.out.WriteString("</response>")
	return l.flush(c)
}
