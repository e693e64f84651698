package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// account is a user of the system.
type account struct {
	name        string
	uid, gid    int
	home, shell string
	groups      []int // gid among them
}

// errNoEntry: there is no such user or group.
var errNoEntry = errors.New("there is none")

// systemTimeout bounds one program of the system: names may come from a network.
const systemTimeout = 30 * time.Second

// runSystem runs a program of the system and returns what it printed.
func runSystem(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, systemTimeout)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	for _, dir := range []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		if path := filepath.Join(dir, name); c.Err != nil && !missing(path) {
			c = exec.CommandContext(ctx, path, args...)
		}
	}
	c.Env = append(os.Environ(), "LC_ALL=C")
	var out, errOut bytes.Buffer
	c.Stdout, c.Stderr = &out, &errOut
	if err := c.Run(); err != nil {
		if text := strings.TrimSpace(errOut.String()); text != "" {
			return "", fmt.Errorf("%s: %w: %s", name, err, text)
		}
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return out.String(), nil
}

// entry asks for a line of the databases of users and groups, wherever the
// system has them; errNoEntry if there is none.
func (a *app) entry(ctx context.Context, database, key string, fields int) ([]string, error) {
	out, err := a.system(ctx, "getent", database, key)
	if e, ok := errors.AsType[*exec.ExitError](err); ok && e.ExitCode() == 2 {
		return nil, errNoEntry
	}
	if err != nil {
		return nil, err
	}
	line := strings.Split(strings.TrimRight(out, "\n"), ":")
	if len(line) != fields {
		return nil, fmt.Errorf("getent %s %s: %q is no line of it", database, key, out)
	}
	return line, nil
}

// account looks a user up; errNoEntry if there is none.
func (a *app) account(ctx context.Context, name string) (account, error) {
	line, err := a.entry(ctx, "passwd", name, 7)
	if err != nil {
		return account{}, err
	}
	u := account{name: line[0], home: line[5], shell: line[6]}
	uid, e1 := strconv.Atoi(line[2])
	gid, e2 := strconv.Atoi(line[3])
	out, e3 := a.system(ctx, "id", "-G", name)
	if err := errors.Join(e1, e2, e3); err != nil {
		return account{}, err
	}
	u.uid, u.gid = uid, gid
	for _, word := range strings.Fields(out) {
		g, err := strconv.Atoi(word)
		if err != nil {
			return account{}, err
		}
		u.groups = append(u.groups, g)
	}
	return u, nil
}

// groupID looks a group up by name or number; errNoEntry if there is none.
func (a *app) groupID(ctx context.Context, name string) (int, error) {
	line, err := a.entry(ctx, "group", name, 4)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(line[2])
}

// noLogin reports whether sshd could run nothing for the user.
func (u account) noLogin() bool {
	base := filepath.Base(u.shell)
	return base == "nologin" || base == "false"
}

// may reports whether the bits of info let the user do all of what: 4 read, 2
// write, 1 enter.
func (u account) may(info fs.FileInfo, what fs.FileMode) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	switch perm := info.Mode().Perm(); {
	case u.uid == 0 || !ok:
		return true
	case int(st.Uid) == u.uid:
		return perm>>6&what == what
	case slices.Contains(u.groups, int(st.Gid)):
		return perm>>3&what == what
	default:
		return perm&what == what
	}
}

// reaches returns nil if the user can do what to the file at path, or else what
// stands in the way, with the command that mends it.
func (u account) reaches(path string, what fs.FileMode) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return err
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if !u.may(info, 1) {
			return fmt.Errorf("the user %s cannot get to %s, since %s lets nobody through; mend it with: chmod o+x %s", u.name, path, dir, dir)
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !u.may(info, what) {
		return fmt.Errorf("the user %s has not the rights it needs on %s (%s)", u.name, path, info.Mode())
	}
	return nil
}
