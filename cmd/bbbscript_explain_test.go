package cmd

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What is wrong with the way to the load balancer is told in words.
func TestSenderExplainsWhatIsWrong(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	m.mustSetup(nil)

	answer := func(status int, kind, body string, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	const json = "application/json; charset=utf-8"
	later, earlier := time.Now().Add(10*time.Minute).UTC().Format(http.TimeFormat), time.Now().Add(-10*time.Minute).UTC().Format(http.TimeFormat)
	for what, test := range map[string]struct {
		answer http.HandlerFunc
		code   int
		says   string
	}{
		"all is well":          {answer(404, json, `{"error":"There is no such recording."}`), 0, "answers, and knows this server"},
		"a clock behind":       {answer(404, json, `{"error":"There is no such recording."}`, "Date", later), 0, "s behind the load balancer's; see: timedatectl"},
		"refused, clock ahead": {answer(401, json, `{"error":"The token"}`, "Date", earlier), 1, "s ahead of the load balancer's"},
		"refused":              {answer(401, json, `{"error":"The token"}`), 1, "it knows this server under another host than 127.0.0.1"},
		"another host name":    {answer(403, json, `{"error":"This host name is not served here."}`), 1, "does not answer to the name 127.0.0.1"},
		"switched off":         {answer(404, json, `{"error":"Recordings are switched off here."}`), 1, "takes no recordings"},
		"a BBB server":         {answer(200, "text/xml", `<response><returncode>FAILED</returncode></response>`), 1, "is no scalelite"},
		"another web server":   {answer(404, "text/html", `<html>`), 1, "is no scalelite"},
		"a redirect":           {answer(301, "text/html", ``, "Location", "https://lb.example.com/"), 1, "leads to https://lb.example.com/"},
		"a proxy in trouble":   {answer(502, "text/html", `<html>`), 1, "HTTP 502"},
		"no JSON":              {answer(200, json, `{`), 1, "is no scalelite"},
		"another JSON":         {answer(200, json, `[]`), 1, "is no scalelite"},
		"a broken answer":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 1, "broke"},
	} {
		server := httptest.NewServer(test.answer)
		m.must("sed", "-i", "s|^balancer: .*|balancer: '"+server.URL+"'|", bbbConfig)
		if out, err := m.run("scalelite-send", "test"); exitCode(err) != test.code || !strings.Contains(out, test.says) {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
		server.Close()
	}

	server := httptest.NewTLSServer(answer(404, json, `{"error":"There is no such recording."}`))
	defer server.Close()
	server.Config.ErrorLog = nil
	authority := filepath.Join(p.dir, "authority.pem")
	writeFile(t, authority, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	m.must("chmod", "0755", p.dir)
	if out, err := m.setup([]string{"--url", server.URL}); exitCode(err) != exitFailure || !strings.Contains(out, "no secure connection to 127.0.0.1") {
		t.Errorf("an unknown authority: %v\n%s", err, out)
	}
	m.mustSetup([]string{"--url", server.URL}, "--ca-file", authority)
	if out := m.mustSetup([]string{"--url", server.URL}); !strings.Contains(out, "nothing was changed") {
		t.Errorf("the authority is forgotten:\n%s", out)
	}
}

// The script says what it does not find, and changes nothing then.
func TestSetupOfWhatIsNoBBBServer(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	want := func(says string, args ...string) {
		t.Helper()
		before := m.state()
		out, err := m.setup(nil, args...)
		if err == nil || !strings.Contains(out, says) {
			t.Errorf("not %q: %v\n%s", says, err, out)
		}
		if len(m.state()) != len(before) {
			t.Errorf("%q: something was changed", says)
		}
	}
	want("usage: bbb-setup.sh", "--frobnicate")
	want("--keep-days needs a value", "--prune", "--keep-days")
	want("nothing is installed yet", "--test")
	m.must("mv", "/etc/bigbluebutton/bbb-web.properties", "/etc/bigbluebutton/x")
	m.must("sed", "-i", "/securitySalt/d", "/usr/share/bbb-web/WEB-INF/classes/bigbluebutton.properties")
	want("there is no securitySalt")
	m.must("mv", "/etc/bigbluebutton/x", "/etc/bigbluebutton/bbb-web.properties")
	m.must("mv", "/usr/local/bigbluebutton/core/scripts/post_publish", "/usr/local/bigbluebutton/core/scripts/x")
	want("is this a BigBlueButton server?")
	m.must("mv", "/usr/local/bigbluebutton/core/scripts/x", "/usr/local/bigbluebutton/core/scripts/post_publish")

	script := p.mustRun("bbb-script", "--url", p.base)
	c := m.command("runuser", "-u", bbbUser, "--", "bash")
	c.Stdin = strings.NewReader(script)
	if out, err := c.CombinedOutput(); err == nil || !strings.Contains(string(out), "must be run as root") {
		t.Errorf("as another user: %v\n%s", err, out)
	}
	c = m.command("bash")
	c.Stdin = strings.NewReader(script[:len(script)-len("main \"$@\" </dev/null\n")])
	if out, err := c.CombinedOutput(); err != nil || len(out) != 0 {
		t.Errorf("a script that is cut: %v\n%s", err, out)
	}
	m.mustSetup(nil)
	m.must("sed", "-i", "s/127.0.0.1/other.example.com/", "/etc/bigbluebutton/bbb-web.properties")
	if out := m.mustSetup(nil); !strings.Contains(out, "this server calls itself other.example.com, and the load balancer calls it 127.0.0.1") {
		t.Errorf("on another server:\n%s", out)
	}
}
