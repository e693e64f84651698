package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"
)

// readTimeout bounds one read of a tarball: whoever sends it may be slow, but
// not asleep.
const readTimeout = time.Minute

// importFile takes a tarball that comes as the body of a request.
func (h *handler) importFile(w *tracked, r *http.Request) {
	w.Header().Set("Connection", "close") // what is left of a body is no next request
	if r.ContentLength < 0 {
		h.fail(w, r, http.StatusLengthRequired, &Error{Invalid, "the size of the tarball must be told before it"}, nil)
		return
	}
	name := r.URL.Query().Get("name")
	body := newPacedReader(r.Context(), r.Body, http.NewResponseController(w))
	id, err := h.service.ImportRecording(r.Context(), name, r.ContentLength, body)
	body.stop()
	if err != nil {
		if r.Context().Err() != nil {
			err = &Error{Internal, "the tarball was cut: the daemon or the command stopped; nothing of it is kept"}
		}
		e := asError(err)
		h.fail(w, r, statusOf(e.Code), e, nil)
		return
	}
	h.log.Info("operator's change", append(peer(r.Context()), "call", "spool/add", "about", name, "import", id)...)
	answer(w, http.StatusOK, importAnswer{id})
}

// pacedReader gives every read its time, and ends with its context.
type pacedReader struct {
	ctx     context.Context
	r       io.Reader
	control *http.ResponseController
	stop    func() bool
}

func newPacedReader(ctx context.Context, r io.Reader, control *http.ResponseController) *pacedReader {
	p := &pacedReader{ctx: ctx, r: r, control: control}
	// A read that waits must not outlast the call.
	p.stop = context.AfterFunc(ctx, func() { _ = control.SetReadDeadline(time.Unix(1, 0)) })
	return p
}

func (p *pacedReader) Read(b []byte) (int, error) {
	if err := p.control.SetReadDeadline(time.Now().Add(readTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	if err := p.ctx.Err(); err != nil { // the deadline of its end may just have been overwritten
		return 0, err
	}
	return p.r.Read(b)
}

// ImportRecording puts a tarball of size bytes into the spool of the daemon.
func (c *Client) ImportRecording(ctx context.Context, name string, size int64, r io.Reader) (string, error) {
	body := io.NopCloser(r)
	if size == 0 {
		body = http.NoBody // net/http takes a length of 0 for one that is not known
	}
	resp, err := c.do(ctx, http.MethodPost, pathImportFile+"?name="+url.QueryEscape(name), body, "application/x-tar", func(req *http.Request) {
		req.ContentLength = size
		// A tarball that is refused need not be sent.
		req.Header.Set("Expect", "100-continue")
	})
	if err != nil {
		return "", err
	}
	var answer importAnswer
	err = c.answer(ctx, resp, &answer)
	return answer.ID, err
}
