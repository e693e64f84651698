package admin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"scalelite/balancer"
	"scalelite/store"
)

// CallbackService is what the command line can do to the messages that tell
// front-ends of recordings. Where it takes an ID, the first 8 bytes or more do
// as well if no other begins with them.
type CallbackService interface {
	// Callbacks lists those that no front-end has taken, the oldest first.
	Callbacks(ctx context.Context) ([]CallbackInfo, error)
	// RetryCallback has one tried now, and for another day.
	RetryCallback(ctx context.Context, id string) (CallbackInfo, error)
	// DropCallback forgets one.
	DropCallback(ctx context.Context, id string) (CallbackInfo, error)
}

// CallbackInfo is a message owed to a front-end, as operators see it.
type CallbackInfo struct {
	ID        string `json:"id"`
	RecordID  string `json:"record_id"`
	MeetingID string `json:"meeting_id"`
	Tenant    string `json:"tenant,omitempty"` // ID
	// URL is where it goes, without user, query and fragment: they may hold
	// secrets of the front-end.
	URL     string    `json:"url"`
	Failed  bool      `json:"failed"` // it was given up
	Created time.Time `json:"created"`
	Next    time.Time `json:"next,omitzero"`
	GiveUp  time.Time `json:"give_up,omitzero"`
	Tries   int       `json:"tries"`
	Status  int       `json:"status,omitempty"` // of HTTP, of the last try
	Error   string    `json:"error,omitempty"`  // of the last try
}

func callbackInfo(c store.Callback) CallbackInfo {
	return CallbackInfo{
		ID: c.ID, RecordID: c.RecordID, MeetingID: c.Meeting.ID, Tenant: c.Meeting.Tenant, URL: bareURL(c.URL),
		Failed: c.Failed(), Created: c.Created, Next: c.Next, GiveUp: c.GiveUp, Tries: c.Tries, Status: c.Status, Error: c.Error,
	}
}

// bareURL is a URL that can be shown.
func bareURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(a URL that makes no sense)"
	}
	u.User, u.RawQuery, u.Fragment, u.ForceQuery = nil, "", "", false
	return u.String()
}

// Callbacks lists those that no front-end has taken, the oldest first.
func (l *Local) Callbacks(ctx context.Context) ([]CallbackInfo, error) {
	infos := []CallbackInfo{}
	parts, err := l.parts(ctx)
	if err != nil {
		return infos, err
	}
	all, err := parts.Outbox.Callbacks(ctx)
	for _, c := range all {
		infos = append(infos, callbackInfo(c))
	}
	return infos, explain(ctx, err)
}

// RetryCallback has a callback tried now, and for another day; NotFound if it is
// not there, because it was delivered for instance.
func (l *Local) RetryCallback(ctx context.Context, id string) (CallbackInfo, error) {
	c, err := l.findCallback(ctx, id)
	if err != nil {
		return c, err
	}
	parts, err := l.parts(ctx)
	if err != nil {
		return c, err
	}
	return c, explainCallback(ctx, parts.Outbox.Retry(ctx, c.ID), c.ID)
}

// DropCallback forgets a callback; NotFound if it is not there.
func (l *Local) DropCallback(ctx context.Context, id string) (CallbackInfo, error) {
	c, err := l.findCallback(ctx, id)
	if err != nil {
		return c, err
	}
	parts, err := l.parts(ctx)
	if err != nil {
		return c, err
	}
	return c, explainCallback(ctx, parts.Outbox.Drop(ctx, c.ID), c.ID)
}

// findCallback returns the callback with this ID, or the only one whose ID
// begins like this.
func (l *Local) findCallback(ctx context.Context, id string) (CallbackInfo, error) {
	parts, err := l.parts(ctx)
	if err != nil {
		return CallbackInfo{}, err
	}
	if c, err := parts.Outbox.Callback(ctx, id); err == nil {
		return callbackInfo(c), nil
	} else if !errors.Is(err, balancer.ErrNoSuchCallback) {
		return CallbackInfo{}, explain(ctx, err)
	}
	all, err := l.Callbacks(ctx)
	if err != nil {
		return CallbackInfo{}, err
	}
	var found []CallbackInfo
	for _, c := range all {
		if len(id) >= minAbbreviation && strings.HasPrefix(c.ID, id) {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return CallbackInfo{}, explainCallback(ctx, balancer.ErrNoSuchCallback, id)
	case 1:
		return found[0], nil
	}
	return CallbackInfo{}, &Error{Conflict, fmt.Sprintf("the ids of %d callbacks begin with %q: give more of it", len(found), id)}
}

func explainCallback(ctx context.Context, err error, id string) error {
	if errors.Is(err, balancer.ErrNoSuchCallback) {
		return &Error{NotFound, fmt.Sprintf("there is no callback %q: it was delivered, or never was; 'scalelite callbacks' lists those there are", id)}
	}
	return explain(ctx, err)
}
