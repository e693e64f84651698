package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"scalelite/cmd"
)

// generate writes the files of the package that are not in the sources to the
// directory stage.
func (p pack) generate(ctx context.Context, stage string) error {
	for _, f := range []struct {
		name string
		make func(io.Writer) error
	}{
		{"scalelite.1.gz", zipped(p.manual)},
		{"changelog.gz", zipped(p.changelog)},
		{"copyright", func(w io.Writer) error { return p.copyright(ctx, w) }},
		{"completion.bash", completion("bash")},
		{"completion.zsh", completion("zsh")},
		{"completion.fish", completion("fish")},
	} {
		var b bytes.Buffer
		if err := f.make(&b); err != nil {
			return fmt.Errorf("make %s: %w", f.name, err)
		}
		if err := os.WriteFile(filepath.Join(stage, f.name), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// zipped compresses what fill writes, without a name and a time, as the Debian
// policy wants it.
func zipped(fill func(io.Writer) error) func(io.Writer) error {
	return func(w io.Writer) error {
		z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
		if err != nil {
			return err
		}
		if err := fill(z); err != nil {
			return err
		}
		return z.Close()
	}
}

func (p pack) manual(w io.Writer) error { return cmd.ManPage(w, p.version, p.time) }

func (p pack) changelog(w io.Writer) error {
	_, err := fmt.Fprintf(w, "scalelite (%s) unstable; urgency=medium\n\n  * Version %s.\n\n -- %s  %s\n",
		p.version, p.version, p.maintainer, p.time.Format(time.RFC1123Z))
	return err
}

// completion has the program print the completions for a shell.
func completion(shell string) func(io.Writer) error {
	return func(w io.Writer) error {
		var problems strings.Builder
		if code := cmd.Execute([]string{"completion", shell}, strings.NewReader(""), w, &problems); code != 0 {
			return fmt.Errorf("exit status %d: %s", code, problems.String())
		}
		return nil
	}
}
