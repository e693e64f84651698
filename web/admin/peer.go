package admin

import (
	"context"
	"net"
)

// Peer is the process at the other end of the socket when it connected.
type Peer struct {
	UID uint32
	PID int32
}

type peerKey struct{}

// PeerContext is the ConnContext of a server on a unix socket: it notes who
// connected, for the log.
func PeerContext(ctx context.Context, c net.Conn) context.Context {
	if p, known := credentials(c); known {
		return context.WithValue(ctx, peerKey{}, p)
	}
	return ctx
}

// PeerOf returns what PeerContext noted, if the system tells.
func PeerOf(ctx context.Context) (Peer, bool) {
	p, known := ctx.Value(peerKey{}).(Peer)
	return p, known
}
