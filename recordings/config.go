package recordings

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Config is the section [recordings] of the configuration. For the struct tags
// see store.Config and balancer.Config; inverted marks an environment variable
// that means the opposite.
type Config struct {
	Enabled bool `toml:"enabled" env:"RECORDING_DISABLED" inverted:"true" doc:"off: getRecordings is empty, the other recording calls answer notFound"`

	SpoolDir       string `toml:"spool_dir" env:"RECORDING_SPOOL_DIR" doc:"where the servers put tarballs"`
	WorkDir        string `toml:"work_dir" env:"RECORDING_WORK_DIR" doc:"for unpacking, and the trash; on the file system of published_dir"`
	PublishedDir   string `toml:"published_dir" env:"RECORDING_PUBLISH_DIR" doc:"files of published recordings"`
	UnpublishedDir string `toml:"unpublished_dir" env:"RECORDING_UNPUBLISH_DIR" doc:"files of unpublished recordings"`
	FailedDir      string `toml:"failed_dir" doc:"tarballs that could not be imported, each with a .txt saying why"`

	Rescan            string   `toml:"rescan" env:"RECORDING_IMPORT_POLL_INTERVAL" envunit:"s" doc:"cron expression: when the spool is looked through beside its events; NFS has none"`
	ImportUnpublished bool     `toml:"import_unpublished" env:"RECORDING_IMPORT_UNPUBLISHED" doc:"new recordings are unpublished"`
	Formats           []string `toml:"formats" env:"RECORDING_PLAYBACK_FORMATS" envsep:":" doc:"playback formats that are served, by the first segment of their path"`
	Tries             int      `toml:"tries" doc:"how often a tarball is tried before it goes to failed_dir"`

	Protected  bool          `toml:"protected" env:"PROTECTED_RECORDINGS_ENABLED" doc:"new recordings are protected"`
	TokenGrace time.Duration `toml:"token_grace" doc:"a protected link works again for so long after its first use; \"0s\": once"`
	TokenTTL   time.Duration `toml:"token_ttl" env:"PROTECTED_RECORDINGS_TOKEN_TIMEOUT" envunit:"m" doc:"how long a protected link is valid"`
	CookieTTL  time.Duration `toml:"cookie_ttl" env:"PROTECTED_RECORDINGS_TIMEOUT" envunit:"m" doc:"how long an opened protected recording can be watched"`

	PlayerDir       string `toml:"player_dir" doc:"directory of another player for presentations, as BBB's own, built to be served at /playback/presentation/2.3; empty: the one that is built in"`
	PlayerDownloads bool   `toml:"player_downloads" doc:"the player offers the other formats of a recording, as video and sound, to save"`

	Retention         string `toml:"retention" doc:"age in days after which a recording is deleted, as \"365d\"; empty: never; metadata keep=true exempts one"`
	RetentionSchedule string `toml:"retention_schedule" doc:"cron expression: when retention and trash are looked after"`
	Trash             string `toml:"trash" doc:"how long deleted recordings can be brought back, as \"7d\"; \"0s\": not at all"`

	MinFree   string `toml:"min_free" doc:"free space below which imports wait"`
	MaxUpload string `toml:"max_upload" doc:"largest tarball that is taken as an upload"`
}

// DefaultConfig returns what holds for every key that is not set.
func DefaultConfig() Config {
	return Config{
		Enabled:           true,
		SpoolDir:          "/var/bigbluebutton/spool",
		WorkDir:           "/var/bigbluebutton/recording/scalelite",
		PublishedDir:      "/var/bigbluebutton/published",
		UnpublishedDir:    "/var/bigbluebutton/unpublished",
		FailedDir:         "/var/bigbluebutton/recording/scalelite-failed",
		Rescan:            "@every 1m",
		Formats:           []string{"presentation", "video", "screenshare", "podcast", "notes", "capture"},
		Tries:             5,
		TokenGrace:        5 * time.Minute,
		TokenTTL:          time.Hour,
		CookieTTL:         6 * time.Hour,
		RetentionSchedule: "0 3 * * *",
		Trash:             "7d",
		MinFree:           "1GB",
		MaxUpload:         "50GB",
	}
}

// Below moves all directories below dir, for a program without a configuration
// file.
func (c Config) Below(dir string) Config {
	for _, path := range []*string{&c.SpoolDir, &c.WorkDir, &c.PublishedDir, &c.UnpublishedDir, &c.FailedDir} {
		*path = filepath.Join(dir, filepath.Base(*path))
	}
	return c
}

// Validate returns all problems of the section, joined; each begins with the
// key it is about. It looks at no directory: Open does.
func (c Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("recordings.%s: %s", key, fmt.Sprintf(format, args...)))
	}
	c.validateDirs(bad)
	for key, text := range map[string]string{"rescan": c.Rescan, "retention_schedule": c.RetentionSchedule} {
		if _, err := cron.ParseStandard(text); err != nil {
			bad(key, "%q is no cron expression; write \"@every 1m\" or \"0 3 * * *\"", text)
		}
	}
	for key, text := range map[string]string{"retention": c.Retention, "trash": c.Trash} {
		if _, err := ParseAge(text); err != nil {
			bad(key, "%v", err)
		}
	}
	for key, text := range map[string]string{"min_free": c.MinFree, "max_upload": c.MaxUpload} {
		if _, err := ParseSize(text); err != nil {
			bad(key, "%v", err)
		}
	}
	for key, d := range map[string]time.Duration{"token_ttl": c.TokenTTL, "cookie_ttl": c.CookieTTL} {
		if d <= 0 {
			bad(key, "%s is too short; give a duration like \"60m\"", d)
		}
	}
	if c.TokenGrace < 0 {
		bad("token_grace", "%s is negative; \"0s\" lets a link work once", c.TokenGrace)
	}
	if c.Tries < 1 {
		bad("tries", "%d is too few; at least 1", c.Tries)
	}
	for _, format := range c.Formats {
		switch {
		case !PlainWord(format):
			bad("formats", "%q is no name of a format; letters, digits, '-' and '_'", format)
		case slices.Contains(ownPaths, format):
			bad("formats", "/%s/ is a path of the program itself; no format can be served there", format)
		}
	}
	return errors.Join(errs...)
}

// ownPaths are the first segments of paths that are no format's.
var ownPaths = []string{"bigbluebutton", "fsapi", "health_check", "metrics", "playback", "recording", "scalelite"}

// validateDirs: each directory is set, and none lies inside another.
func (c Config) validateDirs(bad func(key, format string, args ...any)) {
	dirs := []struct{ key, path string }{
		{"spool_dir", c.SpoolDir}, {"work_dir", c.WorkDir}, {"published_dir", c.PublishedDir},
		{"unpublished_dir", c.UnpublishedDir}, {"failed_dir", c.FailedDir},
	}
	for i, d := range dirs {
		if d.path == "" {
			bad(d.key, "is empty; give a directory")
			continue
		}
		for j, other := range dirs {
			if i != j && other.path != "" && within(d.path, other.path) && (i > j || filepath.Clean(d.path) != filepath.Clean(other.path)) {
				bad(d.key, "%s lies inside recordings.%s; give each a directory of its own", d.path, other.key)
			}
		}
	}
}

func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// PlainWord reports whether a record ID or the name of a format is safe in a
// path: letters, digits, '-' and '_', and not too long.
func PlainWord(s string) bool {
	return s != "" && len(s) <= 200 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}
