package store

import (
	"context"
	"errors"
	"fmt"
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
	for m, err := range tx.Meetings() {
		if err != nil {
			return nil, err
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
	for k, err := range list[MeetingKey](tx, bridgeTable) {
		if err != nil {
			return nil, err
		}
		m, err := tx.Meeting(k)
		if err != nil {
			found = append(found, fmt.Errorf("a voice bridge leads to meeting %q: %w", k, err))
			continue
		}
		if _, err := tx.kv.Get(bridgeKey(m.VoiceBridge)); err != nil {
			found = append(found, fmt.Errorf("meeting %q has a voice bridge that is not its own: %w", k, err))
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
	return found, nil
}
