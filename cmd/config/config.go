// Package config reads the configuration: the file, the environment over it,
// the defaults below it. The sections belong to the packages that use them
// (web.Config, store.Config, balancer.Config, recordings.Config); this package only knows their
// struct tags. It reports everything that is wrong at once, each problem with
// its place and its remedy.
//
// It must not open what the configuration names: that is for the packages that
// use it.
package config

import (
	"errors"
	"fmt"

	"scalelite/balancer"
	"scalelite/recordings"
	"scalelite/store"
	"scalelite/web"
)

// SystemFile is the configuration of an installed program.
const SystemFile = "/etc/scalelite/config.toml"

// Config is the whole configuration.
type Config struct {
	Log        Log               `toml:"log"`
	Web        web.Config        `toml:"web"`
	Store      store.Config      `toml:"store"`
	Balancer   balancer.Config   `toml:"balancer"`
	Recordings recordings.Config `toml:"recordings"`
}

// Log is the section [log] of the configuration. For the struct tags see
// store.Config and balancer.Config.
type Log struct {
	Format string `toml:"format" doc:"\"text\" for people, \"json\" for programs"`
	Level  string `toml:"level" doc:"least level that is logged: \"debug\", \"info\", \"warn\" or \"error\""`
}

// DefaultLog returns what holds for every key that is not set.
func DefaultLog() Log {
	return Log{Format: "text", Level: "info"}
}

// Validate returns all problems of the section, joined; each begins with the
// key it is about.
func (l Log) Validate() error {
	var errs []error
	if l.Format != "text" && l.Format != "json" {
		errs = append(errs, fmt.Errorf("log.format: %q is not known; \"text\" or \"json\"", l.Format))
	}
	switch l.Level {
	case "debug", "info", "warn", "error":
	default:
		errs = append(errs, fmt.Errorf("log.level: %q is not known; \"debug\", \"info\", \"warn\" or \"error\"", l.Level))
	}
	return errors.Join(errs...)
}

// Default returns the defaults of an installed program, which has a
// configuration file.
func Default() Config {
	return Config{
		Log:        DefaultLog(),
		Web:        web.DefaultConfig(),
		Store:      store.DefaultConfig(),
		Balancer:   balancer.DefaultConfig(),
		Recordings: recordings.DefaultConfig(),
	}
}

// DefaultWithoutFile returns the defaults of a program without a configuration
// file: it keeps everything below ./data.
func DefaultWithoutFile() Config {
	c := Default()
	c.Store.Path = "./data/scalelite.db"
	c.Web.AdminSocket = "./data/admin.sock"
	c.Recordings = c.Recordings.Below("./data")
	return c
}

// Validate returns all problems of all sections, joined; each begins with the
// key it is about.
func (c Config) Validate() error {
	return errors.Join(c.Log.Validate(), c.Web.Validate(), c.Store.Validate(), c.Balancer.Validate(), c.Recordings.Validate())
}
