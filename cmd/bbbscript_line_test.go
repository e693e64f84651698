package cmd

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// line is a bad line to a server: it can break, or stall, once so many
// bytes of a connection went over it.
type line struct {
	address string
	after   atomic.Int64 // bytes; 0: it is a good one
	stall   atomic.Bool  // stall instead of breaking
	reached chan struct{}
	over    chan struct{}
	conns   sync.WaitGroup
}

func newLine(t testing.TB, to string) *line {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{address: ln.Addr().String(), reached: make(chan struct{}, 100), over: make(chan struct{})}
	l.conns.Add(1)
	go func() {
		defer l.conns.Done()
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			l.conns.Add(1)
			go l.carry(conn, to)
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		close(l.over)
		l.conns.Wait()
	})
	return l
}

// wait waits until the line breaks or stalls.
func (l *line) wait(t testing.TB) {
	t.Helper()
	select {
	case <-l.reached:
	case <-time.After(2 * time.Minute):
		t.Fatal("the line was not used")
	}
}

// carry serves one connection until one side ends it.
func (l *line) carry(from net.Conn, address string) {
	defer l.conns.Done()
	defer from.Close()
	to, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer to.Close()
	done := make(chan struct{})
	defer close(done)
	l.conns.Add(2)
	go func() {
		defer l.conns.Done()
		_, _ = io.Copy(from, to)
		_ = from.Close()
	}()
	go func() {
		defer l.conns.Done()
		select {
		case <-l.over:
			_ = from.Close()
		case <-done:
		}
	}()
	buf, sent := make([]byte, 32<<10), int64(0)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if after := l.after.Load(); after > 0 && sent+int64(n) > after {
			l.reached <- struct{}{}
			if l.stall.Load() {
				_, _ = io.Copy(io.Discard, from) // until the other side is gone
			}
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
		sent += int64(n)
	}
}
