package cmd

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"scalelite/cmd/systemd"
)

func newServeCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "serve",
		GroupID: groupService,
		Short:   "Run the load balancer",
		Long: `Run the load balancer until it gets SIGTERM or SIGINT. What runs then is
finished first; a second signal ends the process at once. SIGHUP reads the
configuration again; what cannot change while running is named in the log.

The secret for the front-ends is shown by 'scalelite secret'.`,
		Example: `  scalelite serve
  scalelite serve --config ./config.toml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.serve(c.Context()) },
	}
}

func (a *app) serve(ctx context.Context) error {
	l, err := serviceConfig(a.ownOptions())
	if err != nil {
		return err
	}
	log, level := newLogger(l.Config.Log, a.stderr, underJournal(a.getenv))
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)

	manager := systemd.New(a.getenv)
	s, err := startService(ctx, l, manager, log)
	if err != nil {
		return err
	}
	tell(log, manager.Notify("READY=1"))
	for {
		select {
		case <-hangups:
			tell(log, manager.Reloading())
			s.reload(ctx, level)
			tell(log, manager.Notify("READY=1"))
		case err := <-s.failed:
			log.Error("stopping because a part failed", "cause", err)
			tell(log, manager.Notify("STOPPING=1"))
			return errors.Join(err, s.stop())
		case <-ctx.Done():
			log.Info("stopping: running requests are finished first")
			tell(log, manager.Notify("STOPPING=1"))
			return s.stop()
		}
	}
}

// tell complains if systemd could not be told; that stops nothing.
func tell(log *slog.Logger, err error) {
	if err != nil {
		log.Warn("systemd could not be told", "cause", err)
	}
}
