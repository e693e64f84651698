package bbbtest

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Meeting is a snapshot of one meeting.
type Meeting struct {
	// MeetingID is the external ID, InternalID the server's own.
	MeetingID, InternalID string
	Name                  string
	// CreateTime is in milliseconds since 1970, as the API has it.
	CreateTime              int64
	VoiceBridge             string
	AttendeePW, ModeratorPW string
	// Users are the people in it, Moderators, Videos and Voices those of them
	// who are moderators, have a camera on, are heard or listen.
	Users, Moderators, Videos, Voices int
	Attendees                         []User
	// Metadata has lower-case keys without "meta_".
	Metadata map[string]string
	// Params are the parameters of create as received, cleaned, without the
	// checksum.
	Params url.Values
	// Documents are those of create, then those inserted. DocumentError is why
	// the last body could not be read to its end, if so.
	Documents     []Document
	DocumentError string
	// Chat are the messages sent through the API, oldest first.
	Chat []ChatMessage
	// IsBreakout and ParentID (an internal ID) tell of a breakout room,
	// Breakouts (external IDs) of its parent.
	IsBreakout bool
	ParentID   string
	Breakouts  []string
	// Running is true once somebody has joined, until the end. Ended meetings
	// are listed for Options.EndDelay.
	Running, Ended bool
}

// User is somebody in a meeting.
type User struct {
	// ID is the server's own ("w_..."), ExternalID the userID of the join.
	ID, ExternalID, Name string
	Moderator            bool
	// Waiting guests are not in the meeting before a moderator lets them in.
	Waiting                  bool
	Video, Voice, ListenOnly bool
	JoinedAt                 time.Time
	customdata               map[string]string
	presenter                bool
}

// ChatMessage is one message of sendChatMessage.
type ChatMessage struct{ UserName, Message string }

// meeting is the server's own record; Server.mu guards it.
type meeting struct {
	Meeting
	created     time.Time
	started     time.Time // the first join; zero before
	emptySince  time.Time // when the last one left; zero while somebody is in
	endedAt     time.Time
	ended       bool
	forced      bool // by end, not by running out
	marked      bool // the record button was used
	duration    time.Duration
	ifNobody    time.Duration // expires that long after create if nobody came; 0: never
	ifEmpty     time.Duration // expires that long after the last one left; 0: never
	maxUsers    int
	users       []*User  // in the order they came
	tokens      []string // of its sessions
	parent      *meeting // of a breakout room
	breakouts   []*meeting
	sequence    int
	freeJoin    bool
	recording   bool
	guestPolicy string
}

// session is one browser's entrance, named by the token in its URL.
type session struct {
	meeting *meeting
	user    *User
}

// present are the people in the meeting, without waiting guests.
func (m *meeting) present() []*User {
	return slices.DeleteFunc(slices.Clone(m.users), func(u *User) bool { return u.Waiting })
}

func (m *meeting) user(id string) *User {
	for _, u := range m.users {
		if u.ID == id {
			return u
		}
	}
	return nil
}

// snapshot copies everything that may change.
func (m *meeting) snapshot() Meeting {
	c := m.Meeting
	c.Attendees = nil
	for _, u := range m.present() {
		c.Attendees = append(c.Attendees, *u)
		c.Moderators += count(u.Moderator)
		c.Videos += count(u.Video)
		c.Voices += count(u.Voice || u.ListenOnly)
	}
	c.Users = len(c.Attendees)
	c.Metadata = maps.Clone(m.Metadata)
	c.Params = maps.Clone(m.Params)
	c.Documents = slices.Clone(m.Documents)
	c.Chat = slices.Clone(m.Chat)
	c.Breakouts = nil
	for _, b := range m.breakouts {
		c.Breakouts = append(c.Breakouts, b.MeetingID)
	}
	c.Running = m.running()
	c.Ended = m.ended
	return c
}

func (m *meeting) running() bool { return !m.started.IsZero() && !m.ended }

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// expiry is when the meeting runs out if nothing happens before; zero: never.
func (m *meeting) expiry() time.Time {
	var at time.Time
	earliest := func(from time.Time, after time.Duration) {
		if t := from.Add(after); after > 0 && !from.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if m.started.IsZero() {
		earliest(m.created, m.ifNobody)
	}
	earliest(m.emptySince, m.ifEmpty)
	earliest(m.started, m.duration)
	return at
}

// Meetings returns the meetings as getMeetings would list them, oldest first.
func (s *Server) Meetings() []Meeting {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	var list []Meeting
	for _, m := range s.listed() {
		list = append(list, m.snapshot())
	}
	return list
}

// Meeting returns the latest meeting with an external ID.
func (s *Server) Meeting(meetingID string) (Meeting, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	if m := s.newest[meetingID]; m != nil {
		return m.snapshot(), true
	}
	return Meeting{}, false
}

// Forget makes all meetings with that external ID vanish without a trace, and
// their breakout rooms with them: no end, no callback.
func (s *Server) Forget(meetingID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.listed() {
		if m.MeetingID == meetingID || m.parent != nil && m.parent.MeetingID == meetingID {
			s.remove(m)
		}
	}
}

// listed are all meetings, by the time of their creation.
func (s *Server) listed() []*meeting {
	return slices.SortedFunc(maps.Values(s.meetings), func(a, b *meeting) int {
		return int(a.CreateTime - b.CreateTime)
	})
}

// atoi is the number in a parameter, or otherwise what BigBlueButton takes for
// a missing or unreadable one.
func atoi(s string, otherwise int) int {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 {
		return n
	}
	return otherwise
}
