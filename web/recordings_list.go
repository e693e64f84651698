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

// listAhead is how many positions are looked up at a time: a list by thousands
// of meetings must not look for all of them again for each batch.
const listAhead = 10_000

func (s *Server) getRecordings(c echo.Context, r balancer.Request) error {
	if s.live.Load().GetRecordingsFiltered && r.Params.ID("recordID") == "" && r.Params.ID("meetingID") == "" {
		return bbb.ErrMissingParameters
	}
	q := parseRecordingQuery(r.Params)
	l := &recordingList{server: s, query: q, matches: q.filter.Matcher(), out: &bytes.Buffer{}, view: s.view(c)}
	return l.write(c)
}

// recordingList writes the answer of getRecordings, batch by batch.
type recordingList struct {
	server  *Server
	query   recordingQuery
	matches func(store.Recording) bool
	view    recordingView
	out     *bytes.Buffer
	listCursor
	count int  // recordings that were rendered
	began bool // something was written to the client
}

// listCursor is how far a list was read.
type listCursor struct {
	ahead []store.Position // that were looked up and not read yet
	after *store.Position  // behind which to look up more
	ended bool             // there are no more
	total int64            // of all pages
}

func (l *recordingList) write(c echo.Context) error {
	ctx := c.Request().Context()
	for !l.query.nothing {
		batch, err := l.read(ctx)
		if err != nil {
			return l.broken(ctx, err)
		}
		if err := l.render(ctx, batch); err != nil {
			return l.broken(ctx, err)
		}
		if l.ended && len(l.ahead) == 0 {
			break
		}
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

// read returns the next recordings.
func (l *recordingList) read(ctx context.Context) (batch []store.Recording, err error) {
	next := l.listCursor
	err = l.server.store.View(ctx, func(tx *store.Tx) error {
		next = l.listCursor
		if len(next.ahead) == 0 {
			if err := next.look(tx, l.query); err != nil {
				return err
			}
		}
		now := next.ahead[:min(listBatch, len(next.ahead))]
		next.ahead = next.ahead[len(now):]
		batch, err = store.Collect(tx.RecordingsAt(now, l.matches))
		return err
	})
	l.listCursor = next
	return batch, err
}

// look finds where the next recordings are. A page is found as a whole.
func (l *listCursor) look(tx *store.Tx, q recordingQuery) (err error) {
	skip, n := int64(0), listAhead
	if q.paged {
		skip, n = q.offset, int(q.limit)
		if l.total, err = tx.CountRecordings(q.filter); err != nil {
			return err
		}
	}
	if l.ahead, err = tx.RecordingPositions(q.filter, l.after, skip, n); err != nil {
		return err
	}
	l.ended = q.paged || len(l.ahead) < n
	if !l.ended {
		l.after = &l.ahead[n-1]
	}
	return nil
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
