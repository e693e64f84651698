package cmd

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"scalelite/store"
	"scalelite/web/admin"
)

func newRecordingsShowCommand(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show all that is known about a recording",
		Long: `Shows a recording with its formats and metadata. Of a deleted one that is in the
trash it shows what it was.`,
		Example: `  scalelite recordings show 183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000
  scalelite recordings show 183f0bf3 --json`,
		Args:              exactArgs(1, "the ID of a recording"),
		ValidArgsFunction: a.completeRecordings,
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), reads, func(svc admin.Service) error {
				r, err := svc.Recording(c.Context(), args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(a.stdout, r)
				}
				return printRecording(a.stdout, r)
			})
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

func printRecording(w io.Writer, r admin.RecordingInfo) error {
	p := printer{w: w}
	some := func(key, value string) {
		if value != "" {
			p.line(key, value)
		}
	}
	p.line("id", r.ID)
	some("name", r.Name)
	p.line("state", showState(r))
	p.line("protected", yesNo(r.Protected))
	p.line("meeting id", r.MeetingID)
	some("internal meeting id", r.InternalMeetingID)
	some("tenant", r.Tenant)
	p.line("start", stamp(r.Start))
	p.line("end", stamp(r.End))
	p.line("participants", strconv.Itoa(r.Participants))
	if r.IsBreakout {
		p.line("breakout room", yesNo(true))
	}
	some("imported", stamp(r.ImportedAt))
	some("deleted", stamp(r.DeletedAt))
	p.line("files", fmt.Sprintf("%d, %s", r.Files, byteSize(r.Bytes)))
	for _, f := range r.Formats {
		p.line("format "+f.Type, fmt.Sprintf("%s, %s, %s, imported %s, %s", clock(time.Duration(f.LengthMS)*time.Millisecond),
			count(f.Files, "file"), byteSize(f.Bytes), orDash(stamp(f.ImportedAt)), f.URL))
	}
	for _, key := range slices.Sorted(maps.Keys(r.Metadata)) {
		p.line("meta "+key, r.Metadata[key])
	}
	return p.err
}

// showState tells what the state means where that is not plain.
func showState(r admin.RecordingInfo) string {
	switch {
	case r.InTrash:
		return "deleted; in the trash, 'scalelite recordings undelete' brings it back"
	case r.Moving != "" && r.Moving != r.State:
		return fmt.Sprintf("%s; its files are on their way to %s", r.State, r.Moving)
	case r.State == store.Deleted:
		return "deleted; only that it was there is known"
	}
	return string(r.State)
}
