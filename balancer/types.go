package balancer

import (
	"time"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// ServerInfo is a server with all that is known about it, for operators.
type ServerInfo struct {
	ID             string      `json:"id"`
	URL            string      `json:"url"`
	Secret         bbb.Secret  `json:"secret,omitempty"`
	Tag            string      `json:"tag"`
	LoadMultiplier float64     `json:"load_multiplier"`
	MaxMeetings    int         `json:"max_meetings"`
	MaxUsers       int         `json:"max_users"`
	Standby        bool        `json:"standby"`
	State          store.State `json:"state"`
	Online         bool        `json:"online"`

	// Load is the balancer's present estimate, multiplier included; nil while
	// the server is offline or disabled.
	Load           *float64 `json:"load"`
	Meetings       int      `json:"meetings"`
	Users          int      `json:"users"`
	LargestMeeting int      `json:"largest_meeting"`
	Videos         int      `json:"videos"`
	BBBVersion     string   `json:"bbb_version"`

	Polled       time.Time     `json:"polled,omitzero"` // last good poll
	PollDuration time.Duration `json:"poll_duration"`   // nanoseconds
	Failures     int           `json:"failures"`        // failed polls in a row
	Error        string        `json:"error,omitempty"` // why the last poll failed
}

// NewServer is what AddServer needs. URL may have any form that
// bbb.ParseServerURL takes. LoadMultiplier 0 means 1. ID empty: a UUID, or the
// host of the URL with balancer.server_id_is_hostname.
type NewServer struct {
	ID             string     `json:"id,omitempty"`
	URL            string     `json:"url"`
	Secret         bbb.Secret `json:"secret"`
	Tag            string     `json:"tag,omitempty"`
	LoadMultiplier float64    `json:"load_multiplier,omitempty"`
	MaxMeetings    int        `json:"max_meetings,omitempty"`
	MaxUsers       int        `json:"max_users,omitempty"`
	Standby        bool       `json:"standby,omitempty"`
	Enable         bool       `json:"enable,omitempty"`
}

// ServerChange sets the fields that are not nil, all or none.
type ServerChange struct {
	Secret         *bbb.Secret  `json:"secret,omitempty"`
	Tag            *string      `json:"tag,omitempty"` // empty removes it
	LoadMultiplier *float64     `json:"load_multiplier,omitempty"`
	MaxMeetings    *int         `json:"max_meetings,omitempty"`
	MaxUsers       *int         `json:"max_users,omitempty"`
	Standby        *bool        `json:"standby,omitempty"`
	State          *store.State `json:"state,omitempty"`
}

// PanicOptions of PanicServer: KeepState leaves the server enabled or cordoned,
// SkipEndCalls forgets the meetings without asking the server to end them.
type PanicOptions struct {
	KeepState    bool `json:"keep_state,omitempty"`
	SkipEndCalls bool `json:"skip_end_calls,omitempty"`
}

// PanicResult tells what became of the meetings of a panicked server: Ended
// were ended, Unreached could not be (their end is sent when the server
// answers again). All are forgotten.
type PanicResult struct {
	Ended     int `json:"ended"`
	Unreached int `json:"unreached"`
}

// SyncMode tells what SyncServers does with servers that its list lacks.
type SyncMode string

// The modes of SyncServers, with the names of the Ruby system.
const (
	SyncKeep   SyncMode = "keep"   // leave them as they are
	SyncCordon SyncMode = "cordon" // cordon them; idle ones are removed
	SyncForce  SyncMode = "force"  // end their meetings and remove them
)

// ServerSpec is one server of SyncServers and of an export. Nil fields leave
// an existing server as it is.
type ServerSpec struct {
	ID             string     `json:"id"`
	URL            string     `json:"url"`
	Secret         bbb.Secret `json:"secret"`
	Enabled        *bool      `json:"enabled,omitempty"`
	LoadMultiplier *float64   `json:"load_multiplier,omitempty"`
	Tag            *string    `json:"tag,omitempty"`
	MaxMeetings    *int       `json:"max_meetings,omitempty"`
	MaxUsers       *int       `json:"max_users,omitempty"`
	Standby        *bool      `json:"standby,omitempty"`
}

// SyncAction is one step that SyncServers took, or would take.
type SyncAction struct {
	ID     string `json:"id"`
	Action string `json:"action"`           // add, update, enable, disable, cordon, remove, none
	Detail string `json:"detail,omitempty"` // which fields, for people; never a secret
}

// MeetingInfo is a meeting with what the last poll of its server saw of it.
type MeetingInfo struct {
	store.MeetingKey
	Name         string    `json:"name"`
	Server       string    `json:"server"`
	ServerOnline bool      `json:"server_online"`
	VoiceBridge  string    `json:"voice_bridge,omitempty"`
	Created      time.Time `json:"created"`
	Adopted      bool      `json:"adopted"`
	Seen         bool      `json:"seen"` // the last poll saw it; else the counters are 0
	Running      bool      `json:"running"`
	Users        int       `json:"users"`
	Moderators   int       `json:"moderators"`
	Videos       int       `json:"videos"`
}

// EndResult tells how the end of one meeting went. Error is empty if the
// server took the request; Pending: the server does not answer, the end is sent
// when it does.
type EndResult struct {
	store.MeetingKey
	Server  string `json:"server"`
	Pending bool   `json:"pending,omitempty"`
	Error   string `json:"error,omitempty"`
}

// PollReport is what one round of polls found.
type PollReport struct {
	Servers []PolledServer `json:"servers"`
	// OwnNetwork: so many servers failed at once that this machine's network is
	// taken for the cause; none of them goes offline for it.
	OwnNetwork bool `json:"own_network"`
}

// PolledServer is what a poll found on one server.
type PolledServer struct {
	ID       string        `json:"id"`
	Online   bool          `json:"online"`
	Meetings int           `json:"meetings"`
	Users    int           `json:"users"`
	Adopted  int           `json:"adopted"` // meetings that were not known
	Ended    int           `json:"ended"`   // known meetings that are over
	Duration time.Duration `json:"duration"`
	Error    string        `json:"error,omitempty"`
}
