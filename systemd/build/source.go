package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// source is what a package is built from.
type source struct {
	root    string // directory of the module
	version string
	time    time.Time // UTC, in whole seconds
}

// versions are those that Debian and the file systems take: no hyphen, which
// would begin a revision of somebody else's packaging, and no epoch.
var versions = regexp.MustCompile(`^[0-9][0-9A-Za-z.+~]*$`)

// describeSource finds out the version, unless one is given, and the time.
func describeSource(ctx context.Context, root, version string) (source, error) {
	s := source{root: root, version: version}
	var err error
	if s.time, err = sourceTime(ctx, root); err != nil {
		return s, err
	}
	if version == "" {
		if s.version, err = gitVersion(ctx, root, s.time); err != nil {
			return s, fmt.Errorf("find out the version, which --version can name: %w", err)
		}
	}
	if !versions.MatchString(s.version) {
		return s, fmt.Errorf("version %q: it begins with a digit and has letters, digits and . + ~", s.version)
	}
	return s, nil
}

// moduleRoot returns the directory of the module that this command is run in.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := output(ctx, "", "go", "env", "GOMOD")
	if err != nil {
		return "", err
	}
	root := filepath.Dir(out)
	if _, err := os.Stat(filepath.Join(root, "systemd", "deb", "nfpm.yaml")); err != nil {
		return "", errors.New("run this inside the repository of scalelite")
	}
	return root, nil
}

// sourceTime is SOURCE_DATE_EPOCH (reproducible-builds.org), else the time of
// the last commit.
func sourceTime(ctx context.Context, root string) (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		var err error
		if text, err = output(ctx, root, "git", "log", "-1", "--format=%ct"); err != nil {
			return time.Time{}, fmt.Errorf("find out the time of the sources, which SOURCE_DATE_EPOCH can name: %w", err)
		}
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH %q: a number of seconds is needed", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// gitVersion is 1.2.3 at the tag v1.2.3, and 1.2.3+git20261123160938.8f22cfc
// after it, which sorts between 1.2.3 and 1.2.4. Before the first tag it counts
// from 0.0.0.
func gitVersion(ctx context.Context, root string, at time.Time) (string, error) {
	commit, err := output(ctx, root, "git", "rev-parse", "--short=7", "HEAD")
	if err != nil {
		return "", err
	}
	changes, err := output(ctx, root, "git", "status", "--porcelain")
	if err != nil {
		return "", err
	}
	// An error is that there is no tag yet.
	described, _ := output(ctx, root, "git", "describe", "--tags", "--long", "--match", "v[0-9]*")
	return versionOf(described, commit, changes != "", at), nil
}

// versionOf makes a version of what git describe --long says ("v1.2.3-4-g8f22cfc",
// or nothing) and the commit; changed tells that the sources differ from it.
func versionOf(described, commit string, changed bool, at time.Time) string {
	base, ahead := "0.0.0", true
	if parts := strings.Split(described, "-"); len(parts) >= 3 {
		base = strings.Join(parts[:len(parts)-2], "~")[1:]
		ahead = parts[len(parts)-2] != "0"
	}
	if ahead || changed {
		base += "+git" + at.Format("20060102150405") + "." + commit
	}
	if changed {
		base += ".changed"
	}
	return base
}

// output runs a command in dir and returns what it printed, trimmed. The error
// has what it said.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	out, err := c.Output()
	if err == nil {
		return strings.TrimSpace(string(out)), nil
	}
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(failed.Stderr)))
	}
	return "", fmt.Errorf("%s %s: %w", name, args[0], err)
}
