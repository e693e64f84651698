package web

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
)

// What must stand in no log: names, passwords, texts, tokens.
var private = []string{
	"Erika Mustermann", "Erika+Mustermann", "Erika%20Mustermann", "Mustermann", "sw0rdfish-mod", "sw0rdfish-att", "sw0rdfish-wrong",
	"t0psecret-chat", "userdata-t0psecret", "s3ssion-t0ken", "slides-t0psecret", "m3trics-token", "secret-of-the-new-server",
}

// TestLogsAreSilent (T68, S9): at the level of debugging, whatever is called and
// whatever goes wrong, no secret, password, checksum, token, signed URL or name
// of a person is in the log, the metrics or an answer that is ours.
func TestLogsAreSilent(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(io.Writer) slog.Handler{"text": nil, "json": jsonLog} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &logBuffer{}
			s := newSystem(t, settings{servers: 2, noSync: true, log: log, handler: handler, web: func(c *Config) {
				c.MetricsToken, c.ManagementSecrets = "m3trics-token", []bbb.Secret{"management-s3cret"}
			}})
			callEverything(s)
			for _, server := range s.servers {
				server.Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.Redirect, Times: 2, Location: "https://evil.example/?" + params("fullName", "Erika Mustermann").Encode()})
				server.Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.HTML, Times: 5})
				server.Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.Reset, Times: 5})
				server.Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.WrongSecret, Times: 5})
			}
			callEverything(s)
			for _, server := range s.servers {
				server.Behave()
				server.Stop()
			}
			callEverything(s)
			s.poll()
			s.poll()
			callEverything(s)

			metrics := s.fetch("GET", s.url+"/metrics", nil, nil).body
			secrets := []string{string(testSecret), "management-s3cret", "checksum="}
			for _, server := range s.servers {
				secrets = append(secrets, server.Secret())
			}
			for where, text := range map[string]string{"log": log.String(), "metrics": metrics} {
				if len(text) < 1000 {
					t.Fatalf("the %s is nearly empty: %s", where, text)
				}
				for _, secret := range append(secrets, private...) {
					if i := strings.Index(text, secret); i >= 0 {
						t.Errorf("the %s has %q: %s", where, secret, text[max(0, i-200):min(len(text), i+100)])
					}
				}
				for _, digest := range regexp.MustCompile(`[0-9A-Fa-f]{32,}`).FindAllString(text, -1) {
					t.Errorf("the %s has something like a checksum: %s", where, digest)
				}
			}
		})
	}
}

func callEverything(s *system) {
	form := http.Header{"Content-Type": {typeForm}, "Authorization": {"Bearer m3trics-token"}, "Cookie": {"JSESSIONID=s3ssion-t0ken"}}
	person := []string{
		"meetingID", "room", "name", "Algebra", "fullName", "Erika Mustermann", "password", "sw0rdfish-mod", "moderatorPW", "sw0rdfish-mod", "attendeePW", "sw0rdfish-att",
		"userName", "Erika Mustermann", "message", "t0psecret-chat", "userdata-t0psecret", "x", "userID", "Mustermann", "sessionToken", "s3ssion-t0ken", "welcome", "Erika Mustermann",
	}
	for _, call := range []string{"create", "join", "getMeetingInfo", "isMeetingRunning", "sendChatMessage", "getMeetings", "insertDocument", "getRecordings", "enter"} {
		for _, pairs := range [][]string{person, person[2:], append([]string{"meetingID", "none"}, person[2:]...)} {
			for _, header := range []http.Header{nil, {"Accept": {acceptChrome}}} {
				s.fetch("GET", s.link(call, pairs...), header, nil)
				s.fetch("HEAD", s.link(call, pairs...), header, nil)
				s.fetch("PUT", s.link(call, pairs...), header, nil)
			}
			s.fetch("GET", s.link(call, pairs...)+"0", nil, nil)
			s.fetch("GET", s.link(call, pairs...)+"&fullName=Mustermann", nil, nil)
			s.fetch("POST", s.base+"/"+call, form, strings.NewReader(bbb.Sign(bbb.SHA1, call, params(pairs...).Encode(), testSecret)))
			s.fetch("POST", s.base+"/"+call, form, strings.NewReader(bbb.Sign(bbb.SHA512, call, params(pairs...).Encode(), "sw0rdfish-wrong")))
			s.fetch("POST", s.link(call, pairs...), http.Header{"Content-Type": {"application/sw0rdfish"}}, strings.NewReader("slides-t0psecret"))
			s.postXML(call, "<modules><document name=\"slides-t0psecret\">Erika Mustermann</document></modules>", pairs...)
		}
	}
	s.get("end", "meetingID", "room", "password", "sw0rdfish-wrong")
	s.get("end", "meetingID", "room", "password", "sw0rdfish-mod")
	for _, call := range []string{"getServers", "addServer", "updateServer", "deleteServer"} {
		target := s.url + managementPath + "/" + call + "?" + bbb.Sign(bbb.SHA256, call, "", "management-s3cret")
		s.fetch("GET", target, nil, nil)
		for _, body := range []string{`{"server":{"url":"http://127.0.0.1:1/","secret":"secret-of-the-new-server"}}`, `{"id":"none","server":{"secret":"secret-of-the-new-server"}}`, `{"secret":"secret-of-the-new-server"`} {
			s.fetch("POST", target, http.Header{"Content-Type": {"application/json"}}, strings.NewReader(body))
			s.fetch("POST", strings.Replace(target, "=", "=0", 1), http.Header{"Content-Type": {"application/json"}}, strings.NewReader(body))
		}
	}
	s.fetch("GET", s.url+"/metrics", http.Header{"X-Forwarded-For": {"203.0.113.1"}, "Authorization": {"Bearer m3trics-token"}}, nil)
	servers, err := s.pool.Servers(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, server := range servers {
		if strings.HasPrefix(server.URL, "http://127.0.0.1:1/") {
			if err := s.pool.RemoveServer(context.Background(), server.ID); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// TestAnswersHoldNoSecret: a join link carries a signature, never what made it;
// errors carry nothing of the request.
func TestAnswersHoldNoSecret(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	s.create("room")
	secret := s.servers[0].Secret()
	at := s.get("join", "meetingID", "room", "fullName", "a").header.Get("Location")
	plain, err := url.QueryUnescape(at)
	if err != nil || strings.Contains(plain, secret) || strings.Contains(plain, string(testSecret)) || strings.Contains(at, hex.EncodeToString([]byte(secret))) {
		t.Errorf("the link holds a secret: %s, %v", at, err)
	}
	s.servers[0].Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.HTML})
	for _, call := range []string{"create", "getMeetingInfo", "end", "isMeetingRunning", "sendChatMessage"} {
		a := s.get(call, "meetingID", "room", "name", "Algebra", "message", "t0psecret-chat", "password", "sw0rdfish-mod")
		for _, word := range append([]string{secret, string(testSecret), "127.0.0.1", "html", "DOCTYPE"}, private...) {
			if strings.Contains(a.body, word) {
				t.Errorf("%s answers %q: %s", call, word, a.body)
			}
		}
	}
}

// TestServerPrinted: a pool's server that is printed whole keeps its secret.
func TestServerPrinted(t *testing.T) {
	t.Parallel()
	n := balancer.NewServer{URL: "https://bbb.example", Secret: "sw0rdfish-mod"}
	if text := fmt.Sprintf("%v %+v %#v %s", n, n, n, n.Secret); strings.Contains(text, "sw0rdfish") {
		t.Error(text)
	}
	c := DefaultConfig()
	c.Secrets, c.ManagementSecrets, c.MetricsToken = []bbb.Secret{"sw0rdfish-mod"}, []bbb.Secret{"sw0rdfish-mod"}, "sw0rdfish-mod"
	if text := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(text, "sw0rdfish") {
		t.Error(text)
	}
}
