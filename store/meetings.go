package store

import (
	"errors"
	"fmt"
	"iter"
	"unicode/utf8"

	"scalelite/store/kv"
)

// The longest meeting ID and tenant in bytes that are stored. BBB itself takes
// IDs of 256 characters.
const (
	MaxMeetingID = 1024
	MaxTenant    = 256
)

// valid reports whether a meeting can be stored under the key. A record is JSON,
// which would change what is no UTF-8.
func (k MeetingKey) valid() bool {
	return k.ID != "" && len(k.ID) <= MaxMeetingID && len(k.Tenant) <= MaxTenant &&
		utf8.ValidString(k.ID) && utf8.ValidString(k.Tenant)
}

func (k MeetingKey) key() kv.Key { return meetingTable.String(k.Tenant).String(k.ID) }

func serverMeetingKey(server string, k MeetingKey) kv.Key {
	return serverMeetings.String(server).String(k.Tenant).String(k.ID)
}

func bridgeKey(number string) kv.Key { return bridgeTable.String(number) }

// Meeting returns the meeting, or ErrNotFound.
func (tx *Tx) Meeting(k MeetingKey) (Meeting, error) {
	if !k.valid() {
		return Meeting{}, ErrNotFound
	}
	return get[Meeting](tx, k.key())
}

// Meetings lists all meetings by tenant and ID.
func (tx *Tx) Meetings() iter.Seq2[Meeting, error] {
	return list[Meeting](tx, meetingTable)
}

// MeetingsOf lists the meetings that are bound to a server, by tenant and ID.
func (tx *Tx) MeetingsOf(server string) iter.Seq2[Meeting, error] {
	return func(yield func(Meeting, error) bool) {
		for item, err := range tx.kv.Scan(serverMeetings.String(server), nil) {
			var m Meeting
			if err == nil {
				m, err = tx.indexed(item.Key)
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// indexed returns the meeting that an entry of the server index stands for.
func (tx *Tx) indexed(entry []byte) (Meeting, error) {
	r := kv.ParseKey(entry[len(serverMeetings):])
	var k MeetingKey
	_, err := r.String()
	if err == nil {
		k.Tenant, err = r.String()
	}
	if err == nil {
		k.ID, err = r.String()
	}
	if err != nil {
		return Meeting{}, fmt.Errorf("decode an entry of the server index: %w", err)
	}
	m, err := tx.Meeting(k)
	if err != nil {
		return Meeting{}, fmt.Errorf("meeting %q of the server index: %w", k, err)
	}
	return m, nil
}

// MeetingByVoiceBridge returns the meeting that has this dial-in number, or
// ErrNotFound.
func (tx *Tx) MeetingByVoiceBridge(number string) (Meeting, error) {
	k, err := get[MeetingKey](tx, bridgeKey(number))
	if err != nil {
		return Meeting{}, err
	}
	return tx.Meeting(k)
}

// PutMeeting stores a meeting, new or changed, with its indexes. Its server must
// exist (ErrNotFound), and no other meeting may have its voice bridge
// (ErrConflict).
func (tx *Tx) PutMeeting(m Meeting) error {
	if !m.valid() {
		return fmt.Errorf("a meeting ID must have 1 to %d bytes, its tenant up to %d, of UTF-8", MaxMeetingID, MaxTenant)
	}
	tx.touched = append(tx.touched, m.MeetingKey)
	if _, err := tx.Server(m.Server); err != nil {
		return fmt.Errorf("server %q of meeting %q: %w", m.Server, m.MeetingKey, err)
	}
	if err := tx.mayHaveBridge(m); err != nil {
		return err
	}
	former, err := tx.Meeting(m.MeetingKey)
	switch {
	case err == nil:
		if err := tx.unindex(former); err != nil {
			return err
		}
	case !errors.Is(err, ErrNotFound):
		return err
	}
	if m.VoiceBridge != "" {
		if err := tx.put(bridgeKey(m.VoiceBridge), m.MeetingKey); err != nil {
			return err
		}
	}
	if err := tx.kv.Put(serverMeetingKey(m.Server, m.MeetingKey), []byte{}); err != nil {
		return err
	}
	return tx.put(m.key(), m)
}

// mayHaveBridge returns ErrConflict if another meeting has the voice bridge.
func (tx *Tx) mayHaveBridge(m Meeting) error {
	if m.VoiceBridge == "" {
		return nil
	}
	holder, err := tx.MeetingByVoiceBridge(m.VoiceBridge)
	if errors.Is(err, ErrNotFound) || err == nil && holder.MeetingKey == m.MeetingKey {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: voice bridge %s belongs to meeting %q", ErrConflict, m.VoiceBridge, holder.MeetingKey)
}

// DeleteMeeting removes a meeting with its indexes; one that is not there is no
// error.
func (tx *Tx) DeleteMeeting(k MeetingKey) error {
	m, err := tx.Meeting(k)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	tx.touched = append(tx.touched, k)
	if err := tx.unindex(m); err != nil {
		return err
	}
	return tx.kv.Delete(k.key())
}

func (tx *Tx) unindex(m Meeting) error {
	if m.VoiceBridge != "" {
		if err := tx.kv.Delete(bridgeKey(m.VoiceBridge)); err != nil {
			return err
		}
	}
	return tx.kv.Delete(serverMeetingKey(m.Server, m.MeetingKey))
}

// ForgetMeetings removes all meetings that are bound to a server.
func (tx *Tx) ForgetMeetings(server string) error {
	bound, err := Collect(tx.MeetingsOf(server))
	if err != nil {
		return err
	}
	for _, m := range bound {
		if err := tx.DeleteMeeting(m.MeetingKey); err != nil {
			return err
		}
	}
	return nil
}

func endKey(server string, k MeetingKey) kv.Key {
	return endTable.String(server).String(k.Tenant).String(k.ID)
}

// PendingEnds lists the ends that are owed to a server.
func (tx *Tx) PendingEnds(server string) iter.Seq2[PendingEnd, error] {
	return list[PendingEnd](tx, endTable.String(server))
}

// PendingEnd returns the end of a meeting that is owed to a server, or
// ErrNotFound.
func (tx *Tx) PendingEnd(server string, k MeetingKey) (PendingEnd, error) {
	return get[PendingEnd](tx, endKey(server, k))
}

// PutPendingEnd remembers an end that is owed to a server, which must exist. An
// end that was asked for is not weakened by a later move of the meeting.
func (tx *Tx) PutPendingEnd(e PendingEnd) error {
	if _, err := tx.Server(e.Server); err != nil {
		return err
	}
	former, err := tx.PendingEnd(e.Server, e.MeetingKey)
	if err == nil && !former.Moved && e.Moved {
		return nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return tx.put(endKey(e.Server, e.MeetingKey), e)
}

// DeletePendingEnd drops an owed end; one that is not there is no error.
func (tx *Tx) DeletePendingEnd(server string, k MeetingKey) error {
	return tx.kv.Delete(endKey(server, k))
}
