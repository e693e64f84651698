package sshspool

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func grantOf(t testing.TB, line string) Grant {
	t.Helper()
	k, err := ParseKey(line)
	if err != nil {
		t.Fatal(err)
	}
	return Grant{Key: k, Program: "/usr/bin/scalelite", Spool: "/var/bigbluebutton/spool", Since: time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC)}
}

func TestAddFindRemove(t *testing.T) {
	t.Parallel()
	const foreign = "# by hand\n" +
		`from="192.0.2.1" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJb1zcSlnYFZ6ABZcZbKOCmh6HTrH1dbi0PLdwrGsmbM the administrator` + "\n" +
		"garbage that sshd skips"
	keys := &Keys{[]byte(foreign)}
	g := grantOf(t, knownKey+" bbb1")
	if outcome, err := keys.Add(g, false); outcome != Added || err != nil {
		t.Fatal(outcome, err)
	}
	want := foreign + "\n" + `restrict,command="'/usr/bin/scalelite' recordings receive --spool '/var/bigbluebutton/spool' --since 2026-11-23T08:30:00Z" ` + knownKey + " bbb1\n"
	if string(keys.content) != want {
		t.Errorf("got  %s\nwant %s", keys.content, want)
	}
	if got := keys.Grants(); len(got) != 1 || got[0].Program != g.Program || got[0].Spool != g.Spool || !got[0].Since.Equal(g.Since) || got[0].Key.Comment != "bbb1" {
		t.Errorf("%+v", got)
	}
	if keys.Others() != 1 {
		t.Errorf("%d other keys", keys.Others())
	}

	later := grantOf(t, knownKey+" another comment")
	later.Since = later.Since.Add(time.Hour)
	if outcome, err := keys.Add(later, false); outcome != Present || err != nil || string(keys.content) != want {
		t.Errorf("%s, %v, %s", outcome, err, keys.content)
	}
	later.Spool = "/srv/spool"
	if outcome, err := keys.Add(later, false); outcome != Changed || err != nil || len(keys.Grants()) != 1 {
		t.Errorf("%s, %v, %s", outcome, err, keys.content)
	}
	if got := keys.Grants()[0]; got.Spool != "/srv/spool" || !got.Since.Equal(g.Since) {
		t.Errorf("%+v", got)
	}

	print := g.Key.Fingerprint()
	for _, name := range []string{print, strings.TrimPrefix(print, "SHA256:"), "another comment"} {
		if found := keys.Find(name); len(found) != 1 {
			t.Errorf("%q: %+v", name, found)
		}
	}
	if found := keys.Find(""); found != nil {
		t.Errorf("nothing found %+v", found)
	}
	if !keys.Remove(g.Key) || keys.Remove(g.Key) || string(keys.content) != foreign+"\n" {
		t.Errorf("%s", keys.content)
	}
}

// sshd takes the first line of a key: one that limits nothing must not stay.
func TestAKeyWithoutLimits(t *testing.T) {
	t.Parallel()
	line := `environment="A=B",agent-forwarding ` + knownKey + " by hand\n"
	keys := &Keys{[]byte(line + line)}
	g := grantOf(t, knownKey+" bbb1")
	if _, err := keys.Add(g, false); !errors.Is(err, ErrUnlimited) || string(keys.content) != line+line {
		t.Errorf("%v, %s", err, keys.content)
	}
	if outcome, err := keys.Add(g, true); outcome != Changed || err != nil || keys.Others() != 0 || len(keys.Grants()) != 1 {
		t.Errorf("%s, %v, %s", outcome, err, keys.content)
	}
}

func TestPathsThatAShellWouldRead(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "spool", "/a b", "/a'b", `/a"b`, "/a\nb", "/$HOME", "/a;b", `/a\b`, "/ä"} {
		g := grantOf(t, knownKey)
		g.Spool = path
		if line, err := g.Line(); err == nil {
			t.Errorf("%q: %s", path, line)
		}
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	home, err := OpenHome(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	if k, err := home.Read(); err != nil || len(k.content) != 0 {
		t.Fatal(k, err)
	}
	add := func(k *Keys) error {
		_, err := k.Add(grantOf(t, newKey(t, "bbb1")), false)
		return err
	}
	if err := home.Update(add); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, ".ssh", "authorized_keys")
	if home.Path() != file {
		t.Errorf("path %s", home.Path())
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := home.Update(add); err != nil {
		t.Fatal(err)
	}
	k, err := home.Read()
	if err != nil || len(k.Grants()) != 2 {
		t.Fatalf("%+v, %v", k, err)
	}
	for path, writable := range map[string]os.FileMode{file: 0o022, filepath.Dir(file): 0o022} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&writable != 0 {
			t.Errorf("%s: %v, %v; sshd would not take it", path, info.Mode(), err)
		}
	}
	boom := errors.New("no")
	if err := home.Update(func(k *Keys) error { k.content = nil; return boom }); !errors.Is(err, boom) {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(file)); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

// The user of the directory must not have root write elsewhere.
func TestLinksOutOfTheHome(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	if err := os.Symlink(elsewhere, filepath.Join(dir, ".ssh")); err != nil {
		t.Fatal(err)
	}
	home, err := OpenHome(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	err = home.Update(func(k *Keys) error {
		_, err := k.Add(grantOf(t, knownKey), false)
		return err
	})
	if entries, _ := os.ReadDir(elsewhere); err == nil || len(entries) != 0 {
		t.Errorf("%v, %v", err, entries)
	}
}
