package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"scalelite/store/kv"
)

// Check compares the indexes with the records both ways and returns every
// difference, joined; nil if all is well.
func (s *Store) Check(ctx context.Context) error {
	var found []error
	err := s.View(ctx, func(tx *Tx) error {
		found = nil
		for _, check := range []func(*Tx) ([]error, error){checkMeetings, checkServerIndex, checkBridges, checkOwners} {
			problems, err := check(tx)
			if err != nil {
				return err
			}
			found = append(found, problems...)
		}
		return nil
	})
	return errors.Join(append(found, err)...)
}

// checkMeetings: each meeting has its server, its entry in the server index and
// its voice bridge.
func checkMeetings(tx *Tx) (found []error, err error) {
	for item, err := range tx.kv.Scan(meetingTable, nil) {
		if err != nil {
			return nil, err
		}
		var m Meeting
		if err := json.Unmarshal(item.Value, &m); err != nil {
			return nil, fmt.Errorf("decode a meeting: %w", err)
		}
		if string(m.key()) != string(item.Key) {
			found = append(found, fmt.Errorf("meeting %q is stored under another key", m.MeetingKey))
			continue
		}
		if _, err := tx.Server(m.Server); err != nil {
			found = append(found, fmt.Errorf("meeting %q is on server %q: %w", m.MeetingKey, m.Server, err))
		}
		if _, err := tx.kv.Get(serverMeetingKey(m.Server, m.MeetingKey)); err != nil {
			found = append(found, fmt.Errorf("meeting %q is not in the index of server %q: %w", m.MeetingKey, m.Server, err))
		}
		if m.VoiceBridge == "" {
			continue
		}
		holder, err := tx.MeetingByVoiceBridge(m.VoiceBridge)
		if err != nil || holder.MeetingKey != m.MeetingKey {
			found = append(found, fmt.Errorf("voice bridge %s leads to %q, not to meeting %q: %w", m.VoiceBridge, holder.MeetingKey, m.MeetingKey, err))
		}
	}
	return found, nil
}

// checkServerIndex: each entry stands for a meeting on that server.
func checkServerIndex(tx *Tx) (found []error, err error) {
	for item, err := range tx.kv.Scan(serverMeetings, nil) {
		if err != nil {
			return nil, err
		}
		m, err := tx.indexed(item.Key)
		if err != nil {
			found = append(found, err)
			continue
		}
		if string(serverMeetingKey(m.Server, m.MeetingKey)) != string(item.Key) {
			found = append(found, fmt.Errorf("meeting %q is in the index of another server than its own, %q", m.MeetingKey, m.Server))
		}
	}
	return found, nil
}

// checkBridges: each voice bridge stands for a meeting that has it.
func checkBridges(tx *Tx) (found []error, err error) {
	for item, err := range tx.kv.Scan(bridgeTable, nil) {
		if err != nil {
			return nil, err
		}
		var k MeetingKey
		if err := json.Unmarshal(item.Value, &k); err != nil {
			return nil, fmt.Errorf("decode a voice bridge: %w", err)
		}
		m, err := tx.Meeting(k)
		if err != nil {
			found = append(found, fmt.Errorf("a voice bridge leads to meeting %q: %w", k, err))
			continue
		}
		if string(bridgeKey(m.VoiceBridge)) != string(item.Key) {
			found = append(found, fmt.Errorf("a voice bridge leads to meeting %q, which has another, %q", k, m.VoiceBridge))
		}
	}
	return found, nil
}

// checkOwners: what belongs to a server has that server.
func checkOwners(tx *Tx) (found []error, err error) {
	for e, err := range list[PendingEnd](tx, endTable) {
		if err != nil {
			return nil, err
		}
		if _, err := tx.Server(e.Server); err != nil {
			found = append(found, fmt.Errorf("the end of %q is owed to server %q: %w", e.MeetingKey, e.Server, err))
		}
	}
	for item, err := range tx.kv.Scan(statusTable, nil) {
		if err != nil {
			return nil, err
		}
		id, err := kv.ParseKey(item.Key[len(statusTable):]).String()
		if err == nil {
			_, err = tx.Server(id)
		}
		if err != nil {
			found = append(found, fmt.Errorf("status of server %q: %w", id, err))
		}
	}
	return found, nil
}
