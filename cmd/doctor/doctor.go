// Package doctor looks for what keeps an installation from working, and says of
// everything it finds why it matters and what to type against it.
//
// It owns the checks and their words. It reads, and changes nothing: it must not
// open the database (it is given a Pool), must not know the command line, and
// must not print.
package doctor

import (
	"context"
	"errors"
	"time"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/cmd/config"
	"scalelite/recordings"
	"scalelite/web/admin"
)

// Result is how a check ended.
type Result string

// The results, the best one first. What could not be judged is Skipped.
const (
	OK      Result = "ok"
	Skipped Result = "skipped"
	Warn    Result = "warn"
	Fail    Result = "fail"
)

// Finding is one thing that a check has looked at. None of its texts holds a
// secret.
type Finding struct {
	Check string `json:"check"` // name of the check
	// Subject is what it is about where a check looks at several things: a path,
	// an address, the ID of a server.
	Subject string `json:"subject,omitempty"`
	Result  Result `json:"result"`
	Found   string `json:"found"`
	// Why says why it matters, Remedy what to do. Commands are to be typed as they
	// are, one after the other. All are empty where nothing is to be done.
	Why      string   `json:"why,omitempty"`
	Remedy   string   `json:"remedy,omitempty"`
	Commands []string `json:"commands,omitempty"`
}

// Report is what all checks have found, in the order of Checks.
type Report struct {
	Version string `json:"version"` // of the program that looked
	// Result is the worst of the findings, what was skipped apart.
	Result   Result         `json:"result"`
	Counts   map[Result]int `json:"counts"`
	Findings []Finding      `json:"findings"`
}

// Pool is what the checks ask of the running service, or of the database.
type Pool interface {
	Info(ctx context.Context) (admin.Info, error)
	Servers(ctx context.Context) ([]balancer.ServerInfo, error)
	Secrets(ctx context.Context) (admin.Secrets, error)
	SpoolFiles(ctx context.Context) ([]recordings.SpoolFile, error)
	Examine(ctx context.Context, q admin.ExamineQuery) (admin.Examination, error)
}

// ErrUnreachable is what Options.Open returns if a service runs, but does not
// answer as it should.
var ErrUnreachable = errors.New("the service does not answer")

// Options of Run.
type Options struct {
	// Config is the configuration, nil if it has problems: then ConfigError says
	// which.
	Config      *config.Loaded
	ConfigError error
	// ConfigFile is the file that was asked for with --config; commands in remedies
	// repeat it.
	ConfigFile string
	// Open reaches the running service, or where none runs opens the database.
	Open func(ctx context.Context) (Pool, func() error, error)
	// Former is the copy of the database that was made before an upgrade, in a
	// schema that this program can read; empty if there is none.
	Former string
	// Version of this program, and the algorithm that calls to the servers are
	// signed with.
	Version   string
	Algorithm bbb.Algorithm
	// Only are the names of the checks to make; none: all.
	Only []string
	// Progress, if not nil, is told now and then which checks still run. Calls do
	// not overlap.
	Progress func(done, total int, running []string)
	System   System
}

// Check is one of the checks, for a list of them.
type Check struct {
	Name string `json:"name"`
	Doc  string `json:"about"`
}

// check is a Check with how it is made.
type check struct {
	Check
	// limit is what it may take; after that it counts as failed.
	limit time.Duration
	// unconfigured: it can be made without a configuration.
	unconfigured bool
	// data: it needs what the database knows.
	data bool
	run  func(*patient, context.Context) []Finding
}

// The limits of checks: of those that stay on this machine, and of those that
// ask others.
const (
	here   = 10 * time.Second
	abroad = 30 * time.Second
)

// table is all checks, in the order in which they are told.
func table() []check {
	return []check{
		{Check{"configuration", "the configuration is complete and makes sense"}, here, true, false, (*patient).configuration},
		{Check{"service", "the service runs, in the version that is installed"}, here, false, false, (*patient).service},
		{Check{"unit", "systemd starts the service with the machine"}, here, true, false, (*patient).unit},
		{Check{"database", "the database answers and its indexes agree with its records"}, here, false, false, (*patient).database},
		{Check{"disk", "there is room for recordings and for the database"}, here, false, false, (*patient).disk},
		{Check{"directories", "the directories are there, of the right owner, on one file system"}, here, false, false, (*patient).directories},
		{Check{"ports", "the service listens where the configuration says"}, here, false, false, (*patient).ports},
		{Check{"name", "web.host leads to this machine"}, here, false, false, (*patient).name},
		{Check{"certificate", "the certificate fits web.host and lasts"}, here, false, false, (*patient).certificate},
		{Check{"public", "web.host answers as a front-end would have it"}, abroad, false, false, (*patient).public},
		{Check{"servers", "each BBB server answers and takes its secret"}, abroad, false, true, (*patient).servers},
		{Check{"clocks", "the clocks of the BBB servers agree with ours"}, abroad, false, true, (*patient).clocks},
		{Check{"join", "people can get to the address of each BBB server"}, abroad, false, true, (*patient).join},
		{Check{"arrivals", "what each BBB server has recorded came here"}, abroad, false, true, (*patient).arrivals},
		{Check{"spool", "no tarball waits for long, none has failed"}, here, false, false, (*patient).spool},
		{Check{"callbacks", "front-ends can be told of recordings"}, here, false, true, (*patient).callbacks},
		{Check{"backups", "there is a backup of the database, and it is new"}, here, false, false, (*patient).backups},
		{Check{"files", "records have their files, and files their records"}, here, false, true, (*patient).files},
		{Check{"limits", "the service may open enough files"}, here, true, false, (*patient).limits},
		{Check{"memory", "there is memory left"}, here, true, false, (*patient).memory},
		{Check{"clock", "the clock of this machine is kept right"}, here, true, false, (*patient).clock},
	}
}

// Checks lists all checks in the order of a Report.
func Checks() []Check {
	var all []Check
	for _, c := range table() {
		all = append(all, c.Check)
	}
	return all
}
