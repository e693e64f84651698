package web

import (
	"crypto/tls"
	"net"
	"sync"
)

// heldConn is a TCP connection that can hold back what is written to it until
// more comes: net/http writes the header of an answer and the beginning of its
// body, and then the rest. One call of the kernel for all of it is most of what a
// small file costs.
type heldConn struct {
	*net.TCPConn
	buffers *sync.Pool // of *[maxHeld]byte
	holds   bool
	buffer  *[maxHeld]byte // nil if nothing is held
	held    int            // so many bytes of it
}

// maxHeld is up to how many bytes are held: as many as net/http writes at a time
// before it passes on what it gets.
const maxHeld = 4 << 10

// hold begins to hold back.
func (c *heldConn) hold() { c.holds = true }

// release writes what is held.
func (c *heldConn) release() (err error) {
	c.holds = false
	if c.buffer != nil {
		_, err = c.TCPConn.Write(c.buffer[:c.held])
		c.empty()
	}
	return err
}

func (c *heldConn) empty() {
	c.buffers.Put(c.buffer)
	c.buffer, c.held = nil, 0
}

// Write holds p back, or writes it behind what was held.
func (c *heldConn) Write(p []byte) (int, error) {
	if c.holds && c.held+len(p) <= maxHeld {
		if c.buffer == nil {
			c.buffer, _ = c.buffers.Get().(*[maxHeld]byte)
		}
		if c.buffer == nil {
			c.buffer = new([maxHeld]byte)
		}
		c.held += copy(c.buffer[c.held:], p)
		return len(p), nil
	}
	if c.buffer == nil {
		return c.TCPConn.Write(p)
	}
	defer c.empty()
	both := net.Buffers{c.buffer[:c.held], p}
	n, err := both.WriteTo(c.TCPConn)
	return max(int(n)-c.held, 0), err
}

// holding makes the TCP connections that a listener takes heldConns.
type holding struct {
	net.Listener
	buffers *sync.Pool
}

// Accept waits for the next connection.
func (l holding) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		return &heldConn{TCPConn: tcp, buffers: l.buffers}, nil
	}
	return conn, err
}

// tcpOf returns the TCP connection below a connection, nil if there is none.
func tcpOf(conn net.Conn) *net.TCPConn {
	if over, ok := conn.(*tls.Conn); ok {
		conn = over.NetConn()
	}
	if held, ok := conn.(*heldConn); ok {
		return held.TCPConn
	}
	tcp, _ := conn.(*net.TCPConn)
	return tcp
}
