package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"scalelite/cmd/config"
	"scalelite/store"
	"scalelite/store/backup"
	"scalelite/store/kv/boltkv"
	"scalelite/web"
	"scalelite/web/admin"
)

// verifyDatabase looks through a database file that nobody has open: whether it
// is whole, and whether this program knows its schema.
func verifyDatabase(ctx context.Context, path string) error {
	if err := boltkv.Verify(ctx, path); err != nil {
		return err
	}
	engine, err := boltkv.Open(ctx, path, boltkv.Options{})
	if err != nil {
		return err
	}
	return errors.Join(store.CheckSchema(ctx, engine), engine.Close())
}

// backupConfig is the configuration as a backup holds it: the file, or, where it
// does not say everything, what a file would have to say.
func backupConfig(l *config.Loaded) []byte {
	environment := false
	for _, e := range l.Entries(false) {
		environment = environment || strings.Contains(e.Source, "environment")
	}
	if l.File != "" && !environment {
		if text, err := os.ReadFile(l.File); err == nil {
			return text
		}
	}
	if l.File == "" && !environment {
		return nil
	}
	return []byte("# What held when this backup was made, of the file and the environment.\n\n" + l.TOML(true))
}

// backupOptions are what all backups of a configuration have in common.
func backupOptions(l *config.Loaded) backup.Options {
	c := l.Config.Store
	return backup.Options{
		Dir: c.Backups(), Keep: c.BackupKeep, Database: c.Path,
		Config: func() []byte { return backupConfig(l) },
		Log:    slog.New(slog.DiscardHandler),
	}
}

// startBackups starts what makes backups on schedule.
func (s *service) startBackups(ctx context.Context, metrics *web.Metrics) error {
	l := s.loaded // a reload replaces it
	o := backupOptions(l)
	o.Log = s.log.With("component", "backups")
	o.Snapshot, o.Verify = s.core.store.Snapshot, verifyDatabase
	o.Config = func() []byte {
		if next, _, err := l.Reload(); err == nil {
			return backupConfig(next)
		}
		return backupConfig(l)
	}
	if text := l.Config.Store.BackupSchedule; text != "" {
		schedule, err := cron.ParseStandard(text)
		if err != nil {
			return fmt.Errorf("store.backup_schedule: %w", err)
		}
		o.Schedule = schedule
	}
	s.backups = backup.New(o)
	metrics.WatchBackups(func() (time.Time, bool) {
		b := s.backupInfo()
		return b.Last, b.Error != ""
	})
	s.run(ctx, "backups", func(ctx context.Context) error {
		s.backups.Run(ctx)
		<-ctx.Done() // without a schedule there is nothing to do
		return nil
	})
	return nil
}

// backupInfo is how it stands with the backups.
func (s *service) backupInfo() admin.BackupInfo {
	b := admin.BackupInfo{Directory: s.backups.Dir()}
	st, err := s.backups.Status()
	if err != nil {
		b.Failed, b.Error = time.Now(), err.Error()
		return b
	}
	b.Last, b.File, b.Bytes, b.Next = st.Last.Made, st.Last.Name, st.Last.Bytes, st.Next
	b.Failed, b.Error = st.Failed.At, st.Failed.Cause
	return b
}

// printBackups is the line of status about the backups.
func printBackups(w io.Writer, b *admin.BackupInfo) error {
	if b == nil {
		return nil
	}
	text := "none yet"
	if !b.Last.IsZero() {
		text = "the last one of " + stamp(b.Last)
	}
	switch {
	case b.Error != "":
		text = fmt.Sprintf("FAILED at %s: %s; %s", stamp(b.Failed), printable(b.Error), text)
	case b.Next.IsZero():
		text += "; none are made by themselves (store.backup_schedule)"
	default:
		text += "; the next one at " + stamp(b.Next)
	}
	_, err := fmt.Fprintf(w, "%-11s %s\n", "Backups", text)
	return err
}
