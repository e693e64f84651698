package sshspool

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Grant is a key and what it may do: write into one directory.
type Grant struct {
	Key     Key
	Program string // the program that sshd runs, an absolute path
	Spool   string // the directory, an absolute path
	Since   time.Time
}

// subcommand is what a line of ours has behind the program.
const subcommand = " recordings receive "

// Line is the grant as a line of authorized_keys, without its end.
func (g Grant) Line() (string, error) {
	for _, path := range []string{g.Program, g.Spool} {
		if !plainPath(path) {
			return "", fmt.Errorf("a key cannot be bound to the path %q: sshd and the shell read it, so it may have letters, digits and ./_+@- only", path)
		}
	}
	return fmt.Sprintf(`restrict,command="'%s'%s--spool '%s' --since %s" %s`,
		g.Program, subcommand, g.Spool, g.Since.UTC().Format(time.RFC3339), g.Key), nil
}

// plainPath reports whether a path means the same to sshd, to a shell and to us.
func plainPath(path string) bool {
	return strings.HasPrefix(path, "/") &&
		strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./_+@-") == ""
}

// parsed is what one line of authorized_keys says.
type parsed struct {
	key   Key
	grant *Grant // nil: not a line of ours
}

// parseLine reads a line of authorized_keys; false if it holds no key.
func parseLine(line []byte) (parsed, bool) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] == '#' {
		return parsed{}, false
	}
	pub, comment, options, _, err := ssh.ParseAuthorizedKey(line)
	if err != nil {
		return parsed{}, false
	}
	p := parsed{key: Key{Type: pub.Type(), Comment: comment, blob: pub.Marshal()}}
	for _, o := range options {
		if value, ok := strings.CutPrefix(o, `command="`); ok {
			p.grant = parseCommand(strings.TrimSuffix(value, `"`))
		}
	}
	if p.grant != nil {
		p.grant.Key = p.key
	}
	return p, true
}

// parseCommand reads the command of a line of ours; nil if it is another one.
func parseCommand(command string) *Grant {
	program, arguments, ok := strings.Cut(command, subcommand)
	if !ok {
		return nil
	}
	g := &Grant{Program: strings.Trim(program, "'")}
	words := strings.Fields(arguments)
	for i := 0; i+1 < len(words); i += 2 {
		switch words[i] {
		case "--spool":
			g.Spool = strings.Trim(words[i+1], "'")
		case "--since":
			g.Since, _ = time.Parse(time.RFC3339, words[i+1])
		}
	}
	return g
}

// Keys is the content of an authorized_keys file. Lines that are not of this
// package stay as they are, byte for byte.
type Keys struct{ content []byte }

// Grants are the lines of this package, in their order.
func (k *Keys) Grants() []Grant {
	var all []Grant
	for line := range bytes.Lines(k.content) {
		if p, ok := parseLine(line); ok && p.grant != nil {
			all = append(all, *p.grant)
		}
	}
	return all
}

// Others is how many keys there are that this package did not put there.
func (k *Keys) Others() int {
	n := 0
	for line := range bytes.Lines(k.content) {
		if p, ok := parseLine(line); ok && p.grant == nil {
			n++
		}
	}
	return n
}

// Outcome is what Add did.
type Outcome string

// The outcomes of Add.
const (
	Added   Outcome = "added"
	Changed Outcome = "changed" // the key was there with other limits
	Present Outcome = "present"
)

// ErrUnlimited is what Add returns for a key that already stands in the file
// without our limits: sshd takes the first line of a key.
var ErrUnlimited = errors.New("the key is there already, and nothing limits it to the spool")

// Add puts a grant into the file. A key that has one keeps its place and since
// when it is there. limit takes lines of that key that are not ours away.
func (k *Keys) Add(g Grant, limit bool) (Outcome, error) {
	var kept bytes.Buffer
	outcome, done := Added, false
	for line := range bytes.Lines(k.content) {
		p, ok := parseLine(line)
		switch {
		case !ok || !p.key.Same(g.Key):
			kept.Write(line)
			continue
		case p.grant == nil && !limit:
			return "", ErrUnlimited
		case done: // the key stands there twice
			outcome = Changed
			continue
		case p.grant == nil:
			outcome = Changed
		default:
			outcome = Changed
			g.Since = p.grant.Since
			if p.grant.Program == g.Program && p.grant.Spool == g.Spool {
				outcome = Present
				g.Key.Comment = p.key.Comment
			}
		}
		done = true
		if err := writeGrant(&kept, g); err != nil {
			return "", err
		}
	}
	if !done {
		if kept.Len() > 0 && !bytes.HasSuffix(kept.Bytes(), []byte("\n")) {
			kept.WriteByte('\n')
		}
		if err := writeGrant(&kept, g); err != nil {
			return "", err
		}
	}
	k.content = kept.Bytes()
	return outcome, nil
}

func writeGrant(b *bytes.Buffer, g Grant) error {
	line, err := g.Line()
	if err != nil {
		return err
	}
	_, err = b.WriteString(line + "\n")
	return err
}

// Find returns the grants of a fingerprint, with or without "SHA256:", or of a
// comment.
func (k *Keys) Find(name string) []Grant {
	var found []Grant
	for _, g := range k.Grants() {
		print := g.Key.Fingerprint()
		if name == print || "SHA256:"+name == print || name != "" && name == g.Key.Comment {
			found = append(found, g)
		}
	}
	return found
}

// Remove takes all grants of a key away and reports whether there were any.
func (k *Keys) Remove(key Key) bool {
	var kept bytes.Buffer
	removed := false
	for line := range bytes.Lines(k.content) {
		if p, ok := parseLine(line); ok && p.grant != nil && p.key.Same(key) {
			removed = true
			continue
		}
		kept.Write(line)
	}
	k.content = kept.Bytes()
	return removed
}
