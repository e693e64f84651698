package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/recordings"
)

// explain turns an error of the pool or the store into an *Error that says what
// can be done. If the caller gave up, the error is that of its context.
func explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return ctx.Err()
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*bbb.ProbeError](err); ok {
		return &Error{Refused, e.Message}
	}
	switch {
	case errors.Is(err, balancer.ErrInvalid):
		return &Error{Invalid, without(err, balancer.ErrInvalid)}
	case errors.Is(err, balancer.ErrExists):
		return &Error{Conflict, without(err, balancer.ErrExists) + ": choose another id, or change that server with 'scalelite servers update'"}
	case errors.Is(err, balancer.ErrNoSuchServer):
		return &Error{NotFound, err.Error() + ": 'scalelite servers' lists those there are"}
	case errors.Is(err, balancer.ErrNoSuchMeeting):
		return &Error{NotFound, err.Error() + ": 'scalelite meetings' lists those there are; nothing was ended"}
	case errors.Is(err, recordings.ErrInvalid):
		return &Error{Invalid, without(err, recordings.ErrInvalid)}
	case errors.Is(err, recordings.ErrNotFound):
		return &Error{NotFound, without(err, recordings.ErrNotFound) + ": 'scalelite recordings' lists those there are"}
	case errors.Is(err, recordings.ErrNoSpace):
		return &Error{Conflict, err.Error() + ": make room, or lower recordings.min_free"}
	case errors.Is(err, recordings.ErrNotInPlace):
		return &Error{Conflict, err.Error()}
	}
	return &Error{Internal, err.Error()}
}

// explainServer is explain for a call about one server.
func explainServer(ctx context.Context, err error, id string) error {
	if errors.Is(err, balancer.ErrNoSuchServer) {
		return &Error{NotFound, fmt.Sprintf("no server has the id %q: 'scalelite servers' lists those there are", id)}
	}
	return explain(ctx, err)
}

// without is the text of err without that of the sentinel in it, which is no
// news for a person.
func without(err, sentinel error) string {
	return strings.Replace(err.Error(), sentinel.Error()+": ", "", 1)
}
