package store

import (
	"errors"
	"fmt"
	"iter"

	"scalelite/store/kv"
)

func serverKey(id string) kv.Key { return serverTable.String(id) }
func statusKey(id string) kv.Key { return statusTable.String(id) }

// Server returns the server with this ID, or ErrNotFound.
func (tx *Tx) Server(id string) (Server, error) {
	return get[Server](tx, serverKey(id))
}

// Servers lists the servers by ID.
func (tx *Tx) Servers() iter.Seq2[Server, error] {
	return list[Server](tx, serverTable)
}

// AddServer stores a new server, or returns ErrConflict if its ID is taken.
func (tx *Tx) AddServer(s Server) error {
	_, err := tx.Server(s.ID)
	if err == nil {
		return fmt.Errorf("%w: a server with id %q exists", ErrConflict, s.ID)
	}
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	return tx.put(serverKey(s.ID), s)
}

// PutServer stores a server that exists, or returns ErrNotFound.
func (tx *Tx) PutServer(s Server) error {
	if _, err := tx.Server(s.ID); err != nil {
		return err
	}
	return tx.put(serverKey(s.ID), s)
}

// RemoveServer removes a server with everything that hangs on it: status,
// meetings, owed ends. It returns ErrNotFound if there is none.
func (tx *Tx) RemoveServer(id string) error {
	if _, err := tx.Server(id); err != nil {
		return err
	}
	if err := tx.ForgetMeetings(id); err != nil {
		return err
	}
	for item, err := range tx.kv.Scan(endTable.String(id), nil) {
		if err != nil {
			return err
		}
		if err := tx.kv.Delete(item.Key); err != nil {
			return err
		}
	}
	if err := tx.kv.Delete(statusKey(id)); err != nil {
		return err
	}
	return tx.kv.Delete(serverKey(id))
}

// Status returns what the polls found out about a server; the zero Status if it
// was never polled.
func (tx *Tx) Status(id string) (Status, error) {
	s, err := get[Status](tx, statusKey(id))
	if errors.Is(err, ErrNotFound) {
		return Status{}, nil
	}
	return s, err
}

// PutStatus stores the status of a server that exists, or returns ErrNotFound.
func (tx *Tx) PutStatus(id string, s Status) error {
	if _, err := tx.Server(id); err != nil {
		return err
	}
	return tx.put(statusKey(id), s)
}
