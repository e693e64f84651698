package sshspool

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/crypto/ssh"
)

const (
	maxKeyLine = 16 << 10 // bytes; the longest RSA keys that sshd takes are shorter
	maxComment = 200      // characters
	minRSA     = 2048     // bits
)

// keyTypes are what sshd of all supported systems takes.
var keyTypes = []string{
	ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSA,
	ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256,
}

// Key is a public key as ssh-keygen writes it into a .pub file.
type Key struct {
	Type    string
	Comment string
	blob    []byte
}

// Fingerprint is what 'ssh-keygen -l' shows: "SHA256:" and 43 characters.
func (k Key) Fingerprint() string {
	pub, err := ssh.ParsePublicKey(k.blob)
	if err != nil {
		return ""
	}
	return ssh.FingerprintSHA256(pub)
}

// Same reports whether both are one key, whatever their comments.
func (k Key) Same(other Key) bool { return bytes.Equal(k.blob, other.blob) }

// String is the key as a .pub file has it.
func (k Key) String() string {
	return strings.TrimSpace(k.Type + " " + base64.StdEncoding.EncodeToString(k.blob) + " " + k.Comment)
}

// ParseKey reads the one line of a .pub file. It refuses everything that a line
// of authorized_keys could hold beside: options, a second line, a certificate.
// The errors are for the person who pasted it.
func ParseKey(line string) (Key, error) {
	line = strings.TrimSpace(line)
	switch {
	case line == "":
		return Key{}, errors.New("there is no key; give the line of the .pub file, in quotes")
	case strings.Contains(line, "PRIVATE KEY"):
		return Key{}, errors.New("this is a private key, which must never leave its machine; give the line of the .pub file beside it")
	case strings.HasPrefix(line, "---- BEGIN"):
		return Key{}, errors.New("this is a key in the form of other programs; 'ssh-keygen -i -f FILE' prints it as one line")
	case len(line) > maxKeyLine:
		return Key{}, fmt.Errorf("this is longer than %d bytes, which no key is", maxKeyLine)
	case strings.ContainsFunc(line, func(r rune) bool { return r == '\r' || r == '\n' }):
		return Key{}, errors.New("this is more than one line; give one key at a time")
	case strings.ContainsFunc(line, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }):
		return Key{}, errors.New("this has characters that no key has; give the line of the .pub file")
	}
	words := strings.SplitN(line, " ", 3)
	if !slices.Contains(keyTypes, words[0]) {
		return Key{}, wrongStart(words[0])
	}
	if len(words) < 2 {
		return Key{}, errors.New("the key ends after its type; give the whole line of the .pub file, in quotes")
	}
	k := Key{Type: words[0]}
	if len(words) == 3 {
		k.Comment = strings.TrimSpace(words[2])
	}
	if len([]rune(k.Comment)) > maxComment {
		return Key{}, fmt.Errorf("the comment is longer than %d characters", maxComment)
	}
	var err error
	if k.blob, err = base64.StdEncoding.Strict().DecodeString(words[1]); err != nil {
		return Key{}, errors.New("the key is damaged or cut short (it is no base64); copy the whole line of the .pub file")
	}
	return k, k.validate()
}

// wrongStart says what a line is that begins with no type of key.
func wrongStart(word string) error {
	switch {
	case strings.HasSuffix(word, "-cert-v01@openssh.com"):
		return errors.New("this is a certificate; give the key itself")
	case word == "ssh-dss":
		return errors.New("this is a DSA key, which sshd does not take any more; make one with: ssh-keygen -t ed25519")
	case strings.Contains(word, "=") || word == "restrict" || strings.HasPrefix(word, "no-"):
		return errors.New("options stand before the key; give the key alone, its limits are made here")
	}
	return fmt.Errorf("%.30q is no type of key; it begins with one of: %s", word, strings.Join(keyTypes, ", "))
}

// validate looks into the key itself.
func (k Key) validate() error {
	pub, err := ssh.ParsePublicKey(k.blob)
	if err != nil {
		return errors.New("the key is damaged or cut short; copy the whole line of the .pub file")
	}
	if pub.Type() != k.Type {
		return fmt.Errorf("the line says %s, but the key in it is %s", k.Type, pub.Type())
	}
	if !bytes.Equal(pub.Marshal(), k.blob) {
		return errors.New("the key is not written as ssh-keygen writes it; make a new one with: ssh-keygen -t ed25519")
	}
	if wrapped, ok := pub.(ssh.CryptoPublicKey); ok {
		if r, ok := wrapped.CryptoPublicKey().(*rsa.PublicKey); ok && r.N.BitLen() < minRSA {
			return fmt.Errorf("the RSA key has %d bits, at least %d are needed; make one with: ssh-keygen -t ed25519", r.N.BitLen(), minRSA)
		}
	}
	return nil
}
