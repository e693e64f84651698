package bbbtest

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// callbackTimeout bounds one callback at the end of a meeting.
const callbackTimeout = 5 * time.Second

// sweep ends the meetings whose time is over and drops those that have been
// ended for long enough. It is called, with s.mu held, before anything looks at
// the meetings, and costs nothing until something is due.
func (s *Server) sweep() {
	now := s.opts.Now()
	if s.due.IsZero() || now.Before(s.due) {
		return
	}
	s.due = time.Time{}
	for _, m := range s.listed() {
		if at := m.expiry(); !m.ended && !at.IsZero() && !now.Before(at) {
			s.finish(m, at, false)
		}
		if m.ended && !now.Before(m.endedAt.Add(s.opts.EndDelay)) {
			s.remove(m)
			continue
		}
		s.note(m)
	}
}

// note makes sure that sweep looks again when something of m falls due.
func (s *Server) note(m *meeting) {
	at := m.expiry()
	if m.ended {
		at = m.endedAt.Add(s.opts.EndDelay)
	}
	if !at.IsZero() && (s.due.IsZero() || at.Before(s.due)) {
		s.due = at
	}
}

// finish ends a meeting and its breakout rooms: everybody is out, the voice
// bridge is free, the callbacks go out.
func (s *Server) finish(m *meeting, at time.Time, forced bool) {
	if m.ended {
		return
	}
	m.ended, m.forced, m.endedAt = true, forced, at
	m.users = nil
	s.forgetSessions(m)
	if s.bridges[m.VoiceBridge] == m {
		delete(s.bridges, m.VoiceBridge)
	}
	for _, b := range slices.Clone(m.breakouts) { // finish may take it off the list
		s.finish(b, at, forced)
	}
	s.callBack(m)
	s.note(m)
	if s.opts.EndDelay <= 0 {
		s.remove(m)
	}
}

// remove drops a meeting from all tables.
func (s *Server) remove(m *meeting) {
	delete(s.meetings, m.InternalID)
	if s.newest[m.MeetingID] == m {
		delete(s.newest, m.MeetingID)
	}
	if s.bridges[m.VoiceBridge] == m {
		delete(s.bridges, m.VoiceBridge)
	}
	s.forgetSessions(m)
	if m.parent != nil {
		m.parent.breakouts = slices.DeleteFunc(m.parent.breakouts, func(b *meeting) bool { return b == m })
	}
}

// forgetSessions makes the tokens of a meeting worthless.
func (s *Server) forgetSessions(m *meeting) {
	for _, token := range m.tokens {
		delete(s.sessions, token)
	}
	m.tokens = nil
}

// callBack requests the addresses that the creator wanted to be told of the
// end at. Breakout rooms tell nobody.
func (s *Server) callBack(m *meeting) {
	if m.IsBreakout {
		return
	}
	if target, err := url.Parse(m.Metadata["endcallbackurl"]); err == nil && target.Host != "" {
		query := "recordingmarks=" + strconv.FormatBool(m.recording && m.marked) +
			"&meetingID=" + url.QueryEscape(m.MeetingID)
		if target.RawQuery != "" {
			query = target.RawQuery + "&" + query
		}
		target.RawQuery = query
		s.background.start(func(ctx context.Context) { notify(ctx, target.String()) })
	}
	if target := m.Params.Get("meetingEndedURL"); target != "" {
		s.background.start(func(ctx context.Context) { notify(ctx, target) })
	}
}

// notify performs one GET. Nobody is told how it went, as with the real server.
func notify(ctx context.Context, target string) {
	ctx, cancel := context.WithTimeout(ctx, callbackTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
}

// MarkRecording notes that somebody pressed the record button, which shows in
// the end callback of a recorded meeting.
func (s *Server) MarkRecording(meetingID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.live(meetingID)
	if err != nil {
		return err
	}
	m.marked = true
	return nil
}
