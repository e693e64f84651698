// Package bbbside is what runs on the BBB servers: the script that sets one up
// to send its recordings, with the files that it installs, and the link that
// leads to the script. The files lie in files/; they are Ruby and shell, and
// none of them holds a secret.
//
// It must not know anything of the service but what Params tells.
package bbbside

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

//go:embed files
var embedded embed.FS

// Files are the script, before anything is filled in, and all that it installs.
func Files() fs.FS {
	sub, err := fs.Sub(embedded, "files")
	if err != nil {
		panic(err) // the directory is embedded above
	}
	return sub
}

// Transfer is the way that recordings take.
type Transfer string

// The ways that there are.
const (
	Upload Transfer = "upload" // over HTTP, authorised by the server's secret
	SSH    Transfer = "ssh"    // rsync into the spool
)

// Params are what a script is made for.
type Params struct {
	Balancer string   // URL of the load balancer, without a path
	Server   string   // ID of the server in the pool
	Host     string   // host of the server's URL, as the pool knows it
	Transfer Transfer // Upload if empty
	SSH      Target   // of SSH
}

// Target is the way into the spool by SSH.
type Target struct {
	User  string // DefaultSSHUser if empty
	Host  string // that of the load balancer if empty
	Port  int    // 22 if 0
	Spool string // absolute path; DefaultSpool if empty
}

// What holds for a Target where nothing else is said.
const (
	DefaultSSHUser = "bigbluebutton"
	DefaultSpool   = "/var/bigbluebutton/spool"
)

// installed are the files that the script has in it.
var installed = [...]string{
	"settings.rb", "recording.rb", "queue.rb", "confirmed.rb", "balancer.rb", "sender.rb", "existing.rb", "pruner.rb", "commands.rb",
	"scalelite-send", "scalelite_send.rb",
	"scalelite-send.service", "scalelite-send.timer", "scalelite-send.logrotate",
}

// Script returns the shell script that sets up one server.
func Script(p Params) ([]byte, error) {
	if err := p.complete(); err != nil {
		return nil, err
	}
	script, err := fs.ReadFile(Files(), "setup.sh")
	if err != nil {
		return nil, err
	}
	texts, err := heredocs()
	if err != nil {
		return nil, err
	}
	fill := strings.NewReplacer(
		"@BALANCER@", quote(p.Balancer), "@SERVER@", quote(p.Server), "@HOST@", quote(p.Host), "@TRANSFER@", quote(string(p.Transfer)),
		"@SSH_USER@", quote(p.SSH.User), "@SSH_HOST@", quote(p.SSH.Host), "@SSH_PORT@", quote(strconv.Itoa(p.SSH.Port)), "@SSH_SPOOL@", quote(p.SSH.Spool),
		"@FILES@", texts,
	)
	return []byte(fill.Replace(string(script))), nil
}

// endOfFile ends the text of a file in the script.
const endOfFile = "END_OF_FILE"

// heredocs is a shell function that prints the installed files.
func heredocs() (string, error) {
	var out bytes.Buffer
	out.WriteString("text_of() {\n\tcase $1 in\n")
	for _, name := range installed {
		text, err := fs.ReadFile(Files(), name)
		if err != nil {
			return "", err
		}
		if bytes.Contains(text, []byte(endOfFile)) || !bytes.HasSuffix(text, []byte("\n")) {
			return "", fmt.Errorf("%s cannot be put into a script", name)
		}
		fmt.Fprintf(&out, "\t%s)\n\t\tcat <<'%s'\n%s%s\n\t\t;;\n", name, endOfFile, text, endOfFile)
	}
	out.WriteString("\tesac\n}")
	return out.String(), nil
}

// quote makes a word of the shell that stands for s.
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// What may stand in the settings, which go into files of other programs.
var (
	hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,252})$|^[0-9A-Fa-f:.]{2,45}$`)
	userName = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)
	pathName = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)
	serverID = regexp.MustCompile(`^[^\x00-\x1f\x7f]{1,500}$`)
)

// complete sets what is left out, and explains what cannot be.
func (p *Params) complete() error {
	balancer, err := url.Parse(p.Balancer)
	if err != nil || balancer.Scheme != "https" && balancer.Scheme != "http" || !hostName.MatchString(balancer.Hostname()) ||
		strings.Trim(balancer.Path, "/") != "" || balancer.RawQuery != "" || balancer.User != nil || balancer.Fragment != "" {
		return fmt.Errorf("the load balancer's address %q is not like https://lb.example.com", p.Balancer)
	}
	p.Balancer = balancer.Scheme + "://" + balancer.Host
	if !serverID.MatchString(p.Server) {
		return fmt.Errorf("the server's ID %q cannot stand in a script", p.Server)
	}
	if !hostName.MatchString(p.Host) {
		return fmt.Errorf("the server's host %q is no host name", p.Host)
	}
	switch p.Transfer {
	case Upload, "":
		p.Transfer, p.SSH = Upload, Target{} // it is not for anything
	case SSH:
	default:
		return fmt.Errorf("recordings travel by %q or %q, not by %q", Upload, SSH, p.Transfer)
	}
	return p.SSH.complete(balancer.Hostname())
}

func (t *Target) complete(balancer string) error {
	if t.User == "" {
		t.User = DefaultSSHUser
	}
	if t.Host == "" {
		t.Host = balancer
	}
	if t.Port == 0 {
		t.Port = 22
	}
	if t.Spool == "" {
		t.Spool = DefaultSpool
	}
	switch {
	case !userName.MatchString(t.User):
		return fmt.Errorf("the SSH user %q is no name of a user", t.User)
	case !hostName.MatchString(t.Host):
		return fmt.Errorf("the SSH host %q is no host name", t.Host)
	case t.Port < 1 || t.Port > 65535:
		return fmt.Errorf("the SSH port %d is not between 1 and 65535", t.Port)
	case !pathName.MatchString(t.Spool):
		return fmt.Errorf("the spool %q is no absolute path of letters, digits, '.', '_' and '-'", t.Spool)
	}
	return nil
}

// Reasons why a link leads to no script.
var (
	ErrExpired = errors.New("the link is expired")
	ErrForged  = errors.New("the link is not as it was made")
)
