package bbbtest

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Join lets somebody enter, as if a browser had followed a join link, and
// returns the server's ID of the new user. Nothing is recorded, no misbehaviour
// applies, and no limit of participants but the one of this package.
func (s *Server) Join(meetingID, name string, moderator bool) (userID string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, refusal := s.live(meetingID)
	if refusal != nil {
		return "", refusal
	}
	if len(m.users) >= maxUsers {
		return "", fmt.Errorf("meeting %q has %d people", meetingID, maxUsers)
	}
	_, u := s.enter(entrance{meeting: m, name: name, moderator: moderator})
	return u.ID, nil
}

// Leave takes somebody out of a meeting.
func (s *Server) Leave(meetingID, userID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, u, err := s.find(meetingID, userID)
	if err != nil {
		return err
	}
	s.leave(m, u)
	return nil
}

// SetVideo turns somebody's camera on or off.
func (s *Server) SetVideo(meetingID, userID string, on bool) error {
	return s.change(meetingID, userID, func(u *User) { u.Video = on })
}

// SetVoice makes somebody heard or not; listenOnly is for those who only hear
// the others and is taken for false if on is false.
func (s *Server) SetVoice(meetingID, userID string, on, listenOnly bool) error {
	return s.change(meetingID, userID, func(u *User) {
		u.Voice = on && !listenOnly
		u.ListenOnly = on && listenOnly
	})
}

// Admit lets a waiting guest in.
func (s *Server) Admit(meetingID, userID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, u, err := s.find(meetingID, userID)
	if err != nil {
		return err
	}
	s.admit(m, u)
	return nil
}

// AddBreakout opens a breakout room with that many people, who stay in the
// parent meeting as well, as they do on a real server. It returns the
// external ID that the server has made up for it.
func (s *Server) AddBreakout(parentMeetingID string, users int) (meetingID string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	parent, refusal := s.live(parentMeetingID)
	if refusal != nil {
		return "", refusal
	}
	if users < 0 || users > maxUsers {
		return "", fmt.Errorf("%d people in a breakout room: 0 to %d are possible", users, maxUsers)
	}
	number := strconv.Itoa(len(parent.breakouts) + 1)
	m, refusal := s.newMeeting(url.Values{
		"meetingID":       {sha1hex(parent.InternalID+"-"+number+randomID(8)) + "-" + number},
		"name":            {parent.Name + " (Room - " + number + ")"},
		"isBreakout":      {"true"},
		"parentMeetingID": {parent.InternalID},
		"sequence":        {number},
		"freeJoin":        {"false"},
	})
	if refusal != nil {
		return "", refusal
	}
	for i := range users {
		s.enter(entrance{meeting: m, name: fmt.Sprintf("Participant %d", i+1)})
	}
	return m.MeetingID, nil
}

// find is somebody in a meeting that has not ended.
func (s *Server) find(meetingID, userID string) (*meeting, *User, error) {
	m, refusal := s.live(meetingID)
	if refusal != nil {
		return nil, nil, refusal
	}
	u := m.user(userID)
	if u == nil {
		return nil, nil, fmt.Errorf("nobody with ID %q in meeting %q", userID, meetingID)
	}
	return m, u, nil
}

func (s *Server) change(meetingID, userID string, fn func(*User)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, u, err := s.find(meetingID, userID)
	if err != nil {
		return err
	}
	fn(u)
	return nil
}

func (s *Server) admit(m *meeting, u *User) {
	if u.Waiting {
		u.Waiting = false
		s.arrive(m, u)
	}
}

// leave takes somebody out with all sessions. When the last one has left, the
// meeting begins to run out.
func (s *Server) leave(m *meeting, u *User) {
	m.users = slices.DeleteFunc(m.users, func(other *User) bool { return other == u })
	m.tokens = slices.DeleteFunc(m.tokens, func(token string) bool {
		gone := s.sessions[token].user == u
		if gone {
			delete(s.sessions, token)
		}
		return gone
	})
	if len(m.present()) == 0 && !m.started.IsZero() && m.emptySince.IsZero() {
		m.emptySince = s.opts.Now()
		s.note(m)
	}
}

// randomID is an unguessable text of n lower-case letters and digits, n <= 52.
func randomID(n int) string {
	return strings.ToLower(rand.Text() + rand.Text())[:n]
}
