package bbb

import (
	"errors"
	"fmt"
)

// Kind tells what is known of a call that failed.
type Kind int

const (
	// NotSent: the server cannot have seen the request. The name did not
	// resolve, nobody listened, TLS or the connection failed or took too long.
	NotSent Kind = iota
	// Unclear: the request may have arrived, but the answer did not, or only
	// in part. Whether the call took effect is not known.
	Unclear
	// Garbage: what came back is not an answer of BBB.
	Garbage
)

// String returns "not sent", "unclear" or "garbage".
func (k Kind) String() string {
	switch k {
	case NotSent:
		return "not sent"
	case Unclear:
		return "unclear"
	case Garbage:
		return "garbage"
	}
	return fmt.Sprintf("kind %d", int(k))
}

// CallError is a call that got no answer of BBB. An answer that says FAILED is
// none. Its text names server and call and holds no query, checksum or secret;
// errors.Is finds context.Canceled in it if the caller gave up, and
// context.DeadlineExceeded if a deadline passed, the caller's or ours.
type CallError struct {
	Server string // host, with port if it has its own
	Call   string
	Kind   Kind
	Status int // of HTTP, where an answer had another than 200; else 0
	Err    error
}

// Error returns call and cause.
func (e *CallError) Error() string {
	call := e.Call
	if call == "" {
		call = "index"
	}
	return call + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Err }

// KindOf returns the kind of the CallError in err, if there is one.
func KindOf(err error) (Kind, bool) {
	if e, ok := errors.AsType[*CallError](err); ok {
		return e.Kind, true
	}
	return 0, false
}
