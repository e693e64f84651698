package cmd

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"scalelite/cmd/config"
)

// ManPage writes the manual page scalelite(1), made from the command tree, in
// the man macros of roff. The version and the day of date go into its footer.
func ManPage(w io.Writer, version string, date time.Time) error {
	root := newRoot(&app{deps: systemDeps(strings.NewReader(""), io.Discard, os.Stderr)})
	p := &manPage{out: bufio.NewWriter(w)}
	p.macro("TH", "SCALELITE", "1", date.UTC().Format(time.DateOnly), "scalelite "+version, "User Commands")
	p.macro("SH", "NAME")
	p.text("scalelite - " + lowerFirst(root.Short))
	p.macro("SH", "SYNOPSIS")
	p.line(`\fBscalelite\fR \fICOMMAND\fR [\fB\-\-config\fR \fIFILE\fR] ...`)
	p.macro("SH", "DESCRIPTION")
	p.text(root.Long)
	p.macro("SH", "OPTIONS")
	p.flags(root.PersistentFlags())
	p.macro("SH", "COMMANDS")
	p.text("Each command has --help.")
	p.commands(root)
	p.exitStatus()
	p.files()
	p.macro("SH", "SEE ALSO")
	p.line(`\fBsystemctl\fR(1), \fBjournalctl\fR(1), \fBsystemd.unit\fR(5)`)
	return p.out.Flush()
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// manPage is a page that is being written.
type manPage struct{ out *bufio.Writer }

// line writes a line of roff as it is. An error shows at Flush.
func (p *manPage) line(roff string) { fmt.Fprintln(p.out, roff) }

// macro writes a macro with its arguments.
func (p *manPage) macro(name string, args ...string) {
	line := "." + name
	for _, a := range args {
		line += ` "` + strings.ReplaceAll(roffEscaped(a), `"`, `\(dq`) + `"`
	}
	p.line(line)
}

// commands writes a section for each command that does something.
func (p *manPage) commands(c *cobra.Command) {
	for _, sub := range c.Commands() {
		if !sub.IsAvailableCommand() || sub.Name() == "help" {
			continue
		}
		if sub.Runnable() && !sub.HasAvailableSubCommands() || sub.HasAvailableLocalFlags() {
			p.macro("SS", strings.TrimSuffix(sub.UseLine(), " [flags]"))
			p.text(sub.Long)
			p.flags(sub.NonInheritedFlags())
			p.verbatim(sub.Example)
		}
		p.commands(sub)
	}
}

func (p *manPage) flags(set *pflag.FlagSet) {
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, text := pflag.UnquoteUsage(f)
		name := `\fB\-\-` + roffEscaped(f.Name) + `\fR`
		if f.Shorthand != "" {
			name = `\fB\-` + f.Shorthand + `\fR, ` + name
		}
		if value != "" {
			name += ` \fI` + roffEscaped(value) + `\fR`
		}
		p.line(".TP")
		p.line(name)
		p.line(roffLine(text))
	})
}

// text writes paragraphs; what is indented in them stays as it is.
func (p *manPage) text(s string) {
	for paragraph := range strings.SplitSeq(strings.Trim(s, "\n"), "\n\n") {
		if strings.HasPrefix(paragraph, " ") {
			p.verbatim(paragraph)
			continue
		}
		p.line(".PP")
		for line := range strings.SplitSeq(paragraph, "\n") {
			p.line(roffLine(line))
		}
	}
}

// verbatim writes lines that are not filled.
func (p *manPage) verbatim(s string) {
	if strings.TrimSpace(s) == "" {
		return
	}
	p.line(".PP\n.nf")
	for line := range strings.SplitSeq(strings.Trim(s, "\n"), "\n") {
		p.line(roffLine(line))
	}
	p.line(".fi")
}

func (p *manPage) exitStatus() {
	p.macro("SH", "EXIT STATUS")
	for _, s := range []struct {
		code int
		text string
	}{
		{exitOK, "done"},
		{exitFailure, "failed"},
		{exitUsage, "wrong usage"},
		{exitTempFail, "the database is in use by another process"},
	} {
		p.line(".TP")
		p.line(fmt.Sprintf(`\fB%d\fR`, s.code))
		p.line(roffLine(s.text))
	}
}

func (p *manPage) files() {
	p.macro("SH", "FILES")
	c := config.Default()
	for _, f := range [][2]string{
		{config.SystemFile, "The configuration. The environment variable SCALELITE_CONFIG names another one."},
		{"/etc/default/scalelite", "Environment of the service; variables of the Ruby system override the configuration."},
		{c.Store.Path, "The database."},
		{c.Web.AdminSocket, "How commands reach the running service."},
		{c.Recordings.SpoolDir, "Where the BBB servers put their recordings."},
		{c.Recordings.PublishedDir, "The files of published recordings."},
		{"/usr/share/doc/scalelite/config.toml.example", "Every key of the configuration with its default."},
	} {
		p.line(".TP")
		p.line(`\fI` + roffEscaped(f[0]) + `\fR`)
		p.line(roffLine(f[1]))
	}
}

// roffLine is a line of text that roff takes for nothing else: one that begins
// with a dot or a quote would be a request.
func roffLine(s string) string {
	s = roffEscaped(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		return `\&` + s
	}
	return s
}

// roffEscaped keeps backslashes, and has hyphens and quotes come out as they
// are typed, so that they can be copied.
func roffEscaped(s string) string {
	return strings.NewReplacer(`\`, `\e`, `-`, `\-`, `'`, `\(aq`, "`", `\(ga`, `^`, `\(ha`, `~`, `\(ti`).Replace(s)
}
