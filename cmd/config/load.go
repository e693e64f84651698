package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/BurntSushi/toml"
)

// maxFileSize bounds what is read of a configuration file, in bytes.
const maxFileSize = 1 << 20

// Options tell Load where to look.
type Options struct {
	// File is the file that was asked for; empty: SCALELITE_CONFIG, else
	// SystemFile if it exists, else none.
	File string
	// SystemFile stands in for the constant of that name, for tests.
	SystemFile string
	// FileSystems has it looked at where the directories lie, too: for who is
	// going to work on them. A look at a network file system may hang.
	FileSystems bool
	// Getenv reads the environment; nil is os.Getenv.
	Getenv func(string) string
}

// Loaded is a configuration that was found good, with where its values came
// from.
type Loaded struct {
	Config Config
	// File is the file that was read; empty if there is none.
	File string

	options Options
	sources map[string]source
}

// source is where the value of one key came from; several for keys that the
// environment adds to.
type source struct {
	file bool
	env  []string
}

// Load reads the configuration. Everything that is wrong with it comes back as
// Problems. A file that was named (by Options.File or SCALELITE_CONFIG) and is
// missing is an error; the file of an installed program may be missing.
func Load(o Options) (*Loaded, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	l := &Loaded{options: o, sources: map[string]source{}}
	name, src, err := readFile(o)
	if err != nil {
		return nil, err
	}
	l.File = name
	l.Config = DefaultWithoutFile()
	if name != "" {
		l.Config = Default()
	}
	ld := &loader{Loaded: l, fields: fieldsOf(&l.Config)}
	if name != "" {
		if err := ld.applyFile(src); err != nil {
			return nil, err
		}
	}
	ld.applyEnv()
	ld.validate()
	ld.problems.sort()
	if err := ld.problems.err(); err != nil {
		return nil, err
	}
	return l, nil
}

// loader is the state of one Load.
type loader struct {
	*Loaded
	fields   []field
	lines    lineIndex
	problems Problems
}

// readFile finds and reads the file; the name is empty if there is none.
func readFile(o Options) (name, src string, err error) {
	name, named := o.File, true
	if name == "" {
		name = o.Getenv("SCALELITE_CONFIG")
	}
	if name == "" {
		name, named = o.SystemFile, false
		if name == "" {
			name = SystemFile
		}
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return "", "", nil
	}
	if err != nil {
		return "", "", fileProblem(name, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return "", "", fileProblem(name, err)
	}
	if len(data) > maxFileSize {
		return "", "", Problems{{File: name, Text: "is larger than 1 MiB; this is no configuration file"}}
	}
	return name, string(bytes.TrimPrefix(data, []byte("\ufeff"))), nil
}

func fileProblem(name string, err error) error {
	p := Problem{File: name}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.Text = "there is no such file; name one with --config FILE or the environment variable SCALELITE_CONFIG"
	case errors.Is(err, fs.ErrPermission):
		p.Text = "permission denied; run the command as root, with sudo, or as a member of the file's group"
	default:
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		p.Text = fmt.Sprintf("%v; a readable file is needed", err)
	}
	return Problems{p}
}

// applyFile sets what the file says. Only a file that is no TOML is an error;
// the rest goes to the problems.
func (l *loader) applyFile(src string) error {
	tree := map[string]any{}
	if _, err := toml.Decode(src, &tree); err != nil {
		return syntaxProblem(l.File, src, err)
	}
	l.lines = indexLines(src)
	for name, value := range tree {
		if !slices.Contains(sectionNames(), name) {
			l.unknownSection(name, value)
			continue
		}
		table, ok := value.(map[string]any)
		if !ok {
			l.fileProblem([]string{name}, fmt.Sprintf("is a section, not a key; write [%s] on a line of its own", name))
			continue
		}
		for key, v := range table {
			l.applyKey(name, key, v)
		}
	}
	return nil
}

func (l *loader) applyKey(section, name string, v any) {
	f, ok := find(l.fields, section, name)
	if !ok {
		l.unknownKey(section, name)
		return
	}
	l.sources[f.key()] = source{file: true}
	if err := f.setTOML(v); err != nil {
		l.fileProblem([]string{section, name}, err.Error())
	}
}

func (l *loader) fileProblem(path []string, text string) {
	key := path[0]
	if len(path) > 1 {
		key += "." + path[1]
	}
	l.problems = append(l.problems, Problem{File: l.File, Line: l.lines.line(path...), Key: key, Text: text})
}

// Source tells where the value of a key came from: "default", "file",
// "environment NAME", or several of them joined by " + ".
func (l *Loaded) Source(key string) string { return l.sources[key].String() }

// IsSet tells whether the file or the environment set the key.
func (l *Loaded) IsSet(key string) bool { return l.Source(key) != "default" }

func (s source) String() string {
	text := ""
	if s.file {
		text = "file"
	}
	for _, name := range s.env {
		if text != "" {
			text += " + "
		}
		text += "environment " + name
	}
	if text == "" {
		return "default"
	}
	return text
}
