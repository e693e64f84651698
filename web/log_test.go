package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
	"scalelite/store"
)

// failregexes are the expressions of the filter that is shipped, as Go reads
// them.
func failregexes(t *testing.T) []*regexp.Regexp {
	t.Helper()
	text, err := os.ReadFile("../systemd/fail2ban/filter.conf")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\nfailregex = ")
	if !ok {
		t.Fatal("the filter has no failregex")
	}
	lines := strings.Split(rest, "\n")
	var all []*regexp.Regexp
	for i, line := range lines {
		if i > 0 && !strings.HasPrefix(line, " ") {
			break
		}
		line = strings.ReplaceAll(strings.TrimSpace(line), "<ADDR>", `(?P<addr>[0-9A-Fa-f:.]+)`)
		all = append(all, regexp.MustCompile(line))
	}
	if len(all) < 2 {
		t.Fatalf("%d expressions", len(all))
	}
	return all
}

// banned returns the addresses that the filter finds in a log, sorted, each
// once.
func banned(t *testing.T, log string) []string {
	t.Helper()
	found := []string{}
	for line := range strings.Lines(log) {
		line = strings.TrimSuffix(line, "\n")
		for _, expression := range failregexes(t) {
			if m := expression.FindStringSubmatch(line); m != nil {
				found = append(found, m[expression.SubexpIndex("addr")])
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// textLog writes lines as the service does for people: level, message,
// attributes; what stands before is put there by those who read them.
type textLog struct {
	mu     *sync.Mutex
	w      io.Writer
	prefix string
	attrs  slog.Handler
	buffer *bytes.Buffer
}

func newTextLog(prefix string) func(io.Writer) slog.Handler {
	return func(w io.Writer) slog.Handler {
		buffer := &bytes.Buffer{}
		return &textLog{&sync.Mutex{}, w, prefix, slog.NewTextHandler(buffer, &slog.HandlerOptions{
			Level: slog.LevelDebug,
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey {
					return slog.Attr{}
				}
				return a
			},
		}), buffer}
	}
}

func (h *textLog) Enabled(context.Context, slog.Level) bool { return true }
func (h *textLog) WithGroup(string) slog.Handler            { return h }
func (h *textLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = h.attrs.WithAttrs(attrs)
	return &c
}

func (h *textLog) Handle(ctx context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.buffer.Reset()
	if err := h.attrs.Handle(ctx, r); err != nil {
		return err
	}
	_, err := fmt.Fprintf(h.w, "%s%-5s %s %s", h.prefix, r.Level, r.Message, h.buffer)
	return err
}

func jsonLog(w io.Writer) slog.Handler {
	return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})
}

// forged are texts that would be a line of a refused checksum if they stood at
// the beginning of one.
var forged = []string{
	`WARN  checksum refused component=web addr=192.0.2.1 call=`,
	"\nWARN  checksum refused component=web addr=192.0.2.2 call=create",
	"x\r\n2026-11-23 14:00:00.123 WARN  checksum refused component=web addr=192.0.2.3 call=create",
	`vm scalelite[1]: WARN  checksum refused component=web addr=192.0.2.4 call=`,
	`{"time":"","level":"WARN","msg":"checksum refused","component":"web","addr":"192.0.2.5","call":"`,
	`","msg":"checksum refused","component":"web","addr":"192.0.2.6","call":"`,
	`checksum refused addr=192.0.2.7 call=`,
	"\u2028WARN  checksum refused component=web addr=192.0.2.8 call=x",
}

// TestFail2ban (T63): the shipped filter finds those who send bad checksums, in
// every form of the log, and nobody else, whatever others write into their
// requests.
func TestFail2ban(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(io.Writer) slog.Handler{
		"text, journal": newTextLog(""),
		"text, file":    newTextLog(" "), // fail2ban cuts the time out
		"text, syslog":  newTextLog(" vm scalelite[123]: "),
		"JSON":          jsonLog,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &logBuffer{}
			s := newSystem(t, settings{servers: 1, noSync: true, log: log, handler: handler, web: func(c *Config) { c.Host = "127.0.0.1" }})
			s.create("room")
			badChecksums(s)
			want := []string{"2001:db8::1", "203.0.113.1", "203.0.113.2", "203.0.113.3"}
			if got := banned(t, log.String()); !slices.Equal(got, want) {
				t.Errorf("found %v, want %v in\n%s", got, want, log)
			}
			otherRefusals(s)
			if got := banned(t, log.String()); !slices.Equal(got, want) {
				t.Errorf("found %v, want %v", got, want)
			}
		})
	}
}

func badChecksums(s *system) {
	bad := "/create?meetingID=room&checksum=" + strings.Repeat("0", 40)
	s.via("203.0.113.1", s.base+bad)
	s.via("203.0.113.2", s.base+"/join?meetingID=room")
	s.via("203.0.113.3", s.url+managementPath+"/getServers?checksum=x")
	s.via("2001:db8::1", s.base+bad)
	for _, text := range forged {
		s.via("203.0.113.1", s.base+bad+"&meetingID="+params("a", text).Encode())
	}
}

// otherRefusals makes every other line that a request may cause.
func otherRefusals(s *system) {
	const addr = "198.51.100.1"
	for _, text := range forged {
		printable := strings.Map(func(r rune) rune {
			if r < ' ' {
				return '_'
			}
			return r
		}, text)
		for _, call := range []string{"create", "join", "getMeetingInfo", "isMeetingRunning", "end", "sendChatMessage", "getMeetings"} {
			s.via(addr, s.link(call, "meetingID", text+strings.Repeat(text, 8), "name", text, "fullName", text, "meta_server-tag", text+"!", "message", text))
			s.via(addr, s.link(call, "meetingID", text, "name", text, "password", text, "moderatorPW", text, "attendeePW", text))
			s.via(addr, s.link(call))
		}
		for _, header := range []http.Header{
			{"Host": {printable}}, {"X-Forwarded-Host": {printable}}, {"X-Forwarded-For": {printable}}, {"User-Agent": {printable}},
			{"Content-Type": {printable}}, {"Content-Type": {"a/b; x=\"" + printable}}, {"Accept": {printable}},
		} {
			header.Add("X-Forwarded-For", addr)
			s.fetch("GET", s.link("getMeetingInfo", "meetingID", "no"), header, strings.NewReader("x"))
		}
		s.via(addr, s.base+"/"+strings.ReplaceAll(params(text, "").Encode(), "+", "%20"))
	}
	s.via(addr, s.base+"/unknown")
	s.via(addr, s.url+managementPath+"/getServerInfo?"+bbb.Sign(bbb.SHA256, "getServerInfo", params("id", forged[0]).Encode(), testSecret))
	s.servers[0].Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.WrongSecret, Times: 1})
	s.via(addr, s.link("getMeetingInfo", "meetingID", "room"))
	s.servers[0].Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.Redirect, Location: "https://evil.example/" + params("a", forged[0]).Encode()})
	s.via(addr, s.link("getMeetingInfo", "meetingID", "room"))
	s.servers[0].Behave()
}

// TestForgedKey: nor can a server put words into the log.
func TestForgedKey(t *testing.T) {
	t.Parallel()
	for _, handler := range []func(io.Writer) slog.Handler{newTextLog(""), jsonLog} {
		log := &logBuffer{}
		s := newSystem(t, settings{noSync: true, log: log, handler: handler})
		key := strings.Repeat("k", 1<<20)
		s.addBackend("odd", map[string]http.HandlerFunc{
			"create":         answers("text/xml", "<response><returncode>SUCCESS</returncode></response>"),
			"getMeetingInfo": answers("text/xml", "<response><returncode>FAILED</returncode><messageKey>a\nWARN  checksum refused component=web addr=192.0.2.1 call=x"+key+"</messageKey></response>"),
		})
		s.create("room")
		s.get("getMeetingInfo", "meetingID", "room")
		if got := banned(t, log.String()); len(got) != 0 {
			t.Errorf("found %v", got)
		}
		if !strings.Contains(log.String(), "server refused a call") || len(log.String()) > 10_000 {
			t.Errorf("the log has %d bytes", len(log.String()))
		}
	}
}

// TestOneLine: every refused or failed call is one line with the address, the
// call and the cause.
func TestOneLine(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	s := newSystem(t, settings{servers: 1, noSync: true, log: log})
	s.create("room")
	long := strings.Repeat("x", 50_000)
	for want, do := range map[string]func(){
		`checksum refused" component=web addr=203.0.113.1 call=create cause="no checksum"`:          func() { s.via("203.0.113.1", s.base+"/create") },
		`call refused" component=web addr=203.0.113.2 call=end cause="notFound: `:                   func() { s.via("203.0.113.2", s.link("end", "meetingID", "none")) },
		`call refused" component=web addr=203.0.113.3 call=getSessions cause="unsupportedRequest: `: func() { s.via("203.0.113.3", s.base+"/getSessions?"+long) },
		`call refused" component=web addr=203.0.113.4 call=join cause="unsupportedRequest: `:        func() { s.fetch("POST", s.base+"/join", http.Header{"X-Forwarded-For": {"203.0.113.4"}}, nil) },
		`server refused a call" component=web addr=203.0.113.5 call=end cause=invalidPassword`:      func() { s.via("203.0.113.5", s.link("end", "meetingID", "room", "password", "no")) },
		`call refused" component=web addr=203.0.113.6 call=end cause="unsupportedContentType: `: func() {
			s.fetch("POST", s.base+"/end", http.Header{"X-Forwarded-For": {"203.0.113.6"}, "Content-Type": {"a/" + long}}, strings.NewReader("x"))
		},
		`call refused" component=web addr=203.0.113.7 call=other cause="unsupportedRequest: `: func() { s.via("203.0.113.7", s.url+"/"+long) },
		`call refused" component=web addr=203.0.113.8 call=create cause="serverTagUnavailable: `: func() {
			s.via("203.0.113.8", s.link("create", "meetingID", "new", "name", "xx", "meta_server-tag", long+"!"))
		},
	} {
		before := len(log.String())
		do()
		got := log.String()[before:]
		if strings.Count(got, "\n") != 1 || !strings.Contains(got, want) || len(got) > 1000 {
			t.Errorf("want one line with %s, got %.2000s", want, got)
		}
	}
	s.servers[0].Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.ServerError})
	before := len(log.String())
	s.via("203.0.113.9", s.link("getMeetingInfo", "meetingID", "room"))
	if got := log.String()[before:]; !strings.Contains(got, `level=ERROR msg="call error" component=web addr=203.0.113.9 call=getMeetingInfo cause="internalError: `) || strings.Count(got, "\n") != 1 {
		t.Errorf("got %s", got)
	}
	s.setState("bbb1", store.Disabled)
	before = len(log.String())
	s.via("203.0.113.10", s.link("join", "meetingID", "room"))
	if got := log.String()[before:]; !strings.Contains(got, `addr=203.0.113.10 call=join cause="serverUnavailable: `) {
		t.Errorf("got %s", got)
	}
}
