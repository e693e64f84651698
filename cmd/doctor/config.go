package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"scalelite/cmd/config"
)

// configuration tells every problem that keeps the service from starting, and
// whether the right people can read the file.
func (p *patient) configuration(context.Context) []Finding {
	if p.o.Config == nil {
		return p.configProblems()
	}
	file := p.o.Config.File
	if file == "" {
		return []Finding{good("", "there is no configuration file; everything lies below ./data")}
	}
	found := []Finding{good("", "%s has no problems", file)}
	info, err := os.Stat(file)
	if err != nil {
		return found // it has just been read
	}
	if info.Mode().Perm()&0o004 != 0 && p.fileHasSecrets() {
		found = append(found, warn(file, "everybody on this machine can read it, mode %04o", info.Mode().Perm()).
			because("It holds secrets: whoever knows one can start, join and end meetings, and delete recordings.").
			do("take the right away from others; the service reads it as a member of its group",
				p.root("chgrp", p.who.group, file), p.root("chmod", "0640", file)))
	} else if err := p.mayUse(file, unix.R_OK); err != nil && !errors.Is(err, errNotJudged) {
		found = append(found, fail(file, "the service's user %s cannot read it: %v", p.who.name, err).
			because("The service does not start without it.").
			do("let it belong to the group of the service", p.root("chgrp", p.who.group, file), p.root("chmod", "0640", file)))
	}
	return found
}

// fileHasSecrets tells whether the file sets a key that holds secrets.
func (p *patient) fileHasSecrets() bool {
	for _, key := range []string{"web.secrets", "web.management_secrets", "web.metrics_token"} {
		if strings.Contains(p.o.Config.Source(key), "file") {
			return true
		}
	}
	return false
}

// unreadable: there is a configuration, but not for who looks.
func (p *patient) unreadable() bool {
	problems, ok := errors.AsType[config.Problems](p.o.ConfigError)
	return ok && len(problems) == 1 && problems[0].File != "" && errors.Is(unix.Access(problems[0].File, unix.R_OK), unix.EACCES)
}

func (p *patient) configProblems() []Finding {
	const why = "The service does not start, and a running one keeps its former configuration."
	check := p.scalelite("config", "check")
	problems, ok := errors.AsType[config.Problems](p.o.ConfigError)
	if !ok {
		return []Finding{fail("", "%v", p.o.ConfigError).because(why).do("mend it, and look again", check)}
	}
	if p.unreadable() {
		return []Finding{p.needsRoot("", "you may not read "+problems[0].File)}
	}
	var found []Finding
	for _, problem := range problems {
		wrong, right, _ := strings.Cut(problem.Text, "; ")
		if right == "" {
			right = "correct it"
		}
		problem.Text = wrong
		commands := []string{check}
		if problem.File != "" && problem.Environment == "" {
			commands = []string{p.root("editor", problem.File), check}
			if problem.Line > 0 {
				commands[0] = p.root("editor", fmt.Sprintf("+%d", problem.Line), problem.File)
			}
		}
		found = append(found, fail(problem.Key, "%s", problem.String()).because(why).do(right, commands...))
	}
	return found
}
