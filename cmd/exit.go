package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"scalelite/cmd/config"
	"scalelite/store/kv"
)

// The exit statuses of the program.
const (
	exitOK       = 0
	exitFailure  = 1
	exitUsage    = 2
	exitTempFail = 75 // EX_TEMPFAIL of sysexits.h: the database is locked
)

// exitError is an error with the exit status it leads to.
type exitError struct {
	code int
	err  error
	hint bool // point to the help of the command
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usage is the error of a command line that makes no sense.
func usage(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...), hint: true}
}

// report prints err as people should see it and returns the exit status.
func report(stderr io.Writer, c *cobra.Command, err error) int {
	var problems config.Problems
	if errors.As(err, &problems) && len(problems) > 1 {
		fmt.Fprintf(stderr, "scalelite: the configuration has %d problems:\n%s\n", len(problems), problems.Error())
		return exitFailure
	}
	code, hint := exitFailure, false
	var coded *exitError
	switch {
	case errors.As(err, &coded):
		code, hint = coded.code, coded.hint
	case errors.Is(err, kv.ErrLocked):
		code = exitTempFail
	case errors.Is(err, context.Canceled):
		err = errors.New("interrupted")
	}
	text := strings.TrimRight(err.Error(), "\n")
	if errors.Is(err, fs.ErrPermission) && !strings.Contains(text, "sudo") && !strings.Contains(text, "user id") {
		text += "; run it as root, with sudo, or as a member of the group scalelite"
	}
	fmt.Fprintf(stderr, "scalelite: %s\n", text)
	if hint && c != nil {
		fmt.Fprintf(stderr, "Run '%s --help' to see how it is used.\n", c.CommandPath())
	}
	return code
}
