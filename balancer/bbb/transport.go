package bbb

import (
	"net"
	"net/http"
	"time"
)

// ClientConfig bounds what a call may take. A zero field has its default.
type ClientConfig struct {
	// ConnectTimeout bounds the time until a connection stands, TLS included.
	// Default 5 seconds.
	ConnectTimeout time.Duration
	// ResponseTimeout bounds the time from the request to the last byte of the
	// answer; sending the request has as long again, and a second more for each
	// 512 KiB of its body. Default 10 seconds.
	ResponseTimeout time.Duration
	// MaxBody bounds an answer in bytes. Default 20 MiB.
	MaxBody int64
	// UserAgent is sent along. Default "scalelite".
	UserAgent string
}

func (c ClientConfig) withDefaults() ClientConfig {
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = 5 * time.Second
	}
	if c.ResponseTimeout <= 0 {
		c.ResponseTimeout = 10 * time.Second
	}
	if c.MaxBody <= 0 {
		c.MaxBody = 20 << 20
	}
	if c.UserAgent == "" {
		c.UserAgent = "scalelite"
	}
	return c
}

// NewTransport returns the transport that the clients of all servers share.
//
// It goes to the servers straight, whatever proxies the environment names;
// keeps enough idle connections for a burst; bounds the connections to a
// server that hangs; and asks for no compression, so that an answer is never
// larger than what came over the wire. It speaks HTTP/1.1 only: one stalled
// HTTP/2 connection would stall every call to its server.
func NewTransport(c ClientConfig) *http.Transport {
	c = c.withDefaults()
	// The clock of a call runs out first, for it knows what to say.
	connect := c.ConnectTimeout + time.Second
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            (&net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    connect,
		Protocols:              &protocols,
		MaxIdleConnsPerHost:    64,
		MaxConnsPerHost:        512,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}
}
