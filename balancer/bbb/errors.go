package bbb

import (
	"bytes"
	"encoding/xml"
	"fmt"
)

// Error is an answer to a front-end that its call failed. Key and Message go
// to the client; a cause, for the log, does not.
type Error struct {
	// Key is the messageKey that front-ends branch on.
	Key string
	// Message is the text they may show.
	Message string
	cause   error
}

// The catalogue: every error that the balancer itself answers. What a BBB
// server answers is handed on as it is.
var (
	// ErrChecksum: no or no good checksum, or an unknown tenant.
	ErrChecksum = &Error{Key: "checksumError", Message: "You did not pass the checksum security check"}
	// ErrMissingMeetingID: the call needs a meetingID.
	ErrMissingMeetingID = &Error{Key: "missingParamMeetingID", Message: "You must specify a meeting ID for the meeting."}
	// ErrNotFound: the meeting is not known.
	ErrNotFound = &Error{Key: "notFound", Message: "We could not find a meeting with that meeting ID - perhaps the meeting is not yet running?"}
	// ErrUnsupportedRequest: the call is not known or has no such method.
	ErrUnsupportedRequest = &Error{Key: "unsupportedRequest", Message: "This request is not supported."}
	// ErrUnsupportedContentType: the body is of a type that the call does not take.
	ErrUnsupportedContentType = &Error{Key: "unsupportedContentType", Message: "POST request Content-Type is missing or unsupported"}
	// ErrServerUnavailable: the meeting's server is offline or disabled.
	ErrServerUnavailable = &Error{Key: "serverUnavailable", Message: "The server for this meeting is disabled/offline."}
	// ErrNoServer: there is no server for a new meeting.
	ErrNoServer = &Error{Key: keyInternal, Message: "Could not find any available servers."}
	// ErrCreateFailed: no server could create the meeting.
	ErrCreateFailed = &Error{Key: keyInternal, Message: "Unable to create meeting on server."}
	// ErrAccessFailed: the meeting's server failed on a call about it.
	ErrAccessFailed = &Error{Key: keyInternal, Message: "Unable to access meeting on server."}
	// ErrInternal: anything that no other entry names.
	ErrInternal = &Error{Key: keyInternal, Message: "An internal error occurred."}
	// ErrIDNotUnique: the meetingID can not be had; BBB's words, two blanks and all.
	ErrIDNotUnique = &Error{Key: "idNotUnique", Message: "A meeting already exists with that meeting ID.  Please use a different meeting ID."}
	// ErrMissingRecordID: the call needs a recordID.
	ErrMissingRecordID = &Error{Key: "missingParamRecordID", Message: "You must specify a recordID."}
	// ErrMissingPublish: publishRecordings needs publish.
	ErrMissingPublish = &Error{Key: "missingParamPublish", Message: "You must specify a publish value true or false."}
	// ErrRecordingsNotFound: none of the recordings is known.
	ErrRecordingsNotFound = &Error{Key: "notFound", Message: "We could not find recordings"}
	// ErrMissingParameters: a filtered getRecordings needs an ID.
	ErrMissingParameters = &Error{Key: "missingParameters", Message: "param meetingID or recordID must be included."}
	// ErrPublishFailed: the files of a recording could not be moved.
	ErrPublishFailed = &Error{Key: keyInternal, Message: "Unable to publish/unpublish recording."}
)

const keyInternal = "internalError"

// TagUnavailable is the answer when a required tag has no server; tag is
// without its "!".
func TagUnavailable(tag string) *Error {
	return &Error{Key: "serverTagUnavailable", Message: fmt.Sprintf("There is no available server with the required tag=%s.", tag)}
}

// ValidationError is the answer to a parameter that is there but no good.
func ValidationError(message string) *Error {
	return &Error{Key: "validationError", Message: message}
}

// Error returns key, message and cause.
func (e *Error) Error() string {
	if e.cause != nil {
		return e.Key + ": " + e.Message + ": " + e.cause.Error()
	}
	return e.Key + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is the same answer, whatever the causes.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Key == e.Key && t.Message == e.Message
}

// With returns a copy that carries a cause for the log. The entry of the
// catalogue is still found with errors.Is.
func (e *Error) With(cause error) *Error {
	return &Error{Key: e.Key, Message: e.Message, cause: cause}
}

// XML returns the answer as it goes to the client. Characters that XML does
// not know become U+FFFD.
func (e *Error) XML() []byte {
	var b bytes.Buffer
	b.WriteString("<response><returncode>FAILED</returncode><messageKey>")
	escape(&b, e.Key)
	b.WriteString("</messageKey><message>")
	escape(&b, e.Message)
	b.WriteString("</message></response>")
	return b.Bytes()
}

// escape writes text for XML; a bytes.Buffer takes every write.
func escape(b *bytes.Buffer, text string) { _ = xml.EscapeText(b, []byte(text)) }
