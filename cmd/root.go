// Package cmd is the command line: the configuration, the commands, and the
// wiring of the parts into a process. Commands act on a pool through
// admin.Service and cannot tell whether a running service or this process
// itself is behind it.
//
// It must not hold rules about servers, meetings or the protocol: those belong
// to the packages below.
package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"scalelite/cmd/config"
)

// Execute runs the command that args name and returns the exit status of the
// process. The first SIGINT or SIGTERM ends the command's context, a second
// one the process.
func Execute(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx, systemDeps(stdin, stdout, stderr), args)
}

// run is Execute with everything the commands stand on given.
func run(ctx context.Context, d deps, args []string) (code int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(d.stderr, "scalelite: this is a mistake in the program, please report it: %v\n", r)
			code = exitFailure
		}
	}()
	a := &app{deps: d}
	root := newRoot(a)
	root.SetArgs(args)
	c, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if !a.started && !isCoded(err) { // cobra did not get as far as running it
		err = usage("%s", err)
	}
	return report(d.stderr, c, err)
}

// app is one run of the program.
type app struct {
	deps
	configFile string // --config
	started    bool   // the command line was understood
}

// config loads the configuration.
func (a *app) config() (*config.Loaded, error) {
	return config.Load(a.configOptions())
}

// serviceConfig reads the configuration for the service, and looks at where its
// directories lie.
func serviceConfig(o config.Options) (*config.Loaded, error) {
	o.FileSystems = true
	return config.Load(o)
}

// configOptions are for the configuration that the installed service has, unless
// another file is named: then the environment is this shell's alone.
func (a *app) configOptions() config.Options {
	o := a.ownOptions()
	if a.namedConfig() == "" && !missing(cmp.Or(a.systemFile, config.SystemFile)) {
		o.Getenv = a.serviceEnv()
	}
	return o
}

// ownOptions are for the configuration that this process has as a service: to
// its environment nothing is added.
func (a *app) ownOptions() config.Options {
	return config.Options{File: a.configFile, SystemFile: a.systemFile, Getenv: a.getenv}
}

// The groups of commands in the help.
const (
	groupService = "service"
	groupPool    = "pool"
	groupRecords = "recordings"
	groupSetup   = "setup"
)

// newRoot returns the command tree.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "scalelite COMMAND",
		Short: "Makes a pool of BigBlueButton servers look like one",
		Long: `scalelite makes a pool of BigBlueButton (BBB) servers look like one BBB server.

Commands act on the running service through its admin socket. Where no service
runs they open the database themselves.

A first pool:

  scalelite servers add https://bbb1.example.com/bigbluebutton/ SECRET --enable
  scalelite status
  scalelite secret`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(*cobra.Command, []string) error { a.started = true; return nil },
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("%s", flagProblem(err)) })
	root.PersistentFlags().StringVar(&a.configFile, "config", "", "configuration `FILE` (default "+config.SystemFile+")")
	_ = root.MarkPersistentFlagFilename("config", "toml")
	root.AddGroup(
		&cobra.Group{ID: groupService, Title: "The service:"},
		&cobra.Group{ID: groupPool, Title: "The pool:"},
		&cobra.Group{ID: groupRecords, Title: "The recordings:"},
		&cobra.Group{ID: groupSetup, Title: "Setting up and keeping:"},
	)
	root.SetHelpCommandGroupID(groupSetup)
	root.SetCompletionCommandGroupID(groupSetup)
	for _, c := range commands {
		root.AddCommand(c(a))
	}
	return root
}

// commands are all commands below the root.
var commands = [...]func(*app) *cobra.Command{
	newServeCommand,
	newDemoCommand,
	newStatusCommand,
	newServersCommand,
	newMeetingsCommand,
	newPollCommand,
	newRecordingsCommand,
	newCallbacksCommand,
	newSecretCommand,
	newBBBScriptCommand,
	newConfigCommand,
	newBackupCommand,
	newRestoreCommand,
	newDoctorCommand,
	newVersionCommand,
}

// flagProblem says what is wrong with a flag, without the words of strconv.
func flagProblem(err error) string {
	number, ok := errors.AsType[*strconv.NumError](err)
	if !ok {
		return err.Error()
	}
	text, _, _ := strings.Cut(err.Error(), ": strconv.")
	if number.Func == "ParseBool" {
		return text + ": true or false is needed"
	}
	return text + ": a number is needed"
}

// isCoded tells whether err has its exit status already.
func isCoded(err error) bool {
	var coded *exitError
	return errors.As(err, &coded)
}
