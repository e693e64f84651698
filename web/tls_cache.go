package web

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/crypto/acme/autocert"

	"scalelite/store"
)

var _ autocert.Cache = (*certificateCache)(nil)

// certificateCache keeps what ACME gave in the store: account keys, certificates
// with their keys, and answers that the authority asks for while it looks.
type certificateCache struct {
	store  *store.Store
	issuer string // the ACME directory
	host   func() string
	got    func() // called when a certificate of the host has come
	log    *slog.Logger
}

// Get returns what is kept under the name, or autocert.ErrCacheMiss.
func (c *certificateCache) Get(ctx context.Context, name string) (data []byte, err error) {
	err = c.store.View(ctx, func(tx *store.Tx) error {
		data, err = tx.Certificate(c.issuer, name)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, autocert.ErrCacheMiss
	}
	return data, err
}

// Put keeps data under the name. Both a first certificate and a renewed one pass
// here, and their caller drops the error: the log tells.
func (c *certificateCache) Put(ctx context.Context, name string, data []byte) error {
	err := c.store.Update(ctx, func(tx *store.Tx) error {
		return tx.PutCertificate(c.issuer, name, data)
	})
	if err != nil {
		c.log.Error("certificate or its key not stored: after a restart it would be asked for again", "name", name, "cause", err)
		return err
	}
	if name == c.host() {
		c.got()
		until := "unknown"
		if leaf := leafOf(data); leaf != nil {
			until = leaf.NotAfter.UTC().Format(time.RFC3339)
		}
		c.log.Info("certificate obtained", "host", name, "expires", until)
	}
	return nil
}

// Delete forgets what is kept under the name.
func (c *certificateCache) Delete(ctx context.Context, name string) error {
	return c.store.Update(ctx, func(tx *store.Tx) error {
		return tx.DeleteCertificate(c.issuer, name)
	})
}

// leafOf returns the first certificate among PEM blocks, or nil.
func leafOf(data []byte) *x509.Certificate {
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return nil
		}
		if block.Type == "CERTIFICATE" {
			leaf, _ := x509.ParseCertificate(block.Bytes)
			return leaf
		}
		data = rest
	}
}
