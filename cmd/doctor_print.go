package cmd

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"scalelite/cmd/doctor"
)

// quietUntil is how long the checks may take before it is told that they run.
const quietUntil = 2 * time.Second

// printReport prints JSON; with quiet without what is ok. The counts are of all.
func (a *app) printReport(r doctor.Report, quiet bool) error {
	if quiet {
		r.Findings = slices.DeleteFunc(r.Findings, func(f doctor.Finding) bool { return f.Result == doctor.OK })
	}
	r.Findings = list(r.Findings)
	return printJSON(a.stdout, r)
}

// printFindings prints a line for each finding, and below it what to do.
func (a *app) printFindings(r doctor.Report, quiet bool) error {
	colours := a.liveOutput && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"
	var out strings.Builder
	for _, f := range r.Findings {
		if !quiet || f.Result != doctor.OK {
			writeFinding(&out, f, colours)
		}
	}
	if !quiet {
		fmt.Fprintf(&out, "\n%d ok, %s, %d failed, %d skipped.\n",
			r.Counts[doctor.OK], count(r.Counts[doctor.Warn], "warning"), r.Counts[doctor.Fail], r.Counts[doctor.Skipped])
	}
	_, err := io.WriteString(a.stdout, out.String())
	return err
}

// mark is the word for a result, and its colour for terminals that have some.
func mark(r doctor.Result) (word, colour string) {
	switch r {
	case doctor.OK:
		return "ok", "\x1b[32m"
	case doctor.Warn:
		return "warn", "\x1b[33m"
	case doctor.Fail:
		return "FAIL", "\x1b[1;31m"
	}
	return "skipped", "\x1b[2m"
}

func writeFinding(out *strings.Builder, f doctor.Finding, colours bool) {
	word, colour := mark(f.Result)
	word = fmt.Sprintf("%-8s", word)
	if colours {
		word = colour + word + "\x1b[0m"
	}
	subject := ""
	if f.Subject != "" {
		subject = printable(f.Subject) + ": "
	}
	fmt.Fprintf(out, "%s %-14s %s%s\n", word, f.Check, subject, printable(f.Found))
	const margin = "                        "
	if f.Why != "" {
		fmt.Fprintf(out, "%swhy:  %s\n", margin, printable(f.Why))
	}
	if f.Remedy != "" {
		fmt.Fprintf(out, "%sdo:   %s\n", margin, printable(f.Remedy))
	}
	for _, command := range f.Commands {
		fmt.Fprintf(out, "%s      %s\n", margin, printable(command))
	}
}

// progressLine tells on a terminal that the checks still run.
type progressLine struct {
	w     io.Writer
	began time.Time
	width int
}

func newProgress(w io.Writer) *progressLine { return &progressLine{w: w, began: time.Now()} }

func (p *progressLine) show(done, total int, running []string) {
	if time.Since(p.began) < quietUntil {
		return
	}
	const most = 70
	text := fmt.Sprintf("%d of %d checks done, waiting for %s", done, total, strings.Join(running, ", "))
	text = text[:min(len(text), most)]
	fmt.Fprintf(p.w, "\r%-*s", p.width, text)
	p.width = len(text)
}

// clear takes the line away. It is called when nobody calls show any more.
func (p *progressLine) clear() {
	if p.width > 0 {
		fmt.Fprintf(p.w, "\r%*s\r", p.width, "")
	}
}
