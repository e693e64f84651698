// Package admin is the operator's side of the program: one Service, implemented
// in the process (Local) and by a client over the unix socket (Client), so that
// a command cannot tell which one it holds.
package admin

import (
	"context"
	"io"
	"time"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
)

// Service is everything the command line can do to a pool and its recordings.
//
// Errors that a person can mend are *Error.
type Service interface {
	RecordingService
	SpoolService
	CallbackService

	// Info says who answers: version, since when, whether a daemon or this
	// command itself.
	Info(ctx context.Context) (Info, error)

	Servers(ctx context.Context) ([]balancer.ServerInfo, error)
	Server(ctx context.Context, id string) (balancer.ServerInfo, error)
	// ProbeServer asks a server before it is added. The error says what is wrong
	// with URL, secret or server, and what would mend it.
	ProbeServer(ctx context.Context, url string, secret bbb.Secret) (bbb.ProbeResult, error)
	AddServer(ctx context.Context, s balancer.NewServer) (balancer.ServerInfo, error)
	UpdateServer(ctx context.Context, id string, c balancer.ServerChange) (balancer.ServerInfo, error)
	RemoveServer(ctx context.Context, id string) error
	PanicServer(ctx context.Context, id string, o balancer.PanicOptions) (balancer.PanicResult, error)
	// SyncServers makes the pool what specs say; with dryRun it only tells.
	SyncServers(ctx context.Context, specs []balancer.ServerSpec, mode balancer.SyncMode, dryRun bool) ([]balancer.SyncAction, error)

	// Meetings lists all known meetings, by tenant and ID.
	Meetings(ctx context.Context) ([]balancer.MeetingInfo, error)
	// EndMeetings ends the meetings with these IDs (of all tenants); with no
	// IDs, all meetings. An ID that is not known is an error and nothing ends.
	EndMeetings(ctx context.Context, ids []string) ([]balancer.EndResult, error)

	Poll(ctx context.Context) (balancer.PollReport, error)

	// Secrets are those the front-ends sign with, the first one first.
	Secrets(ctx context.Context) (Secrets, error)
	// RotateSecret replaces the generated secret. It is an error when the
	// secrets come from the configuration.
	RotateSecret(ctx context.Context) (Secrets, error)

	// Backup writes a consistent copy of the database to w.
	Backup(ctx context.Context, w io.Writer) error
}

// Info says who answers.
type Info struct {
	Version string `json:"version"`
	Daemon  bool   `json:"daemon"`
	Started string `json:"started,omitempty"` // RFC 3339
	Listen  string `json:"listen,omitempty"`
	Host    string `json:"host,omitempty"` // web.host
	// Backup is how it stands with the backups that a daemon makes; nil: it makes
	// none.
	Backup *BackupInfo `json:"backup,omitempty"`
}

// BackupInfo is the state of the backups that are made on a schedule.
type BackupInfo struct {
	Directory string    `json:"directory"`
	Last      time.Time `json:"last,omitzero"` // zero: there is none
	File      string    `json:"file,omitempty"`
	Bytes     int64     `json:"bytes,omitempty"`
	Next      time.Time `json:"next,omitzero"`
	Failed    time.Time `json:"failed,omitzero"` // of the last try, if it failed
	Error     string    `json:"error,omitempty"`
}

// Secrets are the secrets of the front-ends. Generated: the one that was made
// at the first start, because web.secrets is empty.
type Secrets struct {
	Secrets   []bbb.Secret `json:"secrets"`
	Generated bool         `json:"generated"`
}

// Code classifies an Error.
type Code string

// The codes of Error.
const (
	NotFound Code = "not_found"
	Invalid  Code = "invalid"
	Conflict Code = "conflict"
	Refused  Code = "refused" // a BBB server refused or cannot be reached
	Internal Code = "internal"
)

// Error is a failure with a message for the operator.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"error"`
}

func (e *Error) Error() string { return e.Message }
