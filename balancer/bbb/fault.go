package bbb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// Fault is what is wrong between us and a server, as finely as it matters to
// who sets it right.
type Fault string

// The faults. Those from FaultPath on are found in answers.
const (
	FaultName        Fault = "name"        // the host name does not resolve
	FaultRefused     Fault = "refused"     // nobody listens there
	FaultUnreachable Fault = "unreachable" // no way there
	FaultTimeout     Fault = "timeout"     // no connection or answer in time
	FaultNotTLS      Fault = "not-tls"     // it does not speak TLS
	FaultAuthority   Fault = "authority"   // certificate of an unknown authority
	FaultHostname    Fault = "hostname"    // certificate of another host
	FaultExpired     Fault = "expired"     // certificate expired or not valid yet
	FaultTLS         Fault = "tls"         // the TLS handshake failed otherwise
	FaultCut         Fault = "cut"         // the connection was cut
	FaultCanceled    Fault = "canceled"    // the caller gave up
	FaultLocal       Fault = "local"       // the request could not be made
	FaultPath        Fault = "path"        // there is something else at that path
	FaultRedirect    Fault = "redirect"    // it sends us elsewhere
	FaultStatus      Fault = "status"      // an HTTP error
	FaultNotBBB      Fault = "not-bbb"     // an answer that is not BBB's
	FaultTooLarge    Fault = "too-large"   // an answer beyond MaxBody
	FaultSecret      Fault = "secret"      // the secret was refused
	FaultAlgorithm   Fault = "algorithm"   // the checksum algorithm was refused
	FaultCall        Fault = "call"        // BBB answered, but FAILED
)

// failure is a fault in our own words. What the net packages say is not
// repeated, for it may quote what the server sent, and that may be our own
// signed query. is is a value without such text, for errors.Is.
type failure struct {
	fault  Fault
	text   string
	is     error
	status int    // of FaultStatus, FaultPath and FaultRedirect
	target string // of FaultRedirect: scheme and host
}

// Error returns the text.
func (f *failure) Error() string { return f.text }

// Unwrap returns what errors.Is should find.
func (f *failure) Unwrap() error { return f.is }

// errSlow is the cause with which a call's own clock cancels it.
type errSlow struct{ text string }

func (e errSlow) Error() string { return e.text }
func (e errSlow) Unwrap() error { return context.DeadlineExceeded }

// explain turns an error of the transport to server into a failure. ctx is the
// call's own context, parent the caller's.
func explain(server string, err error, parent, ctx context.Context) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if cause := parent.Err(); cause != nil {
		if errors.Is(cause, context.DeadlineExceeded) {
			return &failure{fault: FaultTimeout, text: server + " did not answer in time", is: context.DeadlineExceeded}
		}
		return &failure{fault: FaultCanceled, text: "call to " + server + " was given up", is: context.Canceled}
	}
	if slow, ok := errors.AsType[errSlow](context.Cause(ctx)); ok {
		return &failure{fault: FaultTimeout, text: server + " " + slow.text, is: context.DeadlineExceeded}
	}
	if f := explainTLS(server, err); f != nil {
		return f
	}
	return explainNet(server, err)
}

func explainNet(server string, err error) *failure {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsTimeout {
			return &failure{fault: FaultName, text: "name of " + server + " did not resolve in time", is: context.DeadlineExceeded}
		}
		return &failure{fault: FaultName, text: "name of " + server + " does not resolve"}
	}
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &failure{fault: FaultRefused, text: server + " refused the connection", is: syscall.ECONNREFUSED}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		return &failure{fault: FaultUnreachable, text: server + " cannot be reached: there is no route to it"}
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return &failure{fault: FaultLocal, text: "no connection to " + server + ": too many open files on this machine"}
	case errors.As(err, &timeout) && timeout.Timeout():
		return &failure{fault: FaultTimeout, text: server + " did not answer in time", is: context.DeadlineExceeded}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF),
		errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), isIdleClose(err):
		return &failure{fault: FaultCut, text: server + " cut the connection"}
	}
	return nil
}

// isIdleClose recognises net/http's unexported error for a kept connection
// that the server closed just when it was used again.
func isIdleClose(err error) bool {
	return strings.Contains(err.Error(), "server closed idle connection")
}

func explainTLS(server string, err error) *failure {
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return &failure{fault: FaultNotTLS, text: server + " does not speak TLS on this port"}
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return &failure{fault: FaultHostname, text: fmt.Sprintf("certificate of %s is for another host%s", server, names(e.Certificate))}
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return &failure{fault: FaultAuthority, text: "certificate of " + server + " is signed by an unknown authority"}
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if e.Reason == x509.Expired {
			return &failure{fault: FaultExpired, text: "certificate of " + server + " has expired or is not valid yet"}
		}
		return &failure{fault: FaultTLS, text: "certificate of " + server + " is not valid"}
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &failure{fault: FaultTLS, text: "certificate of " + server + " is not valid"}
	}
	return nil
}

// names lists a few of the names of a certificate.
func names(c *x509.Certificate) string {
	if c == nil || len(c.DNSNames) == 0 {
		return ""
	}
	return " (" + excerpt(strings.Join(c.DNSNames[:min(len(c.DNSNames), 3)], ", ")) + ")"
}
