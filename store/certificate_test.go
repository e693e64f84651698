package store_test

import (
	"context"
	"errors"
	"testing"

	"scalelite/store"
	"scalelite/store/storetest"
)

// TestCertificates: each issuer has its own names.
func TestCertificates(t *testing.T) {
	t.Parallel()
	ctx, s := context.Background(), storetest.Open(t)
	read := func(issuer, name string) (data []byte, err error) {
		err = s.View(ctx, func(tx *store.Tx) error {
			data, err = tx.Certificate(issuer, name)
			return err
		})
		return data, err
	}
	err := s.Update(ctx, func(tx *store.Tx) error {
		return errors.Join(
			tx.PutCertificate("https://a.test/dir", "lb.test", []byte("former")),
			tx.PutCertificate("https://a.test/dir", "lb.test", []byte("of a")),
			tx.PutCertificate("https://b.test/dir", "lb.test", []byte("of b")))
	})
	if err != nil {
		t.Fatal(err)
	}
	for issuer, want := range map[string]string{"https://a.test/dir": "of a", "https://b.test/dir": "of b"} {
		if data, err := read(issuer, "lb.test"); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v; want %q", issuer, data, err, want)
		}
	}
	err = s.Update(ctx, func(tx *store.Tx) error {
		return errors.Join(tx.DeleteCertificate("https://a.test/dir", "lb.test"), tx.DeleteCertificate("https://a.test/dir", "none"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read("https://a.test/dir", "lb.test"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after the delete: %v, want ErrNotFound", err)
	}
	if data, err := read("https://b.test/dir", "lb.test"); err != nil || string(data) != "of b" {
		t.Errorf("the other issuer's: %q, %v", data, err)
	}
}
