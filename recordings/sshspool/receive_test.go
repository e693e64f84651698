package sshspool

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// receiveEnv makes the test binary be the command that sshd would run, for the
// spool that it names; rawEnv makes it run the rest of the command line behind
// the kernel's fence.
const (
	receiveEnv = "SSHSPOOL_TEST_RECEIVE"
	rawEnv     = "SSHSPOOL_TEST_RAW"
)

func TestMain(m *testing.M) {
	spool := os.Getenv(receiveEnv)
	if spool == "" {
		os.Exit(m.Run())
	}
	// rsync calls its remote shell with options, the host and the words of the
	// command, which sshd would join.
	args := os.Args[1:]
	for len(args) > 1 && strings.HasPrefix(args[0], "-") {
		args = args[2:] // -l USER
	}
	asked := strings.Join(args[1:], " ")
	if raw := os.Getenv(rawEnv); raw != "" {
		fmt.Fprintln(os.Stderr, receiveRaw(raw, spool))
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, Receive(asked, spool, os.Stdin))
	os.Exit(1)
}

// needs skips a test where a program is missing, unless everything must be
// there.
func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is needed", program)
		}
		t.Skipf("needs %s: apt install rsync openssh-client openssh-sftp-server", program)
	}
}

// client is a BBB server with a key, and a spool behind it.
type client struct {
	t         *testing.T
	dir, home string
	spool     string
}

func newClient(t *testing.T) *client {
	needs(t, "rsync")
	c := &client{t: t, dir: t.TempDir(), home: t.TempDir()}
	c.spool = filepath.Join(c.home, "spool")
	if err := os.Mkdir(c.spool, 0o775); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *client) write(name, content string, mode os.FileMode) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		c.t.Fatal(err)
	}
	return path
}

func (c *client) command(args ...string) *exec.Cmd {
	cmd := exec.Command("rsync", append([]string{"-e", os.Args[0]}, args...)...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), receiveEnv+"="+c.spool)
	return cmd
}

func (c *client) rsync(args ...string) (string, error) {
	out, err := c.command(args...).CombinedOutput()
	return string(out), err
}

// received lists what is in the spool, with modes.
func (c *client) received() string {
	c.t.Helper()
	entries, err := os.ReadDir(c.spool)
	if err != nil {
		c.t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			c.t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %s", e.Name(), info.Mode()))
	}
	return strings.Join(all, ", ")
}

// Real rsync clients, with the options that hooks have been seen to use.
func TestRsyncSends(t *testing.T) {
	t.Parallel()
	for _, options := range []string{
		"", "-a", "-av --remove-source-files", "--verbose --protect-args", "-s --remove-source-files", "--partial --progress", "-rlptz",
		"--chmod=F600 -p", "--old-args", "-avz --stats --timeout=60 --bwlimit=100000", "--chown=nobody:nogroup", "-c", "--inc-recursive -i",
		"--no-whole-file -t", "--compress --compress-level=9", "-u --ignore-existing", "--size-only",
	} {
		for _, target := range []string{"", "/", "SPOOL", "SPOOL/", "SPOOL/one.tar"} {
			t.Run(options+" "+target, func(t *testing.T) {
				t.Parallel()
				c := newClient(t)
				file := c.write("one.tar", strings.Repeat("content", 10_000), 0o600)
				args := append(strings.Fields(options), "one.tar", "user@host:"+strings.Replace(target, "SPOOL", c.spool, 1))
				if out, err := c.rsync(args...); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				if got := c.received(); got != "one.tar -rw-rw-r--" {
					t.Errorf("received %s", got)
				}
				if b, _ := os.ReadFile(filepath.Join(c.spool, "one.tar")); len(b) != 70_000 {
					t.Errorf("%d bytes came", len(b))
				}
				if _, err := os.Stat(file); strings.Contains(options, "remove-source") != os.IsNotExist(err) {
					t.Errorf("the source: %v", err)
				}
			})
		}
	}
}

// Whether the way in is open can be tried without leaving anything.
func TestRsyncTries(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.write("one.tar", "", 0o640)
	if out, err := c.rsync("--dry-run", "-t", "--timeout=300", "--chmod=F664", "--remove-source-files", "one.tar", "u@h:"+c.spool+"/"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got := c.received(); got != "" {
		t.Errorf("it left %s", got)
	}
}

// A second file of the same name takes its place, and nobody is told what the
// first one held.
func TestRsyncReplaces(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, content := range []string{strings.Repeat("a", 1_000_000), strings.Repeat("a", 1_000_000) + "b"} {
		c.write("one.tar", content, 0o644)
		out, err := c.rsync("--no-whole-file", "--stats", "one.tar", "u@h:/")
		if err != nil {
			t.Fatal(out)
		}
		if !strings.Contains(out, "Matched data: 0 bytes") {
			t.Errorf("rsync compared what is there: %s", out)
		}
	}
	if b, _ := os.ReadFile(filepath.Join(c.spool, "one.tar")); len(b) != 1_000_001 {
		t.Errorf("%d bytes", len(b))
	}
}

// What is cut short never gets a tarball's name, even if the client asks for it.
func TestRsyncIsCutShort(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.write("one.tar", strings.Repeat("content", 1_000_000), 0o644)
	cmd := c.command("--partial", "--bwlimit=500", "one.tar", "u@h:/")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wait := func(what string, cond func(string) bool) {
		t.Helper()
		for deadline := time.Now().Add(2 * time.Minute); !cond(c.received()); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain for %s; there is %q", what, c.received())
			}
		}
	}
	wait("the transfer to begin", func(names string) bool { return names != "" })
	if got := c.received(); !strings.HasPrefix(got, ".one.tar.") {
		t.Errorf("while it comes: %s", got)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	wait("rsync to clean up", func(names string) bool { return !strings.HasPrefix(names, ".one.tar.") })
	if got := c.received(); got != "" {
		t.Errorf("left of it: %s", got)
	}
}

func TestRsyncIsRefused(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.write("one.tar", "content", 0o644)
	if err := os.WriteFile(filepath.Join(c.spool, "secret.tar"), []byte("of another"), 0o664); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"u@h:/secret.tar", "."}, {"u@h:/", "."}, {"u@h:/etc/passwd", "."}, {"-R", "one.tar", "u@h:/"}, {"--delete", "-r", ".", "u@h:/"},
		{"one.tar", "u@h:../"}, {"one.tar", "u@h:/etc/"}, {"one.tar", "u@h:.ssh/authorized_keys"}, {"--inplace", "one.tar", "u@h:/"},
		{"--append", "one.tar", "u@h:/"}, {"--backup", "one.tar", "u@h:/"}, {"-T", "/tmp", "one.tar", "u@h:/"}, {"-H", "one.tar", "u@h:/"},
		{"--rsync-path", "sh -c id;rsync", "one.tar", "u@h:/"}, {"--remote-option=--log-file=/tmp/x", "one.tar", "u@h:/"},
		{"-M--copy-dest=/etc", "one.tar", "u@h:/"}, {"--link-dest=/etc", "one.tar", "u@h:/"},
	} {
		out, err := c.rsync(args...)
		if err == nil || !strings.Contains(out, ErrRefused.Error()) {
			t.Errorf("%q: %v: %s", args, err, out)
		}
	}
	if got := c.received(); got != "secret.tar -rw-r--r--" && got != "secret.tar -rw-rw-r--" {
		t.Errorf("in the spool: %s", got)
	}
}

// receiveRaw runs a script as Receive would run the sftp server.
func receiveRaw(script, spool string) error {
	return errors.Join(os.Chdir(spool), process{program: "/bin/sh", argv: []string{"sh", "-c", script}, fenced: true}.run(spool))
}

// The fence holds whatever runs behind it.
func TestTheFence(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	if err := os.WriteFile(filepath.Join(c.spool, "there.tar"), []byte("of another"), 0o664); err != nil {
		t.Fatal(err)
	}
	outside := c.write("outside", "a secret", 0o666)
	script := func(text string) string {
		cmd := exec.Command(os.Args[0], "host", "x")
		cmd.Env = append(os.Environ(), receiveEnv+"="+c.spool, rawEnv+"="+text)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		_ = cmd.Run()
		return out.String()
	}
	if out := script("echo new > new.tar && mv new.tar newer.tar && echo wrote"); strings.Contains(out, "unsupported operation") {
		t.Skip("the kernel has no Landlock:", out)
	} else if !strings.Contains(out, "wrote") {
		t.Fatalf("cannot write into the spool: %s", out)
	}
	for _, text := range []string{
		"cat " + outside, "cat there.tar", "ls /", "ls .", "echo x >> " + outside, "echo x > " + c.home + "/x", "mkdir sub", "ln -s /etc link",
		"ln " + outside + " hard.tar", "mv there.tar " + c.home + "/", "rm " + outside, "mkfifo pipe", "cat /etc/hostname", "cat /proc/1/cmdline",
		outside, "mv " + outside + " got.tar",
	} {
		if out := script(text + " && echo escaped"); !strings.Contains(out, "denied") && !strings.Contains(out, "not permitted") && !strings.Contains(out, "cross-device") || strings.Contains(out, "escaped") {
			t.Errorf("%s: %s", text, out)
		}
	}
	if b, _ := os.ReadFile(outside); string(b) != "a secret" {
		t.Errorf("changed to %q", b)
	}
}
