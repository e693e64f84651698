package web

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"scalelite/store"
)

// acmeNames are the certificates of web.host and of web.host_aliases: one each,
// so that a name which the authority cannot reach leaves the others theirs.
type acmeNames []*acmeCertificates

var _ certificateSource = acmeNames(nil)

func openACMENames(c Config, s *store.Store, log *slog.Logger) (acmeNames, error) {
	var names acmeNames
	for _, host := range append([]string{c.Host}, c.HostAliases...) {
		c.Host = host
		one, err := openACME(c, s, log)
		if err != nil {
			return nil, err
		}
		names = append(names, one)
	}
	return names, nil
}

// of returns those of a name: those of web.host if it is none of ours, or none.
func (n acmeNames) of(host string) *acmeCertificates {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	for _, one := range n {
		if one.allowed(host) == nil {
			return one
		}
	}
	return n[0]
}

func (n acmeNames) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return n.of(hello.ServerName).get(hello)
}

// run looks after all of them. Others that need the authority wait with their
// first attempt for that of web.host, which makes the account that they share.
func (n acmeNames) run(ctx context.Context) {
	first := n[0].current.Load().done
	var names sync.WaitGroup
	for i, one := range n {
		names.Go(func() {
			if i > 0 && !one.kept(ctx) {
				select {
				case <-first:
				case <-ctx.Done():
				}
			}
			one.run(ctx)
		})
	}
	names.Wait()
}

// reconfigure takes over another web.host, and looks for all again. The aliases
// are those of the start.
func (n acmeNames) reconfigure(c Config) {
	for i, one := range n {
		if i > 0 {
			c.Host = one.config.Host
		}
		one.reconfigure(c)
	}
}

func (n acmeNames) answer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.of(r.Host).answer(next).ServeHTTP(w, r)
	})
}
