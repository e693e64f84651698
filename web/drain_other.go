//go:build !linux

package web

import "net"

// nothingReceived is not known here.
func nothingReceived(*net.TCPConn) bool { return false }

// queued is not known here.
func queued(net.Listener) bool { return false }
