package admin

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"scalelite/store"
)

// scanBatch is how many recordings are read in one transaction, so that nobody
// who writes waits for long.
const scanBatch = 500

// Recordings lists recordings, the newest start first; Invalid if the query
// makes no sense.
func (l *Local) Recordings(ctx context.Context, q RecordingQuery) (RecordingPage, error) {
	page := RecordingPage{Items: []RecordingInfo{}}
	if _, err := l.parts(ctx); err != nil {
		return page, err
	}
	r, err := q.parse()
	if err != nil {
		return page, err
	}
	var found []store.Recording
	limit := MaxRecordingPage
	if q.Limit > 0 {
		limit = min(limit, q.Limit)
	}
	more := false
	err = l.walk(ctx, r, r.after, q.Offset, func(rec store.Recording) bool {
		if more = len(found) == limit; more {
			return false
		}
		found = append(found, rec)
		return true
	})
	if err != nil {
		return page, explain(ctx, err)
	}
	if more {
		page.Next = positionText(found[len(found)-1])
	}
	if q.After == "" {
		if page.Total, err = l.countRecordings(ctx, r); err != nil {
			return page, explain(ctx, err)
		}
	}
	page.Items, err = l.recordingInfos(ctx, found)
	return page, explain(ctx, err)
}

// recordingRange is a RecordingQuery as the store takes it.
type recordingRange struct {
	filter store.RecordingFilter
	first  *store.Position // behind which the listing begins; nil: at its head
	after  *store.Position // behind which the page begins
	since  int64           // ms; where the listing ends
}

func (q RecordingQuery) parse() (recordingRange, error) {
	r := recordingRange{since: math.MinInt64, filter: store.RecordingFilter{
		Tenant: q.Tenant, IDs: q.IDs, Meetings: q.Meetings, Meta: map[string][]string{},
	}}
	for key, values := range q.Meta {
		lower := strings.ToLower(key)
		r.filter.Meta[lower] = slices.Concat(r.filter.Meta[lower], values)
	}
	for _, name := range q.States {
		switch state := store.RecordingState(name); {
		case name == "any":
			r.filter.States = store.RecordingStates()
		case slices.Contains(store.RecordingStates(), state):
			r.filter.States = append(r.filter.States, state)
		default:
			return r, &Error{Invalid, fmt.Sprintf("there is no state %q: give published, unpublished, deleted or any", name)}
		}
	}
	if len(q.States) == 0 {
		r.filter.States = []store.RecordingState{store.Published, store.Unpublished}
	}
	if q.Offset < 0 || q.Limit < 0 {
		return r, &Error{Invalid, "offset and limit must not be negative"}
	}
	if !q.Since.IsZero() {
		r.since = q.Since.UnixMilli()
	}
	if !q.Until.IsZero() {
		// No ID comes before the empty one: this is where the first ms ends that is
		// left out.
		r.first = &store.Position{Start: q.Until.UnixMilli() - 1}
	}
	r.after = r.first
	if q.After != "" {
		after, err := parsePosition(q.After)
		if err != nil {
			return r, err
		}
		r.after = after
	}
	return r, nil
}

// positionText is the place of a recording in a listing as text.
func positionText(r store.Recording) string { return strconv.FormatInt(r.Start, 10) + ":" + r.ID }

func parsePosition(text string) (*store.Position, error) {
	start, id, ok := strings.Cut(text, ":")
	n, err := strconv.ParseInt(start, 10, 64)
	if !ok || err != nil {
		return nil, &Error{Invalid, fmt.Sprintf("after %.64q is not the end of a page", text)}
	}
	return &store.Position{Start: n, ID: id}, nil
}

// walk hands the recordings of a range without the first skip of them to fn,
// until it returns false.
func (l *Local) walk(ctx context.Context, r recordingRange, after *store.Position, skip int64, fn func(store.Recording) bool) error {
	for {
		var batch []store.Recording
		err := l.store.View(ctx, func(tx *store.Tx) error {
			batch = batch[:0]
			for rec, err := range tx.RecordingsFrom(r.filter, after, skip) {
				if err != nil {
					return err
				}
				if batch = append(batch, rec); len(batch) == scanBatch {
					break
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("list the recordings: %w", err)
		}
		for _, rec := range batch {
			if rec.Start < r.since || !fn(rec) {
				return nil
			}
		}
		if len(batch) < scanBatch {
			return nil
		}
		last := batch[len(batch)-1]
		skip = 0
		after = &store.Position{Start: last.Start, ID: last.ID}
	}
}

// countRecordings returns how many recordings a range has. Without bounds in
// time the store knows, or counts what an index has.
func (l *Local) countRecordings(ctx context.Context, r recordingRange) (n int64, err error) {
	err = l.store.View(ctx, func(tx *store.Tx) error {
		if r.first != nil || r.since != math.MinInt64 {
			n, err = tx.CountRecordingsSince(r.filter, r.first, r.since)
		} else {
			n, err = tx.CountRecordings(r.filter)
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("count the recordings: %w", err)
	}
	return n, nil
}

// Recording returns one recording; NotFound if there is none, Conflict if the
// beginning of an ID is that of several.
func (l *Local) Recording(ctx context.Context, id string) (RecordingInfo, error) {
	if _, err := l.parts(ctx); err != nil {
		return RecordingInfo{}, err
	}
	found, err := l.find(ctx, []string{id})
	if err != nil {
		return RecordingInfo{}, err
	}
	infos, err := l.recordingInfos(ctx, found)
	if err != nil {
		return RecordingInfo{}, explain(ctx, err)
	}
	return infos[0], nil
}

// recordingInfos tells of recordings, with what the trash has of deleted ones.
func (l *Local) recordingInfos(ctx context.Context, all []store.Recording) ([]RecordingInfo, error) {
	infos := make([]RecordingInfo, 0, len(all))
	err := l.store.View(ctx, func(tx *store.Tx) error {
		infos = infos[:0]
		for _, r := range all {
			if r.State != store.Deleted {
				infos = append(infos, recordingInfo(r))
				continue
			}
			t, err := tx.Trashed(r.ID)
			switch {
			case errors.Is(err, store.ErrNotFound):
				infos = append(infos, recordingInfo(r))
			case err != nil:
				return err
			default:
				i := recordingInfo(t.Recording)
				i.State, i.Moving, i.DeletedAt, i.InTrash = r.State, r.Moving, r.DeletedAt, true
				infos = append(infos, i)
			}
		}
		return nil
	})
	return infos, err
}

func recordingInfo(r store.Recording) RecordingInfo {
	i := RecordingInfo{
		ID: r.ID, MeetingID: r.MeetingID, InternalMeetingID: r.InternalMeetingID, Tenant: r.Tenant, Name: r.Name,
		State: r.State, Protected: r.Protected, Start: time.UnixMilli(r.Start).UTC(), End: time.UnixMilli(r.End).UTC(),
		Participants: r.Participants, IsBreakout: r.IsBreakout, Metadata: r.Metadata(), Formats: []RecordingFormat{},
		ImportedAt: r.ImportedAt, DeletedAt: r.DeletedAt, Moving: r.Moving,
	}
	for _, f := range r.Formats {
		i.Formats = append(i.Formats, RecordingFormat{
			Type: f.Type, URL: f.URL, LengthMS: f.LengthMS, Files: f.Files, Bytes: f.Bytes, ImportedAt: f.ImportedAt,
		})
		i.Files += f.Files
		i.Bytes += f.Bytes
	}
	return i
}
