package balancer

import (
	"context"
	"errors"
	"fmt"

	"scalelite/store"
)

// Callbacks lists all callbacks, the oldest first.
func (o *Outbox) Callbacks(ctx context.Context) ([]store.Callback, error) {
	var all []store.Callback
	err := o.options.Store.View(ctx, func(tx *store.Tx) (err error) {
		all, err = store.Collect(tx.Callbacks())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the callbacks: %w", err)
	}
	return all, nil
}

// Callback returns the callback with an ID, or ErrNoSuchCallback.
func (o *Outbox) Callback(ctx context.Context, id string) (c store.Callback, err error) {
	err = o.options.Store.View(ctx, func(tx *store.Tx) (err error) {
		c, err = tx.Callback(id)
		return err
	})
	return c, noSuchCallback(err, id)
}

// ErrNoSuchCallback: no callback has the ID.
var ErrNoSuchCallback = errors.New("no such callback")

// Retry has a callback tried now, for another day if it was given up.
func (o *Outbox) Retry(ctx context.Context, id string) error {
	err := o.options.Store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Callback(id)
		if err != nil {
			return noSuchCallback(err, id)
		}
		c.Next, c.GiveUp, c.Tries = tx.Now, tx.Now.Add(callbackWindow), 0
		return tx.PutCallback(c)
	})
	o.Wake()
	return err
}

// Drop forgets a callback.
func (o *Outbox) Drop(ctx context.Context, id string) error {
	return o.options.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Callback(id); err != nil {
			return noSuchCallback(err, id)
		}
		return tx.DeleteCallback(id)
	})
}

func noSuchCallback(err error, id string) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: %q", ErrNoSuchCallback, id)
	}
	return err
}

// Sweep forgets callbacks that were given up long ago, and URLs of meetings that
// nobody created for a year.
func (o *Outbox) Sweep(ctx context.Context) error {
	return o.options.Store.Update(ctx, func(tx *store.Tx) error {
		for c, err := range tx.Callbacks() {
			if err != nil {
				return err
			}
			if c.Failed() && tx.Now.Sub(c.Created) > callbackKept {
				if err := tx.DeleteCallback(c.ID); err != nil {
					return err
				}
			}
		}
		for u, err := range tx.ReadyURLs() {
			if err != nil {
				return err
			}
			if tx.Now.Sub(u.Since) > 12*callbackKept {
				if err := tx.DeleteReadyURL(u.MeetingKey); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
