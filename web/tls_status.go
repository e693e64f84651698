package web

import (
	"context"
	"errors"
	"time"

	"golang.org/x/crypto/acme/autocert"

	"scalelite/store"
)

// ACMEStatus is how it stands with the certificate of web.tls = "auto".
type ACMEStatus struct {
	Names    []string // of the certificate; none: there is none yet
	NotAfter time.Time
	// Failure is why the last attempt to get or renew it failed; empty if it did
	// not, or is under way.
	Failure string
}

// ACME tells how it stands with the certificate that comes by ACME; false if
// certificates come otherwise.
func (c *Certificates) ACME(ctx context.Context) (ACMEStatus, bool, error) {
	source, ok := c.source.(*acmeCertificates)
	if !ok {
		return ACMEStatus{}, false, nil
	}
	status, err := source.cache.status(ctx)
	current := source.current.Load()
	select {
	case <-current.done:
		if current.err != nil {
			status.Failure = current.err.Error()
		} else if cause := current.witness.cause(); cause != nil {
			status.Failure = cause.Error() // of a renewal
		}
	default:
	}
	return status, true, err
}

// StoredACME is ACME where no service runs: what the store has.
func StoredACME(ctx context.Context, c Config, s *store.Store) (ACMEStatus, error) {
	host, err := asciiHost(c.Host)
	if err != nil {
		return ACMEStatus{}, nil // which Validate refuses
	}
	cache := &certificateCache{store: s, issuer: c.ACMEDirectory, host: func() string { return host }}
	return cache.status(ctx)
}

// status reads the certificate of the host.
func (c *certificateCache) status(ctx context.Context) (ACMEStatus, error) {
	data, err := c.Get(ctx, c.host())
	if errors.Is(err, autocert.ErrCacheMiss) {
		return ACMEStatus{}, nil
	}
	if err != nil {
		return ACMEStatus{}, err
	}
	leaf := leafOf(data)
	if leaf == nil {
		return ACMEStatus{}, nil
	}
	return ACMEStatus{Names: leaf.DNSNames, NotAfter: leaf.NotAfter}, nil
}
