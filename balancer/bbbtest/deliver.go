package bbbtest

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	nowhere = "http://elsewhere.invalid/"

	hugeHead  = "<response><returncode>SUCCESS</returncode><version>2.0</version><!-- "
	hugeTail  = " --></response>"
	hugeSize  = 100 << 20
	bombSize  = 256 << 20
	chunkSize = 32 << 10
)

// deliver answers a call in the way of d. carryOut does what was asked and
// returns the proper answer; it is called once or not at all.
func (s *Server) deliver(w http.ResponseWriter, r *http.Request, d deed, c *call, carryOut func() *answer) {
	switch d.Kind {
	case Slow:
		d.wait(r.Context())
	case Hang:
		d.hang(r.Context())
	case Reset:
		reset(w)
		return
	case DropMeeting:
		s.Forget(c.get("meetingID"))
	}
	if send := d.canned(); send != nil {
		send(w, r)
		return
	}
	a := carryOut()
	switch d.Kind {
	case SlowAfter:
		d.wait(r.Context())
	case HangAfter:
		d.hang(r.Context())
	case ResetAfter:
		reset(w)
		return
	case Trickle:
		d.trickle(w, r, a)
		return
	case HalfXML:
		a.body = a.body[:len(a.body)/2]
	case HalfXMLCut:
		a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
		a.body = a.body[:len(a.body)/2] // net/http closes a connection that fell short
	case BadUTF8:
		a.body = bytes.Replace(a.body, []byte("</response>"), []byte("<message>\xff\xc3(</message></response>"), 1)
	case JoinToForeignLocation:
		a.status = http.StatusFound
		a.header.Set("Location", cmp.Or(d.Location, nowhere))
	}
	a.write(w)
}

// canned returns what sends the answer of a kind that does not carry the call
// out, nil for the others.
func (d deed) canned() func(http.ResponseWriter, *http.Request) {
	var a *answer
	switch d.Kind {
	case EndlessBody:
		return d.endless
	case HugeBody:
		return d.huge
	case GzipBomb:
		return d.bomb
	case ServerError:
		a = htmlError(cmp.Or(d.Status, http.StatusBadGateway))
	case HTML:
		a = htmlError(http.StatusOK)
	case WrongSecret:
		a = failed(errChecksum())
	case EmptyBody:
		a = &answer{status: http.StatusOK, header: http.Header{"Content-Type": {"text/xml;charset=utf-8"}}}
	case Redirect:
		a = redirect(cmp.Or(d.Location, nowhere))
		a.status = cmp.Or(d.Status, a.status)
	default:
		return nil
	}
	return func(w http.ResponseWriter, _ *http.Request) { a.write(w) }
}

// wait returns after Delay or Behave. If the client or the server goes away
// before, it ends the request.
func (d deed) wait(ctx context.Context) {
	timer := time.NewTimer(d.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-d.behave:
	case <-ctx.Done():
		panic(http.ErrAbortHandler)
	}
}

// hang ends the request once the client or the server goes away, or on Behave.
func (d deed) hang(ctx context.Context) {
	select {
	case <-d.behave:
	case <-ctx.Done():
	}
	panic(http.ErrAbortHandler)
}

// trickle sends the answer byte by byte; on Behave the rest at once.
func (d deed) trickle(w http.ResponseWriter, r *http.Request, a *answer) {
	d.Delay = cmp.Or(d.Delay, 100*time.Millisecond)
	rc := http.NewResponseController(w)
	a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
	body := a.body
	a.body = nil
	a.write(w)
	for i := range body {
		if rc.Flush() != nil {
			return
		}
		d.wait(r.Context())
		if _, err := w.Write(body[i : i+1]); err != nil {
			return
		}
	}
}

// reset cuts the connection so that the kernel sends RST instead of FIN.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 or a recorder: break off all the same
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func (d deed) endless(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/xml;charset=utf-8")
	chunk := []byte(hugeHead)
	for r.Context().Err() == nil {
		select {
		case <-d.behave:
			panic(http.ErrAbortHandler)
		default:
		}
		if _, err := w.Write(chunk); err != nil {
			return
		}
		chunk = filler(chunkSize)
	}
	panic(http.ErrAbortHandler)
}

func (d deed) huge(w http.ResponseWriter, _ *http.Request) {
	size := max(cmp.Or(d.Size, hugeSize), int64(len(hugeHead)+len(hugeTail)))
	w.Header().Set("Content-Type", "text/xml;charset=utf-8")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	_ = writeHuge(w, size) // fails when the client has had enough
}

func (d deed) bomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/xml;charset=utf-8")
	w.Header().Set("Content-Encoding", "gzip")
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if writeHuge(z, cmp.Or(d.Size, bombSize)) == nil {
		_ = z.Close()
	}
}

// writeHuge writes well-formed XML of size bytes.
func writeHuge(w io.Writer, size int64) error {
	if _, err := io.WriteString(w, hugeHead); err != nil {
		return err
	}
	chunk := filler(chunkSize)
	for left := size - int64(len(hugeHead)+len(hugeTail)); left > 0; left -= int64(len(chunk)) {
		if left < int64(len(chunk)) {
			chunk = chunk[:left]
		}
		if _, err := w.Write(chunk); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, hugeTail)
	return err
}

func filler(n int) []byte { return bytes.Repeat([]byte("x"), n) }

// redirect is a 302 with no body to speak of.
func redirect(location string) *answer {
	return &answer{
		status: http.StatusFound,
		header: http.Header{"Location": {location}, "Cache-Control": {"no-cache"}},
	}
}
