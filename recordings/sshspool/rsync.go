package sshspool

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// ErrRefused is in every error over what a client asks for.
var ErrRefused = errors.New("this key may only send recordings into the spool")

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}

// shortFlags are the letters that rsync may hand over. Both ends must agree on
// most of them, so they are passed on; none of them reads a file that is there,
// makes or follows links, removes, or names another place. Left out are, for
// instance, R, H, b, y, K, L, k, A, X, B and T.
const shortFlags = "vqtogDplrzcuWSnIOJExd"

// longKind is what becomes of a long option.
type longKind int

const (
	passed  longKind = iota + 1 // handed on
	dropped                     // of no use on this side, or not wanted: left out
)

// longOption is a long option that is taken.
type longOption struct {
	kind longKind
	// value are the characters that its value may have; empty: it has none. Of a
	// dropped one it may be anything.
	value string
}

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// longOptions are the long options that are taken; all others are refused.
var longOptions = map[string]longOption{
	"remove-source-files": {passed, ""},
	"stats":               {passed, ""},
	"size-only":           {passed, ""},
	"ignore-existing":     {passed, ""},
	"existing":            {passed, ""},
	"ignore-times":        {passed, ""},
	"numeric-ids":         {passed, ""},
	"omit-dir-times":      {passed, ""},
	"omit-link-times":     {passed, ""},
	"new-compress":        {passed, ""},
	"old-compress":        {passed, ""},
	"timeout":             {passed, digits},
	"bwlimit":             {passed, digits + letters + "."},
	"log-format":          {passed, "%" + letters},
	"checksum-choice":     {passed, digits + letters + ","},
	"checksum-seed":       {passed, digits},
	"compress-choice":     {passed, digits + letters},
	"compress-level":      {passed, digits},
	// What is left of a transfer that broke off must not get a tarball's name.
	"partial":        {dropped, ""},
	"partial-dir":    {dropped, "="},
	"usermap":        {dropped, "="},
	"groupmap":       {dropped, "="},
	"info":           {dropped, "="},
	"debug":          {dropped, "="},
	"outbuf":         {dropped, "="},
	"max-alloc":      {dropped, "="},
	"msgs2stderr":    {dropped, ""},
	"no-msgs2stderr": {dropped, ""},
	"preallocate":    {dropped, ""},
	"open-noatime":   {dropped, ""},
	"mkpath":         {dropped, ""},
	"safe-links":     {dropped, ""},
	"munge-links":    {dropped, ""},
	"whole-file":     {dropped, ""},
	"fsync":          {dropped, ""},
	"secluded-args":  {dropped, ""},
	"protect-args":   {dropped, ""},
}

// rsyncCall is an invocation of rsync's receiving side that was found good.
type rsyncCall struct {
	flags        string   // the bundle of short ones, with what the client can do
	long         []string // the long ones
	moreArgs     bool     // the rest comes on standard input (-s)
	dot          bool     // the "." before the target was there
	target       string
	targets      int
	capabilities bool
}

// parseRsync reads the command line of an rsync that wants to send. stdin is
// read as far as the arguments go that some clients send there.
func parseRsync(words []string, stdin io.Reader, spool string) (rsyncCall, error) {
	var c rsyncCall
	if len(words) > 0 && words[0] == "scp" {
		return c, refuse("this scp is an old one; call it with -s, or use rsync")
	}
	if len(words) < 2 || words[0] != "rsync" || words[1] != "--server" {
		return c, refuse("%.40q is no transfer of files; the target of rsync is USER@HOST:%s/", strings.Join(words, " "), spool)
	}
	if err := c.arguments(words[2:], spool); err != nil {
		return c, err
	}
	if c.moreArgs {
		more, err := readArguments(stdin)
		if err != nil {
			return c, err
		}
		if err := c.arguments(more, spool); err != nil {
			return c, err
		}
	}
	if !c.dot || c.targets != 1 || !c.capabilities {
		return c, refuse("rsync sent a command line that is not known")
	}
	return c, nil
}

// arguments takes the words behind "rsync --server".
func (c *rsyncCall) arguments(words []string, spool string) error {
	for i := 0; i < len(words); i++ {
		word := words[i]
		switch {
		case c.dot:
			if err := c.setTarget(word, spool); err != nil {
				return err
			}
		case word == ".":
			c.dot = true
		case strings.HasPrefix(word, "--"):
			used, err := c.longOption(words[i:])
			if err != nil {
				return err
			}
			i += used - 1
		case strings.HasPrefix(word, "-"):
			if err := c.shortOptions(word[1:]); err != nil {
				return err
			}
		default:
			return refuse("rsync sent a command line that is not known")
		}
	}
	return nil
}

// shortOptions takes a bundle such as vlogDtpre.iLsfxCIvu: what follows the e is
// what the client can do.
func (c *rsyncCall) shortOptions(bundle string) error {
	if c.flags != "" {
		return refuse("rsync sent a command line that is not known")
	}
	letters, can, ok := strings.Cut(bundle, "e")
	if !ok || !capabilities(can) {
		return refuse("this version of rsync is not known, or too old")
	}
	kept := ""
	for _, l := range letters {
		switch {
		case l == 's':
			c.moreArgs = true
		case strings.ContainsRune(shortFlags, l):
			kept += string(l)
		default:
			return refuse("leave out the option -%c of rsync", l)
		}
	}
	c.flags, c.capabilities = kept+"e"+can, true
	return nil
}

// capabilities: digits, a dot, digits and letters.
func capabilities(s string) bool {
	before, after, ok := strings.Cut(s, ".")
	return ok && len(s) <= 40 && strings.Trim(before, digits) == "" && strings.Trim(after, digits+letters) == ""
}

// longOption takes the option that words begin with and returns how many words
// it has.
func (c *rsyncCall) longOption(words []string) (int, error) {
	name, value, with := strings.Cut(words[0][2:], "=")
	o, ok := longOptions[name]
	switch {
	case name == "sender":
		return 0, refuse("it cannot fetch anything")
	case !ok || o.value == "" && with:
		return 0, refuse("leave out the option --%.40s of rsync", name)
	case o.kind == dropped && (o.value == "" || with):
		return 1, nil
	case o.kind == dropped: // its value is the next word
		return min(2, len(words)), nil
	case o.value != "" && (!with || len(value) > 40 || strings.Trim(value, o.value) != ""):
		return 0, refuse("the option --%s of rsync has no value that is known", name)
	}
	c.long = append(c.long, words[0])
	return 1, nil
}

// setTarget takes the path behind the colon: the spool, written as the absolute
// path or as what a client sees that is locked into it, or the name of a tarball
// in it.
func (c *rsyncCall) setTarget(word, spool string) error {
	if c.targets++; c.targets > 1 {
		return refuse("rsync sent a command line that is not known")
	}
	name := strings.TrimPrefix(word, "./")
	if rest, ok := strings.CutPrefix(word, strings.TrimSuffix(spool, "/")); ok && (rest == "" || rest[0] == '/') {
		name = rest
	}
	switch name = strings.Trim(name, "/"); {
	case name == "" || name == ".":
		c.target = spool + "/"
	case tarball(name):
		c.target = path.Join(spool, name)
	default:
		return refuse("%.80q is not the spool; the target of rsync is USER@HOST:%s/", word, spool)
	}
	return nil
}

// tarball reports whether a name is one that the spool takes in, without any
// directory.
func tarball(name string) bool {
	for _, end := range []string{".tar", ".tar.gz", ".tgz"} {
		if base, ok := strings.CutSuffix(name, end); ok {
			return base != "" && len(name) <= 200 && strings.Trim(base, digits+letters+"-_") == ""
		}
	}
	return false
}

// argv is what is run: the client's flags, and ours. Files that are there are
// not compared with what comes, for what a client is told of them would tell it
// what is in them; the service must be able to read what came whatever mode it
// had; and links lead nowhere.
func (c *rsyncCall) argv() []string {
	args := []string{"rsync", "--server", "-" + c.flags}
	args = append(args, c.long...)
	return append(args, "--whole-file", "--munge-links", "--chmod=F664", ".", c.target)
}

// readArguments reads the arguments that a client with -s sends on the standard
// input: each ends with a zero byte, and all with an empty one. Not a byte more
// is taken: the transfer follows.
func readArguments(stdin io.Reader) ([]string, error) {
	one := bufio.NewReaderSize(onlyOne{stdin}, 16)
	var words []string
	for total := 0; ; {
		word, err := one.ReadString(0)
		if err != nil {
			return nil, refuse("rsync ended before its arguments did")
		}
		if total += len(word); total > maxCommand || len(words) > maxWords {
			return nil, refuse("%v", errTooLong)
		}
		if word = word[:len(word)-1]; word == "" {
			break
		}
		words = append(words, word)
	}
	if len(words) == 0 || words[0] != "rsync" {
		return nil, refuse("rsync sent a command line that is not known")
	}
	return words[1:], nil
}

// onlyOne hands out a byte at a time.
type onlyOne struct{ r io.Reader }

func (o onlyOne) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }
