package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"scalelite/web/admin"
)

const (
	// idBatch is how many IDs one call to the service has at most.
	idBatch = 10_000
	// maxStdinIDs bounds what is read of standard input.
	maxStdinIDs = 5_000_000
)

// someRecordings checks the arguments of commands that take IDs.
func someRecordings(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage("say which: give the IDs of recordings, or - to read them from standard input")
	}
	return noEmptyArgs(nil, args)
}

// recordingIDs are the IDs that arguments mean: themselves, and for "-" what
// standard input has, one a line.
func (a *app) recordingIDs(ctx context.Context, args []string) ([]string, error) {
	var ids []string
	for _, arg := range args {
		if arg != "-" {
			ids = append(ids, arg)
			continue
		}
		lines := bufio.NewScanner(a.stdin)
		for lines.Scan() {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if id := strings.TrimSpace(lines.Text()); id != "" {
				ids = append(ids, id)
			}
			if len(ids) > maxStdinIDs {
				return nil, fmt.Errorf("standard input has more than %d IDs: split it", maxStdinIDs)
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("read IDs from standard input: %w", err)
		}
	}
	return ids, nil
}

// outcome words what became of a recording.
type outcome struct {
	done    string // "published"
	already string // "was published already"
}

// changeRecordings carries out a change of the recordings that arguments mean,
// and tells what became of each.
func (a *app) changeRecordings(ctx context.Context, args []string, o outcome, do func(admin.Service, []string) ([]admin.RecordingResult, error)) error {
	ids, err := a.recordingIDs(ctx, args)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		_, err := fmt.Fprintln(a.stdout, "Standard input has no IDs; nothing was changed.")
		return err
	}
	return a.with(ctx, changes, func(svc admin.Service) error { return a.changeEach(svc, ids, o, do) })
}

// changeEach carries out a change, some recordings at a time.
func (a *app) changeEach(svc admin.Service, ids []string, o outcome, do func(admin.Service, []string) ([]admin.RecordingResult, error)) error {
	failed, unfinished := 0, 0
	for batch := range slices.Chunk(ids, idBatch) {
		results, err := do(svc, batch)
		for _, r := range results {
			text, to := o.already, a.stdout
			switch {
			case r.Error != "" && r.Changed:
				text, to = o.done+", but "+r.Error, a.stderr
				unfinished++
			case r.Error != "":
				text, to = "not "+o.done+": "+r.Error, a.stderr
				failed++
			case r.Changed:
				text = o.done
			}
			if _, err := fmt.Fprintf(to, "%s: %s\n", printable(r.ID), printable(text)); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%s not %s", countWas(failed, "recording"), o.done)
	}
	if unfinished > 0 {
		return fmt.Errorf("%s %s, but not all of their files are where they belong", countWas(unfinished, "recording"), o.done)
	}
	return nil
}

// countWas is "1 recording was", "2 recordings were".
func countWas(n int, noun string) string {
	if n == 1 {
		return count(n, noun) + " was"
	}
	return count(n, noun) + " were"
}

// completeRecordings offers the newest recordings whose IDs begin as the word
// does. Only the running service is asked.
func (a *app) completeRecordings(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp
	if strings.HasSuffix(c.Use, " ID") && len(args) > 0 {
		return nil, directive
	}
	l, err := a.config()
	if err != nil {
		return nil, directive
	}
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	q := admin.RecordingQuery{Limit: 50}
	if word != "" {
		q.IDs = []string{word}
	}
	if c.Name() == "undelete" {
		q.States = []string{"deleted"}
	}
	page, err := a.dial(l.Config.Web.AdminSocket).Recordings(ctx, q)
	if err != nil {
		return nil, directive
	}
	var offers []string
	for _, r := range page.Items {
		offers = append(offers, r.ID+"\t"+printable(stamp(r.Start)+" "+r.Name))
	}
	return offers, directive
}

// errNotAsked is why nothing is asked while standard input has the IDs.
var errNotAsked = errors.New("the IDs come from standard input, so that nobody can be asked: say --yes to do it")
