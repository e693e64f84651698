package balancer

import (
	"context"
	"errors"
	"unicode/utf8"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// Request is a BBB call whose signature was verified.
type Request struct {
	Call     string
	Params   bbb.Params
	Tenant   string
	SignedBy string    // fingerprint of the secret that signed it
	Body     *bbb.Body // XML to be passed on; nil if there is none
}

// maxIDLength is the longest meeting ID in characters that BBB takes.
const maxIDLength = 256

// key returns the meeting that a request is about, or
// bbb.ErrMissingMeetingID. Bytes that are no UTF-8 become U+FFFD: no XML can
// carry them, and BBB reports the meeting under that ID.
func (r Request) key() (store.MeetingKey, error) {
	id := string([]rune(r.Params.ID("meetingID")))
	if id == "" {
		return store.MeetingKey{}, bbb.ErrMissingMeetingID
	}
	return store.MeetingKey{Tenant: r.Tenant, ID: id}, nil
}

// creatable refuses IDs that no BBB server takes, before anything is kept of
// them.
func creatable(k store.MeetingKey) error {
	if n := utf8.RuneCountInString(k.ID); n < 2 || n > maxIDLength || len(k.ID) > store.MaxMeetingID {
		return bbb.ValidationError("Meeting ID must be between 2 and 256 characters")
	}
	return nil
}

// find returns the meeting that a request is about and its server with its
// status. The errors are answers: no ID, or not known.
func (b *Balancer) find(ctx context.Context, r Request) (place, error) {
	k, err := r.key()
	if err != nil {
		return place{}, err
	}
	return b.locate(ctx, k)
}

// place is a meeting and where it is.
type place struct {
	meeting store.Meeting
	server  store.Server
	status  store.Status
}

// locate returns a meeting with its server, or bbb.ErrNotFound.
func (b *Balancer) locate(ctx context.Context, k store.MeetingKey) (place, error) {
	m, err := b.store.LookupMeeting(ctx, k)
	if errors.Is(err, store.ErrNotFound) {
		return place{}, bbb.ErrNotFound
	}
	if err != nil {
		return place{}, bbb.ErrAccessFailed.With(err)
	}
	s, st, ok := b.pool.Server(m.Server)
	if !ok {
		return place{}, bbb.ErrNotFound
	}
	return place{m, s, st}, nil
}
