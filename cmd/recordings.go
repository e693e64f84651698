package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"scalelite/recordings"
	"scalelite/web/admin"
)

// shownRecordings is how many recordings a table has unless --limit says more.
const shownRecordings = 100

func newRecordingsCommand(a *app) *cobra.Command {
	var f recordingFlags
	var asJSON bool
	c := &cobra.Command{
		Use:     "recordings",
		Aliases: []string{"recording"},
		Short:   "List the recordings, or manage them",
		Long: `Lists the recordings, the newest first: those that are published or unpublished,
or what the filters choose. All filters must match; of one that is given several
times, one value must.

The table ends after 100 recordings unless --limit says otherwise; --json has no
such end. A time is a day (2026-11-01), a day and time ("2026-11-01 08:30"), or
how long ago (30d, 12h).

Where a command takes an ID, its beginning does as well if it has 8 characters or
more and no other recording begins with it; - reads IDs from standard input, one
a line.`,
		Example: `  scalelite recordings
  scalelite recordings --state unpublished --since 30d
  scalelite recordings --meeting room-17 --meta bbb-origin=Moodle --json
  scalelite recordings --until 365d --json | jq -r '.[].id' | scalelite recordings delete - --yes`,
		GroupID: groupRecords,
		Args:    groupArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			q, err := f.query(c, a.now())
			if err != nil {
				return err
			}
			limit := f.limit
			if !c.Flags().Changed("limit") && !asJSON {
				limit = shownRecordings
			}
			return a.with(c.Context(), reads, func(svc admin.Service) error {
				if asJSON {
					return a.streamRecordings(c.Context(), svc, q, limit)
				}
				return a.printRecordings(c.Context(), svc, q, limit)
			})
		},
	}
	f.add(c)
	jsonFlag(c, &asJSON)
	c.AddCommand(
		newRecordingsShowCommand(a), newRecordingsImportCommand(a), newRecordingsSpoolCommand(a), newRecordingsRetryCommand(a), newRecordingsDropCommand(a),
		newRecordingsRescanCommand(a), newRecordingsPublishCommand(a, true), newRecordingsPublishCommand(a, false),
		newRecordingsProtectCommand(a, true), newRecordingsProtectCommand(a, false), newRecordingsSetCommand(a),
		newRecordingsDeleteCommand(a), newRecordingsUndeleteCommand(a), newRecordingsPruneCommand(a), newRecordingsCheckCommand(a),
		newRecordingsSetupCommand(a), newRecordingsAuthorizeKeyCommand(a), newRecordingsKeysCommand(a), newRecordingsRevokeKeyCommand(a),
		newRecordingsReceiveCommand(a),
	)
	return c
}

// recordingFlags are the filters of a listing.
type recordingFlags struct {
	meetings, states, meta []string
	tenant, since, until   string
	limit                  int
	offset                 int64
}

func (f *recordingFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.meetings, "meeting", nil, "those of the meeting `ID`; may be given several times")
	c.Flags().StringSliceVar(&f.states, "state", nil, "`STATE`: published, unpublished, deleted or any; a list with commas")
	c.Flags().StringArrayVar(&f.meta, "meta", nil, "those whose metadata `KEY=VALUE` is so; may be given several times")
	c.Flags().StringVar(&f.tenant, "tenant", "", "those of the tenant `ID`; \"\" for those of none")
	c.Flags().StringVar(&f.since, "since", "", "those that started at this `TIME` or later")
	c.Flags().StringVar(&f.until, "until", "", "those that started before this `TIME`")
	c.Flags().IntVar(&f.limit, "limit", 0, "at most `N` recordings; 0: all")
	c.Flags().Int64Var(&f.offset, "offset", 0, "leave out the first `N`")
}

func (f *recordingFlags) query(c *cobra.Command, now time.Time) (q admin.RecordingQuery, err error) {
	q = admin.RecordingQuery{Meetings: f.meetings, States: f.states, Offset: f.offset}
	if f.limit < 0 || f.offset < 0 {
		return q, usage("--limit and --offset must not be negative")
	}
	if c.Flags().Changed("tenant") {
		q.Tenant = &f.tenant
	}
	for _, pair := range f.meta {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return q, usage("--meta %q is not KEY=VALUE", pair)
		}
		if q.Meta == nil {
			q.Meta = map[string][]string{}
		}
		key = strings.ToLower(key)
		q.Meta[key] = append(q.Meta[key], value)
	}
	if q.Since, err = parseWhen("--since", f.since, now); err != nil {
		return q, err
	}
	q.Until, err = parseWhen("--until", f.until, now)
	return q, err
}

// parseWhen reads a day, a time, or how long ago; empty: the zero time.
func parseWhen(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.DateTime, "2006-01-02 15:04", time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	if age, err := recordings.ParseAge(text); err == nil {
		return now.Add(-age), nil
	}
	return time.Time{}, usage("%s %q is no time; write 2026-11-01, \"2026-11-01 08:30\", or 30d for 30 days ago", flag, text)
}

// eachPage hands the pages of a listing to fn, at most limit recordings; 0: all.
func eachPage(ctx context.Context, svc admin.Service, q admin.RecordingQuery, limit int, fn func(admin.RecordingPage) error) error {
	for left := limit; ; {
		q.Limit = admin.MaxRecordingPage
		if limit > 0 {
			q.Limit = min(q.Limit, left)
		}
		page, err := svc.Recordings(ctx, q)
		if err != nil {
			return err
		}
		if err := fn(page); err != nil {
			return err
		}
		if left -= len(page.Items); page.Next == "" || limit > 0 && left <= 0 {
			return nil
		}
		q.After, q.Offset = page.Next, 0
	}
}

func (a *app) printRecordings(ctx context.Context, svc admin.Service, q admin.RecordingQuery, limit int) error {
	var shown, total int64
	var tenants bool
	err := eachPage(ctx, svc, q, limit, func(page admin.RecordingPage) error {
		t := &table{tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)}
		if shown == 0 {
			total = page.Total
			if len(page.Items) == 0 {
				return a.printNoRecordings(ctx, svc, q, total)
			}
			tenants = slices.ContainsFunc(page.Items, func(r admin.RecordingInfo) bool { return r.Tenant != "" })
			t.recording(tenants, "RECORD ID", "TENANT", "START", "LENGTH", "STATE", "PROTECTED", "SIZE", "FORMATS", "NAME")
		}
		for _, r := range page.Items {
			t.recording(tenants, r.ID, r.Tenant, stamp(r.Start), recordingLength(r), recordingState(r), yesNo(r.Protected),
				byteSize(r.Bytes), recordingFormats(r), r.Name)
		}
		shown += int64(len(page.Items))
		return t.flush()
	})
	if err == nil && shown > 0 && q.Offset+shown < total {
		_, err = fmt.Fprintf(a.stderr, "%d of %d recordings; --limit and --offset show others.\n", shown, total)
	}
	return err
}

// recording is a row, with the tenant's column only where there are some.
func (t *table) recording(tenants bool, id, tenant string, cells ...string) {
	if tenants {
		cells = append([]string{tenant}, cells...)
	}
	t.row(append([]string{id}, cells...)...)
}

// printNoRecordings tells an empty library from filters that nothing passes.
func (a *app) printNoRecordings(ctx context.Context, svc admin.Service, q admin.RecordingQuery, total int64) error {
	text := "No recording matches."
	switch all, err := svc.Recordings(ctx, admin.RecordingQuery{Limit: 1}); {
	case err != nil:
		return err
	case total > 0:
		text = fmt.Sprintf("There are only %d; --offset leaves out all of them.", total)
	case all.Total == 0 && len(q.States) == 0:
		text = "No recordings yet. 'scalelite recordings spool' shows what is on its way, " +
			"'scalelite recordings import FILE.tar' takes one in."
	}
	_, err := fmt.Fprintln(a.stdout, text)
	return err
}

// streamRecordings prints a JSON list, page by page: it may be long.
func (a *app) streamRecordings(ctx context.Context, svc admin.Service, q admin.RecordingQuery, limit int) error {
	l := &jsonList{w: a.stdout}
	err := eachPage(ctx, svc, q, limit, func(page admin.RecordingPage) error {
		for _, r := range page.Items {
			if err := l.add(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err // a list without its end is no JSON, and must be none
	}
	return l.end()
}

// jsonList prints a JSON list element by element, as printJSON would.
type jsonList struct {
	w io.Writer
	n int
}

func (l *jsonList) add(v any) error {
	var b bytes.Buffer
	b.WriteString("[\n  ")
	if l.n > 0 {
		b.Reset()
		b.WriteString(",\n  ")
	}
	l.n++
	enc := json.NewEncoder(&b)
	enc.SetIndent("  ", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := l.w.Write(bytes.TrimRight(b.Bytes(), "\n"))
	return err
}

func (l *jsonList) end() error {
	text := "\n]\n"
	if l.n == 0 {
		text = "[]\n"
	}
	_, err := io.WriteString(l.w, text)
	return err
}

// recordingState is the state of a recording in a word.
func recordingState(r admin.RecordingInfo) string {
	switch {
	case r.InTrash:
		return "trash"
	case r.Moving != "" && r.Moving != r.State:
		return string(r.State) + ">" + string(r.Moving)
	}
	return string(r.State)
}

// recordingLength is that of its longest format.
func recordingLength(r admin.RecordingInfo) string {
	var longest int64
	for _, f := range r.Formats {
		longest = max(longest, f.LengthMS)
	}
	if longest == 0 {
		return ""
	}
	return clock(time.Duration(longest) * time.Millisecond)
}

// clock is a duration as hours, minutes and seconds.
func clock(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

func recordingFormats(r admin.RecordingInfo) string {
	var all []string
	for _, f := range r.Formats {
		all = append(all, f.Type)
	}
	return strings.Join(all, ",")
}
