package store

import (
	"crypto/rand"
	"errors"

	"scalelite/balancer/bbb"
)

// Secret returns the generated secret that the front-ends sign with while none
// is configured, or ErrNotFound before there is one.
func (tx *Tx) Secret() (bbb.Secret, error) {
	return get[bbb.Secret](tx, secretKey)
}

// EnsureSecret returns the generated secret and makes one if there is none.
func (tx *Tx) EnsureSecret() (bbb.Secret, error) {
	s, err := tx.Secret()
	if errors.Is(err, ErrNotFound) {
		return tx.RotateSecret()
	}
	return s, err
}

// RotateSecret replaces the generated secret by a new one of 40 characters,
// 200 random bits, and returns it.
func (tx *Tx) RotateSecret() (bbb.Secret, error) {
	s := bbb.Secret(rand.Text() + rand.Text()[:14])
	return s, tx.put(secretKey, s)
}
