package web

import (
	"cmp"
	"context"
	"errors"
	"time"

	"golang.org/x/crypto/acme/autocert"

	"scalelite/store"
)

// ACMEStatus is how it stands with the certificates of web.tls = "auto".
type ACMEStatus struct {
	Names    []string  // that have one; none: there is none yet
	NotAfter time.Time // of the one that ends first
	// Failure is why the last attempt to get or renew it failed; empty if it did
	// not, or is under way.
	Failure string
}

// ACME tells how it stands with the certificate that comes by ACME; false if
// certificates come otherwise.
func (c *Certificates) ACME(ctx context.Context) (ACMEStatus, bool, error) {
	names, ok := c.source.(acmeNames)
	if !ok {
		return ACMEStatus{}, false, nil
	}
	var all ACMEStatus
	for _, one := range names {
		status, err := one.status(ctx)
		if err != nil {
			return all, true, err
		}
		all = all.with(status)
	}
	return all, true, nil
}

// status is that of one name.
func (a *acmeCertificates) status(ctx context.Context) (ACMEStatus, error) {
	status, err := a.cache.status(ctx)
	current := a.current.Load()
	select {
	case <-current.done:
		if current.err != nil {
			status.Failure = current.err.Error()
		} else if cause := current.witness.cause(); cause != nil {
			status.Failure = cause.Error() // of a renewal
		}
		if status.Failure != "" {
			status.Failure = a.name() + ": " + status.Failure
		}
	default:
	}
	return status, err
}

// with adds the certificate of another name: what ends first, and what failed
// first, counts.
func (s ACMEStatus) with(other ACMEStatus) ACMEStatus {
	s.Names = append(s.Names, other.Names...)
	if s.NotAfter.IsZero() || !other.NotAfter.IsZero() && other.NotAfter.Before(s.NotAfter) {
		s.NotAfter = other.NotAfter
	}
	s.Failure = cmp.Or(s.Failure, other.Failure)
	return s
}

// StoredACME is ACME where no service runs: what the store has.
func StoredACME(ctx context.Context, c Config, s *store.Store) (ACMEStatus, error) {
	var all ACMEStatus
	for _, name := range append([]string{c.Host}, c.HostAliases...) {
		host, err := asciiHost(name)
		if err != nil {
			continue // which Validate refuses
		}
		cache := &certificateCache{store: s, issuer: c.ACMEDirectory, host: func() string { return host }}
		status, err := cache.status(ctx)
		if err != nil {
			return all, err
		}
		all = all.with(status)
	}
	return all, nil
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
