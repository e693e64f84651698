package web

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestHost: with web.host, other hosts are turned away, but not from the health
// check.
func TestHost(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{noSync: true, web: func(c *Config) { c.Host = "bbb.example.org" }})
	any := newSystem(t, settings{noSync: true})
	for host, want := range map[string]int{
		"bbb.example.org": 200, "BBB.Example.ORG": 200, "bbb.example.org:443": 200, "bbb.example.org.": 200, "bbb.example.org.:8443": 200,
		"evil.example": 403, "bbb.example.org.evil.example": 403, "127.0.0.1": 403, "[::1]:80": 403, "x.bbb.example.org": 403, "bbb.example.org:80:80": 403,
	} {
		header := http.Header{"Host": {host}}
		for _, path := range []string{"/bigbluebutton/api", "/bigbluebutton/api/getMeetings", "/", "/robots.txt", "/nothing", "/scalelite/api/getServers"} {
			if a := s.fetch("GET", s.url+path, header, nil); (a.status == http.StatusForbidden) != (want == http.StatusForbidden) {
				t.Errorf("%s of %s: %d %s", path, host, a.status, a.body)
			} else if want == http.StatusForbidden && (a.body == "" || strings.Contains(a.body, "evil")) {
				t.Errorf("%s of %s: %q", path, host, a.body)
			}
		}
		if a := s.fetch("GET", s.url+"/health_check", header, nil); a.status != http.StatusOK || a.body != "success" {
			t.Errorf("health check of %s: %d %s", host, a.status, a.body)
		}
		if a := any.fetch("GET", any.base, header, nil); !a.OK {
			t.Errorf("without web.host, %s: %d %s", host, a.status, a.body)
		}
	}
	if a := s.fetch("GET", s.base, http.Header{"Host": {"evil.example"}}, nil); a.MessageKey != "forbidden" {
		t.Errorf("the refusal is no XML: %s", a.body)
	}
	if a := s.fetch("GET", s.url+managementPath+"/getServers", http.Header{"Host": {"evil.example"}}, nil); a.body != `{"error":"This host name is not served here."}` {
		t.Errorf("the refusal is no JSON: %s", a.body)
	}
}

// TestHostWithDot: a name written with its root is the same name.
func TestHostWithDot(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{noSync: true, web: func(c *Config) { c.Host = "bbb.example.org." }})
	for _, host := range []string{"bbb.example.org", "bbb.example.org."} {
		if a := s.fetch("GET", s.base, http.Header{"Host": {host}}, nil); !a.OK {
			t.Errorf("%s: %d %s", host, a.status, a.body)
		}
	}
}

// TestHostAliases: further names are served.
func TestHostAliases(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{noSync: true, web: func(c *Config) { c.Host, c.HostAliases = "bbb.example.org", []string{"old.example.org."} }})
	for host, want := range map[string]int{"old.example.org": 200, "OLD.example.org.:443": 200, "bbb.example.org": 200, "older.example.org": 403} {
		if a := s.fetch("GET", s.url+"/robots.txt", http.Header{"Host": {host}}, nil); a.status != want {
			t.Errorf("%s: %d", host, a.status)
		}
	}
	c := DefaultConfig()
	for _, wrong := range [][]string{{""}, {"https://x.example.org"}, {"BBB.example.org."}} {
		c.Host, c.HostAliases = "bbb.example.org", wrong
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "web.host_aliases") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	c.Host, c.HostAliases = "", []string{"a.example.org"}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "web.host_aliases") {
		t.Errorf("without web.host: %v", err)
	}
}

// TestForwardedHost counts from proxies that are trusted, from nobody else.
func TestForwardedHost(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		trusted         []string
		host, forwarded string
		want            int
	}{
		{PrivateNetworks(), "127.0.0.1", "bbb.example.org", 200},
		{PrivateNetworks(), "127.0.0.1", "bbb.example.org:443, inner", 200},
		{PrivateNetworks(), "bbb.example.org", "evil.example", 403},
		{[]string{"10.0.0.0/8"}, "127.0.0.1", "bbb.example.org", 403},
		{[]string{"10.0.0.0/8"}, "bbb.example.org", "evil.example", 200},
		{nil, "bbb.example.org", "evil.example", 200},
	} {
		s := newSystem(t, settings{noSync: true, web: func(c *Config) { c.Host, c.TrustedProxies = "bbb.example.org", test.trusted }})
		header := http.Header{"Host": {test.host}, "X-Forwarded-Host": {test.forwarded}}
		if a := s.fetch("GET", s.base, header, nil); a.status != test.want {
			t.Errorf("%+v: %d", test, a.status)
		}
	}
}

// TestRealAddress: whose name stands in the log.
func TestRealAddress(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		trusted   []string
		forwarded []string
		want      string
	}{
		{PrivateNetworks(), nil, "127.0.0.1"},
		{PrivateNetworks(), []string{"203.0.113.1"}, "203.0.113.1"},
		{PrivateNetworks(), []string{"198.51.100.1, 203.0.113.1"}, "203.0.113.1"},
		{PrivateNetworks(), []string{"198.51.100.1", "203.0.113.1, 10.1.2.3"}, "203.0.113.1"},
		{PrivateNetworks(), []string{"2001:db8::1"}, "2001:db8::1"},
		{PrivateNetworks(), []string{"[2001:db8::1]"}, "2001:db8::1"},
		{PrivateNetworks(), []string{"10.1.2.3"}, "10.1.2.3"},
		{PrivateNetworks(), []string{"nonsense, 203.0.113.1"}, "203.0.113.1"},
		{PrivateNetworks(), []string{"nonsense"}, "127.0.0.1"},
		{[]string{"127.0.0.0/8"}, []string{"203.0.113.1, 10.1.2.3"}, "10.1.2.3"},
		{[]string{"127.0.0.0/8"}, []string{"203.0.113.1, 169.254.1.1"}, "169.254.1.1"},
		{nil, []string{"203.0.113.1"}, "127.0.0.1"},
		{[]string{"10.0.0.0/8"}, []string{"203.0.113.1"}, "127.0.0.1"},
	} {
		log := &logBuffer{}
		s := newSystem(t, settings{noSync: true, log: log, web: func(c *Config) { c.TrustedProxies = test.trusted }})
		header := http.Header{"X-Real-Ip": {"192.0.2.66"}, "Forwarded": {"for=192.0.2.66"}, "X-Forwarded-For": test.forwarded}
		s.fetch("GET", s.base+"/create", header, nil)
		if want := " addr=" + test.want + " call=create"; !strings.Contains(log.String(), want) {
			t.Errorf("%+v: the log has not%s:\n%s", test, want, log)
		}
	}
}

// TestSocket: a proxy that comes over a unix socket is as trusted as one on
// loopback, for only this machine can reach it.
func TestSocket(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	s := newSystem(t, settings{noSync: true, log: log, web: func(c *Config) { c.Host, c.ChecksumFailuresPerMinute = "bbb.example.org", 2 }})
	path := filepath.Join(t.TempDir(), "sub", "web.sock")
	ln, err := Listen(t.Context(), "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(t.Context(), "unix:"+path); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second listener on a socket in use: %v", err)
	}
	s.serve(ln)
	s.client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}
	header := http.Header{"Host": {"backend"}, "X-Forwarded-Host": {"bbb.example.org"}, "X-Forwarded-For": {"203.0.113.1"}}
	for range 3 {
		s.fetch("GET", s.base+"/create", header, nil).wantFailed(t, "checksumError", checksumMessage)
	}
	if !strings.Contains(log.String(), "addr=203.0.113.1 call=create") || !strings.Contains(log.String(), "too many failed checksums") {
		t.Errorf("log:\n%s", log)
	}
	header.Del("X-Forwarded-For")
	s.fetch("GET", s.base+"/create", header, nil)
	if !strings.Contains(log.String(), "addr=127.0.0.1 call=create") {
		t.Errorf("log:\n%s", log)
	}
}

// TestDeadSocket: what a process that is gone left is replaced, a file is not.
func TestDeadSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "web.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	ln, err := Listen(t.Context(), "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	for _, addr := range []string{"127.0.0.1:99999", "unix:/dev/null/x", "unix:/dev/null"} {
		if ln, err := Listen(t.Context(), addr); err == nil || !strings.HasPrefix(err.Error(), "web.listen: ") {
			t.Errorf("Listen(%s) = %v, %v", addr, ln, err)
		}
	}
}

// TestStop: what runs is finished, and meanwhile everybody is answered on a
// connection that ends with the answer; then nobody is let in.
func TestStop(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{noSync: true})
	arrived, release := make(chan struct{}), make(chan struct{})
	s.addBackend("slow", map[string]http.HandlerFunc{
		"create": answers("text/xml", "<response><returncode>SUCCESS</returncode></response>"),
		"getMeetingInfo": func(w http.ResponseWriter, _ *http.Request) {
			close(arrived)
			<-release
			_, _ = io.WriteString(w, "<response><returncode>SUCCESS</returncode><late/></response>")
		},
	})
	s.create("room")
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.web.Serve(ctx, ln) }()
	target := "http://" + ln.Addr().String()
	got := make(chan string, 1)
	go func() {
		response, err := s.client.Get(strings.Replace(s.link("getMeetingInfo", "meetingID", "room"), s.url, target, 1))
		if err != nil {
			got <- err.Error()
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		got <- string(text)
	}()
	<-arrived
	stop()
	for last := false; !last; {
		response, err := s.client.Get(target + "/health_check")
		if err != nil {
			t.Fatalf("not answered while a request runs: %v", err)
		}
		last = response.Close
		_ = response.Body.Close()
	}
	close(release)
	if text := <-got; !strings.Contains(text, "<late/>") {
		t.Errorf("the running request got %s", text)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
	if conn, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("let in after the end")
		_ = conn.Close()
	}
}
