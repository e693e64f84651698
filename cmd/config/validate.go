package config

import "strings"

// mask is what stands for a secret in what is shown.
const mask = "[secret]"

// validate collects what the sections object to, and finds the place of each.
func (l *loader) validate() {
	report := func(key, text string) { l.problems = append(l.problems, l.place(key, text)) }
	problems := flatten(l.Config.Validate())
	if len(problems) == 0 && l.options.FileSystems {
		problems = flatten(l.Config.Recordings.ValidateFileSystems())
	}
	for _, err := range problems {
		key, text, ok := strings.Cut(err.Error(), ": ")
		if !ok {
			key, text = "", err.Error()
		}
		report(key, text)
	}
	for _, f := range l.fields {
		if f.secret && f.holdsMask() {
			report(f.key(), "is the mask that 'config show' prints for a secret, which anybody could guess; "+
				"write the secret itself, see 'scalelite config show --toml --secrets'")
		}
	}
}

// holdsMask tells a file that was made with "config show --toml" without
// --secrets.
func (f field) holdsMask() bool {
	for _, s := range f.secrets() {
		if s == mask {
			return true
		}
	}
	return false
}

// place makes a problem of what a section says about key.
func (l *loader) place(key, text string) Problem {
	p := Problem{Key: key, Text: text}
	path := strings.SplitN(key, ".", 3)
	known := key
	if len(path) > 2 { // balancer.create_defaults.x
		known = path[0] + "." + path[1]
	}
	from := l.sources[known]
	switch {
	case len(from.env) > 0:
		p.Environment = strings.Join(from.env, ", ")
		if from.file {
			p.Environment += " and " + l.File
		}
	case from.file:
		p.File, p.Line = l.File, l.lines.line(path...)
	default:
		p.File = l.File
	}
	return p
}

// flatten undoes errors.Join.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}
