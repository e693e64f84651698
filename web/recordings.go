package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/recordings"
	"scalelite/store"
)

// recordingCalls are the calls that concern recordings.
func (s *Server) recordingCalls() []call {
	return append(s.trackCalls(), []call{
		{name: "getRecordings", off: s.ifOff(noRecordings), handle: s.getRecordings},
		{name: "publishRecordings", getOnly: true, off: s.ifOff(recordingsNotFound), handle: notHead(s.publishRecordings)},
		{name: "updateRecordings", off: s.ifOff(recordingsNotFound), handle: notHead(s.updateRecordings)},
		{name: "deleteRecordings", getOnly: true, off: s.ifOff(recordingsNotFound), handle: notHead(s.deleteRecordings)},
	}...)
}

// notHead keeps a HEAD, which looks and does not touch, from changing anything.
func notHead(handle func(echo.Context, balancer.Request) error) func(echo.Context, balancer.Request) error {
	return func(c echo.Context, r balancer.Request) error {
		if c.Request().Method == http.MethodHead {
			return bbb.ErrUnsupportedRequest
		}
		return handle(c, r)
	}
}

// ifOff answers with body while recordings are switched off.
func (s *Server) ifOff(body string) func() []byte {
	return func() []byte {
		if s.library != nil {
			return nil
		}
		return []byte(body)
	}
}

// The constant answers of the recording calls.
const (
	noRecordings = "<response><returncode>SUCCESS</returncode><recordings></recordings>" +
		"<messageKey>noRecordings</messageKey><message>There are not recordings for the meetings</message></response>"
	recordingsNotFound = "<response><returncode>FAILED</returncode><messageKey>notFound</messageKey><message>We could not find recordings</message></response>"
)

// items splits a list at commas; empty elements, a trailing comma, are skipped.
func items(list string) []string {
	found := []string{}
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			found = append(found, item)
		}
	}
	return found
}

// recordIDs returns the list of a call that needs one.
func recordIDs(p bbb.Params) ([]string, error) {
	ids := items(p.ID("recordID"))
	if len(ids) == 0 {
		return nil, bbb.ErrMissingRecordID
	}
	return ids, nil
}

// scope is whose recordings the caller may touch.
func (r recordingQuery) scope() recordings.Scope { return r.filter.Tenant }

// recordingQuery is a getRecordings as it was asked for.
type recordingQuery struct {
	filter store.RecordingFilter
	// nothing: a filter is given but empty or malformed. It matches nothing,
	// never everything.
	nothing bool
	paged   bool
	offset  int64
	limit   int64
}

// recordingStates are the states that clients may ask for, with what they are
// here: nothing is ever in the midst of processing.
var recordingStates = map[string][]store.RecordingState{
	"processing": nil, "processed": nil,
	"published": {store.Published}, "unpublished": {store.Unpublished}, "deleted": {store.Deleted},
	"any": store.RecordingStates(),
}

const maxPage = 100

// metaFilter is the name of a filter on metadata; its keys are those of
// updateRecordings.
var metaFilter = regexp.MustCompile(`^meta_([A-Za-z_][A-Za-z0-9_.-]*)$`)

// parseRecordingQuery reads the parameters of getRecordings. A recordID makes a
// meetingID beside it count for nothing, as in BBB.
func parseRecordingQuery(p bbb.Params) recordingQuery {
	q := recordingQuery{filter: store.RecordingFilter{
		States: []store.RecordingState{store.Published, store.Unpublished}, Meta: map[string][]string{},
	}}
	if _, ok := p.Lookup("recordID"); ok {
		q.filter.IDs = q.list(p.ID("recordID"))
	} else if _, ok := p.Lookup("meetingID"); ok {
		q.filter.Meetings = q.list(p.ID("meetingID"))
	}
	if list, ok := p.Lookup("state"); ok {
		q.states(q.list(list))
	}
	for name, value := range p.All() {
		if !strings.HasPrefix(name, "meta_") {
			continue
		}
		key := metaFilter.FindStringSubmatch(name)
		if key == nil {
			q.nothing = true
			continue
		}
		q.filter.Meta[strings.ToLower(key[1])] = q.list(value)
	}
	q.page(p)
	return q
}

func (q *recordingQuery) list(value string) []string {
	found := items(value)
	if len(found) == 0 {
		q.nothing = true
	}
	return found
}

func (q *recordingQuery) states(names []string) {
	q.filter.States = nil
	for _, name := range names {
		states, known := recordingStates[name]
		if !known {
			q.nothing = true
		}
		q.filter.States = append(q.filter.States, states...)
	}
	slices.Sort(q.filter.States)
	q.filter.States = slices.Compact(q.filter.States)
}

// page: a limit makes pages. As in BBB, one that is out of range counts as the
// nearest that is not, and an offset that is no good as 0.
func (q *recordingQuery) page(p bbb.Params) {
	limit, err := strconv.ParseInt(p.ID("limit"), 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return
	}
	q.paged, q.limit = true, min(max(limit, 1), maxPage)
	if offset, err := strconv.ParseInt(p.ID("offset"), 10, 64); err == nil && offset >= 0 {
		q.offset = offset
	}
}

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

// publishRecordings shows recordings or hides them.
func (s *Server) publishRecordings(c echo.Context, r balancer.Request) error {
	ids, err := recordIDs(r.Params)
	if err != nil {
		return err
	}
	value := r.Params.ID("publish")
	if value == "" {
		return bbb.ErrMissingPublish
	}
	publish := strings.EqualFold(value, "true")
	_, err = s.library.SetPublished(lasting(c), nil, ids, publish)
	switch {
	case errors.Is(err, recordings.ErrNotFound):
		return bbb.ErrRecordingsNotFound
	case err != nil:
		return bbb.ErrPublishFailed.With(err)
	}
	return success(c, "published", strconv.FormatBool(publish))
}

// deleteRecordings removes recordings.
func (s *Server) deleteRecordings(c echo.Context, r balancer.Request) error {
	ids, err := recordIDs(r.Params)
	if err != nil {
		return err
	}
	_, err = s.library.Delete(lasting(c), nil, ids)
	switch {
	case errors.Is(err, recordings.ErrNotFound):
		return bbb.ErrRecordingsNotFound
	case err != nil:
		return bbb.ErrInternal.With(err)
	}
	return success(c, "deleted", "true")
}

// updateRecordings sets or removes metadata, and the protection.
func (s *Server) updateRecordings(c echo.Context, r balancer.Request) error {
	ids, err := recordIDs(r.Params)
	if err != nil {
		return err
	}
	change := recordings.Change{Meta: map[string]string{}}
	for name, value := range r.Params.All() {
		if key, ok := strings.CutPrefix(name, "meta_"); ok {
			change.Meta[strings.ToLower(key)] = strings.TrimSpace(value)
		}
	}
	if value := r.Params.ID("protect"); value != "" {
		protect := strings.EqualFold(value, "true")
		if !protect && !strings.EqualFold(value, "false") {
			return errProtect
		}
		change.Protect = &protect
	}
	updated, err := s.library.Update(lasting(c), nil, ids, change)
	switch {
	case errors.Is(err, recordings.ErrInvalid):
		return bbb.ValidationError(err.Error()).With(err)
	case err != nil:
		return bbb.ErrInternal.With(err)
	}
	return success(c, "updated", strconv.FormatBool(updated))
}

// errProtect: a value that is neither must not open a recording to everybody.
var errProtect = bbb.ValidationError("The parameter protect must be true or false")

// lasting is the request's context for work that must not stop halfway because
// the client left.
func lasting(c echo.Context) context.Context {
	return context.WithoutCancel(c.Request().Context())
}

func success(c echo.Context, element, text string) error {
	body := "<response><returncode>SUCCESS</returncode><" + element + ">" + text + "</" + element + "></response>"
	return c.Blob(http.StatusOK, xmlType, []byte(body))
}
