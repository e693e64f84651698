package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"scalelite/cmd/config"
	"scalelite/cmd/doctor"
	"scalelite/web/admin"
)

// doctorFlags are those of the command.
type doctorFlags struct {
	json, list, quiet, strict bool
	only                      []string
}

func newDoctorCommand(a *app) *cobra.Command {
	var f doctorFlags
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong, and say what to do",
		Long: `Looks at the configuration, the machine, the service and the BBB servers, and says
of everything that is not as it should be why it matters and what to type against
it. It changes nothing. It works whether the service runs or not; as root it judges
for the user of the service, and what another user cannot judge it skips and says
so.

Each line begins with how it is: ok, warn, FAIL or skipped. The exit status is 1 if
something failed, with --strict also if there is a warning, else 0.`,
		Example: `  sudo scalelite doctor
  sudo scalelite doctor --quiet --strict
  scalelite doctor --only servers,clocks
  scalelite doctor --json | jq -r '.findings[] | select(.result == "fail") | .found'`,
		GroupID: groupSetup,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkNames(f.only); err != nil {
				return err
			}
			if f.list {
				return a.listChecks(f.json)
			}
			return a.doctor(c.Context(), f)
		},
	}
	jsonFlag(c, &f.json)
	c.Flags().BoolVar(&f.list, "list", false, "list the checks instead of making them")
	c.Flags().StringSliceVar(&f.only, "only", nil, "make only the checks with these `NAME,...`")
	c.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "print only what is not ok")
	c.Flags().BoolVar(&f.strict, "strict", false, "exit with status 1 on warnings, too")
	_ = c.RegisterFlagCompletionFunc("only", completeChecks)
	return c
}

// checkNames refuses checks that do not exist.
func checkNames(names []string) error {
	var known []string
	for _, check := range doctor.Checks() {
		known = append(known, check.Name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return usage("there is no check %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}

func completeChecks(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	before := typed[:strings.LastIndexByte(typed, ',')+1]
	var offers []string
	for _, check := range doctor.Checks() {
		offers = append(offers, before+check.Name+"\t"+check.Doc)
	}
	return offers, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

func (a *app) listChecks(asJSON bool) error {
	if asJSON {
		return printJSON(a.stdout, doctor.Checks())
	}
	t := newTable(a.stdout, "NAME", "WHAT IT LOOKS AT")
	for _, check := range doctor.Checks() {
		t.row(check.Name, check.Doc)
	}
	return t.flush()
}

// doctor makes the checks and prints what they found.
func (a *app) doctor(ctx context.Context, f doctorFlags) error {
	l, err := a.config()
	o := doctor.Options{
		Config: l, ConfigError: err, ConfigFile: a.namedConfig(), Version: build().Version, Only: f.only, System: doctor.ThisSystem(),
	}
	if l != nil {
		o.Algorithm = towardsServers(l)
		o.Former = formerCopy(l.Config.Store.Path)
		o.Open = func(ctx context.Context) (doctor.Pool, func() error, error) { return a.admitDoctor(ctx, l) }
	}
	p := newProgress(a.stderr)
	if isTerminal(a.stderr) {
		o.Progress = p.show
	}
	report := doctor.Run(ctx, o)
	p.clear()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if f.json {
		err = a.printReport(report, f.quiet)
	} else {
		err = a.printFindings(report, f.quiet)
	}
	if err != nil {
		return err
	}
	return verdict(report, f.strict)
}

// admitDoctor is connect, with errors that tell a service that is in trouble from
// one that does not run.
func (a *app) admitDoctor(ctx context.Context, l *config.Loaded) (doctor.Pool, func() error, error) {
	_, err := a.dial(l.Config.Web.AdminSocket).Info(ctx)
	if err != nil && !errors.Is(err, admin.ErrNoDaemon) && !errors.Is(err, fs.ErrPermission) {
		return nil, nil, fmt.Errorf("%w: %w", doctor.ErrUnreachable, err)
	}
	return a.connect(ctx, l, reads)
}

// namedConfig is the configuration file that was asked for, with its whole path:
// commands that repeat it may be typed anywhere. Empty: that of the system.
func (a *app) namedConfig() string {
	file := a.configFile
	if file == "" {
		file = a.getenv("SCALELITE_CONFIG")
	}
	if file == "" {
		return ""
	}
	if whole, err := filepath.Abs(file); err == nil {
		return whole
	}
	return file
}

// maxEnvironmentFile bounds what is read of it, in bytes.
const maxEnvironmentFile = 1 << 20

// serviceEnv is the environment as the installed service has it: what its unit
// reads from a file comes before what this shell has, see EnvironmentFile in
// systemd.exec(5). A file that cannot be read counts as empty. It cannot name
// another configuration: the unit names one itself.
func (a *app) serviceEnv() func(string) string {
	f, err := os.Open(a.defaultsFile)
	if err != nil {
		return a.getenv
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxEnvironmentFile))
	if err != nil {
		return a.getenv
	}
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(name, "#") || strings.HasPrefix(name, ";") {
			continue
		}
		value = strings.TrimSpace(value)
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		values[strings.TrimSpace(name)] = value
	}
	delete(values, "SCALELITE_CONFIG")
	return func(name string) string {
		if value, ok := values[name]; ok {
			return value
		}
		return a.getenv(name)
	}
}

// verdict is the error of a report.
func verdict(r doctor.Report, strict bool) error {
	failed, warned := r.Counts[doctor.Fail], r.Counts[doctor.Warn]
	switch {
	case failed > 0:
		return fmt.Errorf("%s; what to do stands with each", wrong(failed))
	case strict && warned > 0:
		return fmt.Errorf("%s, with --strict that counts", count(warned, "warning"))
	}
	return nil
}

func wrong(n int) string {
	if n == 1 {
		return "1 thing is wrong"
	}
	return fmt.Sprintf("%d things are wrong", n)
}
