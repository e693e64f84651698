package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// module is a part of the program that comes from elsewhere.
type module struct{ path, version, dir string }

// copyright writes the file of that name: our licence, and the licences of all
// that is linked into the program, which ask to be handed on.
func (p pack) copyright(ctx context.Context, w io.Writer) error {
	modules, err := p.modules(ctx)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString(`scalelite, load balancer for BigBlueButton

Copyright: the scalelite authors
Licence: Apache-2.0

On Debian systems the text of the Apache License, version 2.0, is in
/usr/share/common-licenses/Apache-2.0.

The program holds the following parts, which have licences of their own.
`)
	for _, m := range modules {
		if err := m.describe(&b); err != nil {
			return fmt.Errorf("%s: %w", m.path, err)
		}
	}
	_, err = w.Write(b.Bytes())
	return err
}

// modules lists what is linked into the program: the Go standard library first,
// then the modules by their paths.
func (p pack) modules(ctx context.Context) ([]module, error) {
	goroot, err := output(ctx, p.root, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	goVersion, err := output(ctx, p.root, "go", "env", "GOVERSION")
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, "go", "list", "-deps", "-f",
		"{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}", ".")
	c.Dir = p.root
	c.Env = append(neutralEnv(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+p.arch)
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var modules []module
	for line := range strings.Lines(string(out)) {
		if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) == 3 {
			modules = append(modules, module{f[0], f[1], f[2]})
		}
	}
	slices.SortFunc(modules, func(a, b module) int { return cmp.Compare(a.path, b.path) })
	modules = slices.Compact(modules)
	return slices.Insert(modules, 0, module{"Go standard library and runtime", strings.TrimPrefix(goVersion, "go"), goroot}), nil
}

// describe writes the licence of a module, and what it wants to be told.
func (m module) describe(w io.Writer) error {
	fmt.Fprintf(w, "\n%s\n%s %s\n\n", strings.Repeat("-", 78), m.path, m.version)
	licence, err := m.read("LICENSE", "LICENSE.txt", "LICENSE.md", "COPYING")
	if err != nil {
		return err
	}
	text := strings.TrimRight(string(licence), " \n") + "\n"
	if isApache(text) {
		text = "Licence: Apache-2.0, see /usr/share/common-licenses/Apache-2.0.\n"
	}
	io.WriteString(w, text)
	notice, err := m.read("NOTICE", "NOTICE.txt")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		_, err = fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(string(notice)))
	}
	return err
}

// isApache tells whether a text is the Apache License as it is, which Debian
// has in a file of its own and wants to be pointed to.
func isApache(text string) bool {
	head := text[:min(len(text), 400)]
	return strings.Contains(head, "Apache License") && strings.Contains(head, "Version 2.0, January 2004")
}

// read returns the first of the files that there is.
func (m module) read(names ...string) ([]byte, error) {
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(m.dir, name))
		if !errors.Is(err, fs.ErrNotExist) {
			return text, err
		}
	}
	return nil, fmt.Errorf("none of %s: %w", strings.Join(names, ", "), fs.ErrNotExist)
}
