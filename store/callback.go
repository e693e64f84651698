package store

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"scalelite/store/kv"
)

// ReadyURL is where a front-end wants to be told that a recording of a meeting
// is ready. It outlives the meeting: the recording comes hours later.
type ReadyURL struct {
	MeetingKey
	URL string `json:"url"`
	// SignedBy is the fingerprint of the secret that signed the create: the
	// front-end knows no other.
	SignedBy string    `json:"signed_by,omitempty"`
	Since    time.Time `json:"since"`
}

// Callback is a message owed to a front-end.
type Callback struct {
	ID       string     `json:"id"` // of Tx.AddCallback; sorts by age
	Meeting  MeetingKey `json:"meeting"`
	RecordID string     `json:"record_id"`
	URL      string     `json:"url"`
	SignedBy string     `json:"signed_by,omitempty"`

	Created time.Time `json:"created"`
	GiveUp  time.Time `json:"give_up,omitzero"` // when trying ends; zero: not decided yet
	Next    time.Time `json:"next,omitzero"`    // when it is tried; zero once it was given up
	Tries   int       `json:"tries,omitempty"`
	Error   string    `json:"error,omitempty"` // of the last try
	Status  int       `json:"status,omitempty"`
}

// Failed reports whether the callback was given up.
func (c Callback) Failed() bool { return c.Next.IsZero() }

func readyKey(k MeetingKey) kv.Key { return readyTable.String(k.Tenant).String(k.ID) }
func callbackKey(id string) kv.Key { return callbackTable.String(id) }
func (c Callback) dueKey() kv.Key  { return callbackDue.Uint64(uint64(c.Next.UnixNano())).String(c.ID) }

// ReadyURL returns where to tell that a recording of the meeting is ready, or
// ErrNotFound.
func (tx *Tx) ReadyURL(k MeetingKey) (ReadyURL, error) {
	if len(k.ID) > MaxMeetingID {
		return ReadyURL{}, ErrNotFound
	}
	return get[ReadyURL](tx, readyKey(k))
}

// PutReadyURL remembers a URL for a meeting, in place of a former one.
func (tx *Tx) PutReadyURL(u ReadyURL) error { return tx.put(readyKey(u.MeetingKey), u) }

// DeleteReadyURL forgets the URL of a meeting.
func (tx *Tx) DeleteReadyURL(k MeetingKey) error { return tx.kv.Delete(readyKey(k)) }

// ReadyURLs lists all remembered URLs by tenant and meeting.
func (tx *Tx) ReadyURLs() iter.Seq2[ReadyURL, error] { return list[ReadyURL](tx, readyTable) }

// AddCallback stores a new callback that is due now, and gives it its ID: that
// of the transaction's time, the recording and the meeting, so that a closure
// that runs twice adds one.
func (tx *Tx) AddCallback(c Callback) error {
	c.ID = fmt.Sprintf("%016x-%s", tx.Now.UnixNano(), c.RecordID)
	c.Created, c.Next = tx.Now, tx.Now
	return tx.PutCallback(c)
}

// Callback returns the callback, or ErrNotFound.
func (tx *Tx) Callback(id string) (Callback, error) {
	return get[Callback](tx, callbackKey(id))
}

// PutCallback stores a changed callback.
func (tx *Tx) PutCallback(c Callback) error {
	if err := tx.undue(c.ID); err != nil {
		return err
	}
	if !c.Failed() {
		if err := tx.kv.Put(c.dueKey(), []byte{}); err != nil {
			return err
		}
	}
	return tx.put(callbackKey(c.ID), c)
}

// DeleteCallback removes a callback; one that is not there is no error.
func (tx *Tx) DeleteCallback(id string) error {
	if err := tx.undue(id); err != nil {
		return err
	}
	return tx.kv.Delete(callbackKey(id))
}

func (tx *Tx) undue(id string) error {
	former, err := tx.Callback(id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil || former.Failed() {
		return err
	}
	return tx.kv.Delete(former.dueKey())
}

// Callbacks lists all callbacks, the oldest first.
func (tx *Tx) Callbacks() iter.Seq2[Callback, error] { return list[Callback](tx, callbackTable) }

// DueCallbacks lists those that are to be tried, the earliest first. Their time
// may lie ahead.
func (tx *Tx) DueCallbacks() iter.Seq2[Callback, error] {
	return func(yield func(Callback, error) bool) {
		for item, err := range tx.kv.Scan(callbackDue, nil) {
			var c Callback
			if err == nil {
				c, err = tx.dueCallback(item.Key)
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

func (tx *Tx) dueCallback(entry []byte) (Callback, error) {
	key := kv.ParseKey(entry[len(callbackDue):])
	_, err := key.Uint64()
	if err != nil {
		return Callback{}, fmt.Errorf("decode an entry of the callback index: %w", err)
	}
	id, err := key.String()
	if err != nil {
		return Callback{}, fmt.Errorf("decode an entry of the callback index: %w", err)
	}
	c, err := tx.Callback(id)
	if err != nil {
		return Callback{}, fmt.Errorf("callback %q of the index: %w", id, err)
	}
	return c, nil
}
