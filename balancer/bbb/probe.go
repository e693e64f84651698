package bbb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ProbeResult is what Probe found out about a server.
type ProbeResult struct {
	// Version is the server's bbbVersion, "" if it hides it.
	Version string
	// Algorithm is the one that Probe was asked to sign with.
	Algorithm Algorithm
	// Accepted are the algorithms that were tried and accepted.
	Accepted []Algorithm
	// Meetings is how many meetings the server lists.
	Meetings int
}

// ProbeError says why a server cannot be used, and what to do about it.
type ProbeError struct {
	// Fault is what is wrong.
	Fault Fault
	// Message is for the administrator: the fault and its remedy, a sentence
	// or two without a secret in it.
	Message string
	err     error
}

// Error returns the message.
func (e *ProbeError) Error() string { return e.Message }

// Unwrap returns the failed call, if one failed.
func (e *ProbeError) Unwrap() error { return e.err }

// Probe finds out whether a server can be used as it is described: it asks for
// the index, which needs no secret, then for the meetings, and if that is
// refused, once more with each other algorithm, to tell a wrong secret from an
// algorithm that the server does not accept. Every error is a *ProbeError,
// beside which the result has what was found until then.
func (c *Client) Probe(ctx context.Context, e Endpoint) (ProbeResult, error) {
	if e.Algorithm == "" {
		e.Algorithm = SHA256
	}
	result := ProbeResult{Algorithm: e.Algorithm}
	version, err := c.Version(ctx, e)
	if err != nil {
		return result, probeError(e, err)
	}
	result.Version = version
	reply, err := c.Call(ctx, e, "getMeetings", Params{}, nil)
	if err != nil {
		return result, probeError(e, err)
	}
	if reply.OK {
		result.Accepted = []Algorithm{e.Algorithm}
		result.Meetings = len(reply.Meetings())
		return result, nil
	}
	if reply.MessageKey != ErrChecksum.Key {
		return result, &ProbeError{Fault: FaultCall, Message: fmt.Sprintf(
			"%s answered getMeetings with %s: look into the log of bbb-web on the server", hostOf(e.URL), excerpt(reply.MessageKey))}
	}
	result.Accepted, err = c.accepted(ctx, e)
	if err != nil {
		return result, probeError(e, err)
	}
	return result, refusedSecret(e, result.Accepted)
}

// accepted returns the algorithms beside e's own with which the secret passes.
func (c *Client) accepted(ctx context.Context, e Endpoint) ([]Algorithm, error) {
	var ok []Algorithm
	own := e.Algorithm
	for _, a := range slices.Backward(byStrength[:]) {
		if a == own {
			continue
		}
		e.Algorithm = a
		reply, err := c.Call(ctx, e, "getMeetings", Params{}, nil)
		if err != nil {
			return ok, err
		}
		if reply.OK {
			ok = append(ok, a)
		}
	}
	return ok, nil
}

func refusedSecret(e Endpoint, accepted []Algorithm) *ProbeError {
	server := hostOf(e.URL)
	if len(accepted) == 0 {
		return &ProbeError{Fault: FaultSecret, Message: "secret refused by " + server +
			": give the one that `bbb-conf --secret` prints there"}
	}
	names := make([]string, len(accepted))
	for i, a := range accepted {
		names[i] = string(a)
	}
	return &ProbeError{Fault: FaultAlgorithm, Message: fmt.Sprintf(
		"algorithm not accepted: %s takes the secret with %s, but not with %s: set web.checksum_algorithms here, or supportedChecksumAlgorithms in bbb-web.properties there",
		server, strings.Join(names, ", "), e.Algorithm)}
}

// remedies are what to do about a fault.
var remedies = map[Fault]string{
	FaultName:        "check the spelling of the host name, and that DNS knows it on this machine",
	FaultRefused:     "nothing listens there: check host and port, and that nginx runs on the server",
	FaultUnreachable: "check the address, and the network of this machine",
	FaultTimeout:     "check that the address is right, that the server is up, and that no firewall stands between",
	FaultNotTLS:      "give the address with http://, or the port that speaks TLS",
	FaultAuthority:   "install a certificate of a known authority there with its whole chain, or add its authority to those this machine trusts",
	FaultHostname:    "give the host name that the certificate is for",
	FaultExpired:     "renew the certificate there, and check the clocks of both machines",
	FaultTLS:         "check the certificate and the TLS versions there",
	FaultCut:         "look whether bbb-web and nginx run on the server",
	FaultLocal:       "check the address",
	FaultPath:        "there is no BBB API at this path: give the address that `bbb-conf --secret` prints there",
	FaultNotBBB:      "there is no BBB API at this address: give the one that `bbb-conf --secret` prints there",
	FaultTooLarge:    "this is not what a BBB server answers: check the address",
	FaultRedirect:    "give the address that it redirects to",
	FaultStatus:      "look whether bbb-web runs on the server (bbb-conf --status)",
}

func probeError(e Endpoint, err error) *ProbeError {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		return &ProbeError{Fault: FaultLocal, Message: "call failed: check the address", err: err}
	}
	remedy := remedies[f.fault]
	switch {
	case f.fault == FaultStatus && f.status == 400 && strings.HasPrefix(e.URL, "http://"):
		remedy = "the port may speak TLS: give the address with https://"
	case f.fault == FaultStatus && (f.status == 401 || f.status == 403):
		remedy = "something in front of BBB refuses this machine: allow its address there"
	}
	message := f.text
	if remedy != "" {
		message += ": " + remedy
	}
	return &ProbeError{Fault: f.fault, Message: message, err: err}
}
