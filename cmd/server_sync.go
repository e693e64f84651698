package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"scalelite/balancer"
	"scalelite/web/admin"
)

func newServersSyncCommand(a *app) *cobra.Command {
	var mode string
	var dryRun, yes, asJSON bool
	c := &cobra.Command{
		Use:   "sync FILE",
		Short: "Make the pool what a YAML file says",
		Long: `Adds, changes, enables and disables servers until the pool is what FILE says; -
is standard input. FILE is what 'servers export' writes, or the file of the Ruby
system's servers:sync and servers:yaml:

  servers:
    bbb1.example.com:          # the server's id
      secret: "SECRET"         # required
      url: "https://bbb1.example.com/bigbluebutton/api"   # default: made of the id
      enabled: true            # default
      load_multiplier: 1.0     # default
      tag: "exams"             # this and the next: missing leaves it as it is
      max_meetings: 20
      max_users: 150
      standby: false

--mode tells what becomes of servers that FILE lacks:

  keep    they stay as they are
  cordon  they take no new meetings; those without meetings are removed
  force   their meetings are ended and they are removed

--dry-run tells what would be done. A second run does nothing more.`,
		Example: `  scalelite servers sync servers.yml --dry-run
  scalelite servers sync servers.yml
  scalelite servers sync - --mode force --yes < servers.yml`,
		Args: exactArgs(1, "the name of a YAML file, or - for standard input"),
		RunE: func(c *cobra.Command, args []string) error {
			m := balancer.SyncMode(mode)
			switch m {
			case balancer.SyncKeep, balancer.SyncCordon, balancer.SyncForce:
			default:
				return usage("the mode %q is not known; keep, cordon or force", mode)
			}
			specs, err := a.readServers(args[0])
			if err != nil {
				return err
			}
			how := changes
			if dryRun {
				how = reads
			}
			return a.with(c.Context(), how, func(svc admin.Service) error {
				return a.syncServers(c.Context(), svc, specs, syncOptions{m, dryRun, yes, asJSON})
			})
		},
	}
	c.Flags().StringVar(&mode, "mode", string(balancer.SyncCordon), "keep, cordon or force")
	c.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "only tell what would be done")
	yesFlag(c, &yes)
	jsonFlag(c, &asJSON)
	_ = c.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions([]string{"keep", "cordon", "force"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

type syncOptions struct {
	mode                balancer.SyncMode
	dryRun, yes, asJSON bool
}

// readServers reads the file of servers with that name; - is stdin.
func (a *app) readServers(name string) ([]balancer.ServerSpec, error) {
	in, shown := a.stdin, "standard input"
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in, shown = f, name
	}
	specs, warnings, err := parseServers(in)
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %s", shown, strings.ReplaceAll(err.Error(), "\n", "\n"+shown+": "))
	}
	for _, w := range warnings {
		fmt.Fprintf(a.stderr, "%s: %s\n", shown, w)
	}
	return specs, nil
}

func (a *app) syncServers(ctx context.Context, svc admin.Service, specs []balancer.ServerSpec, o syncOptions) error {
	if err := a.confirmSync(ctx, svc, specs, o); err != nil {
		return err
	}
	actions, err := svc.SyncServers(ctx, specs, o.mode, o.dryRun)
	if err != nil {
		return err
	}
	if o.asJSON {
		return printJSON(a.stdout, list(actions))
	}
	return a.printActions(actions, o.dryRun)
}

// confirmSync asks before servers with their meetings go, and before a list
// that is empty, by accident perhaps, empties the pool.
func (a *app) confirmSync(ctx context.Context, svc admin.Service, specs []balancer.ServerSpec, o syncOptions) error {
	if o.yes || o.dryRun || o.mode == balancer.SyncKeep || o.mode == balancer.SyncCordon && len(specs) > 0 {
		return nil
	}
	plan, err := svc.SyncServers(ctx, specs, o.mode, true)
	if err != nil {
		return err
	}
	var gone []string
	for _, act := range plan {
		if act.Action == "remove" || act.Action == "cordon" {
			gone = append(gone, act.ID)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	names := strings.Join(gone[:min(len(gone), maxNamed)], ", ")
	if len(gone) > maxNamed {
		names += ", ..."
	}
	fate := "will be removed, and their meetings ended"
	if o.mode == balancer.SyncCordon {
		fate = "will be cordoned or removed, since the file has no servers at all"
	}
	return a.confirm(ctx, false, fmt.Sprintf("%s (%s) %s.", count(len(gone), "server"), printable(names), fate))
}

func (a *app) printActions(actions []balancer.SyncAction, dryRun bool) error {
	done := 0
	t := newTable(a.stdout, "ACTION", "SERVER", "DETAIL")
	for _, act := range actions {
		if act.Action != "none" {
			t.row(act.Action, act.ID, act.Detail)
			done++
		}
	}
	if done == 0 {
		_, err := fmt.Fprintln(a.stdout, "Nothing to do: the pool is as the file says.")
		return err
	}
	if err := t.flush(); err != nil {
		return err
	}
	if dryRun {
		_, err := fmt.Fprintln(a.stdout, "\nNothing was changed (--dry-run).")
		return err
	}
	return nil
}

func newServersExportCommand(a *app) *cobra.Command {
	var verbose bool
	c := &cobra.Command{
		Use:   "export",
		Short: "Write the servers as YAML, with their secrets",
		Long: `Writes the servers as YAML to standard output, for 'servers sync' here or the
Ruby system's servers:sync. It holds the secrets of the servers: keep it unreadable
for others. --verbose writes values that are the default as well.`,
		Example: `  (umask 077; scalelite servers export > servers.yml)`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.with(c.Context(), reads, func(svc admin.Service) error {
				servers, err := svc.Servers(c.Context())
				if err != nil {
					return err
				}
				return writeServers(a.stdout, servers, verbose)
			})
		},
	}
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "write values that are the default as well")
	return c
}
