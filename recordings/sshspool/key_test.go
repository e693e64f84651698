package sshspool

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

func newKey(t testing.TB, comment string) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return keyLine(t, public, comment)
}

func keyLine(t testing.TB, public any, comment string) string {
	t.Helper()
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + " " + comment
}

const knownKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"

func TestParseKey(t *testing.T) {
	t.Parallel()
	k, err := ParseKey("  " + knownKey + "  bigbluebutton@bbb1 \n")
	if err != nil {
		t.Fatal(err)
	}
	if k.Type != "ssh-ed25519" || k.Comment != "bigbluebutton@bbb1" || k.String() != knownKey+" bigbluebutton@bbb1" {
		t.Errorf("%+v", k)
	}
	// As 'ssh-keygen -lf' shows it.
	if got := k.Fingerprint(); got != "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU" {
		t.Errorf("fingerprint %s", got)
	}
	other, err := ParseKey(knownKey)
	if err != nil || !k.Same(other) || other.Comment != "" {
		t.Errorf("%+v, %v", other, err)
	}
}

func TestParseKeyRefuses(t *testing.T) {
	t.Parallel()
	weak := rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537}
	words := strings.Fields(knownKey)
	blob, _ := base64.StdEncoding.DecodeString(words[1])
	for name, c := range map[string]struct{ line, says string }{
		"nothing":             {" ", "there is no key"},
		"a private key":       {"-----BEGIN OPENSSH PRIVATE KEY-----\nabc", "private key"},
		"another form":        {"---- BEGIN SSH2 PUBLIC KEY ----\nabc", "ssh-keygen -i"},
		"two lines":           {knownKey + " a\n" + knownKey, "more than one line"},
		"a carriage return":   {knownKey + " a\rssh-rsa", "more than one line"},
		"a tab":               {knownKey + "\ta", "characters that no key has"},
		"options":             {`command="/bin/sh" ` + knownKey, "options stand before"},
		"a word of options":   {"no-pty " + knownKey, "options stand before"},
		"restrict":            {"restrict " + knownKey, "options stand before"},
		"another type":        {"ssh-dss " + words[1], "DSA"},
		"a certificate":       {"ssh-ed25519-cert-v01@openssh.com " + words[1], "certificate"},
		"no type":             {words[1], "no type of key"},
		"only the type":       {"ssh-ed25519", "ends after its type"},
		"the type of another": {"ssh-rsa " + words[1], "the key in it is ssh-ed25519"},
		"cut short":           {knownKey[:len(knownKey)-8], "damaged or cut short"},
		"no base64":           {"ssh-ed25519 !!!!", "no base64"},
		"loose base64":        {"ssh-ed25519 " + words[1][:len(words[1])-1] + "=", "damaged"},
		"bytes behind it":     {"ssh-ed25519 " + base64.StdEncoding.EncodeToString(append(blob, 0)), "damaged"},
		"weak RSA":            {keyLine(t, &weak, "a"), "1024 bits"},
		"a long comment":      {knownKey + " " + strings.Repeat("x", 201), "longer than 200"},
		"much too long":       {knownKey + " " + strings.Repeat("x", maxKeyLine), "longer than"},
	} {
		if k, err := ParseKey(c.line); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %+v, %v", name, k, err)
		}
	}
}

// Whatever is taken makes one line, and is what is read back from it.
func FuzzParseKey(f *testing.F) {
	f.Add(knownKey + " someone")
	f.Add(`command="x" ` + knownKey)
	f.Add("ssh-rsa AAAA")
	f.Fuzz(func(t *testing.T, line string) {
		k, err := ParseKey(line)
		if err != nil {
			return
		}
		written, err := Grant{Key: k, Program: "/usr/bin/scalelite", Spool: "/var/spool"}.Line()
		if err != nil {
			t.Fatal(err)
		}
		keys := Keys{[]byte(written + "\n")}
		grants := keys.Grants()
		if strings.ContainsAny(written, "\r\n") || len(grants) != 1 || !grants[0].Key.Same(k) || grants[0].Spool != "/var/spool" {
			t.Errorf("%q became %q, %+v", line, written, grants)
		}
	})
}
