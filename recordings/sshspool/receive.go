package sshspool

import (
	"errors"
	"fmt"
	"io"
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

// process is what takes the place of this one; argv begins with one of programs.
type process struct {
	argv []string
	// fenced: without the kernel's fence it must not run, for by itself it keeps
	// to no directory.
	fenced bool
	// reads: it must be able to open what it writes for reading, too.
	reads bool
}

// Receive does what a client that logged in with a key of ours asks for, if it
// is a transfer into spool, an absolute path: the process then becomes rsync or
// the sftp server, so that Receive returns only with an error. asked is what
// sshd has in SSH_ORIGINAL_COMMAND; stdin is where the client's bytes come from,
// file 0 of the process.
func Receive(asked, spool string, stdin io.Reader) error {
	spool = filepath.Clean(spool)
	p, err := decide(asked, spool, stdin)
	if err != nil {
		return err
	}
	return run(p, spool)
}

// run has the process become p, which can write into spool and do nothing else.
func run(p process, spool string) error {
	program, err := locate(p.argv[0])
	if err != nil {
		return err
	}
	// What is restricted is the thread, and the process becomes what the thread
	// runs.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := os.Chdir(spool); err != nil {
		return fmt.Errorf("the spool cannot be entered: %w", err)
	}
	syscall.Umask(0o002)
	err = confine(spool, p.reads)
	if err != nil && (p.fenced || !errors.Is(err, errors.ErrUnsupported)) {
		return fmt.Errorf("keep to the spool: %w", err)
	}
	err = syscall.Exec(program, p.argv, []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=/nonexistent"})
	return fmt.Errorf("run %s: %w", program, err)
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
