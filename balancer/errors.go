package balancer

import "errors"

// Errors of the operator's calls. Their text is for the operator.
var (
	// ErrNoSuchServer: no server has the ID.
	ErrNoSuchServer = errors.New("no such server")
	// ErrNoSuchMeeting: no meeting has the ID.
	ErrNoSuchMeeting = errors.New("no such meeting")
	// ErrInvalid: what was asked for makes no sense; the text says why.
	ErrInvalid = errors.New("invalid")
	// ErrExists: the ID is taken.
	ErrExists = errors.New("exists")
)
