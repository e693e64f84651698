package bbb

import (
	"errors"
	"strings"
	"time"
)

// Meeting is what a balancer needs of one meeting in an answer to getMeetings
// or getMeetingInfo. An element that is missing or malformed gives the zero
// value: one odd meeting must not hide a server's others.
type Meeting struct {
	// MeetingID is the one that the front-end chose, InternalID the server's.
	MeetingID, InternalID string
	// Name is the meeting's name.
	Name string
	// CreateTime is the server's, zero if unknown.
	CreateTime time.Time
	// VoiceBridge is the number to dial, digits.
	VoiceBridge string
	// ModeratorPW and AttendeePW are the passwords of old joins.
	ModeratorPW, AttendeePW string
	// Participants counts everybody, the Moderators among them; Videos, Voice
	// and Listeners count cameras, speakers and those who only listen.
	Participants, Moderators, Videos, Voice, Listeners int
	// Running tells that somebody has joined and the meeting has not ended.
	Running bool
	// Ended tells that it was ended and only lingers in the list.
	Ended bool
	// Breakout tells that it is a breakout room, of the meeting with the
	// internal ID ParentID.
	Breakout bool
	ParentID string
	// HasUserJoined tells that somebody has joined at some time.
	HasUserJoined bool
	// TenantID is the metadata's tenant-id.
	TenantID string
	// Raw is the meeting's element as it came, tags included. It shares the
	// memory of the answer.
	Raw []byte
}

// Meetings returns the meetings of an answer to getMeetings in their order.
func (r Reply) Meetings() []Meeting {
	s, err := newScanner(r.Body)
	if err != nil {
		return nil
	}
	var meetings []Meeting
	for {
		k, err := s.next()
		if err != nil || k == atEOF {
			return meetings
		}
		if k != atStart || s.depth != 3 || !s.isAt([]string{"meetings", "meeting"}) {
			continue
		}
		m, err := s.meeting()
		if err != nil {
			return meetings
		}
		meetings = append(meetings, m)
	}
}

// ParseMeetingInfo reads the answer to getMeetingInfo; Raw is then the whole
// response. An answer that is not OK, or has no meetingID, is an error.
func ParseMeetingInfo(r Reply) (Meeting, error) {
	if !r.OK {
		return Meeting{}, errors.New("getMeetingInfo was refused: " + excerpt(r.MessageKey))
	}
	s, err := newScanner(r.Body)
	if err != nil {
		return Meeting{}, err
	}
	if _, err := s.next(); err != nil {
		return Meeting{}, err
	}
	m, err := s.meeting()
	if err != nil {
		return Meeting{}, err
	}
	if m.MeetingID == "" {
		return Meeting{}, errors.New("answer to getMeetingInfo has no meetingID")
	}
	return m, nil
}

// Meta returns a value of the meeting's metadata, "" if it is not there. BBB
// keeps the keys in lower case.
func (m Meeting) Meta(key string) string {
	return textAt(m.Raw, "metadata", key)
}

// meeting reads the element that has just started to its end.
func (s *scanner) meeting() (Meeting, error) {
	var m Meeting
	base, start := s.depth, s.start
	var c content
	depth := 0 // of the element that c collects
	for {
		k, err := s.next()
		if err != nil {
			return m, err
		}
		switch k {
		case atEOF:
			return m, errTruncated
		case atStart:
			c, depth = content{}, s.depth
		case atText:
			if s.depth == depth {
				c.add(s.text, s.literal)
			}
		case atEnd:
			switch {
			case s.depth == base:
				m.Raw = s.b[start:s.pos:s.pos]
				return m, nil
			case s.depth == base+1 && depth == s.depth:
				m.set(s.name(), c.bytes())
			case s.depth == base+2 && depth == s.depth && string(s.name()) == "tenant-id" && string(s.names[base]) == "metadata":
				m.TenantID = string(c.bytes())
			}
		}
	}
}

func (m *Meeting) set(name, text []byte) {
	switch string(name) {
	case "meetingID":
		m.MeetingID = string(text)
	case "internalMeetingID":
		m.InternalID = string(text)
	case "meetingName":
		m.Name = string(text)
	case "createTime":
		if ms := count(text, 15); ms > 0 {
			m.CreateTime = time.UnixMilli(ms).UTC()
		}
	case "voiceBridge":
		m.VoiceBridge = string(text)
	case "moderatorPW":
		m.ModeratorPW = string(text)
	case "attendeePW":
		m.AttendeePW = string(text)
	case "parentMeetingID":
		m.ParentID = string(text)
	default:
		m.setState(name, text)
	}
}

func (m *Meeting) setState(name, text []byte) {
	const digits = 9 // more people than that are a mistake
	switch string(name) {
	case "participantCount":
		m.Participants = int(count(text, digits))
	case "moderatorCount":
		m.Moderators = int(count(text, digits))
	case "videoCount":
		m.Videos = int(count(text, digits))
	case "voiceParticipantCount":
		m.Voice = int(count(text, digits))
	case "listenerCount":
		m.Listeners = int(count(text, digits))
	case "running":
		m.Running = isTrue(text)
	case "hasUserJoined":
		m.HasUserJoined = isTrue(text)
	case "isBreakout":
		m.Breakout = isTrue(text)
	case "hasBeenForciblyEnded":
		m.Ended = m.Ended || isTrue(text)
	case "endTime":
		m.Ended = m.Ended || count(text, 15) > 0
	}
}

// count reads a number of up to so many digits; everything else is 0.
func count(text []byte, digits int) int64 {
	if len(text) > digits {
		return 0
	}
	var n int64
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

func isTrue(text []byte) bool { return strings.EqualFold(string(text), "true") }
