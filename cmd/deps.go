package cmd

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"scalelite/cmd/config"
	"scalelite/web/admin"
)

// connector gives a command the pool it acts on and what to call when it is
// done.
type connector func(context.Context, *config.Loaded) (admin.Service, func() error, error)

// deps is what the commands stand on, so that tests can put something else
// there.
type deps struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	systemFile     string // as config.Options.SystemFile

	// interactive: somebody sits there who can be asked. liveOutput: stdout is
	// a terminal, on which a line can be written again.
	interactive, liveOutput bool
	// readPassword reads a line from the terminal without showing it.
	readPassword func(ctx context.Context) (string, error)

	// dial reaches the running service; its first call fails with
	// admin.ErrNoDaemon if there is none.
	dial func(socket string) admin.Service
	// open opens the database in this process, and makes it if it is not there;
	// kv.ErrLocked if another process has it.
	open connector
	// verify looks through a database file that nobody has open.
	verify func(ctx context.Context, path string) error

	// system runs a program of the system and returns what it printed.
	system func(ctx context.Context, name string, args ...string) (string, error)
	// executable is the path of this program; euid is who runs it.
	executable func() (string, error)
	euid       func() int

	now func() time.Time
	// tick is how often a command looks that watches something.
	tick time.Duration
}

// systemDeps are the real ones.
func systemDeps(stdin io.Reader, stdout, stderr io.Writer) deps {
	return deps{
		stdin:        stdin,
		stdout:       stdout,
		stderr:       stderr,
		getenv:       os.Getenv,
		interactive:  isTerminal(stdin) && isTerminal(stderr),
		liveOutput:   isTerminal(stdout),
		readPassword: func(ctx context.Context) (string, error) { return readPassword(ctx, stdin) },
		dial:         func(socket string) admin.Service { return admin.NewClient(socket) },
		open:         openLocal,
		verify:       verifyDatabase,
		system:       runSystem,
		executable:   os.Executable,
		euid:         os.Geteuid,
		now:          time.Now,
		tick:         2 * time.Second,
	}
}

func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// readPassword gives the terminal its echo back when ctx ends it.
func readPassword(ctx context.Context, stdin io.Reader) (string, error) {
	f, ok := stdin.(*os.File)
	if !ok {
		return "", os.ErrInvalid
	}
	fd := int(f.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	type result struct {
		password []byte
		err      error
	}
	done := make(chan result, 1)
	go func() {
		b, err := term.ReadPassword(fd)
		done <- result{b, err}
	}()
	select {
	case r := <-done:
		return string(r.password), r.err
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), term.Restore(fd, state))
	}
}
