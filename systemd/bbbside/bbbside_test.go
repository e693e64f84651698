package bbbside

import (
	"bytes"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// params are those of a script that is as good as any.
func params() Params {
	return Params{Balancer: "https://lb.example.com", Server: "bbb1", Host: "bbb1.example.com"}
}

// tool skips a test where a program is missing, unless it must be there.
func tool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("there is no %s", name)
	}
	t.Skipf("there is no %s", name)
}

// run feeds a program and fails the test unless it is content and silent.
func run(t *testing.T, input []byte, name string, args ...string) {
	t.Helper()
	c := exec.Command(name, args...)
	c.Stdin = bytes.NewReader(input)
	out, err := c.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("%s %q: %v\n%s", name, args, err, out)
	}
}

func mustScript(t *testing.T, p Params) []byte {
	t.Helper()
	script, err := Script(p)
	if err != nil {
		t.Fatal(err)
	}
	return script
}

func TestScriptIsCleanShell(t *testing.T) {
	t.Parallel()
	tool(t, "shellcheck")
	p := params()
	p.Transfer, p.SSH.Port = SSH, 2222
	run(t, mustScript(t, p), "shellcheck", "-")
	run(t, mustScript(t, params()), "bash", "-n")
}

func TestRubyIsClean(t *testing.T) {
	t.Parallel()
	tool(t, "ruby")
	for _, name := range installed {
		if path.Ext(name) != ".rb" && name != "scalelite-send" {
			continue
		}
		text, err := fs.ReadFile(Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		c := exec.Command("ruby", "-wc")
		c.Stdin = bytes.NewReader(text)
		if out, err := c.CombinedOutput(); err != nil || string(out) != "Syntax OK\n" {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestUnitsAreClean(t *testing.T) {
	t.Parallel()
	tool(t, "systemd-analyze")
	dir := t.TempDir()
	for _, name := range []string{"scalelite-send.service", "scalelite-send.timer"} {
		text, err := fs.ReadFile(Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte("ExecStart=/usr/local/bin/scalelite-send run"), []byte("ExecStart=/bin/true run"))
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	service, _ := os.ReadFile(filepath.Join(dir, "scalelite-send.service"))
	if !bytes.Contains(service, []byte("\nCapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_DAC_READ_SEARCH\nNoNewPrivileges=yes\n")) {
		t.Error("the tests of the sender run it with other privileges than the unit")
	}
	run(t, nil, "systemd-analyze", "verify", filepath.Join(dir, "scalelite-send.service"), filepath.Join(dir, "scalelite-send.timer"))
}

// Every file is installed, and every setting of the script is filled in, as one
// word of the shell whatever is in it.
func TestScriptIsComplete(t *testing.T) {
	t.Parallel()
	tool(t, "bash")
	files, err := fs.ReadDir(Files(), ".")
	if err != nil || len(files) != len(installed)+1 {
		t.Errorf("%d files, %d are installed: %v", len(files), len(installed), err)
	}
	p := Params{Balancer: "https://lb.example.com:8443/", Server: `it's $(touch x) "1" ` + "`id`" + ` \`, Host: "2001:db8::1", Transfer: SSH,
		SSH: Target{User: "spool", Host: "ssh.example.com", Port: 2222, Spool: "/srv/spool"}}
	script := string(mustScript(t, p))
	if left := regexp.MustCompile(`@[A-Z_]+@`).FindString(script); left != "" {
		t.Errorf("%s is not filled in", left)
	}
	head, _, _ := strings.Cut(script, "\nuser=")
	c := exec.Command("bash", "-c", head+"\n"+`printf '%s\n' "$balancer" "$server_id" "$server_host" "$transfer" "$ssh_user" "$ssh_host" "$ssh_port" "$ssh_spool"`)
	c.Dir = t.TempDir()
	out, err := c.CombinedOutput()
	want := "https://lb.example.com:8443\n" + p.Server + "\n2001:db8::1\nssh\nspool\nssh.example.com\n2222\n/srv/spool\n"
	if err != nil || string(out) != want {
		t.Errorf("%v: %s, want %s", err, out, want)
	}
	if made, _ := os.ReadDir(c.Dir); len(made) != 0 {
		t.Error("the ID of the server was run")
	}
}

func TestScriptOfWhatCannotBe(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(*Params){
		"address without scheme": func(p *Params) { p.Balancer = "lb.example.com" },
		"address with a path":    func(p *Params) { p.Balancer = "https://lb.example.com/x" },
		"address of ftp":         func(p *Params) { p.Balancer = "ftp://lb.example.com" },
		"address with a user":    func(p *Params) { p.Balancer = "https://a@lb.example.com" },
		"no server":              func(p *Params) { p.Server = "" },
		"server of two lines":    func(p *Params) { p.Server = "a\nb" },
		"host of a command":      func(p *Params) { p.Host = "a;b" },
		"host of an option":      func(p *Params) { p.Host = "-oProxyCommand=id" },
		"other transfer":         func(p *Params) { p.Transfer = "ftp" },
		"SSH user":               func(p *Params) { p.SSH.User = "-l root" },
		"SSH host":               func(p *Params) { p.SSH.Host = "a b" },
		"SSH port":               func(p *Params) { p.SSH.Port = 70000 },
		"relative spool":         func(p *Params) { p.SSH.Spool = "spool" },
		"spool with a space":     func(p *Params) { p.SSH.Spool = "/a b" },
	} {
		p := params()
		p.Transfer = SSH
		change(&p)
		if _, err := Script(p); err == nil {
			t.Errorf("%s: a script", what)
		}
		if _, err := Link(p, "secret", time.Now()); err == nil {
			t.Errorf("%s: a link", what)
		}
	}
}

func TestLink(t *testing.T) {
	t.Parallel()
	now := time.Unix(1760000000, 0)
	p := params()
	p.Transfer, p.SSH = SSH, Target{User: "spool", Host: "ssh.example.com", Port: 2222}
	text, err := Link(p, "secret", now)
	if err != nil {
		t.Fatal(err)
	}
	link, err := url.Parse(text)
	if err != nil || link.Path != Path || link.Host != "lb.example.com" || strings.ContainsAny(text, `'"\ `) || strings.Contains(text, "secret") {
		t.Fatalf("%s: %v", text, err)
	}
	got, err := ReadLink(link.Query(), "secret", now.Add(LinkTime-time.Second))
	if want := (Params{Balancer: p.Balancer, Server: p.Server, Transfer: p.Transfer, SSH: p.SSH}); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if _, err := ReadLink(link.Query(), "secret", now.Add(LinkTime)); !errors.Is(err, ErrExpired) {
		t.Errorf("an hour later: %v", err)
	}
	for _, secret := range []string{"other", ""} {
		if _, err := ReadLink(link.Query(), secret, now); !errors.Is(err, ErrForged) {
			t.Errorf("secret %q: %v", secret, err)
		}
	}
	for name := range link.Query() {
		q := link.Query()
		q.Set(name, q.Get(name)+"1")
		if _, err := ReadLink(q, "secret", now); !errors.Is(err, ErrForged) {
			t.Errorf("another %s: %v", name, err)
		}
		q.Del(name)
		if _, err := ReadLink(q, "secret", now); !errors.Is(err, ErrForged) {
			t.Errorf("no %s: %v", name, err)
		}
	}
	q := link.Query()
	q.Add("ssh_host", "evil.example.com")
	if _, err := ReadLink(q, "secret", now); !errors.Is(err, ErrForged) {
		t.Errorf("one parameter more: %v", err)
	}
	if _, err := Link(p, "", now); err == nil {
		t.Error("a link without a secret")
	}
}
