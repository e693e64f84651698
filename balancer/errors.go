package balancer

import (
	"errors"

	"scalelite/balancer/bbb"
)

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

// errInvalidPassword is BBB's answer to an end with the wrong password.
var errInvalidPassword = &bbb.Error{Key: "invalidPassword", Message: "Invalid password"}
