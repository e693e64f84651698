package bbbtest

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// live is the running or waiting meeting with an external ID.
func (s *Server) live(meetingID string) (*meeting, *apiError) {
	s.sweep()
	if m := s.newest[meetingID]; m != nil && !m.ended {
		return m, nil
	}
	return nil, errNotFound()
}

func (s *Server) isMeetingRunning(c *call) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	if err := checkMeetingID(c.params); err != nil {
		return failed(err)
	}
	m := s.newest[c.get("meetingID")]
	return success(func(d *document) { d.bool("running", m != nil && m.running()) })
}

func (s *Server) getMeetingInfo(c *call) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	if err := checkMeetingID(c.params); err != nil {
		return failed(err)
	}
	m := s.newest[c.get("meetingID")]
	if m == nil {
		return failed(errNotFound())
	}
	return success(m.write)
}

func (s *Server) getMeetings(*call) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	list := s.listed()
	return success(func(d *document) {
		if len(list) == 0 {
			d.buf.WriteString("<meetings/>")
			d.text("messageKey", "noMeetings")
			d.text("message", "no meetings were found on this server")
			return
		}
		d.open("meetings")
		for _, m := range list {
			d.open("meeting")
			m.write(d)
			d.close("meeting")
		}
		d.close("meetings")
	})
}

func (s *Server) getSessions(*call) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	var tokens []string
	for _, m := range s.listed() {
		tokens = append(tokens, m.tokens...)
	}
	return success(func(d *document) {
		if len(tokens) == 0 {
			d.buf.WriteString("<sessions/>")
			d.text("messageKey", "noSessions")
			d.text("message", "no sessions were found on this serverr") // sic
			return
		}
		d.open("sessions")
		for _, token := range tokens {
			se := s.sessions[token]
			d.open("meeting")
			d.text("meetingID", se.meeting.InternalID)
			d.text("meetingName", se.meeting.Name)
			d.text("userName", se.user.Name)
			d.close("meeting")
		}
		d.close("sessions")
	})
}

// write writes the elements of one meeting in the order of a real server.
func (m *meeting) write(d *document) {
	d.text("meetingName", m.Name)
	d.text("meetingID", m.MeetingID)
	d.text("internalMeetingID", m.InternalID)
	d.int("createTime", m.CreateTime)
	d.text("createDate", m.createDate())
	d.text("voiceBridge", m.VoiceBridge)
	d.text("dialNumber", m.dialNumber())
	d.optional("attendeePW", m.AttendeePW)
	d.optional("moderatorPW", m.ModeratorPW)
	d.bool("running", m.running())
	d.int("duration", int64(m.duration/time.Minute))
	d.bool("hasUserJoined", !m.started.IsZero())
	d.bool("recording", m.recording)
	d.bool("hasBeenForciblyEnded", m.forced)
	d.int("startTime", milliseconds(m.started))
	d.int("endTime", milliseconds(m.endedAt))
	m.writePeople(d)
	d.open("metadata")
	for _, key := range slices.Sorted(maps.Keys(m.Metadata)) {
		d.text(key, m.Metadata[key])
	}
	d.close("metadata")
	d.bool("isBreakout", m.IsBreakout)
	if m.IsBreakout {
		d.text("parentMeetingID", m.ParentID)
		d.int("sequence", int64(m.sequence))
		d.bool("freeJoin", m.freeJoin)
	}
	if len(m.breakouts) > 0 {
		d.open("breakoutRooms")
		for _, b := range m.breakouts {
			d.text("breakout", b.MeetingID)
		}
		d.close("breakoutRooms")
	}
}

// writePeople writes the numbers, then the list of those who are in.
func (m *meeting) writePeople(d *document) {
	people := m.present()
	var listeners, voices, videos, moderators int
	for _, u := range people {
		listeners += count(u.ListenOnly)
		voices += count(u.Voice)
		videos += count(u.Video)
		moderators += count(u.Moderator)
	}
	d.int("participantCount", int64(len(people)))
	d.int("listenerCount", int64(listeners))
	d.int("voiceParticipantCount", int64(voices))
	d.int("videoCount", int64(videos))
	d.int("maxUsers", int64(m.maxUsers))
	d.int("moderatorCount", int64(moderators))
	d.open("attendees")
	for _, u := range people {
		u.write(d)
	}
	d.close("attendees")
}

func (u *User) write(d *document) {
	d.open("attendee")
	d.text("userID", cmp.Or(u.ExternalID, u.ID))
	d.text("fullName", u.Name)
	d.text("role", u.role())
	d.bool("isPresenter", u.presenter)
	d.bool("isListeningOnly", u.ListenOnly)
	d.bool("hasJoinedVoice", u.Voice)
	d.bool("hasVideo", u.Video)
	d.text("clientType", "HTML5")
	d.open("customdata")
	for _, key := range slices.Sorted(maps.Keys(u.customdata)) {
		d.text(key, u.customdata[key])
	}
	d.close("customdata")
	d.close("attendee")
}

func (u *User) role() string {
	if u.Moderator {
		return "MODERATOR"
	}
	return "VIEWER"
}

// milliseconds is a time as the API has it, 0 for none.
func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func (s *Server) end(c *call) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	if err := checkMeetingID(c.params); err != nil {
		return failed(err)
	}
	m := s.newest[c.get("meetingID")]
	if m == nil {
		return failed(errNotFound())
	}
	if pw := c.get("password"); pw != "" && pw != m.ModeratorPW {
		return failed(&apiError{key: "invalidPassword", message: "Provided moderator password is incorrect"})
	}
	s.finish(m, c.now, true)
	return success(func(d *document) {
		d.text("messageKey", "sentEndMeetingRequest")
		d.text("message", "A request to end the meeting was sent.  Please wait a few seconds, and then use the "+
			"getMeetingInfo or isMeetingRunning API calls to verify that it was ended.")
	})
}

func (s *Server) sendChatMessage(c *call) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	if err := checkMeetingID(c.params); err != nil {
		return failed(err)
	}
	m, err := s.live(c.get("meetingID"))
	if err != nil {
		return failed(err)
	}
	if c.get("message") == "" {
		return failed(invalid("You must provide a message"))
	}
	if len(m.Chat) == maxChat {
		m.Chat = m.Chat[1:]
	}
	m.Chat = append(m.Chat, ChatMessage{cmp.Or(c.get("userName"), "System"), c.get("message")})
	return success(func(d *document) {
		d.text("messageKey", "")
		d.text("message", "Message successfully sent")
	})
}
