package cmd

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
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
	l, err := a.serviceConfig()
	if err != nil {
		return err
	}
	log, level := newLogger(l.Config.Log, a.stderr, underJournal(a.getenv))
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)

	s, err := startService(ctx, l, log)
	if err != nil {
		return err
	}
	a.tell(log, "READY=1")
	for {
		select {
		case <-hangups:
			s.reload(ctx, level)
		case err := <-s.failed:
			log.Error("stopping because a part failed", "cause", err)
			a.tell(log, "STOPPING=1")
			return errors.Join(err, s.stop())
		case <-ctx.Done():
			log.Info("stopping: running requests are finished first")
			a.tell(log, "STOPPING=1")
			return s.stop()
		}
	}
}

// tell notifies systemd; that it cannot be told stops nothing.
func (a *app) tell(log *slog.Logger, state string) {
	if err := notify(a.getenv, state); err != nil {
		log.Warn("systemd could not be told", "state", state, "cause", err)
	}
}
