package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"strings"

	"scalelite/balancer/bbb"
)

// metricsGuard lets those see the metrics who connect from this machine, and,
// if there is a token, those who send it ("Authorization: Bearer TOKEN").
//
// It goes by the address of the connection, whatever proxies say. But what a
// proxy on this machine passes on is not of this machine: a request with a
// header that proxies add needs the token.
func metricsGuard(token bbb.Secret, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !fromLoopback(r) && !bearer(r, token) {
			http.Error(w, "Metrics are open to this machine only, or with the token of web.metrics_token.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func fromLoopback(r *http.Request) bool {
	for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via"} {
		if _, has := r.Header[name]; has {
			return false
		}
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().Unmap().IsLoopback()
}

// bearer compares digests: how long the token is remains untold, too.
func bearer(r *http.Request, token bbb.Secret) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token == "" || !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	a, b := sha256.Sum256([]byte(strings.TrimSpace(given))), sha256.Sum256([]byte(token.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
