package cmd

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/robfig/cron/v3"

	"scalelite/web"
)

// jobs is what is done on a schedule: retention, and sweeping what must not grow
// for ever.
type jobs struct {
	schedule string
	log      *slog.Logger
	core     *core
	web      *web.Server
}

// linksEvery is how often links to protected recordings that open nothing any
// more are swept: each getRecordings makes some.
const linksEvery = "@hourly"

func newJobs(schedule string, log *slog.Logger, c *core, w *web.Server) (*jobs, error) {
	if _, err := cron.ParseStandard(schedule); err != nil {
		return nil, fmt.Errorf("recordings.retention_schedule: %w", err)
	}
	return &jobs{schedule, log, c, w}, nil
}

// run does the jobs on their schedule until ctx ends, and returns when the last
// one has.
func (j *jobs) run(ctx context.Context) error {
	// Recover stands innermost: the other way round, a job that panicked once never
	// runs again.
	log := cronLog{j.log}
	c := cron.New(cron.WithChain(cron.SkipIfStillRunning(log), cron.Recover(log)))
	if _, err := c.AddFunc(j.schedule, func() { j.daily(ctx) }); err != nil {
		return fmt.Errorf("schedule the daily jobs: %w", err)
	}
	if _, err := c.AddFunc(linksEvery, func() { j.links(ctx) }); err != nil {
		return fmt.Errorf("schedule the hourly jobs: %w", err)
	}
	c.Start()
	<-ctx.Done()
	<-c.Stop().Done()
	return nil
}

func (j *jobs) daily(ctx context.Context) {
	pruned, err := j.core.library.Prune(ctx, false)
	if err != nil {
		j.log.Error("retention did not come to its end", "cause", err)
	}
	for _, p := range pruned {
		j.log.Info("recording pruned", "recording", p.ID, "reason", p.Reason, "bytes", p.Bytes)
	}
	for _, sweep := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"callbacks", j.core.outbox.Sweep},
		{"imports", j.core.spool.Sweep},
	} {
		if err := sweep.do(ctx); err != nil {
			j.log.Error("daily sweep failed", "of", sweep.what, "cause", err)
		}
	}
}

func (j *jobs) links(ctx context.Context) {
	if _, err := j.web.SweepTokens(ctx); err != nil && ctx.Err() == nil {
		j.log.Error("links of protected recordings could not be swept", "cause", err)
	}
}

// cronLog lets the scheduler speak through our log: only errors are of interest.
type cronLog struct{ log *slog.Logger }

func (c cronLog) Info(string, ...any) {}

func (c cronLog) Error(err error, msg string, args ...any) {
	c.log.Error("daily job failed", append([]any{"cause", err, "detail", msg}, args...)...)
}
