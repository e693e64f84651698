package cmd

import (
	"context"

	"scalelite/web"
	"scalelite/web/admin"
)

// certificateState tells operators of the certificate that the service gets by
// ACME; nil if there is none to tell of.
func (s *service) certificateState() func(context.Context) (*admin.CertificateState, error) {
	if s.certs == nil {
		return nil
	}
	return func(ctx context.Context) (*admin.CertificateState, error) {
		status, ok, err := s.certs.ACME(ctx)
		if !ok || err != nil {
			return nil, err
		}
		return &admin.CertificateState{Names: status.Names, NotAfter: status.NotAfter, Error: status.Failure}, nil
	}
}

// storedCertificate does the same where no service runs.
func (c *core) storedCertificate(config web.Config) func(context.Context) (*admin.CertificateState, error) {
	if config.TLS != web.TLSAuto {
		return nil
	}
	return func(ctx context.Context) (*admin.CertificateState, error) {
		status, err := web.StoredACME(ctx, config, c.store)
		if err != nil {
			return nil, err
		}
		return &admin.CertificateState{Names: status.Names, NotAfter: status.NotAfter}, nil
	}
}
