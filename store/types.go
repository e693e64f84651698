package store

import (
	"encoding/json"
	"fmt"
	"time"

	"scalelite/balancer/bbb"
)

// State is what the administrator wants of a server.
type State string

// The states of a server. A cordoned server takes no new meetings and becomes
// disabled when a poll finds it empty; a disabled one takes no joins either.
const (
	Enabled  State = "enabled"
	Cordoned State = "cordoned"
	Disabled State = "disabled"
)

// Server is one BBB server of the pool, as the administrator set it up. What
// the poller finds out about it is its Status, a record of its own, so that no
// poll can ever undo an administrator's change.
type Server struct {
	ID             string     `json:"id"`
	URL            string     `json:"url"` // as it was given
	API            string     `json:"api"` // canonical, see bbb.ParseServerURL
	Secret         bbb.Secret `json:"secret"`
	Tag            string     `json:"tag,omitempty"`
	LoadMultiplier float64    `json:"load_multiplier"`
	MaxMeetings    int        `json:"max_meetings,omitempty"` // 0: no limit
	MaxUsers       int        `json:"max_users,omitempty"`    // 0: no limit
	Standby        bool       `json:"standby,omitempty"`      // takes meetings only when no other can
	State          State      `json:"state"`
	Created        time.Time  `json:"created"`
}

// serverRecord is how a Server is stored: JSON would change a secret that is no
// UTF-8, so it goes as bytes, in base64.
type serverRecord struct {
	fields
	Secret []byte `json:"secret"`
}

// fields is a Server without its methods.
type fields Server

// MarshalJSON returns the stored form.
func (s Server) MarshalJSON() ([]byte, error) {
	return json.Marshal(serverRecord{fields(s), []byte(s.Secret)})
}

// UnmarshalJSON reads the stored form.
func (s *Server) UnmarshalJSON(record []byte) error {
	var r serverRecord
	if err := json.Unmarshal(record, &r); err != nil {
		return err
	}
	*s = Server(r.fields)
	s.Secret = bbb.Secret(r.Secret)
	return nil
}

// Status is what the polls of a server found.
type Status struct {
	Online    bool `json:"online"`
	Failures  int  `json:"failures,omitempty"`  // failed polls in a row
	Successes int  `json:"successes,omitempty"` // good polls in a row

	// Weight is the load in users, before the server's multiplier.
	Weight         float64 `json:"weight"`
	Meetings       int     `json:"meetings"`
	Users          int     `json:"users"`
	LargestMeeting int     `json:"largest_meeting"`
	Videos         int     `json:"videos"`

	Version   string    `json:"version,omitempty"` // bbbVersion; empty where it is hidden
	VersionAt time.Time `json:"version_at,omitzero"`

	Polled   time.Time     `json:"polled,omitzero"` // start of the last good poll
	Tried    time.Time     `json:"tried,omitzero"`  // start of the last poll
	Duration time.Duration `json:"duration,omitempty"`
	Error    string        `json:"error,omitempty"` // why the last poll failed
}

// MeetingKey names a meeting: front-ends of two tenants may use the same ID.
type MeetingKey struct {
	Tenant string `json:"tenant,omitempty"`
	ID     string `json:"id"`
}

// String is for messages to people.
func (k MeetingKey) String() string {
	if k.Tenant == "" {
		return k.ID
	}
	return fmt.Sprintf("%s (tenant %s)", k.ID, k.Tenant)
}

// Meeting binds a meeting to the server that runs it.
type Meeting struct {
	MeetingKey
	Server      string    `json:"server"` // ID of the server
	ModeratorPW string    `json:"moderator_pw,omitempty"`
	VoiceBridge string    `json:"voice_bridge,omitempty"`
	Created     time.Time `json:"created"`             // when it was bound to the server
	SignedBy    string    `json:"signed_by,omitempty"` // fingerprint of the secret that signed its create
	Adopted     bool      `json:"adopted,omitempty"`   // found on the server by a poll
}

// PendingEnd is a meeting to be ended on a server when that answers again.
type PendingEnd struct {
	MeetingKey
	Server      string    `json:"server"`
	ModeratorPW string    `json:"moderator_pw,omitempty"`
	Since       time.Time `json:"since"`
	// Moved: the meeting was placed anew elsewhere while the server did not
	// answer. It is ended only if nobody is in it. Otherwise its end was asked for.
	Moved bool `json:"moved,omitempty"`
}
