package sshspool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// programs is where what is run may be, whatever the client's environment says.
var programs = map[string][]string{
	"rsync":       {"/usr/bin/rsync", "/bin/rsync", "/usr/local/bin/rsync"},
	"sftp-server": {"/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server"},
}

// sftpRequests are what an sftp client may do: write, and look at what it wrote.
const sftpRequests = "open,close,write,fstat,stat,lstat,realpath,rename,posix-rename"

// process is what is run for a client; argv begins with one of programs.
type process struct {
	program string // its file
	argv    []string
	// fenced: without the kernel's fence it must not run, for by itself it keeps
	// to no directory. It is waited for.
	fenced bool
	// reads: it must be able to open what it writes for reading, too.
	reads bool
}

// Receive does what a client that logged in with a key of ours asks for, if it
// is a transfer into spool, an absolute path. For rsync the process becomes
// another, so that Receive returns only with an error. asked is what sshd has in
// SSH_ORIGINAL_COMMAND; stdin is where the client's bytes come from, file 0 of
// the process.
func Receive(asked, spool string, stdin io.Reader) error {
	spool = filepath.Clean(spool)
	p, err := decide(asked, spool, stdin)
	if err != nil {
		return err
	}
	if p.program, err = locate(p.argv[0]); err != nil {
		return err
	}
	if err := os.Chdir(spool); err != nil {
		return fmt.Errorf("the spool cannot be entered: %w", err)
	}
	syscall.Umask(0o002)
	if p.fenced {
		return errors.Join(p.run(spool), openToGroup(spool))
	}
	return p.become(spool)
}

// environment is that of what is run: the client's says nothing.
func environment() []string {
	return []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=/nonexistent"}
}

// become has this process become p. What is confined is the thread, and the
// process becomes what the thread runs.
func (p process) become(spool string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := confine(spool, p.reads); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("keep to the spool: %w", err)
	}
	err := syscall.Exec(p.program, p.argv, environment())
	return fmt.Errorf("run %s: %w", p.program, err)
}

// run runs p to its end. Its thread is confined, and ends with it.
func (p process) run(spool string) error {
	ended := make(chan error)
	go func() {
		runtime.LockOSThread() // for good
		if err := confine(spool, p.reads); err != nil {
			ended <- fmt.Errorf("keep to the spool: %w", err)
			return
		}
		c := &exec.Cmd{Path: p.program, Args: p.argv, Env: environment(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
			SysProcAttr: diesWithUs()}
		ended <- c.Run()
	}()
	return <-ended
}

// openToGroup lets the service read what came: unlike rsync, sftp cannot be told
// which mode files are to have.
func openToGroup(spool string) error {
	root, err := os.OpenRoot(spool)
	if err != nil {
		return err
	}
	defer root.Close()
	entries, err := os.ReadDir(spool)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o060 == 0o060 {
			continue // gone meanwhile, or in order
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) == os.Geteuid() {
			err = root.Chmod(e.Name(), 0o664)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// decide reads what was asked for.
func decide(asked, spool string, stdin io.Reader) (process, error) {
	if asked == "" {
		return process{}, refuse("it opens no terminal")
	}
	words, err := splitWords(asked)
	if err != nil {
		return process{}, refuse("%v", err)
	}
	if len(words) > 0 && isSFTP(words[0]) {
		return process{argv: []string{"sftp-server", "-d", spool, "-u", "002", "-p", sftpRequests}, fenced: true}, nil
	}
	call, err := parseRsync(words, stdin, spool)
	return process{argv: call.argv(), reads: true}, err
}

// isSFTP: sshd hands over what its configuration has for the subsystem.
func isSFTP(word string) bool {
	base := word[strings.LastIndexByte(word, '/')+1:]
	return base == "internal-sftp" || base == "sftp-server"
}

func locate(program string) (string, error) {
	for _, path := range programs[program] {
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("there is no %s on the load balancer; install it there with: apt install rsync openssh-server", program)
}
