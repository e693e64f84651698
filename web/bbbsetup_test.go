package web

import (
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"scalelite/store"
	"scalelite/systemd/bbbside"
)

// setupLink is the link for a server of the pool, made at a time.
func (s *system) setupLink(server store.Server, at time.Time) string {
	s.t.Helper()
	p := bbbside.Params{Balancer: s.url, Server: server.ID, Host: "127.0.0.1", Transfer: bbbside.SSH, SSH: bbbside.Target{User: "spool", Port: 2222}}
	link, err := bbbside.Link(p, server.Secret.Reveal(), at)
	if err != nil {
		s.t.Fatal(err)
	}
	return link
}

// anyServer is a server of the pool.
func (s *system) anyServer() (found store.Server) {
	s.t.Helper()
	err := s.store.View(s.t.Context(), func(tx *store.Tx) error {
		for server, err := range tx.Servers() {
			found = server
			return err
		}
		return store.ErrNotFound
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

func TestSetupScriptOfALink(t *testing.T) {
	t.Parallel()
	s := uploading(t, 2, nil)
	server := s.anyServer()
	a := s.fetch("GET", s.setupLink(server, time.Now()), nil, nil)
	if a.status != 200 || a.header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
		t.Fatalf("%d %v", a.status, a.header)
	}
	want := []string{
		"\nbalancer='" + s.url + "'\n", "\nserver_id='" + server.ID + "'\n", "\nserver_host='127.0.0.1'\n", "\ntransfer='ssh'\n",
		"\nssh_user='spool'\nssh_host='127.0.0.1'\nssh_port='2222'\nssh_spool='" + s.spool.Dir() + "'\n",
	}
	for _, text := range want {
		if !strings.Contains(a.body, text) {
			t.Errorf("the script lacks %q", text)
		}
	}
	if strings.Contains(a.body, server.Secret.Reveal()) {
		t.Error("the secret is in the script")
	}
	if head := s.fetch("HEAD", s.setupLink(server, time.Now()), nil, nil); head.status != 200 || head.body != "" {
		t.Errorf("HEAD: %d %q", head.status, head.body)
	}
}

// What is piped into a shell although there is no script says so, and does
// nothing else.
func TestSetupScriptRefused(t *testing.T) {
	t.Parallel()
	s := uploading(t, 2, nil)
	server := s.anyServer()
	good, err := url.Parse(s.setupLink(server, time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	change := func(name, value string) string {
		q := good.Query()
		q.Set(name, value)
		return s.url + bbbside.Path + "?" + q.Encode()
	}
	for what, test := range map[string]struct{ link, says string }{
		"expired":        {s.setupLink(server, time.Now().Add(-bbbside.LinkTime)), "is expired"},
		"forged":         {change("signature", strings.Repeat("0", 64)), "is not whole"},
		"other address":  {change("balancer", "https://evil.example.com"), "is not whole"},
		"unknown server": {change("server", "x'; touch /tmp/x; '"), "is not whole"},
		"no server":      {change("server", ""), "is not whole"},
		"nothing":        {s.url + bbbside.Path, "is not whole"},
	} {
		a := s.fetch("GET", test.link, nil, nil)
		if a.status != 403 || !strings.Contains(a.body, test.says) {
			t.Errorf("%s: %d %s", what, a.status, a.body)
			continue
		}
		shell := exec.Command("bash")
		shell.Stdin = strings.NewReader(a.body)
		out, err := shell.CombinedOutput()
		if err == nil || !strings.Contains(string(out), test.says) || strings.Count(string(out), "\n") != 1 {
			t.Errorf("%s, run: %v %s", what, err, out)
		}
	}
	if a := s.fetch("POST", good.String(), nil, nil); a.status == 200 && strings.Contains(a.body, "#!/bin/bash") {
		t.Errorf("POST: %d", a.status)
	}
}
