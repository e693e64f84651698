package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"scalelite/balancer/bbb"
)

// applyEnv lets the environment override the file. An empty variable counts as
// not set: the environment files of the Ruby system have many of those.
func (l *loader) applyEnv() {
	for _, f := range l.fields {
		for _, name := range f.env {
			text := l.options.Getenv(name)
			if strings.TrimSpace(text) == "" {
				continue
			}
			l.sources[f.key()] = source{env: []string{name}}
			if err := f.setText(text); err != nil {
				l.envProblem(name, f.key(), err.Error())
			}
			break
		}
	}
	l.applyListen()
	l.addSecrets("LOADBALANCER_SECRET", "")
	l.addSecrets("LOADBALANCER_SECRETS", ":")
}

func (l *loader) envProblem(name, key, text string) {
	l.problems = append(l.problems, Problem{Environment: name, Key: key, Text: text})
}

// applyListen makes web.listen of PORT and BIND; each alone leaves the other
// half of the address as it is.
func (l *loader) applyListen() {
	const key = "web.listen"
	port := strings.TrimSpace(l.options.Getenv("PORT"))
	bind := strings.TrimPrefix(strings.TrimSpace(l.options.Getenv("BIND")), "tcp://")
	if port == "" && bind == "" {
		return
	}
	var from source
	if strings.HasPrefix(bind, "unix:") {
		l.Config.Web.Listen = bind
		l.sources[key] = source{env: []string{"BIND"}}
		return
	}
	host, number, err := net.SplitHostPort(l.Config.Web.Listen)
	if err != nil || strings.HasPrefix(l.Config.Web.Listen, "unix:") {
		host, number = "", "3000"
	} else {
		from.file = l.sources[key].file && (port == "" || bind == "")
	}
	if bind != "" {
		from.env = append(from.env, "BIND")
		if h, p, err := net.SplitHostPort(bind); err == nil {
			bind, number = h, p
		}
		host = strings.Trim(bind, "[]")
	}
	if port != "" {
		from.env = append(from.env, "PORT")
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			l.envProblem("PORT", key, fmt.Sprintf("%q is no port; a number from 1 to 65535", clip(port)))
			return
		}
		number = port
	}
	l.Config.Web.Listen = net.JoinHostPort(host, number)
	l.sources[key] = from
}

// addSecrets adds the secrets of a variable to web.secrets: front-ends that
// sign with either must get in.
func (l *loader) addSecrets(name, sep string) {
	text := l.options.Getenv(name)
	items := []string{text}
	if sep != "" {
		items = strings.Split(text, sep)
	}
	const key = "web.secrets"
	for _, item := range items {
		if strings.TrimSpace(item) == "" {
			continue
		}
		if s := bbb.Secret(item); !slices.Contains(l.Config.Web.Secrets, s) {
			l.Config.Web.Secrets = append(l.Config.Web.Secrets, s)
		}
		if from := l.sources[key]; !slices.Contains(from.env, name) {
			from.env = append(from.env, name)
			l.sources[key] = from
		}
	}
}
