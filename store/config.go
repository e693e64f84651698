package store

import "errors"

// Config is the section [store] of the configuration.
//
// The struct tags of a section are its one description: toml is the key, env
// the environment variables that override it (the first that is set wins), doc
// the line for people.
type Config struct {
	Path string `toml:"path" doc:"database file"`
}

// DefaultConfig returns what holds for every key that is not set.
func DefaultConfig() Config {
	return Config{Path: "/var/lib/scalelite/scalelite.db"}
}

// Validate returns all problems of the section, joined; each begins with the
// key it is about.
func (c Config) Validate() error {
	if c.Path == "" {
		return errors.New("store.path: is empty; give the path of the database file")
	}
	return nil
}
