package web

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// TestHeldConn: what is written arrives whole and in order, however it is split.
func TestHeldConn(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", maxHeld/4)
	for name, test := range map[string]struct {
		held, later []string
	}{
		"nothing":         {nil, []string{"a"}},
		"one":             {[]string{"a"}, []string{"b"}},
		"header and body": {[]string{long[:maxHeld], long}, []string{"next"}},
		"at once":         {[]string{long}, nil},
		"many":            {[]string{"a", "b", long[:maxHeld-2], "c", "d", long, "e"}, []string{long, "f"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain := listenLocal(t)
			ln := holding{plain, new(sync.Pool)}
			client, err := net.Dial("tcp", plain.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			conn, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			c := conn.(*heldConn)
			write := func(parts []string) {
				for _, part := range parts {
					if n, err := c.Write([]byte(part)); n != len(part) || err != nil {
						t.Errorf("wrote %d of %d bytes, %v", n, len(part), err)
					}
				}
			}
			c.hold()
			write(test.held)
			if err := c.release(); err != nil {
				t.Error(err)
			}
			write(test.later)
			_ = c.Close()
			want := strings.Join(test.held, "") + strings.Join(test.later, "")
			if got, err := io.ReadAll(client); string(got) != want || err != nil {
				t.Errorf("%d bytes arrived, %v, want %d", len(got), err, len(want))
			}
			if c.buffer != nil {
				t.Error("it holds a buffer")
			}
		})
	}
}

// TestHeldConnBreaks: a connection that ends in the middle says how much went out
// of what was given last.
func TestHeldConnBreaks(t *testing.T) {
	t.Parallel()
	plain := listenLocal(t)
	client, err := net.Dial("tcp", plain.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := holding{plain, new(sync.Pool)}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := conn.(*heldConn)
	_ = c.Close()
	c.hold()
	if n, err := c.Write([]byte("head")); n != 4 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	if n, err := c.Write(make([]byte, maxHeld)); n != 0 || err == nil {
		t.Errorf("%d %v", n, err)
	}
	if c.hold(); c.buffer != nil {
		t.Error("it holds a buffer")
	}
	_, _ = c.Write([]byte("head"))
	if c.release() == nil {
		t.Error("the end was not told")
	}
}
