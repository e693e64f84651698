package store

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/robfig/cron/v3"
)

// Config is the section [store] of the configuration.
//
// The struct tags of a section are its one description: toml is the key, env
// the environment variables that override it (the first that is set wins), doc
// the line for people.
type Config struct {
	Path string `toml:"path" doc:"database file"`

	BackupDir      string `toml:"backup_dir" doc:"where backups are kept; empty: backups, beside the database"`
	BackupSchedule string `toml:"backup_schedule" doc:"cron expression: when database and configuration are backed up; empty: never"`
	BackupKeep     int    `toml:"backup_keep" doc:"how many backups are kept"`
}

// DefaultConfig returns what holds for every key that is not set.
func DefaultConfig() Config {
	return Config{Path: "/var/lib/scalelite/scalelite.db", BackupSchedule: "30 2 * * *", BackupKeep: 7}
}

// Backups is the directory that backups are kept in.
func (c Config) Backups() string {
	if c.BackupDir != "" {
		return filepath.Clean(c.BackupDir)
	}
	return filepath.Join(filepath.Dir(c.Path), "backups")
}

// Validate returns all problems of the section, joined; each begins with the
// key it is about.
func (c Config) Validate() error {
	var errs []error
	if c.Path == "" {
		errs = append(errs, errors.New("store.path: is empty; give the path of the database file"))
	}
	if c.BackupSchedule != "" {
		if _, err := cron.ParseStandard(c.BackupSchedule); err != nil {
			errs = append(errs, fmt.Errorf("store.backup_schedule: %q is no cron expression; write \"30 2 * * *\", or \"\" for no backups", c.BackupSchedule))
		}
	}
	if c.BackupKeep < 1 {
		errs = append(errs, fmt.Errorf("store.backup_keep: %d is too few; at least 1 backup is kept", c.BackupKeep))
	}
	return errors.Join(errs...)
}
