package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// errCancelled is what a command ends with that was answered no.
var errCancelled = errors.New("cancelled, nothing was changed")

// maxLine bounds what is read of an answer or a secret, in bytes.
const maxLine = 4096

// confirm asks whether to do what question says. With yes it is answered
// already; where nobody can be asked, the error tells about --yes.
func (a *app) confirm(ctx context.Context, yes bool, question string) error {
	if yes {
		return nil
	}
	if !a.interactive {
		return &exitError{code: exitUsage, err: fmt.Errorf("%s Nobody can be asked here: say --yes to do it", question)}
	}
	fmt.Fprintf(a.stderr, "%s Go on? [y/N] ", question)
	answer, err := readLine(ctx, a.stdin)
	if err != nil {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errCancelled
}

// yesFlag adds --yes to a command that asks.
func yesFlag(c *cobra.Command, yes *bool) {
	c.Flags().BoolVarP(yes, "yes", "y", false, "do it without asking")
}

// secretArg returns the secret that an argument stands for: itself, or for "-"
// what stdin or the person at the terminal gives, so that it is not in the list
// of processes.
func (a *app) secretArg(ctx context.Context, arg string) (string, error) {
	secret := arg
	if arg == "-" {
		var err error
		if secret, err = a.askSecret(ctx); err != nil {
			return "", err
		}
	}
	if strings.TrimSpace(secret) == "" {
		return "", usage("the secret is empty; 'bbb-conf --secret' on the BBB server prints it")
	}
	return secret, nil
}

func (a *app) askSecret(ctx context.Context) (string, error) {
	if !a.interactive {
		return readLine(ctx, a.stdin)
	}
	fmt.Fprint(a.stderr, "Secret of the server (not shown): ")
	secret, err := a.readPassword(ctx)
	fmt.Fprintln(a.stderr)
	if err != nil {
		return "", fmt.Errorf("read the secret: %w", err)
	}
	return secret, nil
}

// readLine reads one line, without its end. When ctx ends first the read is
// left to end with the process: a terminal cannot be told to stop.
func readLine(ctx context.Context, r io.Reader) (string, error) {
	line := make(chan string, 1)
	fail := make(chan error, 1)
	go func() {
		s, err := bufio.NewReader(io.LimitReader(r, maxLine)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			fail <- err
			return
		}
		line <- strings.TrimRight(s, "\r\n")
	}()
	select {
	case s := <-line:
		return s, nil
	case err := <-fail:
		return "", err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
