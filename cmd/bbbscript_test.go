package cmd

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"scalelite/balancer"
	"scalelite/systemd/bbbside"
)

// fetchLine is the line to run on a BBB server.
var fetchLine = regexp.MustCompile(`curl -fsS '([^']+)' \| sudo bash\n`)

func TestBBBScript(t *testing.T) {
	t.Parallel()
	s := newSession(t, twoServers())
	writeConfig(t, s, "[web]\nhost = \"lb.example.com\"\n")
	r := s.run("", "bbb-script", "--server", "bbb1.example.com")
	if r.code != exitOK || !strings.HasPrefix(r.out, "#!/bin/bash\n") || !strings.Contains(r.out, "\nserver_host='bbb1.example.com'\n") ||
		!strings.Contains(r.out, "\nbalancer='https://lb.example.com'\n") || !strings.Contains(r.out, "\nserver_id='id-1'\n") || strings.Contains(r.out+r.err, "swordfish") {
		t.Errorf("%d %s\n%.3000s", r.code, r.err, r.out)
	}
	if !strings.Contains(r.err, "valid until 09:30 UTC") || !strings.Contains(r.err, "-s -- --existing") {
		t.Errorf("stderr: %s", r.err)
	}
	line := fetchLine.FindStringSubmatch(r.err)
	if line == nil {
		t.Fatalf("no line in %s", r.err)
	}
	link, err := url.Parse(line[1])
	if err != nil {
		t.Fatal(err)
	}
	p, err := bbbside.ReadLink(link.Query(), "swordfish", s.deps.now())
	if err != nil || p.Server != "id-1" || p.Balancer != "https://lb.example.com" || p.Transfer != bbbside.Upload {
		t.Errorf("%+v %v", p, err)
	}
}

func TestBBBScriptLink(t *testing.T) {
	t.Parallel()
	s := newSession(t, twoServers())
	out := s.ok("bbb-script", "--server", "id-2", "--link", "--url", "lb.example.com", "--transfer", "ssh", "--ssh-user", "spool", "--ssh-host", "ssh.example.com", "--ssh-port", "2222")
	line := fetchLine.FindStringSubmatch(out)
	if line == nil || line[0] != out {
		t.Fatalf("%q", out)
	}
	link, err := url.Parse(line[1])
	if err != nil {
		t.Fatal(err)
	}
	p, err := bbbside.ReadLink(link.Query(), "swordfish", s.deps.now())
	if want := (bbbside.Target{User: "spool", Host: "ssh.example.com", Port: 2222}); err != nil || p.Transfer != bbbside.SSH || p.SSH != want {
		t.Errorf("%+v %v", p, err)
	}
}

// Without --server there must be one server only; what is missing or wrong is
// named.
func TestBBBScriptOfWhatIsNotSaid(t *testing.T) {
	t.Parallel()
	s := newSession(t, twoServers())
	s.run("", "bbb-script", "--url", "lb.example.com").wantFail(t, exitUsage, "say which one with --server", "id-1  bbb1.example.com", "id-2  bbb2.example.com")
	s.run("", "bbb-script", "--server", "id-1").wantFail(t, exitUsage, "web.host is not set", "--url")
	s.run("", "bbb-script", "--server", "id-3", "--url", "lb.example.com").wantFail(t, exitFailure, `no server "id-3"`)
	s.run("", "bbb-script", "--server", "id-1", "--url", "ftp://lb").wantFail(t, exitUsage, "is not like https://lb.example.com")
	s.run("", "bbb-script", "--server", "id-1", "--url", "lb.example.com", "--transfer", "ftp").wantFail(t, exitUsage, `not by "ftp"`)
	s.run("", "bbb-script", "--server", "id-1", "--url", "lb.example.com", "--transfer", "ssh", "--ssh-port", "0x").wantFail(t, exitUsage, "--ssh-port")

	one := twoServers()
	one.servers = one.servers[:1]
	one.servers[0].URL = "https://BBB1.example.com:8443/bigbluebutton/api"
	if out := newSession(t, one).ok("bbb-script", "--url", "https://lb.example.com/"); !strings.Contains(out, "\nserver_host='bbb1.example.com'\n") {
		t.Error("the only server is not taken, or its host is wrong")
	}
	newSession(t, &pool{daemon: true, servers: []balancer.ServerInfo{}}).run("", "bbb-script", "--url", "lb.example.com").wantFail(t, exitFailure, noServers)
}

// What root is to run does not come in the clear, unless it stays on the machine.
func TestBBBScriptInTheClear(t *testing.T) {
	t.Parallel()
	s := newSession(t, twoServers())
	r := s.run("", "bbb-script", "--server", "id-1", "--url", "http://lb.example.com")
	if r.code != exitOK || !strings.HasPrefix(r.out, "#!/bin/bash\n") || strings.Contains(r.err, "curl") || !strings.Contains(r.err, "http://lb.example.com is no https:// address") {
		t.Errorf("%d %s", r.code, r.err)
	}
	s.run("", "bbb-script", "--server", "id-1", "--url", "http://10.0.0.1:3000", "--link").wantFail(t, exitUsage, "http://10.0.0.1:3000 is no https:// address", "without --link")
	for _, address := range []string{"http://localhost:3000", "http://127.0.0.2", "http://[::1]:3000"} {
		if out := s.ok("bbb-script", "--server", "id-1", "--url", address, "--link"); !fetchLine.MatchString(out) {
			t.Errorf("%s: %s", address, out)
		}
	}
}

// A link to a host that the service does not answer to would be dead.
func TestBBBScriptOfAnotherHost(t *testing.T) {
	t.Parallel()
	s := newSession(t, twoServers())
	writeConfig(t, s, "[web]\nhost = \"lb.example.com\"\nhost_aliases = [\"former.example.com\"]\n")
	s.run("", "bbb-script", "--server", "id-1", "--url", "https://other.example.com").wantFail(t, exitUsage, "does not answer to other.example.com, but to lb.example.com, former.example.com")
	for _, address := range []string{"former.example.com", "LB.example.com", "https://lb.example.com:8443", "https://lb.example.com./"} {
		s.ok("bbb-script", "--server", "id-1", "--url", address)
	}
}

// The address is that of web.host; a port belongs to it where the service itself
// speaks TLS on it.
func TestBBBScriptAddress(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		"host = \"lb.example.com\"\nlisten = \":3000\"\n":                                                               "https://lb.example.com",
		"host = \"lb.example.com\"\nlisten = \":8443\"\ntls = \"files\"\ntls_cert = \"/x.pem\"\ntls_key = \"/x.key\"\n": "https://lb.example.com:8443",
		"host = \"lb.example.com\"\nlisten = \":443\"\ntls = \"auto\"\n":                                                "https://lb.example.com",
	} {
		s := newSession(t, twoServers())
		writeConfig(t, s, "[web]\n"+config)
		if r := s.run("", "bbb-script", "--server", "id-1"); !strings.Contains(r.out, "\nbalancer='"+want+"'\n") {
			t.Errorf("%s: %s", config, r.err)
		}
	}
}
