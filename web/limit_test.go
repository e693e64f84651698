package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"scalelite/balancer/bbb"
)

// via sends a GET as if a proxy on this machine passed it on for an address.
func (s *system) via(addr, url string) answer {
	s.t.Helper()
	return s.fetch("GET", url, http.Header{"X-Forwarded-For": {addr}}, nil)
}

// TestGuessing (S22): whoever sends too many wrong checksums is refused unseen,
// and nobody else is.
func TestGuessing(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	s := newSystem(t, settings{servers: 1, noSync: true, log: log, web: func(c *Config) { c.ChecksumFailuresPerMinute = 5 }})
	s.create("room")
	good, bad := s.link("getMeetingInfo", "meetingID", "room"), s.base+"/getMeetingInfo?meetingID=room&checksum="+strings.Repeat("0", 40)
	const guesser = "203.0.113.7"
	if a := s.via(guesser, good); !a.OK {
		t.Fatalf("before: %s", a.body)
	}
	for range 5 {
		s.via(guesser, bad).wantFailed(t, "checksumError", checksumMessage)
	}
	s.via(guesser, good).wantFailed(t, "checksumError", checksumMessage)
	if got := s.via(guesser, s.url+managementPath+"/getServers?"+bbb.Sign(bbb.SHA256, "getServers", "", testSecret)); got.MessageKey != "checksumError" {
		t.Errorf("the management API answers %s", got.body)
	}
	if a := s.via("203.0.113.8", good); !a.OK {
		t.Errorf("another address: %s", a.body)
	}
	if !strings.Contains(log.String(), `cause="too many failed checksums from this address"`) {
		t.Error("the log does not say that the address has too many failures")
	}
	metrics := s.fetch("GET", s.url+"/metrics", nil, nil).body
	for _, want := range []string{"checksum_failures_total 5", "rate_limited_total 2"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %q", want)
		}
	}
}

// TestGuessingOfTheManagementSecret: failures of both APIs count together.
func TestGuessingOfTheManagementSecret(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{noSync: true, web: func(c *Config) { c.ChecksumFailuresPerMinute = 5 }})
	for range 5 {
		s.via("203.0.113.7", s.url+managementPath+"/getServers?checksum="+strings.Repeat("0", 40)).wantChecksumError(t)
	}
	s.via("203.0.113.7", s.url+managementPath+"/getServers?"+bbb.Sign(bbb.SHA256, "getServers", "", testSecret)).wantChecksumError(t)
	s.via("203.0.113.7", s.link("getMeetings")).wantChecksumError(t)
}

func (a answer) wantChecksumError(t testing.TB) {
	t.Helper()
	if a.status != http.StatusOK || a.body != failedXML("checksumError", checksumMessage) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestLoopbackIsExempt, but not what a proxy on this machine passes on, even if
// it names this machine.
func TestLoopbackIsExempt(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{noSync: true, web: func(c *Config) { c.ChecksumFailuresPerMinute = 3 }})
	bad := s.base + "/getMeetings?checksum=" + strings.Repeat("0", 40)
	for range 10 {
		s.fetch("GET", bad, nil, nil).wantChecksumError(t)
	}
	if a := s.get("getMeetings"); !a.OK {
		t.Errorf("this machine is refused: %s", a.body)
	}
	for range 10 {
		s.via("127.0.0.1", bad).wantChecksumError(t)
	}
	s.via("127.0.0.1", s.link("getMeetings")).wantChecksumError(t)
	if a := s.get("getMeetings"); !a.OK {
		t.Errorf("this machine is refused for others: %s", a.body)
	}
}

// TestProxyThatIsNotTrusted: what it says is not believed, and those behind it
// are not locked out for one of them.
func TestProxyThatIsNotTrusted(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{noSync: true, web: func(c *Config) { c.ChecksumFailuresPerMinute, c.TrustedProxies = 3, nil }})
	for range 10 {
		s.via("203.0.113.7", s.base+"/getMeetings?checksum="+strings.Repeat("0", 40)).wantChecksumError(t)
	}
	if a := s.via("203.0.113.7", s.link("getMeetings")); !a.OK {
		t.Errorf("refused: %s", a.body)
	}
}

// TestNoLimit: 0 switches it off.
func TestNoLimit(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{noSync: true, web: func(c *Config) { c.ChecksumFailuresPerMinute = 0 }})
	for range 200 {
		s.via("203.0.113.7", s.base+"/getMeetings?checksum="+strings.Repeat("0", 40)).wantChecksumError(t)
	}
	if a := s.via("203.0.113.7", s.link("getMeetings")); !a.OK {
		t.Errorf("refused: %s", a.body)
	}
}

// TestLimiterForgives with time, as much as it counted.
func TestLimiterForgives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newFailureLimiter()
		for i := range 60 {
			if l.blocked("203.0.113.7", 60) {
				t.Fatalf("blocked after %d failures", i)
			}
			l.failed("203.0.113.7", 60)
		}
		if !l.blocked("203.0.113.7", 60) {
			t.Fatal("not blocked after 60 failures")
		}
		time.Sleep(1100 * time.Millisecond)
		if l.blocked("203.0.113.7", 60) {
			t.Error("still blocked after a second")
		}
		l.failed("203.0.113.7", 60)
		if !l.blocked("203.0.113.7", 60) {
			t.Error("one second forgives more than one failure")
		}
		time.Sleep(time.Minute)
		for i := range 60 {
			if l.blocked("203.0.113.7", 60) {
				t.Fatalf("a minute later blocked after %d failures", i)
			}
			l.failed("203.0.113.7", 60)
		}
	})
}

// TestLimiterAddresses: whose failures count together.
func TestLimiterAddresses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		failed, asked string
		same          bool
	}{
		{"203.0.113.7", "203.0.113.7", true},
		{"203.0.113.7", "203.0.113.8", false},
		{"203.0.113.7", "::ffff:203.0.113.7", true},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::2", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
		{"", "", false},
		{"nonsense", "nonsense", false},
	} {
		l := newFailureLimiter()
		l.failed(test.failed, 1)
		if got := l.blocked(test.asked, 1); got != test.same {
			t.Errorf("%q failed: %q blocked %t", test.failed, test.asked, got)
		}
	}
}

// TestLimiterIsBounded: however many addresses fail, few are remembered, and
// the latest is among them.
func TestLimiterIsBounded(t *testing.T) {
	t.Parallel()
	l := newFailureLimiter()
	sweeps := 0
	for i := range 3 * maxLimited {
		addr := fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
		before := len(l.seen)
		l.failed(addr, 1)
		if len(l.seen) <= before {
			sweeps++
		}
		if len(l.seen) > maxLimited || !l.blocked(addr, 1) {
			t.Fatalf("%d addresses, the latest blocked %t", len(l.seen), l.blocked(addr, 1))
		}
	}
	if sweeps > 100 {
		t.Errorf("the addresses were looked through %d times", sweeps)
	}
}

// TestLimiterSweeps: what is forgiven is forgotten.
func TestLimiterSweeps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newFailureLimiter()
		for i := range 1000 {
			l.failed(fmt.Sprintf("10.0.%d.%d", i>>8, i&255), 10)
		}
		time.Sleep(2 * time.Minute)
		l.failed("203.0.113.7", 10)
		if len(l.seen) != 1 {
			t.Errorf("%d addresses are remembered", len(l.seen))
		}
	})
}
