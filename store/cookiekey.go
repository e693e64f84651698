package store

import (
	"crypto/rand"
	"errors"
)

// CookieKey returns the key that signs the cookies of opened recordings, or
// ErrNotFound before there is one.
func (tx *Tx) CookieKey() ([]byte, error) {
	return get[[]byte](tx, cookieKey)
}

// EnsureCookieKey returns the key that signs the cookies of opened recordings,
// 32 random bytes, and makes one if there is none.
func (tx *Tx) EnsureCookieKey() ([]byte, error) {
	key, err := tx.CookieKey()
	if !errors.Is(err, ErrNotFound) {
		return key, err
	}
	key = make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return key, tx.put(cookieKey, key)
}
